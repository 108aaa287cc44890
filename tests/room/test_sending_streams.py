"""Streams that we send, with a server that plays everybody else."""

import asyncio
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from lk_pyodide import (
    BrowserError,
    ByteStreamInfo,
    DataStreamError,
    DataStreamErrorReason,
    Reconnected,
    Room,
    RoomDisconnectedError,
    TextStreamInfo,
    UsageError,
    outgoing_streams,
    stream_sources,
)
from lk_pyodide import UnexpectedConnectionState as NotConnected
from lk_pyodide.core.messages import DataPacket, ParticipantInfo, UserPacket
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.testing import FakeFile
from tests.room.server import URL, Server, participant, until

DEFLATE = DataStream.CompressionType.DEFLATE_RAW
OLD = participant("old")
NEW = participant("new", client_protocol=2)
NEWEST = participant("newest", client_protocol=2, capabilities=(2,))
TEXT = "Grüße 🦊 " * 4000


async def join(room: Room, server: Server, *others: ParticipantInfo) -> None:
    """Join these."""
    server.others = others
    await room.connect(URL, "token")


def reliable(room: Room) -> Any:
    """The channel on which streams go; whoever holds its ``turn`` keeps others from sending."""
    return room._context.session._require_connection()._channels._out["_reliable"]


async def sent(server: Server) -> list[Any]:
    """What we have sent; a packet that is sent last makes sure that this is all."""
    return [packet.value for packet in await packets(server)]


async def packets(server: Server) -> list[DataPacket]:
    """As above, with the envelopes."""
    await until(lambda: server.packets and ended(server.packets[-1].value), turns=3000)
    return server.packets


def is_header(packet: DataPacket) -> TypeGuard[Any]:
    """Whether a stream begins with this."""
    return isinstance(packet.value, DataStream.Header)


def ended(value: object) -> bool:
    """Whether nothing of the stream comes after this."""
    match value:
        case DataStream.Trailer():
            return True
        case DataStream.Header(inline_content=content):
            return content is not None
        case _:
            return False


def content_of(values: list[Any]) -> bytes:
    """What the packets of one stream come to."""
    header, *chunks, trailer = values
    assert isinstance(header, DataStream.Header) and isinstance(trailer, DataStream.Trailer)
    assert [chunk.chunk_index for chunk in chunks] == list(range(len(chunks)))
    assert {value.stream_id for value in values} == {header.stream_id}
    data = b"".join(chunk.content for chunk in chunks)
    return zlib.decompress(data, wbits=-15) if header.compression == DEFLATE else data


# -- in one call -------------------------------------------------------------------------------------------------------


async def test_a_text_to_those_who_know_the_first_version_only(room: Room, server: Server) -> None:
    """Header, chunks, trailer, uncompressed; and all of it is said to the caller as well."""
    await join(room, server, OLD, NEWEST)
    told: list[float] = []
    info = await room.local_participant.send_text(
        TEXT, topic="t", attributes={"a": "b"}, reply_to_id="r", on_progress=told.append
    )
    values = await sent(server)
    header = values[0]
    assert header == DataStream.Header(
        stream_id=info.stream_id,
        timestamp=info.timestamp,
        topic="t",
        mime_type="text/plain",
        total_length=len(TEXT.encode()),
        attributes={"a": "b"},
        text_header=DataStream.TextHeader(reply_to_stream_id="r"),
    )
    assert content_of(values).decode() == TEXT
    assert all(chunk.content.decode() for chunk in values[1:-1]), "no character is cut"
    assert len(values) == 2 + 4
    assert info == TextStreamInfo(
        stream_id=info.stream_id,
        mime_type="text/plain",
        topic="t",
        timestamp=info.timestamp,
        size=len(TEXT.encode()),
        attributes={"a": "b"},
        reply_to_id="r",
    )
    assert told == sorted(told) and told[-1] == 1 and len(told) == 4
    assert {packet.participant_identity for packet in server.packets} == {"me"}
    assert (await room.local_participant.send_text("x")).stream_id != info.stream_id


