"""What is done by hand says the same as protobuf, or leaves it to protobuf."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import hot_packets as hot
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import ProtocolError
from lk_pyodide.types import DataPacketKind
from tests.core import strategies as any_

PLAIN = [
    m.UserPacket("PA_1", "ada", b"\x00\xff" * 50, ("bob", "cäsar"), "topic", "id"),
    m.UserPacket(payload=b"x", topic=""),
    m.UserPacket(),
    m.RpcRequest("id", "greet", "Füchse 🦊", 8000, 1),
    m.RpcAck("id"),
    m.RpcResponse("id", payload=""),
    m.RpcResponse("id"),
    DataStream.Chunk("id", 300, bytes(15_000)),
    DataStream.Chunk(),
]
SENT = st.sampled_from(PLAIN) | any_.packet_values
PACKETS = any_.messages(m.DataPacket, value=SENT)


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("kind", [DataPacketKind.RELIABLE, DataPacketKind.LOSSY])
def test_plain_packets_need_no_protobuf(value: m.PacketValue, kind: DataPacketKind) -> None:
    for packet in (
        m.DataPacket(value, kind),
        m.DataPacket(value, kind, "ada", ("bob", "c"), 2**31 - 1, "PA_1"),
    ):
        data = hot.encode(packet)
        assert data is not None
        assert data == wire._encode_packet(packet)
        assert hot.decode(data) == packet == wire._decode_packet(data)


@given(PACKETS)
def test_bytes_are_those_of_protobuf_or_none(packet: m.DataPacket) -> None:
    data = hot.encode(packet)
    assert data is None or data == wire._encode_packet(packet)


@given(PACKETS)
def test_packets_are_those_of_protobuf_or_none(packet: m.DataPacket) -> None:
    data = wire._encode_packet(packet)
    found = hot.decode(data)
    assert found is None or found == wire._decode_packet(data)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes that once were one packet, or two."""
    data = bytearray(wire._encode_packet(draw(PACKETS)))
    if draw(st.booleans()):
        data += wire._encode_packet(draw(PACKETS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "insert", "cut", "end", "copy"])):
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(st.binary(max_size=5))
            case "cut":
                del data[at : at + draw(st.integers(1, 5))]
            case "copy":
                data[at:at] = data[: draw(st.integers(0, 40))]
            case _:
                del data[at:]
    return bytes(data)


@given(damaged())
def test_damaged_packets_are_what_protobuf_makes_of_them(data: bytes) -> None:
    found = hot.decode(data)
    if found is not None:
        assert found == wire._decode_packet(data)


@given(st.binary(max_size=200))
def test_rubbish_is_what_protobuf_makes_of_it(data: bytes) -> None:
    found = hot.decode(data)
    try:
        told = wire._decode_packet(data)
    except ProtocolError:
        assert found is None
    else:
        assert found is None or found == told


@pytest.mark.parametrize(
    "packet",
    [
        m.DataPacket(m.UserPacket(payload="text")),  # type: ignore[arg-type]
        m.DataPacket(m.UserPacket(topic="\ud800")),
        m.DataPacket(m.UserPacket(destination_identities=(5,))),  # type: ignore[arg-type]
        m.DataPacket(m.RpcAck(b"")),  # type: ignore[arg-type]
        m.DataPacket(m.RpcResponse(error=m.RpcError(1))),
        m.DataPacket(m.RpcResponse(payload=5)),  # type: ignore[arg-type]
        m.DataPacket(DataStream.Chunk(chunk_index=-1)),
        m.DataPacket(DataStream.Chunk(chunk_index=2**40)),
        m.DataPacket(m.RpcAck("x"), 7),
        m.DataPacket(m.RpcAck("x"), sequence=2**31),
        m.DataPacket(m.SipDTMF(1, "1")),
        m.DataPacket(),
    ],
)
def test_the_unusual_is_left_to_protobuf(packet: m.DataPacket) -> None:
    assert hot.encode(packet) is None


def test_the_fields_are_those_of_the_schema() -> None:
    """A number, a name and a type for each; all that we know of a message is there."""
    packet = any_.descriptor(m.DataPacket)
    for cls, (number, fields) in hot._VALUES.items():
        descriptor = any_.descriptor(cls)
        assert packet.fields_by_number[number].message_type is descriptor
        for field, name, kind in fields:
            known = descriptor.fields_by_number[field]
            assert known.name == name
            assert (known.type in any_.INTEGERS) == (kind is hot._Kind.NUMBER)
            assert (known.type == known.TYPE_BYTES) == (kind is hot._Kind.BYTES)
            assert known.is_repeated == (kind is hot._Kind.TEXTS)
            assert known.has_presence == (kind in (hot._Kind.MAYBE_TEXT, hot._Kind.UNUSUAL))
        assert {name for _, name, _ in fields} == {field.name for field in dataclasses.fields(cls)}
    own = {field.name for field in dataclasses.fields(m.DataPacket)} - {"value"}
    assert {name for _, name, _ in hot._ENVELOPE} == own
    assert all(packet.fields_by_number[number].name == name for number, name, _ in hot._ENVELOPE)
