"""Processors of our tracks, on a fake page."""

import asyncio
from typing import Any

import pytest

from lk_pyodide import (
    BrowserError,
    LocalTrackPublication,
    ProcessorOptions,
    Room,
    RoomOptions,
    TrackInvalidError,
    VideoCaptureOptions,
    create_local_tracks,
    create_local_video_track,
)
from lk_pyodide.testing import FakeBrowser, FakeMediaStreamTrack
from tests.room.server import URL, Server, until


class Blur:
    """Makes a picture of its own, and remembers what it was asked."""

    name = "blur"

    def __init__(self, browser: FakeBrowser) -> None:
        self.browser = browser
        self.calls: list[tuple[str, Any]] = []
        self.processed_track: Any = None
        self.fails = False

    async def init(self, options: ProcessorOptions) -> None:
        self._work("init", options)

    async def restart(self, options: ProcessorOptions) -> None:
        self._work("restart", options)

    def _work(self, call: str, options: ProcessorOptions) -> None:
        self.calls.append((call, options.track))
        if self.fails:
            raise ValueError("no such picture")
        self.processed_track = self.browser.make_track(options.kind, "blurred")

    async def destroy(self) -> None:
        self.calls.append(("destroy", None))


def live(server: Server) -> list[FakeMediaStreamTrack]:
    """The devices that are on."""
    return [native for native in server.browser.media_devices.captured if native.ready_state == "live"]


async def camera(room: Room) -> LocalTrackPublication:
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    return publication


def sent(publication: LocalTrackPublication) -> Any:
    """The browser's track that goes out."""
    sender: Any = publication.track._sender
    return sender.native


async def test_a_processor_comes_and_goes(room: Room, server: Server) -> None:
    publication = await camera(room)
    track, blur = publication.track, Blur(server.browser)
    [device] = live(server)
    element = track.attach("body")
    await track.set_processor(blur)
    assert track.get_processor() is blur
    assert blur.calls == [("init", device)]
    assert sent(publication) is track.media_stream_track is blur.processed_track
    assert element.tracks["video"] is blur.processed_track
    assert track.device_id == "default-camera" and track.dimensions == (1280, 720)
    await track.stop_processor()
    await track.stop_processor()
    assert blur.calls[-1] == ("destroy", None) and len(blur.calls) == 2
    assert sent(publication) is track.media_stream_track is device is element.tracks["video"]
    assert track.get_processor() is None and device.ready_state == "live"


async def test_it_stays_when_the_device_changes(room: Room, server: Server) -> None:
    """Another camera, and the same after it was off."""
    publication = await camera(room)
    track, blur = publication.track, Blur(server.browser)
    await track.set_processor(blur)
    await track.set_device_id("second-camera")
    assert blur.calls[-1] == ("restart", live(server)[0])
    assert sent(publication) is blur.processed_track and track.device_id == "second-camera"
    await publication.mute()
    assert live(server) == [] and not blur.processed_track.enabled
    await publication.unmute()
    assert [call for call, _ in blur.calls] == ["init", "restart", "restart"]
    assert sent(publication) is blur.processed_track and blur.processed_track.enabled
    assert len(live(server)) == 1
    await room.disconnect()
    await until(lambda: blur.calls[-1][0] == "destroy")
    assert live(server) == []


async def test_while_the_camera_is_off(room: Room, server: Server) -> None:
    """It waits."""
    publication = await camera(room)
    track, blur = publication.track, Blur(server.browser)
    await publication.mute()
    await track.set_processor(blur)
    assert blur.calls == []
    await publication.unmute()
    assert [call for call, _ in blur.calls] == ["init"]
    assert sent(publication) is blur.processed_track


async def test_one_that_fails(room: Room, server: Server) -> None:
    """The track goes on without it; a camera that cannot be processed any more is not shown as it is."""
    publication = await camera(room)
    track, blur = publication.track, Blur(server.browser)
    blur.fails = True
    [device] = live(server)
    with pytest.raises(BrowserError, match="ValueError: no such picture"):
        await track.set_processor(blur)
    assert track.get_processor() is None and sent(publication) is device
    blur.fails = False
    await track.set_processor(blur)
    await publication.mute()
    blur.fails = True
    with pytest.raises(BrowserError, match="no such picture"):
        await publication.unmute()
    assert publication.muted and live(server) == []


