"""Levels, the extension, and who prints."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lk_pyodide.logging import LogLevel, get_logger, set_log_extension, set_log_level

ROOT = logging.getLogger()
Printed = pytest.CaptureFixture[str]
Heard = list[tuple[LogLevel, str, Mapping[str, object]]]


class _WithoutPytest(list[logging.Handler]):
    """Handlers of the root logger; those that pytest adds for each phase of a test stay out."""

    def append(self, handler: logging.Handler) -> None:
        if not type(handler).__module__.startswith("_pytest"):
            super().append(handler)


@pytest.fixture(autouse=True)
def printed(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> Iterator[Printed]:
    """A process in which nobody configured logging, as on a page; gives what is printed."""
    logger = get_logger()
    before = (ROOT.level, logger.level)
    monkeypatch.setattr(ROOT, "handlers", _WithoutPytest())
    monkeypatch.setattr(logger, "handlers", [])
    ROOT.setLevel(logging.WARNING)
    logger.setLevel(logging.NOTSET)
    yield capsys
    set_log_level("warn")  # the parts' own levels are gone with it
    ROOT.setLevel(before[0])
    logger.setLevel(before[1])


def speak(name: str = "") -> None:
    """One record on each level."""
    logger = get_logger(name)
    for level in (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "level %d", level)


def levels(text: str) -> list[int]:
    return [int(line.removeprefix("level ")) for line in text.splitlines()]


def test_loggers_have_the_packages_name() -> None:
    assert get_logger().name == "lk_pyodide"
    assert get_logger("signal").name == "lk_pyodide.signal"
    assert get_logger("signal").parent is get_logger()


ALL = [5, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        (LogLevel.TRACE, ALL),
        (LogLevel.DEBUG, ALL[1:]),
        (LogLevel.INFO, ALL[2:]),
        (LogLevel.WARN, ALL[3:]),
        (LogLevel.ERROR, ALL[4:]),
        (LogLevel.SILENT, []),
        (0, ALL),
        (2, ALL[2:]),
        ("debug", ALL[1:]),
        ("Info", ALL[2:]),
        ("SILENT", []),
        (LogLevel.warn, ALL[3:]),
        (logging.DEBUG, ALL[1:]),
        (logging.ERROR, ALL[4:]),
        (35, ALL[4:]),
    ],
)
def test_levels(printed: Printed, level: LogLevel | int | str, seen: list[int]) -> None:
    set_log_level(level)
    speak()
    assert levels(printed.readouterr().err) == seen
    speak("signal")
    assert levels(printed.readouterr().err) == seen, "parts follow"


@pytest.mark.parametrize("level", ["loud", "", 6, 9, -1])
def test_there_is_no_such_level(level: int | str) -> None:
    with pytest.raises(ValueError, match=f"{level!r}"):
        set_log_level(level)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="TRACE, DEBUG, INFO, WARN, ERROR, SILENT$"):
        set_log_level("loud")


def test_the_numbers_are_livekit_clients() -> None:
    assert [(level.name, level.value) for level in LogLevel] == [
        ("TRACE", 0),
        ("DEBUG", 1),
        ("INFO", 2),
        ("WARN", 3),
        ("ERROR", 4),
        ("SILENT", 5),
    ]
    assert {name.upper(): level for name, level in LogLevel.__members__.items() if name.islower()} == {
        level.name: level for level in LogLevel
    }


def test_a_part_can_have_a_level_of_its_own(printed: Printed) -> None:
    set_log_level("error")
    set_log_level("debug", "signal")
    speak("signal")
    assert levels(printed.readouterr().err) == ALL[1:]
    speak("browser")
    assert levels(printed.readouterr().err) == ALL[4:]


def test_all_of_the_library_means_all(printed: Printed) -> None:
    set_log_level("debug", "signal")
    set_log_level("silent")
    speak("signal")
    speak()
    assert levels(printed.readouterr().err) == []


def test_each_record_is_printed_once(printed: Printed) -> None:
    for _ in range(3):
        set_log_level("info")
        set_log_level("info", "signal")
    speak("signal")
    assert levels(printed.readouterr().err) == ALL[2:]


@pytest.mark.parametrize("first", [True, False])
def test_whoever_configured_logging_is_the_one_who_prints(printed: Printed, first: bool) -> None:
    own = io.StringIO()
    if not first:
        set_log_level("info")
    logging.basicConfig(stream=own, format="%(message)s", level=logging.WARNING)
    if first:
        set_log_level("info")
    speak()
    assert levels(own.getvalue()) == ALL[2:]
    assert levels(printed.readouterr().err) == []


def test_a_handler_on_our_logger_is_enough(printed: Printed) -> None:
    own = io.StringIO()
    set_log_level("info")
    get_logger().addHandler(logging.StreamHandler(own))
    speak()
    assert levels(own.getvalue()) == ALL[2:]
    assert levels(printed.readouterr().err) == []


# -- the extension -----------------------------------------------------------------------------------------------------


@pytest.fixture
def heard() -> Iterator[Heard]:
    records: Heard = []
    set_log_extension(lambda level, text, context: records.append((level, text, context)))
    yield records
    set_log_extension(None)


def test_the_extension_hears_what_passes_the_level(heard: Heard) -> None:
    set_log_level("trace")
    speak("signal")
    L = LogLevel
    assert [level for level, _, _ in heard] == [L.TRACE, L.DEBUG, L.INFO, L.WARN, L.ERROR, L.ERROR]
    assert all(isinstance(level, LogLevel) for level, _, _ in heard)
    assert heard[0][1:] == ("level 5", {"logger": "lk_pyodide.signal"})
    heard.clear()
    set_log_level("warn")
    speak()
    assert [level for level, _, _ in heard] == [L.WARN, L.ERROR, L.ERROR]


def test_the_extension_gets_the_records_own_fields(heard: Heard) -> None:
    get_logger().warning("%s joined", "ada", extra={"room": "r"})
    assert heard == [(LogLevel.WARN, "ada joined", {"logger": "lk_pyodide", "room": "r"})]


def test_levels_below_ours_count_as_trace(heard: Heard) -> None:
    get_logger().setLevel(1)
    get_logger().log(1, "whisper")
    assert [level for level, _, _ in heard] == [LogLevel.TRACE]


def test_an_extension_does_not_silence_the_console(printed: Printed, heard: Heard) -> None:
    speak()
    assert levels(printed.readouterr().err) == ALL[3:], "as without it"
    assert len(heard) == 3


def test_the_console_is_wherever_stderr_is_now(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    set_log_level("info")
    cell = io.StringIO()
    monkeypatch.setattr(sys, "stderr", cell)
    get_logger().info("in a notebook's cell")
    assert cell.getvalue() == "in a notebook's cell\n"
    assert printed.readouterr().err == ""


def test_there_is_one_extension_at_a_time(heard: Heard) -> None:
    second: Heard = []
    set_log_extension(lambda *record: second.append(record))
    get_logger().warning("x")
    set_log_extension(None)
    get_logger().warning("y")
    assert (len(heard), len(second)) == (0, 1)


def test_an_extension_that_raises_harms_nobody(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    handled: list[Any] = []
    monkeypatch.setattr(logging.Handler, "handleError", lambda _, record: handled.append(record))

    def broken(*_: object) -> None:
        raise RuntimeError

    set_log_extension(broken)
    get_logger().warning("x")
    assert [record.getMessage() for record in handled] == ["x"]
    assert printed.readouterr().err == "x\n"
