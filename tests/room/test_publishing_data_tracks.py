"""Data tracks of ours, with a server that plays everybody else."""

from __future__ import annotations

import asyncio

import pytest

from lk_pyodide import (
    ConnectionState,
    DataTrackFrame,
    DataTrackInfo,
    DeadlineExceeded,
    LocalDataTrack,
    LocalDataTrackPublished,
    LocalDataTrackUnpublished,
    PublishDataTrackError,
    PublishDataTrackErrorReason,
    PushFrameError,
    PushFrameErrorReason,
    Reconnecting,
    Room,
    RoomDisconnectedError,
    UnexpectedConnectionState,
    UsageError,
)
from lk_pyodide.browser.fake.websocket import FakeServerSocket
from lk_pyodide.core import messages as m
from lk_pyodide.core import recovery
from lk_pyodide.core.data_track_frames import MAX_PACKETS, MTU, Depacketizer, Frame
from lk_pyodide.core.data_track_packets import Packet
from lk_pyodide.session import data_tracks
from tests.room.server import URL, Server, until
from tests.room.test_reconnect import back, recorded

FAST = DataTrackFrame(b"fast")

# -- publishing, pushing, taking back ---------------------------------------------------------------------------------


async def publish(room: Room, server: Server, name: str = "t") -> LocalDataTrack:
    await room.connect(URL, "token")
    return await room.local_participant.publish_data_track(name=name)


def frames(server: Server, handle: int = 1) -> list[Frame]:
    """What the server has received on a track of ours."""
    depacketizer = Depacketizer()
    packets = [packet for packet in map(Packet.decode, server.track_packets) if packet.handle == handle]
    return [frame for frame in map(depacketizer.push, packets) if frame is not None]


async def got(server: Server, count: int) -> list[Frame]:
    await until(lambda: len(frames(server)) >= count)
    return frames(server)


async def test_publishing(room: Room, server: Server) -> None:
    """One after the other, under handles of their own; frames, large and small; and no more."""
    await room.connect(URL, "token")
    told = list[LocalDataTrack | str]()
    room.on(LocalDataTrackPublished, lambda event: told.append(event.track))
    room.on(LocalDataTrackUnpublished, lambda event: told.append(event.sid))
    track = await room.local_participant.publish_data_track(name="first")
    second = await room.local_participant.publish_data_track(name="second")
    asked = [message for message in server.received if isinstance(message, m.PublishDataTrackRequest)]
    assert asked == [m.PublishDataTrackRequest(1, "first"), m.PublishDataTrackRequest(2, "second")]
    assert track.info == DataTrackInfo("DTR_1", "first", uses_e2ee=False)
    assert repr(track) == "<LocalDataTrack 'first' DTR_1>"
    assert track.is_published()
    large = bytes(range(256)) * 800
    like_bytes = DataTrackFrame(bytearray(b"x"))  # type: ignore[arg-type]
    for frame in (FAST, DataTrackFrame(large, 2**64 - 1), DataTrackFrame(b"", 0), like_bytes):
        track.try_push(frame)
    expected = [Frame(b"fast"), Frame(large, 2**64 - 1), Frame(b"", 0), Frame(b"x")]
    assert await got(server, 4) == expected
    await track.unpublish()
    await track.unpublish()
    assert await server.heard(m.UnpublishDataTrackRequest) == m.UnpublishDataTrackRequest(1)
    assert len([a for a in server.received if isinstance(a, m.UnpublishDataTrackRequest)]) == 1
    assert (track.is_published(), second.is_published()) == (False, True)
    assert track.info.name == "first", "it is still known what it was"
    with pytest.raises(PushFrameError) as caught:
        track.try_push(FAST)
    assert caught.value.reason is PushFrameErrorReason.TRACK_UNPUBLISHED
    third = await room.local_participant.publish_data_track(name="first")
    assert await server.heard(m.PublishDataTrackRequest) == m.PublishDataTrackRequest(3, "first")
    assert told == [track, second, "DTR_1", third]


REFUSALS = {
    m.RequestReason.NOT_ALLOWED: PublishDataTrackErrorReason.NOT_ALLOWED,
    m.RequestReason.DUPLICATE_NAME: PublishDataTrackErrorReason.DUPLICATE_NAME,
    m.RequestReason.INVALID_NAME: PublishDataTrackErrorReason.INVALID_NAME,
    m.RequestReason.LIMIT_EXCEEDED: PublishDataTrackErrorReason.LIMIT_REACHED,
    m.RequestReason.INVALID_HANDLE: PublishDataTrackErrorReason.UNKNOWN,
}