async def test_one_after_the_other(room: Room, server: Server) -> None:
    publication = await camera(room)
    first, second = Blur(server.browser), Blur(server.browser)
    await publication.track.set_processor(first)
    [device] = live(server)
    await publication.track.set_processor(second)
    assert first.calls[-1][0] == "destroy"
    assert second.calls == [("init", device)] and sent(publication) is second.processed_track


async def test_before_it_is_published(room: Room, server: Server) -> None:
    blur = Blur(server.browser)
    track = await create_local_video_track(browser=server.browser)
    await track.set_processor(blur)
    await room.connect(URL, "token")
    publication = await room.local_participant.publish_track(track)
    assert sent(publication) is blur.processed_track
    await room.local_participant.unpublish_track(publication.sid)
    await until(lambda: blur.calls[-1][0] == "destroy")
    assert live(server) == []
    with pytest.raises(TrackInvalidError):
        await track.set_processor(blur)


async def test_a_device_that_goes_away_is_heard_of(room: Room, server: Server) -> None:
    publication = await camera(room)
    await publication.track.set_processor(Blur(server.browser))
    live(server)[0].end()
    await until(lambda: publication.muted)


async def test_after_a_full_reconnect(room: Room, server: Server) -> None:
    publication = await camera(room)
    blur = Blur(server.browser)
    await publication.track.set_processor(blur)
    server.break_connection()
    await room.wait_for("reconnected", timeout=5)
    assert sent(publication) is blur.processed_track and [call for call, _ in blur.calls] == ["init"]


async def test_set_while_the_connection_breaks(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender stops with its connection in the middle of it; the next one sends what the processor makes."""
    publication = await camera(room)
    sender: Any = publication.track._sender
    replace_track = sender.replace_track

    async def late(media: Any) -> None:
        server.break_connection()
        await until(lambda: sender.native is None)
        await replace_track(media)

    monkeypatch.setattr(sender, "replace_track", late)
    back = asyncio.ensure_future(room.wait_for("reconnected", timeout=5))
    blur = Blur(server.browser)
    await publication.track.set_processor(blur)
    await back
    assert sent(publication) is blur.processed_track


@pytest.mark.parametrize("turns", range(8))
async def test_given_up(room: Room, server: Server, turns: int) -> None:
    """The track itself is sent, or what the processor makes of it."""
    publication = await camera(room)
    blur = Blur(server.browser)
    setting = asyncio.ensure_future(publication.track.set_processor(blur))
    for _ in range(turns):
        await asyncio.sleep(0)
    setting.cancel()
    await asyncio.wait([setting])
    assert sent(publication) is (live(server)[0] if setting.cancelled() else blur.processed_track)
    assert publication.track.media_stream_track is sent(publication)
    assert publication.track.get_processor() is (None if setting.cancelled() else blur)


async def test_stopped_meanwhile(server: Server) -> None:
    """Nothing stays on: the fixture looks."""
    for turns in range(4):
        track = await create_local_video_track(browser=server.browser)
        setting = asyncio.ensure_future(track.set_processor(Blur(server.browser)))
        for _ in range(turns):
            await asyncio.sleep(0)
        track.stop()
        try:
            await setting
        except TrackInvalidError:
            continue
    await until(lambda: live(server) == [])


async def test_a_device_is_opened_with_a_processor(server: Server) -> None:
    """It is the caller's own object, also in the defaults of a room."""
    blur = Blur(server.browser)
    room = Room(RoomOptions(video_capture_defaults=VideoCaptureOptions(processor=blur)), browser=server.browser)
    publication = await camera(room)
    assert publication.track.get_processor() is blur
    assert sent(publication) is blur.processed_track
    await room.disconnect()
    await until(lambda: blur.calls[-1] == ("destroy", None))
    assert live(server) == []


async def test_a_processor_fails_at_once(server: Server) -> None:
    """Nothing is left open."""
    blur = Blur(server.browser)
    blur.fails = True
    with pytest.raises(BrowserError, match="no such picture"):
        await create_local_tracks(video=VideoCaptureOptions(processor=blur), browser=server.browser)
    assert live(server) == []
