"""What the wire says of text and byte streams; part of :mod:`lk_pyodide.core.messages`, which see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from lk_pyodide.types import EncryptionType


class DataStream:
    """``livekit.DataStream``: the messages that a stream is made of."""

    class OperationType(IntEnum):
        """What a text does to an earlier one."""

        CREATE = 0
        UPDATE = 1
        DELETE = 2
        REACTION = 3

    class CompressionType(IntEnum):
        """How the content is packed."""

        NONE = 0
        DEFLATE_RAW = 1

    @dataclass(frozen=True, slots=True)
    class TextHeader:
        operation_type: DataStream.OperationType | int = 0
        version: int = 0
        reply_to_stream_id: str = ""
        attached_stream_ids: tuple[str, ...] = ()
        generated: bool = False

    @dataclass(frozen=True, slots=True)
    class ByteHeader:
        name: str = ""

    @dataclass(frozen=True, slots=True)
    class Header:
        """Of a text or of bytes. ``timestamp`` is in milliseconds; ``total_length`` counts what is not compressed."""

        stream_id: str = ""
        timestamp: int = 0
        topic: str = ""
        mime_type: str = ""
        total_length: int | None = None
        encryption_type: EncryptionType | int = EncryptionType.NONE
        attributes: Mapping[str, str] = field(default_factory=dict)
        text_header: DataStream.TextHeader | None = None
        byte_header: DataStream.ByteHeader | None = None
        inline_content: bytes | None = None
        compression: DataStream.CompressionType | int = 0

    @dataclass(frozen=True, slots=True)
    class Chunk:
        stream_id: str = ""
        chunk_index: int = 0
        content: bytes = b""
        version: int = 0

    @dataclass(frozen=True, slots=True)
    class Trailer:
        """The end; with a ``reason``, one that should not be."""

        stream_id: str = ""
        reason: str = ""
        attributes: Mapping[str, str] = field(default_factory=dict)