@pytest.mark.parametrize(("theirs", "ours"), REFUSALS.items())
async def test_refusals(room: Room, server: Server, theirs: m.RequestReason, ours: PublishDataTrackErrorReason) -> None:
    await room.connect(URL, "token")
    server.refused_data_tracks = {"t": theirs}
    with pytest.raises(PublishDataTrackError, match="not that") as caught:
        await room.local_participant.publish_data_track(name="t")
    assert caught.value.reason is ours
    assert (await room.local_participant.publish_data_track(name="other")).is_published()


async def test_a_server_that_knows_no_data_tracks(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_tracks, "PUBLISH_TIMEOUT", 0.05)
    await room.connect(URL, "token")
    server.answers_data_tracks = False
    with pytest.raises(PublishDataTrackError, match="old server") as caught:
        await room.local_participant.publish_data_track(name="t")
    assert caught.value.reason is PublishDataTrackErrorReason.TIMEOUT
    assert await server.heard(m.UnpublishDataTrackRequest) == m.UnpublishDataTrackRequest(1)
    server.answers_data_tracks = True
    track = await room.local_participant.publish_data_track(name="t")
    server.answers_data_tracks = False
    with pytest.raises(DeadlineExceeded):
        await track.unpublish()
    assert not track.is_published()


async def test_publishing_that_is_cancelled(room: Room, server: Server) -> None:
    """The server is told, and its late answer is nobody's."""
    await room.connect(URL, "token")
    server.answers_data_tracks = False
    publishing = asyncio.ensure_future(room.local_participant.publish_data_track(name="t"))
    await server.heard(m.PublishDataTrackRequest)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert await server.heard(m.UnpublishDataTrackRequest) == m.UnpublishDataTrackRequest(1)
    await server.say(m.PublishDataTrackResponse(m.DataTrackInfo(1, "DTR_late", "t")))
    await server.say(m.PublishDataTrackResponse())
    server.answers_data_tracks = True
    track = await room.local_participant.publish_data_track(name="t")
    await server.heard(m.PublishDataTrackRequest, 2)
    assert track.info.sid != "DTR_late"
    assert room.local_participant._data_tracks._asked_for == set()


async def test_not_connected(room: Room, server: Server) -> None:
    with pytest.raises(UnexpectedConnectionState):
        await room.local_participant.publish_data_track(name="t")
    track = await publish(room, server)
    await room.disconnect()
    assert not track.is_published()
    with pytest.raises(PushFrameError) as caught:
        track.try_push(FAST)
    assert caught.value.reason is PushFrameErrorReason.TRACK_UNPUBLISHED
    await track.flush()
    await track.unpublish()


