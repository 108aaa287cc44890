"""Videos in each codec that the browsers can encode, to and from other makes of client, and what stands in for others.

What Debian's browsers encode was found out with them: see `_ENCODES`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from livekit import rtc

from tests.harness.js_peer import JsPeer
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.inpage import codecs

_INBOUND = """async (peer, identity) => {
  const report = await peer.remoteTrack(identity, "camera")?.getRTCStatsReport();
  const stats = [...(report?.values() ?? [])];
  const found = stats.find(({type}) => type === "inbound-rtp");
  const codec = stats.find(({id}) => id === found?.codecId)?.mimeType ?? "";
  return {codec, width: found?.frameWidth ?? 0, frames: found?.framesDecoded ?? 0};
}"""

_WATCH = """async (peer, identity, quality) => {
  [...peer.room.remoteParticipants.get(identity).videoTrackPublications.values()][0].setVideoQuality(quality);
}"""

_PUBLISH = """async (peer, options) => {
  const me = peer.room.localParticipant;
  await me.setCameraEnabled(true, {resolution: {width: 640, height: 360}}, options);
}"""

_UNPUBLISH = """async (peer) => {
  const me = peer.room.localParticipant;
  await me.unpublishTrack(me.getTrackPublication("camera").track);
}"""

_PICKY = """(() => {
  const add = RTCPeerConnection.prototype.addTransceiver;
  const plain = RTCRtpReceiver.getCapabilities("video").codecs.filter(({mimeType}) => !/vp9|av1/i.test(mimeType));
  RTCPeerConnection.prototype.addTransceiver = function (...args) {
    const transceiver = add.apply(this, args);
    if (args[0] === "video") transceiver.setCodecPreferences(plain);
    return transceiver;
  };
})()"""
"""A page whose livekit-client cannot decode the better codecs."""


async def _js_sees(peer: JsPeer, codec: str, condition: Callable[[int], bool] = lambda _: True) -> dict[str, Any]:
    """Wait until more frames in this codec, of this width, have been decoded."""
    first = (await peer.call(_INBOUND, "py"))["frames"]
    deadline = time.monotonic() + 40
    while True:
        seen: dict[str, Any] = await peer.call(_INBOUND, "py")
        if seen["frames"] < first:
            first = 0  # another track
        if seen["codec"] == codec and condition(seen["width"]) and seen["frames"] > first + 3:
            return seen
        assert time.monotonic() < deadline, f"{codec}: livekit-client has seen {seen}, of frames {first} before"
        await asyncio.sleep(0.1)  # statistics have no event


async def _rust_sees(peer: RustPeer, codec: str) -> None:
    """Wait for frames in this codec."""
    await peer.wait_video("py", timeout=30)
    [publication] = peer.room.remote_participants["py"].track_publications.values()
    assert isinstance(publication.track, rtc.RemoteVideoTrack)
    stats = await publication.track.get_stats()
    found = [item.codec.codec.mime_type for item in stats if item.WhichOneof("stats") == "codec"]
    assert codec in found, found


@pytest.mark.timeout(120)
async def test_probe(python_page: PythonPage) -> None:
    print(python_page.browser_name, await python_page.run(codecs.abilities))
