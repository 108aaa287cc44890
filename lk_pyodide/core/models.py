"""What ``livekit_models.proto`` says, as frozen dataclasses: a part of :mod:`lk_pyodide.core.messages`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from lk_pyodide.types import (
    DisconnectReason,
    EncryptionType,
    ParticipantKind,
    ParticipantPermission,
    ParticipantState,
    TrackKind,
    TrackSource,
    VideoQuality,
)


class ClientConfigSetting(IntEnum):
    """A tristate of the server's client configuration."""

    UNSET = 0
    DISABLED = 1
    ENABLED = 2


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
class DataTrackInfo:
    pub_handle: int = 0
    sid: str = ""
    name: str = ""
    encryption: EncryptionType | int = EncryptionType.NONE


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
    data_tracks: tuple[DataTrackInfo, ...] = ()
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
class SpeakerInfo:
    sid: str = ""
    level: float = 0.0
    active: bool = False
