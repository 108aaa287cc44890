"""WebSockets that end in a Python function instead of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from lk_pyodide.browser.api import WebSocketHandler
from lk_pyodide.browser.guard import call, check_close, logger

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser

Endpoint: TypeAlias = "Callable[[FakeServerSocket], Awaitable[object]]"


class FakeSocketClosed(EOFError):
    """The client has closed its socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class FakeServerSocket:
    """The server's end of a WebSocket, handed to the function that :meth:`FakeBrowser.serve` was given.

    The client's socket opens with the first ``accept``, ``recv``, ``send`` or ``close``, and is closed when the
    function returns. A function that does nothing but wait is a server that never answers.
    """

    def __init__(self, client: FakeWebSocket, url: str) -> None:
        self._client = client
        self._url = url
        self._inbox: asyncio.Queue[bytes | str | FakeSocketClosed] = asyncio.Queue()
        self._end: FakeSocketClosed | None = None
        self._accepted = False

    @property
    def url(self) -> str:
        """The whole address, query included."""
        return self._url

    def accept(self) -> None:
        """Let the client's socket open."""
        if not self._accepted and self._end is None:
            self._accepted = True
            self._client.soon(self._client.opened)

    def refuse(self) -> None:
        """Answer as an HTTP error does: the client's socket closes with 1006 and was never open."""
        self.drop()

    def drop(self) -> None:
        """Break the connection: the client hears 1006."""
        self._finish(1006, "")

    async def recv(self) -> bytes | str:
        """Wait for a message; raises :class:`FakeSocketClosed` (an EOFError) when the client has closed."""
        self.accept()
        if self._end is not None and self._inbox.empty():
            raise self._end
        message = await self._inbox.get()
        if isinstance(message, FakeSocketClosed):
            raise message
        return message

    async def send(self, data: bytes | str) -> None:
        """Send to the client."""
        self.accept()
        if self._end is None:
            self._client.soon(self._client.received, data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code."""
        self.accept()
        self._finish(code, reason)

    async def __aiter__(self) -> AsyncIterator[bytes | str]:
        while True:
            try:
                yield await self.recv()
            except FakeSocketClosed:
                return

    def put(self, data: bytes | str) -> None:
        """A message of the client arrives."""
        self._inbox.put_nowait(data)

    def client_closed(self, code: int, reason: str) -> None:
        """The client's closing arrives."""
        if self._end is None:
            self._end = FakeSocketClosed(code, reason)
            self._inbox.put_nowait(self._end)

    def _finish(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = FakeSocketClosed(code, reason)
            self._client.soon(self._client.ended, code, reason)


class FakeWebSocket:
    """The client's end of a WebSocket."""

    def __init__(self, browser: FakeBrowser, url: str, handler: WebSocketHandler) -> None:
        self._browser = browser
        self._url = url
        self._handler: WebSocketHandler | None = handler
        self._server: FakeServerSocket | None = None
        self._early: list[bytes] | None = []
        self._last_words: bytes | None = None
        self.keep_alive: tuple[bytes, float] | None = None
        self._closing = False
        self.soon(self._connect)
        browser.opened(self)

    def soon(self, function: Callable[..., None], *args: object) -> None:
        """Do something in the next turn of the loop, and in order."""
        asyncio.get_running_loop().call_soon(function, *args)

    def send(self, data: bytes, /) -> None:
        """Queue one binary frame."""
        if self._handler is None or self._closing:
            return
        if self._early is not None:
            self._early.append(data)
        elif self._server is not None:
            self.soon(self._server.put, data)

    def set_last_words(self, data: bytes | None, /) -> None:
        """Keep what is sent when the page is left."""
        self._last_words = None if self._handler is None else data

    def set_keep_alive(self, data: bytes | None, interval: float, /) -> None:
        """Keep what a real page would send while Python is busy; tests read it."""
        self.keep_alive = None if data is None or self._handler is None else (data, interval)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and forget."""
        check_close(code, reason)
        if self._handler is not None and self._server is not None and not self._closing:
            self.soon(self._server.client_closed, code, reason)
        self._release()

    def say_last_words(self) -> None:
        """The page is left."""
        words = self._last_words
        if words is not None:
            self.send(words)
            self._last_words = None
            self._closing = True
            if self._server is not None:
                self.soon(self._server.client_closed, 1000, "")
            self.soon(self.ended, 1000, "")

    def opened(self) -> None:
        """The server accepts."""
        if self._handler is not None and self._server is not None:
            early, self._early = self._early or [], None
            for data in early:
                self.soon(self._server.put, data)
            call(self._handler.on_open)

    def received(self, data: bytes | str) -> None:
        """A message of the server arrives."""
        if self._handler is not None:
            call(self._handler.on_message, data)

    def ended(self, code: int, reason: str) -> None:
        """The connection is over."""
        handler = self._handler
        self._release()
        if handler is not None:
            call(handler.on_close, code, reason)

    def _connect(self) -> None:
        if self._handler is None:
            return
        endpoint = self._browser.find_endpoint(self._url)
        if endpoint is None:
            self.ended(1006, "")
            return
        self._server = FakeServerSocket(self, self._url)
        self._browser.start(_serve(endpoint, self._server))

    def _release(self) -> None:
        self._handler = None
        self._early = None
        self._last_words = None
        self._browser.closed(self)


async def _serve(endpoint: Endpoint, socket: FakeServerSocket) -> None:
    try:
        await endpoint(socket)
    except FakeSocketClosed:
        return
    except Exception:
        logger.exception("a fake server raised an exception")
        await socket.close(1011, "server error")
    else:
        await socket.close()
