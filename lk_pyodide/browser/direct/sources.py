"""The page's tracks that are no device's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lk_pyodide.browser.api import Blob, MediaTrack
from lk_pyodide.browser.direct.blob import DirectBlob
from lk_pyodide.browser.direct.elements import find_node
from lk_pyodide.browser.direct.media import DirectTrack
from lk_pyodide.browser.ffi import Js, Listeners, forget, js, to_error, to_js_bytes, to_js_json, translate
from lk_pyodide.browser.guard import SOURCE_TIMEOUT, call, nothing_to_play
from lk_pyodide.errors import BrowserError, PlaybackError, UsageError

_BEAT = 500
"""Milliseconds between two frames of a picture that does not change: a decoder wants some to begin with."""


class SourceTrack(DirectTrack):
    """A track with something behind it.

    Args:
        native: the MediaStreamTrack.
        release: lets go of what is behind it.
    """

    def __init__(self, native: Js, release: Callable[[], None]) -> None:
        super().__init__(native)
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        """Forget the track."""
        super().close()
        release, self._release = self._release, None
        if release is not None:
            release()

    def finish(self) -> None:
        """There is no more of it: the browser itself is silent about a track that is stopped."""
        if self._native is None or self._state == "ended":
            return
        self._native.stop()
        self._state = "ended"
        if self._handler is not None:
            call(self._handler.on_ended)


class _Shared:
    """Lets go of something that several tracks need, with the last of them."""

    def __init__(self, release: Callable[[], None], users: int) -> None:
        self._release = release
        self._users = users

    def leave(self) -> None:
        """One needs it no more."""
        self._users -= 1
        if self._users == 0:
            self._release()


def _wrap(natives: Sequence[Js], release: Callable[[], None]) -> list[SourceTrack]:
    shared = _Shared(release, len(natives))
    return [SourceTrack(native, shared.leave) for native in natives]


class DirectSources:
    """Silence, darkness, elements and files as tracks."""

    async def make_silence(self) -> MediaTrack:
        """Sound of an audio graph into which nothing goes."""
        with translate():
            js_context = js.AudioContext.new()
            (native,) = js_context.createMediaStreamDestination().stream.getAudioTracks()
        return SourceTrack(native, lambda: forget(js_context.close()))

    async def make_darkness(self, width: int, height: int, /) -> MediaTrack:
        """A canvas, painted over and over by a timer of the page's own."""
        with translate():
            js_canvas = js.document.createElement("canvas")
            js_canvas.width, js_canvas.height = width, height
            js_context = js_canvas.getContext("2d")
            js_paint = js_context.fillRect.bind(js_context, 0, 0, width, height)
            js_paint()
            (native,) = js_canvas.captureStream().getVideoTracks()
            timer = js.setInterval(js_paint, _BEAT)
        return SourceTrack(native, lambda: js.clearInterval(timer))

    async def capture(self, target: object, frame_rate: float | None, /) -> Sequence[MediaTrack]:
        """What an element plays and shows."""
        node = find_node(target)
        if node.tagName == "CANVAS":
            with translate():
                js_stream = node.captureStream() if frame_rate is None else node.captureStream(frame_rate)
            return _wrap(list(js_stream.getTracks()), _nothing)
        if node.tagName not in ("AUDIO", "VIDEO"):
            raise UsageError(f"an <audio>, a <video> or a <canvas> can be captured, not <{node.tagName.lower()}>")
        await _loaded(node)
        return _wrap(await _captured(node), _nothing)

    async def play(self, source: str | bytes | Blob, mime_type: str, loop: bool, /) -> Sequence[MediaTrack]:
        """Play a file."""
        player = _Player(_address(source, mime_type), loop)
        try:
            return await player.start()
        except BaseException:
            player.close()
            raise


def _address(source: str | bytes | Blob, mime_type: str) -> tuple[str, bool]:
    """Where the file is, and whether that is to be given back."""
    if isinstance(source, str):
        return source, False
    if isinstance(source, bytes):
        js_blob = js.Blob.new(js.Array.of(to_js_bytes(source)), to_js_json({"type": mime_type}))
    else:
        assert isinstance(source, DirectBlob), "the page has no others"
        js_blob = source.native
    return str(js.URL.createObjectURL(js_blob)), True


class _Player:
    """An element that nobody sees."""

    def __init__(self, address: tuple[str, bool], loop: bool) -> None:
        self._url, self._is_ours = address
        self._tracks: list[SourceTrack] = []
        self._listeners = Listeners()
        self._native: Js = js.document.createElement("video")
        self._native.crossOrigin = "anonymous"  # or another site's may not be captured, though it allows it
        self._native.playsInline = True
        self._native.muted = True
        self._native.loop = loop
        self._listeners.add(self._native, self._on_ended, "ended")

    async def start(self) -> Sequence[MediaTrack]:
        """Begin, and give what is heard and seen."""
        self._native.src = self._url
        await _loaded(self._native)
        natives = await _captured(self._native)
        with translate(PlaybackError):
            await self._native.play()
        self._tracks = _wrap(natives, self.close)
        return tuple(self._tracks)

    def _on_ended(self, _event: Js) -> None:
        for track in self._tracks:
            track.finish()

    def close(self) -> None:
        """Let the file go."""
        self._listeners.close()
        self._native.pause()
        self._native.removeAttribute("src")
        self._native.load()
        if self._is_ours:
            js.URL.revokeObjectURL(self._url)


async def _loaded(native: Js) -> None:
    """Wait until the element knows what it is to play."""
    if native.readyState >= 1:  # HAVE_METADATA
        return
    happened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    await _first(native, happened, "loadedmetadata", "error")
    if happened.result() == "error":
        raise to_error(native.error, BrowserError)


async def _captured(native: Js) -> list[Js]:
    with translate():
        js_stream = native.captureStream() if hasattr(native, "captureStream") else native.mozCaptureStream()
    if js_stream.getTracks().length == 0:
        await _first(js_stream, asyncio.get_running_loop().create_future(), "addtrack")
    return list(js_stream.getTracks())


async def _first(target: Js, happened: asyncio.Future[str], *types: str) -> None:
    """Wait for the first event of these types; its type is the result."""
    listeners = Listeners()
    listeners.add(target, lambda event: None if happened.done() else happened.set_result(event.type), *types)
    try:
        async with asyncio.timeout(SOURCE_TIMEOUT):
            await happened
    except TimeoutError:
        raise nothing_to_play() from None
    finally:
        listeners.close()


def _nothing() -> None:
    """The element is the user's: it goes on."""
