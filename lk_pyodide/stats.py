"""What a connection counts: the types of ``await track.get_stats()``, in ``livekit.rtc``'s shape and names.

``livekit.rtc`` has more kinds; those that say nothing of a track are left to ``get_rtc_stats_report()``. A number that
the browser does not give is 0, a text empty. Times are seconds, except :attr:`RtcStatsData.timestamp`.

The meaning of each number is W3C's: https://www.w3.org/TR/webrtc-stats/. This module is loaded when it is first needed:
import it by its name, ``lk_pyodide.stats``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

__all__ = [
    "AudioSourceStats",
    "CandidatePair",
    "CandidatePairStats",
    "Codec",
    "CodecStats",
    "IceCandidatePairState",
    "InboundRtp",
    "InboundRtpStreamStats",
    "MediaSource",
    "MediaSourceStats",
    "OutboundRtp",
    "OutboundRtpStreamStats",
    "QualityLimitationReason",
    "ReceivedRtpStreamStats",
    "RemoteInboundRtp",
    "RemoteInboundRtpStreamStats",
    "RemoteOutboundRtp",
    "RemoteOutboundRtpStreamStats",
    "RtcStats",
    "RtcStatsData",
    "RtpStreamStats",
    "SentRtpStreamStats",
    "StatsKind",
    "VideoSourceStats",
]

StatsKind = Literal[
    "codec",
    "inbound_rtp",
    "outbound_rtp",
    "remote_inbound_rtp",
    "remote_outbound_rtp",
    "media_source",
    "candidate_pair",
]


class QualityLimitationReason(IntEnum):
    """Why a video is sent with less than it could be."""

    NONE = 0
    CPU = 1
    BANDWIDTH = 2
    OTHER = 3

    LIMITATION_NONE = 0
    LIMITATION_CPU = 1
    LIMITATION_BANDWIDTH = 2
    LIMITATION_OTHER = 3


class IceCandidatePairState(IntEnum):
    """How far a way between the two sides has been tried."""

    FROZEN = 0
    WAITING = 1
    IN_PROGRESS = 2
    FAILED = 3
    SUCCEEDED = 4

    PAIR_FROZEN = 0
    PAIR_WAITING = 1
    PAIR_IN_PROGRESS = 2
    PAIR_FAILED = 3
    PAIR_SUCCEEDED = 4


# -- groups of numbers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RtcStatsData:
    """Of every kind: which object it is of, and when it was read, in microseconds."""

    id: str = ""
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class CodecStats:
    """A codec."""

    payload_type: int = 0
    transport_id: str = ""
    mime_type: str = ""
    clock_rate: int = 0
    channels: int = 0
    sdp_fmtp_line: str = ""


@dataclass(frozen=True, slots=True)
class RtpStreamStats:
    """Of every stream of packets."""

    ssrc: int = 0
    kind: str = ""
    transport_id: str = ""
    codec_id: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedRtpStreamStats:
    """Of a stream, where it is received."""

    packets_received: int = 0
    packets_lost: int = 0
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class InboundRtpStreamStats:
    """A stream that we receive."""

    track_identifier: str = ""
    mid: str = ""
    remote_id: str = ""
    frames_decoded: int = 0
    key_frames_decoded: int = 0
    frames_dropped: int = 0
    frame_width: int = 0
    frame_height: int = 0
    frames_per_second: float = 0.0
    qp_sum: int = 0
    total_decode_time: float = 0.0
    total_inter_frame_delay: float = 0.0
    pause_count: int = 0
    total_pause_duration: float = 0.0
    freeze_count: int = 0
    total_freeze_duration: float = 0.0
    header_bytes_received: int = 0
    packets_discarded: int = 0
    bytes_received: int = 0
    nack_count: int = 0
    fir_count: int = 0
    pli_count: int = 0
    total_processing_delay: float = 0.0
    jitter_buffer_delay: float = 0.0
    jitter_buffer_target_delay: float = 0.0
    jitter_buffer_emitted_count: int = 0
    jitter_buffer_minimum_delay: float = 0.0
    total_samples_received: int = 0
    concealed_samples: int = 0
    silent_concealed_samples: int = 0
    concealment_events: int = 0
    inserted_samples_for_deceleration: int = 0
    removed_samples_for_acceleration: int = 0
    audio_level: float = 0.0
    total_audio_energy: float = 0.0
    total_samples_duration: float = 0.0
    frames_received: int = 0
    decoder_implementation: str = ""


@dataclass(frozen=True, slots=True)
class SentRtpStreamStats:
    """Of a stream, where it is sent."""

    packets_sent: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class OutboundRtpStreamStats:
    """A stream that we send: one for each layer of a video."""

    mid: str = ""
    media_source_id: str = ""
    remote_id: str = ""
    rid: str = ""
    header_bytes_sent: int = 0
    retransmitted_packets_sent: int = 0
    retransmitted_bytes_sent: int = 0
    target_bitrate: float = 0.0
    frame_width: int = 0
    frame_height: int = 0
    frames_per_second: float = 0.0
    frames_sent: int = 0
    huge_frames_sent: int = 0
    frames_encoded: int = 0
    key_frames_encoded: int = 0
    qp_sum: int = 0
    total_encode_time: float = 0.0
    total_packet_send_delay: float = 0.0
    quality_limitation_reason: QualityLimitationReason = QualityLimitationReason.NONE
    quality_limitation_durations: Mapping[str, float] = field(default_factory=dict[str, float])
    quality_limitation_resolution_changes: int = 0
    nack_count: int = 0
    fir_count: int = 0
    pli_count: int = 0
    encoder_implementation: str = ""
    active: bool = False
    scalability_mode: str = ""


@dataclass(frozen=True, slots=True)
class RemoteInboundRtpStreamStats:
    """What the other side tells of a stream that we send."""

    local_id: str = ""
    round_trip_time: float = 0.0
    total_round_trip_time: float = 0.0
    fraction_lost: float = 0.0
    round_trip_time_measurements: int = 0


@dataclass(frozen=True, slots=True)
class RemoteOutboundRtpStreamStats:
    """What the other side tells of a stream that we receive."""

    local_id: str = ""
    remote_timestamp: float = 0.0
    reports_sent: int = 0
    round_trip_time: float = 0.0
    total_round_trip_time: float = 0.0
    round_trip_time_measurements: int = 0


@dataclass(frozen=True, slots=True)
class MediaSourceStats:
    """Of a track that we send, before it is encoded."""

    track_identifier: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class AudioSourceStats:
    """The same of sound."""

    audio_level: float = 0.0
    total_audio_energy: float = 0.0
    total_samples_duration: float = 0.0
    echo_return_loss: float = 0.0
    echo_return_loss_enhancement: float = 0.0


@dataclass(frozen=True, slots=True)
class VideoSourceStats:
    """The same of pictures."""

    width: int = 0
    height: int = 0
    frames: int = 0
    frames_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class CandidatePairStats:
    """A way between the two sides."""

    transport_id: str = ""
    local_candidate_id: str = ""
    remote_candidate_id: str = ""
    state: IceCandidatePairState = IceCandidatePairState.FROZEN
    nominated: bool = False
    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    total_round_trip_time: float = 0.0
    current_round_trip_time: float = 0.0
    available_outgoing_bitrate: float = 0.0
    available_incoming_bitrate: float = 0.0
    requests_received: int = 0
    requests_sent: int = 0
    responses_received: int = 0
    responses_sent: int = 0


# -- kinds -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec that is in use."""

    rtc: RtcStatsData
    codec: CodecStats


