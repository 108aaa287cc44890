"""Recording a track of our own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lk_pyodide.errors import BrowserError, UsageError
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.types import TrackKind

if TYPE_CHECKING:
    from lk_pyodide.browser.api_sources import Recorder

__all__ = ["LocalTrackRecorder"]

_TYPES = {
    TrackKind.AUDIO: ("audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4", "video/mp4"),
    TrackKind.VIDEO: ("video/webm;codecs=vp8", "video/webm", "video/mp4"),
}


class LocalTrackRecorder:
    """Records a track of our own (W3C ``MediaRecorder``; livekit-client ``LocalTrackRecorder``)::

        async with LocalTrackRecorder(track) as recorder:
            async for chunk in recorder: ...

    Chunks belong together: only all of them, one after the other, are a file. Leaving ``async with`` ends the
    recording; so does the end of the track.

    Args:
        track: what to record; it goes on by itself.
        mime_types: formats, of which the first that the browser can record is taken.
        timeslice: seconds of each chunk.
    """

    def __init__(self, track: LocalTrack, *, mime_types: Sequence[str] | None = None, timeslice: float = 0.1) -> None:
        if not timeslice > 0:
            raise UsageError(f"a chunk lasts longer than {timeslice} s")
        self._track = track
        self._mime_types = _TYPES[track.kind] if mime_types is None else tuple(mime_types)
        self._timeslice = timeslice
        self._recorder: Recorder | None = None
        self._mime_type = ""
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._error: BrowserError | None = None

    @property
    def mime_type(self) -> str:
        """What is being recorded, such as ``audio/webm;codecs=opus``; empty until it has begun."""
        return self._mime_type

    def start(self) -> None:
        """Begin.

        Raises:
            UsageError: it has begun before.
            BrowserError: the browser cannot record this.
        """
        if self._recorder is not None:
            raise UsageError("a recorder records once: make another one")
        self._recorder = self._track._browser.record(
            self._track._media, self._mime_types, self._timeslice, _RecorderEvents(self)
        )

    async def stop(self) -> None:
        """End the recording, and wait until all of it is there to be read. Twice is once."""
        self.end()
        if self._recorder is not None:
            await self._stopped.wait()

    def end(self) -> None:
        """End the recording; who reads it gets the rest. See :meth:`stop`."""
        if self._recorder is not None and not self._stopped.is_set():
            self._recorder.stop()

    def close(self) -> None:
        """Forget the recording, and what has not been read of it."""
        if self._recorder is not None:
            self._recorder.close()
        self._chunks.clear()
        self._finish(None)

    def _finish(self, error: BrowserError | None) -> None:
        self._error = error
        self._stopped.set()
        self._changed.set()

    async def read_all(self) -> bytes:
        """Everything that is recorded and has not been read, when the recording is over.

        Raises:
            BrowserError: the browser could not go on.
        """
        return b"".join([chunk async for chunk in self])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._stopped.is_set() or self._recorder is None:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._chunks.popleft()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.stop()
        else:
            self.close()


class _RecorderEvents:
    """Hears what the browser records."""

    def __init__(self, recorder: LocalTrackRecorder) -> None:
        self._recorder = recorder

    def on_start(self, mime_type: str) -> None:
        self._recorder._mime_type = mime_type

    def on_data(self, data: bytes) -> None:
        self._recorder._chunks.append(data)
        self._recorder._changed.set()

    def on_stop(self, error: BrowserError | None) -> None:
        self._recorder._finish(error)