@pytest.mark.parametrize(
    ("others", "identities", "inline", "packed"),
    [
        ([], None, True, True),
        ([NEWEST], None, True, True),
        ([NEWEST, NEW], None, True, False),
        ([NEWEST, OLD], None, False, False),
        ([NEWEST, OLD], ["newest"], True, True),
        ([NEWEST, OLD], ("newest", "old"), False, False),
        ([NEWEST], ["nobody"], False, False),
        ([NEWEST], [], True, True),
    ],
)
async def test_what_everyone_who_gets_it_can_take(
    room: Room,
    server: Server,
    others: list[ParticipantInfo],
    identities: list[str] | None,
    inline: bool,
    packed: bool,
) -> None:
    """Decides whether it goes in one packet, and whether it is compressed."""
    await join(room, server, *others)
    await room.local_participant.send_text(TEXT[:5000], destination_identities=identities)
    values = await sent(server)
    assert (len(values) == 1) == inline
    assert values[0].compression == (DEFLATE if packed else 0)
    assert {packet.destination_identities for packet in server.packets} == {tuple(identities or ())}


async def test_a_text_that_is_too_long_for_one_packet(room: Room, server: Server) -> None:
    """It goes in several, compressed unless that is not wanted."""
    await join(room, server, NEWEST)
    text = "".join(f"{number * 7919 % 10_007} " for number in range(20_000))
    await room.local_participant.send_text(text)
    values = await sent(server)
    assert len(values) > 3 and values[0].compression == DEFLATE
    assert (values[0].inline_content, values[0].total_length) == (None, len(text))
    assert content_of(values).decode() == text
    server.packets.clear()
    await room.local_participant.send_text(text, compress=False)
    assert content_of(await sent(server)).decode() == text
    assert server.packets[0].value.compression == 0  # type: ignore[union-attr]


async def test_what_compresses_little_is_not_compressed(room: Room, server: Server) -> None:
    """A picture, say: that would only take time."""
    await join(room, server, NEWEST)
    content = os.urandom(50_000)
    await room.local_participant.send_file(content)
    values = await sent(server)
    assert values[0].compression == 0 and content_of(values) == content


async def test_an_empty_text(room: Room, server: Server) -> None:
    """It is a stream like any other."""
    await join(room, server, OLD)
    told: list[float] = []
    await room.local_participant.send_text("", on_progress=told.append)
    assert content_of(await sent(server)) == b""
    assert told == [1]
    server.packets.clear()
    await room.local_participant.send_bytes(b"", on_progress=told.append)
    assert content_of(await sent(server)) == b""
    assert told == [1, 1]


async def test_bytes(room: Room, server: Server) -> None:
    """With or without a name and a type; in one packet where that can be."""
    await join(room, server, NEW)
    me = room.local_participant
    info = await me.send_bytes(b"\x00\xff", topic="t", name="x.png", mime_type="image/png", stream_id="own")
    assert info == ByteStreamInfo(
        stream_id="own", mime_type="image/png", topic="t", timestamp=info.timestamp, size=2, name="x.png"
    )
    [header] = await sent(server)
    assert (header.inline_content, header.byte_header) == (b"\x00\xff", DataStream.ByteHeader("x.png"))
    for data in (bytearray(50_000), memoryview(bytes(50_000))):
        server.packets.clear()
        info = await me.send_bytes(data)
        assert (info.name, info.mime_type, info.size) == ("unknown", "application/octet-stream", 50_000)
        assert content_of(await sent(server)) == bytes(50_000)


async def test_what_is_refused_before_it_is_sent(room: Room, server: Server) -> None:
    """Nothing reaches the server."""
    me = room.local_participant
    for attempt in (me.send_text("x"), me.send_bytes(b"x"), me.stream_text(), me.stream_bytes("x")):
        with pytest.raises(NotConnected):
            await attempt
    await join(room, server, NEW)
    wrong: list[Callable[[], Any]] = [
        lambda: me.send_text(b"x"),  # type: ignore[arg-type]
        lambda: me.send_text("\ud800"),
        lambda: me.send_text("x", destination_identities="ada"),
        lambda: me.send_text("x", attributes={"a": 5}),  # type: ignore[dict-item]
        lambda: me.send_text("x", topic=5),  # type: ignore[arg-type]
        lambda: me.send_bytes(b"x", name=5),  # type: ignore[arg-type]
        lambda: me.stream_bytes("x", attributes=["a"]),  # type: ignore[arg-type]
        lambda: me.send_text("x", attachments=[5]),
        lambda: me.send_bytes("x"),  # type: ignore[arg-type]
        lambda: me.send_file(5),
        lambda: me.stream_text(destination_identities="ada"),
        lambda: me.stream_text(stream_id="\ud800"),
    ]
    for mistake in wrong:
        with pytest.raises(UsageError):
            await mistake()
    for much in (me.send_text("x", attributes={"a": "x" * 15_000}), me.stream_bytes("x" * 15_000)):
        with pytest.raises(DataStreamError) as caught:
            await much
        assert caught.value.reason is DataStreamErrorReason.HEADER_TOO_LARGE
    assert server.packets == []


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["str", "path", "browser"])
async def test_files(room: Room, server: Server, tmp_path: Path, kind: str) -> None:
    """Under their own name, unless they get another; never in one packet."""
    await join(room, server, NEWEST)
    path = tmp_path / "notes.txt"
    path.write_bytes(TEXT.encode())
    files = {"str": str(path), "path": path, "browser": FakeFile(TEXT.encode(), "notes.txt", "text/plain")}
    told: list[float] = []
    info = await room.local_participant.send_file(files[kind], topic="t", on_progress=told.append)
    assert (info.name, info.mime_type, info.size) == ("notes.txt", "text/plain", len(TEXT.encode()))
    values = await sent(server)
    assert values[0].byte_header == DataStream.ByteHeader("notes.txt")
    assert content_of(values) == TEXT.encode()
    assert told[-1] == 1
    server.packets.clear()
    other = await room.local_participant.send_file(files[kind], name="other", mime_type="image/png", compress=False)
    assert (other.name, other.mime_type) == ("other", "image/png")
    assert content_of(await sent(server)) == TEXT.encode()


