"""Text and byte streams that we send."""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import replace
from types import TracebackType
from typing import Generic, Self, TypeVar

from lk_pyodide.core import streams as core
from lk_pyodide.core.messages import DataPacket, ParticipantInfo
from lk_pyodide.errors import (
    DataStreamError,
    LiveKitError,
    PublishDataError,
    RoomDisconnectedError,
    UnexpectedConnectionState,
    UsageError,
)
from lk_pyodide.ports import RoomPort
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.stream_sources import Source, TextSource, source_of
from lk_pyodide.types import ByteStreamInfo, DataStreamErrorReason, StreamInfo, TextStreamInfo

__all__ = ["ByteStreamWriter", "TextStreamWriter"]

T = TypeVar("T")
I_co = TypeVar("I_co", bound=StreamInfo, covariant=True)
Progress = Callable[[float], object] | None
Identities = Sequence[str] | None
Attributes = Mapping[str, str] | None

_GAVE_UP = "the sender gave up"
"""What the others are told of a stream that we could not finish: why is our business."""
_TURN = 0.01
"""Seconds after which the page gets a turn."""


def destinations(identities: Identities) -> tuple[str, ...]:
    """Who gets something sent to these.

    Raises:
        UsageError: it is one identity, not a list.
    """
    if isinstance(identities, str):
        raise UsageError("destination_identities is a list of identities, not one string")
    return tuple(identities or ())


def check_may_send(me: ParticipantInfo) -> None:
    """See to it that the server passes on what we send: it drops without a word what we may not.

    Raises:
        PublishDataError: our token does not allow it.
    """
    if me.permission is not None and not me.permission.can_publish_data:
        raise PublishDataError("the token does not let us send data (can_publish_data)")


class _Line:
    """The connection on which a stream was begun. On the next one nobody knows of the stream."""

    def __init__(self, room: RoomPort, me: Callable[[], ParticipantInfo]) -> None:
        self._room = room
        self._me = me
        self._session = room.session
        self._sid = me().sid
        self._since = asyncio.get_running_loop().time()

    async def send(self, packet: DataPacket) -> None:
        """Send a packet when there is room for it; cancelled, it has not been sent."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._since > _TURN:
            await asyncio.sleep(0)
            self._since = loop.time()
        self._check()
        await self._session.send_packet(packet)
        self._check()

    def _check(self) -> None:
        try:
            same = self._room.session is self._session
        except UnexpectedConnectionState:
            same = False
        if not same:
            raise RoomDisconnectedError("the room was left while a stream was sent")
        if self._me().sid != self._sid:
            raise DataStreamError(
                "the connection was made anew while a stream was sent: its receivers have given it up",
                DataStreamErrorReason.ABNORMAL_END,
            )


class StreamWriter(ABC, Generic[T, I_co]):
    """What the writers of texts and of bytes have in common. ``async with`` closes it."""

    def __init__(self, info: I_co, line: _Line, outgoing: core.Outgoing, tasks: TaskSet) -> None:
        self._info = info
        self._line = line
        self._outgoing = outgoing
        self._tasks = tasks
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def info(self) -> I_co:
        """What is known of the stream."""
        return self._info

    @abstractmethod
    def _pieces(self, content: T) -> Iterator[bytes]:
        """What is written, as bytes."""

    async def write(self, content: T, /) -> None:
        """Send more. It waits while there is no room for it; cancelled, it may have sent a part.

        Raises:
            UsageError: the stream is closed, or this cannot be sent.
            DataStreamError: the connection was made anew since the stream was begun.
            RoomDisconnectedError: the room was left.
        """
        pieces = self._pieces(content)
        async with self._turn:
            if self._closed:
                raise UsageError("the stream is closed")
            for piece in pieces:
                for packet in self._outgoing.data(piece):
                    await self._line.send(packet)

    async def aclose(self, *, reason: str = "", attributes: Mapping[str, str] | None = None) -> None:
        """End the stream. Twice is once.

        Args:
            reason: why it ends before its time; the others get an error then.
            attributes: join those that the stream began with.

        Raises:
            DataStreamError: the connection was made anew since the stream was begun.
            RoomDisconnectedError: the room was left.
        """
        async with self._turn:
            if not self._closed:
                self._closed = True
                await self._line.send(self._outgoing.close(reason, attributes))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.aclose()
        else:  # not awaited: it may be that we were cancelled
            self._tasks.spawn(_quietly(self.aclose(reason=_GAVE_UP)))


class TextStreamWriter(StreamWriter[str, TextStreamInfo]):
    """A text that we send as it comes to be: :meth:`LocalParticipant.stream_text` gives it."""

    def _pieces(self, content: str) -> Iterator[bytes]:
        return core.characters(core.encoded(content))


class ByteStreamWriter(StreamWriter[bytes | bytearray | memoryview, ByteStreamInfo]):
    """Bytes that we send as they come to be: :meth:`LocalParticipant.stream_bytes` gives it."""

    def _pieces(self, content: bytes | bytearray | memoryview) -> Iterator[bytes]:
        return iter((bytes_of(content),))


def bytes_of(content: object) -> bytes:
    """What is to be sent as bytes.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise UsageError(f"bytes are wanted, not {type(content).__name__}")
    return bytes(content)


