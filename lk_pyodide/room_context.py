"""A room from within: what its participants, its page and its elements ask of it, and users do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from lk_pyodide import events as ev
from lk_pyodide.browser.api import Browser
from lk_pyodide.browser.current import current
from lk_pyodide.browser.guard import check_volume
from lk_pyodide.core.messages import ParticipantInfo
from lk_pyodide.data_track import LocalDataTrack
from lk_pyodide.emitter import Event, EventStream
from lk_pyodide.errors import (
    ConnectError,
    LiveKitError,
    UnexpectedConnectionState,
    UsageError,
)
from lk_pyodide.incoming_streams import IncomingStreams
from lk_pyodide.local_capture import SOURCES
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.logging import get_logger
from lk_pyodide.options import AdaptiveStreamSettings, RoomOptions
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.publication import LocalTrackPublication, RemoteTrackPublication, TrackPublication
from lk_pyodide.token_source import TokenSource
from lk_pyodide.types import ChatMessage, ConnectErrorReason, ConnectionState, DisconnectReason, TokenSourceResponse

if TYPE_CHECKING:
    from lk_pyodide.bitrates import Bitrates
    from lk_pyodide.device_watch import DeviceWatch
    from lk_pyodide.session.session import Session
    from lk_pyodide.track import Track

_log = get_logger("room")


class RoomContext:
    """What the parts of a room share: the ``RoomPort`` of its nouns, the ``PageHandler`` of its page.

    Args:
        options: the room's options.
        browser: the page; found out when it is first needed.
        emit: tells an event.
        set_state: changes the room's state.
        leave: starts to leave the room, unless that is under way: why, and whether to end our tracks.
        mimebundle: what a notebook displays of a participant.
        listen: gives the events that come, of some classes.
    """

    def __init__(
        self,
        options: RoomOptions,
        browser: Browser | None,
        emit: Callable[[Event], None],
        set_state: Callable[[ConnectionState], None],
        leave: Callable[[DisconnectReason | int, bool], None],
        mimebundle: Callable[[Participant | None], dict[str, str]],
        listen: Callable[[type[Event], type[Event]], EventStream[Event]],
    ) -> None:
        self.options = options
        self.adaptive_stream = _adaptive_stream(options)
        self.emit = emit
        self.set_state = set_state
        self.leave = leave
        self.mimebundle = mimebundle
        self._listen = listen
        self.remotes: dict[str, RemoteParticipant] = {}
        self.streams = IncomingStreams(options.data_stream.max_payload_byte_length if options.data_stream else None)
        self.connecting: asyncio.Task[None] | None = None
        self.connection: Session | None = None
        self.token_source: TokenSource | None = None
        self.active_devices = _first_devices(options)
        self.device_watch: DeviceWatch | None = None
        self._browser = browser

    # -- for the room --

    @contextlib.asynccontextmanager
    async def credentials(self) -> AsyncIterator[TokenSourceResponse]:
        """Ask where to join, and with which token. A token with which joining is then refused is not given again.

        Raises:
            TokenSourceError: the token source does not say.
            UnexpectedConnectionState: nobody has called ``connect()``.
        """
        source = self._require_source()
        response = await source.fetch()
        try:
            yield response
        except ConnectError as error:
            if error.reason is ConnectErrorReason.NOT_ALLOWED:
                source._forget()
            raise

    async def renewed_credentials(self) -> TokenSourceResponse:
        """Ask again, after a token has been refused.

        Raises:
            TokenSourceError: the token source does not say.
            UnexpectedConnectionState: nobody has called ``connect()``.
        """
        source = self._require_source()
        source._forget()
        return await source.fetch()

    def _require_source(self) -> TokenSource:
        if self.token_source is None:
            raise UnexpectedConnectionState("the room was never connected")
        return self.token_source

    def end_measuring(self) -> None:
        """Nobody asks how much tracks take any more."""
        if "_bitrates" in vars(self):  # somebody did
            self._bitrates.close()

    @cached_property
    def _bitrates(self) -> Bitrates:
        from lk_pyodide.bitrates import Bitrates  # in most rooms nobody asks

        return Bitrates()

    # -- for the nouns --

    def current_bitrate(self, track: Track) -> int:
        """How much a track takes, in bits a second."""
        return self._bitrates.current(track)

    def check_volume(self, volume: float) -> None:
        """Refuse what nothing can be played at.

        Raises:
            UsageError: it is below 0; or above 1, which only a mix can do.
        """
        if not (self.options.web_audio_mix and 1 <= volume < inf):
            check_volume(volume)

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
    def session(self) -> Session:
        """The connection, for those who cannot do without.

        Raises:
            UnexpectedConnectionState: there is none.
        """
        if self.connection is None:
            raise UnexpectedConnectionState("the room is not connected")
        return self.connection

    @property
    def server_version(self) -> str:
        """The server's version; empty while there is no connection."""
        if self.connection is None:
            return ""
        join = self.connection.join
        return (join.server_info.version if join.server_info else "") or join.server_version

    def recipients(self, identities: Sequence[str], /) -> Sequence[ParticipantInfo | None]:
        """Who gets something sent to these, None for somebody who is not here; to nobody named is to all others."""
        if not identities:
            return [participant._info for participant in self.remotes.values()]
        found = map(self.remotes.get, identities)
        return [participant._info if participant is not None else None for participant in found]

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to send on."""
        return self.connection is not None and self.connection.is_up

    async def active_agent(self) -> Participant:
        """Wait until an agent is there whose media is connected.

        Raises:
            RoomDisconnectedError: the room ended first.
        """
        with contextlib.closing(self._listen(ev.ParticipantConnected, ev.ParticipantActive)) as stream:
            while True:
                agents = (remote for remote in self.remotes.values() if remote.is_agent and remote.is_active)
                if (agent := next(agents, None)) is not None:
                    return agent
                await anext(stream)

    async def wait_connected(self) -> None:
        """Wait for a connect that is under way, or for the connection to be back.

        Raises:
            UnexpectedConnectionState: there is none, or it failed.
        """
        if self.connecting is not None:
            with contextlib.suppress(LiveKitError):
                await asyncio.shield(self.connecting)
        await self.session.wait_connected()

    def local_track_published(self, publication: LocalTrackPublication, track: LocalTrack) -> None:
        """We publish a track."""
        self.emit(ev.LocalTrackPublished(publication, track))
        self.local_track_reopened(track)

    def local_track_republished(self, publication: LocalTrackPublication, track: LocalTrack, previous_sid: str) -> None:
        """We publish a track again."""
        self.emit(ev.LocalTrackPublished(publication, track))
        self.emit(ev.LocalTrackRepublished(publication, previous_sid))

    def local_track_cpu_constrained(self, publication: LocalTrackPublication) -> None:
        """This machine is too slow for a video of ours."""
        self.emit(ev.LocalTrackCpuConstrained(publication.track, publication))

    def local_track_subscribed(self, track: LocalTrack) -> None:
        """Somebody gets a track of ours."""
        self.emit(ev.LocalTrackSubscribed(track))

    def local_audio_silence_detected(self, publication: LocalTrackPublication) -> None:
        """A microphone of ours gives nothing."""
        self.emit(ev.LocalAudioSilenceDetected(publication))

    def speaking_while_muted(self, publication: LocalTrackPublication) -> None:
        """We speak, and nobody hears it."""
        self.emit(ev.SpeakingWhileMuted(publication))

    def local_track_unpublished(self, publication: LocalTrackPublication) -> None:
        """We publish a track no more."""
        self.emit(ev.LocalTrackUnpublished(publication))

    def local_data_track_published(self, track: LocalDataTrack) -> None:
        """We publish a data track."""
        self.emit(ev.LocalDataTrackPublished(track))

    def local_data_track_unpublished(self, sid: str) -> None:
        """We publish a data track no more."""
        self.emit(ev.LocalDataTrackUnpublished(sid))

    def subscription_status_changed(self, publication: RemoteTrackPublication) -> None:
        """A subscription of ours has come further, or ended."""
        if (participant := self._publisher_of(publication)) is not None:
            self.emit(ev.TrackSubscriptionStatusChanged(publication, publication.subscription_status, participant))

    def permission_status_changed(self, publication: RemoteTrackPublication) -> None:
        """Somebody lets us have a track, or no more."""
        if (participant := self._publisher_of(publication)) is not None:
            self.emit(ev.TrackSubscriptionPermissionChanged(publication, publication.permission_status, participant))

    def _publisher_of(self, publication: RemoteTrackPublication) -> RemoteParticipant | None:
        everybody = self.remotes.values()
        return next((who for who in everybody if who.track_publications.get(publication.sid) is publication), None)

    def track_mute_changed(self, participant: Participant, publication: TrackPublication) -> None:
        """We muted or unmuted a track."""
        event = ev.TrackMuted if publication.muted else ev.TrackUnmuted
        self.emit(event(participant, publication))

    def chat_message_sent(self, participant: Participant, message: ChatMessage) -> None:
        """We sent a chat message."""
        self.emit(ev.ChatMessageReceived(message, participant))

    def media_devices_error(self, error: Exception, kind: str | None) -> None:
        """A device could not be used."""
        self.emit(ev.MediaDevicesError(error, kind))

    def local_track_reopened(self, track: LocalTrack) -> None:
        """The device of a published track was opened, perhaps another one."""
        for kind, source in SOURCES.items():
            if track.source == source and track.device_id:
                self.device_changed(kind, track.device_id)
                if self.device_watch is not None:
                    self.device_watch.look()

    def device_changed(self, kind: str, device_id: str) -> None:
        """A device is in use now."""
        if self.active_devices[kind] != device_id:
            self.active_devices[kind] = device_id
            self.emit(ev.ActiveDeviceChanged(kind, device_id))

    # -- from the page --

    def on_page_hide(self) -> None:
        """The page is being left; the goodbye has been said."""
        if self.options.disconnect_on_page_leave:
            self.leave(DisconnectReason.CLIENT_INITIATED, True)

    def on_online(self, online: bool) -> None:
        """The network came or went."""
        _log.debug("the browser is %s", "online" if online else "offline")

    def on_device_change(self) -> None:
        """A device came or went."""
        self.emit(ev.MediaDevicesChanged())
        if self.device_watch is not None:
            self.device_watch.changed()


def _adaptive_stream(options: RoomOptions) -> AdaptiveStreamSettings | None:
    """How streams are adaptive; None where they are not."""
    if not isinstance(options.adaptive_stream, AdaptiveStreamSettings):
        return AdaptiveStreamSettings() if options.adaptive_stream else None
    density = options.adaptive_stream.pixel_density
    if not _is_density(density):
        raise UsageError(f"a pixel density is a number above 0, or 'screen', not {density!r}")
    return options.adaptive_stream


def _is_density(value: object) -> bool:
    return value in (None, "screen") or (isinstance(value, int | float) and value > 0)


def _first_devices(options: RoomOptions) -> dict[str, str]:
    """The devices that are in use before any is known, by kind."""
    video, audio = options.video_capture_defaults, options.audio_capture_defaults
    return {
        "videoinput": (video and video.device_id) or "default",
        "audioinput": (audio and audio.device_id) or "default",
        "audiooutput": options.audio_output or "default",
    }
