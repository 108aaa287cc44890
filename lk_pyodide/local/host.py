"""The tab that is the server: it answers on the channel, and lets clients into its rooms."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from lk_pyodide.browser.api import Browser
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.errors import LiveKitError
from lk_pyodide.local import frames
from lk_pyodide.local.claims import Claims, Refused, renewed, verify
from lk_pyodide.local.frames import EVERYONE, Frame
from lk_pyodide.local.hosted_room import HostedRoom
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import DisconnectReason

_log = get_logger("local")


class Host:
    """The server of an address, in this tab.

    Args:
        browser: the page.
        name: its own, on the channel.
        address: what it is known by.
        keys: secrets by key, for tokens.
        on_idle: told when the last room has ended.
    """

    def __init__(
        self, browser: Browser, name: str, address: str, keys: Mapping[str, str], on_idle: Callable[[], object]
    ) -> None:
        self.name = name
        self._browser = browser
        self._keys = keys
        self._on_idle = on_idle
        self._rooms: dict[str, HostedRoom] = {}
        self._clients: dict[str, HostedRoom] = {}
        self._tasks = TaskSet()
        self._channel = browser.open_broadcast_channel(frames.channel_of(address), self)

    @classmethod
    @contextlib.asynccontextmanager
    async def serving(
        cls, browser: Browser, address: str, keys: Mapping[str, str], on_idle: Callable[[], object]
    ) -> AsyncIterator[Host]:
        """Be the server, for the time of the block."""
        name = secrets.token_hex(8)
        lock = await browser.request_lock(frames.lock_of(name))
        try:
            host = cls(browser, name, address, keys, on_idle)
            host.post(EVERYONE, frames.HOST)
            _log.info("this tab is the server of local://%s", address)
            try:
                yield host
            finally:
                host.close()
        finally:
            lock.release()

    @property
    def is_idle(self) -> bool:
        """Whether there is no room."""
        return not self._rooms

    def post(self, to: str, kind: str, payload: bytes = b"") -> None:
        """Say something on the channel."""
        self._channel.post(Frame(self.name, to, kind, payload).encode())

    def close(self) -> None:
        """Be the server no more."""
        for room in list(self._rooms.values()):
            room.close()
        self._channel.close()
        self._tasks.cancel()

    # -- from the channel --

    def on_broadcast(self, data: bytes) -> None:
        """Somebody said something. Whatever it is, it changes nothing for the others."""
        frame = frames.decode(data)
        if frame is None or frame.to not in (self.name, EVERYONE):
            return
        room = self._clients.get(frame.sender)
        if frame.kind == frames.OPEN and room is None:
            self._open(frame)
        elif frame.kind == frames.DATA and room is not None:
            room.receive(frame.sender, frame.payload)
        elif frame.kind == frames.CLOSE and room is not None:
            room.on_lost(frame.sender, DisconnectReason.SIGNAL_CLOSE)

    def _open(self, frame: Frame) -> None:
        try:
            claims, request = self._read(frame.payload.decode(errors="replace"))
        except Refused as refusal:
            self.post(frame.sender, frames.REFUSED, f"{refusal.status} {refusal}".encode())
            return
        room = self._rooms.get(claims.room)
        if room is None:
            room = self._rooms[claims.room] = HostedRoom(self, self._browser, claims.room)
        if not room.admit(frame.sender):
            self.post(frame.sender, frames.REFUSED, b"503 the browser makes no more connections")
            return
        self._clients[frame.sender] = room
        self._tasks.spawn(self._outlive(frame.sender))
        self.post(frame.sender, frames.OPENED)
        room.join(frame.sender, claims, request)

    def _read(self, url: str) -> tuple[Claims, m.JoinRequest]:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Refused("404 page not found", 404) from error
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not parts.path.endswith("/rtc/v1"):
            raise Refused("404 page not found", 404)
        claims = verify(query.get("access_token", ""), self._keys, time.time())
        if "join_request" not in query:
            raise Refused("join_request is required", 400)
        try:
            return claims, wire.decode_join_request(query["join_request"])
        except LiveKitError as error:
            raise Refused("cannot decode the join request", 400) from error

    async def _outlive(self, key: str) -> None:
        """A client holds its lock as long as it lives: when we get it, the client has gone."""
        lock = await self._browser.request_lock(frames.lock_of(key))
        lock.release()
        if (room := self._clients.get(key)) is not None:
            room.on_lost(key, DisconnectReason.SIGNAL_CLOSE)

    # -- from the rooms --

    def renewed(self, claims: Claims) -> str:
        """A token of ours that says this."""
        key, secret = next(iter(self._keys.items()))
        return renewed(claims, key, secret)

    def forget(self, key: str) -> None:
        """A connection is over."""
        self._clients.pop(key, None)

    def ended(self, room: str) -> None:
        """Everyone has left a room."""
        if self._rooms.pop(room, None) is not None and not self._rooms:
            self._on_idle()
