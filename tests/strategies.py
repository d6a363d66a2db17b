"""What the property tests draw: images of records and blocks, and anything JSON can say."""

import inspect
import pkgutil
from importlib import import_module

from hypothesis import strategies as st

import snpwire.wire
from snpwire.block import Block
from snpwire.layout import Record


def declared(base: type) -> list[type]:
    """Return every subclass of *base* that a module of ``snpwire.wire`` declares, by name."""
    names = [found.name for found in pkgutil.iter_modules(snpwire.wire.__path__)]
    modules = [import_module(f"snpwire.wire.{name}") for name in names]
    return [
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, base) and kind.__module__ == module.__name__
    ]


RECORDS = declared(Record)
BLOCKS = declared(Block)


def patched(size: int) -> st.SearchStrategy[bytes]:
    """Draw *size* zero bytes with a few patches: they look like real pages, and shrink well."""
    if not size:
        return st.just(b"")
    patch = st.tuples(st.integers(0, size - 1), st.binary(min_size=1, max_size=16))

    def apply(patches: list[tuple[int, bytes]]) -> bytes:
        image = bytearray(size)
        for offset, data in patches:
            image[offset : offset + len(data)] = data[: size - offset]
        return bytes(image)

    return st.lists(patch, max_size=8).map(apply)


def images(record: type[Record]) -> st.SearchStrategy[bytes]:
    """Draw images of *record*."""
    return patched(record.SIZE)


def blocks(block: type[Block]) -> st.SearchStrategy[bytes]:
    """Draw images of *block*: a head that often counts what is there, elements, and a rest."""

    def image(number: int) -> st.SearchStrategy[bytes]:
        counted = block.counting(block.HEAD.zero(), number).build()
        head = st.one_of(st.just(counted), images(block.HEAD))
        element = patched(block.ELEMENT.size)
        body = st.lists(element, min_size=number, max_size=number).map(b"".join)
        return st.builds(lambda *parts: b"".join(parts), head, body, st.binary(max_size=40))

    return st.integers(0, 6).flatmap(image)


def image_of(kind: type[Record] | type[Block]) -> st.SearchStrategy[bytes]:
    """Draw images of a record or a block."""
    return blocks(kind) if issubclass(kind, Block) else images(kind)


TEXT = st.text(st.characters(), max_size=12)  # surrogates and controls included
HUGE = st.sampled_from([64, 200, 20_000]).map(lambda power: 1 << power)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    HUGE,
    HUGE.map(lambda number: -number),
    st.floats(),
    TEXT,
    st.sampled_from(["1", "f"]).map(lambda digit: digit * 9000),
    st.sampled_from(["0x", "-1", "0x_", "²", "\ud800", "bit_9999"]),
)


def json_values(names: list[str]) -> st.SearchStrategy[object]:
    """Draw anything JSON can say, with *names* often among the keys and the strings."""
    keys = st.one_of(st.sampled_from(names), TEXT) if names else TEXT
    return st.recursive(
        st.one_of(SCALARS, keys),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    )
