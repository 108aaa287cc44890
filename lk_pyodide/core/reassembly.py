"""Text and byte streams that others send, put together again within limits.

livekit-client ``data-stream/incoming/IncomingDataStreamManager.ts``; livekit-server ``rtc/participant.go``, where an
agent may send in another's name: only the header has that name then, so streams are told apart by the sender's sid.
What the peers say is not believed: nothing here grows beyond what a sender is allowed.
"""

from __future__ import annotations

import codecs
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from lk_pyodide.core.messages import DataPacket
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import DataStreamError, LiveKitError
from lk_pyodide.types import DataStreamErrorReason as Reason
from lk_pyodide.types import EncryptionType

MAX_PAYLOAD = 64 * 1024 * 1024
"""Bytes, uncompressed, that one stream may have, and that all of a sender's on one topic may have unread."""
MAX_OPEN = 64
"""Streams that one sender may have open at a time on one topic."""
OVERHEAD = 4096
"""Bytes that a stream counts for at least, besides its content, while somebody holds it."""
PIECE_OVERHEAD = 128
"""Bytes that a piece counts for besides its content: a byte alone is no small thing in Python."""
MAX_QUOTE = 200
"""Characters of a sender's words that an error repeats."""
INFLATED_PIECE = 64 * 1024
"""Bytes that are unpacked at a time: what a kilobyte stands for is known only when it is there."""

P = TypeVar("P", str, bytes)
Encryption = EncryptionType | int


class _Sender:
    """What one sender occupies here with a topic: a handler that is slow holds up nothing else."""

    __slots__ = ("__weakref__", "held", "open")

    def __init__(self) -> None:
        self.open = 0
        self.held = 0


