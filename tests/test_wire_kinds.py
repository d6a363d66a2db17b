"""The table of kinds: each row leads to a class of its chapter, and each class has a row."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
from construct import Int8ul

from snpwire import wire
from snpwire.block import Block
from snpwire.errors import UsageError
from snpwire.layout import Record, at
from snpwire.wire.message import Header


class Own(Record, size=1, spec="a test's own"):
    number: int = at(0, Int8ul, "A number")


CHAPTERS = {
    module.name: getattr(import_module(f"snpwire.wire.{module.name}"), "KINDS", {})
    for module in iter_modules(wire.__path__)
}


def test_each_row_has_a_class_in_its_chapter():
    for name, kind in wire.RECORDS.items():
        assert kind.name == name
        assert kind.title
        assert kind.type is CHAPTERS[kind.chapter][name]


def test_each_class_of_a_chapter_has_a_row():
    named = {name: chapter for chapter, kinds in CHAPTERS.items() for name in kinds}

    assert named == {name: kind.chapter for name, kind in wire.RECORDS.items()}


def test_a_chapter_names_records_and_blocks_of_its_own():
    for chapter, kinds in CHAPTERS.items():
        for declared in kinds.values():
            assert issubclass(declared, Record | Block)
            assert declared.__module__ == f"snpwire.wire.{chapter}"


def test_each_class_has_one_name_and_its_values_know_it():
    for name, kind in wire.RECORDS.items():
        value = kind.type.parse(bytes(kind.type.SIZE))

        assert wire.name_of(value) == name
        assert wire.chapter_of(value) == kind.chapter


def test_a_class_that_is_no_kind_has_no_name():
    assert (wire.name_of(Header()), wire.chapter_of(Header())) == ("", "message")
    assert (wire.name_of(Own()), wire.chapter_of(Own())) == ("", "")


def test_a_kind_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="no kind 'mesage'") as caught:
        wire.kind("mesage")

    assert "message" in caught.value.help