async def test_a_file_without_a_name(room: Room, server: Server, tmp_path: Path) -> None:
    """Bytes, a Blob; a type that cannot be guessed."""
    await join(room, server, NEW)
    me = room.local_participant
    (tmp_path / "x.unheardof").write_bytes(b"x")
    for file, name in ((b"x", "unknown"), (FakeFile(b"x"), "unknown"), (tmp_path / "x.unheardof", "x.unheardof")):
        server.packets.clear()
        info = await me.send_file(file)
        assert (info.name, info.mime_type, info.size) == (name, "application/octet-stream", 1)
        await sent(server)


async def test_a_file_that_is_not_there(room: Room, server: Server, tmp_path: Path) -> None:
    """Python's own error, and nothing is sent: not even the text that it would be attached to."""
    await join(room, server, NEW)
    me = room.local_participant
    with pytest.raises(FileNotFoundError):
        await me.send_file(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        await me.send_text("x", attachments=[b"abc", tmp_path / "x"])
    assert server.packets == []


@pytest.mark.parametrize("kind", ["shorter", "gone"])
async def test_a_file_that_changes_meanwhile(room: Room, server: Server, tmp_path: Path, kind: str) -> None:
    """The caller has an error, and the others are told that no more comes."""
    await join(room, server, OLD)
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(stream_sources.PIECE * 2))
    file = FakeFile(bytes(stream_sources.PIECE * 2), "x.bin")

    def change(_: float) -> None:
        if kind == "shorter":
            path.write_bytes(b"")
        else:
            file.content = None

    error = DataStreamError if kind == "shorter" else BrowserError
    with pytest.raises(error):
        await room.local_participant.send_file(path if kind == "shorter" else file, on_progress=change)
    *values, trailer = await sent(server)
    assert len(values) == 5 and trailer.reason == "the sender gave up"


async def test_attachments(room: Room, server: Server, tmp_path: Path) -> None:
    """They are announced with the text, and follow it as byte streams of its topic."""
    await join(room, server, NEWEST)
    (tmp_path / "x.txt").write_bytes(b"file")
    told: list[float] = []
    info = await room.local_participant.send_text(
        "see", topic="t", attachments=[b"bytes", tmp_path / "x.txt"], on_progress=told.append
    )
    first, second = info.attachments
    await until(lambda: len(server.packets) == 9)
    values: list[Any] = [packet.value for packet in server.packets]
    assert values[0].text_header.attached_stream_ids == (first, second)
    assert content_of(values[:3]) == b"see"
    assert (values[3].stream_id, values[3].topic, values[3].byte_header.name) == (first, "t", "unknown")
    assert (values[6].stream_id, values[6].mime_type, values[6].byte_header.name) == (second, "text/plain", "x.txt")
    assert (content_of(values[3:6]), content_of(values[6:])) == (b"bytes", b"file")
    assert told == [pytest.approx(part / 3) for part in (1, 2, 3)]


# -- piece by piece ----------------------------------------------------------------------------------------------------


