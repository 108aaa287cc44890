"""The page's tracks that are no device's, and its recorder, from a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lk_pyodide.browser.api import Blob, MediaTrack
from lk_pyodide.browser.api_sources import RecorderHandler
from lk_pyodide.browser.bridge.elements import selector_of
from lk_pyodide.browser.bridge.media import acquire, get_handle
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, to_error
from lk_pyodide.browser.guard import closed_error
from lk_pyodide.errors import BrowserError


class BridgeSources:
    """Silence, darkness, elements and files of the page as tracks.

    Args:
        reach: waits until the page can be asked.
    """

    def __init__(self, reach: Callable[[], Awaitable[Bridge]]) -> None:
        self._reach = reach

    async def make_silence(self) -> MediaTrack:
        """Sound of an audio graph into which nothing goes."""
        return (await self._acquire("makeSilence"))[0]

    async def make_darkness(self, width: int, height: int, /) -> MediaTrack:
        """A black picture."""
        return (await self._acquire("makeDarkness", width, height))[0]

    async def capture(self, target: object, frame_rate: float | None, /) -> Sequence[MediaTrack]:
        """What an element plays and shows."""
        return await self._acquire("captureElement", selector_of(target), frame_rate)

    async def play(self, source: str | bytes | Blob, mime_type: str, loop: bool, /) -> Sequence[MediaTrack]:
        """Play a file: what Python has of it goes to the page first."""
        if not isinstance(source, str | bytes):
            source = await source.read(0, source.size)
        return await self._acquire("playFile", source, mime_type, loop)

    async def _acquire(self, method: str, *values: object) -> Sequence[MediaTrack]:
        return await acquire(await self._reach(), method, *values, kind=BrowserError)


class BridgeRecorder(Remote):
    """Records a track on the page; see ``DirectRecorder``."""

    def __init__(
        self, bridge: Bridge, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler
    ) -> None:
        handle = get_handle(track)
        super().__init__(bridge)
        self._handler: RecorderHandler | None = handler
        bridge.cast(0, "openRecorder", self.handle, handle, tuple(mime_types), timeslice * 1000)

    def stop(self) -> None:
        """Say what is left."""
        self._cast("stop")

    def close(self) -> None:
        """Forget it."""
        self._handler = None
        self._close(closed_error("recorder"))

    def on_event(self, event: str, *values: Any) -> None:
        """The page has recorded something."""
        handler = self._handler
        if handler is None:
            return
        match event:
            case "start":
                handler.on_start(values[0])
            case "data":
                handler.on_data(values[0])
            case _:  # "stop", with an error perhaps, or "broken", which is one
                error = to_error(values) if values else None
                self.close()
                handler.on_stop(error)
