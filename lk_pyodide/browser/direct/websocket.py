"""The page's WebSocket."""

from __future__ import annotations

import asyncio

from lk_pyodide.browser.api import WebSocketHandler
from lk_pyodide.browser.direct.page import Page
from lk_pyodide.browser.ffi import (
    Js,
    JsException,
    Listeners,
    from_js_message,
    get_error_name,
    js,
    to_js_bytes,
    translate,
)
from lk_pyodide.browser.guard import call, check_close


class DirectWebSocket:
    """A WebSocket on the page's thread."""

    def __init__(self, url: str, handler: WebSocketHandler, page: Page) -> None:
        self._handler: WebSocketHandler | None = handler
        self._page = page
        self._early: list[bytes] | None = []  # what was sent before the socket is open; None from then on
        self._js_last_words: Js = None
        self._listeners = Listeners()
        self._native: Js = None
        try:
            native = js.WebSocket.new(url)
        except JsException as error:
            # The name alone: the text repeats the address, and there is a token in it. It comes later, as it would
            # when Python were not on the page.
            asyncio.get_running_loop().call_soon(self._end, 1006, get_error_name(error))
            return
        native.binaryType = "arraybuffer"
        self._native = native
        self._listeners.add(native, self._on_open, "open")
        self._listeners.add(native, self._on_message, "message")
        self._listeners.add(native, self._on_close, "close")

    def send(self, data: bytes, /) -> None:
        """Queue one binary frame."""
        if self._native is None:
            return
        if self._early is not None:
            self._early.append(data)
            return
        with translate():
            self._native.send(to_js_bytes(data))

    def set_last_words(self, data: bytes | None, /) -> None:
        """Keep what is to be said when the page is left; converted now, so that it takes no time then."""
        if self._native is None:
            return
        if data is not None and self._js_last_words is None:
            self._page.add_speaker(self._speak)
        elif data is None and self._js_last_words is not None:
            self._page.remove_speaker(self._speak)
        self._js_last_words = None if data is None else to_js_bytes(data)

    def set_keep_alive(self, data: bytes | None, interval: float, /) -> None:
        """Nobody could send it: while Python is busy the page's thread is."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and forget."""
        check_close(code, reason)
        native = self._native
        self._release()
        if native is not None:
            with translate():
                native.close(code, reason)

    def _speak(self) -> None:
        native = self._native
        if native is None or self._js_last_words is None:
            return
        if self._early is None:
            native.send(self._js_last_words)
        native.close(1000)

    def _on_open(self, _event: Js) -> None:
        early, self._early = self._early or [], None
        for data in early:
            self._native.send(to_js_bytes(data))
        if self._handler is not None:
            self._handler.on_open()

    def _on_message(self, event: Js) -> None:
        if self._handler is not None:
            self._handler.on_message(from_js_message(event.data))

    def _on_close(self, event: Js) -> None:
        self._end(int(event.code), str(event.reason))

    def _end(self, code: int, reason: str) -> None:
        handler = self._handler
        self._release()
        if handler is not None:
            call(handler.on_close, code, reason)

    def _release(self) -> None:
        self.set_last_words(None)
        self._handler = None
        self._native = None
        self._early = None
        self._listeners.close()