@dataclass(frozen=True, slots=True)
class InboundRtp:
    """A stream that we receive."""

    rtc: RtcStatsData
    stream: RtpStreamStats
    received: ReceivedRtpStreamStats
    inbound: InboundRtpStreamStats


@dataclass(frozen=True, slots=True)
class OutboundRtp:
    """A stream that we send."""

    rtc: RtcStatsData
    stream: RtpStreamStats
    sent: SentRtpStreamStats
    outbound: OutboundRtpStreamStats


@dataclass(frozen=True, slots=True)
class RemoteInboundRtp:
    """A stream that we send, as it arrives."""

    rtc: RtcStatsData
    stream: RtpStreamStats
    received: ReceivedRtpStreamStats
    remote_inbound: RemoteInboundRtpStreamStats


@dataclass(frozen=True, slots=True)
class RemoteOutboundRtp:
    """A stream that we receive, as it is sent."""

    rtc: RtcStatsData
    stream: RtpStreamStats
    sent: SentRtpStreamStats
    remote_outbound: RemoteOutboundRtpStreamStats


@dataclass(frozen=True, slots=True)
class MediaSource:
    """A track that we send."""

    rtc: RtcStatsData
    source: MediaSourceStats
    audio: AudioSourceStats
    video: VideoSourceStats


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """A way between the two sides."""

    rtc: RtcStatsData
    candidate_pair: CandidatePairStats


@dataclass(frozen=True, slots=True)
class RtcStats:
    """One object of a report: the attribute that :attr:`kind` names is there, the others are None."""

    kind: StatsKind
    codec: Codec | None = None
    inbound_rtp: InboundRtp | None = None
    outbound_rtp: OutboundRtp | None = None
    remote_inbound_rtp: RemoteInboundRtp | None = None
    remote_outbound_rtp: RemoteOutboundRtp | None = None
    media_source: MediaSource | None = None
    candidate_pair: CandidatePair | None = None
