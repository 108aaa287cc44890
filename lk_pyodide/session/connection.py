"""One join: its signalling link, its peer connections and its data channels. A session has one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

from lk_pyodide.browser.api import Browser, DataChannel, DataChannelHandler, MediaTrack, Sender, TrackArrival
from lk_pyodide.core import recovery, urls, wire
from lk_pyodide.core.messages import (
    ClientMessage,
    DataPacket,
    DataTrackInfo,
    JoinResponse,
    LeaveRequest,
    MediaSectionsRequirement,
    ParticipantInfo,
    PublishDataTrackRequest,
    PublishDataTrackResponse,
    RequestResponse,
    ServerMessage,
    SessionDescription,
    SignalTarget,
    TrackInfo,
    TrackPublishedResponse,
    TrickleRequest,
    UnpublishDataTrackResponse,
)
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.core.recovery import Loss
from lk_pyodide.core.subscription import MediaOwner, media_owner
from lk_pyodide.errors import (
    ConnectError,
    ConnectionLostError,
    LiveKitError,
    UnsupportedServer,
)
from lk_pyodide.logging import get_logger
from lk_pyodide.options import RoomConnectOptions
from lk_pyodide.session.channels import Channels
from lk_pyodide.session.connecting import explain, join_request, query_for, rtc_config
from lk_pyodide.session.data_tracks import DataTrackRequests
from lk_pyodide.session.link import Link
from lk_pyodide.session.publisher import Publisher
from lk_pyodide.session.schemes import network_for
from lk_pyodide.session.transport import Transport
from lk_pyodide.types import ConnectErrorReason, DataPacketKind, DisconnectReason

_log = get_logger("session")

INITIAL_SECTIONS = 3
"""Receive-only sections of each kind in the first offer (livekit-client ``initialMediaSections…``)."""

NO_INTERFACE = 3.0
"""Seconds without any address of our own after which the browser is taken to have none; it finds one at once."""

GRACE = 0.5
"""Seconds for what has happened meanwhile to be heard, if Python was blocked."""

DECODE_SLICE = 0.01
"""Seconds of a large join's decoding after which the page gets a turn."""


class ConnectionState(Enum):
    """How far a connection has come."""

    OPENING = "opening"
    UP = "up"
    OVER = "over"


class ConnectionHandler(Protocol):
    """The session, as its connection sees it. ``on_lost`` comes once, and not before ``open`` has returned."""

    def on_message(self, message: ServerMessage, /) -> None: ...
    def on_media(self, arrival: TrackArrival, owner: MediaOwner, /) -> None: ...
    def on_packet(self, packet: DataPacket, /) -> None: ...
    def on_buffer_status(self, kind: DataPacketKind, /, *, is_low: bool) -> None: ...
    def on_track_packet(self, data: bytes, /) -> None: ...
    def on_lost(self, loss: Loss, /) -> None: ...