class Assembly(ABC, Generic[P]):
    """One stream, as it comes. What nobody holds any more is forgotten by all.

    Args:
        header: what it is to be.
        sender: whose it is.
        sid: the sender's, or empty where the server does not say.
        encryption: how the header was encrypted; the rest has to be, too.
        limit: bytes that it may have.

    Attributes:
        attributes: the header's; the trailer's join them.
        failure: how it ended when it did not end well. What came before can be taken all the same.
        taken: bytes that have been taken.
        on_change: called when there is something new.
    """

    def __init__(
        self, header: DataStream.Header, sender: _Sender, identity: str, sid: str, encryption: Encryption, limit: int
    ) -> None:
        self.identity = identity
        self.sid = sid
        self.encryption = encryption
        self.attributes = dict(header.attributes)
        self.failure: DataStreamError | None = None
        self.taken = 0
        self.on_change: Callable[[], object] = _nothing
        self._stream_id = header.stream_id
        self._total = header.total_length or None  # 0 is what some senders say who do not know
        self._limit = limit
        self._budget = budget(limit)
        self._unpacker = (
            zlib.decompressobj(wbits=-zlib.MAX_WBITS)
            if header.compression == DataStream.CompressionType.DEFLATE_RAW
            else None
        )
        self._pieces: deque[tuple[P, int]] = deque()
        self._next = 0
        self._received = 0
        self._unplaced = 0  # bytes of a character that is not complete yet
        self._is_open = True
        self._sender = sender
        self._held = 0
        self._kept = 0  # of what has been taken
        sender.open += 1
        self._hold(max(OVERHEAD, _words(header)))

    @abstractmethod
    def _decode(self, data: bytes, *, final: bool) -> P:
        """Make a piece of what has come; raises UnicodeDecodeError."""

    @property
    def is_open(self) -> bool:
        """Whether there is more to come."""
        return self._is_open

    def take(self) -> P | None:
        """The next piece; None when there is none yet, or no more."""
        if not self._pieces:
            return None
        piece, size = self._pieces.popleft()
        self._hold(-size - PIECE_OVERHEAD)
        self.taken += size
        return piece

    def keep(self, size: int) -> None:
        """So many bytes of what has been taken are being collected, and count like what is still here."""
        self._hold(size - self._kept)
        self._kept = size

    # -- what comes --

    def chunk(self, chunk: DataStream.Chunk, encryption: Encryption) -> None:
        """A part came. One that has come before is passed over; one that did not come ends the stream."""
        if encryption != self.encryption:
            self.fail(self._mismatch())
        elif chunk.chunk_index > self._next:
            self.fail(self._error(f"lacks its part {self._next}", Reason.INCOMPLETE))
        elif chunk.chunk_index == self._next:
            self._next += 1
            self._add(chunk.content)

    def trailer(self, trailer: DataStream.Trailer, encryption: Encryption) -> None:
        """The end came."""
        if encryption != self.encryption:
            self.fail(self._mismatch())
            return
        self.attributes.update(trailer.attributes)
        self._hold(_length(trailer.attributes))
        if trailer.reason:
            self.fail(self._error(f"was ended by its sender: {trailer.reason[:MAX_QUOTE]}", Reason.ABNORMAL_END))
        else:
            self._finish()

    def whole(self, content: bytes) -> None:
        """All of it came with the header."""
        self._add(content)
        if self._is_open:
            self._finish()

    def fail(self, error: DataStreamError) -> None:
        """It ends before its time."""
        if self._is_open:
            self.failure = error.with_traceback(None)  # whose frames hold this very stream
            self._end()

    def close(self) -> None:
        """Nobody wants the rest."""
        self._pieces.clear()
        self._hold(self._kept - self._held)
        self._end()

    def check_size(self, size: int | None) -> None:
        """End it at once when it is to be larger than it may be."""
        if size is not None and size > self._limit:
            self.fail(self._too_large())

    def _add(self, content: bytes) -> None:
        try:
            for data in self._unpacked(content):
                self._take_in(data)
        except DataStreamError as error:
            self.fail(error)
        except zlib.error as error:
            self.fail(self._caused(error, "cannot be unpacked"))
        except UnicodeDecodeError as error:
            self.fail(self._caused(_excerpt(error), "is no UTF-8"))
        else:
            self.on_change()

    def _take_in(self, data: bytes) -> None:
        self._received += len(data)
        if self._total is not None and self._received > self._total:
            raise self._error(f"has more than the {self._total} bytes that were announced", Reason.LENGTH_EXCEEDED)
        if self._received > self._limit:
            raise self._too_large()
        if self._sender.held + len(data) > self._budget:
            raise self._error("was not read as fast as it came", Reason.PAYLOAD_TOO_LARGE)
        self._put(self._decode(data, final=False), len(data))

    def _unpacked(self, content: bytes) -> Iterator[bytes]:
        unpacker = self._unpacker
        if unpacker is None:
            yield content
            return
        while content:
            data = unpacker.decompress(content, INFLATED_PIECE)
            if unpacker.unused_data:
                raise self._error("goes on after its end", Reason.DECODE_FAILED)
            yield data
            # A full piece may be followed by more of what the unpacker has taken in already.
            content = unpacker.unconsumed_tail
        while data := unpacker.decompress(b"", INFLATED_PIECE):
            yield data

    def _put(self, piece: P, size: int) -> None:
        self._unplaced += size
        if piece:
            self._pieces.append((piece, self._unplaced))
            self._hold(self._unplaced + PIECE_OVERHEAD)
            self._unplaced = 0

    def _finish(self) -> None:
        lacking = self._total is not None and self._received < self._total
        if lacking or (self._unpacker is not None and not self._unpacker.eof):
            text = f"ended after {self._received} of {self._total or 'more'} bytes"
            self.fail(self._error(text, Reason.INCOMPLETE))
            return
        try:
            self._decode(b"", final=True)
        except UnicodeDecodeError as error:
            self.fail(self._caused(_excerpt(error), "ends within a character"))
        else:
            self._end()

    # -- the end --

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._sender.open -= 1
            self.on_change()

    def _hold(self, size: int) -> None:
        self._held += size
        self._sender.held += size

    def __del__(self) -> None:
        # Of one that never came to be there is nothing to release.
        if hasattr(self, "_kept"):
            self._hold(-self._held)
            self.on_change = _nothing
            self._end()

    def _error(self, what: str, reason: Reason) -> DataStreamError:
        return DataStreamError(f"{_name(self._stream_id, self.identity)} {what}", reason)

    def _caused(self, cause: Exception, what: str) -> DataStreamError:
        error = self._error(what, Reason.DECODE_FAILED)
        error.__cause__ = cause.with_traceback(None)
        return error

    def _too_large(self) -> DataStreamError:
        return self._error(f"has more than the {self._limit} bytes that are allowed", Reason.PAYLOAD_TOO_LARGE)

    def _mismatch(self) -> DataStreamError:
        return self._error("is not encrypted as it began", Reason.ENCRYPTION_TYPE_MISMATCH)


class TextAssembly(Assembly[str]):
    """A text. Its characters need not keep to the chunks."""

    def __init__(
        self, header: DataStream.Header, sender: _Sender, identity: str, sid: str, encryption: Encryption, limit: int
    ) -> None:
        super().__init__(header, sender, identity, sid, encryption, limit)
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def _decode(self, data: bytes, *, final: bool) -> str:
        return self._decoder.decode(data, final)


