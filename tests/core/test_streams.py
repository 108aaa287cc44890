"""Streams that we send: what is in each packet, and that it comes together again."""

from __future__ import annotations

import base64
import os
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import streams, wire
from lk_pyodide.core.messages import DataPacket, ParticipantInfo
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.core.streams import CHUNK_SIZE, Abilities, Address, Outgoing
from lk_pyodide.errors import DataStreamError, UsageError
from lk_pyodide.types import ByteStreamInfo, DataStreamErrorReason, EncryptionType, TextStreamInfo

TO_ADA = Address("me", ("ada",))
ALL, INLINE, NOTHING = Abilities(True, True), Abilities(True, False), Abilities(False, False)
TEXT = TextStreamInfo(
    stream_id="s",
    mime_type="text/plain",
    topic="t",
    timestamp=1_700_000_000_000,
    size=5,
    attributes={"a": "b"},
    attachments=("x", "y"),
    reply_to_id="r",
)
BYTES = ByteStreamInfo(
    stream_id="s", mime_type="image/png", topic="t", timestamp=1, size=None, attributes={}, name="ä.png"
)
HEADER = streams.to_header(TEXT)
PACKED = replace(HEADER, compression=DataStream.CompressionType.DEFLATE_RAW)


def chunks(packets: list[DataPacket]) -> list[DataStream.Chunk]:
    """What is in packets that must all be chunks."""
    values = [packet.value for packet in packets]
    found = [value for value in values if isinstance(value, DataStream.Chunk)]
    assert len(found) == len(values)
    return found


def header_of(packet: DataPacket | None) -> DataStream.Header:
    """What is in a packet that must be a header."""
    assert packet is not None and isinstance(packet.value, DataStream.Header)
    return packet.value


def inflated(data: bytes) -> bytes:
    """What raw deflate stands for, all of it."""
    unpacker = zlib.decompressobj(wbits=-15)
    content = unpacker.decompress(data)
    assert unpacker.eof and not unpacker.unused_data
    return content


# -- headers -----------------------------------------------------------------------------------------------------------


def test_what_is_known_of_a_stream_travels() -> None:
    assert streams.to_text_info(HEADER, TEXT.attributes, EncryptionType.NONE) == TEXT
    header = streams.to_header(BYTES)
    assert streams.to_byte_info(header, {}, EncryptionType.NONE) == BYTES
    assert (HEADER.byte_header, header.text_header, header.total_length) == (None, None, None)
    encrypted = streams.to_text_info(HEADER, {}, EncryptionType.GCM)
    assert (encrypted.encryption_type, encrypted.attributes) == (EncryptionType.GCM, {})
    nameless = streams.to_byte_info(DataStream.Header(), {}, EncryptionType.NONE)
    assert (nameless.name, nameless.size) == ("", None)


def someone(client_protocol: int, *capabilities: int) -> ParticipantInfo:
    """A participant that says of itself what it can."""
    return ParticipantInfo(client_protocol=client_protocol, capabilities=capabilities)


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ([], ALL),
        ([someone(2, 1, 2)], ALL),
        ([someone(3, 2), someone(2, 2)], ALL),
        ([someone(2, 2), someone(2, 1)], INLINE),
        ([someone(2)], INLINE),
        ([someone(1, 2)], NOTHING),
        ([someone(2, 2), someone(1, 2)], NOTHING),
        ([someone(2, 2), None], NOTHING),
    ],
)
def test_what_everyone_can_take(recipients: list[ParticipantInfo | None], expected: Abilities) -> None:
    assert streams.abilities(iter(recipients)) == expected


# -- content -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"bytes", None, 5, "\ud800", "half of a pair: \udfff"])
def test_what_is_no_text_is_the_callers_mistake(text: object) -> None:
    with pytest.raises(UsageError, match="text"):
        streams.encoded(text)


@given(st.lists(st.sampled_from("aä犬😀"), max_size=40), st.integers(4, 20))
def test_characters_stay_whole(letters: list[str], size: int) -> None:
    data = "".join(letters).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_SIZE", size)
        pieces = list(streams.characters(data))
    assert b"".join(pieces) == data
    for piece, following in zip(pieces, [*pieces[1:], b""], strict=False):
        piece.decode()
        assert 0 < len(piece) <= size
        if following:
            assert len(piece) + len(following.decode()[0].encode()) > size, "as much as there is room for"


@pytest.mark.parametrize("extra", ["", "a", "ä", "😀", "a😀😀"])
def test_a_long_text_is_cut_between_characters(extra: str) -> None:
    text = extra + "😀" * 10_000
    pieces = list(streams.characters(streams.encoded(text)))
    assert len(pieces) == 3
    assert "".join(piece.decode() for piece in pieces) == text
    assert max(map(len, pieces)) <= CHUNK_SIZE == 15_000


# -- in one packet -----------------------------------------------------------------------------------------------------


def test_a_short_text_goes_in_one_packet_where_everyone_can_take_that() -> None:
    assert streams.inline(HEADER, b"hello", NOTHING, TO_ADA) is None
    packet = streams.inline(HEADER, b"hello", INLINE, TO_ADA)
    assert packet == DataPacket(
        replace(HEADER, inline_content=b"hello"), participant_identity="me", destination_identities=("ada",)
    )
    assert streams.inline(HEADER, b"hello", ALL, TO_ADA) == packet, "compressed it would be larger"
    assert header_of(streams.inline(HEADER, b"", ALL, TO_ADA)).inline_content == b""


