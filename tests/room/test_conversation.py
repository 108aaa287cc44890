"""Chats and transcripts, in the ways in which others write them."""

import asyncio
import json

import pytest

from lk_pyodide import (
    Chat,
    DataStreamError,
    Room,
    RoomDisconnectedError,
    TranscriptionSegment,
    Transcripts,
)
from lk_pyodide import events as ev
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantKind
from tests.room.server import URL, Server, participant, track, until

ADA = participant("ada", track("TR_ada"), kind=ParticipantKind.AGENT, attributes={"lk.agent.state": "listening"})


async def join(room: Room, server: Server) -> None:
    server.others = [ADA, participant("bob", attributes={"lk.agent.state": "no agent"})]
    await room.connect(URL, "token")


def say(server: Server, value: m.PacketValue, sender: str = "ada") -> None:
    server.send_packet(m.DataPacket(value, participant_identity=sender))


def write(server: Server, stream_id: str, topic: str, *pieces: str, end: bool = True, **attributes: str) -> None:
    """Ada sends a text, piece by piece."""
    named = {f"lk.{name}": value for name, value in attributes.items()}
    header = DataStream.Header(stream_id, 5, topic, "text/plain", attributes=named, text_header=DataStream.TextHeader())
    say(server, header)
    for number, piece in enumerate(pieces):
        say(server, DataStream.Chunk(stream_id, number, piece.encode()))
    if end:
        say(server, DataStream.Trailer(stream_id))


# -- chat --------------------------------------------------------------------------------------------------------------


async def test_messages_of_all_kinds(room: Room, server: Server) -> None:
    """Streams, packets of components-core, and packets of livekit-client; with each, who wrote it."""
    await join(room, server)
    chat = Chat(room)
    told: list[tuple[str, str, str]] = []
    chat.on("chat_message", lambda message, who: told.append((who.identity, message.id, message.message)))
    write(server, "1", "lk.chat", "Hal", "lo 🦊")
    write(server, "2", "lk.chat")
    older = {"id": "3", "timestamp": 7, "message": "old"}
    say(server, m.UserPacket(payload=json.dumps(older).encode(), topic="lk-chat-topic"), "bob")
    say(server, m.UserPacket(payload=json.dumps(older | {"ignoreLegacy": True}).encode(), topic="lk-chat-topic"))
    say(server, m.UserPacket(payload=json.dumps(older).encode(), topic="another"))
    say(server, m.UserPacket(payload=b"{", topic="lk-chat-topic"))
    say(server, m.ChatMessage("4", 5, 0, "packet"))
    await until(lambda: ("ada", "4", "packet") in told and ("ada", "2", "") in told)
    await until(lambda: len(told) == 5)
    assert sorted(told) == [
        ("ada", "1", "Hal"),
        ("ada", "1", "Hallo 🦊"),
        ("ada", "2", ""),
        ("ada", "4", "packet"),
        ("bob", "3", "old"),
    ]
    assert {event.message.message for event in chat.messages} == {"Hallo 🦊", "", "old", "packet"}
    assert {event.message.timestamp for event in chat.messages} == {5, 7}
    chat.close()


async def test_a_message_of_ours(room: Room, server: Server) -> None:
    """Those who read streams get it as one, older clients as a packet; we have it too."""
    await join(room, server)
    chat = Chat(room)
    message = await chat.send("Hallo 🦊", attributes={"mood": "good"}, destination_identities=["ada"])
    assert [(event.message, event.participant) for event in chat.messages] == [(message, room.local_participant)]
    await until(lambda: any(isinstance(packet.value, m.UserPacket) for packet in server.packets))
    *stream, packet = server.packets
    header = stream[0].value
    assert isinstance(header, DataStream.Header)
    assert (header.topic, header.stream_id, header.attributes) == ("lk.chat", message.id, {"mood": "good"})
    assert isinstance(packet.value, m.UserPacket)
    assert packet.value.topic == "lk-chat-topic"
    assert json.loads(packet.value.payload)["ignoreLegacy"] is True
    assert {each.destination_identities for each in server.packets} == {("ada",)}
    waiting = asyncio.create_task(chat.wait_for(ev.ChatMessageReceived))
    await asyncio.sleep(0)
    await room.disconnect()
    with pytest.raises(RoomDisconnectedError):
        await waiting
    chat.close()


