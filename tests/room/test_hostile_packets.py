"""Hostile packets: what is no packet, what comes twice, what says that it is somebody else's."""

import asyncio
import random
from typing import Any

import pytest

from lk_pyodide import DataReceived, Room
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from tests.room.hostile import MB, flood, join, packet, quiet, spending, works
from tests.room.server import Server, until

FLOOD = 100_000
USER = packet(m.UserPacket(payload=b"x" * 100))

RUBBISH: dict[str, bytes | str] = {
    "bytes": b"\xff\xff rubbish",
    "cut short": USER[:-1],
    "64 kB": b"\xff" * 64_000,
    "64 kB that begin well": USER + b"\xff" * 64_000,
    "a text": "text",
    "a text that is a packet": '{"user": {"payload": ""}}',
    "no UTF-8": b"\x22\x02\xff\xff",
    "a group": b"\x0b" * 1000,
    "nothing": b"",
    "an unknown value": b"\xfa\x7f\x02ab",
}
UNSEEN = ("nothing", "an unknown value")
"""These are packets, of which a later version may know more."""


@pytest.mark.parametrize("kind", RUBBISH)
async def test_rubbish(room: Room, server: Server, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is dropped and counted, and the channel stays."""
    await join(room, server)
    events = room.events()
    async with quiet(caplog, lines=10):
        with spending() as spent:
            flood(server, (RUBBISH[kind] for _ in range(1000)))
    assert len(caplog.records) == (0 if kind in UNSEEN else 10)
    assert spent.peak < MB and spent.kept < 100_000
    assert not events._queue
    await works(room, server)


async def test_a_flood_of_rubbish(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A hundred thousand, of which the log has a few lines, and their number."""
    await join(room, server)
    kinds = [data for data in RUBBISH.values() if len(data) < 1000]
    async with quiet(caplog, lines=60):
        flood(server, (kinds[number % len(kinds)] for number in range(FLOOD)))
    assert "(10 so far)" in caplog.records[9].message
    assert room._context.connection is not None
    assert room._context.connection._require_connection()._channels._rubbish.count >= FLOOD * 6 // 10
    await works(room, server)


async def test_bytes_by_chance(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Packets with some of their bits turned over, on every channel."""
    await join(room, server)
    chance = random.Random(1)
    header = DataStream.Header("s", topic="lk.rpc_request", attributes={"a": "b"}, text_header=DataStream.TextHeader())
    values: list[Any] = [header, DataStream.Chunk("s", 0, b"x"), DataStream.Trailer("s"), m.RpcRequest("1", "m", "p")]
    originals = [USER, *map(packet, values), packet(m.RpcAck("1")), packet(m.RpcResponse("1", payload="x"))]

    def bent() -> bytes:
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data)

    async with quiet(caplog, lines=200):
        for label in ("_reliable", "_lossy", "_data_track"):
            flood(server, (bent() for _ in range(5000)), label)
        await asyncio.sleep(0)
    await works(room, server)


async def test_channels_of_an_unknown_kind(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """They are closed; a second one of a known kind is as good as the first."""
    await join(room, server)
    await works(room, server)
    assert room._context.connection is not None
    channels = room._context.connection._require_connection()._channels

    class Opened:
        def __init__(self, label: str) -> None:
            self.label = label

    async with quiet(caplog, lines=10):
        for label in ["rogue", "", "_reliable2", "x" * 60_000] * 1000:
            assert channels.adopt(Opened(label)) is None  # type: ignore[arg-type]
    again = channels.adopt(Opened("_reliable"))  # type: ignore[arg-type]
    assert again is not None
    coming = asyncio.ensure_future(room.wait_for(DataReceived, timeout=5))
    await asyncio.sleep(0)
    again.on_message(USER)
    await coming
    await works(room, server)


# -- once, in order, and of whom the server says -----------------------------------------------------------------------


def numbered(number: int, sender: str = "ada", **fields: Any) -> bytes:
    return packet(m.UserPacket(payload=str(number).encode()), sender, sequence=number, **fields)


def collected(room: Room) -> list[tuple[str | None, bytes]]:
    """What comes, and of whom."""
    got: list[tuple[str | None, bytes]] = []

    def take(event: DataReceived) -> None:
        sender = event.packet.participant
        got.append((None if sender is None else sender.identity, event.packet.data))

    room.on(DataReceived, take)
    return got


async def test_twice_and_out_of_order(room: Room, server: Server) -> None:
    """Each once, in order; numbers of the one have nothing to do with those of the other."""
    await join(room, server)
    got = collected(room)
    flood(server, [numbered(n) for n in (1, 1, 3, 2, 3, 5, 4, 5, 6)])
    flood(server, [numbered(n, "bob") for n in (1, 2, 2, 1, 3)])
    assert got == [("ada", b"%d" % n) for n in (1, 3, 5, 6)] + [("bob", b"%d" % n) for n in (1, 2, 3)]
    await works(room, server)


async def test_a_number_that_runs_over(room: Room, server: Server) -> None:
    """What has the largest of all numbers is the last of its sender, and of nobody else (as in livekit-client)."""
    await join(room, server)
    got = collected(room)
    flood(server, [numbered(2**32 - 1), numbered(1), numbered(2), numbered(1, "bob")])
    assert got == [("ada", b"4294967295"), ("bob", b"1")]
    await works(room, server)


async def test_many_senders_that_do_not_exist(room: Room, server: Server) -> None:
    """Numbers are remembered of each for half a minute: a line in a table."""
    await join(room, server)
    with spending() as spent:
        flood(server, (numbered(1, participant_sid=f"PA_{number}") for number in range(5000)))
    assert spent.kept < 1.5 * MB
    await works(room, server)


async def test_somebody_elses_name(room: Room, server: Server) -> None:
    """The packet's own sender counts, which the server writes; the payload's does not."""
    await join(room, server)
    got = collected(room)
    forged = m.UserPacket("PA_bob", "bob", b"forged")
    flood(server, [packet(forged), packet(forged, "nobody"), packet(m.UserPacket(payload=b"the server's"), "")])
    assert got == [("ada", b"forged"), (None, b"forged"), (None, b"the server's")]
    await works(room, server)


async def test_who_speaks_is_not_for_peers_to_say(room: Room, server: Server) -> None:
    """The server passes on such packets of theirs, with their name."""
    await join(room, server)
    update = m.ActiveSpeakerUpdate((m.SpeakerInfo("PA_bob", 1.0, True),))
    flood(server, [packet(update), packet(update, participant_identity=""), packet(update, participant_sid="")])
    assert room.active_speakers == [] and not room.remote_participants["bob"].is_speaking
    flood(server, [packet(update, "")])
    assert room.active_speakers == [room.remote_participants["bob"]]
    await works(room, server)


# -- handlers that are slow --------------------------------------------------------------------------------------------


async def test_a_handler_that_is_slow(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It is given 64 MB; what is more passes it by, counted. Others hear everything; and it does, when it is done."""
    await join(room, server)
    got = 0
    begun: list[int] = []
    goes_on = asyncio.Event()

    async def slow(event: DataReceived) -> None:
        begun.append(len(event.packet.data))
        await goes_on.wait()

    def quick(event: DataReceived) -> None:
        nonlocal got
        got += 1

    room.on(DataReceived, slow)
    room.on(DataReceived, quick)
    data = packet(m.UserPacket(payload=bytes(60_000)))
    async with quiet(caplog, lines=10):
        with spending() as spent:
            flood(server, (data for _ in range(3000)))  # 180 MB
            await asyncio.sleep(0)
    assert got == 3000
    assert len(begun) == 64 * 1024 * 1024 // 64_096
    assert "too slow" in caplog.records[0].message
    assert spent.peak < 80 * MB
    goes_on.set()
    await until(lambda: not room._handler_tasks)
    flood(server, [data])
    await until(lambda: len(begun) == 64 * 1024 * 1024 // 64_096 + 1)
    await works(room, server)


async def test_nobody_takes_the_events(room: Room, server: Server) -> None:
    """Somebody who iterates, and does not, has the last thousand; the number of the others is known."""
    await join(room, server)
    events = room.events(DataReceived)
    data = packet(m.UserPacket(payload=bytes(10_000)))
    with spending() as spent:
        flood(server, (data for _ in range(10_000)))
    assert (len(events._queue), events.dropped) == (1000, 9000)
    assert spent.peak < 20 * MB
    await works(room, server)


async def test_handlers_that_raise(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Each of them at each packet; with an error, or with a cancellation of their own."""
    await join(room, server)

    def fails(_: DataReceived) -> None:
        raise ValueError("no JSON")

    def cancels(_: DataReceived) -> None:
        raise asyncio.CancelledError

    async def cancels_itself(_: DataReceived) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    got = collected(room)
    for handler in (fails, cancels, cancels_itself):
        room.on(DataReceived, handler)
    flood(server, (USER for _ in range(1000)))
    await until(lambda: not room._handler_tasks)
    assert len(got) == 1000
    assert len(caplog.records) == 10 and all(record.exc_info for record in caplog.records)
    for handler in (fails, cancels, cancels_itself):
        room.off(DataReceived, handler)
    await works(room, server)
