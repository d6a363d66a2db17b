"""Look for circles in the import graph of a package, over every kind of import.

``python tools/imports.py [PACKAGE]``, a folder, by default ``snpwire``. An import counts wherever
it stands: at the top of a module, within a function, under ``if TYPE_CHECKING``; ``import_module``
may reach every module of the package that it stands in. Exits with 1 and names the modules where
some import each other in a circle.
"""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Graph = dict[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(modules: dict[str, Path]) -> Graph:
    """Return for each module those of the package that it imports, by whatever kind of import."""
    return {name: set(_imported(name, path, modules)) - {name} for name, path in modules.items()}


def _imported(name: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (_module(alias.name, modules) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = _absolute(node, package)
            yield from (_module(f"{home}.{alias.name}", modules) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_module(node):
            yield from (each for each in modules if each.rpartition(".")[0] == package)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of what a ``from`` statement names."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def _module(name: str, modules: dict[str, Path]) -> str:
    """Return the module that *name* is, or that has it; its own name for one of elsewhere."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def _is_import_module(node: ast.Call) -> bool:
    function = node.func
    return isinstance(function, ast.Name) and function.id == "import_module"


def circle(graph: Graph) -> list[str]:
    """Return modules that import each other, the first again at the end; none if all is well."""
    known = {name: {each for each in imported if each} for name, imported in graph.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as exc:
        found: list[str] = exc.args[1]
        return found[::-1]  # graphlib lists each module behind the one that imports it
    return []


def main(package: str = "snpwire") -> int:
    """Print what was found; return 1 if there is a circle."""
    graph = import_graph(modules_of(Path(package).resolve()))
    found = circle(graph)
    if found:
        print("a circle of imports: " + "\n  imports ".join(found))
        return 1
    print(f"{len(graph)} modules, {sum(map(len, graph.values()))} imports, no circle")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
