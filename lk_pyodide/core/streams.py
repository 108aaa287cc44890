"""Text and byte streams that we send: header, chunks, trailer; or all of it in one packet.

livekit-client ``data-stream/outgoing/OutgoingDataStreamManager.ts`` and ``header-utils.ts``. Packets are made one at a
time, as there is room for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lk_pyodide.core import wire
from lk_pyodide.core.messages import Capability, DataPacket, PacketValue, ParticipantInfo
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import DataStreamError, UsageError
from lk_pyodide.types import ByteStreamInfo, DataStreamErrorReason, EncryptionType, TextStreamInfo

CHUNK_SIZE = 15_000
"""Bytes of content in a chunk, and of a packet with a header: what data channels carry without cutting it up."""
INLINE_PROTOCOL = 2
"""``client_protocol`` from which a participant takes a stream in one packet."""
INLINE_TRIAL = 64 * 1024
"""Bytes up to which it is tried whether the content, compressed, fits into one packet."""
_WORTH_PACKING = 256
"""Bytes from which content in one packet is compressed: below, it takes longer than it saves."""

Deflate = DataStream.CompressionType.DEFLATE_RAW


@dataclass(frozen=True, slots=True)
class Abilities:
    """What everyone who gets a stream can take: all in one packet; compressed."""

    inline: bool
    deflate: bool


def abilities(recipients: Iterable[ParticipantInfo | None]) -> Abilities:
    """What all of these can take; None is somebody who is not known. Nobody at all can take anything."""
    everyone = list(recipients)
    inline = all(info is not None and info.client_protocol >= INLINE_PROTOCOL for info in everyone)
    deflate = all(info is not None and Capability.CAP_COMPRESSION_DEFLATE_RAW in info.capabilities for info in everyone)
    return Abilities(inline, inline and deflate)


@dataclass(frozen=True, slots=True)
class Address:
    """Who sends to whom; to nobody in particular is to everyone else."""

    sender: str
    destinations: tuple[str, ...] = ()

    def packet(self, value: PacketValue) -> DataPacket:
        """Something to be sent there."""
        return DataPacket(value, participant_identity=self.sender, destination_identities=self.destinations)


# -- headers -----------------------------------------------------------------------------------------------------------


def to_header(info: TextStreamInfo | ByteStreamInfo) -> DataStream.Header:
    """The header that says all this."""
    header = DataStream.Header(
        stream_id=info.stream_id,
        timestamp=info.timestamp,
        topic=info.topic,
        mime_type=info.mime_type,
        total_length=info.size,
        attributes=info.attributes,
    )
    match info:
        case TextStreamInfo():
            text = DataStream.TextHeader(reply_to_stream_id=info.reply_to_id, attached_stream_ids=info.attachments)
            return replace(header, text_header=text)
        case ByteStreamInfo():
            return replace(header, byte_header=DataStream.ByteHeader(info.name))


def to_text_info(
    header: DataStream.Header, attributes: Mapping[str, str], encryption: EncryptionType | int
) -> TextStreamInfo:
    """What the header of a text says."""
    text = header.text_header or DataStream.TextHeader()
    return TextStreamInfo(
        stream_id=header.stream_id,
        mime_type=header.mime_type,
        topic=header.topic,
        timestamp=header.timestamp,
        size=header.total_length,
        attributes=attributes,
        encryption_type=encryption,
        attachments=text.attached_stream_ids,
        reply_to_id=text.reply_to_stream_id,
    )


def to_byte_info(
    header: DataStream.Header, attributes: Mapping[str, str], encryption: EncryptionType | int
) -> ByteStreamInfo:
    """What the header of a byte stream says."""
    return ByteStreamInfo(
        stream_id=header.stream_id,
        mime_type=header.mime_type,
        topic=header.topic,
        timestamp=header.timestamp,
        size=header.total_length,
        attributes=attributes,
        encryption_type=encryption,
        name=header.byte_header.name if header.byte_header is not None else "",
    )


# -- content -----------------------------------------------------------------------------------------------------------


def encoded(text: object) -> bytes:
    """A text's bytes.

    Raises:
        UsageError: it is no text, or none that UTF-8 can say.
    """
    if not isinstance(text, str):
        raise UsageError(f"a text is a str, not {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the text cannot be sent: {error}") from error


def characters(data: bytes) -> Iterator[bytes]:
    """UTF-8 in pieces for a chunk each: no character is cut, as some receivers decode each chunk by itself."""
    start = 0
    while len(data) - start > CHUNK_SIZE:
        end = start + CHUNK_SIZE
        while data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:]


def pays(sample: bytes) -> bool:
    """Whether content that begins like this is worth compressing: it takes Python's time, which is the page's.

    What is compressed already (pictures, archives) and what has no pattern goes quicker as it is.
    """
    sample = sample[:CHUNK_SIZE]
    return len(_deflated(sample)) * 3 <= len(sample) * 2


def inline(header: DataStream.Header, content: bytes, able: Abilities, address: Address) -> DataPacket | None:
    """The whole stream as one packet; None when that would be too large, or somebody could not take it."""
    if not able.inline or len(content) > INLINE_TRIAL:
        return None
    whole = replace(header, inline_content=content)
    if able.deflate and len(content) >= _WORTH_PACKING and len(packed := _deflated(content)) < len(content):
        whole = replace(header, inline_content=packed, compression=Deflate)
    packet = address.packet(whole)
    return packet if _fits(packet, whole) else None


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _fits(packet: DataPacket, header: DataStream.Header) -> bool:
    # To encode it only to see how long it is would cost a short call a good part of its time.
    return _at_most(packet, header) <= CHUNK_SIZE or len(wire.encode_packet(packet)) <= CHUNK_SIZE


def _at_most(packet: DataPacket, header: DataStream.Header) -> int:
    """Bytes that a packet cannot exceed: a character has four of them, and each text comes with a few."""
    attributes = (*header.attributes, *header.attributes.values())
    texts = [header.stream_id, header.topic, header.mime_type, packet.participant_identity, *attributes]
    texts += packet.destination_identities
    if header.text_header is not None:
        texts += (header.text_header.reply_to_stream_id, *header.text_header.attached_stream_ids)
    if header.byte_header is not None:
        texts.append(header.byte_header.name)
    return len(header.inline_content or b"") + sum(4 * len(text) + 10 for text in texts) + 100


class Outgoing:
    """One stream, as packets. Whoever takes one sends it before taking the next: what was not sent was not counted.

    Args:
        header: what it is; ``compression`` says whether it is compressed here.
        address: who sends it to whom.
    """

    def __init__(self, header: DataStream.Header, address: Address) -> None:
        self._header = header
        self._address = address
        self._packer = zlib.compressobj(wbits=-zlib.MAX_WBITS) if header.compression == Deflate else None
        self._packed = bytearray()
        self._next = 0

    def open(self) -> DataPacket:
        """The first packet.

        Raises:
            DataStreamError: it would be too large.
        """
        packet = self._address.packet(self._header)
        if not _fits(packet, self._header):
            raise DataStreamError(
                f"the header of a stream may have {CHUNK_SIZE} bytes: say less in its attributes",
                DataStreamErrorReason.HEADER_TOO_LARGE,
            )
        return packet

    def data(self, content: bytes) -> Iterator[DataPacket]:
        """Packets for more of the content; compressed, they come when they are full."""
        if self._packer is None:
            yield from self._chunks(content)
            return
        self._packed += self._packer.compress(content)
        full = len(self._packed) - len(self._packed) % CHUNK_SIZE
        ready = bytes(self._packed[:full])
        del self._packed[:full]
        yield from self._chunks(ready)

    def rest(self) -> Iterator[DataPacket]:
        """Packets for what is still here when there is no more content."""
        if self._packer is not None:
            self._packed += self._packer.flush()
        yield from self._chunks(bytes(self._packed))

    def close(self, reason: str = "", attributes: Mapping[str, str] | None = None) -> DataPacket:
        """The last packet; with a reason when the stream ends before its time."""
        return self._address.packet(DataStream.Trailer(self._header.stream_id, reason, attributes or {}))

    def _chunks(self, content: bytes) -> Iterator[DataPacket]:
        for start in range(0, len(content), CHUNK_SIZE):
            piece = content[start : start + CHUNK_SIZE]
            yield self._address.packet(DataStream.Chunk(self._header.stream_id, self._next, piece))
            self._next += 1
