"""The table of advisories: its rows, and what a report shows of them."""

import re
import tomllib
from importlib.resources import files

import pytest

from snpwire.advisory import KINDS, SILENCE, Confidence, Sign, Told, open_signs, table
from snpwire.context import Context
from snpwire.errors import UsageError
from snpwire.finding import Severity
from snpwire.product import decide
from snpwire.rules import findings
from snpwire.view.explain import Question, explain
from snpwire.wire.report import GuestPolicy, PlatformInfo, Report
from snpwire.wire.tcb import PRODUCTS, TcbClassic, TcbTurin

PLAIN = tomllib.loads(files("snpwire.advisory").joinpath("advisories.toml").read_text("utf-8"))
SIGNS = [(row["id"], sign) for row in PLAIN["advisory"] for sign in row.get("signs", ())]


def classic(**parts):
    tcb = int(TcbClassic.of(**parts))
    return {"reported_tcb": tcb, "committed_tcb": tcb, "current_tcb": tcb}


def firmware(major, minor, build):
    version = {"major": major, "minor": minor, "build": build}
    return {f"{who}_{part}": n for who in ("current", "committed") for part, n in version.items()}


def milan(**fields):
    """Return a report of a Milan of stepping 1, with every fix that the table knows of."""
    given = {
        "version": 5,
        "cpuid_fam_id": 0x19,
        "cpuid_mod_id": 1,
        "cpuid_step": 1,
        "policy": GuestPolicy(0x30000 | 3 << 24),
        "platform_info": PlatformInfo(0x30),
        "current_mit_vector": 0xFF,
        "launch_mit_vector": 0xFF,
        **classic(boot_loader=4, snp=0x1D, microcode=0xDE),
        **firmware(1, 55, 41),
        **fields,
    }
    return Report(**given)


def cited(report, product=None):
    """Return what is cited of a report: the advisory's id, and the texts."""
    told = Told.by(report, decide(report, product=product))
    return {row.id: [one.reason for one in seen] for row, seen in open_signs(told)}


ALWAYS = {"AMD-SB-3045"}
"""What every Milan is open to, as far as a report tells."""


class TestTable:
    def test_it_is_dated(self):
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", table().date)

    def test_each_row_has_known_keys_and_a_name_of_its_own(self):
        known = {"id", "name", "title", "published", "url", "cve", "fixed_from", "note", "signs"}
        for row in PLAIN["advisory"]:
            assert row.keys() <= known, row["id"]
            assert row["title"], row["id"]
            assert {*row.get("fixed_from", {})} <= {one.name for one in PRODUCTS}
        names = [row["id"] for row in PLAIN["advisory"]]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize(("row", "sign"), SIGNS)
    def test_each_sign_is_compared_with_one_thing_and_has_a_source(self, row, sign):
        (what,) = sign.keys() & set(KINDS)
        assert sign["source"], row
        assert Confidence(sign["confidence"])
        assert sign.get("product") in (None, *(one.name for one in PRODUCTS))
        assert sign.keys() <= {what, "confidence", "source", "product", "model", "stepping"}
        assert ("stepping" in sign) is ("model" in sign) is (what == "microcode"), row
        assert what in ("platform_info", "policy") or "product" in sign, row

    def test_a_number_is_a_byte_and_a_version_has_three(self):
        for row in table().advisories:
            for sign in row.signs:
                assert all(0 <= n < 256 for n in sign.least), row.id
                assert len(sign.least) == 3 or sign.what != "firmware", row.id

    @pytest.mark.parametrize(
        ("name", "row"),
        [
            ("AMD-SB-3020", "AMD-SB-3020"),
            ("amd-sb-3020", "AMD-SB-3020"),
            ("3020", "AMD-SB-3020"),
            ("rmpocalypse", "AMD-SB-3020"),
            ("heckler", "AMD-SB-3008"),
            ("CVE-2023-20592", "AMD-SB-3005"),
        ],
    )
    def test_an_advisory_is_found_by_any_of_its_names(self, name, row):
        assert table().named(name).id == row

    def test_another_name_is_an_error_with_the_nearest(self):
        with pytest.raises(UsageError, match="has no advisory 'AMD-SB-302'") as error:
            table().named("AMD-SB-302")

        assert error.value.help.startswith("did you mean AMD-SB-302")


