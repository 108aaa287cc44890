"""Python in a worker, with nothing around it or in PyScript: the same promises as on a page."""

import zipfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.harness.archives import package_files
from tests.harness.hosts import check_wheel
from tests.harness.pages import js_call
from tests.harness.paths import REPO, MissingTool
from tests.harness.python_page import LeakError, PythonPage, RemoteFailure
from tests.inpage import selftest

HOSTS = ["chromium_worker", "firefox_worker", "chromium_pyscript", "firefox_pyscript"]
POST_PORT = """() => new Promise((resolve) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = (event) => { port1.close(); resolve(event.data); };
  document.querySelector("script[worker]").xworker.postMessage({lkSelftest: true, port: port2}, [port2]);
})"""

pytestmark = pytest.mark.timeout(120)  # the first test of a host pays for its boot


@pytest.fixture(params=HOSTS)
def python(request: pytest.FixtureRequest) -> PythonPage:
    """Each host in each browser in turn."""
    page: PythonPage = request.getfixturevalue(request.param)
    return page


async def test_a_run_answers(python: PythonPage, record_property: Callable[[str, object], None]) -> None:
    """A value and bytes come back; Python is in a worker; PyScript has the wheel."""
    record_property("boot_seconds", round(python.boot_seconds, 2))
    print(f"{python.browser_name} {python.host}: {python.boot_seconds:.1f} s to boot")
    assert await python.run(selftest.add, left=1, right=2) == {"sum": 3, "platform": "emscripten"}
    assert await python.run(selftest.reverse, data=b"\x00\xff") == b"\xff\x00"
    found = await python.run(selftest.where)
    assert found["scope"] == "DedicatedWorkerGlobalScope"
    assert ("site-packages" in found["package"]) is (python.host == "pyscript")


async def test_an_error_arrives_with_its_traceback(python: PythonPage) -> None:
    """The traceback names the file and line there."""
    with pytest.raises(RemoteFailure, match="the reason") as caught:
        await python.run(selftest.fail)
    assert caught.value.kind == "ValueError"
    assert "tests/inpage/selftest.py" in str(caught.value)


async def test_what_is_given_back_is_no_leak(python: PythonPage) -> None:
    """Proxies, listeners, channels, ports and timers; and the worker is kept."""
    boots = python.boots
    assert await python.run(selftest.tidy_worker)
    assert await python.run(selftest.look_late) == "seen late"
    await python.run(selftest.add, left=1, right=1)
    assert python.boots == boots


async def test_runs_keep_step_with_the_test(python: PythonPage) -> None:
    """A body tells where it is and waits for a word; two at once are told apart."""
    first, second = await python.start(selftest.dance), await python.start(selftest.dance)
    assert await first.reached("ready") == await second.reached("ready") == {"state": "waiting"}
    await second.signal("go", 2)
    assert await second.result() == 2
    await first.signal("go", {"now": b"!"})
    assert await first.result() == {"now": b"!"}


async def test_a_run_can_be_cancelled(python: PythonPage) -> None:
    """The worker goes on after it."""
    boots = python.boots
    handle = await python.start(selftest.hang)
    await handle.cancel()
    with pytest.raises(RemoteFailure, match="CancelledError"):
        await handle.result()
    assert (await python.run(selftest.add, left=2, right=2))["sum"] == 4
    assert python.boots == boots


async def test_a_listener_left_behind_is_named(python: PythonPage) -> None:
    """In every host, since each has its own way to load the gate: the listener, and the proxy that it is."""
    with pytest.raises(LeakError) as caught:
        await python.run(selftest.leak_global_listener)
    assert len(caught.value.leaks) == 2
    assert r'Python listener for "online" on DedicatedWorkerGlobalScope, made at ' in str(caught.value)
    assert "selftest.py" in str(caught.value)


async def test_what_javascript_reports_is_named(worker_python: PythonPage) -> None:
    """In Firefox, too, whose stacks do not tell what happened."""
    with pytest.raises(LeakError, match="Unhandled rejection: .*nobody listens"):
        await worker_python.run(selftest.reject)


async def test_the_page_finds_the_worker(python: PythonPage) -> None:
    """As PyScript offers it: a port posted to `xworker` of `script[worker]` gets to Python."""
    handle = await python.start(selftest.get_port)
    await handle.reached("listening")
    assert await python.page.evaluate(js_call(POST_PORT)) == "from Python"
    await handle.result()


async def test_a_blocked_worker_says_so(chromium_worker: PythonPage) -> None:
    """A body that holds the thread cannot be asked where it is."""
    handle = await chromium_worker.start(selftest.block, seconds=8)
    with pytest.raises(TimeoutError, match="has not answered stacks"):
        await handle.result(timeout=0.5)
    assert (await chromium_worker.run(selftest.add, left=2, right=3))["sum"] == 5


async def test_a_run_that_hangs_says_where(chromium_worker: PythonPage) -> None:
    """The report of a timeout names the place in the worker."""
    handle = await chromium_worker.start(selftest.hang)
    with pytest.raises(TimeoutError, match=r"hang .*selftest\.py"):
        await handle.result(timeout=0.5)


# One browser is enough: what is counted is counted by the same script in both, and each leak costs a new boot.
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (selftest.leak_proxy, r"PyProxy of function .*leak_proxy.*made at .*selftest\.py"),
        (selftest.leak_task, r"task forgotten: Event\.wait"),
        (selftest.leak_timer, r"timer of 60\.000 s"),
        (selftest.leak_interval, r"interval every 60000 ms"),
        (selftest.leak_channel, r"open BroadcastChannel"),
        (selftest.leak_port, r"open MessagePort"),
        (selftest.lose_exception, r"(?s)exception was never retrieved.*nobody looks"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_leak_is_caught_and_named(
    chromium_worker: PythonPage, body: Callable[[], Coroutine[Any, Any, None]], named: str
) -> None:
    """Each kind of leak by itself."""
    with pytest.raises(LeakError, match=named) as caught:
        await chromium_worker.run(body)
    assert "on the page" not in str(caught.value)


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("void (globalThis.kept = new RTCPeerConnection())", "on the page: open RTCPeerConnection"),
        ("void document.body.append(document.createElement('video'))", "on the page: element <video"),
        ("void document.addEventListener('click', globalThis.kept = () => {})", "on the page: JavaScript listener"),
        ("void (globalThis.kept = new BroadcastChannel('x'))", "on the page: open BroadcastChannel"),
    ],
)
async def test_what_stays_on_the_page_is_named(chromium_worker: PythonPage, script: str, named: str) -> None:
    """The page has a gate of its own, for what is done there on the worker's behalf."""
    handle = await chromium_worker.start(selftest.dance)
    await chromium_worker.page.evaluate(script)
    await handle.signal("go")
    with pytest.raises(LeakError) as caught:
        await handle.result()
    assert len(caught.value.leaks) == 1
    assert named in caught.value.leaks[0]


def test_a_stale_wheel_is_refused(tmp_path: Path) -> None:
    """A page of PyScript would run yesterday's code."""
    sources = {file.relative_to(REPO).as_posix(): file.read_bytes() for file in package_files()}
    wheel = tmp_path / "lk_pyodide-0-py3-none-any.whl"
    for changed in ({}, {"lk_pyodide/room.py": b"# older"}, {"lk_pyodide/gone.py": b""}):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in (sources | changed).items():
                archive.writestr(name, content)
        if changed:
            with pytest.raises(MissingTool, match=f"{min(changed)}.*make wheel"):
                check_wheel(wheel)
        else:
            check_wheel(wheel)
