"""Pages boot, runs answer, and a run that leaves something behind is told so."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.harness.python_page import LeakError, PythonPage, RemoteFailure
from tests.inpage import selftest


async def test_a_run_answers(python_page: PythonPage, record_property: Callable[[str, object], None]) -> None:
    """A value and bytes come back."""
    record_property("boot_seconds", round(python_page.boot_seconds, 2))
    assert await python_page.run(selftest.add, left=1, right=2) == {"sum": 3, "platform": "emscripten"}
    assert await python_page.run(selftest.reverse, data=b"\x00\xff") == b"\xff\x00"


async def test_an_error_arrives_with_its_traceback(python_page: PythonPage) -> None:
    """The traceback of the page names the file and line there."""
    with pytest.raises(RemoteFailure, match="the reason") as caught:
        await python_page.run(selftest.fail)
    assert caught.value.kind == "ValueError"
    assert "tests/inpage/selftest.py" in str(caught.value)


async def test_what_is_given_back_is_no_leak(python_page: PythonPage) -> None:
    """Proxies, listeners, tasks, timers and connections that are closed; and the page is kept."""
    boots = python_page.boots
    assert await python_page.run(selftest.tidy)
    assert await python_page.run(selftest.look_late) == "seen late"
    await python_page.run(selftest.add, left=1, right=1)
    assert python_page.boots == boots


async def test_runs_keep_step_with_the_test(python_page: PythonPage) -> None:
    """A body tells where it is and waits for a word."""
    handle = await python_page.start(selftest.dance)
    assert await handle.reached("ready") == {"state": "waiting"}
    await handle.signal("go", {"now": b"!"})
    assert await handle.result() == {"now": b"!"}


async def test_a_run_can_be_cancelled(python_page: PythonPage) -> None:
    """The page goes on after it."""
    handle = await python_page.start(selftest.hang)
    await handle.cancel()
    with pytest.raises(RemoteFailure, match="CancelledError"):
        await handle.result()
    assert (await python_page.run(selftest.add, left=2, right=2))["sum"] == 4


async def test_a_run_that_hangs_says_where(python_page: PythonPage) -> None:
    """The report of a timeout names the place; the next run gets a fresh page."""
    handle = await python_page.start(selftest.hang)
    with pytest.raises(TimeoutError, match=r"hang .*selftest\.py"):
        await handle.result(timeout=0.5)
    assert (await python_page.run(selftest.add, left=2, right=3))["sum"] == 5


async def test_screens_can_be_captured(python_page: PythonPage) -> None:
    """Headless, and with the user gesture that the browser asks for."""
    width, height = await python_page.run(selftest.share_screen)
    assert width > 100
    assert height > 100


# One browser is enough: what is counted is counted by the same script in both, and each leak costs a new boot.
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (selftest.leak_proxy, r"PyProxy of function .*leak_proxy.*made at .*selftest\.py"),
        (selftest.leak_task, r"task forgotten: Event\.wait"),
        (selftest.leak_timer, r"timer of 60\.000 s"),
        (selftest.leak_listener, r'Python listener for "visibilitychange" on HTMLDocument'),
        (selftest.leak_connection, r"open RTCPeerConnection"),
        (selftest.leak_camera, r"open capturing video track"),
        (selftest.forget_to_await, r"coroutine 'sleep' was never awaited .*selftest\.py"),
        (selftest.fail_in_finaliser, r"(?s)Bad\.__del__.*in a finaliser"),
        (selftest.lose_exception, r"(?s)exception was never retrieved.*nobody looks"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_leak_is_caught_and_named(
    chromium_python: PythonPage, body: Callable[[], Coroutine[Any, Any, None]], named: str
) -> None:
    """Each kind of leak by itself."""
    with pytest.raises(LeakError, match=named):
        await chromium_python.run(body)


async def test_a_leak_is_caught_in_firefox_too(firefox_python: PythonPage) -> None:
    """One run, all kinds of bookkeeping: a listener is a proxy as well."""
    with pytest.raises(LeakError) as caught:
        await firefox_python.run(selftest.leak_listener)
    assert len(caught.value.leaks) == 2
