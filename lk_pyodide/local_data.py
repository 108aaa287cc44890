"""Data packets that we send, each whole in itself."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from lk_pyodide.core import messages as m
from lk_pyodide.core.streams import encoded
from lk_pyodide.errors import PublishDataError, PublishDTMFError, PublishTranscriptionError, UsageError
from lk_pyodide.outgoing_streams import bytes_of, check_may_send, destinations
from lk_pyodide.participant import Participant
from lk_pyodide.ports import RoomPort
from lk_pyodide.types import ChatMessage, DataPacketKind, Transcription


class LocalData:
    """What :class:`LocalParticipant` sends as single packets; the arguments are explained there.

    Args:
        room: our room.
        me: ourselves.
        info: what the server says of us.
    """

    def __init__(self, room: RoomPort, me: Participant, info: Callable[[], m.ParticipantInfo]) -> None:
        self._room = room
        self._me = me
        self._info = info

    async def publish(
        self,
        payload: str | bytes | bytearray | memoryview,
        *,
        reliable: bool,
        destination_identities: Sequence[str],
        topic: str,
    ) -> None:
        """See :meth:`LocalParticipant.publish_data`."""
        chosen = destinations(destination_identities)
        data = encoded(payload) if isinstance(payload, str) else bytes_of(payload)
        await self._room.wait_connected()
        user = m.UserPacket(self._info().sid, self._info().identity, data, chosen, topic or None)
        await self._send(user, DataPacketKind.RELIABLE if reliable else DataPacketKind.LOSSY, chosen)

    async def publish_dtmf(self, code: int, digit: str) -> None:
        """See :meth:`LocalParticipant.publish_dtmf`."""
        await self._room.wait_connected()
        try:
            await self._send(m.SipDTMF(code, digit))
        except PublishDataError as error:
            raise PublishDTMFError(str(error)) from error

    async def publish_transcription(self, transcription: Transcription) -> None:
        """See :meth:`LocalParticipant.publish_transcription`."""
        if not transcription.track_sid.startswith("TR_"):  # without one the Rust core 1.2 ends its whole process
            raise UsageError(f"a transcription says of which track it is, not of {transcription.track_sid!r}")
        segments = tuple(
            m.TranscriptionSegment(s.id, s.text, s.start_time, s.end_time, s.final, s.language)
            for s in transcription.segments
        )
        await self._room.wait_connected()
        try:
            await self._send(m.Transcription(transcription.participant_identity, transcription.track_sid, segments))
        except PublishDataError as error:
            raise PublishTranscriptionError(str(error)) from error

    async def send_chat_message(self, text: str) -> ChatMessage:
        """See :meth:`LocalParticipant.send_chat_message`."""
        return await self._chat(ChatMessage(str(uuid.uuid4()), _now(), text))

    async def edit_chat_message(self, text: str, original: ChatMessage) -> ChatMessage:
        """See :meth:`LocalParticipant.edit_chat_message`."""
        return await self._chat(replace(original, message=text, edit_timestamp=_now()))

    async def _chat(self, message: ChatMessage) -> ChatMessage:
        await self._room.wait_connected()
        await self._send(m.ChatMessage(message.id, message.timestamp, message.edit_timestamp, message.message))
        self._room.chat_message_sent(self._me, message)
        return message

    async def _send(
        self,
        value: m.PacketValue,
        kind: DataPacketKind = DataPacketKind.RELIABLE,
        chosen: tuple[str, ...] = (),
    ) -> None:
        check_may_send(self._info())
        await self._room.session.send_packet(m.DataPacket(value, kind, self._info().identity, chosen))


def _now() -> int:
    return int(time.time() * 1000)
