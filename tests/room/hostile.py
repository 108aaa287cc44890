"""What the tests with hostile peers share: a flood, what it costs, and whether the room still works after it."""

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from lk_pyodide import DataReceived, Room, TextStreamReader
from lk_pyodide.browser.fake.channel import FakeDataChannel
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.stream_messages import DataStream
from tests.room.server import URL, Server, participant, until

MB = 1_000_000
MODERN: dict[str, Any] = {"client_protocol": 2, "capabilities": (m.Capability.CAP_COMPRESSION_DEFLATE_RAW,)}


class Spent:
    """What something cost: ``peak`` and ``kept`` are bytes, more than before."""

    peak = 0
    kept = 0


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure Python's memory: at most meanwhile, and in the end."""
    spent = Spent()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield spent
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        spent.peak, spent.kept = peak - before, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


async def join(room: Room, server: Server) -> None:
    """Join ada, who is hostile, and bob, who is not."""
    server.others = [participant("ada", **MODERN), participant("bob", **MODERN)]
    await room.connect(URL, "token")


def packet(value: m.PacketValue, sender: str = "ada", **fields: Any) -> bytes:
    """A packet as the server passes it on: it says whose it is."""
    who: dict[str, Any] = {"participant_identity": sender, "participant_sid": f"PA_{sender}" if sender else ""}
    return wire.encode_packet(m.DataPacket(value, **{**who, **fields}))


def flood(server: Server, messages: Iterable[bytes | str], label: str = "_reliable") -> None:
    """Messages come to us all at once: nothing else has its turn meanwhile."""
    channel = server._channels[label]
    assert isinstance(channel, FakeDataChannel)
    ours = channel._other
    assert ours is not None
    for message in messages:
        ours.hear(message)  # type: ignore[arg-type]  # a text is what a real channel gives, too


async def works(room: Room, server: Server, sender: str = "bob") -> None:
    """Data, a text and a call come through, both ways, and we are who and where we were."""
    assert room.isconnected() and server.joins == 1
    coming = asyncio.ensure_future(room.wait_for(DataReceived, timeout=5, check=lambda e: e.packet.data == b"alive?"))
    texts: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def take(reader: TextStreamReader, identity: str) -> None:
        texts.set_result(await reader.read_all())

    room.register_text_stream_handler("alive?", take)
    room.local_participant.register_rpc_method("alive?", lambda data: data.payload)
    await asyncio.sleep(0)
    header = DataStream.Header("alive?", topic="alive?", text_header=DataStream.TextHeader(), inline_content=b"yes")
    call = m.RpcRequest(f"alive? {len(server.packets)}", "alive?", "yes", 8000, 1)
    flood(server, [packet(value, sender) for value in (m.UserPacket(payload=b"alive?"), header, call)])
    received = (await coming).packet
    assert received.participant is room.remote_participants[sender]
    assert await asyncio.wait_for(texts, 5) == "yes"
    await room.local_participant.publish_data(b"yes")
    await until(lambda: any(is_answer(sent.value, call.id) for sent in server.packets))
    await until(lambda: any(isinstance(sent.value, m.UserPacket) for sent in server.packets))
    room.unregister_text_stream_handler("alive?")


def is_answer(value: object, request_id: str) -> bool:
    """Whether this answers a call: at once as a packet, or as a text."""
    if isinstance(value, DataStream.Header):
        return value.attributes.get("lk.rpc_request_id") == request_id
    return isinstance(value, m.RpcResponse) and value.request_id == request_id


@asynccontextmanager
async def quiet(caplog: pytest.LogCaptureFixture, lines: int) -> AsyncIterator[None]:
    """Few lines are written, and none of them says that something of ours is broken."""
    with caplog.at_level(logging.INFO, "lk_pyodide"):
        yield
    assert len(caplog.records) <= lines
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
