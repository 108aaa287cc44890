"""What the wire says, as frozen dataclasses.

Each class has the name and the field names of a protobuf message in LiveKit's ``livekit_rtc.proto`` and
``livekit_models.proto``; a field that is not declared here is not read. Enum fields hold our enums
(:mod:`lk_pyodide.types`) or, for a value that this version does not know, the wire's integer.
:mod:`lk_pyodide.core.wire` turns them into bytes and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NewType, TypeAlias

from lk_pyodide.core.models import (
    AudioTrackFeature,
    Capability,
    ClientConfigSetting,
    ClientConfiguration,
    ClientInfo,
    Codec,
    DataTrackInfo,
    ParticipantInfo,
    Room,
    SimulcastCodecInfo,
    SpeakerInfo,
    TrackInfo,
    VideoLayer,
)
from lk_pyodide.core.packets import (
    ActiveSpeakerUpdate,
    ChatMessage,
    DataPacket,
    EventMetric,
    MetricSample,
    MetricsBatch,
    PacketValue,
    RpcAck,
    RpcError,
    RpcRequest,
    RpcResponse,
    SipDTMF,
    TimeSeriesMetric,
    Transcription,
    TranscriptionSegment,
    UserPacket,
)
from lk_pyodide.types import (
    BackupCodecPolicy,
    ConnectionQuality,
    DisconnectReason,
    EncryptionType,
    ServerInfo,
    StreamState,
    SubscriptionError,
    TrackKind,
    TrackSource,
    VideoQuality,
)

__all__ = [  # besides what is here: the models and the packets
    "ActiveSpeakerUpdate",
    "AudioTrackFeature",
    "Capability",
    "ChatMessage",
    "ClientConfigSetting",
    "ClientConfiguration",
    "ClientInfo",
    "Codec",
    "DataPacket",
    "DataTrackInfo",
    "EventMetric",
    "MetricSample",
    "MetricsBatch",
    "PacketValue",
    "ParticipantInfo",
    "Room",
    "RpcAck",
    "RpcError",
    "RpcRequest",
    "RpcResponse",
    "SimulcastCodecInfo",
    "SipDTMF",
    "SpeakerInfo",
    "TimeSeriesMetric",
    "TrackInfo",
    "Transcription",
    "TranscriptionSegment",
    "UserPacket",
    "VideoLayer",
]


class SignalTarget(IntEnum):
    """Which of the client's peer connections."""

    PUBLISHER = 0
    SUBSCRIBER = 1


class LeaveAction(IntEnum):
    """What the receiver of a Leave is to do."""

    DISCONNECT = 0
    RESUME = 1
    RECONNECT = 2


class RequestReason(IntEnum):
    """``RequestResponse.Reason``."""

    OK = 0
    NOT_FOUND = 1
    NOT_ALLOWED = 2
    LIMIT_EXCEEDED = 3
    QUEUED = 4
    UNSUPPORTED_TYPE = 5
    UNCLASSIFIED_ERROR = 6
    INVALID_HANDLE = 7
    INVALID_NAME = 8
    DUPLICATE_HANDLE = 9
    DUPLICATE_NAME = 10
    INVALID_REQUEST = 11


# -- signalling, both ways ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionDescription:
    type: str = ""
    sdp: str = ""
    id: int = 0
    mid_to_track_id: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrickleRequest:
    candidateInit: str = ""  # noqa: N815 - the protocol's own spelling
    target: SignalTarget | int = SignalTarget.PUBLISHER
    final: bool = False


@dataclass(frozen=True, slots=True)
class MuteTrackRequest:
    sid: str = ""
    muted: bool = False


@dataclass(frozen=True, slots=True)
class RegionInfo:
    region: str = ""
    url: str = ""
    distance: int = 0


