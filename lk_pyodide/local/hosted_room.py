"""One room at the host: carries out what :class:`lk_pyodide.local.engine.Engine` decides."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterable
from typing import Protocol

from lk_pyodide.browser.api import Browser
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.reliable import DATA_TRACK, RELIABLE
from lk_pyodide.errors import LiveKitError
from lk_pyodide.local import frames, quality, speakers
from lk_pyodide.local.claims import Claims
from lk_pyodide.local.connection import Connection
from lk_pyodide.local.descriptions import Sent
from lk_pyodide.local.effects import Carry, Drop, Effect, Forward, Halt, Join, Renew, Tell
from lk_pyodide.local.engine import Engine
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import DisconnectReason, TrackKind

_log = get_logger("local")

SAMPLES = 4
"""How often microphones are listened to before it is decided who speaks."""


class RoomHost(Protocol):
    """The server, as a room sees it."""

    def post(self, to: str, kind: str, payload: bytes = b"") -> None: ...
    def renewed(self, claims: Claims, /) -> str: ...
    def forget(self, key: str) -> None: ...
    def ended(self, room: str) -> None: ...


class HostedRoom:
    """One room at the host.

    Args:
        host: whose.
        browser: the page.
        name: the room's name.
    """

    def __init__(self, host: RoomHost, browser: Browser, name: str) -> None:
        numbers = itertools.count(1)
        unique = secrets.token_hex(4)
        self._host = host
        self._browser = browser
        self._name = name
        self._engine = Engine(name, (f"{unique}{number}" for number in numbers), time.time())
        self._connections: dict[str, Connection] = {}
        self._tasks = TaskSet()
        self._tasks.spawn(self._listen())
        self._tasks.spawn(self._rate())

    def admit(self, key: str) -> bool:
        """Make a connection for a client that may join; False when the browser makes no more."""
        try:
            self._connections[key] = Connection(self._browser, key, self)
        except LiveKitError as error:
            _log.warning("a participant was refused: %s", error)
            self._do(())
            return False
        return True

    def join(self, key: str, claims: Claims, request: m.JoinRequest) -> None:
        """A client joins, once its connection is made."""
        self._do(self._engine.join(key, claims, request, time.time()))
        if request.publisher_offer is not None and (connection := self._connections.get(key)) is not None:
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

    async def _listen(self) -> None:
        """Find out who speaks, as long as the room lasts."""
        while True:
            for _ in range(SAMPLES):
                await asyncio.sleep(speakers.INTERVAL / SAMPLES)
                await asyncio.gather(*(self._hear(*microphone) for microphone in self._engine.microphones()))
            self._do(self._engine.speak(time.monotonic()))

    async def _rate(self) -> None:
        """Tell how good connections are, as long as the room lasts."""
        while True:
            await asyncio.sleep(quality.INTERVAL)
            self._do(self._engine.rate())

    async def _hear(self, key: str, cid: str, sid: str) -> None:
        connection = self._connections.get(key)
        received = connection.media.get(cid) if connection is not None else None
        level = await received.get_audio_level() if received is not None else None
        if level is not None:
            self._engine.hear(sid, level, time.monotonic())

    # -- from the connections --

    def tell(self, key: str, message: m.ServerMessage) -> None:
        """Send a signalling message to a client."""
        if key in self._connections:
            self._host.post(key, frames.DATA, wire.encode_response(message))

    def on_connected(self, key: str) -> None:
        """A client's media connection is up."""
        self._do(self._engine.connected(key))

    def on_silent(self, key: str) -> None:
        """A client's media connection does not answer."""
        self._engine.silent(key)

    def on_lost(self, key: str, reason: DisconnectReason) -> None:
        """A client has gone, or cannot be reached."""
        effects = self._engine.gone(key, reason)
        self._drop(key)
        self._do(effects)

    def on_media(self, key: str, cid: str) -> None:
        """A client's track is here."""
        kind = TrackKind.AUDIO if self._connections[key].media[cid].track.kind == "audio" else TrackKind.VIDEO
        self._do(self._engine.arrived(key, cid, kind))

    def on_media_ended(self, key: str, cid: str) -> None:
        """A client sends a track no more."""
        self._do(self._engine.ended(key, cid))

    def on_packet(self, key: str, label: str, data: bytes) -> None:
        """A client sent data."""
        if label == DATA_TRACK:
            self._do(self._engine.track_packet(key, data))
            return
        try:
            self._do(self._engine.packet(key, data, is_reliable=label == RELIABLE))
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
                case Renew(key, claims):
                    self.tell(key, m.RefreshToken(self._host.renewed(claims)))
                case Carry(key, label, data):
                    if (connection := self._connections.get(key)) is not None:
                        connection.carry(label, data)
                case Forward():
                    self._forward(effect)
                case Halt(sid, key):
                    if (connection := self._connections.get(key)) is not None:
                        connection.halt(sid)
                case Drop(key):
                    self._drop(key)
        if self._engine.is_empty:
            self._tasks.cancel()
            self._host.ended(self._name)

    def _forward(self, effect: Forward) -> None:
        publisher = self._connections.get(effect.publisher)
        subscriber = self._connections.get(effect.subscriber)
        media = publisher.media.get(effect.cid) if publisher is not None else None
        if subscriber is not None and media is not None:
            subscriber.forward(Sent(effect.publisher_sid, effect.sid), media.track)

    def _drop(self, key: str) -> None:
        connection = self._connections.pop(key, None)
        if connection is not None:
            self._host.post(key, frames.CLOSE, b"1000 ")
            self._host.forget(key)
            connection.close()
