"""What goes out of a published track: another track, nothing for a while, less of it; and everything once more."""

import asyncio
from dataclasses import replace

import pytest

from lk_pyodide import (
    AudioCaptureOptions,
    LocalTrackPublication,
    LocalVideoTrack,
    MediaDeviceError,
    PublishTrackError,
    Room,
    TrackInvalidError,
    TrackPublishOptions,
    UsageError,
    VideoCaptureOptions,
    VideoPresets,
)
from lk_pyodide.browser.api import Encoding, MediaTrack
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.core import messages as m
from lk_pyodide.errors import BrowserError
from lk_pyodide.types import TrackSource, VideoQuality
from tests.room.server import URL, Server, participant, track, until


def sender_of(publication: LocalTrackPublication) -> FakeSender:
    sender = publication.track._sender
    assert isinstance(sender, FakeSender)
    return sender


async def camera(room: Room, options: TrackPublishOptions | None = None) -> LocalTrackPublication:
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(
        True, VideoCaptureOptions(resolution=VideoPresets.H720.resolution), options
    )
    assert publication is not None
    return publication


async def microphone(room: Room) -> LocalTrackPublication:
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    return publication


def captured(server: Server) -> list[FakeMediaStreamTrack]:
    return server.browser.media_devices.captured


def live(server: Server) -> list[FakeMediaStreamTrack]:
    return [native for native in captured(server) if native.ready_state == "live"]


def mutes(server: Server) -> list[bool]:
    """What the server was told of being muted, in order."""
    return [message.muted for message in server.received if isinstance(message, m.MuteTrackRequest)]


def enabled(native: FakeMediaStreamTrack) -> bool:
    return native.enabled


def paused(publication: LocalTrackPublication) -> bool:
    return publication.track.is_upstream_paused


def active(publication: LocalTrackPublication) -> list[str | None]:
    return [encoding.rid for encoding in sender_of(publication).encodings if encoding.active]


def video(publication: LocalTrackPublication) -> LocalVideoTrack:
    track = publication.video_track
    assert track is not None
    return track


# -- another track -----------------------------------------------------------------------------------------------------


async def test_a_track_of_the_users_own(room: Room, server: Server) -> None:
    """It is sent and shown; the camera is let go; nothing that is the user's is ever ended."""
    publication = await camera(room)
    element: FakeNode = publication.track.attach()
    one, two = server.browser.make_track("video"), server.browser.make_track("video")
    for native in (one, two):
        await publication.track.replace_track(native)
        assert publication.track.media_stream_track is native and publication.track.is_user_provided
        assert sender_of(publication).native is native and element.tracks == {"video": native}
    assert live(server) == []
    await publication.mute()
    assert (one.enabled, two.enabled) == (True, False)
    with pytest.raises(TrackInvalidError):
        await publication.track.restart_track()
    await room.local_participant.unpublish_track(publication.sid)
    assert (one.ready_state, two.ready_state) == ("live", "live")


async def test_a_track_that_is_handed_over(room: Room, server: Server) -> None:
    """It is turned off when it is muted, and opened again from the same device."""
    publication = await camera(room)
    [other] = await server.browser.media_devices.get_user_media({"video": {"deviceId": "second-camera"}})
    native: FakeMediaStreamTrack = captured(server)[-1]
    await publication.track.replace_track(native, user_provided=False)
    other.close()
    assert live(server) == [native] and not publication.track.is_user_provided
    await publication.mute()
    assert live(server) == []
    await publication.unmute()
    assert publication.track.device_id == "second-camera" and len(live(server)) == 1


async def test_the_same_track_again(room: Room, server: Server) -> None:
    publication = await camera(room)
    [native] = live(server)
    await publication.track.replace_track(native, user_provided=True)
    assert live(server) == [native] and sender_of(publication).native is native
    assert publication.track.is_user_provided


async def test_what_cannot_take_its_place(room: Room, server: Server) -> None:
    publication = await camera(room)
    [native] = live(server)
    for wrong in ("track", server.browser.make_track("audio")):
        with pytest.raises(TrackInvalidError):
            await publication.track.replace_track(wrong)
    assert sender_of(publication).native is native and live(server) == [native]
    publication.track.stop()
    with pytest.raises(TrackInvalidError):
        await publication.track.replace_track(server.browser.make_track("video"))