class TestReport:
    def test_of_a_report_with_every_fix_only_what_cannot_be_fixed_is_cited(self):
        assert cited(milan()).keys() == ALWAYS

    @pytest.mark.parametrize(
        ("change", "row", "text"),
        [
            (firmware(1, 54, 99), "AMD-SB-3015", "firmware 1.54.99 is below 1.55.22 (A)"),
            (firmware(0, 255, 255), "AMD-SB-3016", "0.255.255 is below 1.55.35 (A)"),
            ({"current_build": 21}, "AMD-SB-3015", "current firmware 1.55.21 is below"),
            ({"committed_build": 21}, "AMD-SB-3015", "committed firmware 1.55.21 is below"),
            (
                {"platform_info": PlatformInfo(0x10)},
                "AMD-SB-3015",
                "alias_check_complete clear (B)",
            ),
            ({"policy": GuestPolicy(0x30000)}, "AMD-SB-1033", "ciphertext_hiding_dram clear (B)"),
            ({"current_mit_vector": 0xFD}, "AMD-SB-3020", "current_mit_vector has bit 1 clear (B)"),
            (classic(snp=0x1A, microcode=0xDE), "AMD-SB-3023", "snp 0x1a, below 0x1b (B)"),
            (classic(snp=0x1D, microcode=0xDD), "AMD-SB-3020", "microcode 0xdd, below 0xde (C)"),
        ],
    )
    def test_what_is_below_is_cited_with_both_values_and_its_confidence(self, change, row, text):
        found = cited(milan(**change))[row]

        assert any(text in one for one in found), found

    @pytest.mark.parametrize("field", ["reported_tcb", "committed_tcb", "current_tcb"])
    def test_the_lowest_of_three_tcb_versions_counts(self, field):
        tcb = int(TcbClassic.of(snp=0x1A, microcode=0xDE))

        assert cited(milan(**{field: tcb}))["AMD-SB-3023"] == [
            f"{field} has snp 0x1a, below 0x1b (B)"
        ]

    def test_a_tcb_version_of_the_launch_is_not_compared(self):
        assert cited(milan(launch_tcb=0)).keys() == ALWAYS

    @pytest.mark.parametrize("stepping", [0, 2, 3])
    def test_microcode_of_another_stepping_is_not_compared_with_this_one(self, stepping):
        found = cited(milan(cpuid_step=stepping, **classic(snp=0x1D, microcode=0x47)))

        assert found.keys() == ALWAYS

    def test_mitigations_are_a_set_and_not_a_number(self):
        assert "AMD-SB-3020" in cited(milan(current_mit_vector=0xF8))

    def test_mitigations_before_version_5_say_nothing(self):
        assert cited(milan(version=3, current_mit_vector=0, launch_mit_vector=0)).keys() == ALWAYS

    def test_a_mitigation_that_came_after_the_launch_is_told(self):
        report = milan(launch_mit_vector=0)
        found = table().named("AMD-SB-3016").judgements(Told.by(report, decide(report)))

        assert "current_mit_vector has bit 2 set, but not at the launch" in [
            one.text for one in found
        ]
        assert cited(report).keys() == ALWAYS

    def test_what_is_disputed_is_never_cited(self):
        found = cited(milan(**classic(snp=0x1C, microcode=0xDE)))

        assert found.keys() == ALWAYS

    def test_what_is_withdrawn_is_no_sign(self):
        signs = table().named("CVE-2025-48514").signs

        assert all(3 not in sign.least for sign in signs if sign.what == "mitigations")

    def test_a_report_that_does_not_tell_its_product_is_compared_with_what_is_of_all(self):
        report = milan(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0, chip_id=b"\1" * 64)
        found = table().named("AMD-SB-3015").judgements(Told.by(report, decide(report)))

        assert cited(report) == {}
        assert [one.fixed for one in found] == [True, None, None, None, None]
        assert "AMD-SB-3045" in cited(report, product="milan")

    def test_a_turin_is_read_in_its_own_order(self):
        tcb = int(TcbTurin.of(fmc=1, boot_loader=1, tee=1, snp=3, microcode=0x51))
        levels = {"reported_tcb": tcb, "committed_tcb": tcb, "current_tcb": tcb}
        cpuid = {"cpuid_fam_id": 0x1A, "cpuid_mod_id": 2, "cpuid_step": 1}
        report = milan(**levels, **cpuid, **firmware(1, 58, 3))

        assert cited(report) == {"AMD-SB-3020": ["reported_tcb has snp 0x3, below 0x4 (B)"]}

    def test_only_what_amd_or_two_projects_say_decides(self):
        decisive = [one for one in Confidence if one.decides]

        assert decisive == [Confidence.AMD, Confidence.PROJECTS]

    def test_a_sign_says_what_it_wants(self):
        texts = {sign.text for row in table().advisories for sign in row.signs}

        assert "firmware at least 1.55.22" in texts
        assert "microcode at least 0xde (model 0x1, stepping 1)" in texts
        assert "policy: ciphertext_hiding_dram, page_swap_disable" in texts
        assert "mitigations: bits 1:0" in texts


