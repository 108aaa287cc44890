"""Processors on the page: objects of Python, or of JavaScript such as those of ``@livekit/track-processors``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lk_pyodide.browser.api import MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.direct.media import DirectTrack, as_native_track, get_native
from lk_pyodide.browser.ffi import Js, JsException, JsProxy, forget, is_nothing, js, to_error, to_js_object, translate
from lk_pyodide.browser.guard import logger, processor_failed
from lk_pyodide.errors import BrowserError, UsageError
from lk_pyodide.types import ProcessorOptions


class ProcessedTrack(DirectTrack):
    """What a processor makes of a track; in all else that track.

    Args:
        native: the processor's, which ends it by itself.
        original: what it was given.
    """

    def __init__(self, native: Js, original: MediaTrack) -> None:
        super().__init__(native)
        self._listeners.close()
        self.original = original

    @property
    def label(self) -> str:
        """The device's name."""
        return self.original.label

    @property
    def ready_state(self) -> str:
        """The device's."""
        return self.original.ready_state

    @property
    def settings(self) -> TrackSettings:
        """The device's, with the size of what is shown."""
        device, shown = self.original.settings, super().settings
        return replace(device, width=shown.width or device.width, height=shown.height or device.height)

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None:
        """Hand the device's events to ``handler``."""
        self.original.set_handler(handler)

    def set_enabled(self, enabled: bool, /) -> None:
        """Send the real thing, or silence and darkness."""
        self.original.set_enabled(enabled)
        super().set_enabled(enabled)

    def end(self) -> None:
        """Let the device go."""
        self.original.end()

    def stop(self) -> None:
        """Let the device go, and forget the track."""
        self.original.stop()
        self.forget()

    def close(self) -> None:
        """Forget the track, with what it was made of."""
        self.original.close()
        self.forget()

    def forget(self) -> None:
        """Forget the track, not what it was made of."""
        super().close()


class DirectProcessing:
    """A processor at work.

    Args:
        processor: of Python or of JavaScript; with ``init``, ``restart``, ``destroy`` and ``processed_track``, which is
            ``processedTrack`` in JavaScript.
    """

    def __init__(self, processor: object) -> None:
        self._processor: Any = processor
        self._is_js = isinstance(processor, JsProxy)
        self._has_begun = False
        self._element: Js = None
        self._context: Js = None

    async def run(self, track: MediaTrack, /) -> MediaTrack:
        """Begin, or go on with another track."""
        if isinstance(track, ProcessedTrack):
            raise UsageError("a track is processed once")
        method = "restart" if self._has_begun else "init"
        await self._call(method, self._options(track))
        self._has_begun = True
        native = self._get_made()
        if native is None:
            raise BrowserError("the processor gave no track", "InvalidStateError")
        return ProcessedTrack(as_native_track(native), track)

    def _get_made(self) -> Js:
        native: Js = getattr(self._processor, "processedTrack" if self._is_js else "processed_track", None)
        return None if is_nothing(native) else native

    def has(self, track: MediaTrack, /) -> bool:
        """Whether it made this track."""
        return isinstance(track, ProcessedTrack)

    def unwrap(self, track: MediaTrack, /) -> MediaTrack:
        """Give back what it was made of."""
        assert isinstance(track, ProcessedTrack), "a track of this processing"
        track.forget()
        return track.original

    async def close(self) -> None:
        """Let the processor go."""
        if self._has_begun:
            native = self._get_made()
            if native is not None:
                native.stop()
            try:
                await self._call("destroy")
            except BrowserError:
                logger.exception("a processor could not be let go")
        if self._element is not None:
            self._element.srcObject = None
        if self._context is not None:
            forget(self._context.close())
        self._element = self._context = None

    async def _call(self, method: str, *arguments: object) -> None:
        try:
            result = getattr(self._processor, method)(*arguments)
            if asyncio.iscoroutine(result) or hasattr(result, "then") or hasattr(result, "__await__"):
                await result
        except JsException as error:
            raise to_error(error) from error
        except Exception as error:
            raise processor_failed(error) from error

    def _options(self, track: MediaTrack) -> object:
        """What the processor gets: the track; for a picture an element that plays it, for sound an audio graph."""
        native = get_native(track)
        if track.kind == "video":
            given = {"element": self._play(native)}
        else:
            given = {"audioContext": self._open_context()}
        if self._is_js:
            options: Mapping[str, object] = {"kind": track.kind, "track": native, **given}
            return to_js_object(options)
        return ProcessorOptions(track.kind, native, given.get("element"), given.get("audioContext"))

    def _play(self, native: Js) -> Js:
        if self._element is None:
            self._element = js.document.createElement("video")
            self._element.muted = self._element.playsInline = True
        self._element.srcObject = js.MediaStream.new(js.Array.of(native))
        forget(self._element.play())
        return self._element

    def _open_context(self) -> Js:
        if self._context is None:
            with translate():
                self._context = js.AudioContext.new()
        return self._context