async def test_while_muted_or_paused(room: Room, server: Server) -> None:
    """Then nothing of the other one gets out."""
    publication = await camera(room)
    publication.mute()
    one = server.browser.make_track("video")
    await publication.track.replace_track(one)
    assert enabled(one) is False
    await publication.unmute()
    assert enabled(one) is True
    await publication.track.pause_upstream()
    two = server.browser.make_track("video")
    await publication.track.replace_track(two)
    assert sender_of(publication).native is None and two.enabled
    await publication.track.resume_upstream()
    assert sender_of(publication).native is two


async def test_giving_up_on_it(room: Room, server: Server) -> None:
    """A call that is cancelled leaves everything as it was, and nothing open."""
    publication = await camera(room)
    [native] = live(server)
    replacing = asyncio.ensure_future(publication.track.replace_track(server.browser.make_track("video")))
    await asyncio.sleep(0)
    replacing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replacing
    assert publication.track.media_stream_track is native and live(server) == [native]


async def test_stopping_meanwhile(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left on, and what is the user's is let alone."""
    publication = await camera(room)
    replace_track = FakeSender.replace_track

    async def stop_first(sender: FakeSender, media: MediaTrack | None) -> None:
        publication.track.stop()
        await replace_track(sender, media)

    monkeypatch.setattr(FakeSender, "replace_track", stop_first)
    native = server.browser.make_track("video")
    with pytest.raises(TrackInvalidError):
        await publication.track.replace_track(native)
    assert native.ready_state == "live" and live(server) == []
    again = await room.local_participant.set_camera_enabled(True)
    assert again is publication, "it is still published"
    await room.local_participant.unpublish_track(publication.sid)
    publication = await camera(room)
    await publication.track.restart_track()
    assert live(server) == []


async def test_giving_up_before_it_is_its_turn(room: Room, server: Server) -> None:
    publication = await camera(room)
    server.browser.media_devices.hold()
    restarting = asyncio.ensure_future(publication.track.restart_track())
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    native = server.browser.make_track("video")
    replacing = asyncio.ensure_future(publication.track.replace_track(native))
    await asyncio.sleep(0)
    assert native.wrappers
    replacing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replacing
    assert not native.wrappers
    server.browser.media_devices.release()
    await restarting


async def test_before_it_is_published(room: Room, server: Server) -> None:
    """What is said before holds from the beginning."""
    await room.connect(URL, "token")
    [track] = await room.local_participant.create_tracks(video=True)
    assert isinstance(track, LocalVideoTrack)
    native = server.browser.make_track("video")
    await track.replace_track(native)
    await track.set_degradation_preference("balanced")
    await track.set_publishing_quality(VideoQuality.LOW)
    await track.pause_upstream()
    publication = await room.local_participant.publish_track(track)
    assert (await server.heard(m.AddTrackRequest)).muted
    await until(lambda: sender_of(publication).native is None)
    await until(lambda: active(publication) == ["q"])
    assert sender_of(publication).degradation_preference == "balanced"
    assert not publication.muted and mutes(server) == []
    await track.resume_upstream()
    assert sender_of(publication).native is native
    await until(lambda: mutes(server) == [False])


# -- the device --------------------------------------------------------------------------------------------------------


async def test_restarting(room: Room, server: Server) -> None:
    """What the options do not say stays as it was, and the layers go by the new size."""
    publication = await camera(room)
    before = [encoding.max_bitrate for encoding in sender_of(publication).encodings]
    await publication.track.restart_track(VideoCaptureOptions(resolution=VideoPresets.H540.resolution))
    assert publication.track.dimensions == (960, 540) and len(live(server)) == 1
    after = [encoding.max_bitrate for encoding in sender_of(publication).encodings]
    assert before == [160_000, 450_000, 1_700_000] and after == [160_000, 450_000, 800_000]
    await publication.track.restart_track(VideoCaptureOptions(device_id="second-camera"))
    assert publication.track.device_id == "second-camera" and publication.track.dimensions == (960, 540)
    await publication.track.restart_track()
    assert publication.track.device_id == "second-camera"
    await publication.mute()
    await publication.track.restart_track(VideoCaptureOptions(device_id="default-camera"))
    assert live(server) == [], "what is off stays off"
    await publication.unmute()
    assert publication.track.device_id == "default-camera"


async def test_restarting_with_what_there_is_not(room: Room, server: Server) -> None:
    publication = await camera(room)
    with pytest.raises(UsageError, match="AudioCaptureOptions"):
        await publication.track.restart_track(AudioCaptureOptions())
    with pytest.raises(MediaDeviceError):
        await publication.track.restart_track(VideoCaptureOptions(device_id="gone"))
    assert publication.track.device_id == "default-camera" and len(live(server)) == 1
    assert not publication.muted


async def test_a_microphone_that_goes_away(room: Room, server: Server) -> None:
    """The default one takes its place; when there is none it is muted."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(
        True, AudioCaptureOptions(device_id="second-mic", echo_cancellation=False)
    )
    assert publication is not None and publication.track.device_id == "second-mic"
    live(server)[0].end()
    await until(lambda: publication.track.device_id == "default-mic")
    assert not publication.muted and mutes(server) == []
    assert not publication.track._media.settings.echo_cancellation
    server.browser.media_devices.failure = "NotFoundError"
    live(server)[0].end()
    await until(lambda: publication.muted)
    server.browser.media_devices.failure = ""
    await publication.unmute()
    assert len(live(server)) == 1


async def test_a_track_of_the_users_own_that_ends(room: Room, server: Server) -> None:
    """It is muted; no device is opened in its place."""
    await room.connect(URL, "token")
    native = server.browser.make_track("video")
    publication = await room.local_participant.publish_track(native)
    native.end()
    await until(lambda: publication.muted)
    assert captured(server) == []


async def test_a_device_that_delivers_nothing(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while others take it for muted; it goes on as soon as it delivers."""
    monkeypatch.setattr("lk_pyodide.local_track.PAUSE_AFTER", 0.05)
    publication = await microphone(room)
    [native] = live(server)
    told: list[str] = []
    room.on("track_muted", lambda: told.append("muted"))
    native.mute()
    native.unmute()
    await asyncio.sleep(0.1)
    assert mutes(server) == [], "it was soon over"
    native.mute()
    await until(lambda: mutes(server) == [True])
    assert paused(publication) and sender_of(publication).native is None
    assert not publication.muted and native.enabled and told == []
    native.unmute()
    await until(lambda: mutes(server) == [True, False])
    assert sender_of(publication).native is native
    native.mute()
    await until(lambda: paused(publication))
    await publication.track.restart_track()
    assert not paused(publication), "another device delivers"
    await until(lambda: mutes(server)[-1] is False)
    live(server)[0].mute()
    await room.disconnect()
    await asyncio.sleep(0.1)
    assert publication.track._sender is None


# -- nothing, or less --------------------------------------------------------------------------------------------------


async def test_pausing(room: Room, server: Server) -> None:
    """The device stays on; others take it for muted; both reasons to be silent have to go."""
    publication = await camera(room)
    [native] = live(server)
    await publication.track.pause_upstream()
    await publication.track.pause_upstream()
    assert publication.track.is_upstream_paused and sender_of(publication).native is None
    assert native.enabled and live(server) == [native]
    await until(lambda: mutes(server) == [True])
    await publication.mute()
    await publication.track.resume_upstream()
    await publication.track.resume_upstream()
    await until(lambda: mutes(server) == [True, True, True])
    await publication.unmute()
    await until(lambda: mutes(server) == [True, True, True, False])
    assert sender_of(publication).native is live(server)[0]


async def test_pausing_holds_on_another_connection(room: Room, server: Server) -> None:
    publication = await camera(room)
    await publication.track.pause_upstream()
    await video(publication).set_publishing_quality(VideoQuality.LOW)
    await video(publication).set_degradation_preference("maintain-resolution")
    server.break_connection()
    await room.wait_for("local_track_republished", timeout=5)
    assert (await server.heard(m.AddTrackRequest, 2)).muted
    await until(lambda: sender_of(publication).native is None and active(publication) == ["q"])
    assert sender_of(publication).degradation_preference == "maintain-resolution"
    await publication.track.resume_upstream()
    assert sender_of(publication).native is live(server)[0]


async def test_the_server_has_missed_it(room: Room, server: Server) -> None:
    """It is told again, of a track that is muted and of one that is not."""
    publication = await camera(room)

    async def say(version: int, muted: bool) -> None:
        me = participant("me", track(publication.sid, muted=muted), version=version)
        await server.say(m.ParticipantUpdate((replace(me, sid=room.local_participant.sid),)))

    await say(5, muted=True)
    await until(lambda: mutes(server) == [False])
    assert not publication.muted, "that is for us to say"
    await publication.mute()
    await until(lambda: mutes(server) == [False, True])
    await say(6, muted=True)
    await say(7, muted=False)
    await until(lambda: mutes(server) == [False, True, True])


async def test_less(room: Room, server: Server) -> None:
    publication = await camera(room)
    await video(publication).set_publishing_quality(VideoQuality.MEDIUM)
    assert active(publication) == ["q", "h"]
    await video(publication).set_publishing_quality(VideoQuality.HIGH)
    assert active(publication) == ["q", "h", "f"]
    await video(publication).prioritize_performance()
    assert active(publication) == ["q"]
    first = sender_of(publication).encodings[0]
    assert (first.scale_resolution_down_by, first.max_framerate) == (2.0, 15.0)
    await publication.track.restart_track(VideoCaptureOptions(resolution=VideoPresets.H1080.resolution))
    assert sender_of(publication).encodings[0].scale_resolution_down_by == 3.0
    server.break_connection()
    await room.wait_for("local_track_republished", timeout=5)
    await until(lambda: active(publication) == ["q"])


async def test_a_machine_that_is_too_slow(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told when that begins, each time; statistics that cannot be had mean nothing."""
    monkeypatch.setattr("lk_pyodide.local_layers.LOOK_EVERY", 0.01)
    reasons = iter(["none", "cpu", "cpu", "", "bandwidth", "cpu", "none"])
    looked: list[str] = []

    async def get_stats(_sender: FakeSender) -> list[dict[str, str]]:
        looked.append(reason := next(reasons, "none"))
        if not reason:
            raise BrowserError("closed", "InvalidStateError")
        return [{"type": "codec"}, {"type": "outbound-rtp", "qualityLimitationReason": reason}]

    monkeypatch.setattr(FakeSender, "get_stats", get_stats)
    told: list[tuple[object, object, int]] = []
    room.on("local_track_cpu_constrained", lambda *args: told.append((*args, len(looked))))
    publication = await camera(room)
    await until(lambda: len(looked) > 7)
    assert told == [(publication.track, publication, 2), (publication.track, publication, 6)]
    await room.local_participant.unpublish_track(publication.sid)
    looking = room.local_participant._publisher._layers._looking
    assert looking is not None
    await asyncio.wait_for(looking, 5)
    await room.local_participant.set_camera_enabled(True)
    seen = len(looked)
    await until(lambda: len(looked) > seen)


async def test_what_the_browser_refuses(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is as it was; a preference is not worth an error."""
    publication = await camera(room)

    async def refuse(_sender: FakeSender, _value: object) -> None:
        raise BrowserError("no", "InvalidModificationError")

    with monkeypatch.context() as patch:
        patch.setattr(FakeSender, "set_encodings", refuse)
        patch.setattr(FakeSender, "set_degradation_preference", refuse)
        with pytest.raises(BrowserError):
            await video(publication).set_publishing_quality(VideoQuality.LOW)
        with pytest.raises(BrowserError):
            await video(publication).prioritize_performance()
        await video(publication).set_degradation_preference("balanced")
    await video(publication).set_publishing_quality(VideoQuality.HIGH)
    assert active(publication) == ["q", "h", "f"]


async def test_a_codec_that_is_not_there(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Another takes its place, which is said."""
    server.codecs = ("video/VP8", "video/VP9")
    async with Room(browser=server.browser) as room:
        publication = await camera(room, TrackPublishOptions(video_codec="h264"))
        assert sender_of(publication).codec == "video/vp8"
        assert publication.mime_type == "video/VP8"
        assert "h264 cannot be sent here; it is vp8 instead" in caplog.text


async def test_a_server_that_names_no_codecs(server: Server) -> None:
    """It is waited for, and its choice is taken."""
    server.codecs = ()
    async with Room(browser=server.browser) as room:
        await room.connect(URL, "token")
        server.answers_tracks = False
        publishing = asyncio.ensure_future(camera(room, TrackPublishOptions(video_codec="vp9")))
        request = await server.heard(m.AddTrackRequest)
        chosen = (m.SimulcastCodecInfo("video/H264", cid=request.cid),)
        info = m.TrackInfo("TR_1", request.type, source=request.source, codecs=chosen)
        await server.say(m.TrackPublishedResponse(request.cid, info))
        publication = await publishing
        assert sender_of(publication).codec == "video/h264"
        assert [encoding.rid for encoding in sender_of(publication).encodings] == ["q", "h", "f"]
        assert sender_of(publication).encodings[0] == Encoding("q", True, 160_000, 20, 4.0)


# -- once more ---------------------------------------------------------------------------------------------------------


async def test_everything_once_more(room: Room, server: Server) -> None:
    """The same publications with new sids; devices that are on are opened anew, what is the user's stays."""
    publication = await camera(room)
    own = await room.local_participant.publish_track(server.browser.make_track("audio"))
    muted = await microphone(room)
    await muted.mute()
    before = [each.sid for each in (publication, own, muted)]
    told: list[tuple[str, str]] = []
    for name in ("local_track_unpublished", "local_track_published", "local_track_republished"):
        room.on(name, lambda each, *rest, name=name: told.append((name, each.source.name)))
    natives = [each.track.media_stream_track for each in (publication, own, muted)]
    await room.local_participant.republish_all_tracks(TrackPublishOptions(simulcast=False))
    after = [each.sid for each in (publication, own, muted)]
    assert not set(before) & set(after)
    assert dict(room.local_participant.track_publications) == {each.sid: each for each in (publication, own, muted)}
    same = [each.track.media_stream_track in natives for each in (publication, own, muted)]
    assert same == [False, True, True]
    assert [encoding.rid for encoding in sender_of(publication).encodings] == [None]
    assert publication.options.simulcast is False and publication.options.video_codec == "vp8"
    assert [name for name, source in told if source == "CAMERA"] == [
        "local_track_unpublished",
        "local_track_published",
        "local_track_republished",
    ]
    await room.local_participant.republish_all_tracks(restart_tracks=False)
    assert publication.sid not in after and len(live(server)) == 2


async def test_what_is_not_taken_once_more(room: Room, server: Server) -> None:
    """It is not published any more; the others are."""
    publication = await camera(room)
    sound = await microphone(room)
    server.refused_sources = {TrackSource.CAMERA}
    with pytest.raises(PublishTrackError):
        await room.local_participant.republish_all_tracks()
    assert list(room.local_participant.track_publications.values()) == [sound]
    assert publication.track._sender is None and len(live(server)) == 1


async def test_the_connection_breaks_meanwhile(room: Room, server: Server) -> None:
    """Everything is published again on the next one, once."""
    publication = await camera(room)
    server.browser.media_devices.hold()
    again = asyncio.ensure_future(room.local_participant.republish_all_tracks())
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    server.break_connection()
    await room.wait_for("reconnected", timeout=5)
    server.browser.media_devices.release()
    await again
    assert list(room.local_participant.track_publications.values()) == [publication]
    assert sender_of(publication).native is live(server)[0] and len(live(server)) == 1
    assert server.pc is not None
    await until(lambda: len([t for t in server.pc.transceivers if t.remote and t.remote.source]) == 1)  # type: ignore[union-attr]


async def test_unpublishing_several(room: Room, server: Server) -> None:
    publication = await camera(room)
    sound = await microphone(room)
    gone = await room.local_participant.unpublish_tracks([publication.sid, sound.track, "TR_nothing"])
    assert gone == [publication, sound]
    assert not room.local_participant.track_publications and live(server) == []