async def test_a_text_that_comes_to_be(room: Room, server: Server) -> None:
    """Each piece goes at once, as it is; the end may say more."""
    await join(room, server, NEWEST)
    me = room.local_participant
    writer = await me.stream_text(topic="t", attributes={"a": "b"}, stream_id="own", reply_to_id="r", total_size=12)
    assert writer.info == TextStreamInfo(
        stream_id="own",
        mime_type="text/plain",
        topic="t",
        timestamp=writer.info.timestamp,
        size=12,
        attributes={"a": "b"},
        reply_to_id="r",
    )
    await writer.write("Grüße")
    await writer.write("")
    await until(lambda: len(server.packets) == 2)
    await writer.write(" 🦊")
    await writer.aclose(attributes={"c": "d"})
    header, first, second, trailer = await sent(server)
    assert (header.compression, header.inline_content, header.total_length) == (0, None, 12)
    assert [first.content.decode(), second.content.decode()] == ["Grüße", " 🦊"]
    assert trailer == DataStream.Trailer("own", "", {"c": "d"})


async def test_bytes_that_come_to_be(room: Room, server: Server) -> None:
    """To some only, trailer included."""
    await join(room, server, NEWEST)
    me = room.local_participant
    async with await me.stream_bytes("x", mime_type="a/b", topic="t", destination_identities=["newest"]) as writer:
        await writer.write(b"x" * 20_000)
        await writer.write(memoryview(b"yz"))
    assert (writer.info.name, writer.info.mime_type, writer.info.size) == ("x", "a/b", None)
    values = await sent(server)
    assert [len(value.content) for value in values[1:-1]] == [15_000, 5_000, 2]
    assert {packet.destination_identities for packet in server.packets} == {("newest",)}


async def test_a_writer_that_is_closed(room: Room, server: Server) -> None:
    """Twice is once; nothing can be written any more."""
    await join(room, server, NEWEST)
    writer = await room.local_participant.stream_text()
    await writer.aclose(reason="tired")
    await writer.aclose()
    with pytest.raises(UsageError, match="closed"):
        await writer.write("x")
    async with writer:
        pass
    server.send_packet(DataPacket(UserPacket(payload=b"x")))
    await room.wait_for("data_received", timeout=5)
    assert [value.reason for value in await sent(server) if isinstance(value, DataStream.Trailer)] == ["tired"]


async def test_what_cannot_be_written(room: Room, server: Server) -> None:
    """The stream goes on without it."""
    await join(room, server, NEWEST)
    async with await room.local_participant.stream_text() as text:
        for mistake in (b"x", "\ud800", None):
            with pytest.raises(UsageError):
                await text.write(mistake)  # type: ignore[arg-type]
        await text.write("x")
    assert content_of(await sent(server)) == b"x"
    server.packets.clear()
    async with await room.local_participant.stream_bytes("x") as data:
        with pytest.raises(UsageError):
            await data.write("x")  # type: ignore[arg-type]
    assert content_of(await sent(server)) == b""


