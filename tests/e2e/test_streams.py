"""Text and byte streams between all makes of client: each sends to each."""

import asyncio
import os
from collections.abc import Callable

import pytest

from lk_pyodide import RpcError
from tests.e2e.conftest import Party
from tests.harness.js_peer import JsPeer
from tests.harness.peers import Peer, RpcOutcome, StreamMessage
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer

FOX = "Ein schneller Fuchs 🦊 springt über 42 faule 🐕 und 犬. "
LONG = (FOX * 3000)[:60_000] + "👩‍👩‍👧"
"""Some 80 kB, in which a chunk's end falls within characters."""
ATTRIBUTES = {"language": "de", "mood": "😀"}


async def _take(party: Party, topic: str = "t") -> None:
    await asyncio.gather(*(peer.take_streams(topic) for peer in party.all))


async def _got(receiver: Peer, sender: Peer, data: bytes) -> StreamMessage:
    """What a peer has read of another's."""
    message = await receiver.wait_stream(lambda m: m.sender == sender.identity and m.data == data)
    assert not message.failed
    return message


@pytest.mark.timeout(180)
async def test_texts(party: Party) -> None:
    """Short and long, in one call and piece by piece, with attributes: every receiver has the very same text."""
    await _take(party)
    for sender in party.all:
        await sender.send_text(FOX, topic="t", attributes=ATTRIBUTES)
        await sender.send_text(LONG, topic="t")
        await sender.send_text("", topic="t", attributes={"empty": "yes"})
        await sender.stream_text([FOX, "", LONG, FOX], topic="t", attributes=ATTRIBUTES)
        await sender.send_text("not theirs", topic="another")
        for receiver in party.others(sender):
            names = f"{sender.identity} to {receiver.identity}"
            short = await _got(receiver, sender, FOX.encode())
            assert (short.kind, short.topic, short.attributes) == ("text", "t", ATTRIBUTES), names
            assert (short.size, short.mime_type) == (len(FOX.encode()), "text/plain"), names
            long = await _got(receiver, sender, LONG.encode())
            assert long.size == len(LONG.encode()), names
            assert (await _got(receiver, sender, b"")).attributes == {"empty": "yes"}, names
            pieces = await _got(receiver, sender, (FOX + LONG + FOX).encode())
            assert pieces.attributes == ATTRIBUTES, names
    for receiver in party.all:
        assert len(await receiver.streams()) == 4 * len(party.others(receiver))


@pytest.mark.timeout(180)
async def test_bytes(party: Party) -> None:
    """Few and many, in one call and piece by piece, with a name and a type."""
    await _take(party)
    few, many = bytes(range(256)), os.urandom(200_000)
    for sender in party.all:
        await sender.send_bytes(few, topic="t", attributes=ATTRIBUTES, name="ä.bin")
        await sender.send_bytes(many, topic="t")
        await sender.stream_bytes([few, many], topic="t", attributes=ATTRIBUTES)
        for receiver in party.others(sender):
            names = f"{sender.identity} to {receiver.identity}"
            short = await _got(receiver, sender, few)
            assert (short.kind, short.topic, short.attributes) == ("bytes", "t", ATTRIBUTES), names
            assert (short.size, short.name, short.mime_type) == (256, "ä.bin", "application/x-test"), names
            assert (await _got(receiver, sender, many)).size == 200_000, names
            assert (await _got(receiver, sender, few + many)).attributes == ATTRIBUTES, names


async def test_some_get_it_and_others_do_not(party: Party) -> None:
    """What goes to one reaches nobody else, header, chunks and trailer."""
    await _take(party)
    for sender in party.all:
        for receiver in party.others(sender):
            await sender.send_text(f"for {receiver.identity} {LONG}", topic="t", identities=[receiver.identity])
        await sender.send_text("for all", topic="t")
    for receiver in party.all:
        for sender in party.others(receiver):
            await _got(receiver, sender, f"for {receiver.identity} {LONG}".encode())
            await _got(receiver, sender, b"for all")  # sent last: nothing else is under way
        assert len(await receiver.streams()) == 2 * len(party.others(receiver))


@pytest.mark.parametrize("kind", ["path", "native"])
async def test_files(party: Party, kind: str) -> None:
    """One that Python sees, and one that the browser has."""
    await _take(party)
    content = os.urandom(100_000) + FOX.encode()
    for sender in party.ours:
        await sender.send_file(kind, content, "füchse.txt", topic="t")
        for receiver in party.others(sender):
            file = await _got(receiver, sender, content)
            assert (file.kind, file.name, file.size) == ("bytes", "füchse.txt", len(content))
            assert file.mime_type == ("text/plain" if kind == "path" else "text/x-test")


async def test_a_sender_that_leaves(party: Party) -> None:
    """Whoever reads has what came, and an error."""
    await _take(party)
    for sender in (*reversed(party.foreign), party.second):
        await sender.begin_text(FOX, topic="t")
        await sender.send_text("that came after it", topic="t")
        rest = [peer for peer in party.all if peer is not sender and (await peer.state()).state == "connected"]
        for receiver in rest:
            await _got(receiver, sender, b"that came after it")
        await sender.disconnect()
        for receiver in rest:
            cut = await receiver.wait_stream(_cut_of(sender))
            assert cut.data == FOX.encode(), f"{sender.identity} to {receiver.identity}"
            if isinstance(receiver, PyPeer):
                assert cut.failed == "ABNORMAL_END"


def _cut_of(sender: Peer) -> Callable[[StreamMessage], bool]:
    return lambda message: message.sender == sender.identity and bool(message.failed)


@pytest.mark.timeout(180)
async def test_older_clients(
    chromium_python: PythonPage,
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """One of them that is in the room makes everybody keep to the first version, of streams and of calls."""
    ours, rust = PyPeer(chromium_python), rust_peer()
    peers: list[Peer] = [ours, js_peer, rust]
    await ours.connect_as_older(livekit.url, livekit.token("py", room_name))
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    await rust.connect(livekit.url, livekit.token("rust", room_name))
    for peer in peers:
        await peer.take_streams("t")
        await peer.register_rpc("echo")
        for other in peers:
            if other is not peer:
                await peer.wait_remote(other.identity)
    for sender in peers:
        await sender.send_text(LONG, topic="t", attributes=ATTRIBUTES)
        await sender.send_bytes(LONG.encode() + b"\xff", topic="t")
        for receiver in peers:
            if receiver is not sender:
                assert (await _got(receiver, sender, LONG.encode())).attributes == ATTRIBUTES
                assert (await _got(receiver, sender, LONG.encode() + b"\xff")).name == "x.bin"
    for caller, callee in ((js_peer, ours), (rust, ours)):
        assert await caller.perform_rpc(callee.identity, "echo", FOX) == RpcOutcome(FOX)
        too_long = await caller.perform_rpc(callee.identity, "echo", LONG)
        assert too_long.code == RpcError.ErrorCode.REQUEST_PAYLOAD_TOO_LARGE
    await ours.end()
