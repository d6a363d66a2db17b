"""The plugin in real runs of pytest, found as it is found when the package is installed."""

from __future__ import annotations

import json
import tomllib

import pytest
from conftest import ROOT

# A run in this process drops what it imported, and numpy cannot be imported twice.
from snpwire.testing import FAULTS, report_names

pytest_plugins = ["pytester"]
HEAVY = "numpy", "cryptography", "construct", "snpwire.testing", "snpwire.engine"


@pytest.fixture
def installed(pytester, monkeypatch):
    """Return pytester in a place where the package's entry point is, as pip would write it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = pytester.path / "site" / "snpwire-0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: snpwire\nVersion: 0\n")
    rows = [f"{name} = {where}" for name, where in project["entry-points"]["pytest11"].items()]
    info.joinpath("entry_points.txt").write_text("\n".join(["[pytest11]", *rows, ""]))
    monkeypatch.setenv("PYTHONPATH", f"{info.parent}:{ROOT}")
    monkeypatch.syspath_prepend(str(info.parent))
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    return pytester


def run(pytester, text, *words):
    pytester.makepyfile(text)
    return pytester.runpytest_inprocess(*words)


def test_fixtures_are_there_without_a_word(installed):
    done = run(
        installed,
        """
        def test_report(snp_guest, snp_machine, snp_steps):
            report = snp_guest.report(bytes(range(64)))

            assert report[0x50:0x90] == bytes(range(64))
            assert snp_machine.guests == {"vm": snp_guest}
            assert [step.action for step in snp_steps][0] == "seal"
        """,
    )

    done.assert_outcomes(passed=1)


def test_markers_say_what_is_made(installed):
    done = run(
        installed,
        """
        import pytest
        from snpwire.testing import Image, HypervisorPolicy, profile_named

        pytestmark = pytest.mark.snp(profile="turin", seed=7)

        @pytest.mark.snp(policy={"throttle": {"burst": 1, "interval": 5}}, vcpus=2)
        def test_parts(snp_machine, snp_guest):
            assert snp_machine.profile.name == "turin"
            assert snp_guest.vm.policy.throttle.burst == 1
            assert len(snp_guest.vm.vcpus) == 2

        @pytest.mark.snp(
            profile="genoa", image=Image(host_data=b"h" * 32), policy=HypervisorPolicy()
        )
        class TestMore:
            @pytest.mark.snp(profile=profile_named("milan"))
            def test_the_nearest_goes_first(self, snp_machine, snp_guest):
                assert snp_machine.profile.name == "milan"
                assert b"h" * 32 in snp_guest.report()
        """,
    )

    done.assert_outcomes(passed=2)


def test_the_same_test_has_the_same_bytes_and_another_one_has_others(installed):
    text = """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_key(snp_guest, number):
            print("id of", number, snp_guest.report()[0x140:0x160].hex())

        @pytest.mark.snp(seed=5)
        def test_seed(snp_guest):
            print("id of seed", snp_guest.report()[0x140:0x160].hex())
    """
    first, second = (
        [line for line in run(installed, text, "-s").outlines if "id of" in line] for _ in range(2)
    )

    assert first == second
    assert len({line.split()[-1] for line in first}) == 3


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ("snp_fault('drop-reqest')", "there is no fault 'drop-reqest'; did you mean drop-request?"),
        ("snp_fault('busy*0')", "'busy*0': '0' is no number from 1 on"),
        ("snp_fault(3)", "a fault is a text such as 'busy*2', got 3"),
        ("snp_fault(name='busy')", "the marker snp_fault has texts alone"),
        ("snp_every_fault('guest')", "the marker snp_every_fault has the parts actors and but"),
        ("snp_every_fault(actors='host')", "actors: there is no 'host'; known are: guest, hyp"),
        ("snp_every_fault(but=['bussy'])", "but: there is no 'bussy'; did you mean busy?"),
        ("snp_every_fault(but=3)", "but: expected names, got 3"),
        ("snp(profile='milano')", "there is no profile 'milano'; did you mean milan?"),
        ("snp(profile=3)", "profile: expected a name or a Profile, got 3"),
        ("snp(profle='milan')", "the marker snp has no profle; did you mean profile?"),
        ("snp('milan')", "the marker snp has names for its parts"),
        ("snp(seed=-1)", "seed: expected a number from 0 on, got -1"),
        ("snp(vcpus=True)", "vcpus: expected a number from 1 on, got True"),
        ("snp(vlek=1)", "vlek: expected True or False, got 1"),
        (
            "snp_every_report(True)",
            "the marker snp_every_report has the parts genuine, acceptable and profile",
        ),
        ("snp_every_report(profile='rome')", "there are no reports of profile 'rome'; profiles"),
        ("snp_every_report", "it needs the fixture snp_report"),
        ("snp(image=b'')", "image: expected an Image, got b''"),
        ("snp(policy={'second': 'never'})", "second: expected wait or busy-vm or busy-stream"),
    ],
)
def test_a_wrong_word_stops_the_run_with_one_line(installed, marker, text):
    done = run(
        installed, f"import pytest\n@pytest.mark.{marker}\ndef test_it(snp_guest):\n    pass\n"
    )

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*::test_it: {text.replace('[', '[[]')}*"])
    done.stdout.no_fnmatch_line("*Traceback*")
    assert done.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("marker", ["snp_fault('busy')", "snp_every_fault"])
def test_a_fault_that_cannot_strike_stops_the_run(installed, marker):
    done = run(
        installed, f"import pytest\n@pytest.mark.{marker}\ndef test_it(snp_machine):\n    pass\n"
    )

    done.stdout.fnmatch_lines(["*::test_it: faults need the fixture snp_guest"])
    assert done.ret == pytest.ExitCode.INTERRUPTED


def test_faults_of_class_and_function_strike_and_others_of_the_class_are_left_alone(installed):
    done = run(
        installed,
        """
        import pytest
        from snpwire.testing import Outcome, call_outcome

        @pytest.mark.snp_fault("busy*2")
        class TestBusy:
            @pytest.mark.snp_fault("alter-answer@3")
            def test_both(self, snp_guest, snp_fault):
                assert snp_fault.faults == ["busy", "alter-answer"]
                assert call_outcome(snp_guest, snp_guest.report) == snp_fault.expected("busy")
                assert call_outcome(snp_guest, snp_guest.key) == Outcome()
                end = call_outcome(snp_guest, snp_guest.report)
                assert end == snp_fault.expected("alter-answer")

            def test_other(self):
                pass
        """,
    )

    done.assert_outcomes(passed=2)


EVERY = """
import pytest
from snpwire.testing import call_outcome

