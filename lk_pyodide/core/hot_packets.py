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
from lk_pyodide.types import DataPacketKind, EncryptionType


class _Kind(Enum):
    """What a field holds. TEXTS is repeated; a MAYBE can be unsaid, and is None then; an UNUSUAL one is None here."""

    NUMBER = 0
    LONG = 1
    MAYBE_LONG = 2
    BOOL = 3
    ENUM = 4
    TEXT = 5
    MAYBE_TEXT = 6
    TEXTS = 7
    TEXT_MAP = 8
    BYTES = 9
    MAYBE_BYTES = 10
    MESSAGE = 11
    UNUSUAL = 12


_Field: TypeAlias = tuple[int, str, _Kind]
_Number, _Text, _Maybe_text, _Texts, _Bytes = _Kind.NUMBER, _Kind.TEXT, _Kind.MAYBE_TEXT, _Kind.TEXTS, _Kind.BYTES

_FIELDS: dict[type, tuple[_Field, ...]] = {
    m.UserPacket: (
        (1, "participant_sid", _Text),
        (2, "payload", _Bytes),
        (4, "topic", _Maybe_text),
        (5, "participant_identity", _Text),
        (6, "destination_identities", _Texts),
        (8, "id", _Maybe_text),
    ),
    m.RpcRequest: (
        (1, "id", _Text),
        (2, "method", _Text),
        (3, "payload", _Text),
        (4, "response_timeout_ms", _Number),
        (5, "version", _Number),
    ),
    m.RpcAck: ((1, "request_id", _Text),),
    m.RpcResponse: ((1, "request_id", _Text), (2, "payload", _Maybe_text), (3, "error", _Kind.UNUSUAL)),
    DataStream.Header: (
        (1, "stream_id", _Text),
        (2, "timestamp", _Kind.LONG),
        (3, "topic", _Text),
        (4, "mime_type", _Text),
        (5, "total_length", _Kind.MAYBE_LONG),
        (7, "encryption_type", _Kind.ENUM),
        (8, "attributes", _Kind.TEXT_MAP),
        (9, "text_header", _Kind.MESSAGE),
        (10, "byte_header", _Kind.MESSAGE),
        (11, "inline_content", _Kind.MAYBE_BYTES),
        (12, "compression", _Kind.ENUM),
    ),
    DataStream.TextHeader: (
        (1, "operation_type", _Kind.ENUM),
        (2, "version", _Number),
        (3, "reply_to_stream_id", _Text),
        (4, "attached_stream_ids", _Texts),
        (5, "generated", _Kind.BOOL),
    ),
    DataStream.ByteHeader: ((1, "name", _Text),),
    DataStream.Chunk: (
        (1, "stream_id", _Text),
        (2, "chunk_index", _Number),
        (3, "content", _Bytes),
        (4, "version", _Number),
    ),
    DataStream.Trailer: ((1, "stream_id", _Text), (2, "reason", _Text), (3, "attributes", _Kind.TEXT_MAP)),
}
_VALUES: dict[type, int] = {
    # field numbers in DataPacket
    m.UserPacket: 2,
    m.RpcRequest: 10,
    m.RpcAck: 11,
    m.RpcResponse: 12,
    DataStream.Header: 13,
    DataStream.Chunk: 14,
    DataStream.Trailer: 15,
}
_ENVELOPE: tuple[_Field, ...] = (
    (1, "kind", _Number),
    (4, "participant_identity", _Text),
    (5, "destination_identities", _Texts),
    (16, "sequence", _Number),
    (17, "participant_sid", _Text),
)
_OF: dict[str, Any] = {
    # what is in a field of an ENUM or a MESSAGE, by the field's name
    "encryption_type": EncryptionType,
    "compression": DataStream.CompressionType,
    "operation_type": DataStream.OperationType,
    "text_header": DataStream.TextHeader,
    "byte_header": DataStream.ByteHeader,
}
_KINDS = (DataPacketKind.RELIABLE, DataPacketKind.LOSSY)
"""By their integers on the wire."""
_LIMIT, _LONG_LIMIT = 1 << 31, 1 << 63
"""Numbers from here on are protobuf's business: there is a sign in them, or more bits than a field has."""
_VARINTS = {_Kind.NUMBER, _Kind.LONG, _Kind.MAYBE_LONG, _Kind.BOOL, _Kind.ENUM}


class _Unusual(Exception):
    """This is protobuf's business."""


# -- to bytes ----------------------------------------------------------------------------------------------------------


def encode(packet: m.DataPacket) -> bytes | None:
    """A ``livekit.DataPacket`` in bytes, or None."""
    number = _VALUES.get(type(packet.value))
    if number is None:
        return None
    out, rest = bytearray(), bytearray()
    try:
        if packet.kind != DataPacketKind.RELIABLE:
            _put(out, 1, _Kind.NUMBER, _KINDS.index(cast(DataPacketKind, packet.kind)))
        inner = _message(packet.value)
        for field, name, kind in _ENVELOPE[1:]:
            _put(out if field < number else rest, field, kind, getattr(packet, name))
        _put_bytes(out, number, inner)
    except (_Unusual, ValueError):
        return None
    return bytes(out + rest)