@dataclass(frozen=True, slots=True)
class RegionSettings:
    regions: tuple[RegionInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    can_reconnect: bool = False
    reason: DisconnectReason | int = DisconnectReason.UNKNOWN_REASON
    action: LeaveAction | int = LeaveAction.DISCONNECT
    regions: RegionSettings | None = None


# -- from the client ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    auto_subscribe: bool = False
    adaptive_stream: bool = False
    subscriber_allow_pause: bool | None = None
    disable_ice_lite: bool = False
    auto_subscribe_data_track: bool | None = None


@dataclass(frozen=True, slots=True)
class JoinRequest:
    client_info: ClientInfo | None = None
    connection_settings: ConnectionSettings | None = None
    publisher_offer: SessionDescription | None = None
    reconnect: bool = False
    reconnect_reason: int = 0
    participant_sid: str = ""


@dataclass(frozen=True, slots=True)
class WrappedJoinRequest:
    compression: int = 0
    join_request: bytes = b""


@dataclass(frozen=True, slots=True)
class SimulcastCodec:
    codec: str = ""
    cid: str = ""
    layers: tuple[VideoLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class AddTrackRequest:
    cid: str = ""
    name: str = ""
    type: TrackKind | int = TrackKind.AUDIO
    width: int = 0
    height: int = 0
    muted: bool = False
    disable_dtx: bool = False
    source: TrackSource | int = TrackSource.UNKNOWN
    layers: tuple[VideoLayer, ...] = ()
    simulcast_codecs: tuple[SimulcastCodec, ...] = ()
    sid: str = ""
    stereo: bool = False
    disable_red: bool = False
    encryption: EncryptionType | int = EncryptionType.NONE
    stream: str = ""
    backup_codec_policy: BackupCodecPolicy | int = BackupCodecPolicy.PREFER_REGRESSION
    audio_features: tuple[AudioTrackFeature | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ParticipantTracks:
    participant_sid: str = ""
    track_sids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateSubscription:
    track_sids: tuple[str, ...] = ()
    subscribe: bool = False
    participant_tracks: tuple[ParticipantTracks, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateTrackSettings:
    """A video has a size or a quality; 0 leaves a frame rate or a priority to the server."""

    track_sids: tuple[str, ...] = ()
    disabled: bool = False
    quality: VideoQuality | int = VideoQuality.LOW
    width: int = 0
    height: int = 0
    fps: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class TrackPermission:
    participant_sid: str = ""
    all_tracks: bool = False
    track_sids: tuple[str, ...] = ()
    participant_identity: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionPermission:
    all_participants: bool = False
    track_permissions: tuple[TrackPermission, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateLocalAudioTrack:
    track_sid: str = ""
    features: tuple[AudioTrackFeature | int, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateLocalVideoTrack:
    track_sid: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class PublishDataTrackRequest:
    pub_handle: int = 0
    name: str = ""
    encryption: EncryptionType | int = EncryptionType.NONE


@dataclass(frozen=True, slots=True)
class UnpublishDataTrackRequest:
    pub_handle: int = 0


@dataclass(frozen=True, slots=True)
class UpdateDataSubscription:
    @dataclass(frozen=True, slots=True)
    class Update:
        track_sid: str = ""
        subscribe: bool = False

    updates: tuple[Update, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreDataBlobRequest:
    request_id: int = 0


@dataclass(frozen=True, slots=True)
class GetDataBlobRequest:
    request_id: int = 0


@dataclass(frozen=True, slots=True)
class UpdateParticipantMetadata:
    metadata: str = ""
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    request_id: int = 0


@dataclass(frozen=True, slots=True)
class Ping:
    timestamp: int = 0
    rtt: int = 0


@dataclass(frozen=True, slots=True)
class LegacyPing:
    """The bare ``ping`` of servers that do not know ``ping_req``."""

    timestamp: int = 0


ClientMessage: TypeAlias = (
    SessionDescription
    | TrickleRequest
    | AddTrackRequest
    | MuteTrackRequest
    | UpdateSubscription
    | UpdateTrackSettings
    | LeaveRequest
    | SubscriptionPermission
    | UpdateParticipantMetadata
    | UpdateLocalAudioTrack
    | UpdateLocalVideoTrack
    | PublishDataTrackRequest
    | UnpublishDataTrackRequest
    | UpdateDataSubscription
    | StoreDataBlobRequest
    | GetDataBlobRequest
    | Ping
    | LegacyPing
)


# -- from the server ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ICEServer:
    urls: tuple[str, ...] = ()
    username: str = ""
    credential: str = field(default="", repr=False)


EncodedParticipant = NewType("EncodedParticipant", bytes)
"""A ``ParticipantInfo`` still in its bytes, because decoding a large room in one go would block the page."""


@dataclass(frozen=True, slots=True)
class JoinResponse:
    room: Room | None = None
    participant: ParticipantInfo | None = None
    other_participants: tuple[EncodedParticipant, ...] = ()
    server_version: str = ""
    ice_servers: tuple[ICEServer, ...] = ()
    subscriber_primary: bool = False
    alternative_url: str = ""
    client_configuration: ClientConfiguration | None = None
    server_region: str = ""
    ping_timeout: int = 0
    ping_interval: int = 0
    server_info: ServerInfo | None = None
    sif_trailer: bytes = b""
    enabled_publish_codecs: tuple[Codec, ...] = ()
    fast_publish: bool = False


@dataclass(frozen=True, slots=True)
class ReconnectResponse:
    ice_servers: tuple[ICEServer, ...] = ()
    client_configuration: ClientConfiguration | None = None
    server_info: ServerInfo | None = None
    last_message_seq: int = 0


@dataclass(frozen=True, slots=True)
class ParticipantUpdate:
    participants: tuple[ParticipantInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackPublishedResponse:
    cid: str = ""
    track: TrackInfo | None = None


@dataclass(frozen=True, slots=True)
class TrackUnpublishedResponse:
    track_sid: str = ""


@dataclass(frozen=True, slots=True)
class TrackSubscribed:
    track_sid: str = ""


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    speakers: tuple[SpeakerInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomUpdate:
    room: Room | None = None


@dataclass(frozen=True, slots=True)
class ConnectionQualityInfo:
    participant_sid: str = ""
    quality: ConnectionQuality | int = ConnectionQuality.POOR
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class ConnectionQualityUpdate:
    updates: tuple[ConnectionQualityInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamStateInfo:
    participant_sid: str = ""
    track_sid: str = ""
    state: StreamState | int = StreamState.ACTIVE


@dataclass(frozen=True, slots=True)
class StreamStateUpdate:
    stream_states: tuple[StreamStateInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscribedQuality:
    quality: VideoQuality | int = VideoQuality.LOW
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class SubscribedCodec:
    codec: str = ""
    qualities: tuple[SubscribedQuality, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscribedQualityUpdate:
    """``subscribed_qualities`` is what older servers say, of the only codec that they know."""

    track_sid: str = ""
    subscribed_qualities: tuple[SubscribedQuality, ...] = ()
    subscribed_codecs: tuple[SubscribedCodec, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscriptionPermissionUpdate:
    participant_sid: str = ""
    track_sid: str = ""
    allowed: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionResponse:
    track_sid: str = ""
    err: SubscriptionError | int = SubscriptionError.UNKNOWN


@dataclass(frozen=True, slots=True)
class RequestResponse:
    request_id: int = 0
    reason: RequestReason | int = RequestReason.OK
    message: str = ""
    add_track: AddTrackRequest | None = None
    mute: MuteTrackRequest | None = None
    update_metadata: UpdateParticipantMetadata | None = None
    update_audio_track: UpdateLocalAudioTrack | None = None
    update_video_track: UpdateLocalVideoTrack | None = None
    publish_data_track: PublishDataTrackRequest | None = None
    unpublish_data_track: UnpublishDataTrackRequest | None = None


@dataclass(frozen=True, slots=True)
class MediaSectionsRequirement:
    num_audios: int = 0
    num_videos: int = 0


@dataclass(frozen=True, slots=True)
class Pong:
    last_ping_timestamp: int = 0
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class PublishDataTrackResponse:
    info: DataTrackInfo | None = None


@dataclass(frozen=True, slots=True)
class UnpublishDataTrackResponse:
    info: DataTrackInfo | None = None


@dataclass(frozen=True, slots=True)
class DataTrackSubscriberHandles:
    @dataclass(frozen=True, slots=True)
    class PublishedDataTrack:
        publisher_identity: str = ""
        publisher_sid: str = ""
        track_sid: str = ""

    sub_handles: Mapping[int, PublishedDataTrack] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    token: str = field(default="", repr=False)


ServerMessage: TypeAlias = (
    JoinResponse
    | ReconnectResponse
    | SessionDescription
    | TrickleRequest
    | ParticipantUpdate
    | TrackPublishedResponse
    | TrackUnpublishedResponse
    | TrackSubscribed
    | LeaveRequest
    | MuteTrackRequest
    | SpeakersChanged
    | RoomUpdate
    | ConnectionQualityUpdate
    | StreamStateUpdate
    | SubscribedQualityUpdate
    | SubscriptionPermissionUpdate
    | SubscriptionResponse
    | RequestResponse
    | MediaSectionsRequirement
    | Pong
    | PublishDataTrackResponse
    | UnpublishDataTrackResponse
    | DataTrackSubscriberHandles
    | RefreshToken
)