def test_one_packet_can_hold_a_longer_text_when_it_is_compressed() -> None:
    content = b"again and again, " * 10_000
    assert len(content) <= streams.INLINE_TRIAL
    assert streams.inline(HEADER, content, INLINE, TO_ADA) is None
    header = header_of(streams.inline(HEADER, content, ALL, TO_ADA))
    assert header.compression == DataStream.CompressionType.DEFLATE_RAW
    assert inflated(header.inline_content or b"") == content
    assert header.total_length == 5, "what it is uncompressed is for the caller to say"
    assert streams.inline(HEADER, b"x" * (streams.INLINE_TRIAL + 1), ALL, TO_ADA) is None, "it would take long to try"


def test_one_packet_is_as_large_as_a_chunk_at_most() -> None:
    fitting = [
        size
        for size in range(14_000, 15_100)
        if streams.inline(HEADER, bytes(size % 251 + 1 for _ in range(size)), INLINE, TO_ADA) is not None
    ]
    largest = fitting[-1]
    assert fitting == list(range(14_000, largest + 1))
    packet = streams.inline(HEADER, bytes(largest), INLINE, TO_ADA)
    assert packet is not None and len(wire.encode_packet(packet)) == CHUNK_SIZE


@pytest.mark.parametrize(
    ("content", "pays"),
    [
        (b"plain words, as people write them: these and those, now and then. " * 500, True),
        (b"x", False),
        (b"", False),
        (os.urandom(15_000), False),
        (base64.b64encode(os.urandom(11_250)), False),
        (os.urandom(15_000) + bytes(100_000), False),
        (bytes(15_000) + os.urandom(100_000), True),
    ],
    ids=["words", "short", "empty", "random", "base64", "random first", "nothing first"],
)
def test_whether_compressing_pays_is_seen_from_the_beginning(content: bytes, pays: bool) -> None:
    assert streams.pays(content) == pays


# -- in several packets ------------------------------------------------------------------------------------------------


def test_a_stream_in_packets() -> None:
    outgoing = Outgoing(HEADER, TO_ADA)
    packets = [outgoing.open(), *outgoing.data(b"hel"), *outgoing.data(b""), *outgoing.data(b"lo"), *outgoing.rest()]
    packets.append(outgoing.close("tired", {"c": "d"}))
    assert [packet.value for packet in packets] == [
        HEADER,
        DataStream.Chunk("s", 0, b"hel"),
        DataStream.Chunk("s", 1, b"lo"),
        DataStream.Trailer("s", "tired", {"c": "d"}),
    ]
    assert {packet.destination_identities for packet in packets} == {("ada",)}, "the trailer has them too"
    assert outgoing.close().value == DataStream.Trailer("s")


@given(st.lists(st.binary(max_size=100_000), max_size=4), st.booleans())
def test_whatever_is_sent_comes_together(contents: list[bytes], packed: bool) -> None:
    outgoing = Outgoing(PACKED if packed else HEADER, TO_ADA)
    packets = [packet for content in contents for packet in outgoing.data(content)]
    parts = chunks([*packets, *outgoing.rest()])
    assert [part.chunk_index for part in parts] == list(range(len(parts)))
    assert all(0 < len(part.content) <= CHUNK_SIZE and part.stream_id == "s" for part in parts)
    data = b"".join(part.content for part in parts)
    assert (inflated(data) if packed else data) == b"".join(contents)
    if packed:
        assert all(len(part.content) == CHUNK_SIZE for part in parts[:-1])


def test_what_cannot_be_compressed_comes_together_as_well() -> None:
    content = os.urandom(100_000)
    outgoing = Outgoing(PACKED, TO_ADA)
    packets = [packet for start in range(0, 100_000, 10_000) for packet in outgoing.data(content[start:][:10_000])]
    assert len(packets) > 4, "they come when they are full"
    parts = chunks([*packets, *outgoing.rest()])
    assert inflated(b"".join(part.content for part in parts)) == content
    assert [len(part.content) for part in parts[:-1]] == [CHUNK_SIZE] * (len(parts) - 1)


def test_what_was_not_sent_is_not_counted() -> None:
    outgoing = Outgoing(HEADER, TO_ADA)
    sending = outgoing.data(b"x" * 40_000)
    first = next(sending)
    assert next(sending) != first
    del sending  # sending the second failed
    assert [part.chunk_index for part in chunks(list(outgoing.data(b"next")))] == [1]


def test_a_header_that_says_too_much() -> None:
    fits = replace(HEADER, attributes={"a": "x" * 14_000})
    assert Outgoing(fits, TO_ADA).open().value == fits
    with pytest.raises(DataStreamError, match="attributes") as caught:
        Outgoing(replace(HEADER, attributes={"a": "x" * 15_000}), TO_ADA).open()
    assert caught.value.reason is DataStreamErrorReason.HEADER_TOO_LARGE
    with pytest.raises(DataStreamError):
        Outgoing(HEADER, Address("me", tuple(f"somebody {number}" for number in range(2_000)))).open()
