"""Data tracks of others, with a server that plays everybody else."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from lk_pyodide import (
    DataTrackFrame,
    DataTrackInfo,
    DataTrackPublished,
    DataTrackStream,
    DataTrackUnpublished,
    DeadlineExceeded,
    ParticipantConnected,
    RemoteDataTrack,
    Room,
    RoomDisconnectedError,
    SubscribeDataTrackError,
    SubscribeDataTrackErrorReason,
    remote_data_tracks,
)
from lk_pyodide.core import messages as m
from lk_pyodide.core.data_track_frames import Packetizer
from lk_pyodide.core.data_track_packets import Encryption, Marker, Packet
from lk_pyodide.types import EncryptionType, ParticipantState
from tests.room.server import URL, Server, participant, until
from tests.room.test_reconnect import back, recorded

FAST = DataTrackFrame(b"fast")

# -- theirs ------------------------------------------------------------------------------------------------------------


def ada(*infos: m.DataTrackInfo, version: int = 1) -> m.ParticipantInfo:
    return participant("ada", version=version, data_tracks=infos)


FIRST = m.DataTrackInfo(7, "DTR_a", "first")
GONE = m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9)


async def join(room: Room, server: Server) -> RemoteDataTrack:
    """Find a data track of ada's."""
    server.others = [ada(FIRST)]
    await room.connect(URL, "token")
    return room.remote_participants["ada"].data_tracks["first"]


class Sender:
    """Sends frames of a track to the client, with the handle that it has there."""

    def __init__(self, server: Server, sid: str = FIRST.sid) -> None:
        self._server = server
        self._sid = sid
        self._packetizer = Packetizer(1)

    def send(self, payload: bytes, timestamp: int | None = None, *, leave_out: int = -1) -> None:
        self._packetizer.handle = self._server.handles[self._sid]
        for index, packet in enumerate(self._packetizer.packets(payload, 0, timestamp) or ()):
            if index != leave_out:
                self._server.send_track_packet(packet)


async def subscribed(server: Server, count: int = 1) -> Sender:
    """Wait until the client has asked for so many changes, and has got the handles."""
    await server.heard(m.UpdateDataSubscription, count)
    return Sender(server)


async def read(stream: DataTrackStream) -> DataTrackFrame | None:
    return await asyncio.wait_for(stream.read(), 5)


async def test_subscribing(room: Room, server: Server) -> None:
    """One stream, with frames large and small, to its end."""
    track = await join(room, server)
    assert track.info == DataTrackInfo("DTR_a", "first", uses_e2ee=False)
    assert track.publisher_identity == "ada"
    assert repr(track) == "<RemoteDataTrack 'first' DTR_a of 'ada'>"
    assert track.is_published()
    stream = track.subscribe()
    sender = await subscribed(server)
    assert server.received[-1] == m.UpdateDataSubscription((m.UpdateDataSubscription.Update("DTR_a", True),))
    large = bytes(range(256)) * 800
    await until(lambda: not stream._buffer.is_pending)
    sender.send(b"x")
    sender.send(large, leave_out=3)
    sender.send(large, 12345)
    sender.send(b"", 0)
    assert await read(stream) == DataTrackFrame(b"x")
    assert await read(stream) == DataTrackFrame(large, 12345)
    assert await read(stream) == DataTrackFrame(b"", 0)
    sender.send(b"last")
    await until(lambda: stream._buffer._frames)
    told = asyncio.ensure_future(room.wait_for(DataTrackUnpublished, timeout=5))
    await asyncio.sleep(0)
    await server.say(m.ParticipantUpdate((ada(version=2),)))
    assert (await told).sid == "DTR_a"
    assert not track.is_published()
    assert "first" not in room.remote_participants["ada"].data_tracks
    assert [frame async for frame in stream] == [DataTrackFrame(b"last")], "what had come can be read"
    assert await read(stream) is None
    with pytest.raises(SubscribeDataTrackError) as caught:
        await track.subscribe().read()
    assert caught.value.reason is SubscribeDataTrackErrorReason.UNPUBLISHED
    assert len([a for a in server.received if isinstance(a, m.UpdateDataSubscription)]) == 1, "the server knows"


