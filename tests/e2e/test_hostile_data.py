"""A peer that sends what it likes, by a real livekit-server, to Python in Chromium and in Firefox at once."""

import asyncio
import base64
import zlib
from collections.abc import Iterable

import pytest

from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc, wire
from lk_pyodide.core.reassembly import MAX_OPEN
from lk_pyodide.core.stream_messages import DataStream
from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.inpage import hostile

OURS = ("py-1", "py-2")
MB = 1_000_000

SEND_RAW = """async (peer, packets, times) => {
  const channel = peer.room.engine.dataChannelForKind(0);
  const room = (resolve) => channel.bufferedAmount < 2 ** 18 ? resolve() : setTimeout(room, 5, resolve);
  const all = packets.map((packet) => Uint8Array.from(atob(packet), (character) => character.charCodeAt(0)));
  for (let time = 0; time < times; time++) {
    for (const packet of all) {
      if (channel.bufferedAmount > 2 ** 20) await new Promise(room);
      channel.send(packet);
    }
  }
}"""
"""Bytes on the data channel of livekit-client, past all that it does for order, size and form."""


async def _say(mallory: JsPeer, values: Iterable[m.PacketValue | None], times: int = 1) -> None:
    """Send packets that name somebody else as their sender."""
    forged = [
        m.DataPacket(value, participant_identity="py-1", participant_sid="PA_1", destination_identities=OURS)
        for value in values
    ]
    packets = [base64.b64encode(wire.encode_packet(packet)).decode() for packet in forged]
    await mallory.call(SEND_RAW, packets, times)


def _header(name: str, topic: str, **fields: object) -> DataStream.Header:
    kind = {"byte_header": DataStream.ByteHeader("x")} if "compression" in fields else {}
    text = {} if kind else {"text_header": DataStream.TextHeader()}
    return DataStream.Header(name, topic=topic, **kind, **text, **fields)  # type: ignore[arg-type]


def _bombs(topic: str, count: int) -> list[m.PacketValue]:
    """Streams of one chunk each, of a packet's size, that stands for fifteen megabytes."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    content = packer.compress(bytes(14 * MB)) + packer.flush()
    values: list[m.PacketValue] = []
    for number in range(count):
        name = f"{topic} bomb {number}"
        values += [_header(name, topic, compression=1), DataStream.Chunk(name, 0, content), DataStream.Trailer(name)]
    return values


async def _attack(mallory: JsPeer) -> None:
    speaks = m.ActiveSpeakerUpdate((m.SpeakerInfo("PA_1", 1.0, True),))
    await _say(mallory, [None, speaks, m.RpcAck("x"), m.RpcResponse("x", payload="forged")], 300)
    await _say(mallory, [_header(f"open {number}", hostile.OPEN) for number in range(1000)])
    await _say(mallory, [DataStream.Chunk("none", 7, b"x" * 1000), DataStream.Trailer("none"), m.UserPacket()], 300)
    await _say(mallory, [*_bombs(hostile.KEPT, 8), *_bombs(hostile.BOMB, 8)])
    calls = [m.RpcRequest(f"{number}", "hang", "x" * 1000, 2**32 - 1, 1) for number in range(500)]
    await _say(mallory, [*calls, *calls, *(m.RpcRequest(f"no {number}", "x", "", 0, 1) for number in range(200))])
    unread = rpc.request_attributes(m.RpcRequest("t", "hang", "", 8000, 2))
    texts = (_header(f"call {number}", rpc.REQUEST_TOPIC, attributes=unread) for number in range(200))
    await _say(mallory, texts)
    await _say(mallory, [m.UserPacket("PA_1", "py-1", bytes(60_000))], 200)
    await _say(mallory, [m.UserPacket(payload=hostile.OVER)])


@pytest.mark.timeout(120)
async def test_a_hostile_peer(
    chromium: Browser,
    firefox: Browser,
    site: Site,
    js_peer: JsPeer,
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """Both of ours stay, in bounded memory, with a few lines of log; and work with one another afterwards."""
    # pages of their own: their memory has grown afterwards, and WebAssembly gives none of it back
    pages = [await PythonPage.open(browser, site) for browser in (chromium, firefox)]
    runs = [
        await page.start(hostile.endure, url=livekit.url, token=livekit.token(me, room_name), other=other)
        for page, me, other in zip(pages, OURS, reversed(OURS), strict=True)
    ]
    await js_peer.connect(livekit.url, livekit.token("mallory", room_name))
    await asyncio.gather(*(run.reached("ready") for run in runs))
    await js_peer.publish_data(b"opens the channel")
    await _attack(js_peer)
    for run in runs:
        endured = await run.reached("endured", 60)
        lines = endured.pop("lines")
        print(endured, len(lines))
        assert endured["heap"] < 250 * MB
        assert len(lines) < 150, lines
        assert endured["news"] == []
        assert endured["open"] == MAX_OPEN
        assert len(endured["read"]) == 8 and set(endured["read"]) <= {"all", "PAYLOAD_TOO_LARGE"}
        assert endured["got"] == endured["begun"] == 1 + 300 + 200 + 1
    for run in runs:
        await run.signal("work")
    for run in runs:
        assert await run.reached("works") == ["alive", "alive"]
    await js_peer.drop()
    for run in runs:
        await run.signal("leave")
    assert [await run.result() for run in runs] == ["CONNECTED"] * 2
    for page in pages:
        await page.close()
