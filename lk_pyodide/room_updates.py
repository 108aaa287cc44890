"""What the server says → participants, publications and tracks → events.

A noun is updated before its event is emitted, so that a handler finds what it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lk_pyodide import events as ev
from lk_pyodide.browser.api import TrackArrival
from lk_pyodide.core import messages as m
from lk_pyodide.core import roster
from lk_pyodide.core.subscription import ARRIVAL_PATIENCE, MediaOwner
from lk_pyodide.emitter import Event
from lk_pyodide.errors import LiveKitError, SubscribeDataTrackError
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.logging import get_logger
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.ports import PlaybackPort
from lk_pyodide.publication import RemoteTrackPublication
from lk_pyodide.room_context import RoomContext
from lk_pyodide.room_data import RoomData
from lk_pyodide.track import RemoteAudioTrack, RemoteTrack, RemoteVideoTrack
from lk_pyodide.types import (
    ConnectionQuality,
    ConnectionState,
    DataPacketKind,
    DisconnectReason,
    ParticipantState,
    StreamState,
    SubscribeDataTrackErrorReason,
    SubscriptionError,
)

if TYPE_CHECKING:
    from lk_pyodide.remote_data_tracks import RemoteDataTracks
    from lk_pyodide.viewing import Viewing

_log = get_logger("room")


@dataclass(slots=True)
class _Arrival:
    """Media that nobody is known to publish yet."""

    arrival: TrackArrival
    owner: MediaOwner
    timer: asyncio.TimerHandle


class RoomUpdates:
    """Keeps a room's nouns as the server describes them: the ``SessionHandler`` of a room.

    Args:
        room: what the nouns need, and who is told.
        playback: hears whether elements play.
        local: ourselves.
        remotes: the others by identity; filled here.
        auto_subscribe: whether we get every track unasked.
    """

    def __init__(
        self,
        room: RoomContext,
        playback: PlaybackPort,
        local: LocalParticipant,
        remotes: dict[str, RemoteParticipant],
        *,
        auto_subscribe: bool,
    ) -> None:
        self.info = m.Room()
        self.speakers: list[Participant] = []
        self._room = room
        self._playback = playback
        self._local = local
        self._remotes = remotes
        self._emit = room.emit
        self._auto_subscribe = auto_subscribe
        self._roster = roster.Roster()
        self._waiting: list[_Arrival] = []
        self._data = RoomData(room, local, self._speakers_listed)

    @cached_property
    def _data_tracks(self) -> RemoteDataTracks:
        from lk_pyodide.remote_data_tracks import RemoteDataTracks  # in most rooms there are none

        return RemoteDataTracks(self._room)

    @cached_property
    def _viewing(self) -> Viewing | None:
        settings = self._room.adaptive_stream
        if settings is None:
            return None
        from lk_pyodide.viewing import Viewing  # in most rooms streams are not adaptive

        return Viewing(self._room.browser, settings)

    # -- the beginning and the end --

    def joined(self, join: m.JoinResponse, others: Iterable[m.ParticipantInfo]) -> None:
        """Fill the room with who is there already; no events for that."""
        self.info = join.room or m.Room()
        if join.participant is not None:
            self._roster.set_local(join.participant)
            self._local._updated(join.participant)
        for change in self._roster.apply(others):
            self._apply(change, quiet=True)
        self._local._permissions.tell()

    def ended(self, error: LiveKitError) -> None:
        """Take every subscription down, and forget everyone, with no word of their leaving: it is we who left."""
        self._forget_arrivals()
        for participant in list(self._remotes.values()):
            for publication in list(participant._publications.values()):
                self._unsubscribe(publication, participant)
            participant.data_tracks._end(error)
        if "_data_tracks" in vars(self):  # somebody had some
            self._data_tracks.left()
        if (viewing := vars(self).get("_viewing")) is not None:
            viewing.close()
        self._remotes.clear()
        self.speakers = []

    def _forget_arrivals(self) -> None:
        for waiting in self._waiting:
            waiting.timer.cancel()
        self._waiting.clear()

    # -- another connection in place of a broken one, told in the order that livekit-client's README lists --

    def on_restarting(self) -> None:
        """The connection broke: everyone is gone for now, and nothing of ours is published."""
        self._forget_arrivals()
        for change in self._roster.clear():
            self._apply(change)
        if self.speakers:
            self._speakers_listed(())
        self._local._interrupted()
        self._room.set_state(ConnectionState.RECONNECTING)
        self._emit(ev.Reconnecting())

    async def on_rejoined(self, join: m.JoinResponse) -> None:
        """We are in again: what we had published is published again."""
        if join.participant is not None:
            self._roster.set_local(join.participant)
            self._local._updated(join.participant)
        self._local._permissions.tell()  # before anybody could get what he may not have
        await self._local._republish()

    def on_restarted(self, join: m.JoinResponse, others: list[m.ParticipantInfo]) -> None:
        """All is as before, or as it is now: everyone in the room is told as if he came."""
        self._room.set_state(ConnectionState.CONNECTED)
        self._emit(ev.Reconnected())
        if join.room is not None:
            self._room_changed(join.room)
        for change in self._roster.apply(others):
            self._apply(change)
        self._local._tell_republished()

    def on_closed(self, reason: DisconnectReason | int) -> None:
        """The connection ended, and we with it."""
        self._room.leave(reason, self._room.options.stop_local_track_on_unpublish)

    # -- messages --

    def on_message(self, message: m.ServerMessage) -> None:
        """Take what the server says."""
        match message:
            case m.ParticipantUpdate():
                for change in self._roster.apply(message.participants):
                    self._apply(change)
            case m.RoomUpdate(room) if room is not None:
                self._room_changed(room)
            case m.SpeakersChanged():
                self._speakers_changed(message.speakers)
            case m.ConnectionQualityUpdate():
                self._quality_changed(message)
            case m.StreamStateUpdate():
                self._stream_states_changed(message)
            case m.MuteTrackRequest():
                self._local._muted_by_server(message.sid, message.muted)
            case m.TrackUnpublishedResponse():
                self._local._unpublished_by_server(message.track_sid)
            case m.TrackSubscribed():
                self._local._publisher.subscribed(message.track_sid)
            case m.DataTrackSubscriberHandles():
                self._data_tracks.on_handles(message)
            case m.UnpublishDataTrackResponse(info) if info is not None:
                self._local._data_tracks.unpublished_by_server(info.pub_handle)
            case m.SubscriptionPermissionUpdate():
                self._permission_changed(message)
            case m.SubscribedQualityUpdate():
                self._local._publisher.limit(message)
            case m.SubscriptionResponse():
                self._subscription_failed(message)
            case m.RequestResponse() if message.reason != m.RequestReason.OK:
                reason = message.reason
                name = reason.name if isinstance(reason, m.RequestReason) else str(reason)
                self._local._refused(message.request_id, name, message.message)
            case _:
                _log.debug("nothing to do for %s", type(message).__name__)

    def on_packet(self, packet: m.DataPacket) -> None:
        """Take a data packet."""
        self._data.on_packet(packet)

    def on_buffer_status(self, kind: DataPacketKind, *, is_low: bool) -> None:
        """There is room again to send data, or little is left."""
        self._emit(ev.DCBufferStatusChanged(is_low, kind))

    def on_track_packet(self, data: bytes) -> None:
        """Take a packet of a data track."""
        self._data_tracks.on_packet(data)

    def on_token(self, token: str) -> None:
        """The server gave us a newer token; the session keeps it."""
        self._emit(ev.TokenRefreshed())

    # -- who is here --

    def _apply(self, change: roster.Change, *, quiet: bool = False) -> None:
        emit = _untold if quiet else self._emit
        match change:
            case roster.Joined(info):
                participant = RemoteParticipant(self._room, info)
                self._remotes[info.identity] = participant
                emit(ev.ParticipantConnected(participant))
            case roster.Left(info):
                self._left(info)
            case roster.Changed(old, new):
                participant = self._remotes[new.identity]
                participant._info = new
                self._tell_changes(participant, old, new)
            case roster.LocalChanged(old, new):
                self._local._updated(new)
                self._tell_changes(self._local, old, new)
            case roster.TrackAdded(identity, track):
                self._track_added(self._remotes[identity], track, emit)
            case roster.TrackChanged(identity, old_track, new_track):
                self._track_changed(self._remotes[identity], old_track, new_track)
            case roster.TrackRemoved(identity, track):
                self._track_removed(identity, track.sid)
            case roster.DataTrackAdded(identity, data_track):
                published = self._data_tracks.added(identity, data_track)
                self._remotes[identity].data_tracks._set(data_track.name, published)
                self._emit(ev.DataTrackPublished(published))
            case roster.DataTrackMoved(_, old_data_track, new_data_track):
                self._data_tracks.moved(old_data_track, new_data_track)
            case roster.DataTrackRemoved(identity, data_track):
                self._data_track_removed(identity, data_track)

    def _left(self, info: m.ParticipantInfo) -> None:
        participant = self._remotes.pop(info.identity, None)
        if participant is None:
            return
        participant._info = info
        gone = f"{info.identity} left the room"
        participant.data_tracks._end(SubscribeDataTrackError(gone, SubscribeDataTrackErrorReason.DISCONNECTED))
        self._local._rpc.participant_left(info.identity)
        self._room.streams.participant_left(info.identity, info.sid)
        if participant in self.speakers:
            self.speakers = [speaker for speaker in self.speakers if speaker is not participant]
            self._emit(ev.ActiveSpeakersChanged(list(self.speakers)))
        self._emit(ev.ParticipantDisconnected(participant))

    def _tell_changes(self, participant: Participant, old: m.ParticipantInfo, new: m.ParticipantInfo) -> None:
        if old.metadata != new.metadata:
            self._emit(ev.ParticipantMetadataChanged(participant, old.metadata, new.metadata))
        if old.name != new.name:
            self._emit(ev.ParticipantNameChanged(participant, old.name, new.name))
        if old.attributes != new.attributes:
            changed = {
                k: new.attributes.get(k, "")
                for k in {*old.attributes, *new.attributes}
                if old.attributes.get(k) != new.attributes.get(k)
            }
            self._emit(ev.ParticipantAttributesChanged(changed, participant))
        if old.permission != new.permission:
            self._emit(ev.ParticipantPermissionsChanged(participant, new.permission))
        if old.state != new.state and new.state == ParticipantState.ACTIVE:
            self._emit(ev.ParticipantActive(participant))

    # -- what they publish --

    def _track_added(self, participant: RemoteParticipant, info: m.TrackInfo, emit: Callable[[Event], None]) -> None:
        publication = RemoteTrackPublication(self._room, participant.sid, info, auto_subscribe=self._auto_subscribe)
        participant._publications[info.sid] = publication
        emit(ev.TrackPublished(publication, participant))
        self._match_waiting(participant, publication)

    def _track_changed(self, participant: RemoteParticipant, old: m.TrackInfo, new: m.TrackInfo) -> None:
        publication = participant._publications.get(new.sid)
        if publication is None:
            return
        publication._update(new)
        if old.muted != new.muted:
            event = ev.TrackMuted if new.muted else ev.TrackUnmuted
            self._emit(event(participant, publication))

    def _track_removed(self, identity: str, sid: str) -> None:
        participant = self._remotes.get(identity)
        publication = participant._publications.pop(sid, None) if participant is not None else None
        if participant is not None and publication is not None:
            self._unsubscribe(publication, participant)
            self._emit(ev.TrackUnpublished(publication, participant))

    def _data_track_removed(self, identity: str, info: m.DataTrackInfo) -> None:
        participant, track = self._remotes.get(identity), self._data_tracks.removed(info)
        if participant is not None and participant.data_tracks.get(info.name) is track:
            participant.data_tracks._remove(info.name)
        self._emit(ev.DataTrackUnpublished(info.sid))

    def _unsubscribe(self, publication: RemoteTrackPublication, participant: RemoteParticipant) -> None:
        track, publication._track = publication._track, None
        if track is None:
            return
        publication._shown = None
        self._emit(ev.TrackUnsubscribed(track, publication, participant))
        track._end()
        track._media.set_handler(None)

    # -- media --

    def on_media(self, arrival: TrackArrival, owner: MediaOwner) -> None:
        """Media came: find who publishes it, or wait until the server has said so."""
        found = self._find(owner, arrival)
        if found is not None:
            self._subscribe(*found, arrival)
            return
        timer = asyncio.get_running_loop().call_later(ARRIVAL_PATIENCE, self._give_up, arrival)
        self._waiting.append(_Arrival(arrival, owner, timer))

    def _find(
        self, owner: MediaOwner, arrival: TrackArrival
    ) -> tuple[RemoteParticipant, RemoteTrackPublication] | None:
        participant = self._remotes.get(self._roster.identity_of(owner.participant_sid) or "")
        if participant is None:
            return None
        if owner.track_sid:
            publication = participant._publications.get(owner.track_sid)
            return (participant, publication) if publication is not None else None
        kind = arrival.track.kind
        candidates = [p for p in participant._publications.values() if p.kind.name.lower() == kind and p.track is None]
        return (participant, candidates[0]) if len(candidates) == 1 else None

    def _match_waiting(self, participant: RemoteParticipant, publication: RemoteTrackPublication) -> None:
        for waiting in list(self._waiting):
            found = self._find(waiting.owner, waiting.arrival)
            if found == (participant, publication):
                waiting.timer.cancel()
                self._waiting.remove(waiting)
                self._subscribe(participant, publication, waiting.arrival)

    def _give_up(self, arrival: TrackArrival) -> None:
        for waiting in [w for w in self._waiting if w.arrival is arrival]:
            self._waiting.remove(waiting)
            participant = self._remotes.get(self._roster.identity_of(waiting.owner.participant_sid) or "")
            _log.warning("media came for %s, which nobody publishes", waiting.owner.track_sid or "an unnamed track")
            if participant is not None:
                self._emit(
                    ev.TrackSubscriptionFailed(participant, waiting.owner.track_sid, SubscriptionError.TRACK_NOT_FOUND)
                )

    def _subscribe(
        self, participant: RemoteParticipant, publication: RemoteTrackPublication, arrival: TrackArrival
    ) -> None:
        self._unsubscribe(publication, participant)
        kind = RemoteAudioTrack if arrival.track.kind == "audio" else RemoteVideoTrack
        track = kind(
            self._room.browser,
            arrival.track,
            arrival.receiver,
            publication.source,
            name=publication.name,
            sid=publication.sid,
            playback=self._playback,
        )
        track._set_muted(publication.muted)
        track._meter = self._room
        participant._set_up(track)
        arrival.track.set_handler(_RemoteMedia(self, participant, publication, track))
        publication._track = track
        if isinstance(track, RemoteVideoTrack) and self._viewing is not None:
            track._viewing = self._viewing.open(publication._set_shown)
        self._emit(ev.TrackSubscribed(track, publication, participant))
        publication._tell_status()

    def media_ended(
        self, participant: RemoteParticipant, publication: RemoteTrackPublication, track: RemoteTrack
    ) -> None:
        """The browser says that a remote track has ended: its transceiver was taken away."""
        if publication._track is track:
            self._unsubscribe(publication, participant)
            publication._tell_status()

    # -- the rest --

    def _room_changed(self, info: m.Room) -> None:
        old, self.info = self.info, info
        if old.metadata != info.metadata:
            self._emit(ev.RoomMetadataChanged(old.metadata, info.metadata))
        if old.active_recording != info.active_recording:
            self._emit(ev.RecordingStatusChanged(info.active_recording))
        self._emit(ev.RoomUpdated())

    def _participant(self, sid: str) -> Participant | None:
        if sid == self._local.sid:
            return self._local
        return self._remotes.get(self._roster.identity_of(sid) or "")

    def _speakers_changed(self, changes: Iterable[m.SpeakerInfo]) -> None:
        for info in changes:
            participant = self._participant(info.sid)
            if participant is not None:
                participant._set_speaking(info.level if info.active else 0.0, info.active)
                self.speakers = [s for s in self.speakers if s is not participant]
                if info.active:
                    self.speakers.append(participant)
        self._tell_speakers()

    def _speakers_listed(self, listed: Iterable[m.SpeakerInfo]) -> None:
        for speaker in self.speakers:
            speaker._set_speaking(0.0, False)
        self.speakers = []
        self._speakers_changed(listed)

    def _tell_speakers(self) -> None:
        self.speakers.sort(key=lambda speaker: -speaker.audio_level)
        self._emit(ev.ActiveSpeakersChanged(list(self.speakers)))

    def _quality_changed(self, message: m.ConnectionQualityUpdate) -> None:
        for update in message.updates:
            participant = self._participant(update.participant_sid)
            quality = update.quality
            if participant is not None and isinstance(quality, ConnectionQuality) and participant._quality != quality:
                participant._quality = quality
                self._emit(ev.ConnectionQualityChanged(participant, quality))

    def _stream_states_changed(self, message: m.StreamStateUpdate) -> None:
        for update in message.stream_states:
            participant = self._participant(update.participant_sid)
            if not isinstance(participant, RemoteParticipant):
                continue
            publication = participant._publications.get(update.track_sid)
            track = publication.track if publication is not None else None
            state = update.state if isinstance(update.state, StreamState) else StreamState.UNKNOWN
            if publication is not None and track is not None and track._stream_state != state:
                track._stream_state = state
                if isinstance(track, RemoteVideoTrack) and track._viewing is not None and state == StreamState.ACTIVE:
                    track._viewing.look()
                self._emit(ev.TrackStreamStateChanged(publication, state, participant))

    def _permission_changed(self, message: m.SubscriptionPermissionUpdate) -> None:
        participant = self._participant(message.participant_sid)
        if isinstance(participant, RemoteParticipant) and message.track_sid in participant._publications:
            participant._publications[message.track_sid]._set_allowed(message.allowed)

    def _subscription_failed(self, message: m.SubscriptionResponse) -> None:
        for participant in self._remotes.values():
            if message.track_sid in participant._publications:
                self._emit(ev.TrackSubscriptionFailed(participant, message.track_sid, message.err))
                return


def _untold(event: Event) -> None:
    """What was there before we came is no news."""


class _RemoteMedia:
    """Listens to the browser's side of a remote track."""

    def __init__(
        self,
        updates: RoomUpdates,
        participant: RemoteParticipant,
        publication: RemoteTrackPublication,
        track: RemoteTrack,
    ) -> None:
        self._updates = updates
        self._participant = participant
        self._publication = publication
        self._track = track

    def on_ended(self) -> None:
        self._updates.media_ended(self._participant, self._publication, self._track)

    def on_mute(self) -> None: ...

    def on_unmute(self) -> None: ...
