"""What agents and LiveKit's components write of chats and transcripts."""

import json

import pytest

from lk_pyodide.core import conversation as core
from lk_pyodide.types import ChatMessage, TextStreamInfo, TranscriptionSegment


def info(**attributes: str) -> TextStreamInfo:
    named = {f"lk.{name}": value for name, value in attributes.items()}
    return TextStreamInfo(
        stream_id="s", mime_type="text/plain", topic=core.TRANSCRIPTION_TOPIC, timestamp=1, size=None, attributes=named
    )


def test_a_chat_message_as_a_packet() -> None:
    """As components-core writes it; who reads streams leaves it alone."""
    message = ChatMessage("1", 5, "Füchse 🦊")
    data = core.legacy_chat(message)
    assert json.loads(data) == {"id": "1", "timestamp": 5, "message": "Füchse 🦊", "ignoreLegacy": True}
    assert core.read_legacy_chat(data) is None
    older = json.dumps({"id": "1", "timestamp": 5, "message": "Füchse 🦊", "ignoreLegacy": False})
    assert core.read_legacy_chat(older.encode()) == message


def test_lone_surrogates_do_not_matter() -> None:
    assert json.loads(core.legacy_chat(ChatMessage("1", 5, "a\ud800b")))["message"] == "a?b"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"17",
        b"[]",
        b'"text"',
        b"{}",
        b'{"id": 1, "timestamp": 5, "message": "x"}',
        b'{"id": "1", "timestamp": "5", "message": "x"}',
        b'{"id": "1", "timestamp": 5, "message": null}',
        b'{"id": "1", "timestamp": 1e400, "message": "x"}',
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    assert core.read_legacy_chat(data) is None


def test_segments() -> None:
    said = TranscriptionSegment("a", "Ein Fuchs", final=False)
    attributes = core.segment_attributes(said, "TR_1")
    assert attributes == {
        "lk.segment_id": "a",
        "lk.transcription_final": "false",
        "lk.transcribed_track_id": "TR_1",
    }
    assert core.segment(info(segment_id="a", transcription_final="false"), "Ein Fuchs") == said
    assert core.segment(info(), "x") == TranscriptionSegment("s", "x", final=True)
    assert "lk.transcribed_track_id" not in core.segment_attributes(said, "")
