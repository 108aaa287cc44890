"""Running long commands: a sign of life, the end of a failure, one clear sentence."""

import sys
from pathlib import Path

import pytest

from tools import console

WAIT_FOR_FILE = """
import pathlib, sys, time
print("halfway", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(console, "BUILD", tmp_path)
    return tmp_path / "logs"


def test_a_silent_success_says_how_long_it_took(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    console.run("do it", [sys.executable, "-c", "print('inside')"])
    out = capsys.readouterr().out
    assert "do it: done in" in out and "inside" not in out
    assert (logs / "do-it.log").read_text() == "inside\n"


def test_a_failure_shows_the_end_of_its_output() -> None:
    code = "import sys; print(*range(100), sep='\\n'); sys.exit(3)"
    with pytest.raises(console.Stop) as stop:
        console.run("fail", [sys.executable, "-c", code])
    text = str(stop.value)
    assert "exit status 3" in text and text.endswith(" 99") and " 42\n" not in text


def test_a_long_command_is_reported_to_be_alive(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(console, "HEARTBEAT", 0.05)
    # ends when the heartbeat has been seen, which is when the file is there
    flag = tmp_path / "seen"
    say = console.say

    def note(text: str) -> None:
        say(text)
        if "still running" in text and "halfway" in text:
            flag.touch()

    monkeypatch.setattr(console, "say", note)
    console.run("wait", [sys.executable, "-c", WAIT_FOR_FILE, flag])
    assert "wait: still running after 0 s: halfway" in capsys.readouterr().out


def test_a_missing_program_is_one_sentence() -> None:
    with pytest.raises(console.Stop, match="cannot start /nowhere/at-all: No such file"):
        console.run("start", ["/nowhere/at-all"])


def test_stop_becomes_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    def tool() -> None:
        raise console.Stop("do this instead")

    with pytest.raises(SystemExit) as end:
        console.main(tool)
    assert end.value.code == 1
    assert capsys.readouterr().err == "\ndo this instead\n"