async def test_leaving_while_publishing(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    server.answers_data_tracks = False
    publishing = asyncio.ensure_future(room.local_participant.publish_data_track(name="t"))
    await server.heard(m.PublishDataTrackRequest)
    await room.disconnect()
    with pytest.raises(PublishDataTrackError) as caught:
        await publishing
    assert caught.value.reason is PublishDataTrackErrorReason.DISCONNECTED
    assert isinstance(caught.value.__cause__, RoomDisconnectedError)


@pytest.mark.parametrize("turns", range(12))
async def test_leaving_just_when_it_is_published(room: Room, server: Server, turns: int) -> None:
    """Wherever it stands: either nobody got the track, or it is published no more; and the next room has none."""
    await room.connect(URL, "token")
    publishing = asyncio.ensure_future(room.local_participant.publish_data_track(name="t"))
    for _ in range(turns):
        await asyncio.sleep(0)
    leaving = asyncio.ensure_future(room.disconnect())
    try:
        track = await publishing
        await leaving
        assert not track.is_published()
    except PublishDataTrackError as error:
        assert error.reason is PublishDataTrackErrorReason.DISCONNECTED
    except (UnexpectedConnectionState, RoomDisconnectedError):
        assert turns < 2
    await leaving
    assert not room.local_participant._data_tracks._published
    assert not room.local_participant._data_tracks._asked_for


@pytest.mark.parametrize(
    "frame",
    [
        DataTrackFrame("text"),  # type: ignore[arg-type]
        DataTrackFrame(b"", -1),
        DataTrackFrame(b"", 2**64),
        DataTrackFrame(bytes(MAX_PACKETS * (MTU - 12) + 1)),
    ],
    ids=["no bytes", "negative", "65 bits", "too large"],
)
async def test_what_is_no_frame(room: Room, server: Server, frame: DataTrackFrame) -> None:
    track = await publish(room, server)
    with pytest.raises(UsageError):
        track.try_push(frame)
    track.try_push(FAST)
    assert await got(server, 1) == [Frame(b"fast")]


async def test_pushing_too_fast(room: Room, server: Server) -> None:
    """What the channel does not take is dropped as whole frames, until it has drained."""
    track = await publish(room, server)
    frame = DataTrackFrame(bytes(100_000))
    for _ in range(3):  # until more than 256 kB are waiting
        track.try_push(frame)
    with pytest.raises(PushFrameError) as caught:
        track.try_push(frame)
    assert caught.value.reason is PushFrameErrorReason.DROPPED
    await track.flush()
    await got(server, 2)
    track.try_push(FAST)
    await track.flush()
    assert [len(frame.payload) for frame in await got(server, 4)] == [100_000] * 3 + [4]


async def test_flushing_when_there_is_nothing(room: Room, server: Server) -> None:
    track = await publish(room, server)
    await asyncio.wait_for(track.flush(), 1)


async def test_the_connection_breaks_while_flushing(room: Room, server: Server) -> None:
    track = await publish(room, server)
    assert server.pc is not None
    track.try_push(DataTrackFrame(bytes(100_000)))
    flushing = asyncio.ensure_future(track.flush())
    await asyncio.sleep(0)
    server.break_connection()
    await asyncio.wait_for(flushing, 5)


async def test_the_server_unpublishes(room: Room, server: Server) -> None:
    """Because we may not publish data any more, say."""
    track = await publish(room, server)
    told = asyncio.ensure_future(room.wait_for(LocalDataTrackUnpublished, timeout=5))
    await asyncio.sleep(0)
    await server.say(m.UnpublishDataTrackResponse(m.DataTrackInfo(1, track.info.sid, "t")))
    assert (await told).sid == track.info.sid
    assert not track.is_published()
    await server.say(m.UnpublishDataTrackResponse(m.DataTrackInfo(77)))
    await server.say(m.UnpublishDataTrackResponse())


async def test_unpublishing_what_the_server_has_not(room: Room, server: Server) -> None:
    track = await publish(room, server)
    server.answers_data_tracks = False
    unpublishing = asyncio.ensure_future(track.unpublish())
    request = await server.heard(m.UnpublishDataTrackRequest)
    await server.say(m.RequestResponse(0, m.RequestReason.NOT_FOUND, unpublish_data_track=request))
    await asyncio.wait_for(unpublishing, 5)


# -- ours, on another connection ---------------------------------------------------------------------------------------


async def test_republishing(room: Room, server: Server) -> None:
    """The same tracks with the same handles and new sids; nothing is told of it."""
    track = await publish(room, server, "first")
    second = await room.local_participant.publish_data_track(name="second")
    sids = {track.info.sid, second.info.sid}
    track.try_push(FAST)
    await got(server, 1)
    names = recorded(room)
    meanwhile = list[PushFrameErrorReason]()

    @room.on("reconnecting")
    def push() -> None:
        assert track.is_published()
        with pytest.raises(PushFrameError) as caught:
            track.try_push(FAST)
        meanwhile.append(caught.value.reason)

    await back(room, server)
    assert meanwhile == [PushFrameErrorReason.DROPPED]
    assert names == ["reconnecting", "reconnected"]
    asked = [message for message in server.received if isinstance(message, m.PublishDataTrackRequest)]
    assert asked[2:] == asked[:2]
    assert (track.info.name, second.info.name) == ("first", "second")
    assert not sids & {track.info.sid, second.info.sid}
    track.try_push(DataTrackFrame(b"again"))
    assert (await got(server, 2))[1] == Frame(b"again")
    assert (await room.local_participant.publish_data_track(name="third")).is_published()
    assert await server.heard(m.PublishDataTrackRequest) == m.PublishDataTrackRequest(3, "third")


async def test_a_track_that_is_not_taken_again(room: Room, server: Server) -> None:
    track = await publish(room, server, "first")
    second = await room.local_participant.publish_data_track(name="second")
    names, sid = recorded(room), track.info.sid
    gone = list[str]()
    room.on(LocalDataTrackUnpublished, lambda event: gone.append(event.sid))
    server.refused_data_tracks = {"first": m.RequestReason.NOT_ALLOWED}
    await back(room, server)
    assert (track.is_published(), second.is_published()) == (False, True)
    assert gone == [sid]
    assert names == ["reconnecting", "local_data_track_unpublished", "reconnected"]


async def test_publishing_that_is_under_way(room: Room, server: Server) -> None:
    """The connection breaks before the server has answered: it is published on the next one."""
    await room.connect(URL, "token")
    server.answers_data_tracks = False
    publishing = asyncio.ensure_future(room.local_participant.publish_data_track(name="t"))
    await server.heard(m.PublishDataTrackRequest)
    server.answers_data_tracks = True
    await back(room, server)
    track = await asyncio.wait_for(publishing, 5)
    track.try_push(FAST)
    assert await got(server, 1) == [Frame(b"fast")]


async def test_unpublishing_meanwhile(room: Room, server: Server) -> None:
    """What is taken back while the connection is away is not published again."""
    track = await publish(room, server)
    room.on("reconnecting", track.unpublish)
    await back(room, server)
    assert not track.is_published()
    assert len([a for a in server.received if isinstance(a, m.PublishDataTrackRequest)]) == 1


async def test_unpublishing_while_tracks_are_published_again(room: Room, server: Server) -> None:
    """The server has been asked for it already: it is told right after."""
    track = await publish(room, server)
    second = await room.local_participant.publish_data_track(name="second")
    again = asyncio.ensure_future(room.wait_for("reconnected", timeout=10))
    await asyncio.sleep(0)
    server.answers_data_tracks = False
    server.break_connection()
    await server.heard(m.PublishDataTrackRequest, 4)
    assert room.state is ConnectionState.RECONNECTING
    assert (track.is_published(), second.is_published()) == (True, True)
    for each in (track, second):
        with pytest.raises(PushFrameError, match="made anew"):
            each.try_push(FAST)
    unpublishing = asyncio.ensure_future(track.unpublish())
    await server.heard(m.UnpublishDataTrackRequest)
    await server.say(m.PublishDataTrackResponse(m.DataTrackInfo(1, "DTR_new1", "t")))
    await server.say(m.UnpublishDataTrackResponse(m.DataTrackInfo(1, "DTR_new1", "t")))
    await server.say(m.PublishDataTrackResponse(m.DataTrackInfo(2, "DTR_new2", "second")))
    await asyncio.wait_for(unpublishing, 5)
    await again
    assert not track.is_published()
    assert second.info.sid == "DTR_new2"


async def test_what_is_unpublished_just_then(room: Room, server: Server) -> None:
    """After it was decided to publish it again, and before the server was asked."""
    await publish(room, server)
    tracks = room.local_participant._data_tracks
    again = asyncio.ensure_future(tracks.republish())
    await asyncio.sleep(0)
    tracks.unpublished_by_server(1)
    await again
    assert len([a for a in server.received if isinstance(a, m.PublishDataTrackRequest)]) == 1


async def test_the_next_connection_breaks_too(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is published again: it is once more, on the one after that."""
    monkeypatch.setattr(recovery, "DELAYS", (0.0,) * 5)
    track = await publish(room, server)
    again = asyncio.ensure_future(room.wait_for("reconnected", timeout=10))
    await asyncio.sleep(0)
    server.answers_data_tracks = False
    server.break_connection()
    await server.heard(m.PublishDataTrackRequest, 2)
    server.answers_data_tracks = True
    server.break_connection()
    await again
    assert track.is_published()
    track.try_push(FAST)
    assert await got(server, 1) == [Frame(b"fast")]


async def _drop(socket: FakeServerSocket) -> None:
    socket.drop()


async def test_no_other_connection(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to publish meanwhile is told that the room has ended."""
    monkeypatch.setattr(recovery, "DELAYS", (0.0,) * 2)
    track = await publish(room, server)
    server.refusals = [_drop] * 2
    publishing = list[asyncio.Future[LocalDataTrack]]()
    me = room.local_participant
    room.on(Reconnecting, lambda _: publishing.append(asyncio.ensure_future(me.publish_data_track(name="x"))))
    ended = asyncio.ensure_future(room.wait_for("disconnected", timeout=5))
    await asyncio.sleep(0)
    server.break_connection()
    await ended
    with pytest.raises(PublishDataTrackError) as caught:
        await publishing[0]
    assert caught.value.reason is PublishDataTrackErrorReason.DISCONNECTED
    assert not track.is_published()
