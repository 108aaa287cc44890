"""What the wire says on data channels; part of :mod:`lk_pyodide.core.messages`, which see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from lk_pyodide.core.models import SpeakerInfo
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import DataPacketKind


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
class SipDTMF:
    code: int = 0
    digit: str = ""


@dataclass(frozen=True, slots=True)
class TranscriptionSegment:
    """The times count milliseconds in the speaker's sound."""

    id: str = ""
    text: str = ""
    start_time: int = 0
    end_time: int = 0
    final: bool = False
    language: str = ""


@dataclass(frozen=True, slots=True)
class Transcription:
    transcribed_participant_identity: str = ""
    track_id: str = ""
    segments: tuple[TranscriptionSegment, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """The times are milliseconds since 1970."""

    id: str = ""
    timestamp: int = 0
    edit_timestamp: int | None = None
    message: str = ""
    deleted: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True)
class MetricSample:
    timestamp_ms: int = 0
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class TimeSeriesMetric:
    """Numbers below 4096 are those of ``MetricLabel``; from there they count in the batch's ``str_data``."""

    label: int = 0
    participant_identity: int = 0
    track_sid: int = 0
    samples: tuple[MetricSample, ...] = ()
    rid: int = 0


@dataclass(frozen=True, slots=True)
class EventMetric:
    label: int = 0
    participant_identity: int = 0
    track_sid: int = 0
    start_timestamp_ms: int = 0
    end_timestamp_ms: int | None = None
    metadata: str = ""
    rid: int = 0


@dataclass(frozen=True, slots=True)
class MetricsBatch:
    """What somebody measured."""

    timestamp_ms: int = 0
    str_data: tuple[str, ...] = ()
    time_series: tuple[TimeSeriesMetric, ...] = ()
    events: tuple[EventMetric, ...] = ()


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
    | SipDTMF
    | Transcription
    | MetricsBatch
    | ChatMessage
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

    value: PacketValue | None = field(default=None, metadata={"oneof": True})
    kind: DataPacketKind | int = DataPacketKind.RELIABLE
    participant_identity: str = ""
    destination_identities: tuple[str, ...] = ()
    sequence: int = 0
    participant_sid: str = ""
