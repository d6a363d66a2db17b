"""Look for names that mean two things, or nothing, and for functions that are too long.

``python tools/names.py [PACKAGE]``, a folder, by default ``snpwire``. Exits with 1 if a class name
stands for two public things, if a module is named by a participle, a pronoun or an adjective, or if
a function has more than 60 lines or 8 parameters. A module's last word decides: ``raw_guest`` is a
guest. Words are judged by their endings and by the lists below, which grow as words turn up.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES, PARAMETERS = 60, 8
"""The most that a function may have."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


NOUNS = words("""alternative archive binding directive feed finding initiative meaning primitive
    sealing seed signing speed spelling table testing variable wrapping""")
"""Words that end as a participle or an adjective does and name a thing, or an act of the field."""
PARTICIPLES = words("""bound broken built caught chosen done driven drawn fed found given gone got
    grown had held hidden kept known laid left lent lost made meant met paid put read said seen sent
    shown shut spent spoken struck taken taught thrown told understood won worn written""")
PRONOUNS = words("""all another any both each either everything he her his it its many mine my
    neither nobody none nothing one other others our ours she some something that their theirs them
    these they this those us we what which who whom whose you your yours""")
ADJECTIVES = words("""alone bad big cold costly dense different early empty entire equal exact false
    far few first free full general genuine good high hot initial large last late lazy less little
    live long loose low more most near new odd old only own past plain poor pure quick rare rough
    same short simple single slow small sparse special strange strict strong sure tiny true unknown
    usual valid vague vast virtual weak whole wide wild wrong""")


def is_no_noun(module: str) -> bool:
    """Return whether a module is named by a participle, a pronoun or an adjective."""
    word = module.rpartition("_")[2]
    if word in NOUNS:
        return False
    if word in PARTICIPLES or word in PRONOUNS or word in ADJECTIVES:
        return True
    return len(word) > 4 and word.endswith(
        ("ed", "ing", "ous", "ful", "less", "able", "ible", "ive")
    )


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Yield the public classes of a module, those within public classes too."""
    below: list[ast.stmt] = list(tree.body)
    while below:
        node = below.pop()
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            below += node.body


def functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Yield name, lines and parameters of every function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(each.arg not in ("self", "cls") for each in given)
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{node.name}:{node.lineno}", lines, count


def complaints(root: Path) -> Iterator[str]:
    """Yield a line for each name or function that breaks a rule."""
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        place = str(path.relative_to(root.parent))
        tree = ast.parse(path.read_text())
        name = path.parent.name if path.name == "__init__.py" else path.stem
        if not name.startswith("__") and is_no_noun(name):
            yield f"{place}: {name} is no noun"
        for node in classes(tree):
            homes[node.name].append(f"{place}:{node.lineno}")
        for function, lines, count in functions(tree):
            if lines > LINES:
                yield f"{place}: {function} has {lines} lines, more than {LINES}"
            if count > PARAMETERS:
                yield f"{place}: {function} has {count} parameters, more than {PARAMETERS}"
    for name, places in sorted(homes.items()):
        if len(places) > 1:
            yield f"{name} names {len(places)} classes: {', '.join(places)}"


def main(package: str = "snpwire") -> int:
    """Print what was found; return 1 if that is anything."""
    root = Path(package).resolve()
    found = list(complaints(root))
    for line in found:
        print(line)
    paths = list(root.rglob("*.py"))
    sizes = [lines for path in paths for _, lines, _ in functions(ast.parse(path.read_text()))]
    total = sum(path.read_text().count("\n") for path in paths)
    middle, most = statistics.median(sizes), statistics.quantiles(sizes, n=20)[-1]
    print(
        f"{len(paths)} modules, {total:,} lines; functions: median {middle:.0f} lines,"
        f" 95th percentile {most:.0f}, longest {max(sizes)}; {len(found)} complaints"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
