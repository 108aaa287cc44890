"""`make test`: goes on where it can, and its exit status tells the truth."""

from pathlib import Path

import pytest

from tools import check
from tools.console import Stop

MAKE = """#!/bin/sh
echo "make $2"
case " $FAILING " in *" $2 "*) exit 2;; esac
"""
PYTHON = """#!/bin/sh
echo "skip server: $LK_SKIP_LIVEKIT_SERVER$LK_SKIP_TEST_SERVER"
echo "pytest's closing line"
exit $PYTEST_STATUS
"""


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"make": MAKE, "python": PYTHON}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("MAKE", str(tmp_path / "make"))
    monkeypatch.setenv("PYTEST_STATUS", "0")
    monkeypatch.setattr(check, "VENV_PYTHON", tmp_path / "python")
    for name in ("LOCAL", "FAILING", *(f"LK_SKIP_{tool}" for tool in check.OPTIONAL)):
        # set before it is removed: what `check` sets itself is then undone, too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def status() -> object:
    with pytest.raises(SystemExit) as end:
        check.check()
    return int(end.value.code or 0)


def test_every_step_runs_in_order_and_pytest_has_the_last_word(capfd: pytest.CaptureFixture[str]) -> None:
    assert status() == 0
    lines = capfd.readouterr().out.splitlines()
    steps = [line.split()[-1] for line in lines if line.startswith("==")]
    assert steps == ["venv", "npm", "browsers", "server", "wheel", "lite", "lint", "pytest"]
    assert lines[-1] == "pytest's closing line"


@pytest.mark.parametrize("step", ["browsers", "server", "lint"])
def test_a_failed_step_does_not_stop_the_tests_but_counts(
    step: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAILING", step)
    assert status() == 1
    out = capfd.readouterr().out
    assert f"`make {step}` failed; the tests run all the same" in out
    assert out.endswith("pytest's closing line\n")


def test_failing_tests_give_pytest_its_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_STATUS", "5")
    assert status() == 5


def test_without_the_venv_there_is_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILING", "venv")
    with pytest.raises(Stop, match="`make venv` failed"):
        check.check()


def test_local_leaves_the_servers_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL", "1")
    assert status() == 0
    out = capfd.readouterr().out
    assert "left out: what needs livekit-server (LOCAL=1)" in out
    assert "skip server: 11" in out
