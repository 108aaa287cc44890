"""The room: connect, take part, leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from lk_pyodide import devices
from lk_pyodide import events as ev
from lk_pyodide.browser.api import Browser, Subscription, TrackArrival
from lk_pyodide.browser.current import current
from lk_pyodide.core import urls, wire
from lk_pyodide.core.messages import DataPacket, ParticipantInfo, ServerMessage
from lk_pyodide.core.subscription import MediaOwner
from lk_pyodide.emitter import EventSource
from lk_pyodide.errors import (
    BrowserError,
    ConnectError,
    LiveKitError,
    RoomDisconnectedError,
    UnexpectedConnectionState,
)
from lk_pyodide.events import EventName
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.logging import get_logger
from lk_pyodide.options import CONNECT_DEFAULTS, RoomConnectOptions, RoomOptions, merged
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.publication import LocalTrackPublication, TrackPublication
from lk_pyodide.room_updates import RoomUpdates
from lk_pyodide.session.session import Session, SessionState
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import ConnectErrorReason, ConnectionState, DeviceInfo, DisconnectReason, ServerInfo, TrackKind

__all__ = ["Room"]

_log = get_logger("room")


class Room(EventSource[EventName]):
    """A room, and our place in it.

    Args:
        options: how to take part; read once, here.
        browser: the page; found out when it is first needed. Tests give a fake.
    """

    def __init__(self, options: RoomOptions | None = None, *, browser: Browser | None = None) -> None:
        super().__init__(ev.ROOM_EVENTS)
        self._options = merged(options, RoomOptions())
        self._browser = browser
        self._state = ConnectionState.DISCONNECTED
        self._session: Session | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting = 0
        self._disconnecting: asyncio.Task[None] | None = None
        self._tasks = TaskSet()
        self._page: Subscription | None = None
        self._blocked: set[str] = set()
        self._local = LocalParticipant(self, ParticipantInfo())
        self._remotes: dict[str, RemoteParticipant] = {}
        self._updates = self._new_updates(auto_subscribe=True)

    def _new_updates(self, *, auto_subscribe: bool) -> RoomUpdates:
        return RoomUpdates(self, self, self._local, self._remotes, self._emit, auto_subscribe=auto_subscribe)

    # -- what there is to see --

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._state

    @property
    def connection_state(self) -> ConnectionState:
        """The same as :attr:`state`."""
        return self._state

    def isconnected(self) -> bool:
        """Whether we are in the room (``livekit.rtc``'s spelling)."""
        return self._state not in (ConnectionState.DISCONNECTED, ConnectionState.CONNECTING)

    @property
    def sid(self) -> str:
        """The server's id of the room; empty until it is known."""
        return self._updates.info.sid

    async def get_sid(self) -> str:
        """The server's id of the room, once it is known.

        Raises:
            RoomDisconnectedError: the room ended first.
        """
        while self.isconnected() and not self.sid:
            await self.wait_for(ev.RoomUpdated)
        return self.sid

    @property
    def name(self) -> str:
        """The room's name."""
        return self._updates.info.name

    @property
    def metadata(self) -> str:
        """Whatever the application keeps there."""
        return self._updates.info.metadata

    @property
    def num_participants(self) -> int:
        """How many there are, as the server counts every few seconds."""
        return self._updates.info.num_participants

    @property
    def num_publishers(self) -> int:
        """How many publish, as the server counts every few seconds."""
        return self._updates.info.num_publishers

    @property
    def is_recording(self) -> bool:
        """Whether the room is being recorded."""
        return self._updates.info.active_recording

    @property
    def server_info(self) -> ServerInfo | None:
        """Which server the room is on; None before we were connected."""
        if self._session is None:
            return None
        join = self._session.join
        return join.server_info or ServerInfo(version=join.server_version, region=join.server_region)

    @property
    def signal_rtt(self) -> float:
        """Round trip to the server over signalling, in seconds; 0 until known."""
        return self._session.rtt if self._session is not None else 0.0

    @property
    def local_participant(self) -> LocalParticipant:
        """Ourselves; there before we are connected, too."""
        return self._local

    @property
    def remote_participants(self) -> Mapping[str, RemoteParticipant]:
        """The others, by identity."""
        return MappingProxyType(self._remotes)

    @property
    def active_speakers(self) -> list[Participant]:
        """Who speaks, the loudest first."""
        return list(self._updates.speakers)

    def get_participant_by_identity(self, identity: str) -> Participant | None:
        """Someone in the room, ourselves included."""
        return self._local if identity == self._local.identity else self._remotes.get(identity)

    @staticmethod
    async def get_local_devices(kind: str | None = None, request_permissions: bool = True) -> list[DeviceInfo]:
        """The devices that the page may know of; see :func:`lk_pyodide.devices.get_local_devices`."""
        return await devices.get_local_devices(kind, request_permissions=request_permissions)

    # -- connecting --

    async def prepare_connection(self, url: str, token: str | None = None) -> None:
        """Warm up the way to the server, and load what connecting needs, as early as the page is loaded.

        Never raises for what the network does: connecting will tell.

        Args:
            url: the server's address.
            token: not needed for servers of one's own.
        """
        server = urls.ServerUrl.parse(url)
        wire.load()
        try:
            await self.browser.fetch(server.http, method="HEAD")
        except LiveKitError as error:
            _log.debug("could not warm up the connection: %s", error)

    async def connect(self, url: str, token: str, options: RoomConnectOptions | None = None) -> None:
        """Join the room that the token names.

        A second call while one is under way waits for the first; one while connected does nothing.

        Args:
            url: the server's address, ``wss://…``.
            token: who we are and what we may.
            options: how to join.

        Raises:
            ConnectError: why not, in ``reason``; nothing is left behind then.
            UsageError: the address is none, or this page may not use it.
            UnsupportedHostError: this Python has no browser.
        """
        if self._disconnecting is not None:
            await asyncio.shield(self._disconnecting)
        if self._connecting is None:
            if self.isconnected():
                _log.info("connect() while connected does nothing")
                return
            self._connecting = asyncio.get_running_loop().create_task(self._connect(url, token, options))
            self._waiting = 0
        task = self._connecting
        self._waiting += 1
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _being_cancelled():
                raise ConnectError("disconnect() was called", ConnectErrorReason.CANCELLED) from None
            if self._waiting == 1:
                task.cancel()
                await asyncio.wait([task])
                # It may have got there in the very turn that we were cancelled in; nobody wants it any more.
                await self.disconnect()
            raise
        finally:
            self._waiting -= 1

    async def _connect(self, url: str, token: str, options: RoomConnectOptions | None) -> None:
        wanted = merged(_connect_options(options), _connect_options(self._options), CONNECT_DEFAULTS)
        single = options.single_peer_connection if isinstance(options, RoomOptions) else True
        session: Session | None = None
        try:
            session = Session(
                self.browser,
                self,
                wanted,
                adaptive_stream=self._options.adaptive_stream,
                single_peer_connection=self._options.single_peer_connection and single,
                last_words=self._options.disconnect_on_page_leave,
            )
            self._set_state(ConnectionState.CONNECTING)
            others = await session.connect(url, token)
        except BaseException:
            self._connecting = None
            self._set_state(ConnectionState.DISCONNECTED)
            raise
        self._session = session
        self._connecting = None
        self._updates = self._new_updates(auto_subscribe=wanted.auto_subscribe is not False)
        self._updates.joined(session.join, others)
        self._page = self.browser.watch_page(self)
        self._set_state(ConnectionState.CONNECTED)
        self._emit(ev.Connected())

    async def disconnect(
        self, *, reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED, stop_tracks: bool = True
    ) -> None:
        """Leave the room; a connect that is under way ends with ``ConnectError`` (``CANCELLED``). Twice is once.

        Args:
            reason: what ``disconnected`` tells.
            stop_tracks: end our tracks and let their devices go.
        """
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._session is not None and self._disconnecting is None:
            self._start_leaving(reason, stop_tracks)
        if self._disconnecting is not None:
            await asyncio.shield(self._disconnecting)

    def _start_leaving(self, reason: DisconnectReason | int, stop_tracks: bool) -> None:
        work = self._leave(reason, stop_tracks)
        self._disconnecting = asyncio.get_running_loop().create_task(work)

    async def _leave(self, reason: DisconnectReason | int, stop_tracks: bool) -> None:
        session, self._session = self._session, None
        error = RoomDisconnectedError(f"the room was disconnected ({_reason_name(reason)})", reason)
        try:
            if session is not None:
                await session.close()
            await self._local._left(error, stop_tracks=stop_tracks)
        finally:
            if self._page is not None:
                self._page.close()
                self._page = None
            self._updates.ended()
            self._blocked.clear()
            self._disconnecting = None
            self._set_state(ConnectionState.DISCONNECTED)
            self._emit(ev.Disconnected(reason))
            self._end_streams(error)

    def _set_state(self, state: ConnectionState) -> None:
        if state is not self._state:
            self._state = state
            self._emit(ev.ConnectionStateChanged(state))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    # -- playback --

    @property
    def can_playback_audio(self) -> bool:
        """Whether sound may play; when not, call :meth:`start_audio` from a click."""
        return "audio" not in self._blocked

    @property
    def can_playback_video(self) -> bool:
        """Whether pictures may play; when not, call :meth:`start_video` from a click."""
        return "video" not in self._blocked

    def start_audio(self) -> Awaitable[None]:
        """Play all sound. Call it from a click: it acts at the call.

        Raises:
            PlaybackError: the browser still refuses.
        """
        return self._start("audio")

    def start_video(self) -> Awaitable[None]:
        """Play all pictures; otherwise as :meth:`start_audio`."""
        return self._start("video")

    def _start(self, kind: str) -> Awaitable[None]:
        started = [
            play
            for participant in self._remotes.values()
            for publication in participant.track_publications.values()
            if publication.track is not None and publication.kind == TrackKind[kind.upper()]
            for play in publication.track._play()
        ]

        async def settled() -> None:
            results = await asyncio.gather(*started, return_exceptions=True)
            errors = [result for result in results if isinstance(result, BrowserError)]
            if errors:
                raise errors[0]
            self.playback_changed(kind, True)

        return self._tasks.spawn(settled())

    def playback_changed(self, kind: str, allowed: bool) -> None:
        """An element played, or was not allowed to."""
        if allowed == (kind not in self._blocked):
            return
        (self._blocked.discard if allowed else self._blocked.add)(kind)
        self._emit(ev.AudioPlaybackChanged(allowed) if kind == "audio" else ev.VideoPlaybackChanged(allowed))

    # -- for the nouns --

    @property
    def browser(self) -> Browser:
        """The page.

        Raises:
            UnsupportedHostError: this Python has none.
        """
        if self._browser is None:
            self._browser = current()
        return self._browser

    @property
    def options(self) -> RoomOptions:
        """The room's options."""
        return self._options

    @property
    def session(self) -> Session:
        """The connection.

        Raises:
            UnexpectedConnectionState: there is none.
        """
        if self._session is None:
            raise UnexpectedConnectionState("the room is not connected")
        return self._session

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to send on."""
        return self._session is not None and self._session.state is SessionState.CONNECTED

    async def wait_connected(self) -> None:
        """Wait for a connect that is under way."""
        if self._connecting is not None:
            with contextlib.suppress(LiveKitError):
                await asyncio.shield(self._connecting)
        if not self.is_connected:
            raise UnexpectedConnectionState("the room is not connected")

    def local_track_published(self, publication: LocalTrackPublication, track: LocalTrack) -> None:
        """We publish a track."""
        self._emit(ev.LocalTrackPublished(publication, track))

    def local_track_unpublished(self, publication: LocalTrackPublication) -> None:
        """We publish a track no more."""
        self._emit(ev.LocalTrackUnpublished(publication))

    def track_mute_changed(self, participant: Participant, publication: TrackPublication) -> None:
        """We muted or unmuted a track."""
        event = ev.TrackMuted if publication.muted else ev.TrackUnmuted
        self._emit(event(participant, publication))

    def media_devices_error(self, error: Exception, kind: str | None) -> None:
        """A device could not be used."""
        self._emit(ev.MediaDevicesError(error, kind))

    # -- from the session --

    def on_message(self, message: ServerMessage) -> None:
        """The server said something."""
        self._updates.on_message(message)

    def on_media(self, arrival: TrackArrival, owner: MediaOwner) -> None:
        """Media came."""
        self._updates.on_media(arrival, owner)

    def on_packet(self, packet: DataPacket) -> None:
        """A data packet came."""
        self._updates.on_packet(packet)

    def on_token(self, token: str) -> None:
        """The server gave us a newer token; the session keeps it."""
        self._emit(ev.TokenRefreshed())

    def on_closed(self, reason: DisconnectReason | int) -> None:
        """The connection ended."""
        if self._disconnecting is None:
            self._start_leaving(reason, stop_tracks=self._options.stop_local_track_on_unpublish)

    # -- from the page --

    def on_page_hide(self) -> None:
        """The page is being left; the goodbye has been said."""
        if self._options.disconnect_on_page_leave and self._session is not None and self._disconnecting is None:
            self._start_leaving(DisconnectReason.CLIENT_INITIATED, stop_tracks=True)

    def on_online(self, online: bool) -> None:
        """The network came or went."""
        _log.debug("the browser is %s", "online" if online else "offline")

    def on_device_change(self) -> None:
        """A device came or went."""
        self._emit(ev.MediaDevicesChanged())

    def __repr__(self) -> str:
        return f"<Room {self.name!r} {self._state.name.lower()}>"


def _connect_options(options: RoomConnectOptions | None) -> RoomConnectOptions | None:
    """The part of the options that is about joining."""
    if options is None:
        return None
    return RoomConnectOptions(
        auto_subscribe=options.auto_subscribe,
        websocket_timeout=options.websocket_timeout,
        peer_connection_timeout=options.peer_connection_timeout,
        max_retries=options.max_retries,
        rtc_config=options.rtc_config,
    )


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _reason_name(reason: DisconnectReason | int) -> str:
    return reason.name.lower() if isinstance(reason, DisconnectReason) else str(reason)
