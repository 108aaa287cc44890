"""The data packets of which there are many, turned into bytes and back without protobuf.

In Pyodide protobuf's Python code takes some 300 µs for a packet, and 200 µs back, which is most of what data costs; by
hand it is a tenth. Here are the plain cases of the plain messages only: whatever is unusual gives None, and is
protobuf's business (:mod:`lk_pyodide.core.wire`). A test proves that both say the same.
The format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias, cast

from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import DataPacketKind


class _Kind(Enum):
    """What a field holds. TEXTS is repeated; a MAYBE can be unsaid, and is None then; an UNUSUAL one is None here."""

    NUMBER = 0
    TEXT = 1
    MAYBE_TEXT = 2
    TEXTS = 3
    BYTES = 4
    MESSAGE = 5
    UNUSUAL = 6


_Field: TypeAlias = tuple[int, str, _Kind]

_VALUES: dict[type, tuple[int, tuple[_Field, ...]]] = {
    # message → its field number in DataPacket, its own fields
    m.UserPacket: (
        2,
        (
            (1, "participant_sid", _Kind.TEXT),
            (2, "payload", _Kind.BYTES),
            (4, "topic", _Kind.MAYBE_TEXT),
            (5, "participant_identity", _Kind.TEXT),
            (6, "destination_identities", _Kind.TEXTS),
            (8, "id", _Kind.MAYBE_TEXT),
        ),
    ),
    m.RpcRequest: (
        10,
        (
            (1, "id", _Kind.TEXT),
            (2, "method", _Kind.TEXT),
            (3, "payload", _Kind.TEXT),
            (4, "response_timeout_ms", _Kind.NUMBER),
            (5, "version", _Kind.NUMBER),
        ),
    ),
    m.RpcAck: (11, ((1, "request_id", _Kind.TEXT),)),
    m.RpcResponse: (12, ((1, "request_id", _Kind.TEXT), (2, "payload", _Kind.MAYBE_TEXT), (3, "error", _Kind.UNUSUAL))),
    DataStream.Chunk: (
        14,
        (
            (1, "stream_id", _Kind.TEXT),
            (2, "chunk_index", _Kind.NUMBER),
            (3, "content", _Kind.BYTES),
            (4, "version", _Kind.NUMBER),
        ),
    ),
}
_ENVELOPE: tuple[_Field, ...] = (
    (1, "kind", _Kind.NUMBER),
    (4, "participant_identity", _Kind.TEXT),
    (5, "destination_identities", _Kind.TEXTS),
    (16, "sequence", _Kind.NUMBER),
    (17, "participant_sid", _Kind.TEXT),
)
_KINDS = (DataPacketKind.RELIABLE, DataPacketKind.LOSSY)
"""By their integers on the wire."""
_LIMIT = 1 << 31
"""Numbers from here on are protobuf's business: there is a sign in them, or more bits than a field has."""


class _Unusual(Exception):
    """This is protobuf's business."""


# -- to bytes ----------------------------------------------------------------------------------------------------------


def encode(packet: m.DataPacket) -> bytes | None:
    """A ``livekit.DataPacket`` in bytes, or None."""
    known = _VALUES.get(type(packet.value))
    if known is None:
        return None
    number, fields = known
    out = bytearray()
    try:
        if packet.kind != DataPacketKind.RELIABLE:
            _put(out, 1, _Kind.NUMBER, _KINDS.index(cast(DataPacketKind, packet.kind)))
        inner = bytearray()
        for field, name, kind in fields:
            _put(inner, field, kind, getattr(packet.value, name))
        rest = bytearray()
        for field, name, kind in _ENVELOPE[1:]:
            _put(out if field < number else rest, field, kind, getattr(packet, name))
        _varint(out, number << 3 | 2)
        _varint(out, len(inner))
    except (_Unusual, ValueError):
        return None
    return bytes(out + inner + rest)


def _put(out: bytearray, number: int, kind: _Kind, value: Any) -> None:
    """One field, unless it has the value that is meant when it is not there."""
    match kind:
        case _Kind.NUMBER:
            if not isinstance(value, int) or not 0 <= value < _LIMIT:
                raise _Unusual
            if value:
                _varint(out, number << 3)
                _varint(out, value)
        case _Kind.TEXT:
            if type(value) is not str:
                raise _Unusual
            if value:
                _put_bytes(out, number, value.encode())
        case _Kind.BYTES:
            if type(value) is not bytes:
                raise _Unusual
            if value:
                _put_bytes(out, number, value)
        case _Kind.MAYBE_TEXT:
            if value is not None:
                if type(value) is not str:
                    raise _Unusual
                _put_bytes(out, number, value.encode())
        case _Kind.UNUSUAL:
            if value is not None:
                raise _Unusual
        case _:
            for each in value:
                if type(each) is not str:
                    raise _Unusual
                _put_bytes(out, number, each.encode())


def _put_bytes(out: bytearray, number: int, data: bytes) -> None:
    _varint(out, number << 3 | 2)
    _varint(out, len(data))
    out += data


def _varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


# -- from bytes --------------------------------------------------------------------------------------------------------

_Table: TypeAlias = dict[int, tuple[str, _Kind, Any]]
"""Tag → name, kind, and for a message its class and table."""


def _table(fields: tuple[_Field, ...]) -> _Table:
    return {
        number << 3 | (0 if kind is _Kind.NUMBER else 2): (name, kind, None)
        for number, name, kind in fields
        if kind is not _Kind.UNUSUAL
    }


_PACKET: _Table = _table(_ENVELOPE) | {
    number << 3 | 2: ("value", _Kind.MESSAGE, (cls, _table(fields))) for cls, (number, fields) in _VALUES.items()
}


def decode(data: bytes) -> m.DataPacket | None:
    """The packet in these bytes, or None."""
    try:
        values = _read(data, 0, len(data), _PACKET)
        kind = _KINDS[values.pop("kind", 0)]
    except (_Unusual, IndexError, UnicodeDecodeError):
        return None
    return m.DataPacket(kind=kind, **values) if "value" in values else None


def _read(data: bytes, at: int, end: int, table: _Table) -> dict[str, Any]:
    values: dict[str, Any] = {}
    while at < end:
        tag, at = _read_varint(data, at)
        field = table.get(tag)
        if field is None:
            raise _Unusual
        name, kind, of = field
        number, at = _read_varint(data, at)
        if kind is _Kind.NUMBER:
            if name in values:
                raise _Unusual
            values[name] = number
            continue
        start, at = at, at + number
        if at > end:
            raise _Unusual
        if kind is _Kind.TEXTS:
            values[name] = (*values.get(name, ()), str(data[start:at], "utf-8"))
        elif name in values:
            raise _Unusual
        elif kind is _Kind.BYTES:
            values[name] = data[start:at]
        elif kind is _Kind.MESSAGE:
            cls, inner = of
            values[name] = cls(**_read(data, start, at, inner))
        else:
            values[name] = str(data[start:at], "utf-8")
    if at != end:
        raise _Unusual
    return values


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        if value >= _LIMIT or shift > 35:
            raise _Unusual
        if byte < 0x80:
            return value, at + 1
