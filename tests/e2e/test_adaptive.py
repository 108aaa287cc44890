"""Adaptive streams against the real server: videos come as they are shown."""

import pytest

from tests.harness.js_peer import JsPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import adaptive


@pytest.mark.timeout(120)
async def test_video_comes_as_it_is_shown(
    python_page: PythonPage, js_peer: JsPeer, livekit: LiveKitServer, room_name: str
) -> None:
    """The lowest layer for a small tile, the highest for a stage, and nothing for what nobody can see."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    await js_peer.set_camera(True, resolution={"width": 640, "height": 360})  # of more, Chromium may send less
    async with js_peer.explains():
        found = await python_page.run(
            adaptive.receive, url=livekit.url, token=livekit.token("py", room_name), publisher="js"
        )
    print(f"{python_page.browser_name}: {found}")
    assert 0 < found["tile"] <= 320
    assert found["stage"] == 640
    assert 0 < found["again"] <= 320
    for moment in ("unattached", "undisplayed", "scrolled", "detached"):
        assert found[moment] == 0, moment
    assert found["displayed"] < 3
    assert found["returned"] < 3
