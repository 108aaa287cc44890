"""A second codec for those who cannot decode the first: sent when somebody needs it, and then like the first."""

import asyncio

import pytest

from lk_pyodide import BackupVideoCodec, LocalTrackPublication, Room, RoomOptions, TrackPublishOptions, VideoEncoding
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.core import messages as m
from lk_pyodide.types import BackupCodecPolicy, TrackSource, VideoCodec, VideoQuality
from tests.room.server import URL, Server, until


@pytest.fixture(autouse=True)
def _all_codecs(server: Server) -> None:
    server.codecs = ("video/VP8", "video/H264", "video/VP9", "video/AV1", "audio/opus")


def wants(sid: str, **codecs: bool) -> m.SubscribedQualityUpdate:
    """Somebody watches these codecs, or nobody does any more; where somebody does, the two best layers."""

    def qualities(watched: bool) -> tuple[m.SubscribedQuality, ...]:
        return tuple(m.SubscribedQuality(each, watched and each != VideoQuality.LOW) for each in VideoQuality)

    listed = [m.SubscribedCodec(codec, qualities(watched)) for codec, watched in codecs.items()]
    return m.SubscribedQualityUpdate(sid, subscribed_codecs=tuple(listed))


async def publish(room: Room, options: TrackPublishOptions | None = None) -> LocalTrackPublication:
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(
        True, publish_options=options or TrackPublishOptions(video_codec="vp9")
    )
    assert publication is not None
    return publication


def second(publication: LocalTrackPublication) -> FakeSender | None:
    backup = publication.track._sending.backup
    sender = None if backup is None else backup.sender
    assert sender is None or isinstance(sender, FakeSender)
    return sender


async def have_second(server: Server, publication: LocalTrackPublication) -> FakeSender:
    """Both codecs are sent."""
    await server.say(wants(publication.sid, vp9=True, vp8=True))
    await until(lambda: second(publication) is not None)
    sender = second(publication)
    assert sender is not None
    await until(lambda: [each.rid for each in sender.encodings if each.active] == ["h", "f"])
    return sender


def first(publication: LocalTrackPublication) -> FakeSender:
    sender = publication.track._sender
    assert isinstance(sender, FakeSender)
    return sender


def sent(server: Server) -> list[FakeMediaStreamTrack]:
    """What arrives at the server and is live."""
    assert server.pc is not None
    sources = [t.remote.source for t in server.pc.transceivers if t.remote is not None]
    return [source for source in sources if source is not None and source.ready_state == "live"]


async def test_it_is_sent_when_somebody_needs_it(room: Room, server: Server) -> None:
    options = TrackPublishOptions(
        video_codec=VideoCodec.VP9,
        backup_codec=BackupVideoCodec(encoding=VideoEncoding(700_000, 20)),
        backup_codec_policy=BackupCodecPolicy.SIMULCAST,
        simulcast=True,
    )
    publication = await publish(room, options)
    assert room.options.dynacast, "or nobody would tell that it is needed"
    request = await server.heard(m.AddTrackRequest)
    assert request.simulcast_codecs == (m.SimulcastCodec("vp9", request.cid), m.SimulcastCodec("vp8"))
    assert request.backup_codec_policy == BackupCodecPolicy.SIMULCAST
    assert first(publication).codec == "video/vp9"
    assert [each.scalability_mode for each in first(publication).encodings] == ["L3T3_KEY"]
    await server.say(wants(publication.sid, vp9=True, vp8=False))
    await server.say(wants(publication.sid, vp9=True))
    sender = await have_second(server, publication)
    request = await server.heard(m.AddTrackRequest, 2)
    assert sender.native is not None and sender.native is not first(publication).native
    assert (request.sid, request.cid) == (publication.sid, sender.native.id)
    assert sender.codec == "video/vp8"
    assert [each.max_bitrate for each in sender.encodings][-1] == 700_000
    assert len(sent(server)) == 2
    await server.say(wants(publication.sid, vp9=False, vp8=True))
    await until(lambda: not first(publication).encodings[0].active)
    await server.say(wants(publication.sid, vp9=True, vp8=False))
    await until(lambda: first(publication).encodings[0].active and not any(each.active for each in sender.encodings))


async def test_one_of_it(room: Room, server: Server) -> None:
    """However often it is asked for."""
    publication = await publish(room)
    for _ in range(5):
        room._updates.on_message(wants(publication.sid, vp9=True, vp8=True))
    await have_second(server, publication)
    assert len(sent(server)) == 2
    assert len([each for each in server.received if isinstance(each, m.AddTrackRequest)]) == 2


@pytest.mark.parametrize(
    "options",
    [
        TrackPublishOptions(video_codec="vp9", backup_codec=False),
        TrackPublishOptions(video_codec="vp8"),
    ],
    ids=["not wanted", "vp8"],
)
async def test_none(server: Server, options: TrackPublishOptions) -> None:
    """Nor is dynacast turned on for it; the room's own defaults say so, too."""
    async with Room(RoomOptions(publish_defaults=options), browser=server.browser) as room:
        publication = await publish(room, TrackPublishOptions())
        assert not room.options.dynacast
        room.options.dynacast = True
        await server.say(wants(publication.sid, vp9=True, vp8=True, h264=True))
        await server.say(m.RoomUpdate(m.Room("RM_1", "fake", metadata="last")))
        await until(lambda: room.metadata == "last")
        assert second(publication) is None and len(sent(server)) == 1


