"""A page with nothing on it but names, and media elements that play silently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import MediaElementHandler, MediaKind, MediaTrack
from lk_pyodide.browser.api_views import View
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.guard import call, check_volume, closed_error
from lk_pyodide.errors import MediaDeviceError, PlaybackError, TrackInvalidError, UsageError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser

_IDLE_AUDIO = 2


class FakeNode:
    """An element of the fake page; ``MediaElement.native`` gives one too."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.parent: FakeNode | None = None
        self.children: list[FakeNode] = []
        self.tracks: dict[MediaKind, FakeMediaStreamTrack] = {}
        """What a media element plays."""
        self.muted = False
        self.volume = 1.0
        self.sink_id = ""
        self.playing = False
        self.place = ""
        self.caption = ""
        self.width = 300.0
        self.height = 150.0
        self.in_sight = True
        """Whether it is displayed in the window, if it is on the page."""
        self.in_picture = False
        """Whether it has a window of its own."""

    def append(self, node: FakeNode) -> None:
        """Put ``node`` below this one."""
        node.remove()
        node.parent = self
        self.children.append(node)

    def remove(self) -> None:
        """Take this node off the page."""
        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None


class FakePage:
    """Nodes by CSS selector (the very text), and audio elements that were used before."""

    def __init__(self) -> None:
        self.nodes: dict[str, FakeNode] = {"body": FakeNode("body")}
        self.is_hidden = False
        self.pixel_ratio = 1.0
        self._idle: list[FakeNode] = []

    def find(self, target: object) -> FakeNode:
        """The node that a selector or a node means."""
        if isinstance(target, FakeNode):
            return target
        if not isinstance(target, str):
            raise UsageError(f"a target is a CSS selector or an element of the page, not {type(target).__name__}")
        if target not in self.nodes:
            raise UsageError(f"nothing on the page matches {target!r}")
        return self.nodes[target]

    def open(
        self, browser: FakeBrowser, kind: MediaKind, target: object | None, handler: MediaElementHandler
    ) -> FakeElement:
        """Make or find a media element."""
        node = None if target is None else self.find(target)
        if node is not None and node.tag in ("audio", "video"):
            if kind == "video" and node.tag == "audio":
                raise UsageError("an <audio> element cannot show video")
            return FakeElement(browser, node, handler, is_own=False)
        native = self._idle.pop() if kind == "audio" and self._idle else FakeNode(kind)
        if node is not None:
            node.append(native)
        return FakeElement(browser, native, handler, is_own=True)

    def view(self, node: FakeNode) -> View:
        """How a node is to be seen."""
        root = node
        while root.parent is not None:
            root = root.parent
        if root not in self.nodes.values():
            return View(in_picture=node.in_picture, is_visible=node.in_picture)
        return View(node.width, node.height, node.in_sight or node.in_picture, node.in_picture)

    def recycle(self, native: FakeNode) -> None:
        """Keep an audio element for later."""
        if native.tag == "audio" and len(self._idle) < _IDLE_AUDIO and not native.sink_id:
            native.muted, native.volume = False, 1.0
            self._idle.append(native)


class FakeElement:
    """A media element."""

    def __init__(self, browser: FakeBrowser, native: FakeNode, handler: MediaElementHandler, *, is_own: bool) -> None:
        self._browser = browser
        self._native: FakeNode | None = native
        self._handler: MediaElementHandler | None = handler
        self._is_own = is_own
        self._attached: dict[MediaKind, MediaTrack] = {}
        self._muted: bool | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        browser.opened(self)

    @property
    def native(self) -> FakeNode:
        """The node."""
        if self._native is None:
            raise UsageError("the element is closed")
        return self._native

    def attach(self, track: MediaTrack, /) -> None:
        """Play a track."""
        if self._native is None:
            return
        native = track.native
        if not isinstance(native, FakeMediaStreamTrack):
            raise TrackInvalidError("not a track of this browser")
        self._attached[track.kind] = track
        self._native.tracks[track.kind] = native
        self._apply_muted()
        self._start()

    def detach(self, track: MediaTrack, /) -> None:
        """Stop playing a track."""
        if self._native is None or self._attached.get(track.kind) is not track:
            return
        del self._attached[track.kind]
        self._native.tracks.pop(track.kind, None)
        if self._native.tracks:
            self._apply_muted()
        else:
            self._native.playing = False

    def play(self) -> Awaitable[None]:
        """Start, now."""
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        result.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._apply_muted()
        if self._native is None:
            result.set_exception(PlaybackError("the element is closed", "InvalidStateError"))
        elif not self._native.tracks:
            result.set_result(None)
        else:
            self._waiting.add(result)
            result.add_done_callback(self._waiting.discard)
            self._start(result)
        return result

    def set_muted(self, muted: bool, /) -> None:
        """Silence the element, or not."""
        self._muted = muted
        self._apply_muted()

    def set_volume(self, volume: float, /) -> None:
        """Set the loudness, 0 to 1."""
        check_volume(volume)
        if self._native is not None:
            self._native.volume = volume

    async def set_sink_id(self, device_id: str, /) -> None:
        """Choose the loudspeaker."""
        if self._native is None:
            raise closed_error("element")
        await asyncio.sleep(0)
        speakers = [device.device_id for device in self._browser.media_devices.devices if device.kind == "audiooutput"]
        if device_id and device_id not in speakers:
            raise MediaDeviceError("no such loudspeaker", "NotFoundError")
        self.native.sink_id = device_id

    def mount(self, target: object, /) -> None:
        """Append the element to a node."""
        node = self._browser.page.find(target)
        if self._native is not None:
            node.append(self._native)
            self._browser.look_again()

    def show(self, place: str, caption: str = "") -> None:
        """Remember where the element is to stand."""
        if self._native is not None:
            self._native.place, self._native.caption = place, caption

    def close(self) -> None:
        """Forget the element."""
        if self._native is None:
            return
        for track in tuple(self._attached.values()):
            self.detach(track)
        native, self._native = self._native, None
        self._handler = None
        for result in tuple(self._waiting):
            if not result.done():
                result.set_exception(PlaybackError("the element is closed", "AbortError"))
        if self._is_own:
            native.remove()
            self._browser.page.recycle(native)
        self._browser.closed(self)

    def _apply_muted(self) -> None:
        if self._native is None:
            return
        if self._muted is not None:
            self._native.muted = self._muted
        elif self._native.tag == "video":
            self._native.muted = "audio" not in self._native.tracks

    def _start(self, result: asyncio.Future[None] | None = None) -> None:
        blocked = self._browser.playback_blocked and not self.native.muted
        error = PlaybackError("click first", "NotAllowedError") if blocked else None
        asyncio.get_running_loop().call_soon(self._report, error, result)

    def _report(self, error: PlaybackError | None, result: asyncio.Future[None] | None) -> None:
        if result is not None and not result.done():
            if error is None:
                result.set_result(None)
            else:
                result.set_exception(error)
        if self._native is None or self._handler is None or not self._native.tracks:
            return
        if error is None:
            self._native.playing = True
            call(self._handler.on_playing)
            return
        if len(self._native.tracks) == 2:
            self._native.muted = self._native.playing = True  # the picture, at least
        call(self._handler.on_play_failed, error.name, error.message)