async def test_several_streams(room: Room, server: Server) -> None:
    """The server is asked once, and told when the last of them is closed, or forgotten."""
    track = await join(room, server)
    one, two = track.subscribe(), track.subscribe()
    sender = await subscribed(server)
    await until(lambda: not one._buffer.is_pending)
    three = track.subscribe()
    assert not three._buffer.is_pending
    sender.send(b"x")
    assert [await read(stream) for stream in (one, two, three)] == [DataTrackFrame(b"x")] * 3
    one.close()
    await three.aclose()
    three.close()
    assert await read(one) is None
    sender.send(b"y")
    assert await read(two) == DataTrackFrame(b"y")
    assert len([a for a in server.received if isinstance(a, m.UpdateDataSubscription)]) == 1
    del two
    gc.collect()
    last = await server.heard(m.UpdateDataSubscription, 2)
    assert last == m.UpdateDataSubscription((m.UpdateDataSubscription.Update("DTR_a", False),))
    again = track.subscribe()
    sender = await subscribed(server, 3)
    await until(lambda: not again._buffer.is_pending)
    sender.send(b"z")
    assert await read(again) == DataTrackFrame(b"z")


async def test_a_stream_that_is_closed_while_it_is_read(room: Room, server: Server) -> None:
    stream = (await join(room, server)).subscribe()
    reading = [asyncio.ensure_future(stream.read()) for _ in range(2)]
    await asyncio.sleep(0)
    stream.close()
    assert await asyncio.wait_for(asyncio.gather(*reading), 5) == [None, None]


async def test_reading_too_slowly(room: Room, server: Server) -> None:
    """Each stream keeps as many as it may; the newest are dropped, and counted."""
    track = await join(room, server)
    streams = [track.subscribe(buffer_size=size) for size in (0, 2, None)]
    sender = await subscribed(server)
    await until(lambda: not streams[0]._buffer.is_pending)
    for number in range(20):
        sender.send(bytes([number]))
    await until(lambda: streams[2].dropped == 4)
    assert [stream.dropped for stream in streams] == [19, 18, 4]
    for stream, size in zip(streams, (1, 2, 16), strict=True):
        assert [(await read(stream)) for _ in range(size)] == [DataTrackFrame(bytes([n])) for n in range(size)]
    sender.send(b"and on")
    assert [await read(stream) for stream in streams] == [DataTrackFrame(b"and on")] * 3


async def test_incomplete_frames(room: Room, server: Server) -> None:
    """How many there may be can be said before and after subscribing."""
    track = await join(room, server)
    track.set_pipeline_options()
    track.set_pipeline_options(max_partial_frames=2)
    stream = track.subscribe()
    await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    packetizer = Packetizer(server.handles["DTR_a"], mtu=13)

    def mix(count: int) -> None:
        some = [packetizer.packets(b"ab", 0) or [] for _ in range(count)]
        for index in range(2):
            for packets in some:
                server.send_track_packet(packets[index])

    mix(2)
    assert [await read(stream), await read(stream)] == [DataTrackFrame(b"ab")] * 2
    track.set_pipeline_options(max_partial_frames=0)  # is one
    mix(2)
    assert await read(stream) == DataTrackFrame(b"ab")
    packet = packetizer.packets(b"z", 0)
    assert packet is not None
    server.send_track_packet(packet[0])
    assert await read(stream) == DataTrackFrame(b"z"), "the first of the two was not put together"


async def test_a_server_that_does_not_give_it(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_data_tracks, "SUBSCRIBE_TIMEOUT", 0.05)
    track = await join(room, server)
    server.grants_data_tracks = False
    streams = [track.subscribe(), track.subscribe()]
    for stream in streams:
        for _ in range(2):
            with pytest.raises(SubscribeDataTrackError) as caught:
                await read(stream)
            assert caught.value.reason is SubscribeDataTrackErrorReason.TIMEOUT
    assert (await server.heard(m.UpdateDataSubscription, 2)).updates[0].subscribe is False
    server.grants_data_tracks = True
    stream = track.subscribe()
    sender = await subscribed(server, 3)
    await until(lambda: not stream._buffer.is_pending)
    sender.send(b"x")
    assert await read(stream) == DataTrackFrame(b"x")


