"""Streams that others send us, with a server that plays them."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from lk_pyodide import (
    ByteStreamInfo,
    ByteStreamReader,
    DataReceived,
    DataStreamError,
    DataStreamErrorReason,
    DataStreamOptions,
    EncryptionType,
    Reconnected,
    Room,
    RoomDisconnectedError,
    RoomOptions,
    TextStreamInfo,
    TextStreamReader,
)
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantState
from tests.room.server import URL, Server, participant, until

Reason = DataStreamErrorReason
TEXT = DataStream.Header(
    "1", 1_700_000_000_000, "t", "text/plain", attributes={"a": "b"}, text_header=DataStream.TextHeader()
)
BYTES = DataStream.Header("2", 5, "t", "image/png", byte_header=DataStream.ByteHeader("x.png"))
ADA_LEFT = m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9)


@pytest_asyncio.fixture(loop_scope="session")
async def joined(room: Room, server: Server) -> AsyncIterator[Room]:
    """A room with ada and bob in it."""
    server.others = [participant("ada"), participant("bob")]
    await room.connect(URL, "token")
    yield room


def chunk(index: int, content: str | bytes = "x", stream_id: str = "1") -> DataStream.Chunk:
    return DataStream.Chunk(stream_id, index, content.encode() if isinstance(content, str) else content)


def end(stream_id: str = "1", reason: str = "", **attributes: str) -> DataStream.Trailer:
    return DataStream.Trailer(stream_id, reason, attributes)


async def say(room: Room, server: Server, *values: m.PacketValue, sender: str = "ada") -> None:
    """Somebody sends packets; they have been taken when this returns."""
    for value in values:
        server.send_packet(m.DataPacket(value, participant_identity=sender, participant_sid=f"PA_{sender}"))
    server.send_packet(m.DataPacket(m.UserPacket(payload=b"that was it")))
    await room.wait_for(DataReceived, timeout=5)


def first_text(room: Room) -> "asyncio.Future[tuple[TextStreamReader, str]]":
    """The next text, and whose it is."""
    coming: asyncio.Future[tuple[TextStreamReader, str]] = asyncio.get_running_loop().create_future()
    room.register_text_stream_handler("t", lambda reader, identity: coming.set_result((reader, identity)))
    return coming


async def failed(reader: TextStreamReader | ByteStreamReader) -> DataStreamError:
    """How reading failed."""
    with pytest.raises(DataStreamError) as caught:
        await asyncio.wait_for(reader.read_all(), 5)
    return caught.value


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_a_text_as_it_comes(joined: Room, server: Server) -> None:
    """Its handler is called when it begins; the pieces follow."""
    coming = first_text(joined)
    header = replace(TEXT, total_length=6, text_header=DataStream.TextHeader(0, 0, "r", ("x", "y")))
    await say(joined, server, header)
    reader, identity = coming.result()
    assert identity == "ada"
    assert reader.info == TextStreamInfo(
        stream_id="1",
        mime_type="text/plain",
        topic="t",
        timestamp=1_700_000_000_000,
        size=6,
        attributes={"a": "b"},
        encryption_type=EncryptionType.NONE,
        attachments=("x", "y"),
        reply_to_id="r",
    )
    told: list[float | None] = []
    reader.on_progress = told.append
    next_piece = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not next_piece.done() and reader.progress == 0
    await say(joined, server, chunk(0, "ä"), chunk(1, "🦊"))
    assert await next_piece == "ä"
    assert (reader.progress, told) == (2 / 6, [2 / 6])
    await say(joined, server, end(a="c", d="e"))
    assert [piece async for piece in reader] == ["🦊"]
    assert [piece async for piece in reader] == [], "it stays at its end"
    assert reader.info.attributes == {"a": "c", "d": "e"}
    assert (reader.progress, told) == (1, [2 / 6, 1])


async def test_bytes_all_at_once(joined: Room, server: Server) -> None:
    """Read by an async handler."""
    read: list[tuple[ByteStreamInfo, bytes, str]] = []

    async def take(reader: ByteStreamReader, identity: str) -> None:
        read.append((reader.info, await reader.read_all(), identity))
        assert reader.progress is None, "nobody has said how many there are"

    joined.register_byte_stream_handler("t", take)
    await say(joined, server, BYTES, chunk(0, b"\x00", "2"), chunk(1, b"\xff", "2"), end("2"), sender="bob")
    await until(lambda: read)
    info = ByteStreamInfo(stream_id="2", mime_type="image/png", topic="t", timestamp=5, size=None, name="x.png")
    assert read == [(info, b"\x00\xff", "bob")]


async def test_all_in_one_packet(joined: Room, server: Server) -> None:
    """The reader has it all from the beginning."""
    coming = first_text(joined)
    await say(joined, server, replace(TEXT, inline_content="häi".encode(), total_length=4))
    reader, _ = coming.result()
    assert await reader.read_all() == "häi"
    assert (reader.progress, await reader.read_all()) == (1, "")


async def test_nothing_at_all_is_complete_from_the_beginning(joined: Room, server: Server) -> None:
    """An empty text."""
    coming = first_text(joined)
    await say(joined, server, replace(TEXT, total_length=0), end())
    reader, _ = coming.result()
    assert (reader.progress, await reader.read_all()) == (1, "")


async def test_texts_and_bytes_of_a_topic_have_a_handler_each(joined: Room, server: Server) -> None:
    """And of other topics others; what nobody wants is thrown away."""
    seen: list[str] = []
    joined.register_text_stream_handler("t", lambda reader, _: seen.append(f"text {reader.info.topic}"))
    joined.register_byte_stream_handler("t", lambda reader, _: seen.append(f"bytes {reader.info.topic}"))
    joined.register_text_stream_handler("u", lambda reader, _: seen.append(f"text {reader.info.topic}"))
    values = [replace(header, topic=topic, inline_content=b"x") for header in (TEXT, BYTES) for topic in "tuv"]
    await say(joined, server, *values, chunk(0), end())
    assert seen == ["text t", "text u", "bytes t"]


async def test_topics_of_all_kinds(joined: Room, server: Server) -> None:
    """A topic is a text and nothing else."""
    seen: list[str] = []
    topics = ["", "__proto__", "a\x00b", "🦊", "t" * 50_000]
    for topic in topics:
        joined.register_text_stream_handler(topic, lambda reader, _: seen.append(reader.info.topic))
        await say(joined, server, replace(TEXT, topic=topic, inline_content=b"x"))
    assert seen == topics


# -- handlers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "byte"])
async def test_a_topic_has_one_handler(room: Room, kind: str) -> None:
    """A second one is refused until the first is taken away."""
    register = getattr(room, f"register_{kind}_stream_handler")
    unregister = getattr(room, f"unregister_{kind}_stream_handler")
    register("t", lambda *_: None)
    with pytest.raises(DataStreamError, match=rf"unregister_{kind}_stream_handler\('t'\)") as caught:
        register("t", lambda *_: None)
    assert caught.value.reason is Reason.HANDLER_ALREADY_REGISTERED
    unregister("t")
    unregister("t")
    register("t", lambda *_: None)


async def test_handlers_stay_for_the_next_connection(joined: Room, server: Server) -> None:
    """Until they are taken away."""
    seen: list[str] = []
    joined.register_text_stream_handler("t", lambda _, identity: seen.append(identity))
    await joined.disconnect()
    await joined.connect(URL, "token")
    await say(joined, server, replace(TEXT, inline_content=b"x"))
    assert seen == ["ada"]
    joined.unregister_text_stream_handler("t")
    await say(joined, server, replace(TEXT, inline_content=b"x"))
    assert seen == ["ada"]


def raising(*_: object) -> None:
    raise ValueError("oh")


async def araising(*_: object) -> None:
    raise ValueError("oh")


@pytest.mark.parametrize("handler", [raising, araising, lambda: None])
async def test_a_handler_that_raises(
    joined: Room, server: Server, handler: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback; the next stream comes all the same."""
    joined.register_text_stream_handler("t", handler)
    await say(joined, server, TEXT)
    await say(joined, server, replace(TEXT, stream_id="next"))
    await until(lambda: len(caplog.records) == 2)
    assert all(record.exc_info and "'t'" in record.message for record in caplog.records)
    assert {record.levelname for record in caplog.records} == {"ERROR"}