async def test_writing_from_several_tasks(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one writes stays in one piece."""
    monkeypatch.setattr(outgoing_streams, "_TURN", -1.0)
    await join(room, server, NEWEST)
    async with await room.local_participant.stream_text() as writer:
        await asyncio.gather(*(writer.write(letter * 40_000) for letter in "abc"))
    assert content_of(await sent(server)) == b"a" * 40_000 + b"b" * 40_000 + b"c" * 40_000


@pytest.mark.parametrize("how", ["raises", "is cancelled"])
async def test_a_block_that_ends_otherwise(room: Room, server: Server, how: str) -> None:
    """The others are told, but not why."""
    await join(room, server, NEWEST)
    begun = asyncio.Event()

    async def work() -> None:
        async with await room.local_participant.stream_text() as writer:
            await writer.write("x")
            begun.set()
            if how == "raises":
                raise ValueError("secret")
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await begun.wait()
    if how == "is cancelled":
        working.cancel()
    with pytest.raises(ValueError if how == "raises" else asyncio.CancelledError):
        await working
    assert (await sent(server))[-1].reason == "the sender gave up"


async def test_a_write_that_is_cancelled(room: Room, server: Server) -> None:
    """What has not been sent is not counted: the stream goes on without it."""
    await join(room, server, NEWEST)
    async with await room.local_participant.stream_text() as writer:
        async with reliable(room).turn:
            writing = asyncio.create_task(writer.write("never"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        await writer.write("always")
    assert content_of(await sent(server)) == b"always"


async def test_a_long_write_that_is_cancelled_anywhere(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole chunks of it have been sent, each once, and the stream goes on."""
    monkeypatch.setattr(outgoing_streams, "_TURN", -1.0)
    await join(room, server, NEWEST)
    for turns in range(12):
        server.packets.clear()
        async with await room.local_participant.stream_bytes("x") as writer:
            writing = asyncio.create_task(writer.write(bytes(60_000)))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            await writer.write(b"the rest")
        content = content_of(await sent(server))
        assert content.endswith(b"the rest") and (len(content) - 8) % 15_000 == 0


async def test_sending_waits_for_room(room: Room, server: Server) -> None:
    """A megabyte waits at most, however much is sent."""
    await join(room, server, OLD)
    await room.local_participant.publish_data(b"opens the channel")
    channel = reliable(room).channel
    assert channel is not None
    most = 0

    def look(_: float) -> None:
        nonlocal most
        most = max(most, channel.buffered_amount)

    await room.local_participant.send_bytes(bytes(5_000_000), on_progress=look)
    assert 900_000 < most < 1_200_000
    await until(lambda: len(server.packets) == 1 + 2 + 334, turns=3000)
    assert len(content_of([packet.value for packet in server.packets[1:]])) == 5_000_000


@pytest.mark.parametrize("patience", [-1.0, 60.0])
async def test_others_have_their_turn_while_much_is_sent(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    """Nothing keeps the page for longer than its patience, even when there is room for everything."""
    await join(room, server, OLD)
    await room.local_participant.publish_data(b"opens the channel")
    monkeypatch.setattr(outgoing_streams, "_TURN", patience)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await room.local_participant.send_bytes(bytes(900_000))
    counting.cancel()
    assert turns > 60 if patience < 0 else turns == 0


# -- the end of the room -----------------------------------------------------------------------------------------------


async def test_leaving_ends_writers(room: Room, server: Server) -> None:
    """For good: a stream of one room is never continued in the next."""
    await join(room, server, NEWEST)
    me = room.local_participant
    writer, waiting = await me.stream_text(), await me.stream_bytes("x")
    async with reliable(room).turn:
        writes = [asyncio.create_task(waiting.write(b"x")), asyncio.create_task(me.send_text(TEXT, compress=False))]
        await asyncio.sleep(0)
        await room.disconnect()
    for write in writes:
        with pytest.raises(RoomDisconnectedError):
            await write
    with pytest.raises(RoomDisconnectedError):
        await writer.write("x")
    await room.connect(URL, "token")
    with pytest.raises(RoomDisconnectedError):
        await writer.write("x")
    with pytest.raises(RoomDisconnectedError):
        await writer.aclose()
    assert not [packet for packet in server.packets if isinstance(packet.value, DataStream.Chunk)]
    assert not me._streams._tasks._tasks


async def test_leaving_while_others_are_told_of_the_end(room: Room, server: Server) -> None:
    """Nothing of that stays behind."""
    await join(room, server, NEWEST)
    me = room.local_participant
    async with reliable(room).turn:
        sending = asyncio.create_task(me.send_text(TEXT * 10, compress=False))
        await until(lambda: sending.done() or reliable(room).turn._waiters)
        sending.cancel()
        await asyncio.wait([sending])
        assert me._streams._tasks._tasks
        await room.disconnect()
        assert not me._streams._tasks._tasks


async def broken(room: Room, server: Server) -> None:
    """The connection breaks, and is made anew."""
    again = asyncio.ensure_future(room.wait_for(Reconnected, timeout=10))
    await asyncio.sleep(0)
    server.break_connection()
    await again


async def test_a_connection_that_is_made_anew_ends_writers(room: Room, server: Server) -> None:
    """The others have seen us leave: they would not know what to do with the rest."""
    await join(room, server, NEWEST)
    me = room.local_participant
    writer = await me.stream_text()
    await writer.write("x")
    await until(lambda: len(server.packets) == 2)
    await broken(room, server)
    for attempt in (writer.write("y"), writer.aclose()):
        with pytest.raises(DataStreamError) as caught:
            await attempt
        assert caught.value.reason is DataStreamErrorReason.ABNORMAL_END
    assert len(server.packets) == 2
    await me.send_text("goes on")
    await until(lambda: len(server.packets) == 3)


async def test_a_connection_that_is_made_anew_while_a_packet_waits(room: Room, server: Server) -> None:
    """Of many packets none is any good then; a single one just goes out later."""
    await join(room, server, NEWEST)
    me = room.local_participant
    writer = await me.stream_text()
    async with reliable(room).turn:
        writing = asyncio.create_task(writer.write("x"))
        long = asyncio.create_task(me.send_text(TEXT * 10, compress=False))
        short = asyncio.create_task(me.send_text("short"))
        await asyncio.sleep(0)
        await broken(room, server)
    for sending in (writing, long):
        with pytest.raises(DataStreamError) as caught:
            await sending
        assert caught.value.reason is DataStreamErrorReason.ABNORMAL_END
    await short
    await until(lambda: any(packet.value.inline_content for packet in server.packets if is_header(packet)))
