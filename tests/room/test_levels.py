"""How loud tracks are: analysers, silent microphones, and speaking while one is muted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lk_pyodide import (
    LocalAudioTrack,
    LocalTrackPublication,
    Room,
    RoomOptions,
    TrackPublishOptions,
    UsageError,
    create_audio_analyser,
    create_local_audio_track,
    create_local_video_track,
)
from lk_pyodide.browser.api_audio import AnalyserInit
from lk_pyodide.browser.fake.audio import FakeAnalyser
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.core.voice import ATTACK, GRACE, RELEASE
from lk_pyodide.testing import FakeBrowser
from lk_pyodide.types import TrackSource
from tests.room import clock
from tests.room.server import URL, Server, until

MICROPHONES = ("default-mic", "second-mic")


def analysers(browser: FakeBrowser) -> list[FakeAnalyser]:
    """Those that hear something."""
    return [thing for thing in browser.get_open() if isinstance(thing, FakeAnalyser)]


async def microphone(browser: FakeBrowser) -> tuple[LocalAudioTrack, FakeMediaStreamTrack]:
    """A microphone that is not published."""
    track = await create_local_audio_track(browser=browser)
    assert isinstance(track, LocalAudioTrack)
    native: FakeMediaStreamTrack = track.media_stream_track
    return track, native


# -- analysers ---------------------------------------------------------------------------------------------------------


async def test_how_loud_a_track_is() -> None:
    browser = FakeBrowser()
    track, native = await microphone(browser)
    analyser = create_audio_analyser(track, fft_size=64, max_decibels=-30)
    assert analyser.analyser.init == AnalyserInit(64, 0.8, -100, -30, clone=False)
    native.audio_level = 0.5
    assert (analyser.calculate_volume(), analyser.level) == (0.5, 0.5)
    assert await analyser.get_frequencies() == bytes([128]) * 32
    await track.mute()
    assert analyser.calculate_volume() == 0
    analyser.cleanup()
    analyser.cleanup()
    assert (analyser.calculate_volume(), analyser.level, await analyser.get_frequencies()) == (0, 0, b"")
    with pytest.raises(UsageError):
        _ = analyser.analyser
    assert not analysers(browser) and not track._followers
    track.stop()


async def test_a_clone_hears_while_the_track_is_muted() -> None:
    browser = FakeBrowser()
    track, native = await microphone(browser)
    native.audio_level = 0.5
    async with create_audio_analyser(track, clone_track=True) as analyser:
        await track.mute()
        assert analyser.calculate_volume() == 0.5
    assert not analysers(browser)
    track.stop()


async def test_it_follows_the_track_to_another_device_and_ends_with_it() -> None:
    """No clone holds the device that was before, or one that was let go."""
    browser = FakeBrowser()
    track, _ = await microphone(browser)
    analyser = create_audio_analyser(track, clone_track=True)
    assert await track.set_device_id(MICROPHONES[1])
    native: FakeMediaStreamTrack = track.media_stream_track
    native.audio_level = 0.7
    assert analyser.level == 0.7 and len(analysers(browser)) == 1
    track._stop_on_mute = True
    await track.mute()
    assert not analysers(browser) and analyser.level == 0
    await track.unmute()
    assert len(analysers(browser)) == 1
    track.stop()
    assert not analysers(browser)
    late = create_audio_analyser(track)
    assert late.level == 0
    late.cleanup()
    assert browser.get_open() == []


async def test_what_cannot_be_analysed() -> None:
    browser = FakeBrowser()
    track, _ = await microphone(browser)
    for wrong in ({"fft_size": 1000}, {"fft_size": 16}, {"smoothing_time_constant": 2}, {"min_decibels": -80}):
        with pytest.raises(UsageError):
            create_audio_analyser(track, **wrong)  # type: ignore[arg-type]
    picture = await create_local_video_track(browser=browser)
    with pytest.raises(UsageError, match="no sound"):
        create_audio_analyser(picture)
    assert not analysers(browser)
    track.stop()
    picture.stop()


def test_the_level_of_a_microphone() -> None:
    """It is listened to while it is read, and ends with the track."""

    async def read() -> None:
        browser = FakeBrowser()
        track, native = await microphone(browser)
        assert not analysers(browser)
        for _ in range(20):
            native.audio_level = 0.5
            assert track.audio_level == 0.5
            await asyncio.sleep(1)
        assert len(analysers(browser)) == 1
        await track.set_device_id(MICROPHONES[1])
        other: FakeMediaStreamTrack = track.media_stream_track
        other.audio_level = 0.25
        assert track.audio_level == 0.25
        await track.mute()
        assert track.audio_level == 0
        await asyncio.sleep(6)
        assert not analysers(browser)
        await track.unmute()
        assert track.audio_level == 0.25
        track.stop()
        assert track.audio_level == 0
        assert browser.get_open() == []
        await asyncio.sleep(6)
        assert not track._followers

    clock.run(read())


# -- silence -----------------------------------------------------------------------------------------------------------


def test_a_microphone_that_gives_nothing() -> None:
    async def check() -> None:
        browser = FakeBrowser()
        track, native = await microphone(browser)
        assert not await track.check_for_silence()
        native.audio_level = 0
        assert await track.check_for_silence()
        await track.mute()
        assert await track.check_for_silence()
        native.audio_level = 0.01
        assert not await track.check_for_silence(), "the device is heard, not what is sent"
        native.audio_level = 0
        checking = asyncio.create_task(track.check_for_silence())
        await asyncio.sleep(0.1)
        await track.unmute()
        assert not await checking
        browser.playback_blocked = True
        assert not await track.check_for_silence(), "nobody knows"
        browser.playback_blocked = False
        checking = asyncio.create_task(track.check_for_silence())
        await asyncio.sleep(0.1)
        track.stop()
        assert not await checking
        assert browser.get_open() == []

    clock.run(check())


async def test_a_silent_microphone_is_told(room: Room, server: Server) -> None:
    """After it is published, and when another one is taken; not while it is muted."""
    told: list[LocalTrackPublication] = []
    room.on("local_audio_silence_detected", told.append)
    await room.connect(URL, "token")
    server.browser.media_devices.levels = {MICROPHONES[0]: 0.0}
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    await until(lambda: told == [publication])
    assert await room.switch_active_device("audioinput", MICROPHONES[1])
    await until(lambda: not analysers(server.browser))
    assert told == [publication]
    assert await room.switch_active_device("audioinput", MICROPHONES[0])
    await until(lambda: told == [publication] * 2)
    await publication.mute()
    assert await room.switch_active_device("audioinput", MICROPHONES[0])
    await until(lambda: not analysers(server.browser))
    assert told == [publication] * 2


# -- speaking while muted ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def published(
    server: Server, *, stop_on_mute: bool = False, wanted: bool = True
) -> AsyncIterator[tuple[Room, LocalTrackPublication, list[LocalTrackPublication]]]:
    """A room with a microphone, and what is told of speaking while it is muted."""
    told: list[LocalTrackPublication] = []
    async with Room(RoomOptions(speaking_while_muted=wanted), browser=server.browser) as room:
        room.on("speaking_while_muted", told.append)
        await room.connect(URL, "token")
        options = TrackPublishOptions(stop_mic_track_on_mute=stop_on_mute)
        publication = await room.local_participant.set_microphone_enabled(True, None, options)
        assert publication is not None
        yield room, publication, told


def with_server(test: Any) -> Any:
    """Run a test in no time."""

    async def work() -> None:
        server = Server()
        await test(server)
        await asyncio.sleep(0)
        left = [thing for thing in server.browser.get_open() if isinstance(thing, FakeAnalyser)]
        assert not left
        assert all(native.ready_state == "ended" for native in server.browser.media_devices.captured)
        await server.browser.aclose()

    def run() -> None:
        clock.run(work())

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run


def _native(publication: LocalTrackPublication) -> FakeMediaStreamTrack:
    native: FakeMediaStreamTrack = publication.track.media_stream_track
    return native


_SOON = GRACE + ATTACK + 0.2


@with_server
async def test_speaking_while_muted(server: Server) -> None:
    """It is told once for each bout, while the microphone is muted and not before; it listens only as long."""
    async with published(server) as (_, publication, told):
        _native(publication).audio_level = 0.1
        await asyncio.sleep(10)
        assert told == [] and not analysers(server.browser)
        await publication.mute()
        await asyncio.sleep(_SOON)
        assert told == [publication]
        await asyncio.sleep(10)
        assert told == [publication]
        _native(publication).audio_level = 0.001
        await asyncio.sleep(RELEASE * 2)
        _native(publication).audio_level = 0.1
        await asyncio.sleep(ATTACK * 2)
        assert told == [publication] * 2
        assert not _native(publication).enabled, "nothing of it is sent"
        await publication.unmute()
        await asyncio.sleep(10)
        assert told == [publication] * 2 and not analysers(server.browser)
        await publication.mute()
        await asyncio.sleep(_SOON)
        assert told == [publication] * 3


@with_server
async def test_it_is_off_unless_it_is_asked_for(server: Server) -> None:
    async with published(server, wanted=False) as (_, publication, told):
        _native(publication).audio_level = 0.1
        await publication.mute()
        await asyncio.sleep(10)
        assert told == [] and not analysers(server.browser)


@with_server
async def test_it_goes_on_with_another_microphone(server: Server) -> None:
    async with published(server) as (room, publication, told):
        await publication.mute()
        await asyncio.sleep(1)
        await room.switch_active_device("audioinput", MICROPHONES[1])
        _native(publication).audio_level = 0.1
        await asyncio.sleep(_SOON)
        assert told == [publication]


@with_server
async def test_a_microphone_that_is_let_go_while_it_is_muted(server: Server) -> None:
    """Nothing holds it."""
    async with published(server, stop_on_mute=True) as (_, publication, told):
        await asyncio.sleep(1)
        await publication.mute()
        await asyncio.sleep(1)
        assert not analysers(server.browser) and told == []


@with_server
async def test_nothing_listens_any_more_when_it_is_unpublished(server: Server) -> None:
    async with published(server) as (room, publication, told):
        await publication.mute()
        await asyncio.sleep(0.1)
        assert len(analysers(server.browser)) == 1
        await room.local_participant.unpublish_track(publication.sid)
        assert not analysers(server.browser)
        await asyncio.sleep(10)
        assert told == []


@with_server
async def test_nothing_listens_any_more_when_the_room_is_left(server: Server) -> None:
    """Whoever keeps the microphone keeps it alone."""
    async with published(server) as (room, publication, told):
        await publication.mute()
        await asyncio.sleep(1)
        await room.disconnect(stop_tracks=False)
        await asyncio.sleep(0)
        assert not analysers(server.browser)
        assert publication.track.media_stream_track.ready_state == "live"
        _native(publication).audio_level = 0.1
        await asyncio.sleep(5)
        assert told == []
        publication.track.stop()


@with_server
async def test_other_sounds_are_not_listened_to(server: Server) -> None:
    async with published(server) as (room, _, _told):
        screen = server.browser.make_track("audio")
        options = TrackPublishOptions(source=TrackSource.SCREENSHARE_AUDIO)
        publication = await room.local_participant.publish_track(screen, options)
        await asyncio.sleep(1)
        await publication.mute()
        assert not analysers(server.browser)
        await room.local_participant.unpublish_track(publication.sid)