class OutgoingStreams:
    """What :class:`LocalParticipant` sends as streams; most arguments are explained there.

    Args:
        room: our room.
        me: what the server says of us.
    """

    def __init__(self, room: RoomPort, me: Callable[[], ParticipantInfo]) -> None:
        self._room = room
        self._me = me
        self._tasks = TaskSet()

    async def stream_text(self, info: TextStreamInfo, identities: Identities) -> TextStreamWriter:
        """Begin a text."""
        return TextStreamWriter(info, *await self._begin(info, identities), self._tasks)

    async def stream_bytes(self, info: ByteStreamInfo, identities: Identities) -> ByteStreamWriter:
        """Begin bytes."""
        return ByteStreamWriter(info, *await self._begin(info, identities), self._tasks)

    async def _begin(
        self, info: TextStreamInfo | ByteStreamInfo, identities: Identities
    ) -> tuple[_Line, core.Outgoing]:
        address = await self._address(identities)
        outgoing = core.Outgoing(core.to_header(info), address)
        line = _Line(self._room, self._me)
        await line.send(outgoing.open())
        return line, outgoing

    async def _address(self, identities: Identities) -> core.Address:
        chosen = destinations(identities)
        await self._room.wait_connected()
        check_may_send(self._me())
        return core.Address(self._me().identity, chosen)

    async def send_text(
        self,
        info: TextStreamInfo,
        content: bytes,
        identities: Identities,
        *,
        attachments: Sequence[object],
        compress: bool,
        on_progress: Progress,
    ) -> TextStreamInfo:
        """Send a whole text, and its attachments after it."""
        with ExitStack() as opened:
            files = [self._opened(file, opened) for file in attachments]
            info = replace(info, attachments=tuple(_new_id() for _ in files))
            shares = _Shares(len(files) + 1, on_progress)
            await self._send(info, TextSource(content), identities, compress, shares.part(0), inline=not files)
            for number, (file, stream_id) in enumerate(zip(files, info.attachments, strict=True), 1):
                attached = byte_info(stream_id, info.topic, file.size, None, file.name, file.mime_type)
                await self._send(attached, file, identities, compress, shares.part(number), inline=False)
        return info

    async def send_file(
        self,
        file: object,
        identities: Identities,
        *,
        name: str | None,
        mime_type: str | None,
        topic: str,
        attributes: Attributes,
        stream_id: str | None,
        compress: bool,
        on_progress: Progress,
    ) -> ByteStreamInfo:
        """Send all of a file, or of bytes."""
        with ExitStack() as opened:
            source = self._opened(file, opened)
            info = byte_info(
                stream_id, topic, source.size, attributes, name or source.name, mime_type or source.mime_type
            )
            await self._send(info, source, identities, compress, _Shares(1, on_progress).part(0))
            return info

    def _opened(self, file: object, opened: ExitStack) -> Source:
        source = source_of(file, self._room.browser)
        opened.callback(source.close)
        return source

    async def _send(
        self,
        info: TextStreamInfo | ByteStreamInfo,
        source: Source,
        identities: Identities,
        compress: bool,
        progress: Callable[[float], object],
        *,
        inline: bool = True,
    ) -> None:
        address = await self._address(identities)
        able = core.abilities(self._room.recipients(address.destinations))
        if not compress:
            able = replace(able, deflate=False)
        header = core.to_header(info)
        if inline and source.content is not None:
            packet = core.inline(header, source.content, able, address)
            if packet is not None:
                await self._room.session.send_packet(packet)
                progress(1.0)
                return
        async with aclosing(source.pieces()) as pieces:
            first = await anext(pieces, b"")
            if able.deflate and core.pays(first):
                header = replace(header, compression=core.Deflate)
            outgoing = core.Outgoing(header, address)
            opening = outgoing.open()
            line = _Line(self._room, self._me)
            try:
                await line.send(opening)
                await _pump(first, pieces, source.size, outgoing, line, progress)
            except BaseException:
                self._tasks.spawn(_quietly(line.send(outgoing.close(_GAVE_UP))))
                raise

    async def left(self) -> None:
        """The room is over."""
        await self._tasks.close()


