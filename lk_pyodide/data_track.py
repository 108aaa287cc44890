"""Data tracks: frames of bytes from one publisher to whoever subscribes, fast and without a promise to arrive."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, Self, TypeVar

from lk_pyodide.core import messages as m
from lk_pyodide.errors import DeadlineExceeded, LiveKitError, SubscribeDataTrackError
from lk_pyodide.types import EncryptionType

__all__ = [
    "DataTrackFrame",
    "DataTrackInfo",
    "DataTrackStream",
    "DeferrableMap",
    "LocalDataTrack",
    "RemoteDataTrack",
]

V = TypeVar("V")

DEFAULT_BUFFER_SIZE = 16
"""Frames that wait to be read, unless somebody says otherwise (livekit-client ``IncomingDataTrackManager.ts``)."""


@dataclass(frozen=True)
class DataTrackFrame:
    """What is pushed on a data track, and arrives whole or not at all.

    Attributes:
        payload: about 2 MB at most; the less of it, the likelier it arrives.
        user_timestamp: any number of 64 bits; see :meth:`with_user_timestamp_now`.
    """

    payload: bytes = field(repr=False)
    user_timestamp: int | None = None

    def with_user_timestamp_now(self) -> DataTrackFrame:
        """The same frame with the time of day, in milliseconds since 1970."""
        return replace(self, user_timestamp=time.time_ns() // 1_000_000)

    def duration_since_timestamp(self) -> float | None:
        """How old it is, in seconds, if its publisher's clock and ours agree.

        None without a timestamp, and for one that is still to come.
        """
        if self.user_timestamp is None:
            return None
        seconds = time.time() - self.user_timestamp / 1000
        return seconds if seconds >= 0 else None


@dataclass(frozen=True, slots=True)
class DataTrackInfo:
    """What is known of a data track.

    Attributes:
        sid: the server's id of it; another one when it had to be published again.
        name: its publisher's; unique among the tracks of one.
        uses_e2ee: whether its frames are end-to-end encrypted.
    """

    sid: str
    name: str
    uses_e2ee: bool

    @classmethod
    def _of(cls, info: m.DataTrackInfo) -> Self:
        return cls(info.sid, info.name, info.encryption != EncryptionType.NONE)


# -- ours --------------------------------------------------------------------------------------------------------------


class LocalDataTrackOwner(Protocol):
    """Who publishes a data track of ours."""

    def is_published(self, track: LocalDataTrack, /) -> bool: ...
    def push(self, track: LocalDataTrack, frame: DataTrackFrame, /) -> None: ...
    async def flush(self, track: LocalDataTrack, /) -> None: ...
    async def unpublish(self, track: LocalDataTrack, /) -> None: ...


class LocalDataTrack:
    """A data track of ours, as :meth:`LocalParticipant.publish_data_track` makes it."""

    def __init__(self, owner: LocalDataTrackOwner, info: m.DataTrackInfo) -> None:
        self._owner = owner
        self._published_as = info

    @property
    def info(self) -> DataTrackInfo:
        """What is known of it; ``sid`` is new after a full reconnect."""
        return DataTrackInfo._of(self._published_as)

    def is_published(self) -> bool:
        """Whether it is published, or will be as soon as the connection is back."""
        return self._owner.is_published(self)

    def try_push(self, frame: DataTrackFrame) -> None:
        """Send a frame to whoever subscribes, or drop it.

        It is dropped while more is waiting to be sent than the connection can take, and while the connection is being
        made anew.

        Raises:
            PushFrameError: it was dropped, or the track is not published any more; ``reason`` says which.
            UsageError: it is no frame, or larger than anybody would take.
        """
        self._owner.push(self, frame)

    async def flush(self) -> None:
        """Wait until the frames that were pushed have been sent, but for a few kilobytes.

        Before :meth:`unpublish`, say; or between frames, none of which should be dropped here. Returns when the
        connection breaks, too.
        """
        await self._owner.flush(self)

    async def unpublish(self) -> None:
        """Stop publishing it: at once for us, for the others once this returns. Twice is once.

        Raises:
            DeadlineExceeded: the server did not confirm it.
        """
        await self._owner.unpublish(self)

    def __repr__(self) -> str:
        return f"<LocalDataTrack {self.info.name!r} {self.info.sid}>"


# -- theirs ------------------------------------------------------------------------------------------------------------


class FrameBuffer:
    """The frames that wait to be read by one stream.

    Args:
        size: how many may wait; what comes then is dropped.
    """

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self.is_open = True
        self.on_close: Callable[[], object] = _nothing
        self._size = size
        self._frames: deque[DataTrackFrame] = deque()
        self._failure: SubscribeDataTrackError | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, seconds: float, on_timeout: Callable[[], object]) -> None:
        """Something must happen until then."""
        self._timer = asyncio.get_running_loop().call_later(seconds, on_timeout)

    @property
    def is_pending(self) -> bool:
        """Whether that has not happened yet."""
        return self._timer is not None

    def granted(self) -> None:
        """The server sends the track to us."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def put(self, frame: DataTrackFrame) -> None:
        """A frame came."""
        if len(self._frames) >= self._size:
            self.dropped += 1
            return
        self._frames.append(frame)
        self._changed.set()

    def end(self, failure: SubscribeDataTrackError | None = None) -> None:
        """No more will come; those that wait can still be read."""
        self.is_open = False
        self.on_close = _nothing
        self._failure = failure
        self.granted()
        self._changed.set()

    def close(self) -> None:
        """Nobody reads any more."""
        if self.is_open:
            on_close = self.on_close
            self.end()
            on_close()
        self._failure = None
        self._frames.clear()

    async def get(self) -> DataTrackFrame:
        """The next frame.

        Raises:
            StopAsyncIteration: there is none.
            SubscribeDataTrackError: there was none, because nothing came of the subscription.
        """
        while not self._frames:
            if self._failure is not None:
                raise SubscribeDataTrackError(str(self._failure), self._failure.reason) from self._failure.__cause__
            if not self.is_open:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._frames.popleft()


