"""The page's RTCDataChannel."""

from __future__ import annotations

from lk_pyodide.browser.api import DataChannelHandler
from lk_pyodide.browser.ffi import Js, JsException, Listeners, from_js_message, is_nothing, to_error, to_js_bytes
from lk_pyodide.browser.guard import call, closed_error
from lk_pyodide.browser.snapshots import ChannelSnapshot


class DirectDataChannel(ChannelSnapshot):
    """A data channel on the page's thread."""

    def __init__(self, native: Js) -> None:
        self._native: Js = native
        self._handler: DataChannelHandler | None = None
        self._label = str(native.label)
        self._state = str(native.readyState)
        self._id: int | None = None
        self._read_id()
        self._listeners = Listeners()
        native.binaryType = "arraybuffer"

    def start(self, handler: DataChannelHandler) -> None:
        """Hand events to ``handler`` from now on; to be called in the task in which the channel was made."""
        self._handler = handler
        self._listeners.add(self._native, self._on_open, "open")
        self._listeners.add(self._native, self._on_message, "message")
        self._listeners.add(self._native, self._on_buffered_amount_low, "bufferedamountlow")
        self._listeners.add(self._native, self._on_close, "close")

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait to be sent. Asked of the page: it is as cheap as counting."""
        return 0 if self._native is None else int(self._native.bufferedAmount)

    def send(self, data: bytes, /) -> None:
        """Queue one binary message."""
        if self._native is None:
            raise closed_error("data channel")
        try:
            self._native.send(to_js_bytes(data))
        except JsException as error:
            raise to_error(error) from error

    def set_buffered_amount_low_threshold(self, size: int, /) -> None:
        """Set at how many waiting bytes ``on_buffered_amount_low`` is called."""
        if self._native is not None:
            self._native.bufferedAmountLowThreshold = size

    def close(self) -> None:
        """Close and forget."""
        native = self._native
        self._release()
        if native is not None:
            native.close()

    def _read_id(self) -> None:
        value = self._native.id
        self._id = None if is_nothing(value) else int(value)

    def _on_open(self, _event: Js) -> None:
        self._state = "open"
        self._read_id()
        if self._handler is not None:
            self._handler.on_open()

    def _on_message(self, event: Js) -> None:
        if self._handler is not None:
            self._handler.on_message(from_js_message(event.data))

    def _on_buffered_amount_low(self, _event: Js) -> None:
        if self._handler is not None:
            self._handler.on_buffered_amount_low()

    def _on_close(self, _event: Js) -> None:
        handler = self._handler
        self._release()
        if handler is not None:
            call(handler.on_close)

    def _release(self) -> None:
        self._state = "closed"
        self._handler = None
        self._native = None
        self._listeners.close()
