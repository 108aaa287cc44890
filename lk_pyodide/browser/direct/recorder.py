"""The page's MediaRecorder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.api_sources import RecorderHandler
from lk_pyodide.browser.direct.media import get_native
from lk_pyodide.browser.ffi import Js, Listeners, js, to_error, to_js_json, translate, wait
from lk_pyodide.browser.guard import call
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError


class DirectRecorder:
    """Records a track on the page's thread.

    Args:
        track: what to record.
        mime_types: the first that the browser can record is taken, or its own choice.
        timeslice: seconds of each piece.
        handler: gets the pieces.
    """

    def __init__(
        self, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler
    ) -> None:
        if not hasattr(js, "MediaRecorder"):
            raise DeviceUnsupportedError("this browser cannot record", "NotSupportedError")
        chosen = next((kind for kind in mime_types if js.MediaRecorder.isTypeSupported(kind)), None)
        js_stream = js.MediaStream.new(js.Array.of(get_native(track)))
        self._handler: RecorderHandler | None = handler
        self._pieces: asyncio.Queue[Js] = asyncio.Queue()
        self._listeners = Listeners()
        with translate():
            self._native: Js = js.MediaRecorder.new(js_stream, to_js_json({"mimeType": chosen} if chosen else {}))
            self._listeners.add(self._native, self._pieces.put_nowait, "start", "dataavailable", "stop", "error")
            self._native.start(timeslice * 1000)
        self._reading = asyncio.ensure_future(self._read())

    def stop(self) -> None:
        """Say what is left."""
        if self._handler is not None and self._native.state != "inactive":
            self._native.stop()

    def close(self) -> None:
        """Forget it."""
        self.stop()
        self._handler = None
        self._listeners.close()
        self._reading.cancel()

    async def _read(self) -> None:
        """Hand things on in the order in which they came: the bytes of a piece take a while."""
        error: BrowserError | None = None
        while self._handler is not None:
            js_event = await self._pieces.get()
            match js_event.type:
                case "start":
                    call(self._handler.on_start, str(self._native.mimeType))
                case "error":
                    error = to_error(getattr(js_event, "error", js_event))
                case "stop":
                    handler, self._handler = self._handler, None
                    self._listeners.close()
                    call(handler.on_stop, error)
                case _:
                    await self._hand_on(js_event.data)

    async def _hand_on(self, js_blob: Js) -> None:
        if not js_blob.size:
            return
        js_buffer = await wait(js_blob.arrayBuffer())
        if self._handler is not None:
            call(self._handler.on_data, js_buffer.to_bytes())
