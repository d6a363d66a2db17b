"""Integers with names: open enumerations, words with named bits, sets of flags.

The value *is* the integer, so unnamed codes and bits survive::

    class GuestPolicy(Word, width=64):
        abi_minor = bits(0, 8, "Minimum ABI minor version of the firmware")
        smt = bit(16, "SMT is allowed")

    GuestPolicy(0x3_0005).smt       # 1
    GuestPolicy.smt.of(array)       # the same for every element of a numpy array

Bits count from the least significant, as in the manuals. ``construct.BitStruct`` counts from the
other end and ``FlagsEnum`` drops unknown bits, which is why neither is used.

Each type also owns its plain form, the one JSON shows: an enumeration is its name (its number if
it has none), a word is a hex string, flags are a list of names. ``from_plain`` takes these
back, and numbers, and for a word an object of its fields.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from .errors import EncodeError, LayoutError, cut, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


def integer(text: str | int) -> int:
    """Read a number: decimal, ``0x``, ``0b``, ``0o``, with ``_`` between digits.

    Raises ValueError if *text* is none of these.
    """
    if isinstance(text, int):
        return int(text)
    try:
        if text.isascii():
            return int(text, 0)
    except ValueError:
        pass
    raise ValueError(f"expected a number, got {shown(text)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean ...?`` for the closest of *names*, or an empty string."""
    from difflib import get_close_matches

    spelt = {known.lower(): known for known in names}
    close = get_close_matches(name.lower(), spelt, n=1)
    return f"did you mean {spelt[close[0]]}?" if close else ""


