"""Hold what ``snpwire layout KIND --format ksy`` says against the Kaitai Struct compiler.

Every description is compiled, and the Python parsers that come of it read random bytes. Each
integer, bit field and byte string that they find is compared with what snpwire finds. The compiler
and its YAML reader are npm packages, the parsers' runtime is a Python one: all are installed into
the user's cache, by their own clients. What cannot be had is named, and the check is skipped.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from snpwire.bits import Word
from snpwire.layout import Record
from snpwire.view.ksy import as_ksy, identifier
from snpwire.wire import RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snpwire.block import Block
    from snpwire.wire import Kind

NPM = ("kaitai-struct-compiler@0.11.0", "js-yaml@4.1.0")
PYPI = "kaitaistruct==0.11"
LANGUAGES = ("python", "javascript", "java", "cpp_stl", "csharp", "go", "rust", "ruby")
"""What every description is compiled to; the parsers in the first are run."""
SHOWN = 5
"""How many differences of a kind are printed."""
COMPILE = """
const fs = require('fs'), compiler = require('kaitai-struct-compiler'), yaml = require('js-yaml');
const [source, target, ...languages] = process.argv.slice(2);
(async () => {
  for (const name of fs.readdirSync(source)) {
    const described = yaml.load(fs.readFileSync(`${source}/${name}`, 'utf8'));
    for (const language of languages) {
      const files = await compiler.compile(language, described, null, false);
      if (language === languages[0])
        for (const file in files) fs.writeFileSync(`${target}/${file}`, files[file]);
    }
  }
})().catch(error => { console.error(String(error)); process.exit(1); });
"""


class Skip(Exception):  # noqa: N818 - no error: there is nothing to compare with
    """Say why nothing can be compared."""


class Difference(NamedTuple):
    """One value on which the two do not agree."""

    path: str
    ours: object
    theirs: object


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Run a program and return what it prints. Raises Skip where that fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skip(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        raise Skip(f"{command[0]} fails: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def install(npm: str) -> Path:
    """Return the folder that the compiler and the runtime are in, installed if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "snpwire", "kaitai")
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "node_modules" / "js-yaml").is_dir():
        run(npm, "install", "--prefix", cache, *NPM)
    if not (cache / "python" / "kaitaistruct.py").is_file():
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", cache / "python", PYPI)
    return cache


def compile_all(node: str, cache: Path, folder: Path) -> None:
    """Compile every description; parsers in Python come to ``folder/parsers``.

    Raises SystemExit where the compiler refuses one.
    """
    described, parsers = folder / "ksy", folder / "parsers"
    described.mkdir()
    parsers.mkdir()
    for kind in RECORDS.values():
        text = "\n".join(as_ksy(kind)) + "\n"
        (described / f"snpwire_{identifier(kind.name)}.ksy").write_text(text, encoding="utf-8")
    script = cache / "compile.js"
    script.write_text(COMPILE)
    try:
        run(node, script, described, parsers, *LANGUAGES)
    except Skip as refused:
        raise SystemExit(f"check_ksy: {refused}") from None


def sample(kind: type[Record] | type[Block], rng: random.Random) -> bytes:
    """Return random bytes, or a few among zeros, that *kind* can be read from."""
    size = kind.SIZE
    if not issubclass(kind, Record):
        size += rng.choice((0, 1, rng.randrange(kind.ELEMENT.size * 12), 17_000))
    image = bytearray(rng.randbytes(size))
    if rng.random() < 0.5:
        filled = rng.randrange(size + 1)
        image = bytearray(
            b if n < filled and rng.random() < 0.1 else 0 for n, b in enumerate(image)
        )
    if issubclass(kind, Record):
        return bytes(image)
    tile = kind.HEAD.tile(kind.COUNT)
    if tile and rng.random() < 0.7:  # a count that the bytes may have room for
        image[tile.offset : tile.end] = rng.randrange(6).to_bytes(tile.size, "little")
    start = kind.SIZE + rng.randrange(8) * kind.ELEMENT.size
    end = min(start + kind.ELEMENT.size, size)
    image[start:end] = bytes(max(end - start, 0))
    return bytes(image)


