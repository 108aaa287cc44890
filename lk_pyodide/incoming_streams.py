"""Text and byte streams that others send us."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, Self, TypeVar

from lk_pyodide.core import streams as core
from lk_pyodide.core.messages import DataPacket
from lk_pyodide.core.reassembly import MAX_PAYLOAD, Assembly, ByteAssembly, Incoming, TextAssembly
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import DataStreamError, LiveKitError
from lk_pyodide.logging import Tally, get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import ByteStreamInfo, DataStreamErrorReason, EncryptionType, StreamInfo, TextStreamInfo

__all__ = ["ByteStreamHandler", "ByteStreamReader", "TextStreamHandler", "TextStreamReader"]

_log = get_logger("streams")

P = TypeVar("P", str, bytes)
I_co = TypeVar("I_co", bound=StreamInfo, covariant=True)
H = TypeVar("H")


class StreamReader(Generic[P, I_co]):
    """What a text and a byte stream have in common, as they come."""

    def __init__(self, info: I_co, assembly: Assembly[P]) -> None:
        self.on_progress: Callable[[float | None], object] | None = None
        self._info = info
        self._assembly: Assembly[P] = assembly
        self._changed = asyncio.Event()
        assembly.on_change = self._changed.set

    @property
    def info(self) -> I_co:
        """What is known of the stream."""
        return self._info

    @property
    def progress(self) -> float | None:
        """How much of it has been read, 0 to 1; None where its size is not known.

        ``on_progress``, if it is set, is called with this after each piece.
        """
        size = self._info.size
        if size is None:
            return None
        return min(self._assembly.taken / size, 1.0) if size else 1.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> P:
        assembly = self._assembly
        while (piece := assembly.take()) is None:
            if assembly.failure is not None:
                failure = assembly.failure
                raise DataStreamError(str(failure), failure.reason) from failure.__cause__
            if not assembly.is_open:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        if self.on_progress is not None:
            self.on_progress(self.progress)
        return piece

    async def _collect(self) -> list[P]:
        """All pieces, which count for the sender until they are complete: nobody else has them yet."""
        assembly, begin = self._assembly, self._assembly.taken
        pieces: list[P] = []
        try:
            async for piece in self:
                pieces.append(piece)
                assembly.keep(assembly.taken - begin)
        except BaseException:
            pieces.clear()  # which the error's traceback would keep
            raise
        finally:
            assembly.keep(0)
        return pieces

    def _taken_at_once(self) -> list[P] | None:
        """All pieces, if the whole of it is here and has come to its proper end."""
        if self._assembly.is_open or self._assembly.failure is not None:
            return None
        return list(iter(self._assembly.take, None))

    def close(self) -> None:
        """Read no more: what is still to come is thrown away. What nobody holds any more is closed by itself."""
        self._assembly.close()

    async def aclose(self) -> None:
        """The same as :meth:`close`, for ``contextlib.aclosing``."""
        self.close()


class TextStreamReader(StreamReader[str, TextStreamInfo]):
    """A text that somebody sends; ``async for`` gives it as it comes.

    When it ends otherwise than it should, the iteration ends with a :class:`DataStreamError`: its sender gave up or
    left, we left, parts are missing or are no text, or there is more than may be.
    """

    async def read_all(self) -> str:
        """The whole text, or what is left of it, once it is there.

        Raises:
            DataStreamError: it did not come to its proper end.
        """
        return "".join(await self._collect())


class ByteStreamReader(StreamReader[bytes, ByteStreamInfo]):
    """Bytes that somebody sends; otherwise as :class:`TextStreamReader`."""

    async def read_all(self) -> bytes:
        """All bytes, or those that are left, once they are there.

        Raises:
            DataStreamError: they did not come to their proper end.
        """
        return b"".join(await self._collect())


class TextStreamHandler(Protocol):
    """Gets each text of a topic, when it begins, and its sender's identity: a function, ``async`` or not."""

    def __call__(self, reader: TextStreamReader, identity: str, /) -> Awaitable[object] | object: ...