class ByteAssembly(Assembly[bytes]):
    """Bytes."""

    def _decode(self, data: bytes, *, final: bool) -> bytes:
        return data


class Incoming:
    """The streams that are open.

    Args:
        limit: see :data:`MAX_PAYLOAD`.
    """

    def __init__(self, limit: int = MAX_PAYLOAD) -> None:
        self._limit = limit
        self._streams: WeakValueDictionary[tuple[str, str], TextAssembly | ByteAssembly] = WeakValueDictionary()
        self._senders: WeakValueDictionary[tuple[str, str], _Sender] = WeakValueDictionary()

    def open(
        self, packet: DataPacket, header: DataStream.Header, encryption: Encryption
    ) -> TextAssembly | ByteAssembly:
        """A stream begins.

        Returns:
            The stream, which lives as long as somebody holds it; a text, unless it has a header of bytes.

        Raises:
            DataStreamError: it is refused; nobody needs to hear of it.
        """
        identity, sid = packet.participant_identity, packet.participant_sid
        name = _name(header.stream_id, identity)
        key = (sid, header.stream_id)
        known = self._streams.get(key)
        if known is not None and known.is_open:
            raise DataStreamError(f"{name} is open already", Reason.ALREADY_OPENED)
        if header.compression not in list(DataStream.CompressionType):
            raise DataStreamError(f"{name} is packed in an unknown way", Reason.DECODE_FAILED)
        who = (sid or identity, header.topic)
        sender = self._senders.get(who) or _Sender()
        if sender.open >= MAX_OPEN or sender.held >= budget(self._limit):
            raise DataStreamError(f"{name} is one too many", Reason.PAYLOAD_TOO_LARGE)
        self._senders[who] = sender
        make = ByteAssembly if header.byte_header is not None else TextAssembly
        assembly = make(header, sender, identity, sid, encryption, self._limit)
        self._streams[key] = assembly
        assembly.check_size(header.total_length)
        if header.inline_content is not None and assembly.is_open:
            assembly.whole(header.inline_content)
        return assembly

    def receive(self, packet: DataPacket, value: DataStream.Chunk | DataStream.Trailer, encryption: Encryption) -> None:
        """A part, or the end, of a stream; nothing happens if nobody reads it."""
        assembly = self._streams.get((packet.participant_sid, value.stream_id))
        if assembly is None or not assembly.is_open:
            return
        match value:
            case DataStream.Chunk():
                assembly.chunk(value, encryption)
            case DataStream.Trailer():
                assembly.trailer(value, encryption)

    def left(self, identity: str, sid: str) -> None:
        """A sender went away: what it was sending will not come."""
        for assembly in list(self._streams.values()):
            if assembly.sid == sid if assembly.sid else assembly.identity == identity:
                assembly.fail(DataStreamError(f"{identity!r} left while sending", Reason.ABNORMAL_END))

    def end(self, cause: LiveKitError) -> None:
        """We went away."""
        for assembly in list(self._streams.values()):
            error = DataStreamError("the room was left while a stream came", Reason.ABNORMAL_END)
            error.__cause__ = cause
            assembly.fail(error)


def _name(stream_id: str, identity: str) -> str:
    return f"stream {stream_id[:MAX_QUOTE]!r} of {identity!r}"


def budget(limit: int) -> int:
    """Bytes that a sender may occupy: room for the largest stream, in chunks of the usual size, and its overhead."""
    return limit + limit // 64 + MAX_OPEN * OVERHEAD


def _words(header: DataStream.Header) -> int:
    """How much the header says."""
    texts = [header.stream_id, header.topic, header.mime_type]
    if header.text_header is not None:
        texts += (header.text_header.reply_to_stream_id, *header.text_header.attached_stream_ids)
    if header.byte_header is not None:
        texts.append(header.byte_header.name)
    return sum(map(len, texts)) + _length(header.attributes)


def _length(attributes: Mapping[str, str]) -> int:
    return sum(len(key) + len(value) for key, value in attributes.items())


def _excerpt(error: UnicodeDecodeError) -> UnicodeDecodeError:
    """The same without the rest of the data, which nobody counts there."""
    wrong = error.object[error.start : error.end]
    return UnicodeDecodeError(error.encoding, wrong, 0, len(wrong), error.reason)


def _nothing() -> None:
    """Nobody listens."""
