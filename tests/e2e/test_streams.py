"""Text and byte streams between all makes of client: each sends to each."""

import asyncio
import os

import pytest

from tests.e2e.conftest import Party
from tests.harness.peers import Peer, StreamMessage

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
        assert len(await receiver.streams()) == 12


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
        assert len(await receiver.streams()) == 6
