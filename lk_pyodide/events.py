"""One dataclass per event of a room.

The fields are the arguments of a handler registered by name, in ``livekit.rtc``'s order where it has the event, else in
livekit-client's. The name of the event is the class name in snake_case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from lk_pyodide.core.packets import MetricsBatch
from lk_pyodide.data_events import (
    ChatMessageReceived,
    DataPacket,
    DataReceived,
    DataTrackPublished,
    DataTrackUnpublished,
    DCBufferStatusChanged,
    LocalDataTrackPublished,
    LocalDataTrackUnpublished,
    MetricsReceived,
    SipDTMF,
    SipDTMFReceived,
    TranscriptionReceived,
)
from lk_pyodide.emitter import Event
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.publication import LocalTrackPublication, RemoteTrackPublication, TrackPublication
from lk_pyodide.room_event import RoomEvent
from lk_pyodide.track import RemoteTrack
from lk_pyodide.types import (
    ConnectionQuality,
    ConnectionState,
    DisconnectReason,
    ParticipantPermission,
    PermissionStatus,
    StreamState,
    SubscriptionError,
    SubscriptionStatus,
)


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """We are in the room."""


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """We are not in the room any more."""

    reason: DisconnectReason | int


@dataclass(frozen=True, slots=True)
class Reconnecting(Event):
    """The connection broke and is being made anew."""


@dataclass(frozen=True, slots=True)
class SignalReconnecting(Event):
    """Signalling broke and is being resumed; media goes on."""


@dataclass(frozen=True, slots=True)
class Reconnected(Event):
    """The connection is back."""


@dataclass(frozen=True, slots=True)
class ConnectionStateChanged(Event):
    """``room.state`` is new."""

    state: ConnectionState


@dataclass(frozen=True, slots=True)
class ParticipantConnected(Event):
    """Someone came."""

    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class ParticipantDisconnected(Event):
    """Someone left; ``participant.disconnect_reason`` tells why."""

    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class ParticipantActive(Event):
    """Someone's media connected."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class TrackPublished(Event):
    """Someone publishes a track."""

    publication: RemoteTrackPublication
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackUnpublished(Event):
    """Someone publishes a track no more."""

    publication: RemoteTrackPublication
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackSubscribed(Event):
    """Someone's media is here."""

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackUnsubscribed(Event):
    """Someone's media is gone; after the handlers, its elements are detached."""

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackSubscriptionFailed(Event):
    """The server cannot give us a track, or its media came without a word of whose it is."""

    participant: RemoteParticipant
    track_sid: str
    error: SubscriptionError | int


@dataclass(frozen=True, slots=True)
class TrackSubscriptionStatusChanged(Event):
    """A subscription has come further, or ended; after ``track_subscribed`` and ``track_unsubscribed``."""

    publication: RemoteTrackPublication
    status: SubscriptionStatus
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackSubscriptionPermissionChanged(Event):
    """Someone lets us have a track, or no more."""

    publication: RemoteTrackPublication
    status: PermissionStatus
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class TrackMuted(Event):
    """Someone, or we ourselves, muted a track."""

    participant: Participant
    publication: TrackPublication


@dataclass(frozen=True, slots=True)
class TrackUnmuted(Event):
    """Someone, or we ourselves, unmuted a track."""

    participant: Participant
    publication: TrackPublication


@dataclass(frozen=True, slots=True)
class LocalTrackPublished(Event):
    """We publish a track."""

    publication: LocalTrackPublication
    track: LocalTrack


@dataclass(frozen=True, slots=True)
class LocalTrackRepublished(Event):
    """We publish the same publication again after a reconnect, under a new sid."""

    publication: LocalTrackPublication
    previous_sid: str


@dataclass(frozen=True, slots=True)
class LocalTrackUnpublished(Event):
    """We publish a track no more."""

    publication: LocalTrackPublication


@dataclass(frozen=True, slots=True)
class LocalTrackCpuConstrained(Event):
    """This machine is too slow for a video of ours; see :meth:`LocalVideoTrack.prioritize_performance`."""

    track: LocalTrack
    publication: LocalTrackPublication


@dataclass(frozen=True, slots=True)
class LocalTrackSubscribed(Event):
    """Someone subscribed to a track of ours for the first time."""

    track: LocalTrack


@dataclass(frozen=True, slots=True)
class LocalAudioSilenceDetected(Event):
    """Nothing at all comes from a microphone that we publish: it is switched off somewhere, or the wrong one."""

    publication: LocalTrackPublication


@dataclass(frozen=True, slots=True)
class SpeakingWhileMuted(Event):
    """We speak into a microphone that is muted; told where ``RoomOptions.speaking_while_muted`` asks for it."""

    publication: LocalTrackPublication


@dataclass(frozen=True, slots=True)
class ParticipantMetadataChanged(Event):
    """Someone's metadata is new."""

    participant: Participant
    old_metadata: str
    new_metadata: str


@dataclass(frozen=True, slots=True)
class ParticipantNameChanged(Event):
    """Someone's name is new."""

    participant: Participant
    old_name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class ParticipantAttributesChanged(Event):
    """Some of someone's attributes are new; one that is gone has the value ``""`` here."""

    changed_attributes: Mapping[str, str]
    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantPermissionsChanged(Event):
    """What someone may do is new."""

    participant: Participant
    permissions: ParticipantPermission | None


@dataclass(frozen=True, slots=True)
class ActiveSpeakersChanged(Event):
    """Who speaks, the loudest first."""

    speakers: list[Participant]


