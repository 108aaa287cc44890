"""What our own user may ask for: too much at once, too large, what is no text; and what the server says too often."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lk_pyodide import PublishDataError, Room, SignalRequestError, UsageError, local_profile
from lk_pyodide import UnexpectedConnectionState as NotConnected
from lk_pyodide.core import messages as m
from lk_pyodide.core.reliable import MAX_PACKET_SIZE
from lk_pyodide.errors import ConnectionLostError
from lk_pyodide.types import ParticipantState
from tests.room.hostile import join, works
from tests.room.server import Server, participant, until

# -- sending -----------------------------------------------------------------------------------------------------------


def reliable(room: Room) -> Any:
    """The channel for what must arrive."""
    assert room._context.connection is not None
    return room._context.connection._require_connection()._channels._out["_reliable"]


async def test_ten_thousand_packets_without_waiting(room: Room, server: Server) -> None:
    """A kilobyte each: all arrive, in order, and the channel never has more than a megabyte to send."""
    await join(room, server)
    me = room.local_participant
    await me.publish_data(b"opens the channel")
    channel = reliable(room).channel
    most = 0
    sending = asyncio.gather(*(me.publish_data(f"{number:1000}") for number in range(10_000)))
    while not sending.done():
        most = max(most, channel.buffered_amount)
        await asyncio.sleep(0)
    await sending
    await until(lambda: len(server.packets) == 10_001, turns=3000)
    values = [packet.value for packet in server.packets[1:] if isinstance(packet.value, m.UserPacket)]
    assert [int(value.payload) for value in values] == list(range(10_000))
    assert [packet.sequence for packet in server.packets] == list(range(1, 10_002))
    assert 900_000 < most < 1_100_000
    await works(room, server)


@pytest.mark.parametrize("is_reliable", [True, False])
async def test_sizes(room: Room, server: Server, is_reliable: bool) -> None:
    """What is more than browsers and servers pass on is refused, and not a byte of it sent."""
    await join(room, server)
    me = room.local_participant
    for size in (MAX_PACKET_SIZE, 65_535, 65_536, 100_000_000):
        with pytest.raises(PublishDataError, match="64000 bytes at most"):
            await me.publish_data(bytes(size), reliable=is_reliable)
    await me.publish_data(bytes(MAX_PACKET_SIZE - 100), reliable=is_reliable)
    await until(lambda: server.packets)
    assert len(server.packets) == 1
    await works(room, server)


async def test_a_channel_that_closes(room: Room, server: Server) -> None:
    """Who waits is told, and so is whoever comes later; nobody hangs."""
    await join(room, server)
    me = room.local_participant
    await me.publish_data(b"opens the channel")
    async with reliable(room).turn:
        waiting = [asyncio.create_task(me.publish_data(b"x")) for _ in range(100)]
        await asyncio.sleep(0)
        reliable(room).on_close()
    done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert {type(error) for error in done} == {PublishDataError}
    for attempt in (me.publish_data(b"x"), me.send_text("x"), me.send_bytes(b"x")):
        with pytest.raises(PublishDataError, match="closed"):
            await asyncio.wait_for(attempt, 5)
    await me.publish_data(b"lossy", reliable=False)
    await room.disconnect()
    with pytest.raises(NotConnected):
        await me.publish_data(b"x")


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "half a character": lambda me: me.publish_data("\ud800"),
    "a number": lambda me: me.publish_data(5),
    "nothing": lambda me: me.publish_data(None),
    "numbers": lambda me: me.publish_data([1, 2]),
    "half a topic": lambda me: me.publish_data(b"x", topic="\udfff"),
    "a topic that is none": lambda me: me.publish_data(b"x", topic=5),
    "half a receiver": lambda me: me.publish_data(b"x", destination_identities=["\ud800"]),
    "a receiver that is none": lambda me: me.publish_data(b"x", destination_identities=[5]),
    "one receiver": lambda me: me.publish_data(b"x", destination_identities="ada"),
    "half a text": lambda me: me.send_text("\ud800"),
    "a text's topic": lambda me: me.send_text("x", topic="\ud800"),
    "a text's attribute": lambda me: me.send_text("x", attributes={"a": "\ud800"}),
    "a text's receiver": lambda me: me.send_text("x", destination_identities=["\ud800"]),
    "a file's name": lambda me: me.send_bytes(b"x", name="\ud800"),
    "a stream's id": lambda me: me.stream_bytes("x", stream_id="\ud800"),
    "metadata": lambda me: me.set_metadata("\ud800"),
    "metadata that is none": lambda me: me.set_metadata(None),
    "a name": lambda me: me.set_name("\udfff"),
    "a name that is none": lambda me: me.set_name(5),
    "an attribute": lambda me: me.set_attributes({"a": "\ud800"}),
    "an attribute's name": lambda me: me.set_attributes({"\ud800": "a"}),
    "an attribute that is none": lambda me: me.set_attributes({"a": None}),
    "attributes that are none": lambda me: me.set_attributes(None),
    "too much metadata": lambda me: me.set_metadata("x" * local_profile.MAX_REQUEST),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_what_cannot_be_said(room: Room, server: Server, mistake: str) -> None:
    """It is the user's mistake, told at the call; nothing is sent, and nothing breaks."""
    await join(room, server)
    with pytest.raises(UsageError):
        await asyncio.wait_for(MISTAKES[mistake](room.local_participant), 3)
    assert server.packets == []
    assert not [message for message in server.received if isinstance(message, m.UpdateParticipantMetadata)]
    await works(room, server)


