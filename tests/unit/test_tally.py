"""Lines about what may happen a hundred thousand times."""

import logging

import pytest

from lk_pyodide.logging import Tally, get_logger


def test_a_few_lines_at_a_time(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each at first, and after a pause as many again; each line says how many there were."""
    now = 100.0
    monkeypatch.setattr("lk_pyodide.logging.time.monotonic", lambda: now)
    tally = Tally(get_logger("data"), burst=3, pause=10)
    for _ in range(1000):
        tally.log(logging.WARNING, "ignored %s", "x")
    assert [record.message for record in caplog.records] == [f"ignored x ({n} so far)" for n in (1, 2, 3)]
    assert {record.name for record in caplog.records} == {"lk_pyodide.data"}
    now = 110.0
    tally.log(logging.WARNING, "ignored %s", "x")
    assert len(caplog.records) == 3, "the pause is not over"
    now = 110.1
    for _ in range(1000):
        tally.log(logging.WARNING, "ignored %s", "y")
    assert caplog.records[3].message == "ignored y (1002 so far)" and len(caplog.records) == 6
    assert tally.count == 2001


def test_an_error_is_shown_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """And the line is the caller's, not the tally's."""
    try:
        raise ValueError("oh")
    except ValueError as error:
        Tally(get_logger("data")).log(logging.ERROR, "100%% wrong", error=error)
    [record] = caplog.records
    assert record.message == "100% wrong (1 so far)"
    assert record.exc_info is not None and record.exc_info[0] is ValueError
    assert record.filename == "test_tally.py"
