"""Packets of data tracks, as bytes (livekit's ``livekit-datatrack/docs/packet-v0.md``).

A header of 12 bytes, big endian: version, marker and whether there are extensions; a reserved byte; the track's handle;
numbers of the packet and of its frame; a timestamp. Then the extensions, in words of 4 bytes, and the payload.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from lk_pyodide.core.reliable import MAX_PACKET_SIZE
from lk_pyodide.errors import ProtocolError

MAX_HANDLE = 0xFFFF
"""Handles are 16 bits; 0 is none."""

_VERSION = 0
_HEADER = struct.Struct(">BxHHHI")
_WORDS = struct.Struct(">H")  # how many words of extensions there are beyond the first, which this is a part of
_TIMESTAMP = struct.Struct(">Q")
_EXTENDED = 1 << 2
_PADDING, _E2EE, _USER_TIMESTAMP = 0, 1, 2
_IV_SIZE = 12


class Marker(IntEnum):
    """Where in its frame a packet stands."""

    INTER = 0
    FINAL = 1
    START = 2
    SINGLE = 3


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a frame is encrypted."""

    key_index: int
    iv: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet.

    Attributes:
        handle: which track, between one participant and the server.
        sequence: its number among those of the track; 16 bits, wraps around.
        frame: its frame's number; 16 bits, wraps around.
        timestamp: when its frame was pushed: ticks of a 90 kHz clock; 32 bits, wraps around.
        user_timestamp: the application's; 64 bits.
        e2ee: set when the frame's payload is encrypted.
    """

    handle: int
    marker: Marker
    sequence: int
    frame: int
    timestamp: int
    payload: bytes = b""
    user_timestamp: int | None = None
    e2ee: Encryption | None = None

    def encode(self) -> bytes:
        """As it is sent."""
        extensions = _encode_extensions(self.user_timestamp, self.e2ee)
        flags = _VERSION << 5 | self.marker << 3 | (_EXTENDED if extensions else 0)
        header = _HEADER.pack(flags, self.handle, self.sequence, self.frame, self.timestamp)
        return header + extensions + self.payload

    @classmethod
    def decode(cls, data: bytes) -> Packet:
        """From what has come.

        Raises:
            ProtocolError: it is no packet, or one of a version that is not known.
        """
        if not _HEADER.size <= len(data) <= MAX_PACKET_SIZE:
            raise ProtocolError(f"a data track packet does not have {len(data)} bytes")
        flags, handle, sequence, frame, timestamp = _HEADER.unpack_from(data)
        if flags >> 5 != _VERSION:
            raise ProtocolError(f"version {flags >> 5} of data track packets is not known")
        if not handle:
            raise ProtocolError("a data track packet is of no track")
        end = _extensions_end(data) if flags & _EXTENDED else _HEADER.size
        user_timestamp, e2ee = _decode_extensions(data[_HEADER.size + _WORDS.size : end])
        return cls(handle, Marker(flags >> 3 & 3), sequence, frame, timestamp, data[end:], user_timestamp, e2ee)


def overhead(user_timestamp: int | None, e2ee: Encryption | None) -> int:
    """Bytes of a packet that are not payload."""
    return _HEADER.size + len(_encode_extensions(user_timestamp, e2ee))


def _encode_extensions(user_timestamp: int | None, e2ee: Encryption | None) -> bytes:
    body = b""
    if e2ee is not None:
        body += bytes((_E2EE, 1 + _IV_SIZE, e2ee.key_index)) + e2ee.iv
    if user_timestamp is not None:
        body += bytes((_USER_TIMESTAMP, _TIMESTAMP.size)) + _TIMESTAMP.pack(user_timestamp)
    if not body:
        return b""
    size = -(-(_WORDS.size + len(body)) // 4) * 4
    return (_WORDS.pack(size // 4 - 1) + body).ljust(size, b"\0")


def _extensions_end(data: bytes) -> int:
    if len(data) < _HEADER.size + _WORDS.size:
        raise ProtocolError("a data track packet does not say how many extensions it has")
    end: int = _HEADER.size + 4 * (_WORDS.unpack_from(data, _HEADER.size)[0] + 1)
    if end > len(data):
        raise ProtocolError("a data track packet ends within its extensions")
    return end


def _decode_extensions(body: bytes) -> tuple[int | None, Encryption | None]:
    """The extensions that are known; a longer form of one may come with a later version, as may others."""
    user_timestamp: int | None = None
    e2ee: Encryption | None = None
    at = 0
    while at + 2 <= len(body):
        tag, size = body[at], body[at + 1]
        at += 2
        if tag == _PADDING:
            continue
        value = body[at : at + size]
        if len(value) < size:
            raise ProtocolError(f"extension {tag} of a data track packet is cut off")
        at += size
        if tag == _E2EE and size > _IV_SIZE:
            e2ee = Encryption(value[0], value[1 : 1 + _IV_SIZE])
        elif tag == _USER_TIMESTAMP and size >= _TIMESTAMP.size:
            (user_timestamp,) = _TIMESTAMP.unpack_from(value)
    return user_timestamp, e2ee
