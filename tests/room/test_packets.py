"""Data packets that are whole in themselves: keys of a telephone, transcriptions, chat, metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lk_pyodide import (
    ChatMessage,
    DataPacketKind,
    PublishDataError,
    PublishDTMFError,
    PublishTranscriptionError,
    Room,
    RpcError,
    Transcription,
    TranscriptionSegment,
    UsageError,
)
from lk_pyodide import events as ev
from lk_pyodide.core import messages as m
from tests.room.server import URL, Server, participant, track, until


async def join(room: Room, server: Server) -> None:
    """Join ada, who has a camera."""
    server.others = [participant("ada", track("TR_ada"))]
    await room.connect(URL, "token")


def say(server: Server, value: m.PacketValue, sender: str = "ada") -> None:
    """Somebody sends a packet."""
    server.send_packet(m.DataPacket(value, participant_identity=sender))


async def sent(server: Server) -> m.DataPacket:
    """The packet that we sent."""
    await until(lambda: server.packets)
    [packet] = server.packets
    server.packets.clear()
    return packet


# -- telephone keys ----------------------------------------------------------------------------------------------------


async def test_keys(room: Room, server: Server) -> None:
    await join(room, server)
    await room.local_participant.publish_dtmf(code=11, digit="#")
    packet = await sent(server)
    assert packet.value == m.SipDTMF(11, "#")
    assert (packet.kind, packet.sequence) == (DataPacketKind.RELIABLE, 1)
    say(server, m.SipDTMF(7, "7"))
    assert (await room.wait_for(ev.SipDTMFReceived, timeout=5)).sip_dtmf == ev.SipDTMF(
        7, "7", room.remote_participants["ada"]
    )
    say(server, m.SipDTMF(8, "8"), sender="")
    assert (await room.wait_for(ev.SipDTMFReceived, timeout=5)).sip_dtmf.participant is None
    with pytest.raises(UsageError, match="SipDTMF.code"):
        await room.local_participant.publish_dtmf(code=-1, digit="#")


# -- transcription -----------------------------------------------------------------------------------------------------


async def test_transcriptions(room: Room, server: Server) -> None:
    """Ours goes out as it is; theirs comes with who spoke and in which track, whoever sent it."""
    await join(room, server)
    ours = TranscriptionSegment("s", "Füchse", 5, 9, "de", True)
    await room.local_participant.publish_transcription(Transcription("me", "TR_1", [ours]))
    packet = await sent(server)
    assert packet.value == m.Transcription("me", "TR_1", (m.TranscriptionSegment("s", "Füchse", 5, 9, True, "de"),))
    with pytest.raises(UsageError, match="which track"):
        await room.local_participant.publish_transcription(Transcription("me", "", [ours]))
    said: list[ev.TranscriptionReceived] = []
    room.on(ev.TranscriptionReceived, said.append)
    for is_final in (False, True, False):
        segment = m.TranscriptionSegment("x", "Ein", 1, 2, is_final, "de")
        say(server, m.Transcription("ada", "TR_ada", (segment,)))
    say(server, m.Transcription("me", "TR_nothing", ()))
    say(server, m.Transcription("nobody", "TR_ada", ()))
    await until(lambda: len(said) == 5)
    ada = room.remote_participants["ada"]
    assert [event.participant for event in said] == [ada, ada, ada, room.local_participant, None]
    assert [event.publication and event.publication.sid for event in said] == ["TR_ada"] * 3 + [None] * 2
    interim, final, another = (event.segments[0] for event in said[:3])
    assert interim == TranscriptionSegment("x", "Ein", 1, 2, "de", False)
    assert final == replace(interim, final=True)
    assert interim.first_received_time == final.first_received_time
    assert another.first_received_time != final.first_received_time, "an id is new after the final segment"
    assert final.last_received_time is not None
    assert final.last_received_time <= datetime.now(UTC)


async def test_segments_that_never_become_final_are_forgotten(room: Room, server: Server) -> None:
    await join(room, server)
    for number in range(1100):
        say(server, m.Transcription("ada", "TR_ada", (m.TranscriptionSegment(f"{number}"),)))
    said: list[ev.TranscriptionReceived] = []
    room.on(ev.TranscriptionReceived, said.append)
    say(server, m.Transcription("ada", "TR_ada", (m.TranscriptionSegment("last", final=True),)))
    await until(lambda: said and said[-1].segments[0].id == "last")
    assert len(room._updates._data._first_received) == 1000


# -- chat --------------------------------------------------------------------------------------------------------------


async def test_chat(room: Room, server: Server) -> None:
    """Our messages are told here too, theirs with their sender; an edit has the same id."""
    await join(room, server)
    heard: list[tuple[ChatMessage, object]] = []
    room.on("chat_message", lambda message, sender: heard.append((message, sender)))
    me = room.local_participant
    message = await me.send_chat_message("Hallo 🦊")
    assert (await sent(server)).value == m.ChatMessage(message.id, message.timestamp, None, "Hallo 🦊")
    assert abs(message.timestamp / 1000 - datetime.now(UTC).timestamp()) < 60
    edited = await me.edit_chat_message("Hallo!", message)
    assert (await sent(server)).value == m.ChatMessage(message.id, message.timestamp, edited.edit_timestamp, "Hallo!")
    assert edited.edit_timestamp is not None
    assert edited == ChatMessage(message.id, message.timestamp, "Hallo!", edited.edit_timestamp)
    say(server, m.ChatMessage("1", 5, 0, "von Ada"))
    say(server, m.ChatMessage("1", 5, 6, "von Ada selbst"))
    await until(lambda: len(heard) == 4)
    ada = room.remote_participants["ada"]
    assert heard == [
        (message, me),
        (edited, me),
        (ChatMessage("1", 5, "von Ada"), ada),
        (ChatMessage("1", 5, "von Ada selbst", 6), ada),
    ]


# -- metrics -----------------------------------------------------------------------------------------------------------


async def test_metrics(room: Room, server: Server) -> None:
    await join(room, server)
    batch = m.MetricsBatch(
        7, ("a",), (m.TimeSeriesMetric(1, samples=(m.MetricSample(5, 0.5),)),), (m.EventMetric(2, end_timestamp_ms=9),)
    )
    say(server, batch)
    event = await room.wait_for(ev.MetricsReceived, timeout=5)
    assert (event.metrics, event.participant) == (batch, room.remote_participants["ada"])


# -- who may not -------------------------------------------------------------------------------------------------------


async def test_what_the_server_would_drop_is_an_error(room: Room, server: Server) -> None:
    """A token without ``can_publish_data``: the server says nothing, so we do."""
    server.permission = replace(server.permission, can_publish_data=False)
    await join(room, server)
    me = room.local_participant
    tries: list[tuple[Callable[[], Awaitable[object]], type[Exception]]] = [
        (lambda: me.publish_data(b"x"), PublishDataError),
        (lambda: me.publish_dtmf(code=1, digit="1"), PublishDTMFError),
        (lambda: me.publish_transcription(Transcription("me", "TR_1", ())), PublishTranscriptionError),
        (lambda: me.send_chat_message("x"), PublishDataError),
        (lambda: me.send_text("x"), PublishDataError),
        (lambda: me.stream_bytes("x"), PublishDataError),
        (lambda: me.send_bytes(b"x"), PublishDataError),
    ]
    for attempt, error in tries:
        with pytest.raises(error, match="can_publish_data"):
            await asyncio.wait_for(attempt(), 5)
    with pytest.raises(RpcError) as caught:
        await me.perform_rpc(destination_identity="ada", method="x", payload="")
    assert caught.value.code == RpcError.ErrorCode.SEND_FAILED
    assert server.packets == []


# -- how full a channel is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DataPacketKind.RELIABLE, DataPacketKind.LOSSY])
async def test_a_channel_that_fills_is_told_once_and_once_when_it_has_emptied(
    room: Room, server: Server, kind: DataPacketKind
) -> None:
    await join(room, server)
    told: list[tuple[bool, DataPacketKind]] = []
    room.on("dc_buffer_status_changed", lambda is_low, kind: told.append((is_low, kind)))
    for _ in range(4):
        await room.local_participant.publish_data(bytes(40_000), reliable=kind == DataPacketKind.RELIABLE)
    await until(lambda: len(told) >= 2)
    await until(lambda: len(server.packets) == 4)
    assert told == [(False, kind), (True, kind)]
    await room.local_participant.publish_data(b"little", reliable=kind == DataPacketKind.RELIABLE)
    await until(lambda: len(server.packets) == 5)
    assert len(told) == 2
