"""Hostile streams: too many, too large, never ended, and what a slow handler of them holds up."""

import asyncio
import gc
import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lk_pyodide import ByteStreamReader, DataStreamError, DataStreamErrorReason, Room, TextStreamReader
from lk_pyodide.core import messages as m
from lk_pyodide.core.reassembly import MAX_OPEN, MAX_PAYLOAD
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantState
from tests.room.hostile import MB, flood, join, packet, quiet, spending, works
from tests.room.server import Server, until

Reason = DataStreamErrorReason
TEXT = DataStream.Header("1", 1, "t", "text/plain", text_header=DataStream.TextHeader())
BYTES = DataStream.Header("1", 1, "t", "image/png", byte_header=DataStream.ByteHeader("x.png"))
DEFLATE = DataStream.CompressionType.DEFLATE_RAW
GONE = m.ParticipantUpdate((m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9),))
NAMES = (str(number) for number in range(10**9))
LESS = 10 * MB
"""What a sender may have here, in tests that are quicker with less than the default."""


def header(like: DataStream.Header = TEXT, **fields: Any) -> DataStream.Header:
    """A header with an id of its own."""
    return replace(like, **{"stream_id": next(NAMES), **fields})


def chunk(index: int, content: bytes = b"x", stream_id: str = "1") -> DataStream.Chunk:
    return DataStream.Chunk(stream_id, index, content)


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def say(server: Server, *values: m.PacketValue, sender: str = "ada") -> None:
    flood(server, [packet(value, sender) for value in values])


def kept(room: Room, kind: str = "text", topic: str = "t") -> list[Any]:
    """Every reader of a topic: a handler that keeps them all, and reads none."""
    readers: list[Any] = []
    getattr(room, f"register_{kind}_stream_handler")(topic, lambda reader, _: readers.append(reader))
    return readers


async def failed(reader: TextStreamReader | ByteStreamReader) -> Reason:
    with pytest.raises(DataStreamError) as caught:
        await asyncio.wait_for(reader.read_all(), 5)
    return caught.value.reason


def nothing_stays(room: Room) -> bool:
    """Whether streams have left nothing behind."""
    streams = room._context.streams
    return not streams._incoming._streams and not streams._incoming._senders and not streams._tasks._tasks


# -- too many ----------------------------------------------------------------------------------------------------------


