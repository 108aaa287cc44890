"""A room in a worker: what is left when it has gone, however it goes."""

import asyncio
from collections.abc import Awaitable

import pytest

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.peers import AT_ONCE
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.inpage import cycles
from tests.inpage.peer import reach_page

pytestmark = pytest.mark.timeout(150)

CYCLES = {"chromium_worker": 100, "firefox_worker": 30, "chromium_jupyterlite": 10, "firefox_jupyterlite": 10}
_OPEN = """(() => {
  const names = [...lkGate.snapshot().natives].map(({name}) => name);
  return names.filter((name) => /track|RTCPeerConnection|WebSocket/.test(name)).sort();
})()"""
_CLOSED = f"""(async () => {{
  while ({_OPEN}.length) await new Promise((resolve) => setTimeout(resolve, 10));
}})()"""


@pytest.fixture(params=CYCLES)
def python(request: pytest.FixtureRequest) -> PythonPage:
    """Each carrier in each browser."""
    page: PythonPage = request.getfixturevalue(request.param)
    return page


async def test_cycles_leave_nothing(python: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """Neither in the agent's table nor in Python's; the leak gate looks at everything else."""
    await python.prepare(reach_page)
    times = CYCLES[f"{python.browser_name}_{python.host}"]
    run = await python.start(cycles.cycle, url=livekit.url, token=livekit.token("ada", room_name), times=times)
    found = await run.result(timeout=120)
    print(f"{python.browser_name} {python.host}: {times} times in {found['seconds']:.1f} s, {found['after']}")
    assert found["after"] == found["before"] == {"on the page": 0, "remotes": 0, "pending": 0}


async def test_a_worker_that_ends_leaves(
    browser: Browser, site: Site, livekit: LiveKitServer, js_peer: JsPeer, room_name: str
) -> None:
    """Of a PyScript page: terminated by the page, then closed with it. The page's agent says goodbye."""
    await js_peer.connect(livekit.url, livekit.token("watcher", room_name))
    page = await PythonPage.open(browser, site, "pyscript")
    peer = PyPeer(page)

    async def join() -> None:
        await peer.connect(livekit.url, livekit.token("leaver", room_name))
        await peer.set_camera(True)
        await js_peer.wait_video("leaver")
        assert await page.page.evaluate(_OPEN) == ["RTCPeerConnection", "WebSocket", "capturing video track"]

    async def see_leave(end: Awaitable[object]) -> None:
        ending = asyncio.ensure_future(end)
        seconds = await js_peer.wait_gone("leaver")
        print(f"{browser.name}: seen after {seconds:.2f} s")
        assert seconds < AT_ONCE
        await ending
        await peer.forget()

    await join()
    await see_leave(page.page.evaluate("document.querySelector('script[worker]').xworker.terminate()"))
    async with asyncio.timeout(1):
        await page.page.evaluate(_CLOSED)
    await page.boot()
    await join()
    await see_leave(page.close())
