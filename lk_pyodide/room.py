"""The room: connect, take part, leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from importlib import import_module
from types import MappingProxyType, TracebackType
from typing import Literal, Self, overload

from lk_pyodide import devices
from lk_pyodide import events as ev
from lk_pyodide.browser.api import Browser, Subscription
from lk_pyodide.core import urls, wire
from lk_pyodide.core.messages import ParticipantInfo
from lk_pyodide.emitter import EventSource
from lk_pyodide.errors import ConnectError, LiveKitError, RoomDisconnectedError, UsageError
from lk_pyodide.events import EventName
from lk_pyodide.incoming_streams import ByteStreamHandler, TextStreamHandler
from lk_pyodide.jupyter import Gallery
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.logging import get_logger
from lk_pyodide.options import CONNECT_DEFAULTS, RoomConnectOptions, RoomOptions, merged
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.playback import Playback
from lk_pyodide.room_context import RoomContext
from lk_pyodide.room_updates import RoomUpdates
from lk_pyodide.token_source import TokenSource
from lk_pyodide.types import (
    ConnectErrorReason,
    ConnectionState,
    DeviceInfo,
    DevicePermission,
    DisconnectReason,
    ServerInfo,
)

__all__ = ["Room"]

_log = get_logger("room")


class Room(EventSource[EventName]):
    """A room, and our place in it.

    Args:
        options: how to take part; read once, here.
        browser: the page; found out when it is first needed. Tests give a fake.

    Raises:
        UsageError: the options ask for what cannot be.
    """

    def __init__(self, options: RoomOptions | None = None, *, browser: Browser | None = None) -> None:
        super().__init__(ev.ROOM_EVENTS)
        self._context = RoomContext(
            merged(options, RoomOptions()),
            browser,
            self._emit,
            self._set_state,
            self._start_leaving,
            self._mimebundle,
            self.events,
        )
        self._state = ConnectionState.DISCONNECTED
        self._waiting = 0
        self._disconnecting: asyncio.Task[None] | None = None
        self._page: Subscription | None = None
        self._local = LocalParticipant(self._context, ParticipantInfo())
        self._remotes = self._context.remotes
        self._playback = Playback(self._context)
        self._updates = self._new_updates(auto_subscribe=True)
        self._galleries: dict[str | None, Gallery] = {}

    def _new_updates(self, *, auto_subscribe: bool) -> RoomUpdates:
        return RoomUpdates(self._context, self._playback, self._local, self._remotes, auto_subscribe=auto_subscribe)

    # -- what there is to see --

    @property
    def options(self) -> RoomOptions:
        """The room's options."""
        return self._context.options

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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Show everybody's pictures, as they come and go, when the room is the value of a notebook's cell."""
        return self._mimebundle(None)

    def _mimebundle(self, only: Participant | None) -> dict[str, str]:
        key = None if only is None else only.identity
        if key not in self._galleries:
            self._galleries[key] = Gallery(self, self._local, self._remotes, only)
        return self._galleries[key].mimebundle()

    @property
    def server_info(self) -> ServerInfo | None:
        """Which server the room is on; None before we were connected."""
        session = self._context.connection
        if session is None:
            return None
        join = session.join
        return join.server_info or ServerInfo(version=join.server_version, region=join.server_region)

    @property
    def signal_rtt(self) -> float:
        """Round trip to the server over signalling, in seconds; 0 until known."""
        session = self._context.connection
        return session.rtt if session is not None else 0.0

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

    @staticmethod
    async def get_permission_state(name: Literal["camera", "microphone"]) -> DevicePermission:
        """Whether the page may open a camera or a microphone; see :func:`lk_pyodide.devices.get_permission_state`."""
        return await devices.get_permission_state(name)

    def get_active_device(self, kind: str) -> str | None:
        """The id of the ``videoinput``, ``audioinput`` or ``audiooutput`` in use; ``default`` before one is known."""
        return self._context.active_devices.get(kind)

    async def switch_active_device(self, kind: str, device_id: str, *, exact: bool = True) -> bool:
        """Use another camera, microphone or speaker, for what is published and played now and for what comes later.

        When that fails everything stays as it was.

        Args:
            kind: ``videoinput``, ``audioinput`` or ``audiooutput``.
            device_id: which, as :class:`DeviceInfo` has it.
            exact: whether another camera or microphone must not be taken in its place.

        Returns:
            Whether it is this device now, or will be when the camera is turned on again.

        Raises:
            MediaDeviceError: the device is not there, or cannot be used.
            DeviceUnsupportedError: the browser gives no choice of speakers.
            UsageError: there is no such kind.
        """
        match kind:
            case "videoinput" | "audioinput":
                return await self._local._switch_device(kind, device_id, exact=exact)
            case "audiooutput":
                await self._playback.switch_speaker(device_id)
                return True
            case _:
                raise UsageError(f"a device is a videoinput, an audioinput or an audiooutput, not {kind!r}")

    # -- streams that others send --

    def register_text_stream_handler(self, topic: str, handler: TextStreamHandler) -> None:
        """Take the text streams of a topic, from whomever.

        Args:
            topic: what they are about.
            handler: called when one begins, with a :class:`TextStreamReader` and the sender's identity; it may be
                ``async``.

        Raises:
            DataStreamError: the topic has a handler already.
        """
        self._context.streams.texts.register(topic, handler)

    def unregister_text_stream_handler(self, topic: str) -> None:
        """Take no more text streams of a topic; nothing happens if it has no handler."""
        self._context.streams.texts.unregister(topic)

    def register_byte_stream_handler(self, topic: str, handler: ByteStreamHandler) -> None:
        """Take the byte streams of a topic, files among them; otherwise as :meth:`register_text_stream_handler`."""
        self._context.streams.bytes.register(topic, handler)

    def unregister_byte_stream_handler(self, topic: str) -> None:
        """Take no more byte streams of a topic; nothing happens if it has no handler."""
        self._context.streams.bytes.unregister(topic)

    # -- connecting --

    @overload
    async def prepare_connection(self, url: str, token: str | None = None) -> None: ...
    @overload
    async def prepare_connection(self, url: TokenSource, /) -> None: ...
    async def prepare_connection(self, url: str | TokenSource, token: str | None = None) -> None:
        """Warm up the way to the server, and load what connecting needs, as early as the page is loaded.

        Never raises for what the network does: connecting will tell.

        Args:
            url: the server's address; or a token source, which is then asked, and may keep its answer for connecting.
            token: not needed for servers of one's own.

        Raises:
            UsageError: the address is none.
            UnsupportedHostError: as :meth:`connect`.
        """
        if isinstance(url, str):
            urls.ServerUrl.parse(url)  # what the network has no part in is told
        wire.load()
        import_module("lk_pyodide.session.session")  # before it is needed, as the messages
        from lk_pyodide.session.schemes import network_for

        await self._context.browser.ready()
        try:
            server = urls.ServerUrl.parse(url if isinstance(url, str) else (await url.fetch()).server_url)
            await network_for(self._context.browser, server).fetch(server.http, method="HEAD")
        except LiveKitError as error:
            _log.debug("could not warm up the connection: %s", error)

    @overload
    async def connect(self, url: str, token: str, options: RoomConnectOptions | None = None) -> None: ...
    @overload
    async def connect(self, url: TokenSource, options: RoomConnectOptions | None = None, /) -> None: ...
    @overload
    async def connect(self, url: TokenSource, /, *, options: RoomConnectOptions | None = None) -> None: ...
    async def connect(
        self,
        url: str | TokenSource,
        token: str | RoomConnectOptions | None = None,
        options: RoomConnectOptions | None = None,
    ) -> None:
        """Join the room that the token names.

        A second call while one is under way waits for the first; one while connected does nothing.

        Args:
            url: the server's address, ``wss://…``; or a token source that knows it and the token.
            token: who we are and what we may. With a token source there is none, and ``options`` may stand here.
            options: how to join.

        Raises:
            ConnectError: why not, in ``reason``; nothing is left behind then. It is a ``TokenSourceError`` when the
                token source gave nothing to join with.
            UsageError: the address is none, or this page may not use it.
            UnsupportedHostError: this Python has no browser, or cannot reach its page; it says what is missing.
        """
        source, how = _way_in(url, token, options)
        if self._disconnecting is not None:
            await asyncio.shield(self._disconnecting)
        if self._context.connecting is None:
            if self.isconnected():
                _log.info("connect() while connected does nothing")
                return
            self._context.token_source = source
            self._context.connecting = asyncio.get_running_loop().create_task(self._connect(how))
            self._waiting = 0
        task = self._context.connecting
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

    async def _connect(self, options: RoomConnectOptions | None) -> None:
        context = self._context
        wanted = merged(_connect_options(options), _connect_options(context.options), CONNECT_DEFAULTS)
        single = options.single_peer_connection if isinstance(options, RoomOptions) else True
        updates = self._new_updates(auto_subscribe=wanted.auto_subscribe is not False)
        # A page that only shows a form does not pay for these.
        from lk_pyodide.device_watch import DeviceWatch
        from lk_pyodide.session.session import Session

        try:
            session = Session(
                context.browser,
                updates,
                wanted,
                adaptive_stream=context.adaptive_stream is not None,
                single_peer_connection=context.options.single_peer_connection and single,
                last_words=context.options.disconnect_on_page_leave,
                renew=context.renewed_credentials,
            )
            self._set_state(ConnectionState.CONNECTING)
            await context.browser.ready()
            async with context.credentials() as (url, token):
                others = await session.connect(url, token)
        except BaseException:
            context.connecting = None
            self._set_state(ConnectionState.DISCONNECTED)
            raise
        context.connection = session
        context.connecting = None
        self._updates = updates
        updates.joined(session.join, others)
        context.device_watch = DeviceWatch(context, self._playback, self._local)
        self._page = context.browser.watch_page(context)
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
        connecting = self._context.connecting
        if connecting is not None:
            connecting.cancel()
            await asyncio.wait([connecting])
        self._start_leaving(reason, stop_tracks)
        if self._disconnecting is not None:
            await asyncio.shield(self._disconnecting)

    def _start_leaving(self, reason: DisconnectReason | int, stop_tracks: bool) -> None:
        if self._context.connection is not None and self._disconnecting is None:
            self._disconnecting = asyncio.get_running_loop().create_task(self._leave(reason, stop_tracks))

    async def _leave(self, reason: DisconnectReason | int, stop_tracks: bool) -> None:
        session, self._context.connection = self._context.connection, None
        error = RoomDisconnectedError(f"the room was disconnected ({_reason_name(reason)})", reason)
        try:
            if session is not None:
                await session.close()
            await self._local._left(error, stop_tracks=stop_tracks)
            if (watch := self._context.device_watch) is not None:
                await watch.close()
        finally:
            if self._page is not None:
                self._page.close()
                self._page = None
            self._context.streams.left(error)
            self._updates.ended(error)
            self._playback.ended()
            self._context.end_measuring()
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
        return self._playback.allows("audio")

    @property
    def can_playback_video(self) -> bool:
        """Whether pictures may play; when not, call :meth:`start_video` from a click."""
        return self._playback.allows("video")

    def start_audio(self) -> Awaitable[None]:
        """Play all sound. Call it from a click: it acts at the call.

        Raises:
            PlaybackError: the browser still refuses.
        """
        return self._playback.start("audio")

    def start_video(self) -> Awaitable[None]:
        """Play all pictures; otherwise as :meth:`start_audio`."""
        return self._playback.start("video")

    def __repr__(self) -> str:
        return f"<Room {self.name!r} {self._state.name.lower()}>"


def _way_in(
    url: object, token: object, options: RoomConnectOptions | None
) -> tuple[TokenSource, RoomConnectOptions | None]:
    """The two ways to call ``connect()`` as one."""
    match url, token:
        case str(), str():
            return TokenSource.literal(url, token), options
        case TokenSource(), RoomConnectOptions() | None:
            return url, token or options
        case _:
            raise UsageError("connect() takes a server's address and a token, or a token source alone")


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
