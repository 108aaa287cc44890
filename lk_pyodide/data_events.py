"""The events of data: packets, transcriptions, chat, data tracks. :mod:`lk_pyodide.events` has all events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lk_pyodide.core.packets import MetricsBatch
from lk_pyodide.data_track import LocalDataTrack, RemoteDataTrack
from lk_pyodide.emitter import LARGEST, OVERHEAD, Event
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.publication import TrackPublication
from lk_pyodide.types import ChatMessage, DataPacketKind, TranscriptionSegment

__all__ = [
    "ChatMessageReceived",
    "DCBufferStatusChanged",
    "DataPacket",
    "DataReceived",
    "DataTrackPublished",
    "DataTrackUnpublished",
    "LocalDataTrackPublished",
    "LocalDataTrackUnpublished",
    "MetricsReceived",
    "SipDTMF",
    "SipDTMFReceived",
    "TranscriptionReceived",
]


@dataclass(frozen=True, slots=True)
class DataPacket:
    """User data from someone.

    Attributes:
        data: the payload.
        kind: how it travelled.
        participant: who sent it; None when it came from the server.
        topic: what it is about, or nothing.
    """

    data: bytes
    kind: DataPacketKind
    participant: RemoteParticipant | None
    topic: str | None


@dataclass(frozen=True, slots=True)
class SipDTMF:
    """A key that somebody pressed on a telephone.

    Attributes:
        code: its code (RFC 4733): 0 to 9 as they are, 10 for ``*``, 11 for ``#``.
        digit: the key.
        participant: who pressed it; None when it came from the server.
    """

    code: int
    digit: str
    participant: RemoteParticipant | None = None


@dataclass(frozen=True, slots=True)
class DataTrackPublished(Event):
    """Someone publishes a data track; also told, before ``connected``, of those that are there already."""

    track: RemoteDataTrack


@dataclass(frozen=True, slots=True)
class DataTrackUnpublished(Event):
    """Someone publishes a data track no more; its streams have ended."""

    sid: str


@dataclass(frozen=True, slots=True)
class LocalDataTrackPublished(Event):
    """We publish a data track."""

    track: LocalDataTrack


@dataclass(frozen=True, slots=True)
class LocalDataTrackUnpublished(Event):
    """We publish a data track no more."""

    sid: str


@dataclass(frozen=True, slots=True)
class DataReceived(Event):
    """User data came."""

    packet: DataPacket

    @property
    def _weight(self) -> int:
        return OVERHEAD + len(self.packet.data)


@dataclass(frozen=True, slots=True)
class DCBufferStatusChanged(Event):
    """Much of what we send as data waits for the network, or no more."""

    is_low: bool
    kind: DataPacketKind


@dataclass(frozen=True, slots=True)
class SipDTMFReceived(Event):
    """A key of a telephone came."""

    sip_dtmf: SipDTMF

    @property
    def _weight(self) -> int:
        return LARGEST


@dataclass(frozen=True, slots=True)
class TranscriptionReceived(Event):
    """Somebody's words came as text, in packets of their own (older agents; newer ones send text streams).

    The participant is whoever spoke, we ourselves perhaps; None for somebody who is not here.
    """

    segments: list[TranscriptionSegment]
    participant: Participant | None
    publication: TrackPublication | None

    @property
    def _weight(self) -> int:
        return LARGEST


@dataclass(frozen=True, slots=True)
class ChatMessageReceived(Event):
    """A chat message came, or is ours."""

    event_name: ClassVar[str] = "chat_message"

    message: ChatMessage
    participant: Participant | None

    @property
    def _weight(self) -> int:
        return LARGEST


@dataclass(frozen=True, slots=True)
class MetricsReceived(Event):
    """Somebody's measurements came, to those whose token lets them have them."""

    metrics: MetricsBatch
    participant: Participant | None

    @property
    def _weight(self) -> int:
        return LARGEST
