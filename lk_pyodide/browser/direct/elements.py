"""The page's media elements."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from lk_pyodide.browser.api import MediaElementHandler, MediaKind, MediaTrack
from lk_pyodide.browser.direct.media import get_native
from lk_pyodide.browser.direct.place import Place
from lk_pyodide.browser.ffi import (
    Js,
    JsException,
    JsProxy,
    Waiting,
    forget,
    get_error_name,
    is_nothing,
    js,
    jsnull,
    to_error,
    to_future,
    translate,
)
from lk_pyodide.browser.guard import call, check_volume, closed_error
from lk_pyodide.errors import DeviceUnsupportedError, MediaDeviceError, PlaybackError, UsageError

_IDLE_AUDIO = 2


class Elements:
    """Makes and finds elements, and keeps some audio elements for later.

    iOS lets an element play without a click once a click has made it play, so a used one is worth keeping.
    """

    def __init__(self, *, is_safari: bool, is_late: bool) -> None:
        self.is_safari = is_safari
        self.is_late = is_late
        """Whether video only shows when its source is set once more, out of the running task (Safari, Firefox)."""
        self._idle: list[Js] = []

    def open(self, kind: MediaKind, target: object | None, handler: MediaElementHandler) -> DirectElement:
        """Make or find an element, as :meth:`lk_pyodide.browser.api.Browser.new_element` says."""
        node = None if target is None else find_node(target)
        if node is not None and node.tagName in ("AUDIO", "VIDEO"):
            if kind == "video" and node.tagName == "AUDIO":
                raise UsageError("an <audio> element cannot show video")
            return DirectElement(self, node, handler, is_own=False)
        native = self._idle.pop() if kind == "audio" and self._idle else js.document.createElement(kind)
        if node is not None:
            node.appendChild(native)
        return DirectElement(self, native, handler, is_own=True)

    def recycle(self, native: Js) -> None:
        """Take an element back that was made here and is on no page."""
        if native.tagName == "AUDIO" and not getattr(native, "sinkId", ""):
            # Not before the task is over: then the browser pauses whatever has been taken off the page.
            asyncio.get_running_loop().call_soon(self._keep, native)

    def _keep(self, native: Js) -> None:
        if len(self._idle) < _IDLE_AUDIO:
            native.pause()
            native.muted = False
            native.volume = 1
            self._idle.append(native)


def find_node(target: object) -> Js:
    """The node that a CSS selector or a native node means."""
    if isinstance(target, str):
        try:
            node = js.document.querySelector(target)
        except JsException as error:
            raise UsageError(f"{target!r} is not a CSS selector") from error
        if is_nothing(node):
            raise UsageError(f"nothing on the page matches {target!r}")
        return node
    if not isinstance(target, JsProxy) or not hasattr(target, "appendChild"):
        raise UsageError(f"a target is a CSS selector or an element of the page, not {type(target).__name__}")
    return target


class DirectElement:
    """A media element on the page's thread."""

    def __init__(self, elements: Elements, native: Js, handler: MediaElementHandler, *, is_own: bool) -> None:
        self._elements = elements
        self._native: Js = native
        self._handler: MediaElementHandler | None = handler
        self._is_own = is_own
        self._attached: dict[MediaKind, tuple[MediaTrack, Js]] = {}
        self._muted: bool | None = None  # what the user wants; None leaves it to us
        self._waiting = Waiting()
        self._later: asyncio.Handle | None = None
        self._latest: asyncio.Future[Js] | None = None  # outcome of the last play()
        self._place: Place | None = None

    @property
    def native(self) -> object:
        """The element."""
        if self._native is None:
            raise UsageError("the element is closed")
        return self._native

    def attach(self, track: MediaTrack, /) -> None:
        """Play a track."""
        if self._native is None:
            return
        js_track = get_native(track)
        js_stream = self._get_stream()
        for js_other in js_stream.getTracks():
            if js_other.kind == track.kind and js_other != js_track:
                js_stream.removeTrack(js_other)
        js_stream.addTrack(js_track)
        self._attached[track.kind] = (track, js_track)
        self._prepare()
        if self._native.srcObject != js_stream:
            self._native.srcObject = js_stream
            if self._elements.is_late and self._native.tagName == "VIDEO":
                self._later = asyncio.get_running_loop().call_soon(self._set_again, js_stream)
        self._start()

    def detach(self, track: MediaTrack, /) -> None:
        """Stop playing a track."""
        old = self._attached.get(track.kind)
        if self._native is None or old is None or old[0] is not track:
            return
        del self._attached[track.kind]
        js_stream = self._native.srcObject
        if is_nothing(js_stream):
            return
        js_stream.removeTrack(old[1])
        if js_stream.getTracks().length == 0:
            self._native.srcObject = jsnull
        else:
            self._apply_muted()

    def play(self) -> Awaitable[None]:
        """Start, now."""
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._apply_muted()
        promise = self._start()
        if promise is not None:
            self._waiting.add(result)
            self._follow(promise, result)
        elif self._native is None:
            result.set_exception(PlaybackError("the element is closed", "InvalidStateError"))
        else:
            result.set_result(None)
        # Nobody has to await this: the handler hears of a failure too.
        result.add_done_callback(lambda future: future.cancelled() or future.exception())
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
        if not hasattr(self._native, "setSinkId"):
            raise DeviceUnsupportedError("this browser cannot choose a loudspeaker", "NotSupportedError")
        await self._waiting.wait(self._native.setSinkId(device_id), MediaDeviceError)

    def mount(self, target: object, /) -> None:
        """Append the element to a node."""
        node = find_node(target)
        if self._native is not None:
            with translate():
                node.appendChild(self._native)

    def show(self, place: str, caption: str = "") -> None:
        """Let the element stand in the place of this name."""
        if self._native is not None and self._place is None:
            self._place = Place(self._native, place, caption, self._start)

    def close(self) -> None:
        """Forget the element."""
        if self._native is None:
            return
        if self._place is not None:
            self._place.close()
        for track, _ in tuple(self._attached.values()):
            self.detach(track)
        native, self._native = self._native, None
        self._handler = None
        if self._later is not None:
            self._later.cancel()
        self._latest = None
        self._waiting.close(PlaybackError("the element is closed", "AbortError"))
        if self._is_own:
            native.remove()
            self._elements.recycle(native)

    def _get_stream(self) -> Js:
        js_stream = self._native.srcObject
        return js.MediaStream.new() if is_nothing(js_stream) or not hasattr(js_stream, "addTrack") else js_stream

    def _prepare(self) -> None:
        # In low power mode Safari lays a play button over a video that has `autoplay`.
        if not (self._elements.is_safari and self._native.tagName == "VIDEO"):
            self._native.autoplay = True
        self._native.playsInline = True
        self._apply_muted()

    def _apply_muted(self) -> None:
        if self._native is None:
            return
        if self._muted is not None:
            self._native.muted = self._muted
        elif self._native.tagName == "VIDEO":  # a picture without sound may start by itself, if it says so
            js_stream = self._native.srcObject
            self._native.muted = "audio" not in self._attached and (
                is_nothing(js_stream) or js_stream.getAudioTracks().length == 0
            )

    def _set_again(self, js_stream: Js) -> None:
        self._later = None
        if self._native is not None and self._native.srcObject == js_stream:
            self._native.srcObject = js_stream
            self._start()

    def _start(self) -> asyncio.Future[Js] | None:
        """Call ``play()`` and tell the handler how it ends; None if there is nothing to play."""
        if self._native is None or is_nothing(self._native.srcObject):
            return None
        self._latest = latest = to_future(self._native.play())
        latest.add_done_callback(self._report)
        return latest

    def _report(self, promise: asyncio.Future[Js]) -> None:
        error = promise.exception()
        if self._handler is None:
            return
        if error is None:
            call(self._handler.on_playing)
            return
        problem = to_error(error, PlaybackError)
        if problem.name == "AbortError":  # another source was set meanwhile, or none
            return
        if problem.name == "NotAllowedError" and len(self._attached) == 2:
            self._native.muted = True  # the picture, at least
            forget(self._native.play())
        call(self._handler.on_play_failed, problem.name, problem.message)

    def _follow(self, promise: asyncio.Future[Js], result: asyncio.Future[None]) -> None:
        """Hand the outcome of ``promise`` to ``result``; when it was aborted for a newer one, that one's outcome."""

        def settle(_: asyncio.Future[Js]) -> None:
            error = promise.exception()
            if result.done():
                return
            if error is None:
                result.set_result(None)
            elif get_error_name(error) == "AbortError" and self._latest is not None and self._latest is not promise:
                self._follow(self._latest, result)
            else:
                result.set_exception(to_error(error, PlaybackError))

        promise.add_done_callback(settle)
