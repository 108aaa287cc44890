"""Tracks that are no device's, seen and heard by livekit-client; the Rust core as an agent that comes late."""

import asyncio

import pytest
from livekit import rtc

from tests.harness.js_peer import JsPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import sources
from tests.inpage.contract_sources import EBML

OGG = b"OggS"
TOPIC = "lk.agent.pre-connect-audio-buffer"


@pytest.mark.timeout(150)
async def test_what_is_published(
    python_page: PythonPage, js_peer: JsPeer, livekit: LiveKitServer, room_name: str
) -> None:
    """Darkness, a canvas, a recording of the camera and a file with a tone, one after the other."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    run = await python_page.start(sources.publish, url=livekit.url, token=livekit.token("py", room_name))

    async def there(*kinds: str) -> None:
        await js_peer.wait_remote(
            "py",
            lambda remote: (
                sorted(t.kind for t in remote.tracks) == sorted(kinds) and all(t.subscribed for t in remote.tracks)
            ),
            20,
            f"{kinds}",
        )

    assert sorted(await run.reached("darkness", 60)) == ["audio", "video"]
    await there("audio", "video")
    stats = await js_peer.wait_dark("py")
    assert (stats.width, stats.height, stats.contrast) == (64, 36, 0)
    assert await js_peer.audio_energy("py") < 0.001
    await run.signal("seen darkness")

    await run.reached("canvas", 60)
    await there("video")
    stats = await js_peer.wait_video("py")
    assert (stats.width, stats.height) == (320, 180)
    await run.signal("seen canvas")

    kinds = await run.reached("recording", 60)
    await there(*kinds)
    await js_peer.wait_video("py", more=20)  # more than were recorded: it goes on in a loop
    await run.signal("seen recording")

    kinds = await run.reached("tone", 60)
    assert "audio" in kinds
    await there(*kinds)
    assert await js_peer.wait_audio("py") > 0.05
    await run.signal("seen tone")
    await run.result(60)


@pytest.mark.timeout(120)
async def test_what_is_said_before_an_agent_comes(
    python_page: PythonPage, livekit: LiveKitServer, room_name: str
) -> None:
    """The agent gets it as a stream, and the track itself from then on."""
    run = await python_page.start(sources.speak_early, url=livekit.url, token=livekit.token("py", room_name))
    await run.reached("published", 60)
    readers: asyncio.Queue[rtc.ByteStreamReader] = asyncio.Queue()
    agent = rtc.Room()
    agent.register_byte_stream_handler(TOPIC, lambda reader, _identity: readers.put_nowait(reader))
    await agent.connect(livekit.url, livekit.token("agent", room_name, agent=True))
    try:
        async with asyncio.timeout(30):
            reader = await readers.get()
            data = b"".join([chunk async for chunk in reader])
    finally:
        await run.signal("read")
        await agent.disconnect()
    found = await run.result(60)
    assert reader.info.attributes == {"trackId": found["sid"], "sampleRate": "48000", "channels": "1"}
    assert reader.info.mime_type.startswith("audio/")
    assert data.startswith((EBML, OGG))
    assert len(data) > 500, "a second and a half: even of silence it has 75 packets"