@pytest.mark.snp_every_fault
def test_plain(snp_guest, snp_fault):
    assert call_outcome(snp_guest, snp_guest.report) == snp_fault.expected()

@pytest.mark.snp_every_fault(but="busy")
@pytest.mark.snp(profile="genoa")
def test_extended(snp_guest, snp_fault):
    call = snp_guest.ext_report
    assert call_outcome(snp_guest, call) == snp_fault.expected(extended=True)

@pytest.mark.snp_every_fault(actors=["firmware"])
def test_some(snp_guest, snp_fault):
    assert call_outcome(snp_guest, snp_guest.key) == snp_fault.expected()

@pytest.mark.snp_every_fault(actors="guest")
def test_none_is_left_for_a_port(snp_port):
    assert 0
"""


def test_a_test_runs_once_with_every_fault(installed):
    done = run(installed, EVERY, "-v")
    faults = list(FAULTS.values())
    of_firmware = sum(row.actor == "firmware" for row in faults)

    done.assert_outcomes(passed=2 * len(faults) - 1 + of_firmware, skipped=1)
    done.stdout.fnmatch_lines(["*::test_plain?busy? PASSED*"])
    done.stdout.no_fnmatch_line("*::test_extended?busy? *")


def test_a_test_runs_once_with_every_report(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp_every_report(profile="turin")
        def test_all(snp_report):
            assert snp_report.name.startswith("turin-v")
            assert set(snp_report.failing()) == set(snp_report.fails)

        @pytest.mark.snp_every_report(acceptable=True, profile="turin")
        def test_acceptable(snp_report):
            assert snp_report.failing() == ()
            assert snp_report.genuine

        @pytest.mark.snp_every_report(genuine=True, acceptable=False, profile="turin")
        def test_weak(snp_report):
            assert snp_report.failing() != ()
            assert snp_report.verification().checks
        """,
    )
    names = report_names(profile="turin"), report_names(profile="turin", genuine=True)

    done.assert_outcomes(passed=sum(map(len, names)))


def test_a_report_and_certificates_of_the_machine_belong_together(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp(profile="turin", vlek=True)
        def test_vlek(snp_report, snp_certs, snp_guest):
            assert snp_report.certificates == snp_certs
            assert snp_report.fields.key_info.signing_key == 1
            assert snp_report.failing() == ()
            assert snp_report.fields.report_id == snp_guest.report()[0x140:0x160]

        def test_vcek(snp_certs):
            assert snp_certs.pem.count(b"-----END CERTIFICATE-----\\n") == 3
            assert b"TEST" in snp_certs.root
        """,
    )

    done.assert_outcomes(passed=2)


def test_many_processes_run_the_same_tests(installed):
    words = "-k", "test_some or busy"
    alone = run(installed, EVERY, *words).parseoutcomes()
    done = installed.runpytest_subprocess("-n", "2", *words)

    done.assert_outcomes(passed=alone["passed"])


def test_a_fault_that_never_struck_fails_the_test(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp_fault("busy@2", "delay")
        def test_it(snp_guest):
            snp_guest.report()
        """,
    )

    done.assert_outcomes(passed=1, errors=1)
    problem = "faults that were never triggered: busy@2: its point was passed 1 times"
    done.stdout.fnmatch_lines([problem])


