"""The tab that is the server: it answers on the channel, and carries out what :class:`Engine` decides."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

from lk_pyodide.browser.api import Browser
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.errors import LiveKitError
from lk_pyodide.local import frames
from lk_pyodide.local.claims import Claims, Refused, verify
from lk_pyodide.local.connection import Connection
from lk_pyodide.local.descriptions import Sent
from lk_pyodide.local.engine import Carry, Drop, Effect, Engine, Forward, Halt, Join, Tell
from lk_pyodide.local.frames import EVERYONE, Frame
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import TrackKind

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
            room.on_lost(frame.sender)

    def _open(self, frame: Frame) -> None:
        try:
            claims, request = self._read(frame.payload.decode(errors="replace"))
        except Refused as refusal:
            self.post(frame.sender, frames.REFUSED, f"{refusal.status} {refusal}".encode())
            return
        room = self._rooms.get(claims.room)
        if room is None:
            room = self._rooms[claims.room] = HostedRoom(self, self._browser, claims.room)
        self._clients[frame.sender] = room
        self._tasks.spawn(self._outlive(frame.sender))
        self.post(frame.sender, frames.OPENED)
        room.join(frame.sender, claims, request)

    def _read(self, url: str) -> tuple[Claims, m.JoinRequest]:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not parts.path.endswith("/rtc/v1"):
            raise Refused("404 page not found", 404)
        claims = verify(query.get("access_token", ""), self._keys, time.time())
        try:
            return claims, wire.decode_join_request(query.get("join_request", ""))
        except LiveKitError as error:
            raise Refused("cannot decode the join request", 400) from error

    async def _outlive(self, key: str) -> None:
        """A client holds its lock as long as it lives: when we get it, the client has gone."""
        lock = await self._browser.request_lock(frames.lock_of(key))
        lock.release()
        if (room := self._clients.get(key)) is not None:
            room.on_lost(key)

    # -- from the rooms --

    def forget(self, key: str) -> None:
        """A connection is over."""
        self._clients.pop(key, None)

    def ended(self, room: str) -> None:
        """Everyone has left a room."""
        if self._rooms.pop(room, None) is not None and not self._rooms:
            self._on_idle()


class HostedRoom:
    """One room at the host.

    Args:
        host: whose.
        browser: the page.
        name: the room's name.
    """

    def __init__(self, host: Host, browser: Browser, name: str) -> None:
        numbers = itertools.count(1)
        unique = secrets.token_hex(4)
        self._host = host
        self._browser = browser
        self._name = name
        self._engine = Engine(name, (f"{unique}{number}" for number in numbers), time.time())
        self._connections: dict[str, Connection] = {}

    def join(self, key: str, claims: Claims, request: m.JoinRequest) -> None:
        """A client joins."""
        self._connections[key] = connection = Connection(self._browser, key, self)
        self._do(self._engine.join(key, claims, request, time.time()))
        if request.publisher_offer is not None:
            connection.receive(request.publisher_offer)

    def receive(self, key: str, data: bytes) -> None:
        """A frame of a client."""
        try:
            message = wire.decode_request(data)
        except LiveKitError as error:
            _log.debug("ignored a frame: %s", error)
            return
        connection = self._connections.get(key)
        if message is None or connection is None:
            return
        connection.receive(message)
        self._do(self._engine.receive(key, message))
        if isinstance(message, m.AddTrackRequest):
            for cid in list(connection.media):
                self.on_media(key, cid)  # it may have been quicker than its announcement

    def close(self) -> None:
        """The host goes: everybody is to come back, to the next one."""
        self._do(self._engine.hand_over())

    # -- from the connections --

    def tell(self, key: str, message: m.ServerMessage) -> None:
        """Send a signalling message to a client."""
        if key in self._connections:
            self._host.post(key, frames.DATA, wire.encode_response(message))

    def on_connected(self, key: str) -> None:
        """A client's media connection is up."""
        self._do(self._engine.connected(key))

    def on_lost(self, key: str) -> None:
        """A client has gone, or cannot be reached."""
        effects = self._engine.gone(key)
        self._drop(key)
        self._do(effects)

    def on_media(self, key: str, cid: str) -> None:
        """A client's track is here."""
        kind = TrackKind.AUDIO if self._connections[key].media[cid].kind == "audio" else TrackKind.VIDEO
        self._do(self._engine.arrived(key, cid, kind))

    def on_media_ended(self, key: str, cid: str) -> None:
        """A client sends a track no more."""
        self._do(self._engine.ended(key, cid))

    def on_packet(self, key: str, data: bytes) -> None:
        """A client sent data."""
        try:
            self._do(self._engine.packet(key, data))
        except LiveKitError as error:
            _log.debug("ignored a data packet: %s", error)

    # -- carrying out --

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Tell(key, message):
                    self.tell(key, message)
                case Join(key, response, others):
                    self._host.post(key, frames.DATA, wire.encode_response(response, others))
                case Carry(key, data, is_reliable):
                    if (connection := self._connections.get(key)) is not None:
                        connection.carry(data, is_reliable=is_reliable)
                case Forward():
                    self._forward(effect)
                case Halt(sid, key):
                    if (connection := self._connections.get(key)) is not None:
                        connection.halt(sid)
                case Drop(key):
                    self._drop(key)
        if self._engine.is_empty:
            self._host.ended(self._name)

    def _forward(self, effect: Forward) -> None:
        publisher = self._connections.get(effect.publisher)
        subscriber = self._connections.get(effect.subscriber)
        media = publisher.media.get(effect.cid) if publisher is not None else None
        if subscriber is not None and media is not None:
            subscriber.forward(Sent(effect.publisher_sid, effect.sid), media)

    def _drop(self, key: str) -> None:
        connection = self._connections.pop(key, None)
        if connection is not None:
            self._host.post(key, frames.CLOSE, b"1000 ")
            self._host.forget(key)
            connection.close()
