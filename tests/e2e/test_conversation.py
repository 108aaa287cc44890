"""Chat, transcripts and keys between our client, livekit-client and the Rust core."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from livekit import rtc

from tests.harness.js_peer import JsPeer
from tests.harness.peers import StreamMessage
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.inpage import conversation

_THEIRS = """async (peer) => {
  const me = peer.room.localParticipant;
  await me.sendText("a stream from js 🦊", {topic: "lk.chat"});
  await me.sendChatMessage("a packet from js");
  const older = {id: "1", timestamp: 5, message: "older js"};
  await me.publishData(new TextEncoder().encode(JSON.stringify(older)), {reliable: true, topic: "lk-chat-topic"});
  const attributes = {"lk.segment_id": "t-js", "lk.transcription_final": "false"};
  await me.sendText("streamed by js", {topic: "lk.transcription", attributes});
  await me.publishDtmf(5, "5");
}"""


async def test_everybody_hears_what_is_said(
    python_page: PythonPage,
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> None:
    """In each way of saying it that a client has. livekit-server passes transcriptions on from agents only."""
    rust = rust_peer()
    for peer, name in ((js_peer, "js"), (rust, "rust")):
        await peer.connect(livekit.url, livekit.token(name, room_name, agent=True))
        for topic in ("lk.chat", "lk.transcription"):
            await peer.take_streams(topic)
    run = await python_page.start(conversation.talk, url=livekit.url, token=livekit.token("py", room_name, agent=True))
    await run.reached("joined", 30)
    for peer in (js_peer, rust):  # the Rust core throws away keys of those whom it does not know yet
        await peer.wait_remote("py")
    await run.signal("speak")
    await run.reached("spoken", 30)
    await js_peer.call(_THEIRS)
    me = rust.room.local_participant
    await me.send_text("a stream from rust 🦊", topic="lk.chat")
    await me.publish_transcription(
        rtc.Transcription("rust", "TR_none", [rtc.TranscriptionSegment("s-rust", "said by rust", 1, 2, "en", True)])
    )
    await me.publish_dtmf(code=7, digit="7")
    texts = {b"a stream from py \xf0\x9f\xa6\x8a", b"streamed by py"}
    for peer in (js_peer, rust):
        for text in texts:
            await peer.wait_stream(_from_py(text))
    await _events(js_peer, {"chatMessage": 2, "transcriptionReceived": 2, "sipDTMFReceived": 2})
    await _events(rust, {"transcription_received": 1, "sip_dtmf_received": 2})
    await run.signal("stop", None)
    heard: list[list[Any]] = await run.result()
    assert sorted(heard, key=str) == sorted(
        [
            ["chat", "py", "a stream from py 🦊"],
            ["chat", "py", "a packet from py"],
            ["chat", "js", "a stream from js 🦊"],
            ["chat", "js", "a packet from js"],
            ["chat", "js", "older js"],
            ["chat", "rust", "a stream from rust 🦊"],
            ["said", "js", "streamed by js", "t-js", False],
            ["said", "rust", "said by rust", "s-rust", True],
            ["key", "js", "5"],
            ["key", "rust", "7"],
        ],
        key=str,
    )


def _from_py(text: bytes) -> Callable[[StreamMessage], bool]:
    return lambda message: message.sender == "py" and message.data == text


async def _events(peer: JsPeer | RustPeer, wanted: dict[str, int]) -> None:
    """Wait until a peer has had so many events of each kind."""
    found: dict[str, int] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(15):
            while found != wanted:
                names = [event.name for event in await peer.events()]
                found = {name: names.count(name) for name in wanted}
                await asyncio.sleep(0.1)
    assert found == wanted