async def test_another_than_was_announced(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The server knows why."""
    publication = await publish(room)
    await server.say(wants(publication.sid, vp9=True, h264=True))
    await until(lambda: second(publication) is not None)
    sender = second(publication)
    assert sender is not None and sender.codec == "video/h264"
    assert "h264 as a second codec, not vp8" in caplog.text


async def test_mute(room: Room, server: Server) -> None:
    """The camera is off, for both; then both have it again."""
    publication = await publish(room)
    sender = await have_second(server, publication)
    await publication.mute()
    assert sent(server) == []
    await publication.unmute()
    assert len(sent(server)) == 2 and all(native.enabled for native in sent(server))
    assert sender.native is not None and sender.native in first(publication).native.clones  # type: ignore[union-attr]


async def test_a_track_of_the_users_own(room: Room, server: Server) -> None:
    """It is silent in both while muted; in the end only the clone is ended."""
    native = server.browser.make_track("video")
    await room.connect(URL, "token")
    publication = await room.local_participant.publish_track(native, TrackPublishOptions(video_codec="av1"))
    await server.say(wants(publication.sid, av1=True, vp8=True))
    await until(lambda: second(publication) is not None)
    [clone] = native.clones
    await publication.mute()
    assert (native.enabled, clone.enabled) == (False, False)
    await publication.unmute()
    assert (native.enabled, clone.enabled) == (True, True)
    await room.local_participant.unpublish_track(publication.sid)
    assert (native.ready_state, clone.ready_state) == ("live", "ended")
    await until(lambda: sent(server) == [])


async def test_replacing_and_pausing(room: Room, server: Server) -> None:
    """Both send the other track; both send nothing while paused."""
    publication = await publish(room)
    sender = await have_second(server, publication)
    other = server.browser.make_track("video")
    await publication.track.replace_track(other)
    assert sent(server) == [other, *other.clones]
    await publication.track.pause_upstream()
    assert (first(publication).native, sender.native) == (None, None)
    another = server.browser.make_track("video")
    await publication.track.replace_track(another)
    assert (first(publication).native, sender.native) == (None, None)
    await publication.track.resume_upstream()
    assert sent(server) == [another, *another.clones]
    assert [clone.ready_state for clone in other.clones] == ["ended"]


async def test_degradation(room: Room, server: Server) -> None:
    publication = await publish(room)
    sender = await have_second(server, publication)
    track = publication.video_track
    assert track is not None
    await track.set_degradation_preference("balanced")
    assert [each.degradation_preference for each in (first(publication), sender)] == ["balanced"] * 2
    await track.set_publishing_quality(VideoQuality.MEDIUM)
    assert [each.rid for each in sender.encodings if each.active] == ["h"]
    assert first(publication).encodings[0].active, "a stream of an SVC codec is whole"


async def test_on_another_connection(room: Room, server: Server) -> None:
    """It comes when it is needed there."""
    publication = await publish(room)
    await have_second(server, publication)
    before = publication.sid
    clones = first(publication).native.clones  # type: ignore[union-attr]
    server.break_connection()
    await room.wait_for("local_track_republished", timeout=5)
    assert publication.sid != before
    assert second(publication) is None and [clone.ready_state for clone in clones] == ["ended"]
    await until(lambda: len(sent(server)) == 1)
    await have_second(server, publication)
    await until(lambda: len(sent(server)) == 2)


async def test_unpublishing_while_it_begins(room: Room, server: Server) -> None:
    publication = await publish(room)
    server.answers_tracks = False
    await server.say(wants(publication.sid, vp9=True, vp8=True))
    request = await server.heard(m.AddTrackRequest, 2)
    unpublishing = asyncio.ensure_future(room.local_participant.unpublish_track(publication.sid))
    await server.say(m.TrackPublishedResponse(request.cid, m.TrackInfo(publication.sid)))
    await unpublishing
    await until(lambda: sent(server) == [])
    assert room.local_participant.get_track_publication(TrackSource.CAMERA) is None


async def test_muting_while_it_begins(room: Room, server: Server) -> None:
    """No camera stays on."""
    publication = await publish(room)
    server.answers_tracks = False
    await server.say(wants(publication.sid, vp9=True, vp8=True))
    request = await server.heard(m.AddTrackRequest, 2)
    await publication.mute()
    captured = server.browser.media_devices.captured
    assert [each.ready_state for native in captured for each in (native, *native.clones)] == ["ended"] * 2
    await server.say(m.TrackPublishedResponse(request.cid, m.TrackInfo(publication.sid)))
    await publication.unmute()
    await until(lambda: len(sent(server)) == 2)


async def test_refused(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The first codec goes on, and it is tried again at the server's next word."""
    publication = await publish(room)
    server.refused_sources = {TrackSource.CAMERA}
    await server.say(wants(publication.sid, vp9=True, vp8=True))
    await until(lambda: "cannot be sent in vp8" in caplog.text)
    assert len(sent(server)) == 1
    server.refused_sources = set()
    await have_second(server, publication)


async def test_leaving(room: Room, server: Server) -> None:
    publication = await publish(room)
    await have_second(server, publication)
    await room.disconnect()
    captured = server.browser.media_devices.captured
    assert {each.ready_state for native in captured for each in (native, *native.clones)} == {"ended"}
