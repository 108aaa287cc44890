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

from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import (
    ConnectionQuality,
    DataPacketKind,
    DisconnectReason,
    EncryptionType,
    ParticipantKind,
    ParticipantPermission,
    ParticipantState,
    ServerInfo,
    StreamState,
    SubscriptionError,
    TrackKind,
    TrackSource,
    VideoQuality,
)


class SignalTarget(IntEnum):
    """Which of the client's peer connections."""

    PUBLISHER = 0
    SUBSCRIBER = 1


class LeaveAction(IntEnum):
    """What the receiver of a Leave is to do."""

    DISCONNECT = 0
    RESUME = 1
    RECONNECT = 2


class ClientConfigSetting(IntEnum):
    """A tristate of the server's client configuration."""

    UNSET = 0
    DISABLED = 1
    ENABLED = 2


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


class Capability(IntEnum):
    """``ClientInfo.Capability``: what a client can take."""

    CAP_UNUSED = 0
    CAP_PACKET_TRAILER = 1
    CAP_COMPRESSION_DEFLATE_RAW = 2


class AudioTrackFeature(IntEnum):
    """Properties of an audio track that others may want to know."""

    TF_STEREO = 0
    TF_NO_DTX = 1
    TF_AUTO_GAIN_CONTROL = 2
    TF_ECHO_CANCELLATION = 3
    TF_NOISE_SUPPRESSION = 4
    TF_ENHANCED_NOISE_CANCELLATION = 5
    TF_PRECONNECT_BUFFER = 6


# -- models ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    mime: str = ""
    fmtp_line: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    sid: str = ""
    name: str = ""
    empty_timeout: int = 0
    departure_timeout: int = 0
    max_participants: int = 0
    creation_time: int = 0
    creation_time_ms: int = 0
    metadata: str = ""
    num_participants: int = 0
    num_publishers: int = 0
    active_recording: bool = False


@dataclass(frozen=True, slots=True)
class VideoLayer:
    quality: VideoQuality | int = VideoQuality.LOW
    width: int = 0
    height: int = 0
    bitrate: int = 0
    ssrc: int = 0
    spatial_layer: int = 0
    rid: str = ""


@dataclass(frozen=True, slots=True)
class SimulcastCodecInfo:
    mime_type: str = ""
    mid: str = ""
    cid: str = ""
    layers: tuple[VideoLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackInfo:
    sid: str = ""
    type: TrackKind | int = TrackKind.AUDIO
    name: str = ""
    muted: bool = False
    width: int = 0
    height: int = 0
    simulcast: bool = False
    source: TrackSource | int = TrackSource.UNKNOWN
    layers: tuple[VideoLayer, ...] = ()
    mime_type: str = ""
    mid: str = ""
    codecs: tuple[SimulcastCodecInfo, ...] = ()
    stereo: bool = False
    disable_red: bool = False
    encryption: EncryptionType | int = EncryptionType.NONE
    stream: str = ""
    audio_features: tuple[AudioTrackFeature | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    sid: str = ""
    identity: str = ""
    state: ParticipantState | int = ParticipantState.JOINING
    tracks: tuple[TrackInfo, ...] = ()
    metadata: str = ""
    joined_at: int = 0
    joined_at_ms: int = 0
    name: str = ""
    version: int = 0
    permission: ParticipantPermission | None = None
    is_publisher: bool = False
    kind: ParticipantKind | int = ParticipantKind.STANDARD
    attributes: Mapping[str, str] = field(default_factory=dict)
    disconnect_reason: DisconnectReason | int = DisconnectReason.UNKNOWN_REASON
    kind_details: tuple[int, ...] = ()
    client_protocol: int = 0
    capabilities: tuple[Capability | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientInfo:
    sdk: int = 0
    version: str = ""
    protocol: int = 0
    os: str = ""
    os_version: str = ""
    device_model: str = ""
    browser: str = ""
    browser_version: str = ""
    network: str = ""
    client_protocol: int = 0
    capabilities: tuple[Capability | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    resume_connection: ClientConfigSetting | int = ClientConfigSetting.UNSET
    force_relay: ClientConfigSetting | int = ClientConfigSetting.UNSET


@dataclass(frozen=True, slots=True)
class ICEServer:
    urls: tuple[str, ...] = ()
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SpeakerInfo:
    sid: str = ""
    level: float = 0.0
    active: bool = False


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
    | LeaveRequest
    | UpdateParticipantMetadata
    | Ping
    | LegacyPing
)


# -- from the server ---------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class MediaSectionsRequirement:
    num_audios: int = 0
    num_videos: int = 0


@dataclass(frozen=True, slots=True)
class Pong:
    last_ping_timestamp: int = 0
    timestamp: int = 0


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
    | SubscriptionPermissionUpdate
    | SubscriptionResponse
    | RequestResponse
    | MediaSectionsRequirement
    | Pong
    | RefreshToken
)


# -- data channels -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserPacket:
    participant_sid: str = ""
    participant_identity: str = ""
    payload: bytes = b""
    destination_identities: tuple[str, ...] = ()
    topic: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class ActiveSpeakerUpdate:
    speakers: tuple[SpeakerInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class RpcRequest:
    id: str = ""
    method: str = ""
    payload: str = ""
    response_timeout_ms: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class RpcAck:
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RpcError:
    code: int = 0
    message: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True)
class RpcResponse:
    """With a payload, or with an error."""

    request_id: str = ""
    payload: str | None = None
    error: RpcError | None = None


PacketValue: TypeAlias = (
    UserPacket
    | ActiveSpeakerUpdate
    | RpcRequest
    | RpcAck
    | RpcResponse
    | DataStream.Header
    | DataStream.Chunk
    | DataStream.Trailer
)


@dataclass(frozen=True, slots=True)
class DataPacket:
    """``value`` is None for a kind of packet that this version does not know."""

    value: PacketValue | None = None
    kind: DataPacketKind | int = DataPacketKind.RELIABLE
    participant_identity: str = ""
    destination_identities: tuple[str, ...] = ()
    sequence: int = 0
    participant_sid: str = ""
