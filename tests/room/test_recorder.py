"""Recording, and what agents get of what was said before they came."""

import asyncio
from typing import Any

import pytest

from lk_pyodide import LocalTrack, LocalTrackRecorder, Room, TrackPublishOptions, UsageError
from lk_pyodide import preconnect as pre
from lk_pyodide.browser.fake.sources import FakeRecorder
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantKind
from tests.room.server import URL, Server, participant, until

EARLY = TrackPublishOptions(preconnect_buffer=True)
AGENT = participant("agent", kind=ParticipantKind.AGENT)


async def microphone(server: Server) -> LocalTrack:
    """One that is open."""
    from lk_pyodide import create_local_audio_track

    return await create_local_audio_track(browser=server.browser)


def recorders(server: Server) -> list[FakeRecorder]:
    """Those that are open."""
    return [thing for thing in server.browser.get_open() if isinstance(thing, FakeRecorder)]


async def test_all_of_it(server: Server) -> None:
    track = await microphone(server)
    async with LocalTrackRecorder(track) as recorder:
        (native,) = recorders(server)
        native.record(b"a")
        native.record(b"b")
        assert await anext(recorder) == b"a"
        assert recorder.mime_type == "audio/webm;codecs=opus"
        native.record(b"c")
    assert await recorder.read_all() == b"bc"
    assert [chunk async for chunk in recorder] == []
    await recorder.stop()
    assert recorders(server) == []
    track.stop()


async def test_forgotten(server: Server) -> None:
    """Whoever reads is not left waiting, and an exception inside does not wait for the rest."""
    track = await microphone(server)
    recorder = LocalTrackRecorder(track, mime_types=["audio/ogg"])
    recorder.start()
    reading = asyncio.ensure_future(recorder.read_all())
    await asyncio.sleep(0)
    recorder.close()
    assert await reading == b""
    with pytest.raises(KeyError):
        async with LocalTrackRecorder(track):
            raise KeyError
    assert recorders(server) == []
    track.stop()


async def test_once(server: Server) -> None:
    track = await microphone(server)
    recorder = LocalTrackRecorder(track)
    await recorder.stop()
    assert await recorder.read_all() == b""
    recorder.start()
    with pytest.raises(UsageError, match="once"):
        recorder.start()
    recorder.close()
    with pytest.raises(UsageError):
        LocalTrackRecorder(track, timeslice=0)
    track.stop()


def sent(server: Server) -> list[Any]:
    """What we have sent of the stream."""
    return [packet.value for packet in server.packets if not isinstance(packet.value, m.UserPacket)]


async def test_what_is_said_before_the_connection(room: Room, server: Server) -> None:
    """It is recorded at once; the agent that comes gets it, until it is subscribed."""
    connecting = asyncio.ensure_future(room.connect(URL, "token"))
    await asyncio.sleep(0)
    enabling = asyncio.ensure_future(room.local_participant.set_microphone_enabled(True, publish_options=EARLY))
    await until(lambda: recorders(server))
    assert not room.isconnected()
    (native,) = recorders(server)
    native.record(b"hello ")
    await connecting
    publication = await enabling
    assert publication is not None
    request = await server.heard(m.AddTrackRequest)
    assert m.AudioTrackFeature.TF_PRECONNECT_BUFFER in request.audio_features
    await server.say(m.ParticipantUpdate((participant("somebody"), AGENT)))
    await until(lambda: len(sent(server)) == 2)
    header, first = sent(server)
    assert isinstance(header, DataStream.Header)
    assert header.topic == "lk.agent.pre-connect-audio-buffer"
    assert header.mime_type == "audio/webm;codecs=opus"
    assert header.attributes == {"trackId": publication.sid, "sampleRate": "48000", "channels": "1"}
    assert server.packets[0].destination_identities == ("agent",)
    assert first.content == b"hello "
    native.record(b"agent")
    await until(lambda: len(sent(server)) == 3)
    await server.say(m.TrackSubscribed(publication.sid))
    await until(lambda: isinstance(sent(server)[-1], DataStream.Trailer))
    assert recorders(server) == []


async def test_no_agent_comes(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The track is published anyway, and the record is thrown away."""
    monkeypatch.setattr(pre, "LONGEST", 0.05)
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True, publish_options=EARLY)
    assert publication is not None
    await until(lambda: not recorders(server))
    await until(lambda: "no agent came" in caplog.text)
    assert not publication.muted
    caplog.clear()


async def test_leaving_meanwhile(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    await room.local_participant.set_microphone_enabled(True, publish_options=EARLY)
    await until(lambda: recorders(server))
    await room.disconnect()
    assert recorders(server) == []


async def test_never_connected(room: Room, server: Server) -> None:
    """What cannot be published is closed, with its record."""
    with pytest.raises(Exception, match="not connected"):
        await room.local_participant.set_microphone_enabled(True, publish_options=EARLY)
    assert recorders(server) == []


async def test_only_for_microphones_that_are_opened(room: Room, server: Server) -> None:
    """Muting and unmuting begins no record."""
    await room.connect(URL, "token")
    me = room.local_participant
    await me.set_microphone_enabled(True)
    await me.set_microphone_enabled(False)
    await me.set_microphone_enabled(True, publish_options=EARLY)
    assert recorders(server) == []
