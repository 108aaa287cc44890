"""Choosing among several cameras, microphones and speakers of a real browser, from the page and from a worker."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lk_pyodide import AccessToken, VideoGrants
from tests.harness.chromium import Chromium
from tests.harness.paths import CHROMIUM
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage, RemoteFailure
from tests.harness.site import Site

_SPEAKERS = "[...document.querySelectorAll('audio')].map((element) => element.sinkId)"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest_asyncio.fixture(loop_scope="session")
async def pair(site: Site, room_name: str) -> AsyncIterator[tuple[PyPeer, PyPeer]]:
    """Python on a page and in a worker of another tab, on a machine with three devices of each kind."""
    if reason := CHROMIUM.skipped():
        pytest.skip(reason)
    async with Chromium("--use-fake-device-for-media-stream=device-count=3") as browser:
        peers = [PyPeer(await PythonPage.open(browser, site, host)) for host in ("page", "worker")]
        for peer, name in zip(peers, ("ada", "ben"), strict=True):
            grants = VideoGrants(room_join=True, room=room_name)
            await peer.connect("local://", AccessToken().with_identity(name).with_grants(grants).to_jwt())
        yield peers[0], peers[1]
        for peer in reversed(peers):
            await peer.end()


async def test_choosing_devices(pair: tuple[PyPeer, PyPeer]) -> None:
    """What is published goes on from another device, so does what is played; a wrong one changes nothing."""
    for peer in pair:
        await peer.set_camera(True)
        await peer.set_microphone(True)
    for peer, other in (pair, pair[::-1]):
        await other.wait_remote(
            peer.identity, lambda remote: remote.subscribed("camera") and remote.subscribed("microphone"), 20, "media"
        )
    for peer, other in (pair, pair[::-1]):
        for kind in ("videoinput", "audioinput", "audiooutput"):
            first, _, third = await peer.command("devices", kind=kind)  # the second camera gives depths
            for device in (third, first, third):
                assert await peer.command("switch_device", kind=kind, device_id=device) == device
            with pytest.raises(RemoteFailure) as caught:
                await peer.command("switch_device", kind=kind, device_id="0" * 64)
            assert caught.value.kind == "MediaDeviceError"
            told = [event.args for event in await peer.events() if event.name == "active_device_changed"]
            assert [args[1] for args in told if args[0] == kind][-3:] == [third, first, third]
        await asyncio.gather(other.wait_video(peer.identity), other.wait_audio(peer.identity))
        state = await peer.state()
        assert all(not state.local.muted(source) for source in ("camera", "microphone"))
        assert await peer.page.page.evaluate(_SPEAKERS) == [third]