async def test_headers_without_chunks(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Sixty-four are open; the others are refused, with a few lines for all of them. Somebody else's is not."""
    await join(room, server)
    readers = kept(room)
    async with quiet(caplog, lines=20):
        with spending() as spent:
            flood(server, (packet(header()) for _ in range(3000)))
    assert len(readers) == MAX_OPEN and all(reader._assembly.is_open for reader in readers)
    assert spent.kept < MB and spent.peak < 2 * MB
    assert "refused" in caplog.records[0].message
    await works(room, server)
    await works(room, server, "ada")
    reading = asyncio.ensure_future(failed(readers[0]))
    await server.say(GONE)
    assert await reading is Reason.ABNORMAL_END, "nobody waits for what does not come"
    assert [await failed(reader) for reader in readers[1:]] == [Reason.ABNORMAL_END] * (MAX_OPEN - 1)
    readers.clear()
    caplog.clear()
    gc.collect()  # the frames of errors hold readers
    assert nothing_stays(room)


async def test_chunks_without_a_header(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """And trailers; and streams of topics that nobody wants."""
    await join(room, server)
    async with quiet(caplog, lines=0):
        with spending() as spent:
            for _ in range(1500):
                name = next(NAMES)
                unwanted = header(TEXT, topic="__proto__", stream_id=name)
                say(server, unwanted, chunk(0, b"x" * 1000, name), DataStream.Trailer(name))
    assert spent.kept < 100_000 and nothing_stays(room)
    await works(room, server)


async def test_short_streams_that_nobody_reads(room: Room, server: Server) -> None:
    """They are complete, and held: a sender may leave so much here, and no more."""
    await join(room, server)
    room._context.streams._incoming._limit = LESS
    readers = kept(room)
    with spending() as spent:
        flood(server, (packet(header(inline_content=b"x" * 10_000)) for _ in range(1500)))
    assert 600 < len(readers) < 800
    assert spent.kept < LESS * 1.2
    await works(room, server)
    readers.clear()
    assert nothing_stays(room)


# -- too large ---------------------------------------------------------------------------------------------------------


BROKEN = b"\xff" * 60_000
WORDY: dict[str, DataStream.Header] = {
    "attributes": header(attributes={"a": "b" * 50_000, "\x00": "c"}),
    "an id": header(stream_id="i" * 50_000),
    "a mime type": header(mime_type="i" * 50_000),
    "a name": header(BYTES, byte_header=DataStream.ByteHeader("n" * 50_000)),
    "attachments": header(text_header=DataStream.TextHeader(attached_stream_ids=("a" * 1000,) * 50)),
    "broken text": header(inline_content=BROKEN),
    "little": header(),
}


@pytest.mark.parametrize("what", WORDY)
async def test_headers_and_ends_that_say_much(room: Room, server: Server, what: str) -> None:
    """All that is kept of them counts."""
    await join(room, server)
    room._context.streams._incoming._limit = LESS
    readers = [kept(room), kept(room, "byte")][WORDY[what].byte_header is not None]
    last_words = {"z": "z" * 50_000} if what == "little" else {}

    def packets() -> Iterator[bytes]:
        for number in range(600):
            name = f"{number}{WORDY[what].stream_id}"
            yield packet(replace(WORDY[what], stream_id=name))
            yield packet(DataStream.Trailer(name, "tired" * 10_000 if what == "little" else "", last_words))

    with spending() as spent:
        flood(server, packets())
    assert readers and not any(reader._assembly.is_open for reader in readers)
    assert spent.peak < LESS * 1.5
    await works(room, server)


async def test_ten_megabytes_of_attributes(room: Room, server: Server) -> None:
    """And a topic of four, which only a server could send: they are there, once."""
    await join(room, server)
    topic = "t" * 4_000_000
    readers = kept(room, topic=topic)
    say(server, header(topic=topic, attributes={"a": "b" * 10_000_000}, inline_content=b"x"))
    for _ in range(20):
        say(server, header(topic=topic, attributes={"a": "b" * 10_000_000}))
    assert len(readers) == 5
    assert await readers[0].read_all() == "x"
    await works(room, server)


@pytest.mark.parametrize(
    ("length", "reason"),
    [(3, Reason.LENGTH_EXCEEDED), (5, Reason.INCOMPLETE), (2**63, Reason.PAYLOAD_TOO_LARGE), (2**64 - 1, None)],
)
async def test_lengths_that_lie(room: Room, server: Server, length: int, reason: Reason | None) -> None:
    """Nothing is set aside for what is only announced."""
    await join(room, server)
    readers = kept(room)
    begin = header(stream_id="1", total_length=length)
    with spending() as spent:
        say(server, begin, chunk(0, b"abcd"), DataStream.Trailer("1"))
    assert spent.peak < 100_000
    assert await failed(readers[0]) is (reason or Reason.PAYLOAD_TOO_LARGE)
    await works(room, server)


@pytest.mark.parametrize("how", ["at once", "in chunks"])
@pytest.mark.parametrize("kind", ["text", "byte"])
async def test_a_bomb(room: Room, server: Server, how: str, kind: str) -> None:
    """A few kilobytes that stand for ten gigabytes: it ends with the 64 MB that are allowed."""
    await join(room, server)
    readers = kept(room, kind)
    begin = header(TEXT if kind == "text" else BYTES, stream_id="1", compression=DEFLATE)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(10 * MB)) for _ in range(10))  # a hundred megabytes
    with spending() as spent:
        if how == "at once":
            say(server, replace(begin, inline_content=bomb))
        else:
            say(server, begin, *(chunk(n, bomb[n * 15_000 : (n + 1) * 15_000]) for n in range(len(bomb) // 15_000)))
    [reader] = readers
    assert reader._assembly.failure.reason is Reason.PAYLOAD_TOO_LARGE
    assert spent.peak < MAX_PAYLOAD * 1.1
    assert await failed(reader) is Reason.PAYLOAD_TOO_LARGE
    await works(room, server)


async def test_a_bomb_that_is_read_is_never_there_at_once(room: Room, server: Server) -> None:
    """What stands for much is unpacked in pieces, and a piece that is thrown away makes room for the next."""
    await join(room, server)
    readers = kept(room, "byte")
    packed = deflated(bytes(15 * MB))
    assert len(packed) < 15_000
    with spending() as spent:
        say(server, header(BYTES, stream_id="1", compression=DEFLATE, total_length=3), chunk(0, packed))
    assert spent.peak < MB, "three bytes were announced"
    assert await failed(readers[0]) is Reason.LENGTH_EXCEEDED
    await works(room, server)


async def test_chunks_of_a_byte(room: Room, server: Server) -> None:
    """A byte takes more than a byte here, and counts for that."""
    await join(room, server)
    readers = kept(room, "byte")
    room._context.streams._incoming._limit = 1_000_000
    with spending() as spent:
        say(server, replace(BYTES))
        flood(server, (packet(chunk(n)) for n in range(10_000)))
    assert await failed(readers[0]) is Reason.PAYLOAD_TOO_LARGE
    assert spent.peak < 2 * MB
    await works(room, server)


async def test_all_is_collected_at_once(room: Room, server: Server) -> None:
    """Handlers that read all of what they get: the sender has the room that it has, whether anybody reads or not."""
    await join(room, server)
    reasons: list[Reason] = []

    async def take(reader: ByteStreamReader, _: str) -> None:
        reasons.append(await failed(reader))

    room.register_byte_stream_handler("t", take)
    names = [next(NAMES) for _ in range(20)]
    content = deflated(bytes(10 * MB))
    with spending() as spent:
        for name in names:
            say(server, header(BYTES, stream_id=name, compression=DEFLATE), chunk(0, content, name))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert spent.peak < MAX_PAYLOAD * 1.2
    assert reasons == [Reason.PAYLOAD_TOO_LARGE] * len(reasons) and len(reasons) >= 13
    await server.say(GONE)
    await until(lambda: len(reasons) == 20 and not room._context.streams._tasks._tasks)
    gc.collect()
    assert nothing_stays(room)
    await works(room, server)


# -- the wrong order, the wrong sender ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([chunk(0), chunk(2), DataStream.Trailer("1")], Reason.INCOMPLETE),
        ([chunk(0), chunk(0), chunk(1), DataStream.Trailer("1"), DataStream.Trailer("1", "twice")], None),
        ([chunk(2**63), DataStream.Trailer("1")], Reason.INCOMPLETE),
        ([DataStream.Trailer("1"), chunk(0)], None),
    ],
)
async def test_chunks_that_are_wrong(room: Room, server: Server, sent: list[Any], reason: Reason | None) -> None:
    """A gap is an error, what comes twice is nothing; while another sender has streams of the same id."""
    await join(room, server)
    readers = kept(room)
    say(server, replace(TEXT))
    say(server, replace(TEXT), sender="bob")
    for value in sent:
        say(server, value)
        say(server, replace(value, stream_id="1"), sender="nobody")
    if reason is None:
        assert await readers[0].read_all() == "x" * sum(isinstance(value, DataStream.Chunk) for value in sent[:3:2])
    else:
        assert await failed(readers[0]) is reason
    say(server, chunk(0, b"of bob"), DataStream.Trailer("1"), sender="bob")
    assert await readers[1].read_all() == "of bob"
    await works(room, server)


@pytest.mark.parametrize("topic", ["__proto__", "a\x00b", "", "lk.rpc_request", "t" * 50_000, "<img onerror=x>"])
async def test_topics(room: Room, server: Server, topic: str) -> None:
    """A topic is looked up, and nothing else; ours are not for others to register."""
    await join(room, server)
    if topic.startswith("lk."):
        with pytest.raises(DataStreamError):
            room.register_text_stream_handler(topic, lambda *_: None)
        say(server, header(topic=topic, inline_content=b"x"))
    else:
        readers = kept(room, topic=topic)
        say(server, header(topic=topic, inline_content=b"x"))
        assert await readers[0].read_all() == "x"
    await works(room, server)


# -- handlers that are slow, and wrong ---------------------------------------------------------------------------------


async def never(reader: Any) -> None:
    await asyncio.Event().wait()


async def sleepy(reader: Any) -> None:
    async for _ in reader:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("slow", [never, sleepy])
async def test_a_slow_handler_holds_up_nothing_else(
    room: Room, server: Server, slow: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Not the sender's other topics, its calls, or anybody else: what is not read is kept, up to a limit."""
    await join(room, server)
    room._context.streams._incoming._limit = LESS
    running: set[asyncio.Task[Any]] = set()

    async def handler(reader: Any, _: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        await slow(reader)

    room.register_byte_stream_handler("t", handler)
    async with quiet(caplog, lines=20):
        with spending() as spent:
            for name in itertools.islice(NAMES, 30):
                say(server, header(BYTES, stream_id=name), *(chunk(n, bytes(15_000), name) for n in range(100)))
                await asyncio.sleep(0)
    assert len(running) < 20
    assert spent.peak < LESS * 1.5
    await works(room, server, "ada")
    await works(room, server, "bob")
    assert sum(not task.done() for task in running) >= 6
    for task in running:
        task.cancel()
    await until(lambda: not room._context.streams._tasks._tasks)


async def test_handlers_that_raise(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """At each stream; a few lines say so, whose fault it may be."""
    await join(room, server)

    def fails(*_: object) -> None:
        raise asyncio.CancelledError

    async def reads(reader: TextStreamReader, _: str) -> None:
        await reader.read_all()

    async def gives_up(*_: object) -> None:
        raise asyncio.CancelledError

    room.register_text_stream_handler("t", fails)
    room.register_text_stream_handler("u", reads)
    room.register_text_stream_handler("v", gives_up)
    for _ in range(200):
        for topic in "tuv":
            name = next(NAMES)
            say(server, header(topic=topic, stream_id=name), DataStream.Trailer(name, "tired"))
        await asyncio.sleep(0)
    await until(lambda: not room._context.streams._tasks._tasks)
    assert len(caplog.records) == 10
    assert not any(sender.open for sender in room._context.streams._incoming._senders.values())
    await works(room, server)