async def test_a_handler_that_does_not_mind_a_broken_stream(
    joined: Room, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """That is no mistake of its own, so it is a warning."""

    async def take(reader: TextStreamReader, _: str) -> None:
        await reader.read_all()

    joined.register_text_stream_handler("t", take)
    await say(joined, server, TEXT, end(reason="tired"))
    await until(lambda: caplog.records)
    [record] = caplog.records
    assert record.levelname == "WARNING" and record.exc_info


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_an_abnormal_end(joined: Room, server: Server) -> None:
    """What came before can be read; then there is an error, every time."""
    coming = first_text(joined)
    await say(joined, server, TEXT, chunk(0, "abc"), end(reason="tired", mood="bad"))
    reader, _ = coming.result()
    assert await anext(reader) == "abc"
    for _ in range(2):
        error = await failed(reader)
        assert error.reason is Reason.ABNORMAL_END and "tired" in str(error)
    assert reader.info.attributes == {"a": "b", "mood": "bad"}


async def test_who_waits_hears_that_the_sender_left(joined: Room, server: Server) -> None:
    """At once."""
    coming = first_text(joined)
    await say(joined, server, TEXT)
    reading = asyncio.create_task(failed(coming.result()[0]))
    await asyncio.sleep(0)
    await server.say(m.ParticipantUpdate((ADA_LEFT,)))
    assert (await reading).reason is Reason.ABNORMAL_END


async def test_who_waits_hears_that_we_left(joined: Room, server: Server) -> None:
    """With the reason for that; a handler that still has something to do does it."""
    ended = asyncio.Event()
    errors: list[DataStreamError] = []

    async def take(reader: TextStreamReader, _: str) -> None:
        errors.append(await failed(reader))
        await asyncio.sleep(0)
        ended.set()

    joined.register_text_stream_handler("t", take)
    await say(joined, server, TEXT)
    await joined.disconnect()
    await asyncio.wait_for(ended.wait(), 5)
    assert errors[0].reason is Reason.ABNORMAL_END
    assert isinstance(errors[0].__cause__, RoomDisconnectedError)
    await until(lambda: not joined._context.streams._tasks._tasks)


async def test_who_waits_hears_that_the_connection_is_made_anew(joined: Room, server: Server) -> None:
    """What comes on the next one is something else."""
    coming = first_text(joined)
    await say(joined, server, TEXT, chunk(0, "abc"))
    reader, _ = coming.result()
    again = asyncio.ensure_future(joined.wait_for(Reconnected, timeout=10))
    await asyncio.sleep(0)
    server.break_connection()
    assert await anext(reader) == "abc"
    assert (await failed(reader)).reason is Reason.ABNORMAL_END
    await again
    await say(joined, server, chunk(1), end())


async def test_a_handler_that_ends_the_room(joined: Room, server: Server) -> None:
    """Nobody waits for anybody."""

    async def take(reader: TextStreamReader, _: str) -> None:
        await joined.disconnect()
        await failed(reader)

    joined.register_text_stream_handler("t", take)
    await say(joined, server, TEXT)
    await until(lambda: not joined.isconnected() and not joined._context.streams._tasks._tasks)


async def test_streams_that_are_refused_are_counted(
    joined: Room, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """And the first goes on."""
    coming = first_text(joined)
    await say(joined, server, TEXT, TEXT, replace(TEXT, stream_id="3", compression=9))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "(1 so far)" in caplog.records[0].message and "(2 so far)" in caplog.records[1].message
    await say(joined, server, chunk(0, "abc"), end())
    assert await coming.result()[0].read_all() == "abc"


async def test_how_much_may_come(server: Server) -> None:
    """The room's options say."""
    server.others = [participant("ada")]
    options = RoomOptions(data_stream=DataStreamOptions(max_payload_byte_length=3))
    async with Room(options, browser=server.browser) as room:
        await room.connect(URL, "token")
        coming = first_text(room)
        await say(room, server, TEXT, chunk(0, "abc"), chunk(1, "d"), end())
        reader, _ = coming.result()
        assert await anext(reader) == "abc"
        assert (await failed(reader)).reason is Reason.PAYLOAD_TOO_LARGE


# -- readers that nobody reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_a_reader_that_is_closed(joined: Room, server: Server, how: str) -> None:
    """What has come and what is to come is thrown away; whoever waits is let go."""
    coming = first_text(joined)
    await say(joined, server, TEXT, chunk(0))
    reader, _ = coming.result()
    assert await anext(reader) == "x"
    waiting = asyncio.create_task(reader.read_all())
    await asyncio.sleep(0)
    if how == "close":
        reader.close()
    else:
        await reader.aclose()
    assert await waiting == ""
    await say(joined, server, chunk(1), end(reason="late"))
    assert [piece async for piece in reader] == []


async def test_a_reader_that_is_dropped(joined: Room, server: Server) -> None:
    """Nothing of it stays, though its sender goes on."""
    gone: list[weakref.ref[TextStreamReader]] = []
    joined.register_text_stream_handler("t", lambda reader, _: gone.append(weakref.ref(reader)))
    gc.disable()
    try:
        await say(joined, server, TEXT, chunk(0))
        assert gone[0]() is None
    finally:
        gc.enable()
    incoming = joined._context.streams._incoming
    assert not incoming._streams and not incoming._senders
    await say(joined, server, chunk(1), end())
