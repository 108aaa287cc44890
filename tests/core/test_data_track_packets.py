"""Packets of data tracks: LiveKit's own vectors, what is refused, and both ways round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core.data_track_packets import MAX_HANDLE, Encryption, Marker, Packet, overhead
from lk_pyodide.core.reliable import MAX_PACKET_SIZE
from lk_pyodide.errors import ProtocolError

IV = b"\x3c" * 12
E2EE = Encryption(0xFA, IV)
SMALLEST = bytes.fromhex("000000010000000000000000")

# The vectors of livekit-client's packet/index.test.ts and of livekit-datatrack's packet/serialize.rs.
VECTORS = {
    "single": (
        Packet(101, Marker.SINGLE, 102, 103, 104, bytes(range(10))),
        "18 00 0065 0066 0067 00000068 00010203040506070809",
    ),
    "both extensions": (
        Packet(0x8811, Marker.FINAL, 0x4422, 0x4411, 0x44221188, b"\xfa" * 32, 0x4411221111118811, E2EE),
        "0c 00 8811 4422 4411 44221188 0006 01 0d fa" + "3c" * 12 + "02 08 4411221111118811 00" + "fa" * 32,
    ),
    "encrypted": (
        Packet(101, Marker.START, 102, 103, 104, b"\xfa" * 32, e2ee=E2EE),
        "14 00 0065 0066 0067 00000068 0004 01 0d fa" + "3c" * 12 + "000000" + "fa" * 32,
    ),
    "without payload": (
        Packet(0x8811, Marker.FINAL, 0x4422, 0x4411, 0x44221188),
        "08 00 8811 4422 4411 44221188",
    ),
    "user timestamp": (
        Packet(1, Marker.INTER, 0, 0, 0, user_timestamp=0x4411221111118811),
        "04 00 0001 0000 0000 00000000 0002 02 08 4411221111118811",
    ),
}


@pytest.mark.parametrize(("packet", "text"), VECTORS.values(), ids=VECTORS)
def test_vectors(packet: Packet, text: str) -> None:
    data = bytes.fromhex(text)
    assert packet.encode() == data
    assert Packet.decode(data) == packet
    assert overhead(packet.user_timestamp, packet.e2ee) == len(data) - len(packet.payload)


def extended(words: int, body: str, rest: bytes = b"") -> bytes:
    return b"\x04" + SMALLEST[1:] + words.to_bytes(2) + bytes.fromhex(body) + rest


REFUSED = {
    "nothing": b"",
    "half a header": SMALLEST[:5],
    "all but one byte": SMALLEST[:-1],
    "no track": bytes(12),
    "version 1": b"\x20" + SMALLEST[1:],
    "version 7": b"\xe0" + SMALLEST[1:],
    "no word of the extensions": b"\x04" + SMALLEST[1:],
    "half a word of the extensions": b"\x04" + SMALLEST[1:] + b"\0",
    "extensions beyond the end": extended(0, ""),
    "as many as can be said": extended(0xFFFF, "00" * 100),
    "a timestamp beyond the extensions": extended(1, "02 08 44112211", b"payload"),
    "encryption beyond the extensions": extended(2, "01 0d" + "3c" * 8, b"payload"),
    "an unknown one beyond the extensions": extended(1, "08 ff 01020304", b"payload"),
    "too large": SMALLEST + bytes(MAX_PACKET_SIZE),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_no_packet(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Packet.decode(data)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (0, "0000"),
        (1, "00" * 6),
        (24, "00" * 98),
        (2, "08 06 010203040506 0000"),
        (2, "02 07 01020304050607 00"),
        (1, "01 04 01020304"),
    ],
    ids=["padding", "more padding", "much padding", "an unknown extension", "a short timestamp", "short encryption"],
)
def test_what_is_passed_over(words: int, body: str) -> None:
    packet = Packet.decode(extended(words, body, b"payload"))
    assert packet == Packet(1, Marker.INTER, 0, 0, 0, b"payload")


def test_later_forms_of_extensions() -> None:
    """What is known of them comes first."""
    body = "02 0a 0000000000000007 ffff" + "01 0e fa" + "3c" * 12 + "ff" + "000000000000"
    packet = Packet.decode(extended(8, body, b"x"))
    assert packet == Packet(1, Marker.INTER, 0, 0, 0, b"x", 7, E2EE)


U16 = st.integers(0, 0xFFFF)
packets = st.builds(
    Packet,
    st.integers(1, MAX_HANDLE),
    st.sampled_from(Marker),
    U16,
    U16,
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=100),
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.builds(Encryption, st.integers(0, 255), st.binary(min_size=12, max_size=12)),
)


@given(packets)
def test_both_ways_round(packet: Packet) -> None:
    data = packet.encode()
    assert Packet.decode(data) == packet
    assert len(data) == overhead(packet.user_timestamp, packet.e2ee) + len(packet.payload)


@given(st.binary(max_size=60) | packets.map(Packet.encode), st.data())
def test_whatever_comes(data: bytes, choice: st.DataObject) -> None:
    """Any bytes are a packet or refused, and so are those of a packet that is cut off or changed."""
    cut = bytearray(data[: choice.draw(st.integers(0, len(data)))])
    if cut:
        cut[choice.draw(st.integers(0, len(cut) - 1))] = choice.draw(st.integers(0, 255))
    try:
        packet = Packet.decode(bytes(cut))
    except ProtocolError:
        return
    assert Packet.decode(packet.encode()) == packet