def leaves(value: Any, parsed: Any, path: str) -> Iterator[Difference]:
    """Yield every value that snpwire found, and what the parser found in its place."""
    if isinstance(value, Record):
        for tile, inner in value.values():
            name = identifier(tile.path)
            yield from leaves(inner, getattr(parsed, name), f"{path}.{name}")
    elif isinstance(value, tuple):
        yield Difference(f"{path}.size", len(value), len(parsed))
        for index, pair in enumerate(zip(value, parsed, strict=False)):
            yield from leaves(*pair, f"{path}[{index}]")
    elif isinstance(value, Word):
        whole = parsed.word
        yield Difference(path, int(value), whole if isinstance(whole, int) else little(whole))
        for name, field in value.BITS.items():
            yield Difference(
                f"{path}.{name}", field.value(value), getattr(parsed, identifier(name))
            )
        for name, bits in vars(parsed).items():
            if name.startswith("reserved_") and name not in value.BITS:
                yield Difference(f"{path}.{name}", *unnamed(value, int(name[9:]), int(bits)))
    else:
        yield Difference(path, value, parsed)


def little(data: bytes) -> int:
    """Read an integer that Kaitai has no type for."""
    return int.from_bytes(data, "little")


def unnamed(word: Word, low: int, bits: int) -> tuple[int, int]:
    """Return the unnamed bits from *low* to the next named one, as far as *bits* has room."""
    ends = [low + 32, word.WIDTH, *(f.low for f in word.BITS.values() if f.low > low)]
    return int(word) >> low & ((1 << min(ends) - low) - 1), bits


def whole(kind: Kind, image: bytes, parser: Any) -> Iterator[Difference]:
    """Read *image* in both ways and yield all that is in it."""
    value = kind.type.parse(image)
    try:
        parsed = parser.from_bytes(image)
    except Exception as error:  # whatever a parser that was made wrong runs into
        yield Difference(kind.name, value, error)
        return
    if isinstance(value, Record):
        yield from leaves(value, parsed, kind.name)
        return
    name = identifier(value.NAME)
    yield from leaves(value.head, parsed, kind.name)
    yield from leaves(value.elements, getattr(parsed, name), f"{kind.name}.{name}")
    yield Difference(f"{kind.name}.rest", value.rest, parsed.rest)


def compare(parsers: Path, runtime: Path, rounds: int, seed: int) -> int:
    """Compare every kind, print it and say how many values differ."""
    sys.path[:0] = [str(parsers), str(runtime)]
    compared = failed = 0
    for kind in RECORDS.values():
        rng = random.Random(f"{seed} {kind.name}")
        module = importlib.import_module(f"snpwire_{identifier(kind.name)}")
        parser = next(v for k, v in vars(module).items() if k.startswith("Snpwire"))
        found = [
            each for _ in range(rounds) for each in whole(kind, sample(kind.type, rng), parser)
        ]
        wrong = [each for each in found if each.ours != each.theirs]
        compared += len(found)
        failed += len(wrong)
        for each in wrong[:SHOWN]:
            print(f"{each.path}: snpwire {each.ours!r}, Kaitai {each.theirs!r}")
    print(f"{len(RECORDS)} kinds in {len(LANGUAGES)} languages, {rounds} times read as Python")
    print(f"{compared} values compared, {failed} differ (seed {seed})")
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; 1 says that something differs or does not compile."""
    parser = argparse.ArgumentParser(description="Compare Kaitai descriptions with snpwire.")
    parser.add_argument("--rounds", type=int, default=100, help="samples of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the random bytes")
    parser.add_argument("--node", default="node", help="JavaScript interpreter")
    parser.add_argument("--npm", default="npm", help="JavaScript package installer")
    parser.add_argument("--require", action="store_true", help="fail if nothing can be compared")
    options = parser.parse_args(arguments)
    try:
        for program in (options.node, options.npm):
            if not shutil.which(program):
                raise Skip(f"no program {program}")
        cache = install(options.npm)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            compile_all(options.node, cache, folder)
            failed = compare(folder / "parsers", cache / "python", options.rounds, options.seed)
        return int(failed > 0)
    except Skip as why:
        print(f"check_ksy: skipped: {why}")
        return int(options.require)


if __name__ == "__main__":
    sys.exit(main())
