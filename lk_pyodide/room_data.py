"""Data packets that are whole in themselves → events. Streams and calls have modules of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from lk_pyodide import events as ev
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.logging import get_logger
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.room_context import RoomContext
from lk_pyodide.types import ChatMessage, DataPacketKind, TranscriptionSegment

_log = get_logger("room")

_REMEMBERED = 1000
"""Segments that are not final yet, of which we know when they came first. livekit-client forgets none."""


class RoomData:
    """Takes a room's data packets.

    Args:
        room: what the nouns need, and who is told.
        local: ourselves.
        speakers_listed: told who speaks, by older servers.
    """

    def __init__(
        self,
        room: RoomContext,
        local: LocalParticipant,
        speakers_listed: Callable[[Iterable[m.SpeakerInfo]], None],
    ) -> None:
        self._room = room
        self._local = local
        self._speakers_listed = speakers_listed
        self._first_received: dict[str, datetime] = {}

    def on_packet(self, packet: m.DataPacket) -> None:
        """Take a packet. Who sent it is what the server wrote on it; a server's own has no sender."""
        sender = self._room.remotes.get(packet.participant_identity)
        match packet.value:
            case m.UserPacket() as user:
                if not packet.participant_identity:  # older servers say it here
                    sender = self._room.remotes.get(user.participant_identity)
                kind = packet.kind if isinstance(packet.kind, DataPacketKind) else DataPacketKind.RELIABLE
                self._room.emit(ev.DataReceived(ev.DataPacket(user.payload, kind, sender, user.topic)))
            case DataStream.Header() | DataStream.Chunk() | DataStream.Trailer() as value:
                self._room.streams.on_packet(packet, value)
            case m.RpcRequest() | m.RpcAck() | m.RpcResponse() as value:
                self._local._rpc.on_packet(packet.participant_identity, value)
            case m.ActiveSpeakerUpdate() as update if not packet.participant_sid and not packet.participant_identity:
                # Who speaks is the server's to say, which passes on what others say of it.
                self._speakers_listed(update.speakers)
            case m.SipDTMF(code, digit):
                self._room.emit(ev.SipDTMFReceived(ev.SipDTMF(code, digit, sender)))
            case m.Transcription() as transcription:
                self._transcribed(transcription)
            case m.ChatMessage() as message:
                self._chatted(message, sender)
            case m.MetricsBatch() as metrics:
                self._room.emit(ev.MetricsReceived(metrics, sender))
            case _:
                _log.debug("ignored a data packet of an unknown kind")

    def _transcribed(self, transcription: m.Transcription) -> None:
        identity = transcription.transcribed_participant_identity
        who: Participant | None = self._local if identity == self._local.identity else self._room.remotes.get(identity)
        publication = who.track_publications.get(transcription.track_id) if who is not None else None
        segments = [self._segment(segment) for segment in transcription.segments]
        self._room.emit(ev.TranscriptionReceived(segments, who, publication))

    def _segment(self, segment: m.TranscriptionSegment) -> TranscriptionSegment:
        now = datetime.now(UTC)
        first = self._first_received.pop(segment.id, now)
        if not segment.final:
            self._first_received[segment.id] = first
            if len(self._first_received) > _REMEMBERED:
                del self._first_received[next(iter(self._first_received))]
        return TranscriptionSegment(
            segment.id,
            segment.text,
            segment.start_time,
            segment.end_time,
            segment.language,
            segment.final,
            first_received_time=first,
            last_received_time=now,
        )

    def _chatted(self, message: m.ChatMessage, sender: RemoteParticipant | None) -> None:
        told = ChatMessage(message.id, message.timestamp, message.message, message.edit_timestamp or None)
        self._room.emit(ev.ChatMessageReceived(told, sender))