class Connection:
    """A connection to a server, from one join to the end of it; ``loss`` tells why it ended, if not by ``close``.

    Args:
        browser: the page.
        handler: the session.
        options: all of them set.
        adaptive_stream: whether the server may choose layers by what we ask for.
        v0: speak the older protocol, with two peer connections.
        last_words: let the page say goodbye for us when it is left.
    """

    def __init__(
        self,
        browser: Browser,
        handler: ConnectionHandler,
        options: RoomConnectOptions,
        *,
        adaptive_stream: bool,
        v0: bool,
        last_words: bool,
    ) -> None:
        self.join = JoinResponse()
        self.state = ConnectionState.OPENING
        self.loss: Loss | None = None
        self._browser = browser
        self._handler = handler
        self._options = options
        self._adaptive_stream = adaptive_stream
        self._v0 = v0
        self._last_words = last_words
        self._link: Link | None = None
        self._publisher: Transport | None = None
        self._subscriber: Transport | None = None
        self._channels = Channels(self)
        self._publishing = Publisher(self)
        self._data_tracks = DataTrackRequests(self)
        self._mids: Mapping[str, str] = {}
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._up.add_done_callback(_seen)

    # -- life cycle --

    async def open(self, server: urls.ServerUrl, token: str) -> list[ParticipantInfo]:
        """Join, and wait for media to connect.

        Returns:
            Who is there already; ``join`` holds the rest.

        Raises:
            ConnectError: why not; the caller closes it then, too.
        """
        await self._join(server, token)
        if not (self.join.server_info and self.join.server_info.version) and not self.join.server_version:
            raise UnsupportedServer("the server does not say its version: it is too old")
        others = await self._decode_others()
        await self._wait_connected()
        if self.state is ConnectionState.OVER:
            raise ConnectError("the connection was lost at once", ConnectErrorReason.INTERNAL_ERROR)
        self.state = ConnectionState.UP
        return others

    async def close(self, error: LiveKitError) -> None:
        """Say goodbye if there is anybody to hear it, and let go of everything. Twice is once.

        Args:
            error: for everyone who waits for something of it.
        """
        self.state = ConnectionState.OVER
        self._channels.close(error)
        self._publishing.close(error)
        self._data_tracks.close(error)
        self._up.cancel()
        if self._link is not None:
            self._link.close()
        transports, self._publisher, self._subscriber = (self._publisher, self._subscriber), None, None
        for transport in transports:
            if transport is not None:
                await transport.close(error)

    def _lose(self, loss: Loss) -> None:
        """The other side, or the network, ended it."""
        before, self.state = self.state, ConnectionState.OVER
        self.loss = self.loss or loss
        if before is ConnectionState.UP:
            _log.info("the connection is lost: %s", loss.why)
            self._handler.on_lost(loss)
        elif not self._up.done():
            self._up.set_exception(
                ConnectError(loss.why, ConnectErrorReason.LEAVE_REQUEST, disconnect_reason=loss.reason)
            )

    # -- joining --

    async def _join(self, server: urls.ServerUrl, token: str) -> None:
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
            self.join = await self._link.open(
                server.signal(query, v0=self._v0),
                timeout=self._options.websocket_timeout or 15.0,
                last_words=self._last_words,
            )
        except ConnectError as error:
            if error.reason is not ConnectErrorReason.WEBSOCKET:
                raise
            raise await explain(network, server, query, v0=self._v0, error=error) from error
        if early:
            self._require_publisher().pc.set_configuration(rtc_config(self._options, self.join))
        else:
            self._make_transports(self.join)
            if not self._v0 or not self.join.subscriber_primary or self.join.fast_publish:
                self._require_publisher().request_negotiation()
        self._link.start()

    def _make_transports(self, join: JoinResponse) -> None:
        config = rtc_config(self._options, join)
        self._publisher = Transport(self._browser, config, SignalTarget.PUBLISHER, self)
        self._channels.create(self._publisher.pc)
        if self._v0:
            self._subscriber = Transport(self._browser, config, SignalTarget.SUBSCRIBER, self)
        else:
            self._add_sections(MediaSectionsRequirement(INITIAL_SECTIONS, INITIAL_SECTIONS))

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
        timeout = self.negotiation_timeout
        self._check_connected()
        await asyncio.wait([self._up], timeout=min(NO_INTERFACE, timeout))
        if not self._up.done() and self._has_no_interface():
            await asyncio.wait([self._up], timeout=GRACE)
        failed = not self._up.done() or (self.loss is not None and self.loss.reason == DisconnectReason.MEDIA_FAILURE)
        if failed and self._has_no_interface():
            raise ConnectError(
                "the browser finds no network interface: without one it cannot connect, not even to itself",
                ConnectErrorReason.TIMEOUT,
            )
        try:
            async with asyncio.timeout(max(0.0, timeout - NO_INTERFACE)):
                await self._up
        except TimeoutError as error:
            states = ", ".join(transport.pc.connection_state for transport in self._transports)
            raise ConnectError(
                f"media did not connect within {timeout:g} s ({states}): a firewall?", ConnectErrorReason.TIMEOUT
            ) from error

    @property
    def _transports(self) -> list[Transport]:
        return [transport for transport in (self._publisher, self._subscriber) if transport is not None]

    def _has_no_interface(self) -> bool:
        relayed = rtc_config(self._options, self.join).ice_transport_policy == "relay"
        return not relayed and not any(transport.has_candidates for transport in self._transports)

    def _check_connected(self) -> None:
        primary = self._subscriber if self._subscriber is not None and self.join.subscriber_primary else self._publisher
        if primary is not None and primary.connected and not self._up.done():
            self._up.set_result(None)

    # -- for the session --

    @property
    def rtt(self) -> float:
        """Round trip to the server over signalling, in seconds; 0 until known."""
        return self._link.protocol.rtt if self._link is not None else 0.0

    def next_request_id(self) -> int:
        """An id for a request that will be answered."""
        return self._require_link().protocol.next_request_id()

    def send_request(self, message: ClientMessage) -> None:
        """Send a signalling message."""
        self._require_link().send(message)

    async def send_packet(self, packet: DataPacket) -> None:
        """Send a data packet; see :meth:`Channels.send`."""
        self._begin_sending()
        await self._channels.send(packet)

    def _begin_sending(self) -> None:
        publisher = self._require_publisher()
        if not publisher.connected and publisher.pc.connection_state == "new":
            publisher.request_negotiation()

    async def publish(self, track: MediaTrack, plan: PublishPlan) -> tuple[TrackInfo, Sender]:
        """Publish a track; see :meth:`Publisher.publish`."""
        return await self._publishing.publish(track, plan, self._browser.info.name)

    async def unpublish(self, senders: Sequence[Sender]) -> None:
        """Stop publishing a track; see :meth:`Publisher.unpublish`."""
        await self._publishing.unpublish(senders)

    async def publish_data_track(self, request: PublishDataTrackRequest) -> DataTrackInfo:
        """Publish a data track; see :meth:`DataTrackRequests.publish`."""
        self._begin_sending()
        return await self._data_tracks.publish(request)

    async def unpublish_data_track(self, handle: int) -> None:
        """Stop publishing a data track; see :meth:`DataTrackRequests.unpublish`."""
        await self._data_tracks.unpublish(handle)

    def push(self, packets: Sequence[bytes]) -> bool:
        """Send a frame of a data track; see :meth:`Channels.push`."""
        return self._channels.push(packets)

    async def tracks_drained(self) -> None:
        """Wait until frames have been sent; see :meth:`Channels.tracks_drained`."""
        await self._channels.tracks_drained()

    # -- for the publishers --

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

    async def tracks_opened(self) -> None:
        """Wait until frames of data tracks can be sent; see :meth:`Channels.tracks_opened`."""
        await self._channels.tracks_opened()

    def _require_link(self) -> Link:
        if self._link is None or self.state is ConnectionState.OVER:
            raise ConnectionLostError("the connection is over")
        return self._link

    def _require_publisher(self) -> Transport:
        if self._publisher is None:
            raise ConnectionLostError("the connection is over")
        return self._publisher

    # -- from the link --

    def on_signal(self, message: ServerMessage) -> None:
        """Negotiation is ours; the rest is the session's."""
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
                self._lose(recovery.after_leave(message))
            case MediaSectionsRequirement():
                self._add_sections(message)
                self._require_publisher().request_negotiation()
            case TrackPublishedResponse():
                self._publishing.on_published(message)
            case PublishDataTrackResponse():
                self._data_tracks.on_published(message)
            case UnpublishDataTrackResponse() if self._data_tracks.on_unpublished(message):
                pass
            case RequestResponse() if self._publishing.on_refused(message) or self._data_tracks.on_refused(message):
                pass
            case _:
                self._handler.on_message(message)

    def on_link_lost(self, why: str) -> None:
        """Signalling broke."""
        self._lose(Loss(why, DisconnectReason.SIGNAL_CLOSE))

    def _on_trickle(self, message: TrickleRequest) -> None:
        transport = self._subscriber if message.target == SignalTarget.SUBSCRIBER else self._publisher
        if transport is not None and message.candidateInit:
            transport.add_candidate(message.candidateInit)

    # -- from the transports --

    def send_signal(self, message: SessionDescription | TrickleRequest) -> None:
        """Send what a transport has to say."""
        if self._link is not None:
            self._link.send(message)

    def on_transport_state(self, transport: Transport, state: str) -> None:
        """A peer connection changed."""
        self._check_connected()
        if state == "failed":
            name = transport.target.name.lower()
            self._lose(Loss(f"the {name} peer connection failed", DisconnectReason.MEDIA_FAILURE))

    def on_media(self, arrival: TrackArrival) -> None:
        """Media arrived: whose is it?"""
        owner = media_owner(arrival.stream_ids, arrival.track.id, arrival.mid, self._mids)
        if owner is not None:
            self._handler.on_media(arrival, owner)

    def on_remote_channel(self, channel: DataChannel) -> DataChannelHandler | None:
        """The server opened a data channel."""
        return self._channels.adopt(channel)

    def on_packet(self, packet: DataPacket) -> None:
        """A data packet came."""
        self._handler.on_packet(packet)

    def on_buffer_status(self, kind: DataPacketKind, *, is_low: bool) -> None:
        """A data channel fills or has emptied."""
        self._handler.on_buffer_status(kind, is_low=is_low)

    def on_track_packet(self, data: bytes) -> None:
        """A packet of a data track came."""
        self._handler.on_track_packet(data)


def _seen(future: asyncio.Future[None]) -> None:
    # Why it did not come up may be known before anybody waits for it; joining may have failed for another reason.
    if not future.cancelled():
        future.exception()
