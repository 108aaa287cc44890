"""The page's media elements, from a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from lk_pyodide.browser.api import MediaElementHandler, MediaKind, MediaTrack
from lk_pyodide.browser.bridge.media import get_handle
from lk_pyodide.browser.bridge.protocol import Bridge, Remote
from lk_pyodide.browser.guard import check_volume, closed_error
from lk_pyodide.errors import MediaDeviceError, PlaybackError, UsageError


class BridgeElement(Remote):
    """A media element on the page."""

    def __init__(self, bridge: Bridge, kind: MediaKind, target: object | None, handler: MediaElementHandler) -> None:
        selector = None if target is None else selector_of(target)
        super().__init__(bridge)
        self._handler: MediaElementHandler | None = handler
        bridge.cast(0, "openElement", self.handle, kind, selector)

    @property
    def native(self) -> object:
        """Never there: an element cannot leave the page."""
        raise UsageError("Python runs in a worker, which an element of the page cannot come to")

    def attach(self, track: MediaTrack, /) -> None:
        """Play a track."""
        self._cast("attach", get_handle(track))

    def detach(self, track: MediaTrack, /) -> None:
        """Stop playing a track."""
        self._cast("detach", getattr(track, "handle", 0))

    def play(self) -> Awaitable[None]:
        """Start now, or at the user's next click if the browser wants one."""
        if not self._is_open:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(PlaybackError("the element is closed", "InvalidStateError"))
            failed.exception()  # nobody has to await it
            return failed
        playing = self._start("play", kind=PlaybackError)
        playing.add_done_callback(lambda future: future.cancelled() or future.exception())
        return playing

    def set_muted(self, muted: bool, /) -> None:
        """Silence the element, or not."""
        self._cast("setMuted", muted)

    def set_volume(self, volume: float, /) -> None:
        """Set the loudness, 0 to 1."""
        check_volume(volume)
        self._cast("setVolume", volume)

    async def set_sink_id(self, device_id: str, /) -> None:
        """Choose the loudspeaker."""
        if not self._is_open:
            raise closed_error("element")
        await self._ask("setSinkId", device_id, kind=MediaDeviceError)

    def mount(self, target: object, /) -> None:
        """Append the element to a node."""
        self._cast("mount", selector_of(target))

    def show(self, place: str, caption: str = "") -> None:
        """Let the element stand in the place of this name."""
        self._cast("show", place, caption)

    def close(self) -> None:
        """Forget the element."""
        self._handler = None
        self._close(PlaybackError("the element is closed", "AbortError"))

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened to the element."""
        handler = self._handler
        if event == "broken":  # there is no such place
            self._handler = None
            self._close(PlaybackError(values[1], "NotFoundError"), free=False)
        if handler is None:
            return
        if event == "playing":
            handler.on_playing()
        else:
            handler.on_play_failed(*values)


def selector_of(target: object) -> str:
    """What the page finds a target by; raises UsageError for what cannot go there."""
    if not isinstance(target, str):
        raise UsageError(f"in a worker a target is a CSS selector, not {type(target).__name__}")
    return target
