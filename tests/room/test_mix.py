"""All sound through one graph of Web Audio."""

import logging

import pytest

from lk_pyodide import (
    DeviceUnsupportedError,
    MediaDeviceError,
    PlaybackError,
    RemoteAudioTrack,
    Room,
    RoomOptions,
    UsageError,
)
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.types import DeviceInfo
from tests.room.server import URL, Server, until
from tests.room.test_volume import sound_of

MIX = RoomOptions(web_audio_mix=True)


async def joined(room: Room, server: Server) -> RemoteAudioTrack:
    """Be in the room, with somebody's sound."""
    await room.connect(URL, "token")
    return await sound_of(room, server)


async def test_the_graph_plays_and_the_elements_are_silent(server: Server) -> None:
    """Once, however many elements there are, and as loud as it is said, which may be louder than it came."""
    async with Room(MIX, browser=server.browser) as room:
        sound = await joined(room, server)
        assert not server.browser.get_outputs()
        room.remote_participants["ada"].set_volume(0.5)
        elements: list[FakeNode] = [sound.attach(), sound.attach()]
        (output,) = server.browser.get_outputs()
        assert output.track is sound.media_stream_track
        assert output.gain == 0.5 and all(element.muted and element.playing is False for element in elements)
        await until(lambda: all(element.playing for element in elements))
        sound.set_volume(3)
        assert (output.gain, sound.get_volume(), room.remote_participants["ada"].get_volume()) == (3, 3, 3)
        for wrong in (-0.1, float("inf"), float("nan")):
            with pytest.raises(UsageError):
                sound.set_volume(wrong)
        sound.detach(elements[0])
        assert server.browser.get_outputs() == [output]
        sound.detach(elements[1])
        assert not server.browser.get_outputs() and not elements[0].muted
        sound.attach()
        assert [each.gain for each in server.browser.get_outputs()] == [3]
    assert not server.browser.get_outputs()


async def test_a_click_is_wanted_first(server: Server) -> None:
    """The graph's word counts, not that of the elements, which play in silence."""
    told: list[bool] = []
    server.browser.playback_blocked = True
    async with Room(MIX, browser=server.browser) as room:
        room.on("audio_playback_changed", told.append)
        sound = await joined(room, server)
        element: FakeNode = sound.attach()
        await until(lambda: told and element.playing)
        assert told == [False] and not room.can_playback_audio
        with pytest.raises(PlaybackError):
            await room.start_audio()
        server.browser.playback_blocked = False
        await room.start_audio()
        assert told == [False, True] and room.can_playback_audio


async def test_a_mix_has_one_speaker(server: Server) -> None:
    server.browser.media_devices.devices.append(DeviceInfo("second-speaker", "audiooutput", "Second"))
    async with Room(MIX, browser=server.browser) as room:
        sound = await joined(room, server)
        element: FakeNode = sound.attach()
        await room.switch_active_device("audiooutput", "second-speaker")
        assert (server.browser.audio_graph.sink_id, element.sink_id) == ("second-speaker", "")
        assert room.get_active_device("audiooutput") == "second-speaker"
        with pytest.raises(MediaDeviceError):
            await room.switch_active_device("audiooutput", "gone")
        assert room.get_active_device("audiooutput") == "second-speaker"
        server.browser.audio_graph.sink_id = ""  # as it is when the graph has been closed meanwhile
        sound.detach()
        sound.attach()
        await until(lambda: server.browser.audio_graph.sink_id == "second-speaker")
        with pytest.raises(DeviceUnsupportedError):
            await sound.set_sink_id("second-speaker")


async def test_a_browser_without_web_audio(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The elements play."""

    def refuse(*_: object) -> None:
        raise DeviceUnsupportedError("this browser has no Web Audio", "NotSupportedError")

    monkeypatch.setattr(server.browser.audio_graph, "open_output", refuse)
    async with Room(MIX, browser=server.browser) as room:
        sound = await joined(room, server)
        with caplog.at_level(logging.WARNING):
            element: FakeNode = sound.attach()
        assert not element.muted and "no Web Audio" in caplog.text
        sound.detach()
