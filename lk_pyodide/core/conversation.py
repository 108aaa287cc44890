"""How agents and LiveKit's components write chats and transcripts: topics, attributes, and the older packets.

The names are those of ``livekit-agents`` (``types.py``) and of components-core (``dataChannel.ts``, ``chat.ts``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lk_pyodide.types import ChatMessage, TextStreamInfo, TranscriptionSegment

CHAT_TOPIC = "lk.chat"
"""Of the text streams that are chat messages."""
LEGACY_CHAT_TOPIC = "lk-chat-topic"
"""Of the data packets that were chat messages before there were streams."""
TRANSCRIPTION_TOPIC = "lk.transcription"
"""Of the text streams that are what somebody said."""
SEGMENT_ID = "lk.segment_id"
TRANSCRIBED_TRACK = "lk.transcribed_track_id"
FINAL = "lk.transcription_final"
AGENT_STATE = "lk.agent.state"
"""The attribute in which an agent says what it is doing."""

_TRUE = "true"


def legacy_chat(message: ChatMessage) -> bytes:
    """A message for clients that know no streams; those that do leave it alone."""
    content = {"id": message.id, "timestamp": message.timestamp, "message": message.message, "ignoreLegacy": True}
    return json.dumps(content, ensure_ascii=False).encode(errors="replace")


def read_legacy_chat(data: bytes) -> ChatMessage | None:
    """The message in a packet; None when it comes as a stream too, or this is no message."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match content:
        case {"ignoreLegacy": True}:
            return None
        case {"id": str(name), "timestamp": int(timestamp), "message": str(text)}:
            return ChatMessage(name, timestamp, text)
        case _:
            return None


def segment(info: TextStreamInfo, text: str) -> TranscriptionSegment:
    """What a stream of :data:`TRANSCRIPTION_TOPIC` says, as far as it has come."""
    attributes = info.attributes
    return TranscriptionSegment(
        attributes.get(SEGMENT_ID) or info.stream_id, text, final=attributes.get(FINAL, _TRUE) == _TRUE
    )


def segment_attributes(segment: TranscriptionSegment, track_sid: str) -> Mapping[str, str]:
    """What a stream that carries a segment says of it."""
    attributes = {SEGMENT_ID: segment.id, FINAL: _TRUE if segment.final else "false"}
    return attributes | ({TRANSCRIBED_TRACK: track_sid} if track_sid else {})
