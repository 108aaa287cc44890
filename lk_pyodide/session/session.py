"""One connection to one room: its only state, its only life cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from lk_pyodide.browser.api import Browser, DataChannel, DataChannelHandler, MediaTrack, Sender, TrackArrival
from lk_pyodide.core import urls, wire
from lk_pyodide.core.messages import (
    ClientMessage,
    DataPacket,
    JoinResponse,
    LeaveAction,
    LeaveRequest,
    MediaSectionsRequirement,
    ParticipantInfo,
    RefreshToken,
    RequestResponse,
    ServerMessage,
    SessionDescription,
    SignalTarget,
    TrackInfo,
    TrackPublishedResponse,
    TrickleRequest,
)
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.core.subscription import MediaOwner, media_owner
from lk_pyodide.errors import ConnectError, RoomDisconnectedError, UnexpectedConnectionState, UnsupportedServer
from lk_pyodide.logging import get_logger
from lk_pyodide.options import RoomConnectOptions
from lk_pyodide.session.channels import Channels
from lk_pyodide.session.connecting import explain, join_request, query_for, rtc_config
from lk_pyodide.session.link import Link
from lk_pyodide.session.publisher import Publisher
from lk_pyodide.session.schemes import network_for
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.session.transport import Transport
from lk_pyodide.types import ConnectErrorReason, DisconnectReason

_log = get_logger("session")

INITIAL_SECTIONS = 3
"""Receive-only sections of each kind in the first offer (livekit-client ``initialMediaSections…``)."""

DECODE_SLICE = 0.01
"""Seconds of a large join's decoding after which the page gets a turn."""


