"""Videos in each codec that the browsers can encode, to and from other makes of client, and what stands in for others.

What Debian's browsers encode was found out with them: see `_SENT`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from livekit import rtc

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.inpage import codecs

_CHROMIUM: list[tuple[dict[str, Any], str, str]] = [
    ({"video_codec": "vp8"}, "video/VP8", ""),
    ({"video_codec": "vp9"}, "video/VP9", "L2T3_KEY"),
    ({"video_codec": "vp9", "scalability_mode": "L2T1"}, "video/VP9", "L2T1"),
    ({"video_codec": "vp9", "scalability_mode": "L1T3"}, "video/VP9", "L1T3"),
    ({"video_codec": "av1"}, "video/AV1", "L2T3_KEY"),
    ({"video_codec": "av1", "scalability_mode": "L1T2"}, "video/AV1", "L1T2"),
    ({"video_codec": "h264"}, "video/H264", ""),
    ({"video_codec": "h265"}, "video/VP8", ""),
]
_FIREFOX: list[tuple[dict[str, Any], str, str]] = [
    ({"video_codec": "vp9"}, "video/VP8", ""),
    ({"video_codec": "av1"}, "video/VP8", ""),
    ({"video_codec": "h264"}, "video/VP8", ""),
]
_SENT = {"chromium": _CHROMIUM, "firefox": _FIREFOX}
"""What is asked for, and the codec and the mode that go out: of 640x360 Chromium sends two sizes, not three.

Firefox could encode VP9 and AV1, but not in layers; H.264 of Firefox on Linux is what livekit-server does not take.
"""

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


async def _rust_sees(peer: RustPeer, codec: str, *, layers: bool) -> None:
    """Wait for frames in this codec, of its layers."""
    await peer.wait_video("py", timeout=30)
    [publication] = peer.room.remote_participants["py"].track_publications.values()
    assert isinstance(publication.track, rtc.RemoteVideoTrack)
    if layers:
        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await _rust_width(peer, lambda width: 0 < width <= 320)
        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_HIGH)
        await _rust_width(peer, lambda width: width >= 640)
    stats = await publication.track.get_stats()
    found = [item.codec.codec.mime_type for item in stats if item.WhichOneof("stats") == "codec"]
    assert codec in found, found


async def _rust_width(peer: RustPeer, condition: Callable[[int], bool]) -> None:
    """Wait for a picture of such a width."""
    deadline = time.monotonic() + 40
    while not condition((seen := await peer.video_stats("py")).width):
        assert time.monotonic() < deadline, f"the Rust core has seen {seen}"
        await asyncio.sleep(0.1)  # pictures have no event


@pytest.mark.timeout(300)
async def test_what_goes_out(
    python_page: PythonPage,
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """Every codec arrives at others, who switch its layers; what cannot be encoded arrives as what stands in for it."""
    table = _SENT[python_page.browser_name]
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    run = await python_page.start(
        codecs.publish,
        url=livekit.url,
        token=livekit.token("py", room_name),
        rounds=[{**options, "backup_codec": False} for options, _, _ in table],
    )
    for number, (options, codec, mode) in enumerate(table):
        mime_type = await run.reached(f"published {number}", 40)
        assert mime_type.lower() == codec.lower(), options
        rust = rust_peer()
        await rust.connect(livekit.url, livekit.token("rust", room_name))
        layers = not mode.startswith("L1")
        seen = [await _js_sees(js_peer, codec, lambda width: width >= 640)]
        if layers:
            await js_peer.call(_WATCH, "py", 0)
            seen.append(await _js_sees(js_peer, codec, lambda width: 0 < width <= 320))
            await js_peer.call(_WATCH, "py", 2)
            seen.append(await _js_sees(js_peer, codec, lambda width: width >= 640))
        await _rust_sees(rust, codec, layers=layers)
        await rust.disconnect()
        await run.signal(f"seen {number}")
        sent = await run.reached(f"sent {number}")
        print(f"{python_page.browser_name}: {options} {[stats['width'] for stats in seen]} {sent}")
        assert list(sent) == [codec]
        if mode:
            assert sent[codec]["mode"] == mode
    await run.result()


_RUST = [("rust", "vp8"), ("rust", "vp9"), ("rust", "av1")]
_RECEIVED = {
    "chromium": [("js", "h264"), ("js", "vp9"), ("js", "av1"), *_RUST, ("rust", "h264")],
    "firefox": [("js", "vp9"), ("js", "av1"), *_RUST],
}
"""Who publishes what, one after the other; Firefox decodes no H.264 without a plugin."""
_ONE_LAYER = ("rust", "av1")
"""The Rust core's AV1 comes at one size, whatever is asked for."""


@pytest.mark.timeout(300)
async def test_what_comes_in(
    python_page: PythonPage,
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """Every codec of others is decoded, and its layers are switched."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    table = _RECEIVED[python_page.browser_name]
    run = await python_page.start(
        codecs.receive,
        url=livekit.url,
        token=livekit.token("py", room_name),
        publishers=[(source[0], source != _ONE_LAYER) for source in table],
    )
    for number, (make, codec) in enumerate(table):
        await run.reached(f"ready {number}", 40)
        rust = rust_peer()
        if make == "js":
            await js_peer.call(_PUBLISH, {"videoCodec": codec, "backupCodec": False})
        else:
            await rust.connect(livekit.url, livekit.token("rust", room_name))
            await rust.set_camera(True, width=960, height=540, video_codec=rtc.VideoCodec.Value(codec.upper()))
        found = await run.reached(f"received {number}", 90)
        print(f"{python_page.browser_name}: {codec} of {make} {found}")
        assert found["codec"].lower() == f"video/{codec}"
        if make == "js":
            await js_peer.call(_UNPUBLISH)
        else:
            await rust.disconnect()
    await run.result()


@pytest.mark.timeout(180)
async def test_a_second_codec(
    chromium_python: PythonPage,
    chromium: Browser,
    js_peer: JsPeer,
    open_js_peer: Callable[[Browser], Awaitable[JsPeer]],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """Who cannot decode VP9 gets VP8; both codecs are muted, unmuted and published again together."""
    picky = await open_js_peer(chromium)
    await picky.page.evaluate(_PICKY)
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    run = await chromium_python.start(
        codecs.second_codec,
        url=livekit.url,
        token=livekit.token("py", room_name),
        options={"video_codec": "vp9", "backup_codec_policy": 1},
    )
    await run.reached("published", 40)
    await _js_sees(js_peer, "video/VP9", lambda width: width >= 640)
    await picky.connect(livekit.url, livekit.token("picky", room_name))
    await _js_sees(picky, "video/VP8", lambda width: width >= 640)
    await _js_sees(js_peer, "video/VP9")
    await run.signal("mute")
    await run.reached("muted")
    for peer in (js_peer, picky):
        await peer.wait_remote("py", lambda remote: remote.muted("camera") is True, 10, "muted")
    await run.signal("unmute")
    assert await run.reached("unmuted"), "dynacast is on"
    await _js_sees(js_peer, "video/VP9")
    await _js_sees(picky, "video/VP8")
    await run.signal("republish")
    await run.reached("republished")
    await _js_sees(js_peer, "video/VP9")
    await _js_sees(picky, "video/VP8")
    await run.signal("leave")
    sent = await run.reached("sent")
    print(sent)
    assert sorted(sent) == ["video/VP8", "video/VP9"]
    await run.result()
    await picky.disconnect()