def test_a_test_that_is_skipped_owes_no_fault(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp_fault("busy")
        def test_it(snp_guest):
            pytest.skip("not today")
        """,
    )

    done.assert_outcomes(skipped=1)


def test_a_failure_shows_what_made_it_and_the_last_steps(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp(profile="genoa", seed=3, policy={"second": "busy-vm"}, vcpus=2)
        @pytest.mark.snp_fault("busy*2", "alter-answer")
        def test_it(snp_guest):
            snp_guest.report()
        """,
    )

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*DriverError: EBADMSG: the response is refused: it fails authentication",
            "*- snpwire: the last steps -*",
            "@pytest.mark.snp(profile='genoa', seed=3, policy={'second': 'busy-vm'}, vcpus=2)",
            "@pytest.mark.snp_fault('busy*2', 'alter-answer')",
            " * 0 s  guest vm/0 * seals REPORT_REQ, 96 bytes, under VMPCK0, number 1",
            " * 2 s  guest vm/0 * exits with SNP_GUEST_REQUEST: *",
            " * 4 s  hypervisor * FAULT alter-answer: *",
            " * 4 s  guest vm/0 * wipes VMPCK0: EBADMSG, *",
        ]
    )


def test_a_fault_that_the_policy_rules_out_is_one_line(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp(policy={"pages": "bounce"})
        @pytest.mark.snp_fault("forget-to-put-back")
        def test_it(snp_guest):
            pass
        """,
    )

    done.assert_outcomes(errors=1)
    text = 'forget-to-put-back needs the guest\'s own pages; a policy with pages = "guest"'
    done.stdout.fnmatch_lines([text])


def test_a_machine_that_cannot_be_is_one_line(installed):
    done = run(
        installed,
        """
        import pytest

        @pytest.mark.snp(vcpus=17)
        def test_it(snp_guest):
            pass
        """,
    )

    done.assert_outcomes(errors=1)
    lines = ["a VM has 1 to 16 processors, got 17", "-* the last steps -*"]
    done.stdout.fnmatch_lines(lines, consecutive=True)
    done.stdout.no_fnmatch_line("*During handling*")


def test_a_machine_is_given_up_after_its_test(installed):
    done = run(
        installed,
        """
        import gc
        from snpwire.testing import Machine

        def test_one(snp_guest):
            snp_guest.key()

        def test_two():
            gc.collect()
            assert not [row for row in gc.get_objects() if isinstance(row, Machine)]
        """,
    )

    done.assert_outcomes(passed=2)


def test_a_broken_rule_fails_a_test_that_would_pass(installed):
    done = run(
        installed,
        """
        from snpwire.testing import Request

        def test_it(snp_guest, snp_port):
            driver = snp_guest.drivers[0]
            messages = [driver.channel.seal(5, 1, bytes([n]) + bytes(95), 1) for n in range(2)]
            for message in messages:
                snp_port.send(message)
        """,
    )

    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["nonce: VM vm: guest sealed two messages under number 1 of VMPCK0"])


def test_it_can_be_left_out(installed):
    done = run(installed, "def test_it(snp_guest):\n    pass\n", "-p", "no:snpwire")

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*fixture 'snp_guest' not found"])


def test_markers_and_fixtures_are_explained(installed):
    markers = run(installed, "", "--markers").stdout.str()
    fixtures = run(installed, "", "--fixtures").stdout.str()

    assert "@pytest.mark.snp_every_fault(actors, but): run the test once with each" in markers
    assert "Return a guest without a driver" in fixtures


def test_a_run_that_asks_for_nothing_pays_nothing(installed):
    installed.makepyfile(
        f"""
        import sys

        def test_it():
            assert "snpwire.pytest_plugin" in sys.modules
            assert not {set(HEAVY)} & set(sys.modules)
        """
    )
    done = installed.runpytest_subprocess()

    done.assert_outcomes(passed=1)


@pytest.mark.parametrize("own", [True, False], ids=["own-suite", "any-other"])
def test_lines_that_are_imported_early_are_counted_in_the_own_suite(installed, own):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    words = settings["ini_options"]["addopts"]
    left_out = words[words.index("-p") :] if own else []
    installed.makepyfile("import snpwire.pytest_plugin\ndef test_it(): pass\n")
    installed.path.joinpath("rc").write_text(f"[report]\ninclude = {ROOT}/snpwire/__init__.py\n")
    given = "--cov=snpwire", "--cov-report=json:lines.json", "--cov-config=rc"
    installed.runpytest_subprocess(*given, *left_out)
    (row,) = json.loads((installed.path / "lines.json").read_text())["files"].values()

    assert (row["missing_lines"] == []) is own