class SessionState(Enum):
    """Where the connection stands."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


class SessionHandler(Protocol):
    """The room, as the session sees it. Nothing comes before ``connect`` has returned."""

    def on_message(self, message: ServerMessage, /) -> None: ...
    def on_media(self, arrival: TrackArrival, owner: MediaOwner, /) -> None: ...
    def on_packet(self, packet: DataPacket, /) -> None: ...
    def on_token(self, token: str, /) -> None: ...
    def on_closed(self, reason: DisconnectReason | int, /) -> None:
        """The connection ended, and not by :meth:`Session.close`."""
        ...


class Session:
    """A connection to a room, for one time.

    Args:
        browser: the page.
        handler: the room.
        options: all of them set.
        adaptive_stream: whether the server may choose layers by what we ask for.
        single_peer_connection: the current protocol; the older is tried when the server does not know it.
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
    ) -> None:
        self.state = SessionState.NEW
        self.tasks = TaskSet()
        self.join = JoinResponse()
        self._browser = browser
        self._handler = handler
        self._options = options
        self._adaptive_stream = adaptive_stream
        self._v0 = not single_peer_connection
        self._last_words = last_words
        self._link: Link | None = None
        self._publisher: Transport | None = None
        self._subscriber: Transport | None = None
        self._channels = Channels(self)
        self._publishing = Publisher(self)
        self._mids: Mapping[str, str] = {}
        self._connected: asyncio.Future[None] | None = None
        self._held: list[ServerMessage | tuple[TrackArrival, MediaOwner] | DataPacket] = []

    # -- life cycle --

    async def connect(self, url: str, token: str) -> list[ParticipantInfo]:
        """Join.

        Returns:
            Who is there already; ``join`` holds the rest.

        Raises:
            ConnectError: why not; nothing is left behind then, nor when this is cancelled.
        """
        server = urls.ServerUrl.parse(url, secure_page=self._browser.info.page_url.startswith("https:"))
        self._set_state(SessionState.CONNECTING)
        self._connected = asyncio.get_running_loop().create_future()
        try:
            self.join = await self._join(server, token)
            if not (self.join.server_info and self.join.server_info.version) and not self.join.server_version:
                raise UnsupportedServer("the server does not say its version: it is too old")
            others = await self._decode_others()
            await self._wait_connected()
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
        error = RoomDisconnectedError("the room was left")
        self._channels.close()
        self._publishing.close(error)
        self._held.clear()
        if self._connected is not None and not self._connected.done():
            self._connected.cancel()
        if self._link is not None:
            self._link.close()
        for transport in (self._publisher, self._subscriber):
            if transport is not None:
                await transport.close()
        await self.tasks.close()

    def _set_state(self, state: SessionState) -> None:
        _log.debug("session: %s -> %s", self.state.value, state.value)
        self.state = state

    def _end(self, reason: DisconnectReason | int, why: str) -> None:
        """The other side, or the network, ended it."""
        if self.state is SessionState.CONNECTING:
            if self._connected is not None and not self._connected.done():
                self._connected.set_exception(
                    ConnectError(why, ConnectErrorReason.LEAVE_REQUEST, disconnect_reason=reason)
                )
        elif self.state is SessionState.CONNECTED:
            _log.info("disconnected: %s", why)
            self._handler.on_closed(reason)

    # -- joining --

    async def _join(self, server: urls.ServerUrl, token: str) -> JoinResponse:
        attempts = max(1, self._options.max_retries or 1)
        while True:
            attempts -= 1
            try:
                return await self._join_once(server, token)
            except ConnectError as error:
                await self._drop_transports()
                if error.reason is ConnectErrorReason.SERVICE_NOT_FOUND and not self._v0:
                    _log.info("the server does not know /rtc/v1; trying /rtc")
                    self._v0 = True
                elif error.reason is not ConnectErrorReason.SERVER_UNREACHABLE or attempts <= 0:
                    raise

    async def _join_once(self, server: urls.ServerUrl, token: str) -> JoinResponse:
        # Firefox does not get its first offer into the join request (livekit-client isPublisherOfferWithJoinSupported).
        early = not self._v0 and self._browser.info.name != "firefox"
        offer = None
        if early:
            self._make_transports(JoinResponse())
            offer = await self._require_publisher().initial_offer()
        request = join_request(self._browser.info, self._options, adaptive_stream=self._adaptive_stream, offer=offer)
        query = query_for(token, request, v0=self._v0)
        network = network_for(self._browser, server)
        self._link = Link(network, self, token)
        try:
            join = await self._link.open(
                server.signal(query, v0=self._v0),
                timeout=self._options.websocket_timeout or 15.0,
                last_words=self._last_words,
            )
        except ConnectError as error:
            if error.reason is not ConnectErrorReason.WEBSOCKET:
                raise
            raise await explain(network, server, query, v0=self._v0, error=error) from error
        if early:
            self._require_publisher().pc.set_configuration(rtc_config(self._options, join))
        else:
            self._make_transports(join)
            if not self._v0 or not join.subscriber_primary or join.fast_publish:
                self._require_publisher().request_negotiation()
        self._link.start()
        return join

    def _make_transports(self, join: JoinResponse) -> None:
        config = rtc_config(self._options, join)
        self._publisher = Transport(self._browser, config, SignalTarget.PUBLISHER, self)
        self._channels.create(self._publisher.pc)
        if self._v0:
            self._subscriber = Transport(self._browser, config, SignalTarget.SUBSCRIBER, self)
        else:
            self._add_sections(MediaSectionsRequirement(INITIAL_SECTIONS, INITIAL_SECTIONS))

    async def _drop_transports(self) -> None:
        transports = (self._publisher, self._subscriber)
        self._publisher = self._subscriber = None
        for transport in transports:
            if transport is not None:
                await transport.close()
        self._channels.close()
        self._channels = Channels(self)

    def _add_sections(self, wanted: MediaSectionsRequirement) -> None:
        pc = self._require_publisher().pc
        for _ in range(wanted.num_audios):
            pc.add_receiver("audio")
        for _ in range(wanted.num_videos):
            pc.add_receiver("video")

    async def _decode_others(self) -> list[ParticipantInfo]:
        loop = asyncio.get_running_loop()
        others = []
        started = loop.time()
        for encoded in self.join.other_participants:
            others.append(wire.decode_participant(encoded))
            if loop.time() - started > DECODE_SLICE:
                await asyncio.sleep(0)
                started = loop.time()
        return others

    async def _wait_connected(self) -> None:
        assert self._connected is not None, "set by connect"
        timeout = self.negotiation_timeout
        self._check_connected()
        try:
            async with asyncio.timeout(timeout):
                await self._connected
        except TimeoutError as error:
            states = ", ".join(t.pc.connection_state for t in (self._publisher, self._subscriber) if t is not None)
            raise ConnectError(
                f"media did not connect within {timeout:g} s ({states}): a firewall, or no network interface?",
                ConnectErrorReason.TIMEOUT,
            ) from error

    def _check_connected(self) -> None:
        primary = self._subscriber if self._subscriber is not None and self.join.subscriber_primary else self._publisher
        if primary is not None and primary.connected and self._connected is not None and not self._connected.done():
            self._connected.set_result(None)

    # -- for the room --

    @property
    def rtt(self) -> float:
        """Round trip to the server over signalling, in seconds; 0 until known."""
        return self._link.protocol.rtt if self._link is not None else 0.0

    def next_request_id(self) -> int:
        """An id for a request that will be answered."""
        return self._require_link().protocol.next_request_id()

    def send_request(self, message: ClientMessage) -> None:
        """Send a signalling message.

        Raises:
            UnexpectedConnectionState: there is no connection.
        """
        self._require_link().send(message)

    async def send_packet(self, packet: DataPacket) -> None:
        """Send a data packet.

        Raises:
            PublishDataError: too large, or the browser refused it.
            RoomDisconnectedError: the room ended while it waited.
        """
        self._require_link()
        publisher = self._require_publisher()
        if not publisher.connected and publisher.pc.connection_state == "new":
            publisher.request_negotiation()
        await self._channels.send(packet)

    async def publish(self, track: MediaTrack, plan: PublishPlan) -> tuple[TrackInfo, Sender]:
        """Publish a track; see :meth:`Publisher.publish`."""
        self._require_link()
        return await self._publishing.publish(track, plan, self._browser.info.name)

    async def unpublish(self, sender: Sender, track_id: str) -> None:
        """Stop publishing a track."""
        if self.state is SessionState.CONNECTED:
            await self._publishing.unpublish(sender, track_id)

    # -- for the publisher --

    @property
    def publisher(self) -> Transport:
        """The transport that sends."""
        return self._require_publisher()

    @property
    def negotiation_timeout(self) -> float:
        """Seconds for the server to answer an offer, and for media to connect."""
        return self._options.peer_connection_timeout or 15.0

    @property
    def negotiates_in_parallel(self) -> bool:
        """Whether the server has said which codecs it takes."""
        return bool(self.join.enabled_publish_codecs)

    def _require_link(self) -> Link:
        if self._link is None or self.state is not SessionState.CONNECTED:
            raise UnexpectedConnectionState("the room is not connected")
        return self._link

    def _require_publisher(self) -> Transport:
        if self._publisher is None:
            raise UnexpectedConnectionState("the room is not connected")
        return self._publisher

    # -- from the link --

    def on_signal(self, message: ServerMessage) -> None:
        """Negotiation is the session's own; the rest is the room's."""
        match message:
            case SessionDescription(type="answer"):
                self._mids = message.mid_to_track_id
                self._require_publisher().on_answer(message)
            case SessionDescription():
                self._mids = message.mid_to_track_id
                if self._subscriber is not None:
                    self._subscriber.on_offer(message)
            case TrickleRequest():
                self._on_trickle(message)
            case LeaveRequest():
                self._on_leave(message)
            case MediaSectionsRequirement():
                self._add_sections(message)
                self._require_publisher().request_negotiation()
            case RefreshToken(token):
                self._handler.on_token(token)
            case TrackPublishedResponse():
                self._publishing.on_published(message)
            case RequestResponse() if self._publishing.on_refused(message):
                pass
            case _:
                self._deliver(message)

    def on_link_lost(self, why: str) -> None:
        """Signalling broke."""
        self._end(DisconnectReason.SIGNAL_CLOSE, why)

    def _on_trickle(self, message: TrickleRequest) -> None:
        transport = self._subscriber if message.target == SignalTarget.SUBSCRIBER else self._publisher
        if transport is not None and message.candidateInit:
            transport.add_candidate(message.candidateInit)

    def _on_leave(self, message: LeaveRequest) -> None:
        action = message.action
        name = action.name.lower() if isinstance(action, LeaveAction) else f"action {action}"
        self._end(message.reason, f"the server said leave ({name})")

    # -- from the transports --

    def send_signal(self, message: SessionDescription | TrickleRequest) -> None:
        """Send what a transport has to say."""
        if self._link is not None:
            self._link.send(message)

    def on_transport_state(self, transport: Transport, state: str) -> None:
        """A peer connection changed."""
        self._check_connected()
        if state == "failed":
            self._end(DisconnectReason.MEDIA_FAILURE, f"the {transport.target.name.lower()} peer connection failed")

    def on_media(self, arrival: TrackArrival) -> None:
        """Media arrived: whose is it?"""
        owner = media_owner(arrival.stream_ids, arrival.track.id, arrival.mid, self._mids)
        if owner is None:
            return
        if self.state is SessionState.CONNECTED and not self._held:
            self._handler.on_media(arrival, owner)
        else:
            self._held.append((arrival, owner))

    def on_remote_channel(self, channel: DataChannel) -> DataChannelHandler | None:
        """The server opened a data channel."""
        return self._channels.adopt(channel)

    def on_packet(self, packet: DataPacket) -> None:
        """A data packet came."""
        self._deliver(packet)

    # -- to the room, once it is there --

    def _deliver(self, message: ServerMessage | DataPacket) -> None:
        if self.state is not SessionState.CONNECTED or self._held:
            self._held.append(message)
        elif isinstance(message, DataPacket):
            self._handler.on_packet(message)
        else:
            self._handler.on_message(message)

    def _release(self) -> None:
        held, self._held = self._held, []
        for item in held:
            if self.state is not SessionState.CONNECTED:
                return
            match item:
                case DataPacket():
                    self._handler.on_packet(item)
                case (arrival, owner):
                    self._handler.on_media(arrival, owner)
                case _:
                    self._handler.on_message(item)