class TestFindings:
    def test_what_is_open_is_a_note_with_date_bulletin_and_what_silence_means(self):
        report = milan(**firmware(1, 55, 20))

        found = [one for one in findings(report) if one.code == "advisory"]
        badram = next(one for one in found if "BadRAM" in one.text)

        assert {one.severity for one in found} == {Severity.NOTE}
        assert badram.offset == Report.tile(badram.path).offset
        assert badram.source.endswith("/amd-sb-3015.html")
        assert f"by the table of {table().date}, {SILENCE}" in badram.text

    def test_the_product_of_the_context_is_taken(self):
        report = milan(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0)
        context = Context(product=decide(report, product="milan"))

        assert any("AMD-SB-3045" in one.text for one in findings(report, context))


def test_a_sign_without_a_product_is_of_all():
    assert isinstance(table().advisories[0].signs[0], Sign)
    assert table().advisories[0].signs[0].product == ""


def explained(what, text="", product=None):
    """Return the rows of a topic as text, a line each."""
    return [" | ".join(row[2:5]) for row in explain(what, Question(text, product=product))]


class TestTopics:
    def test_all_advisories_are_listed_with_the_date(self):
        rows = explained("advisory")

        assert len(rows) == len(table().advisories) + 1
        assert rows[-1].startswith(f"table | {table().date} | ")
        assert "may be open all the same" in rows[-1]

    def test_one_is_explained_with_sources_and_confidence(self):
        rows = "\n".join(explained("advisory", "badram"))

        assert "Milan | firmware at least 1.55.22 | A: AMD's CVE record says so" in rows
        assert "all | platform_info: alias_check_complete | B: two projects say so" in rows
        assert "CVE-2024-21944" in rows

    def test_what_a_report_does_not_tell_is_said(self):
        assert "in a report | nothing tells | " in "\n".join(explained("advisory", "heckler"))

    def test_what_is_disputed_has_no_least_value(self):
        rows = "\n".join(explained("advisory", "Fabricked"))

        assert "Genoa | snp 0x1c | disputed: sources disagree: no minimum" in rows

    def test_an_unknown_advisory_is_an_error(self):
        with pytest.raises(UsageError, match="has no advisory 'RMPocalyps3'") as error:
            explained("advisory", "RMPocalyps3")

        assert error.value.help == "did you mean RMPocalypse?"

    def test_without_a_value_tcb_lists_what_advisories_want(self):
        every, turin = explained("tcb"), explained("tcb", product="turin")

        assert any("Genoa snp at least 0x17" in row for row in every)
        assert all("Turin" in row for row in turin[:-1])
        assert set(turin) < set(every)

    def test_a_tcb_version_is_held_against_them(self):
        value = hex(TcbClassic.of(snp=0x17, microcode=0x54))

        rows = explained("tcb", value, product="genoa")

        assert any("EntrySign | 0x17, reached | snp at least 0x17; B" in row for row in rows)
        assert any("RMPocalypse | 0x17, below | snp at least 0x1b; B" in row for row in rows)
        assert any("| 0x54, if it is that stepping | microcode" in row for row in rows)
        assert any("Fabricked | not compared | snp 0x1c; disputed" in row for row in rows)

    def test_without_a_product_only_the_layouts_are_shown(self):
        assert not any("AMD-SB" in row for row in explained("tcb", "0"))
