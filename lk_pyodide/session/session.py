"""A stay in a room: its only state, its only life cycle, from one connection to the next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

from lk_pyodide.browser.api import Browser, MediaTrack, Sender, TrackArrival
from lk_pyodide.core import recovery, urls
from lk_pyodide.core.messages import (
    ClientMessage,
    DataPacket,
    DataTrackInfo,
    JoinResponse,
    ParticipantInfo,
    PublishDataTrackRequest,
    RefreshToken,
    ServerMessage,
    TrackInfo,
)
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.core.recovery import Loss
from lk_pyodide.core.subscription import MediaOwner
from lk_pyodide.errors import (
    ConnectError,
    ConnectionLostError,
    LiveKitError,
    RoomDisconnectedError,
    UnexpectedConnectionState,
)
from lk_pyodide.logging import get_logger
from lk_pyodide.options import RoomConnectOptions
from lk_pyodide.session.connection import Connection, ConnectionState
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import ConnectErrorReason, DataPacketKind, DisconnectReason

_log = get_logger("session")


MAX_BREAKS = 2
"""How often a join that breaks before media is connected is begun anew."""


class SessionState(Enum):
    """Where the stay stands. REJOINED is a connection on which the room's own tracks are being published again."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RESTARTING = "restarting"
    REJOINED = "rejoined"
    CLOSED = "closed"


class SessionHandler(Protocol):
    """The room, as the session sees it. Nothing comes before ``connect`` has returned.

    A connection that breaks is made anew: ``on_restarting``, then ``on_rejoined`` for each attempt that gets that far,
    then ``on_restarted`` or ``on_closed``. Nothing else comes between the first and the last.
    """

    def on_message(self, message: ServerMessage, /) -> None: ...
    def on_media(self, arrival: TrackArrival, owner: MediaOwner, /) -> None: ...
    def on_packet(self, packet: DataPacket, /) -> None: ...
    def on_buffer_status(self, kind: DataPacketKind, /, *, is_low: bool) -> None: ...
    def on_track_packet(self, data: bytes, /) -> None: ...
    def on_token(self, token: str, /) -> None: ...
    def on_restarting(self) -> None:
        """The connection broke, and with it all media that it carried."""
        ...

    async def on_rejoined(self, join: JoinResponse, /) -> None:
        """We are in again: publish what we had published.

        Raises:
            ConnectionLostError: it broke again meanwhile.
        """
        ...

    def on_restarted(self, join: JoinResponse, others: list[ParticipantInfo], /) -> None:
        """Everything goes on."""
        ...

    def on_closed(self, reason: DisconnectReason | int, /) -> None:
        """The stay ended, and not by :meth:`Session.close`."""
        ...