async def _pump(
    first: bytes,
    rest: AsyncIterator[bytes],
    size: int,
    outgoing: core.Outgoing,
    line: _Line,
    progress: Callable[[float], object],
) -> None:
    piece, sent = first, 0
    while piece:
        for packet in outgoing.data(piece):
            await line.send(packet)
        sent += len(piece)
        progress(sent / size)
        piece = await anext(rest, b"")
    for packet in outgoing.rest():
        await line.send(packet)
    await line.send(outgoing.close())
    if not size:
        progress(1.0)


async def _quietly(work: Awaitable[None]) -> None:
    with suppress(LiveKitError):
        await work


class _Shares:
    """The progress of something in several parts of equal weight."""

    def __init__(self, parts: int, on_progress: Progress) -> None:
        self._done = [0.0] * parts
        self._on_progress = on_progress

    def part(self, number: int) -> Callable[[float], None]:
        """Told how much of a part is done, 0 to 1."""

        def progress(done: float) -> None:
            self._done[number] = done
            if self._on_progress is not None:
                self._on_progress(sum(self._done) / len(self._done))

        return progress


def _new_id() -> str:
    """An id for a stream."""
    return os.urandom(16).hex()


def text_info(
    stream_id: str | None, topic: str, size: int | None, attributes: Attributes, reply_to_id: str | None
) -> TextStreamInfo:
    """What is known of a text that begins now.

    Raises:
        UsageError: something of this is no text.
    """
    _check_texts(stream_id, topic, reply_to_id, attributes)
    return TextStreamInfo(
        stream_id=stream_id or _new_id(),
        mime_type="text/plain",
        topic=topic,
        timestamp=int(time.time() * 1000),
        size=size,
        attributes=dict(attributes or {}),
        reply_to_id=reply_to_id or "",
    )


def byte_info(
    stream_id: str | None, topic: str, size: int | None, attributes: Attributes, name: str, mime_type: str
) -> ByteStreamInfo:
    """What is known of bytes that begin now.

    Raises:
        UsageError: something of this is no text.
    """
    _check_texts(stream_id, topic, name, mime_type, attributes)
    return ByteStreamInfo(
        stream_id=stream_id or _new_id(),
        mime_type=mime_type,
        topic=topic,
        timestamp=int(time.time() * 1000),
        size=size,
        attributes=dict(attributes or {}),
        name=name,
    )


def _check_texts(*given: object) -> None:
    for value in given:
        if isinstance(value, Mapping):
            pairs: Mapping[object, object] = value
            _check_texts(*pairs, *pairs.values())
        elif not isinstance(value, str | None):
            raise UsageError(f"what is said of a stream is text, not {type(value).__name__}")
