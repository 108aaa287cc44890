"""Tracks that are no device's, and a recorder of nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import Blob, MediaKind, MediaTrack
from lk_pyodide.browser.api_sources import RecorderHandler
from lk_pyodide.browser.fake.media import FakeTrack
from lk_pyodide.browser.guard import call, nothing_to_play
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError, UsageError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser

_CAPTURED: dict[str, tuple[MediaKind, ...]] = {"audio": ("audio",), "video": ("audio", "video"), "canvas": ("video",)}


class FakeSources:
    """Silence, darkness, elements and files as tracks.

    Attributes:
        played: sources of files that were played; a test ends one with :meth:`FakeMediaStreamTrack.end`.
    """

    def __init__(self, browser: FakeBrowser) -> None:
        self._browser = browser
        self.played: list[str | bytes] = []

    async def make_silence(self) -> MediaTrack:
        """Nothing is heard."""
        return self._make("audio", "silence")

    async def make_darkness(self, width: int, height: int, /) -> MediaTrack:
        """Nothing is seen."""
        return self._make("video", f"{width}x{height}")

    async def capture(self, target: object, frame_rate: float | None, /) -> Sequence[MediaTrack]:
        """What an element plays."""
        node = self._browser.page.find(target)
        if node.tag not in _CAPTURED:
            raise UsageError(f"an <audio>, a <video> or a <canvas> can be captured, not <{node.tag}>")
        await asyncio.sleep(0)
        if node.tag != "canvas" and not node.tracks:
            raise nothing_to_play()
        kinds = _CAPTURED["canvas"] if node.tag == "canvas" else tuple(node.tracks)
        return tuple(self._make(kind, node.tag) for kind in kinds)

    async def play(self, source: str | bytes | Blob, mime_type: str, loop: bool, /) -> Sequence[MediaTrack]:
        """Play a file; one that is empty cannot be played."""
        content = source if isinstance(source, str | bytes) else await source.read(0, source.size)
        await asyncio.sleep(0)
        if not content:
            raise BrowserError("the file cannot be played", "NotSupportedError")
        self.played.append(content)
        return self._make("audio", "file"), self._make("video", "file")

    def _make(self, kind: MediaKind, label: str) -> FakeTrack:
        return FakeTrack(self._browser, self._browser.make_track(kind, label))


class FakeRecorder:
    """Gives what a test says: see :meth:`FakeRecorder.record`."""

    def __init__(
        self, browser: FakeBrowser, track: MediaTrack, mime_types: Sequence[str], handler: RecorderHandler
    ) -> None:
        if not mime_types:
            raise DeviceUnsupportedError("this browser cannot record", "NotSupportedError")
        self._browser = browser
        self.track = track
        self._handler: RecorderHandler | None = handler
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._tell, "on_start", mime_types[0])
        browser.opened(self)

    def record(self, data: bytes) -> None:
        """Something was heard."""
        self._loop.call_soon(self._tell, "on_data", data)

    def stop(self) -> None:
        """Say what is left."""
        self._loop.call_soon(self._stopped)

    def close(self) -> None:
        """Forget it."""
        self._handler = None
        self._browser.closed(self)

    def _tell(self, method: str, value: object) -> None:
        if self._handler is not None:
            call(getattr(self._handler, method), value)

    def _stopped(self) -> None:
        handler = self._handler
        self.close()
        if handler is not None:
            call(handler.on_stop, None)
