"""The client's end: what its signalling link takes for a WebSocket."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from lk_pyodide.browser.api import BroadcastChannel, Browser, Lock, WebSocketHandler
from lk_pyodide.browser.guard import call, check_close
from lk_pyodide.local import frames
from lk_pyodide.local.frames import EVERYONE, Frame
from lk_pyodide.session.tasks import TaskSet

PATIENCE = 4.0
"""Seconds after which a host that does not answer is taken for frozen. A tab may be that slow while it loads Python."""


class SocketOwner(Protocol):
    """Who opened the socket."""

    def on_unanswered(self, socket: LocalSocket, /) -> None:
        """Nobody has answered for a while."""
        ...

    def on_closed(self, socket: LocalSocket, /) -> None:
        """It is closed, by whomever."""
        ...


class LocalSocket:
    """A WebSocket to whichever tab is the host of an address.

    Args:
        browser: the page.
        address: what the host is known by.
        url: with the token and the join request.
        handler: hears what happens.
        owner: hears that nobody answers, and of the end.
    """

    def __init__(self, browser: Browser, address: str, url: str, handler: WebSocketHandler, owner: SocketOwner) -> None:
        self.refusal = b""
        self._browser = browser
        self._key = secrets.token_hex(8)
        self._url = url
        self._handler: WebSocketHandler | None = handler
        self._channel: BroadcastChannel | None = browser.open_broadcast_channel(frames.channel_of(address), self)
        self._host = ""  # nobody has let us in yet
        self._owner = owner
        self._lock: Lock | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._tasks = TaskSet()
        self._tasks.spawn(self._open())

    async def _open(self) -> None:
        self._lock = await self._browser.request_lock(frames.lock_of(self._key))
        self._knock()

    def _knock(self) -> None:
        """Ask whoever is the host to be let in."""
        self._post(EVERYONE, frames.OPEN, self._url.encode())
        self._set_patience(True)

    def _set_patience(self, waiting: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if waiting:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._owner.on_unanswered, self)

    async def _outlive_host(self, name: str) -> None:
        """The host holds its lock as long as it lives: when we get it, the host has gone."""
        lock = await self._browser.request_lock(frames.lock_of(name))
        lock.release()
        self._end(1006, "the host has gone")

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
        if frame is None or self._handler is None:
            return
        if frame.kind == frames.HOST and frame.to == EVERYONE and not self._host:
            if self._lock is not None:
                self._knock()
        elif frame.to == self._key and self._host in ("", frame.sender):
            self._hear(frame, self._handler)

    def _hear(self, frame: Frame, handler: WebSocketHandler) -> None:
        match frame.kind:
            case frames.OPENED if not self._host:
                self._host = frame.sender
                self._set_patience(False)
                self._tasks.spawn(self._outlive_host(frame.sender))
                call(handler.on_open)
            case frames.REFUSED if not self._host:
                self.refusal = frame.payload
                self._end(1006, "")
            case frames.DATA if self._host:
                call(handler.on_message, frame.payload)
            case frames.CLOSE if self._host:
                self._end(*frames.split_code(frame.payload, 1005))
            case _:
                pass

    def _end(self, code: int, reason: str) -> None:
        handler = self._handler
        self._release()
        if handler is not None:
            call(handler.on_close, code, reason)

    def _release(self) -> None:
        self._handler = None
        self._host = ""
        self._set_patience(False)
        channel, self._channel = self._channel, None
        if channel is None:
            return
        channel.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        self._tasks.cancel()
        self._owner.on_closed(self)
