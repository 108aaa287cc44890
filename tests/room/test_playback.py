"""Whether sound and pictures may play, as elements tell it one by one."""

import asyncio

import pytest

from lk_pyodide import PlaybackError, RemoteTrack, Room
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource
from tests.room.server import URL, Server, participant, track, until


async def _two_voices(room: Room, server: Server) -> list[RemoteTrack]:
    """Two people to be heard, by no element yet."""
    tracks: list[RemoteTrack] = []
    room.on("track_subscribed", lambda track: tracks.append(track))
    await room.connect(URL, "token")
    for name in ("ada", "ben"):
        await server.say(m.ParticipantUpdate((participant(name, track(f"TR_{name}", TrackSource.MICROPHONE)),)))
        await server.send_media(name, f"TR_{name}", "audio")
    await until(lambda: len(tracks) == 2)
    return tracks


async def test_one_that_plays_does_not_speak_for_the_others(room: Room, server: Server) -> None:
    """As long as somebody is not heard, a click is wanted; one that starts them all is enough."""
    first, second = await _two_voices(room, server)
    told: list[bool] = []
    room.on("audio_playback_changed", told.append)
    server.browser.playback_blocked = True
    silent: FakeNode = first.attach()
    await until(lambda: not room.can_playback_audio)
    server.browser.playback_blocked = False  # the page was clicked, for something else
    second.attach()
    await asyncio.sleep(0.01)
    assert not room.can_playback_audio and not silent.playing
    await room.start_audio()
    assert told == [False, True] and silent.playing


async def test_who_is_gone_is_not_waited_for(room: Room, server: Server) -> None:
    """When the silent element goes, the next that plays shows that all is well."""
    first, second = await _two_voices(room, server)
    server.browser.playback_blocked = True
    first.attach()
    await until(lambda: not room.can_playback_audio)
    first.detach()
    server.browser.playback_blocked = False
    second.attach()
    await until(lambda: room.can_playback_audio)


async def test_starting_without_a_click_is_refused(room: Room, server: Server) -> None:
    """It raises; and an element that is closed meanwhile is nobody's loss."""
    first, second = await _two_voices(room, server)
    server.browser.playback_blocked = True
    first.attach()
    with pytest.raises(PlaybackError) as caught:
        await room.start_audio()
    assert caught.value.name == "NotAllowedError" and not room.can_playback_audio
    server.browser.playback_blocked = False
    second.attach()
    starting = room.start_audio()
    second.detach()
    await starting
    assert room.can_playback_audio