async def test_it_is_gone_before_it_is_given(room: Room, server: Server) -> None:
    track = await join(room, server)
    server.grants_data_tracks = False
    stream = track.subscribe()
    await server.say(m.ParticipantUpdate((ada(version=2),)))
    with pytest.raises(SubscribeDataTrackError) as caught:
        await read(stream)
    assert caught.value.reason is SubscribeDataTrackErrorReason.UNPUBLISHED


async def test_an_encrypted_track(room: Room, server: Server) -> None:
    server.others = [ada(m.DataTrackInfo(7, "DTR_a", "first", EncryptionType.GCM))]
    await room.connect(URL, "token")
    track = room.remote_participants["ada"].data_tracks["first"]
    assert track.info.uses_e2ee
    with pytest.raises(SubscribeDataTrackError, match="encrypted") as caught:
        await read(track.subscribe())
    assert caught.value.reason is SubscribeDataTrackErrorReason.INTERNAL


async def test_the_publisher_leaves(room: Room, server: Server) -> None:
    """Before it goes its tracks do, and with them the streams."""
    track = await join(room, server)
    stream = track.subscribe()
    await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    names = recorded(room)
    await server.say(m.ParticipantUpdate((GONE,)))
    assert await read(stream) is None
    assert names == ["data_track_unpublished", "participant_disconnected"]
    assert not track.is_published()


async def test_we_leave(room: Room, server: Server) -> None:
    """Streams that stood end; those that did not are told why."""
    server.others = [ada(FIRST, m.DataTrackInfo(8, "DTR_b", "second"))]
    await room.connect(URL, "token")
    tracks = room.remote_participants["ada"].data_tracks
    stream = tracks["first"].subscribe()
    await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    server.grants_data_tracks = False
    pending = tracks["second"].subscribe()
    deferred = asyncio.ensure_future(tracks.get_deferred("third"))
    reading = [asyncio.ensure_future(each.read()) for each in (stream, pending)]
    await asyncio.sleep(0)
    await room.disconnect()
    assert await reading[0] is None
    with pytest.raises(SubscribeDataTrackError) as caught:
        await reading[1]
    assert caught.value.reason is SubscribeDataTrackErrorReason.DISCONNECTED
    with pytest.raises(RoomDisconnectedError):
        await deferred
    assert pending._buffer._timer is None


async def test_subscribing_at_the_very_end(room: Room, server: Server) -> None:
    """While the room is being left, by us or by the server, it is the stream that says so."""
    track = await join(room, server)
    await server.say(m.LeaveRequest(action=m.LeaveAction.DISCONNECT))
    reasons = set[SubscribeDataTrackErrorReason]()
    while room.isconnected():
        stream = track.subscribe()
        if not stream._buffer.is_open:
            with pytest.raises(SubscribeDataTrackError) as caught:
                await stream.read()
            reasons.add(caught.value.reason)
        stream.close()
        await asyncio.sleep(0)
    assert reasons == {SubscribeDataTrackErrorReason.DISCONNECTED}


async def test_two_of_a_name(room: Room, server: Server) -> None:
    """No server lets that be; the streams of both end with the room all the same."""
    server.others = [ada(FIRST, m.DataTrackInfo(8, "DTR_b", "first"))]
    tracks = list[RemoteDataTrack]()
    room.on(DataTrackPublished, lambda event: tracks.append(event.track))
    await room.connect(URL, "token")
    streams = [track.subscribe() for track in tracks]
    assert len(streams) == 2
    await subscribed(server, 2)
    await until(lambda: not streams[1]._buffer.is_pending)
    await room.disconnect()
    assert [await read(stream) for stream in streams] == [None, None]