# -- what others are told of us ----------------------------------------------------------------------------------------

STRINGS = [
    "",
    "ä" * 1000,
    "🦊👩‍👩‍👧",
    "שלום \u202e‮",
    "a\x00b",
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "\ufeff\uffff",
    "x" * 400_000,
]


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
async def test_texts_come_back_as_they_are(room: Room, server: Server, text: str) -> None:
    """Whatever they are."""
    await join(room, server)
    me = room.local_participant
    await me.set_metadata(text)
    await me.set_name(text)
    await me.set_attributes({"a": text, text or "b": "c"})
    assert (me.metadata, me.name, me.attributes["a"]) == (text, text, text)
    await server.say(m.ParticipantUpdate((participant("ada", version=2, metadata=text, name=text),)))
    ada = room.remote_participants["ada"]
    await until(lambda: ada.name == text)
    assert ada.metadata == text
    await works(room, server)


@pytest.mark.parametrize("what", ["metadata", "name", "attributes"])
async def test_what_the_server_does_not_take(room: Room, server: Server, what: str) -> None:
    """livekit-server says LIMIT_EXCEEDED; we are what we were."""
    await join(room, server)
    take = server._take

    async def refuse(message: m.ClientMessage) -> None:
        if isinstance(message, m.UpdateParticipantMetadata):
            await server.say(m.RequestResponse(message.request_id, m.RequestReason.LIMIT_EXCEEDED, "exceeds limits"))
        else:
            await take(message)

    server._take = refuse  # type: ignore[method-assign]
    me = room.local_participant
    change: dict[str, Callable[[], Any]] = {
        "metadata": lambda: me.set_metadata("x" * (512 * 1024 + 1)),
        "name": lambda: me.set_name("x" * 257),
        "attributes": lambda: me.set_attributes({"a": "x" * 64 * 1024}),
    }
    with pytest.raises(SignalRequestError) as caught:
        await asyncio.wait_for(change[what](), 3)
    assert caught.value.reason == "LIMIT_EXCEEDED"
    assert (me.metadata, me.name, dict(me.attributes)) == ("", "", {})
    await works(room, server)


async def test_a_change_that_breaks_the_connection(room: Room, server: Server) -> None:
    """A server that hangs up on it is not asked for ever."""
    await join(room, server)

    async def hang_up(message: m.ClientMessage) -> None:
        if isinstance(message, m.UpdateParticipantMetadata):
            server.break_connection()

    take = server._take

    async def both(message: m.ClientMessage) -> None:
        await hang_up(message)
        await take(message)

    server._take = both  # type: ignore[method-assign]
    with pytest.raises(ConnectionLostError):
        await asyncio.wait_for(room.local_participant.set_metadata("x" * 1_500_000), 15)
    assert server.joins == local_profile.MAX_ATTEMPTS
    again = room.wait_for("reconnected", timeout=5)
    await again
    assert room.isconnected()


async def test_fifty_thousand_updates(room: Room, server: Server) -> None:
    """Of one, and of many who come and go: what is left is what is there."""
    await join(room, server)
    names: list[str] = []
    room.on("participant_name_changed", lambda _, __, new: names.append(new))
    connection = room._context.connection
    assert connection is not None
    for number in range(1000):
        update = [participant("ada", version=10 + number, name=f"{number}.{part}") for part in range(5)]
        connection.on_message(m.ParticipantUpdate(tuple(update)))
        here = [participant(f"p{number % 10}-{part}") for part in range(25)]
        gone = [m.ParticipantInfo(who.sid, who.identity, ParticipantState.DISCONNECTED, version=9) for who in here[:20]]
        connection.on_message(m.ParticipantUpdate((*here, *gone)))
    assert len(names) == 5000
    assert len(room.remote_participants) == 2 + 50
    roster = room._updates._roster
    assert len(roster.remotes) == len(roster._identities) == 2 + 50
    assert room.remote_participants["ada"].name == "999.4"
    await works(room, server)
