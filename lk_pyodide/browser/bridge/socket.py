"""The page's WebSocket, from a worker."""

from __future__ import annotations

from typing import Any

from lk_pyodide.browser.api import WebSocketHandler
from lk_pyodide.browser.bridge.protocol import Bridge, Remote
from lk_pyodide.browser.guard import call, check_close, closed_error


class BridgeWebSocket(Remote):
    """A WebSocket that the page owns: it can say goodbye, and keep alive, without Python."""

    def __init__(self, bridge: Bridge, url: str, handler: WebSocketHandler) -> None:
        super().__init__(bridge)
        self._handler: WebSocketHandler | None = handler
        bridge.cast(0, "openSocket", self.handle, url)

    def send(self, data: bytes, /) -> None:
        """Queue one binary frame."""
        self._cast("send", data)

    def set_last_words(self, data: bytes | None, /) -> None:
        """Keep what is to be said when the page is left, or when this Python dies."""
        self._cast("setLastWords", data)

    def set_keep_alive(self, data: bytes | None, interval: float, /) -> None:
        """Keep what is to be said while Python is busy."""
        self._cast("setKeepAlive", data, interval)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and forget."""
        check_close(code, reason)
        self._cast("close", code, reason)
        self._handler = None
        self._close(closed_error("WebSocket"), free=False)

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened on the socket."""
        handler = self._handler
        if handler is None:
            return
        if event == "message":
            handler.on_message(values[0])
        elif event == "open":
            handler.on_open()
        else:  # "close", or "broken": the browser would not even make one
            code, reason = values if event == "close" else (1006, values[0])
            self._handler = None
            self._close(closed_error("WebSocket"), free=event == "close")
            call(handler.on_close, code, reason)