@dataclass(frozen=True, slots=True)
class ConnectionQualityChanged(Event):
    """The server's estimate of someone's connection is new."""

    participant: Participant
    quality: ConnectionQuality


@dataclass(frozen=True, slots=True)
class TrackStreamStateChanged(Event):
    """The server paused a track, or goes on with it."""

    publication: RemoteTrackPublication
    state: StreamState
    participant: RemoteParticipant


@dataclass(frozen=True, slots=True)
class RoomMetadataChanged(Event):
    """The room's metadata is new."""

    old_metadata: str
    new_metadata: str


@dataclass(frozen=True, slots=True)
class RecordingStatusChanged(Event):
    """The room is being recorded, or no more."""

    recording: bool


@dataclass(frozen=True, slots=True)
class RoomUpdated(Event):
    """Something about the room is new: its numbers, metadata or recording."""


@dataclass(frozen=True, slots=True)
class TokenRefreshed(Event):
    """The server gave us a newer token."""


@dataclass(frozen=True, slots=True)
class MediaDevicesError(Event):
    """A camera, microphone or screen could not be used.

    ``kind`` is ``videoinput`` or ``audioinput``; None for a screen, or for both together.
    """

    error: Exception
    kind: str | None


@dataclass(frozen=True, slots=True)
class MediaDevicesChanged(Event):
    """A device came or went."""


@dataclass(frozen=True, slots=True)
class ActiveDeviceChanged(Event):
    """Another camera, microphone or speaker is in use; ``kind`` is as :class:`DeviceInfo` has it."""

    kind: str
    device_id: str


@dataclass(frozen=True, slots=True)
class AudioPlaybackChanged(Event):
    """Whether sound may play; when not, call ``room.start_audio()`` from a click."""

    playing: bool


@dataclass(frozen=True, slots=True)
class VideoPlaybackChanged(Event):
    """Whether pictures may play; when not, call ``room.start_video()`` from a click."""

    playing: bool


EventName: TypeAlias = Literal[
    "active_device_changed",
    "active_speakers_changed",
    "audio_playback_changed",
    "chat_message",
    "connected",
    "connection_quality_changed",
    "connection_state_changed",
    "data_received",
    "data_track_published",
    "data_track_unpublished",
    "dc_buffer_status_changed",
    "disconnected",
    "local_audio_silence_detected",
    "local_data_track_published",
    "local_data_track_unpublished",
    "local_track_cpu_constrained",
    "local_track_published",
    "local_track_republished",
    "local_track_subscribed",
    "local_track_unpublished",
    "media_devices_changed",
    "media_devices_error",
    "metrics_received",
    "participant_active",
    "participant_attributes_changed",
    "participant_connected",
    "participant_disconnected",
    "participant_metadata_changed",
    "participant_name_changed",
    "participant_permissions_changed",
    "reconnected",
    "reconnecting",
    "recording_status_changed",
    "room_metadata_changed",
    "room_updated",
    "signal_reconnecting",
    "sip_dtmf_received",
    "speaking_while_muted",
    "token_refreshed",
    "track_muted",
    "track_published",
    "track_stream_state_changed",
    "track_subscribed",
    "track_subscription_failed",
    "track_subscription_permission_changed",
    "track_subscription_status_changed",
    "track_unmuted",
    "track_unpublished",
    "track_unsubscribed",
    "transcription_received",
    "video_playback_changed",
]

ROOM_EVENTS: Final[Mapping[str, type[Event]]] = {
    event.event_name: event
    for event in list(globals().values())
    if isinstance(event, type) and issubclass(event, Event) and event is not Event
}
"""Every event of a room, by name."""


__all__ = [
    "ActiveDeviceChanged",
    "ActiveSpeakersChanged",
    "AudioPlaybackChanged",
    "ChatMessageReceived",
    "Connected",
    "ConnectionQualityChanged",
    "ConnectionStateChanged",
    "DCBufferStatusChanged",
    "DataPacket",
    "DataReceived",
    "DataTrackPublished",
    "DataTrackUnpublished",
    "Disconnected",
    "EventName",
    "LocalAudioSilenceDetected",
    "LocalDataTrackPublished",
    "LocalDataTrackUnpublished",
    "LocalTrackCpuConstrained",
    "LocalTrackPublished",
    "LocalTrackRepublished",
    "LocalTrackSubscribed",
    "LocalTrackUnpublished",
    "MediaDevicesChanged",
    "MediaDevicesError",
    "MetricsBatch",
    "MetricsReceived",
    "ParticipantActive",
    "ParticipantAttributesChanged",
    "ParticipantConnected",
    "ParticipantDisconnected",
    "ParticipantMetadataChanged",
    "ParticipantNameChanged",
    "ParticipantPermissionsChanged",
    "Reconnected",
    "Reconnecting",
    "RecordingStatusChanged",
    "RoomEvent",
    "RoomMetadataChanged",
    "RoomUpdated",
    "SignalReconnecting",
    "SipDTMF",
    "SipDTMFReceived",
    "SpeakingWhileMuted",
    "TokenRefreshed",
    "TrackMuted",
    "TrackPublished",
    "TrackStreamStateChanged",
    "TrackSubscribed",
    "TrackSubscriptionFailed",
    "TrackSubscriptionPermissionChanged",
    "TrackSubscriptionStatusChanged",
    "TrackUnmuted",
    "TrackUnpublished",
    "TrackUnsubscribed",
    "TranscriptionReceived",
    "VideoPlaybackChanged",
]

assert set(get_args(EventName)) == set(ROOM_EVENTS), "the names for type checkers are those of the classes"
