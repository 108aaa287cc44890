"""The client's end: what its signalling link takes for a WebSocket."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from lk_pyodide.browser.api import BroadcastChannel, Browser, Lock, WebSocketHandler
from lk_pyodide.browser.guard import call, check_close
from lk_pyodide.local import frames
from lk_pyodide.local.frames import EVERYONE, Frame


class LocalSocket:
    """A WebSocket to whichever tab is the host of an address.

    Args:
        browser: the page.
        address: what the host is known by.
        url: with the token and the join request.
        handler: hears what happens.
        on_closed: told when it is closed, by whomever.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        url: str,
        handler: WebSocketHandler,
        on_closed: Callable[[LocalSocket], object],
    ) -> None:
        self.refusal = b""
        self._browser = browser
        self._key = secrets.token_hex(8)
        self._url = url
        self._handler: WebSocketHandler | None = handler
        self._channel: BroadcastChannel | None = browser.open_broadcast_channel(frames.channel_of(address), self)
        self._host = ""  # nobody has let us in yet
        self._on_closed = on_closed
        self._lock: Lock | None = None
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        self._lock = await self._browser.request_lock(frames.lock_of_client(self._key))
        self._post(EVERYONE, frames.OPEN, self._url.encode())

    def send(self, data: bytes, /) -> None:
        """Queue one frame; ignored before it is open, and when it is closed."""
        if self._host:
            self._post(self._host, frames.DATA, data)

    def set_last_words(self, data: bytes | None, /) -> None:
        """Nothing to keep: the host notices by our lock that we are gone."""

    def set_keep_alive(self, data: bytes | None, interval: float, /) -> None:
        """Nothing to keep alive: the host knows by our lock that we are there."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and forget."""
        check_close(code, reason)
        if self._host:
            self._post(self._host, frames.CLOSE, f"{code} {reason}".encode())
        self._release()

    def _post(self, to: str, kind: str, payload: bytes) -> None:
        if self._channel is not None:
            self._channel.post(Frame(self._key, to, kind, payload).encode())

    # -- from the channel --

    def on_broadcast(self, data: bytes) -> None:
        """Somebody said something."""
        frame = frames.decode(data)
        if frame is None or frame.to not in (self._key, EVERYONE) or self._handler is None:
            return
        if frame.kind == frames.HOST:
            self._on_host(frame.sender)
        elif frame.to != self._key or (self._host and frame.sender != self._host):
            return
        elif frame.kind == frames.OPENED and not self._host:
            self._host = frame.sender
            call(self._handler.on_open)
        elif frame.kind == frames.REFUSED and not self._host:
            self.refusal = frame.payload
            self._end(1006, "")
        elif frame.kind == frames.DATA and self._host:
            call(self._handler.on_message, frame.payload)
        elif frame.kind == frames.CLOSE and self._host:
            self._end(*frames.split_code(frame.payload, 1005))

    def _on_host(self, name: str) -> None:
        """A host has begun: the one that we wait for, or another in place of ours."""
        if not self._host:
            if self._lock is not None:
                self._post(EVERYONE, frames.OPEN, self._url.encode())
        elif name != self._host:
            self._end(1006, "the host has gone")

    def _end(self, code: int, reason: str) -> None:
        handler = self._handler
        self._release()
        if handler is not None:
            call(handler.on_close, code, reason)

    def _release(self) -> None:
        self._handler = None
        self._host = ""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        channel.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        self._opening.cancel()
        self._on_closed(self)