class Session:
    """A stay in a room, for one time.

    Args:
        browser: the page.
        handler: the room.
        options: all of them set.
        adaptive_stream: whether the server may choose layers by what we ask for.
        single_peer_connection: the current protocol; the older is tried when the server does not know it.
        last_words: let the page say goodbye for us when it is left.
        renew: gives another address and token, when joining again was refused.
    """

    def __init__(
        self,
        browser: Browser,
        handler: SessionHandler,
        options: RoomConnectOptions,
        *,
        adaptive_stream: bool = False,
        single_peer_connection: bool = True,
        last_words: bool = True,
        renew: Callable[[], Awaitable[tuple[str, str]]] | None = None,
    ) -> None:
        self.state = SessionState.NEW
        self.tasks = TaskSet()
        self._browser = browser
        self._handler = handler
        self._options = options
        self._adaptive_stream = adaptive_stream
        self._v0 = not single_peer_connection
        self._last_words = last_words
        self._renew = renew
        self._server = urls.ServerUrl("", "", "")
        self._token = ""
        self._connection: Connection | None = None
        self._settled = asyncio.Event()  # connected or closed: nobody has to wait
        self._held: list[ServerMessage | tuple[TrackArrival, MediaOwner] | DataPacket] = []

    # -- life cycle --

    async def connect(self, url: str, token: str) -> list[ParticipantInfo]:
        """Join.

        Returns:
            Who is there already; ``join`` holds the rest.

        Raises:
            ConnectError: why not; nothing is left behind then, nor when this is cancelled.
        """
        self._use(url, token)
        self._set_state(SessionState.CONNECTING)
        try:
            others = await self._establish()
        except BaseException:
            await self.close()
            raise
        self._set_state(SessionState.CONNECTED)
        asyncio.get_running_loop().call_soon(self._release)
        return others

    async def close(self) -> None:
        """Leave the room. Twice is once."""
        if self.state is SessionState.CLOSED:
            return
        self._set_state(SessionState.CLOSED)
        self._held.clear()
        if self._connection is not None:
            await self._connection.close(RoomDisconnectedError("the room was left"))
        await self.tasks.close()

    def _set_state(self, state: SessionState) -> None:
        _log.debug("session: %s -> %s", self.state.value, state.value)
        self.state = state
        if state in (SessionState.CONNECTED, SessionState.CLOSED):
            self._settled.set()
        else:
            self._settled.clear()

    def _use(self, url: str, token: str) -> None:
        self._server = urls.ServerUrl.parse(url, secure_page=self._browser.info.page_url.startswith("https:"))
        self._token = token

    # -- joining --

    async def _establish(self) -> list[ParticipantInfo]:
        """Make a connection.

        It is tried again with the old protocol where the current one is not known, and at once when it broke before
        media was connected: the server then tells us other ways (livekit-server prefers TCP after a failure of UDP).
        """
        attempts, breaks = max(1, self._options.max_retries or 1), 0
        while True:
            attempts -= 1
            self._held.clear()
            self._connection = connection = Connection(
                self._browser,
                self,
                self._options,
                adaptive_stream=self._adaptive_stream,
                v0=self._v0,
                last_words=self._last_words,
            )
            try:
                return await connection.open(self._server, self._token)
            except BaseException as error:
                await connection.close(RoomDisconnectedError("the room could not be joined"))
                broken = connection.loss is not None and not connection.loss.final and breaks < MAX_BREAKS
                breaks += broken
                if not isinstance(error, ConnectError) or not (broken or self._may_retry(error, attempts)):
                    raise

    def _may_retry(self, error: ConnectError, attempts: int) -> bool:
        if error.reason is ConnectErrorReason.SERVICE_NOT_FOUND and not self._v0:
            _log.info("the server does not know /rtc/v1; trying /rtc")
            self._v0 = True
            return True
        return error.reason is ConnectErrorReason.SERVER_UNREACHABLE and attempts > 0

    # -- joining again --

    def on_lost(self, loss: Loss) -> None:
        """The connection is over."""
        match self.state:
            case SessionState.CONNECTED if loss.final:
                self._end(loss)
            case SessionState.CONNECTED:
                self._set_state(SessionState.RESTARTING)
                self.tasks.spawn(self._restart(loss))
                self._handler.on_restarting()
            case SessionState.REJOINED:
                # Whoever publishes again on it is told, and with that the attempt has failed.
                self.tasks.spawn(self._require_connection().close(ConnectionLostError(loss.why)))
            case _:
                pass

    async def _restart(self, loss: Loss) -> None:
        """A full reconnect: leave, join, publish again, until it works or there have been enough attempts."""
        attempts = recovery.Attempts()
        await self._require_connection().close(ConnectionLostError(loss.why))
        while (delay := attempts.next_delay(random.random())) is not None:
            await asyncio.sleep(delay)
            self._set_state(SessionState.RESTARTING)
            try:
                others = await self._rejoin()
            except LiveKitError as error:
                _log.info("joining again failed: %s", error)
                if recovery.is_final(error) and not await self._renewed(error):
                    loss = _given_up(error)
                    break
                continue
            except Exception as error:  # a fault of ours: better no room than one that is for ever coming back
                _log.exception("joining again failed in a way that nobody thought of")
                loss = Loss(str(error), DisconnectReason.JOIN_FAILURE, final=True)
                break
            self._set_state(SessionState.CONNECTED)
            asyncio.get_running_loop().call_soon(self._release)
            self._handler.on_restarted(self.join, others)
            return
        self._end(loss)

    async def _renewed(self, error: LiveKitError) -> bool:
        """Get another token in place of one that is not good any more; False when there is none."""
        refused = isinstance(error, ConnectError) and error.reason is ConnectErrorReason.NOT_ALLOWED
        if self._renew is None or not refused:
            return False
        try:
            url, token = await self._renew()
            if token == self._token:
                return False
            self._use(url, token)
        except LiveKitError as failure:
            _log.info("there is no other token: %s", failure)
            return False
        return True

    async def _rejoin(self) -> list[ParticipantInfo]:
        others = await self._establish()
        connection = self._require_connection()
        self._set_state(SessionState.REJOINED)
        try:
            await self._handler.on_rejoined(self.join)
            if connection.state is ConnectionState.OVER:
                raise ConnectionLostError("the connection broke again")
        except BaseException:
            await connection.close(ConnectionLostError("the connection broke again"))
            raise
        return others

    def _end(self, loss: Loss) -> None:
        _log.info("disconnected: %s", loss.why)
        self._handler.on_closed(loss.reason)

    # -- for the room --

    @property
    def join(self) -> JoinResponse:
        """What the server said when we joined, the last time."""
        return self._connection.join if self._connection is not None else JoinResponse()

    @property
    def rtt(self) -> float:
        """Round trip to the server over signalling, in seconds; 0 until known."""
        return self._connection.rtt if self._connection is not None else 0.0

    @property
    def is_up(self) -> bool:
        """Whether there is a connection at present, even one on which not everything is published again yet."""
        return self._connection is not None and self._connection.state is ConnectionState.UP

    async def wait_connected(self) -> None:
        """Wait while the connection is being made anew, which ends by itself, one way or the other.

        Raises:
            UnexpectedConnectionState: we are not in the room.
            RoomDisconnectedError: the room ended meanwhile.
        """
        self._require_connection()
        await self._settled.wait()
        if self.state is not SessionState.CONNECTED:
            raise RoomDisconnectedError("the room ended while the connection was being made anew")

    def next_request_id(self) -> int:
        """An id for a request that will be answered."""
        return self._require_connection().next_request_id()

    def send_request(self, message: ClientMessage) -> None:
        """Send a signalling message.

        Raises:
            UnexpectedConnectionState: there is no connection, or none at present.
        """
        if not self.is_up:
            raise UnexpectedConnectionState("the room is not connected")
        self._require_connection().send_request(message)

    async def send_packet(self, packet: DataPacket) -> None:
        """Send a data packet; while the connection is being made anew it waits.

        Raises:
            PublishDataError: too large, or the browser refused it.
            RoomDisconnectedError: the room ended while it waited.
        """
        while True:
            await self.wait_connected()
            try:
                return await self._require_connection().send_packet(packet)
            except ConnectionLostError as error:
                _log.debug("a packet waits for the next connection: %s", error)

    async def publish(self, track: MediaTrack, plan: PublishPlan) -> tuple[TrackInfo, Sender]:
        """Publish a track; see :meth:`Publisher.publish`.

        Raises:
            ConnectionLostError: the connection broke meanwhile; see :meth:`wait_connected`.
        """
        return await self._require_connection().publish(track, plan)

    async def unpublish(self, senders: Sequence[Sender]) -> None:
        """Stop publishing a track, by all its senders."""
        if self.is_up:
            await self._require_connection().unpublish(senders)

    async def publish_data_track(self, request: PublishDataTrackRequest) -> DataTrackInfo:
        """Publish a data track, on which frames can be sent then; see :meth:`Connection.publish_data_track`.

        Raises:
            PublishDataTrackError: the server refused, or was silent; or there is no channel for frames.
            ConnectionLostError: the connection broke meanwhile; see :meth:`wait_connected`.
        """
        return await self._require_connection().publish_data_track(request)

    async def unpublish_data_track(self, handle: int) -> None:
        """Stop publishing a data track.

        Raises:
            DeadlineExceeded: the server was silent.
            ConnectionLostError: the connection broke meanwhile, and with it the track is gone.
        """
        if self.is_up:
            await self._require_connection().unpublish_data_track(handle)

    def push(self, packets: Sequence[bytes]) -> bool:
        """Send a frame of a data track, or drop it.

        Returns:
            Whether it has been sent.
        """
        return self.is_up and self._require_connection().push(packets)

    async def tracks_drained(self) -> None:
        """Wait until few bytes of data tracks are left to be sent.

        Raises:
            PublishDataError: the channel is closed.
            ConnectionLostError: the connection broke meanwhile.
        """
        if self.is_up:
            await self._require_connection().tracks_drained()

    def _require_connection(self) -> Connection:
        if self._connection is None or self.state is SessionState.CLOSED:
            raise UnexpectedConnectionState("the room is not connected")
        return self._connection

    # -- from the connection, to the room once it is there --

    def on_message(self, message: ServerMessage) -> None:
        """The server said something that is not about the connection."""
        if isinstance(message, RefreshToken):
            self._token = message.token
        self._deliver(message)

    def on_media(self, arrival: TrackArrival, owner: MediaOwner) -> None:
        """Media came."""
        self._deliver((arrival, owner))

    def on_packet(self, packet: DataPacket) -> None:
        """A data packet came."""
        self._deliver(packet)

    def on_buffer_status(self, kind: DataPacketKind, *, is_low: bool) -> None:
        """A data channel fills or has emptied: it was our own packet, so the room is there."""
        self._handler.on_buffer_status(kind, is_low=is_low)

    def on_track_packet(self, data: bytes) -> None:
        """A packet of a data track came. It is not held: by then nobody would want it."""
        if self.state is SessionState.CONNECTED and not self._held:
            self._handler.on_track_packet(data)

    def _deliver(self, item: ServerMessage | tuple[TrackArrival, MediaOwner] | DataPacket) -> None:
        if self.state is not SessionState.CONNECTED or self._held:
            self._held.append(item)
        else:
            self._hand_over(item)

    def _release(self) -> None:
        held, self._held = self._held, []
        for item in held:
            if self.state is not SessionState.CONNECTED:
                return
            self._hand_over(item)

    def _hand_over(self, item: ServerMessage | tuple[TrackArrival, MediaOwner] | DataPacket) -> None:
        match item:
            case DataPacket():
                self._handler.on_packet(item)
            case (arrival, owner):
                self._handler.on_media(arrival, owner)
            case RefreshToken(token):
                self._handler.on_token(token)
            case _:
                self._handler.on_message(item)


def _given_up(error: LiveKitError) -> Loss:
    """Why we are out for good after an attempt that ends all attempts."""
    reason = error.disconnect_reason if isinstance(error, ConnectError) else None
    return Loss(str(error), DisconnectReason.JOIN_FAILURE if reason is None else reason, final=True)