async def test_a_long_text_is_not_told_again_and_again(room: Room, server: Server) -> None:
    await join(room, server)
    chat = Chat(room)
    told: list[ev.ChatMessageReceived] = []
    chat.on(ev.ChatMessageReceived, told.append)
    write(server, "1", "lk.chat", *["x" * 15_000] * 40)
    await until(lambda: chat.messages and len(chat.messages[0].message.message) == 600_000)
    assert len(told) <= 6
    chat.close()


async def test_one_chat_at_a_time(room: Room) -> None:
    chat = Chat(room)
    with pytest.raises(DataStreamError, match=r"lk\.chat"):
        Chat(room)
    chat.close()
    chat.close()
    Chat(room).close()


async def test_a_closed_chat_hears_nothing(room: Room, server: Server) -> None:
    await join(room, server)
    chat = Chat(room)
    chat.close()
    say(server, m.ChatMessage("4", 5, 0, "packet"))
    await room.wait_for(ev.ChatMessageReceived, timeout=5)
    assert chat.messages == []


async def test_a_thousand_messages_are_kept(room: Room, server: Server) -> None:
    await join(room, server)
    chat = Chat(room)
    for number in range(1005):
        say(server, m.ChatMessage(f"{number}", 5, 0, "x"))
    await until(lambda: chat.messages and chat.messages[-1].message.id == "1004")
    assert [event.message.id for event in chat.messages][:2] == ["5", "6"]
    assert len(chat.messages) == 1000
    chat.close()


# -- transcripts -------------------------------------------------------------------------------------------------------


async def test_what_is_said(room: Room, server: Server) -> None:
    """As streams and as packets; the same id puts another text in place."""
    await join(room, server)
    transcripts = Transcripts(room)
    told: list[ev.TranscriptionReceived] = []
    transcripts.on(ev.TranscriptionReceived, told.append)
    write(server, "1", "lk.transcription", "Ein", segment_id="a", transcription_final="false")
    write(
        server,
        "2",
        "lk.transcription",
        "Ein Fuchs",
        segment_id="a",
        transcription_final="true",
        transcribed_track_id="TR_ada",
    )
    say(server, m.Transcription("me", "", (m.TranscriptionSegment("b", "Hallo", final=True),)), "ada")
    await until(lambda: len(told) == 3)
    ada = room.remote_participants["ada"]
    by_id = {segment.id: (who, segment) for who, segment in transcripts.segments}
    assert by_id == {
        "a": (ada, TranscriptionSegment("a", "Ein Fuchs")),
        "b": (room.local_participant, TranscriptionSegment("b", "Hallo")),
    }
    streamed = [event for event in told if event.participant is ada]
    assert [event.segments[0].final for event in streamed] == [False, True]
    assert [event.publication for event in streamed] == [None, ada.track_publications["TR_ada"]]
    transcripts.close()


async def test_what_we_say(room: Room, server: Server) -> None:
    await join(room, server)
    transcripts = Transcripts(room)
    await transcripts.send(TranscriptionSegment("a", "Ein Fuchs", final=False), track_sid="TR_1")
    await until(lambda: server.packets)
    header = server.packets[0].value
    assert isinstance(header, DataStream.Header)
    assert header.topic == "lk.transcription"
    assert header.attributes == {
        "lk.segment_id": "a",
        "lk.transcription_final": "false",
        "lk.transcribed_track_id": "TR_1",
    }
    transcripts.close()


# -- agents ------------------------------------------------------------------------------------------------------------


async def test_the_state_of_an_agent(room: Room, server: Server) -> None:
    await join(room, server)
    ada, bob = room.remote_participants["ada"], room.remote_participants["bob"]
    assert (ada.is_agent, ada.agent_state) == (True, "listening")
    assert (bob.is_agent, bob.agent_state) == (False, "")
    assert room.local_participant.agent_state == ""
    thinking = participant("ada", kind=ParticipantKind.AGENT, attributes={"lk.agent.state": "thinking"}, version=2)
    await server.say(m.ParticipantUpdate((thinking,)))
    event = await room.wait_for(ev.ParticipantAttributesChanged, timeout=5)
    assert event.changed_attributes == {"lk.agent.state": "thinking"}
    assert ada.agent_state == "thinking"