class ByteStreamHandler(Protocol):
    """Gets each byte stream of a topic, when it begins, and its sender's identity: a function, ``async`` or not."""

    def __call__(self, reader: ByteStreamReader, identity: str, /) -> Awaitable[object] | object: ...


class Topics(Generic[H]):
    """Handlers of one kind of stream, by topic."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._handlers: dict[str, H] = {}
        self._reserved: set[str] = set()

    def find(self, topic: str) -> H | None:
        """The handler of a topic."""
        return self._handlers.get(topic)

    def register(self, topic: str, handler: H) -> None:
        """See :meth:`Room.register_text_stream_handler`."""
        if topic in self._handlers:
            raise DataStreamError(
                f"there is a {self._kind} stream handler for {topic!r} already: "
                f"unregister_{self._kind}_stream_handler({topic!r}) takes it away",
                DataStreamErrorReason.HANDLER_ALREADY_REGISTERED,
            )
        self._handlers[topic] = handler

    def reserve(self, topic: str, handler: H) -> None:
        """Register a handler of our own, which nobody takes away."""
        self.register(topic, handler)
        self._reserved.add(topic)

    def unregister(self, topic: str) -> None:
        """See :meth:`Room.unregister_text_stream_handler`."""
        if topic not in self._reserved:
            self._handlers.pop(topic, None)


class IncomingStreams:
    """The handlers of a room, and what comes for them. The handlers stay from one connection to the next.

    Args:
        limit: bytes that a stream may have; None is the default.

    Attributes:
        limit: what it is then.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = MAX_PAYLOAD if limit is None else limit
        self.texts: Topics[TextStreamHandler] = Topics("text")
        self.bytes: Topics[ByteStreamHandler] = Topics("byte")
        self._incoming = Incoming(self.limit)
        self._refused = Tally(_log)
        self._failed = Tally(_log)
        self._tasks = TaskSet()

    def on_packet(
        self,
        packet: DataPacket,
        value: DataStream.Header | DataStream.Chunk | DataStream.Trailer,
        encryption: EncryptionType | int = EncryptionType.NONE,
    ) -> None:
        """Part of a stream came."""
        if not isinstance(value, DataStream.Header):
            self._incoming.receive(packet, value, encryption)
            return
        handlers = self.bytes if value.byte_header is not None else self.texts
        if handlers.find(value.topic) is None:
            _log.debug("nobody wants streams of topic %r", value.topic)
            return
        try:
            assembly = self._incoming.open(packet, value, encryption)
        except DataStreamError as error:
            self._refused.log(logging.WARNING, "refused: %s", str(error))
            return
        try:
            result = self._begin(assembly, value, packet.participant_identity)
        except (Exception, asyncio.CancelledError) as error:  # nobody cancels what does not wait: it is its own
            self._tell(value.topic, error)
            return
        if inspect.isawaitable(result):
            self._tasks.spawn(self._finish(value.topic, result))

    def _begin(self, assembly: TextAssembly | ByteAssembly, header: DataStream.Header, identity: str) -> object:
        """Call the handler; there is one."""
        attributes, encryption = assembly.attributes, assembly.encryption
        match assembly:
            case TextAssembly():
                text_info = core.to_text_info(header, attributes, encryption)
                take_text = self.texts.find(header.topic)
                return take_text and take_text(TextStreamReader(text_info, assembly), identity)
            case ByteAssembly():
                byte_info = core.to_byte_info(header, attributes, encryption)
                take_bytes = self.bytes.find(header.topic)
                return take_bytes and take_bytes(ByteStreamReader(byte_info, assembly), identity)

    def participant_left(self, identity: str, sid: str) -> None:
        """What somebody was sending will not come."""
        self._incoming.left(identity, sid)

    def left(self, error: LiveKitError) -> None:
        """The room is over. Handlers hear of it from their readers, and end by themselves."""
        self._incoming.end(error)

    async def _finish(self, topic: str, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception as error:
            self._tell(topic, error)

    def _tell(self, topic: str, error: BaseException) -> None:
        level = logging.WARNING if isinstance(error, LiveKitError) else logging.ERROR
        self._failed.log(level, "the handler of streams of topic %r raised an exception", topic, error=error)