def _message(message: Any) -> bytearray:
    out = bytearray()
    for number, name, kind in _FIELDS[type(message)]:
        _put(out, number, kind, getattr(message, name))
    return out


def _put(out: bytearray, number: int, kind: _Kind, value: Any) -> None:
    """One field, unless it has the value that is meant when it is not there."""
    if kind in _VARINTS:
        if value is None and kind is _Kind.MAYBE_LONG:
            return
        if not isinstance(value, int) or not 0 <= value < (_LIMIT if kind is _Kind.NUMBER else _LONG_LIMIT):
            raise _Unusual
        if value or kind is _Kind.MAYBE_LONG:
            write_varint(out, number << 3)
            write_varint(out, value)
    elif kind is _Kind.TEXT or kind is _Kind.MAYBE_TEXT:
        if value or (kind is _Kind.MAYBE_TEXT and value is not None):
            _put_bytes(out, number, _utf8(value))
        elif type(value) is not str and value is not None:
            raise _Unusual
    elif kind is _Kind.BYTES or kind is _Kind.MAYBE_BYTES:
        if type(value) is bytes:
            if value or kind is _Kind.MAYBE_BYTES:
                _put_bytes(out, number, value)
        elif value is not None or kind is _Kind.BYTES:
            raise _Unusual
    elif kind is _Kind.TEXTS:
        for each in value:
            _put_bytes(out, number, _utf8(each))
    elif kind is _Kind.TEXT_MAP:
        for key, text in value.items():
            entry = bytearray()
            _put_bytes(entry, 1, _utf8(key))
            _put_bytes(entry, 2, _utf8(text))
            _put_bytes(out, number, entry)
    elif value is not None:
        if kind is _Kind.UNUSUAL:
            raise _Unusual
        _put_bytes(out, number, _message(value))


def _utf8(text: Any) -> bytes:
    if type(text) is not str:
        raise _Unusual
    return text.encode()


def _put_bytes(out: bytearray, number: int, data: bytes | bytearray) -> None:
    write_varint(out, number << 3 | 2)
    write_varint(out, len(data))
    out += data


def write_varint(out: bytearray, value: int) -> None:
    """Put a number at the end, seven bits to a byte."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


# -- from bytes --------------------------------------------------------------------------------------------------------

_Table: TypeAlias = dict[int, tuple[str, _Kind, Any]]
"""Tag → name, kind, and for an ENUM its class, for a MESSAGE its class and table."""


def _table(fields: tuple[_Field, ...]) -> _Table:
    found: _Table = {}
    for number, name, kind in fields:
        of: Any = _OF.get(name)
        if kind is _Kind.MESSAGE:
            of = of, _table(_FIELDS[of])
        if kind is not _Kind.UNUSUAL:
            found[number << 3 | (0 if kind in _VARINTS else 2)] = name, kind, of
    return found


_PACKET: _Table = _table(_ENVELOPE) | {
    number << 3 | 2: ("value", _Kind.MESSAGE, (cls, _table(_FIELDS[cls]))) for cls, number in _VALUES.items()
}
_ENTRY: _Table = _table(((1, "key", _Kind.TEXT), (2, "value", _Kind.TEXT)))


def decode(data: bytes) -> m.DataPacket | None:
    """The packet in these bytes, or None."""
    try:
        values = _read(data, 0, len(data), _PACKET)
        kind = _KINDS[values.pop("kind", 0)]
    except (_Unusual, IndexError, ValueError):  # the last are texts that are no UTF-8, and members that are not known
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
        if name in values and kind is not _Kind.TEXTS and kind is not _Kind.TEXT_MAP:
            raise _Unusual
        if kind in _VARINTS:
            values[name] = _read_number(number, kind, of)
            continue
        start, at = at, at + number
        if at > end:
            raise _Unusual
        if kind is _Kind.TEXT or kind is _Kind.MAYBE_TEXT:
            values[name] = str(data[start:at], "utf-8")
        elif kind is _Kind.BYTES or kind is _Kind.MAYBE_BYTES:
            values[name] = data[start:at]
        elif kind is _Kind.TEXTS:
            values[name] = (*values.get(name, ()), str(data[start:at], "utf-8"))
        elif kind is _Kind.TEXT_MAP:
            entry = _read(data, start, at, _ENTRY)
            values.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
        else:
            cls, inner = of
            values[name] = cls(**_read(data, start, at, inner))
    if at != end:
        raise _Unusual
    return values


def _read_number(number: int, kind: _Kind, of: Any) -> Any:
    if kind is _Kind.ENUM:
        return of(number)
    if kind is _Kind.BOOL:
        return number != 0
    if kind is _Kind.NUMBER and number >= _LIMIT:
        raise _Unusual
    return number


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while byte >= 0x80:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        if value >= _LONG_LIMIT or shift > 63:
            raise _Unusual
    return value, at + 1
