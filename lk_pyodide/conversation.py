"""A room's chat, and what is said in it as text, in the ways in which agents and LiveKit's components write it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from lk_pyodide import events as ev
from lk_pyodide.core import conversation as core
from lk_pyodide.emitter import Event, EventSource
from lk_pyodide.errors import RoomDisconnectedError
from lk_pyodide.incoming_streams import TextStreamReader
from lk_pyodide.participant import Participant
from lk_pyodide.publication import TrackPublication
from lk_pyodide.room import Room
from lk_pyodide.types import ChatMessage, TranscriptionSegment

__all__ = ["Chat", "Transcripts"]

N = TypeVar("N", bound=str)

_AS_IT_COMES = 64 * 1024
"""Characters of a text that are told piece by piece; of a longer one, the rest is told at the end."""
_KEPT = 1000
"""Messages, and segments, that are kept."""


class _Conversation(EventSource[N], ABC):
    """Takes the text streams of one topic of a room, until it is closed."""

    def __init__(self, room: Room, topic: str, event: type[Event]) -> None:
        super().__init__({event.event_name: event})
        self._room = room
        self._topic = topic
        room.register_text_stream_handler(topic, self._take)
        room.on(ev.Disconnected, self._over)

    @abstractmethod
    async def _take(self, reader: TextStreamReader, identity: str) -> None:
        """Somebody sends a text."""

    def close(self) -> None:
        """Take no more; those who wait are told. Twice is once."""
        self._room.unregister_text_stream_handler(self._topic)
        self._room.off(ev.Disconnected, self._over)
        self._end_streams(RoomDisconnectedError("this was closed"))

    def _over(self, _event: ev.Disconnected) -> None:
        self._end_streams(RoomDisconnectedError("the room was left"))


class Chat(_Conversation[Literal["chat_message"]]):
    """A room's chat: text streams of topic ``lk.chat``, which agents and LiveKit's components read and write.

    Older clients' packets count too. ``chat_message`` tells each message, ours too, with its sender; a text that comes
    bit by bit is told again under the same id as it grows.

    Args:
        room: a room, connected or not; one room has one chat at a time.

    Raises:
        DataStreamError: somebody takes the room's chat already.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room, core.CHAT_TOPIC, ev.ChatMessageReceived)
        self._messages: dict[tuple[str, str], ev.ChatMessageReceived] = {}
        room.on(ev.DataReceived, self._take_packet).on(ev.ChatMessageReceived, self._told)

    @property
    def messages(self) -> list[ev.ChatMessageReceived]:
        """Each message in its last state, the oldest first; the last thousand are kept."""
        return list(self._messages.values())

    async def send(
        self,
        text: str,
        *,
        destination_identities: Sequence[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        reply_to_id: str | None = None,
        attachments: Sequence[Any] = (),
    ) -> ChatMessage:
        """Send a message; the arguments are those of :meth:`LocalParticipant.send_text`.

        Returns:
            The message, which is told here too.

        Raises:
            LiveKitError: what :meth:`LocalParticipant.send_text` raises.
        """
        me = self._room.local_participant
        info = await me.send_text(
            text,
            topic=core.CHAT_TOPIC,
            destination_identities=destination_identities,
            attributes=attributes,
            reply_to_id=reply_to_id,
            attachments=attachments,
        )
        message = ChatMessage(info.stream_id, info.timestamp, text)
        self._tell(message, me)
        if len(text) <= _AS_IT_COMES // 4:  # what a packet holds for certain
            await me.publish_data(
                core.legacy_chat(message),
                topic=core.LEGACY_CHAT_TOPIC,
                destination_identities=destination_identities or (),
            )
        return message

    def close(self) -> None:
        """Take no more messages; those who wait are told. Twice is once."""
        self._room.off(ev.DataReceived, self._take_packet).off(ev.ChatMessageReceived, self._told)
        super().close()

    async def _take(self, reader: TextStreamReader, identity: str) -> None:
        async for text in _growing(reader):
            sender = self._room.get_participant_by_identity(identity)
            self._tell(ChatMessage(reader.info.stream_id, reader.info.timestamp, text), sender)

    def _take_packet(self, event: ev.DataReceived) -> None:
        if event.packet.topic == core.LEGACY_CHAT_TOPIC:
            message = core.read_legacy_chat(event.packet.data)
            if message is not None:
                self._tell(message, event.packet.participant)

    def _told(self, event: ev.ChatMessageReceived) -> None:
        self._tell(event.message, event.participant)

    def _tell(self, message: ChatMessage, sender: Participant | None) -> None:
        event = ev.ChatMessageReceived(message, sender)
        _keep(self._messages, (sender.identity if sender is not None else "", message.id), event)
        self._emit(event)


class Transcripts(_Conversation[Literal["transcription_received"]]):
    """What is said in a room, as text: streams of topic ``lk.transcription``, and the packets of older agents.

    ``transcription_received`` tells each segment; one that is not final is told again under the same id.

    Args:
        room: a room, connected or not; for one room there is one of these at a time.

    Raises:
        DataStreamError: somebody takes the room's transcriptions already.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room, core.TRANSCRIPTION_TOPIC, ev.TranscriptionReceived)
        self._segments: dict[tuple[str, str], tuple[Participant | None, TranscriptionSegment]] = {}
        room.on(ev.TranscriptionReceived, self._told)

    @property
    def segments(self) -> list[tuple[Participant | None, TranscriptionSegment]]:
        """Who said what, each segment in its last state, the oldest first; the last thousand are kept."""
        return list(self._segments.values())

    async def send(self, segment: TranscriptionSegment, *, track_sid: str = "") -> None:
        """Send what we said, as text; the same id again puts another text in its place.

        Args:
            segment: its id, its text, and whether it stays as it is.
            track_sid: in which track of ours it was said.

        Raises:
            LiveKitError: what :meth:`LocalParticipant.send_text` raises.
        """
        await self._room.local_participant.send_text(
            segment.text,
            topic=core.TRANSCRIPTION_TOPIC,
            attributes=core.segment_attributes(segment, track_sid),
        )

    def close(self) -> None:
        """Take no more segments; those who wait are told. Twice is once."""
        self._room.off(ev.TranscriptionReceived, self._told)
        super().close()

    async def _take(self, reader: TextStreamReader, identity: str) -> None:
        async for text in _growing(reader):
            who = self._room.get_participant_by_identity(identity)
            publication: TrackPublication | None = None
            if who is not None:
                publication = who.track_publications.get(reader.info.attributes.get(core.TRANSCRIBED_TRACK, ""))
            self._told(ev.TranscriptionReceived([core.segment(reader.info, text)], who, publication))

    def _told(self, event: ev.TranscriptionReceived) -> None:
        who = event.participant.identity if event.participant is not None else ""
        for segment in event.segments:
            _keep(self._segments, (who, segment.id), (event.participant, segment))
        self._emit(event)


async def _growing(reader: TextStreamReader) -> AsyncIterator[str]:
    """A text as it comes: all of it that is there, each time; an empty one once."""
    text, rest = "", list[str]()
    async for piece in reader:
        if rest or len(text) + len(piece) > _AS_IT_COMES:
            rest.append(piece)
        else:
            text += piece
            yield text
    if rest or not text:
        yield "".join((text, *rest))


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
