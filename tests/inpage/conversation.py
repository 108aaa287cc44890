"""Chat, transcripts, keys of a telephone: what we hear of others, and say to them."""

from __future__ import annotations

from typing import Any

from lk_pyodide import Chat, Room, Transcription, TranscriptionSegment, Transcripts
from lk_pyodide import events as ev
from tests.inpage import steps


async def talk(*, url: str, token: str) -> list[list[Any]]:
    """Join, say one of each kind when told to, and listen until told to stop.

    Args:
        url: the server.
        token: ours.

    Returns:
        What was heard: kind, sender, text, and what else there is.
    """
    heard: list[list[Any]] = []
    async with Room() as room:
        chat, transcripts = Chat(room), Transcripts(room)

        @chat.on(ev.ChatMessageReceived)
        def chatted(event: ev.ChatMessageReceived) -> None:
            heard.append(["chat", event.participant and event.participant.identity, event.message.message])

        @transcripts.on(ev.TranscriptionReceived)
        def said(event: ev.TranscriptionReceived) -> None:
            who = event.participant and event.participant.identity
            heard.extend(["said", who, segment.text, segment.id, segment.final] for segment in event.segments)

        @room.on(ev.SipDTMFReceived)
        def pressed(event: ev.SipDTMFReceived) -> None:
            sender = event.sip_dtmf.participant
            heard.append(["key", sender and sender.identity, event.sip_dtmf.digit])

        await room.connect(url, token)
        steps.reached("joined")
        await steps.until("speak")
        me = room.local_participant
        await chat.send("a stream from py 🦊")
        await me.send_chat_message("a packet from py")
        segment = TranscriptionSegment("s-py", "said by py", 1, 2, "en", True)
        await me.publish_transcription(Transcription(me.identity, "TR_none", [segment]))
        await transcripts.send(TranscriptionSegment("t-py", "streamed by py", final=False))
        await me.publish_dtmf(code=11, digit="#")
        steps.reached("spoken")
        await steps.until("stop")
        chat.close()
        transcripts.close()
    return heard