class OpenEnum(IntEnum):
    """An IntEnum that accepts unknown numbers, so that decoding never fails.

    A member is declared as ``NAME = number, "what it means"``.
    """

    doc: str

    def __new__(cls, value: int, doc: str = "") -> Self:
        """Make a member that keeps its sentence."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._value_ = int(value)
        member._name_ = f"UNKNOWN_{value:#x}"
        member.doc = ""
        return member

    @property
    def known(self) -> bool:
        """Return whether the number has a name."""
        return self._name_ in type(self).__members__

    def to_plain(self) -> str | int:
        """Return the name, or the number if it has none."""
        return self._name_ if self.known else int(self)

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return names that other sources give to members, where no rule finds them."""
        return {}

    @classmethod
    def spelt(cls, text: str) -> Self | None:
        """Return the member that *text* names as Linux, Rust or Go would, or None."""
        from .spelling import spelt

        name = spelt(text, cls.__members__, cls.spellings())
        return None if name is None else cls.__members__[name]

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Take a name, in any case and as any source spells it, or a number. Raises ValueError."""
        if isinstance(plain, str):
            wanted = plain.upper().replace("-", "_")
            if wanted in cls.__members__:
                return cls.__members__[wanted]
            if plain[:1].isalpha() and (member := cls.spelt(plain)) is not None:
                return member
            try:
                return cls(integer(plain))
            except ValueError:
                hint = nearest(plain, cls.__members__)
                raise ValueError(
                    f"{shown(plain)} is no {cls.__name__}; {hint}".rstrip("; ")
                ) from None
        if isinstance(plain, int) and not isinstance(plain, bool):
            return cls(plain)
        raise ValueError(f"expected a name or a number, got {shown(plain)}")


class Bits:
    """The *width* bits of a word that start at bit *low*, numbered from the least significant."""

    def __init__(self, low: int, width: int, doc: str, kind: type[OpenEnum] | None) -> None:
        self.name = ""
        self.low = low
        self.width = width
        self.doc = doc
        self.kind = kind
        self.limit = (1 << width) - 1
        self.mask = self.limit << low

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")  # a Python keyword is declared with "_" behind it

    @overload
    def __get__(self, word: None, owner: type) -> Self: ...
    @overload
    def __get__(self, word: Word, owner: type) -> int: ...
    def __get__(self, word: Word | None, owner: type) -> Self | int:
        return self if word is None else self.value(word)

    def __set__(self, word: Word, value: object) -> None:
        raise AttributeError(f"{self.name} cannot be set: a word is a number; use replace()")

    def value(self, word: int) -> int:
        """Extract this field from *word*, as its enumeration if it has one."""
        number = (int(word) & self.mask) >> self.low
        return number if self.kind is None else self.kind(number)

    def plain(self, word: int) -> object:
        """Return the plain form of this field of *word*."""
        number = self.value(word)
        return number.to_plain() if isinstance(number, OpenEnum) else number

    def of(self, words: NDArray[Any]) -> NDArray[Any]:
        """Extract this field from every word. Shape and dtype are those of *words*."""
        kind = words.dtype.type
        shifted: NDArray[Any] = (words >> kind(self.low)) & kind(self.limit)
        return shifted

    def put(self, words: NDArray[Any], value: int | NDArray[Any]) -> NDArray[Any]:
        """Return *words* with this field replaced by *value* (a number, or one for each word).

        Raises EncodeError if a value does not fit; shape and dtype are those of *words*.
        """
        import numpy as np

        wide = np.asarray(value)
        if wide.size and (int(wide.min()) < 0 or int(wide.max()) > self.limit):
            raise EncodeError("array", self.name, None, f"a value does not fit {self.width} bits")
        kind = words.dtype.type
        cleared = words & kind(~self.mask & ((1 << 8 * words.dtype.itemsize) - 1))
        changed: NDArray[Any] = cleared | (wide.astype(words.dtype) << kind(self.low))
        return changed

    @property
    def span(self) -> str:
        """Return the bit range as the manuals write it: ``63:32`` or ``7``."""
        high = self.low + self.width - 1
        return f"{high}:{self.low}" if self.width > 1 else f"{self.low}"


def bits(low: int, width: int, doc: str = "", kind: type[OpenEnum] | None = None) -> Bits:
    """Declare a field of several bits."""
    return Bits(low, width, doc, kind)


def bit(low: int, doc: str = "") -> Bits:
    """Declare a single bit."""
    return Bits(low, 1, doc, None)


class Word(int):
    """An unsigned integer of *width* bits, some of which have names."""

    WIDTH: ClassVar[int] = 0
    BITS: ClassVar[dict[str, Bits]] = {}
    KNOWN: ClassVar[int] = 0
    SPEC: ClassVar[str] = ""

    def __init_subclass__(cls, *, width: int = 0, spec: str = "") -> None:
        super().__init_subclass__()
        if not width:
            return  # an intermediate base class
        named = {f.name: f for f in vars(cls).values() if isinstance(f, Bits)}
        cls.adopt(width, named, spec)

    @classmethod
    def adopt(cls, width: int, named: dict[str, Bits], spec: str) -> None:
        """Take *named* as the fields of the word. Raises LayoutError if they contradict."""
        cls.WIDTH, cls.BITS, cls.SPEC, cls.KNOWN = width, named, spec, 0
        for name, field in named.items():
            if hasattr(super(cls, cls), name):
                raise LayoutError(f"{cls.__name__}.{name} has a name that every word uses")
            if name not in vars(cls):
                field.name = name
                setattr(cls, name, field)
            if field.mask >> width:
                raise LayoutError(
                    f"{cls.__name__}.{field.name} at bits {field.span} "
                    f"ends past the word's {width} bits"
                )
            if cls.KNOWN & field.mask:
                other = next(o for o in named.values() if o.mask & field.mask)
                raise LayoutError(
                    f"{cls.__name__}.{field.name} at bits {field.span} "
                    f"overlaps {other.name} at {other.span}"
                )
            cls.KNOWN |= field.mask

    @classmethod
    def of(cls, /, **fields: int | str) -> Self:
        """Make a word of the given fields, the others being zero."""
        return cls(0).replace(**fields)

    def replace(self, /, **fields: int | str) -> Self:
        """Return a copy with the given fields changed. Raises EncodeError."""
        word = int(self)
        for name, value in fields.items():
            field = self.BITS.get(name.rstrip("_"))
            if field is None:
                raise EncodeError(
                    type(self).__name__, name, None, "no such bits", help=nearest(name, self.BITS)
                )
            word = word & ~field.mask | self._number(field, value) << field.low
        return type(self)(word)

    def _number(self, field: Bits, value: int | str) -> int:
        try:
            number = int(field.kind.from_plain(value)) if field.kind else integer(value)
        except (ValueError, TypeError, AttributeError):
            reason = f"expected a number, got {shown(value)}"
        else:
            if 0 <= number <= field.limit:
                return number
            given = cut(f"{number:#x}")
            reason = f"{given} does not fit {field.width} bits (at most {field.limit:#x})"
        raise EncodeError(type(self).__name__, field.name, None, reason)

    @property
    def unknown(self) -> int:
        """Return the set bits that have no name."""
        return int(self) & ~self.KNOWN

    def to_plain(self) -> object:
        """Return the word as a hex string of its full width."""
        return f"{int(self):#0{2 + self.WIDTH // 4}x}"

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Take a number, its text, an object of fields, or names of bits to set.

        Raises ValueError or EncodeError.
        """
        if isinstance(plain, dict):
            return cls.of(**{str(name): value for name, value in plain.items()})
        if isinstance(plain, list):
            return cls(sum({1 << cls._bit(name) for name in plain}))
        if isinstance(plain, str) and not plain.strip()[:1].isdigit() and plain[:1] != "-":
            return cls.from_plain(plain.replace(",", " ").split())
        if isinstance(plain, bool) or not isinstance(plain, int | str):
            raise ValueError(f"expected a number, got {shown(plain)}")
        number = integer(plain)
        if number < 0 or number >> cls.WIDTH:
            raise ValueError(f"{cut(f'{number:#x}')} does not fit {cls.WIDTH} bits")
        return cls(number)

    @classmethod
    def _bit(cls, name: object) -> int:
        text = str(name) if isinstance(name, str | int) else ""
        field = cls.BITS.get(text)
        if field is not None and field.width > 1:
            raise ValueError(f"{field.name} has {field.width} bits and needs a value")
        if field is not None:
            return field.low
        digits = text.removeprefix("bit_")
        if digits.isascii() and digits.isdigit() and int(digits) < cls.WIDTH:
            return int(digits)
        if text[:1].isalpha() and (single := cls._spelt(text)) is not None:
            return single
        hint = nearest(text, cls.BITS)
        raise ValueError(f"{shown(name)} is no bit of {cls.__name__}; {hint}".rstrip("; "))

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return names that other sources give to bits, where no rule finds them."""
        return {}

    @classmethod
    def _spelt(cls, text: str) -> int | None:
        """Return the bit that *text* names as another source would, or None."""
        from .spelling import spelt

        single = {field.name: field.low for field in cls.BITS.values() if field.width == 1}
        bare = text.upper().removesuffix("_BIT").removesuffix("_ENABLED")
        name = spelt(text[: len(bare)], single, cls.spellings())
        return None if name is None else single[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: a word is a number; use replace()")

    def __repr__(self) -> str:
        named = " ".join(f"{f.name}={f.plain(self)}" for f in self.BITS.values() if f.value(self))
        return f"<{type(self).__name__} {int(self):#x}{': ' if named else ''}{named}>"


class Flags(Word):
    """A word used as a set: every named field is one bit."""

    @classmethod
    def adopt(cls, width: int, named: dict[str, Bits], spec: str) -> None:
        """Take *named* as the members of the set. Raises LayoutError if they contradict."""
        for field in named.values():
            if field.width > 1:
                raise LayoutError(f"{cls.__name__}.{field.name} at {field.span} is no single bit")
        super().adopt(width, named, spec)

    def names(self) -> list[str]:
        """Return the name of each set bit, lowest first; ``bit_N`` where it has none."""
        by_bit = {field.low: name for name, field in self.BITS.items()}
        return [
            by_bit.get(n, f"bit_{n}") for n in range(int(self).bit_length()) if int(self) >> n & 1
        ]

    def has(self, name: str) -> bool:
        """Return whether the bit *name* is set. Raises KeyError if there is none."""
        return bool(self & self.BITS[name].mask)

    def to_plain(self) -> object:
        """Return the list of names, which ``from_plain`` takes back."""
        return self.names()
