"""Text and byte streams between all makes of client: each sends to each."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

import pytest

from lk_pyodide import RpcError
from lk_pyodide.core.rpc import MAX_PAYLOAD
from tests.e2e.conftest import LOCAL, Party
from tests.harness.js_peer import JsPeer
from tests.harness.peers import Peer, RpcOutcome, StreamMessage
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.inpage.texts import compact, long_text

FOX = "Ein schneller Fuchs 🦊 springt über 42 faule 🐕 und 犬. "
LONG = (FOX * 3000)[:60_000] + "👩‍👩‍👧"
"""Some 80 kB, in which a chunk's end falls within characters."""
ATTRIBUTES = {"language": "de", "mood": "😀"}


async def _take(party: Party, topic: str = "t") -> None:
    await asyncio.gather(*(peer.take_streams(topic) for peer in party.all))


async def _got(receiver: Peer, sender: Peer, data: bytes, timeout: float = 20) -> StreamMessage:
    """What a peer has read of another's."""
    message = await receiver.wait_stream(lambda m: m.sender == sender.identity and m.data == data, timeout)
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
        await sender.send_text("x", topic="t")
        await sender.stream_text([FOX, "", LONG, FOX], topic="t", attributes=ATTRIBUTES, reply_to="another")
        await sender.send_text("not theirs", topic="another")
        for receiver in party.others(sender):
            names = f"{sender.identity} to {receiver.identity}"
            short = await _got(receiver, sender, FOX.encode())
            assert (short.kind, short.topic, short.attributes) == ("text", "t", ATTRIBUTES), names
            assert (short.size, short.mime_type) == (len(FOX.encode()), "text/plain"), names
            long = await _got(receiver, sender, LONG.encode())
            assert long.size == len(LONG.encode()), names
            assert (await _got(receiver, sender, b"")).attributes == {"empty": "yes"}, names
            assert (await _got(receiver, sender, b"x")).size == 1, names
            pieces = await _got(receiver, sender, (FOX + LONG + FOX).encode())
            assert pieces.attributes == ATTRIBUTES, names
            if receiver in party.ours:
                assert (short.reply_to, pieces.reply_to) == ("", "another"), names
    for receiver in party.all:
        assert len(await receiver.streams()) == 5 * len(party.others(receiver))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("venue", ["python", *LOCAL], indirect=True)
async def test_five_megabytes(party: Party) -> None:
    """A text far beyond what anything on its way holds at a time, from each to everybody."""
    await _take(party)
    content = long_text(100).encode()
    assert len(content) > 5_000_000
    for sender in party.all:
        started = time.monotonic()

        async def read(receiver: Peer, sender: Peer = sender, started: float = started) -> None:
            message = await _got(receiver, sender, compact(content), 60)
            print(f"{sender.identity} to {receiver.identity}: {time.monotonic() - started:.1f} s")
            assert message.size == len(content)

        await asyncio.gather(
            sender.send_long_text(100, topic="t"), *(read(receiver) for receiver in party.others(sender))
        )


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


async def test_files(party: Party) -> None:
    """One that Python sees, and one that the browser has."""
    await _take(party)
    for sender in party.all:
        for kind in sender.file_kinds:
            content = os.urandom(100_000) + FOX.encode()
            await sender.send_file(kind, content, "füchse.txt", topic="t")
            for receiver in party.others(sender):
                file = await _got(receiver, sender, content)
                assert (file.kind, file.name, file.size) == ("bytes", "füchse.txt", len(content))
                assert file.mime_type == ("text/plain" if kind == "path" else "text/x-test")


async def test_attachments(party: Party) -> None:
    """A text with a file or two: everybody can tell which belong to it, and the sender how far it all is."""
    await _take(party)
    files = {"füchse.txt": b"all about " + FOX.encode(), "much.bin": os.urandom(100_000)}
    for sender in (*party.ours, party.js):  # livekit.rtc sends none
        progress = await sender.send_attached(FOX, files, topic="t")
        assert progress == sorted(progress) and progress[-1] == 1
        assert any(1 / 3 < done < 1 for done in progress)
        for receiver in party.others(sender):
            names = f"{sender.identity} to {receiver.identity}"
            text = await _got(receiver, sender, FOX.encode())
            assert (text.kind, len(text.attachments)) == ("text", 2), names
            for stream_id, (name, content) in zip(text.attachments, files.items(), strict=True):
                file = await _got(receiver, sender, content)
                assert (file.id, file.kind, file.topic) == (stream_id, "bytes", "t"), names
                assert (file.name, file.mime_type, file.size) == (name, "text/x-test", len(content)), names


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
    firefox_python: PythonPage,
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """One of them that is in the room makes everybody keep to the first version, of streams and of calls."""
    older, newer, rust = PyPeer(chromium_python), PyPeer(firefox_python), rust_peer()
    peers: list[Peer] = [older, newer, js_peer, rust]
    await older.connect_as_older(livekit.url, livekit.token("older", room_name))
    await newer.connect(livekit.url, livekit.token("newer", room_name))
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    await rust.connect(livekit.url, livekit.token("rust", room_name))
    for peer in peers:
        await peer.take_streams("t")
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
    await _call_with_packets(older, [newer, js_peer, rust])
    await older.end()
    await newer.end()


async def _call_with_packets(older: Peer, others: Sequence[Peer]) -> None:
    """Between one that knows the first version of calls and all others: what fits into a packet, and what does not."""
    for peer in (older, *others):
        await peer.register_rpc("echo")
        await peer.register_rpc("twice")
    code = RpcError.ErrorCode
    for other in others:
        for caller, callee in ((older, other), (other, older)):
            assert await caller.perform_rpc(callee.identity, "echo", FOX) == RpcOutcome(FOX)
        too_long = await other.perform_rpc(older.identity, "echo", LONG)
        assert too_long.code == code.REQUEST_PAYLOAD_TOO_LARGE, other.identity
        if not isinstance(other, RustPeer):  # which sends it all the same
            too_much = await older.perform_rpc(other.identity, "twice", "x" * (MAX_PAYLOAD // 2 + 1))
            assert too_much.code == code.RESPONSE_PAYLOAD_TOO_LARGE, other.identity
        just_enough = "x" * (MAX_PAYLOAD // 2)
        assert await older.perform_rpc(other.identity, "twice", just_enough) == RpcOutcome(just_enough * 2)