class DataTrackStream:
    """The frames of a data track, as they come: ``async for frame in stream``.

    It ends when the track is unpublished, or its publisher or we leave. Whoever reads too slowly misses frames:
    ``dropped`` says how many. What nobody holds any more is closed by itself.
    """

    def __init__(self, buffer: FrameBuffer) -> None:
        self._buffer = buffer

    @property
    def dropped(self) -> int:
        """How many frames have come while the buffer was full."""
        return self._buffer.dropped

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DataTrackFrame:
        return await self._buffer.get()

    async def read(self) -> DataTrackFrame | None:
        """The next frame; None at the end.

        Raises:
            SubscribeDataTrackError: the server did not give us the track, or it was unpublished before it did.
        """
        try:
            return await self._buffer.get()
        except StopAsyncIteration:
            return None

    def close(self) -> None:
        """Read no more. With its last stream the track is not sent to us any more."""
        self._buffer.close()

    async def aclose(self) -> None:
        """The same as :meth:`close`, for ``contextlib.aclosing``."""
        self.close()

    def __del__(self) -> None:
        self._buffer.close()


class RemoteDataTrackOwner(Protocol):
    """Who takes care of the data tracks of others."""

    def is_published(self, track: RemoteDataTrack, /) -> bool: ...
    def subscribe(self, track: RemoteDataTrack, buffer: FrameBuffer, /) -> None: ...
    def configure(self, track: RemoteDataTrack, max_partial_frames: int, /) -> None: ...


class RemoteDataTrack:
    """A data track of somebody else."""

    def __init__(self, owner: RemoteDataTrackOwner, publisher_identity: str, info: m.DataTrackInfo) -> None:
        self._owner = owner
        self._publisher_identity = publisher_identity
        self._published_as = info

    @property
    def info(self) -> DataTrackInfo:
        """What is known of it."""
        return DataTrackInfo._of(self._published_as)

    @property
    def publisher_identity(self) -> str:
        """Whose it is."""
        return self._publisher_identity

    def is_published(self) -> bool:
        """Whether its publisher still publishes it."""
        return self._owner.is_published(self)

    def subscribe(self, *, buffer_size: int | None = None) -> DataTrackStream:
        """Get its frames from now on.

        It may be called more than once; every stream has every frame, and the server sends each once.

        Args:
            buffer_size: how many frames wait to be read at most; None means 16, and less than one means one.

        Returns:
            The frames. When nothing comes of it, reading them raises :class:`SubscribeDataTrackError`: the server has
            10 s, and the track must be published and not encrypted.
        """
        buffer = FrameBuffer(max(1, DEFAULT_BUFFER_SIZE if buffer_size is None else buffer_size))
        self._owner.subscribe(self, buffer)
        return DataTrackStream(buffer)

    def set_pipeline_options(self, *, max_partial_frames: int | None = None) -> None:
        """Say how its packets become frames, in every stream of it, now and later.

        Args:
            max_partial_frames: how many frames may be incomplete at a time. More than the one of the beginning helps
                where packets of many large frames arrive in disorder. None changes nothing, less than one means one.
        """
        if max_partial_frames is not None:
            self._owner.configure(self, max(1, max_partial_frames))

    def __repr__(self) -> str:
        return f"<RemoteDataTrack {self.info.name!r} {self.info.sid} of {self.publisher_identity!r}>"


class DeferrableMap(Mapping[str, V], Generic[V]):
    """A mapping of which one can also wait for what is not there yet."""

    def __init__(self) -> None:
        self._values: dict[str, V] = {}
        self._awaited: dict[str, asyncio.Future[V]] = {}
        self._ended_by: LiveKitError | None = None

    def __getitem__(self, key: str) -> V:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    async def get_deferred(self, key: str, *, timeout: float | None = None) -> V:
        """What is there under this key, now or as soon as something is.

        Args:
            key: for a data track, its name.
            timeout: seconds; None waits as long as the participant is here.

        Raises:
            DeadlineExceeded: nothing came in time (a ``TimeoutError``).
            SubscribeDataTrackError: the participant left first.
            RoomDisconnectedError: we did.
        """
        if key in self._values:
            return self._values[key]
        if self._ended_by is not None:
            raise self._ended_by
        awaited = self._awaited.get(key)
        if awaited is None:
            awaited = self._awaited[key] = asyncio.get_running_loop().create_future()
            awaited.add_done_callback(_seen)
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                return await asyncio.shield(awaited)
        except TimeoutError as error:
            if not deadline.expired():
                raise  # why there is nothing to come
            raise DeadlineExceeded(f"no {key!r} within {timeout:g} s") from error

    def _set(self, key: str, value: V) -> None:
        self._values[key] = value
        awaited = self._awaited.pop(key, None)
        if awaited is not None:
            awaited.set_result(value)

    def _remove(self, key: str) -> None:
        self._values.pop(key, None)

    def _end(self, error: LiveKitError) -> None:
        self._values.clear()
        self._ended_by = error
        awaited, self._awaited = self._awaited, {}
        for future in awaited.values():
            future.set_exception(error)


def _nothing() -> None:
    pass


def _seen(future: asyncio.Future[V]) -> None:
    # Whoever waited may have gone.
    if not future.cancelled():
        future.exception()