async def test_another_connection_of_ours(room: Room, server: Server) -> None:
    """Streams end, as with livekit-client; the tracks are published anew, as new objects."""
    track = await join(room, server)
    stream = track.subscribe()
    await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    names = recorded(room)
    server.handles.clear()
    await back(room, server)
    assert await read(stream) is None
    await until(lambda: "first" in room.remote_participants["ada"].data_tracks)
    assert names == [
        "data_track_unpublished",
        "participant_disconnected",
        "reconnecting",
        "reconnected",
        "participant_connected",
        "data_track_published",
    ]
    stream = room.remote_participants["ada"].data_tracks["first"].subscribe()
    sender = await subscribed(server, 2)
    await until(lambda: not stream._buffer.is_pending)
    sender.send(b"x")
    assert await read(stream) == DataTrackFrame(b"x")


async def test_another_sid(room: Room, server: Server) -> None:
    """The publisher had to publish it again: streams go on, and nobody notices."""
    track = await join(room, server)
    track.set_pipeline_options(max_partial_frames=3)
    stream = track.subscribe()
    await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    names = recorded(room)
    await server.say(m.ParticipantUpdate((ada(m.DataTrackInfo(7, "DTR_b", "first"), version=2),)))
    last = await server.heard(m.UpdateDataSubscription, 2)
    assert last == m.UpdateDataSubscription((m.UpdateDataSubscription.Update("DTR_b", True),))
    await until(lambda: "DTR_b" in server.handles)
    Sender(server, "DTR_b").send(b"x")
    assert await read(stream) == DataTrackFrame(b"x")
    assert track.info.sid == "DTR_b"
    assert room.remote_participants["ada"].data_tracks["first"] is track
    assert names == []
    await server.say(m.ParticipantUpdate((ada(m.DataTrackInfo(8, "DTR_c", "first"), version=3),)))
    assert await read(stream) is None, "with another handle it is another track"
    assert names == ["data_track_published", "data_track_unpublished"]
    assert room.remote_participants["ada"].data_tracks["first"].info.sid == "DTR_c"


async def test_handles_are_given_out_anew(room: Room, server: Server) -> None:
    server.others = [ada(FIRST, m.DataTrackInfo(8, "DTR_b", "second"))]
    await room.connect(URL, "token")
    tracks = room.remote_participants["ada"].data_tracks
    streams = [tracks["first"].subscribe(), tracks["second"].subscribe()]
    await subscribed(server, 2)
    await until(lambda: not streams[1]._buffer.is_pending)
    first, second = server.handles["DTR_a"], server.handles["DTR_b"]
    server.handles = {"DTR_a": second, "DTR_b": first}
    seen = asyncio.ensure_future(room.wait_for("room_updated", timeout=5))
    await asyncio.sleep(0)
    await server.say_handles()
    await server.say(m.RoomUpdate(m.Room("RM_1", "fake")))
    await seen
    Sender(server, "DTR_a").send(b"a")
    Sender(server, "DTR_b").send(b"b")
    assert [await read(stream) for stream in streams] == [DataTrackFrame(b"a"), DataTrackFrame(b"b")]


async def test_what_is_told(room: Room, server: Server) -> None:
    """Those that are there already, too, as both of LiveKit's clients do; and each after its participant."""
    told = list[str]()
    room.on(DataTrackPublished, lambda event: told.append(f"{event.track.publisher_identity} {event.track.info.name}"))
    room.on(ParticipantConnected, lambda event: told.append(event.participant.identity))
    streams = list[DataTrackStream]()
    room.once(DataTrackPublished, lambda event: streams.append(event.track.subscribe()))
    server.others = [ada(FIRST)]
    await room.connect(URL, "token")
    assert told == ["ada first"]
    await until(lambda: not streams[0]._buffer.is_pending)
    await server.say(m.ParticipantUpdate((ada(FIRST, m.DataTrackInfo(8, "DTR_b", "second"), version=2),)))
    await server.say(m.ParticipantUpdate((participant("bob", data_tracks=(m.DataTrackInfo(1, "DTR_x", "x"),)),)))
    await until(lambda: len(told) == 4)
    assert told == ["ada first", "ada second", "bob", "bob x"]
    assert list(room.remote_participants["ada"].data_tracks) == ["first", "second"]
    assert len(room.remote_participants["ada"].data_tracks) == 2


