"""How loud others are played, on which speaker, and how late."""

import logging

import pytest

from lk_pyodide import (
    MediaDeviceError,
    RemoteAudioTrack,
    RemoteTrack,
    Room,
    RoomOptions,
    TrackSource,
    TrackSubscribed,
    UsageError,
)
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.browser.fake.transceiver import FakeReceiver
from lk_pyodide.core import messages as m
from lk_pyodide.types import DeviceInfo
from tests.room.server import URL, Server, participant, track, until

SPEAKERS = ("default-speaker", "second-speaker")


async def subscribed(room: Room, server: Server, sid: str, source: TrackSource = TrackSource.MICROPHONE) -> RemoteTrack:
    """Have ada publish something, and get it."""
    await server.say(m.ParticipantUpdate((participant("ada", track(sid, source), version=2),)))
    await server.send_media("ada", sid, "video" if source == TrackSource.CAMERA else "audio")
    return (await room.wait_for(TrackSubscribed, timeout=5)).track


async def sound_of(room: Room, server: Server, sid: str = "TR_a") -> RemoteAudioTrack:
    """Somebody's microphone."""
    found = await subscribed(room, server, sid)
    assert isinstance(found, RemoteAudioTrack)
    return found


async def test_a_track_is_as_loud_as_it_is_said(room: Room, server: Server) -> None:
    """In every element, those to come included; an element that is used again is as loud as a new one."""
    await room.connect(URL, "token")
    sound = await sound_of(room, server)
    element: FakeNode = sound.attach()
    assert (sound.get_volume(), element.volume) == (1.0, 1.0)
    sound.set_volume(0.25)
    later: FakeNode = sound.attach()
    assert (sound.get_volume(), element.volume, later.volume) == (0.25, 0.25, 0.25)
    sound.set_volume(0)
    assert (sound.get_volume(), element.volume, later.volume) == (0, 0, 0)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError):
            sound.set_volume(wrong)
    sound.detach()
    assert element.volume == 1.0


async def test_an_element_of_the_users_keeps_its_volume(room: Room, server: Server) -> None:
    """Until somebody says otherwise."""
    await room.connect(URL, "token")
    sound = await sound_of(room, server)
    own = server.browser.add_node("#own", "audio")
    own.volume = 0.5
    sound.attach("#own")
    assert own.volume == 0.5
    sound.set_volume(0.75)
    assert own.volume == 0.75


async def test_a_participant_is_as_loud_as_it_is_said(room: Room, server: Server) -> None:
    """Before its track is here as well as after, each source by itself."""
    server.others = (participant("ada"),)
    await room.connect(URL, "token")
    ada = room.remote_participants["ada"]
    assert ada.get_volume() == 1.0
    ada.set_volume(0.5)
    ada.set_volume(0.1, TrackSource.SCREENSHARE_AUDIO)
    assert (ada.get_volume(), ada.get_volume(TrackSource.SCREENSHARE_AUDIO)) == (0.5, 0.1)
    sound = await sound_of(room, server)
    element: FakeNode = sound.attach()
    assert (sound.get_volume(), element.volume) == (0.5, 0.5)
    ada.set_volume(0.75)
    assert (ada.get_volume(), sound.get_volume(), element.volume) == (0.75, 0.75, 0.75)
    sound.set_volume(0.3)
    assert ada.get_volume() == 0.3
    with pytest.raises(UsageError):
        ada.set_volume(2)
    with pytest.raises(UsageError, match="no sound"):
        ada.set_volume(0.5, TrackSource.CAMERA)


async def test_a_speaker_of_its_own(room: Room, server: Server) -> None:
    """For one track, until the room's speaker is chosen anew."""
    server.browser.media_devices.devices.append(DeviceInfo(SPEAKERS[1], "audiooutput", "Second"))
    await room.connect(URL, "token")
    sound = await sound_of(room, server)
    element: FakeNode = sound.attach()
    await sound.set_sink_id(SPEAKERS[1])
    later: FakeNode = sound.attach()
    await until(lambda: later.sink_id)
    assert [element.sink_id, later.sink_id] == [SPEAKERS[1]] * 2
    assert room.get_active_device("audiooutput") == "default"
    with pytest.raises(MediaDeviceError):
        await sound.set_sink_id("gone")
    assert element.sink_id == SPEAKERS[1]
    with pytest.raises(MediaDeviceError):
        await room.switch_active_device("audiooutput", "gone")
    assert element.sink_id == SPEAKERS[1]
    await room.switch_active_device("audiooutput", SPEAKERS[0])
    assert [element.sink_id, later.sink_id] == [SPEAKERS[0]] * 2
    await sound.set_sink_id(SPEAKERS[1])
    await sound.set_sink_id("")
    assert [element.sink_id, later.sink_id] == [SPEAKERS[0]] * 2


async def test_the_speaker_that_the_options_name(server: Server) -> None:
    async with Room(RoomOptions(audio_output=SPEAKERS[0]), browser=server.browser) as room:
        assert room.get_active_device("audiooutput") == SPEAKERS[0]
        await room.connect(URL, "token")
        element: FakeNode = (await sound_of(room, server)).attach()
        await until(lambda: element.sink_id)
        assert element.sink_id == SPEAKERS[0]


async def test_an_unknown_speaker_in_the_options(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The sound stays where it can be heard, and the log says so."""
    async with Room(RoomOptions(audio_output="gone"), browser=server.browser) as room:
        await room.connect(URL, "token")
        with caplog.at_level(logging.WARNING):
            element: FakeNode = (await sound_of(room, server)).attach()
            await until(lambda: "no such loudspeaker" in caplog.text)
        assert element.sink_id == "" and element.playing


async def test_what_comes_is_played_later(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    sound = await sound_of(room, server)
    receiver = sound._receiver
    assert isinstance(receiver, FakeReceiver)
    assert (sound.get_playout_delay(), receiver.playout_delay) == (0, None)
    sound.set_playout_delay(0.5)
    assert (sound.get_playout_delay(), receiver.playout_delay) == (0.5, 0.5)
    for wrong in (-1, 4.5, float("nan")):
        with pytest.raises(UsageError):
            sound.set_playout_delay(wrong)
    assert sound.get_playout_delay() == 0.5
