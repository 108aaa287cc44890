"""Bandwidth follows need: layers, sizes and pauses that we ask for, and layers of ours that nobody watches."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.harness.js_peer import JsPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import quality

PAUSE_DELAY = 0.5
"""Seconds after which the server believes that nobody watches."""
_WATCH = """async (peer, quality) => {
  const publication = [...peer.room.remoteParticipants.get("py").videoTrackPublications.values()][0];
  publication.setVideoQuality(quality);
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def quick_server(livekit: LiveKitServer) -> AsyncIterator[LiveKitServer]:
    """A server that does not wait five seconds until it believes that nobody watches."""
    assert livekit.url, "whoever has no livekit-server has no second one"
    async with LiveKitServer(video={"dynacast_pause_delay": f"{PAUSE_DELAY}s"}) as server:
        yield server


@pytest.mark.timeout(120)
async def test_what_comes(python_page: PythonPage, js_peer: JsPeer, livekit: LiveKitServer, room_name: str) -> None:
    """The layer, the size, and whether anything at all."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    await js_peer.set_camera(True, resolution={"width": 640, "height": 360})  # of more, Chromium may send less
    async with js_peer.explains():
        found = await python_page.run(
            quality.receive, url=livekit.url, token=livekit.token("py", room_name), publisher="js"
        )
    print(f"{python_page.browser_name}: {found}")
    assert found["first"] == found["high"] == 640
    assert 0 < found["low"] <= 320
    assert 0 < found["small"] <= 320
    assert found["paused"] <= 2
    assert found["again"] > 0


@pytest.mark.timeout(180)
async def test_what_goes_out(
    python_page: PythonPage, js_peer: JsPeer, quick_server: LiveKitServer, room_name: str
) -> None:
    """Layers that nobody watches stop, and begin again when somebody does."""
    await js_peer.connect(quick_server.url, quick_server.token("js", room_name))
    run = await python_page.start(quality.publish, url=quick_server.url, token=quick_server.token("py", room_name))
    await run.reached("published", 30)
    await js_peer.wait_video("py")
    await run.signal("all", ["f", "h", "q"])
    await run.reached("seen all", 60)
    await js_peer.call(_WATCH, 0)
    started = time.monotonic()
    await run.signal("low", ["q"])
    await run.reached("seen low", 60)
    seconds = time.monotonic() - started - PAUSE_DELAY - 1  # it is seen in a second without a frame
    print(f"{python_page.browser_name}: unwatched layers stopped after {seconds:.1f} s")
    assert seconds < 9  # 3 s are promised
    await js_peer.call(_WATCH, 2)
    await run.signal("again", ["f", "h", "q"])
    assert await run.result(90) == [["f", "h", "q"], ["q"], ["f", "h", "q"]]