async def test_waiting_for_a_track(room: Room, server: Server) -> None:
    track = await join(room, server)
    tracks = room.remote_participants["ada"].data_tracks
    assert await tracks.get_deferred("first") is track
    waiting = [asyncio.ensure_future(tracks.get_deferred("second")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    with pytest.raises(DeadlineExceeded):
        await tracks.get_deferred("second", timeout=0.01)
    await server.say(m.ParticipantUpdate((ada(FIRST, m.DataTrackInfo(8, "DTR_b", "second"), version=2),)))
    assert await asyncio.wait_for(waiting[1], 5) is await waiting[2] is tracks["second"]
    third = asyncio.ensure_future(tracks.get_deferred("third"))
    await asyncio.sleep(0)
    await server.say(m.ParticipantUpdate((GONE,)))
    for again in (third, tracks.get_deferred("third")):
        with pytest.raises(SubscribeDataTrackError) as caught:
            await asyncio.wait_for(again, 5)
        assert caught.value.reason is SubscribeDataTrackErrorReason.DISCONNECTED


async def test_hostile_packets(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """None of it raises, is kept, or is told to anybody; what is meant for us still arrives."""
    track = await join(room, server)
    stream = track.subscribe()
    sender = await subscribed(server)
    await until(lambda: not stream._buffer.is_pending)
    handle = server.handles["DTR_a"]
    good = (Packetizer(handle).packets(b"x", 0) or [])[0]
    subscription = room._updates._data_tracks._subscriptions._subscriptions["DTR_a"]
    bad: list[bytes] = [b"", b"\xff", good[:5], b"\xe0" + good[1:], good[:2] + b"\0\0" + good[4:]]
    bad += [b"\x1c" + good[1:12] + b"\xff\xff", good + bytes(64_000), good[:2] + b"\xff\xff" + good[4:]]
    bad.append(Packet(handle, Marker.SINGLE, 0, 0, 0, b"?", e2ee=Encryption(0, bytes(12))).encode())
    for data in bad:
        server.send_track_packet(data)
    endless = Packetizer(handle, mtu=20)
    for _ in range(200):  # frames that begin, and never end; each takes the place of the one before
        for packet in (endless.packets(bytes(1024), 0) or [])[:-1]:
            server.send_track_packet(packet)
    sender.send(b"still here")
    assert await read(stream) == DataTrackFrame(b"still here")
    assert not subscription.frames._partials
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_packets_that_nobody_asked_for(room: Room, server: Server) -> None:
    """Before there is a track, and after there was one."""
    await room.connect(URL, "token")
    server.send_track_packet((Packetizer(1).packets(b"x", 0) or [])[0])
    await server.say(m.DataTrackSubscriberHandles({1: m.DataTrackSubscriberHandles.PublishedDataTrack("a", "b", "c")}))
    server.send_track_packet((Packetizer(1).packets(b"x", 0) or [])[0])
    seen = asyncio.ensure_future(room.wait_for("room_updated", timeout=5))
    await asyncio.sleep(0)
    await server.say(m.RoomUpdate(m.Room("RM_1", "fake")))
    await seen
    assert room.isconnected()


# -- frames ------------------------------------------------------------------------------------------------------------


def test_timestamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds since 1970, as the Rust core has them."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_123_999_999)
    monkeypatch.setattr(time, "time", lambda: 1_700_000_001.123)
    frame = DataTrackFrame(b"x").with_user_timestamp_now()
    assert frame == DataTrackFrame(b"x", 1_700_000_000_123)
    assert frame.duration_since_timestamp() == pytest.approx(1.0)
    assert DataTrackFrame(b"x").duration_since_timestamp() is None
    assert DataTrackFrame(b"x", 1_700_000_002_000).duration_since_timestamp() is None
    assert DataTrackFrame(b"x", 2**64 - 1).duration_since_timestamp() is None
    assert repr(frame) == "DataTrackFrame(user_timestamp=1700000000123)", "the payload is nobody's business"
