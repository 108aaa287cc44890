"""What a processor makes of a camera, seen by livekit-client."""

import asyncio
import time

import pytest

from tests.harness.js_peer import JsPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import processors


@pytest.mark.timeout(120)
async def test_a_camera_is_processed(
    python_page: PythonPage, js_peer: JsPeer, livekit: LiveKitServer, room_name: str
) -> None:
    """It comes as the processor makes it, also after it was muted; then as it is again."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    run = await python_page.start(processors.publish, url=livekit.url, token=livekit.token("py", room_name))
    await run.reached("published", 60)
    await _wide(js_peer, 16 / 9)
    await run.signal("process")
    await run.reached("processed")
    await _wide(js_peer, 2)
    await run.signal("mute")
    await run.reached("unmuted")
    await _wide(js_peer, 2)
    await run.signal("plain")
    await run.reached("plain")
    await _wide(js_peer, 16 / 9)
    await run.signal("leave")
    found = await run.result()
    assert found["calls"] == ["init", "restart", "destroy"]


async def _wide(peer: JsPeer, wanted: float) -> None:
    """Wait until more frames of this shape have come, with something to be seen."""
    first = (await peer.video_stats("py")).frames
    deadline = time.monotonic() + 20
    while True:
        stats = await peer.video_stats("py")
        if stats.height and abs(stats.width / stats.height - wanted) < 0.1 and stats.frames > first + 5:
            assert stats.contrast > 0
            return
        assert time.monotonic() < deadline, f"{stats}, not {wanted:.2f} to 1"
        await asyncio.sleep(0.1)  # statistics have no event
