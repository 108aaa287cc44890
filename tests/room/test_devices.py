"""Choosing camera, microphone and speaker while a room goes on, with devices that show and play nothing."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from lk_pyodide import (
    DeviceInfo,
    LocalTrackPublication,
    MediaDeviceError,
    Room,
    RoomOptions,
    TrackInvalidError,
    TrackSubscribed,
    UsageError,
    VideoCaptureOptions,
)
from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack, FakeTrack
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource
from tests.room.server import URL, Server, participant, track, until

CAMERAS = ("default-camera", "second-camera")
MICROPHONES = ("default-mic", "second-mic")


def heard(room: Room) -> list[tuple[str, str]]:
    """The devices that `active_device_changed` tells from here on."""
    told: list[tuple[str, str]] = []
    room.on("active_device_changed", lambda kind, device_id: told.append((kind, device_id)))
    return told


async def camera(room: Room) -> LocalTrackPublication:
    """Publish the camera."""
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    return publication


def live(server: Server) -> list[str]:
    """The devices that are open."""
    captured = server.browser.media_devices.captured
    return [native.settings.device_id for native in captured if native.ready_state == "live"]


def sent(publication: LocalTrackPublication) -> object:
    """What goes to the server."""
    sender = publication.track._sender
    assert isinstance(sender, FakeSender)
    return sender.native


async def test_another_camera(room: Room, server: Server) -> None:
    """The same publication goes on with it, in its elements too; the former one is let go."""
    await room.connect(URL, "token")
    told = heard(room)
    publication = await camera(room)
    assert room.get_active_device("videoinput") == CAMERAS[0]
    element: FakeNode = publication.track.attach()
    assert await room.switch_active_device("videoinput", CAMERAS[1])
    assert live(server) == [CAMERAS[1]]
    assert publication.track.device_id == CAMERAS[1]
    native = publication.track.media_stream_track
    assert sent(publication) is native and element.tracks == {"video": native}
    assert told == [("videoinput", CAMERAS[0]), ("videoinput", CAMERAS[1])]
    assert room.get_active_device("videoinput") == CAMERAS[1]
    assert room.local_participant.get_track_publication(TrackSource.CAMERA) is publication
    await room.local_participant.unpublish_track(publication.sid)
    again = await camera(room)
    assert again.track.device_id == CAMERAS[1], "it is remembered"
    assert len(told) == 2


async def test_before_anything_is_published(room: Room, server: Server) -> None:
    """Nothing is opened; what is opened later comes from there."""
    told = heard(room)
    assert room.get_active_device("audioinput") == "default"
    assert await room.switch_active_device("audioinput", MICROPHONES[1])
    assert await room.switch_active_device("audioinput", MICROPHONES[1])
    assert told == [("audioinput", MICROPHONES[1])]
    assert not server.browser.media_devices.asked
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None and publication.track.device_id == MICROPHONES[1]


async def test_the_options_say_what_to_begin_with(server: Server) -> None:
    options = RoomOptions(video_capture_defaults=VideoCaptureOptions(device_id=CAMERAS[1]))
    room = Room(options, browser=server.browser)
    assert room.get_active_device("videoinput") == CAMERAS[1]
    assert room.get_active_device("nothing") is None
    await room.switch_active_device("videoinput", CAMERAS[0])
    assert options.video_capture_defaults == VideoCaptureOptions(device_id=CAMERAS[1]), "they are the caller's"


async def test_a_camera_that_is_off(room: Room, server: Server) -> None:
    """It stays off, and comes from there when it is turned on."""
    await room.connect(URL, "token")
    publication = await camera(room)
    await publication.mute()
    asked = len(server.browser.media_devices.asked)
    assert await room.switch_active_device("videoinput", CAMERAS[1])
    assert len(server.browser.media_devices.asked) == asked
    assert room.get_active_device("videoinput") == CAMERAS[1]
    await publication.unmute()
    assert live(server) == [CAMERAS[1]]


async def test_a_microphone_that_is_muted(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is open, and nothing of it is heard before it is unmuted, not even while it is handed over."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    handed_over: list[bool] = []
    replace_track = FakeSender.replace_track

    async def replace(sender: FakeSender, media: MediaTrack | None) -> None:
        assert isinstance(media, FakeTrack)
        handed_over.append(media.native.enabled)
        publication.mute()
        await replace_track(sender, media)

    monkeypatch.setattr(FakeSender, "replace_track", replace)
    assert await room.switch_active_device("audioinput", MICROPHONES[1])
    assert not publication.track.media_stream_track.enabled
    assert await room.switch_active_device("audioinput", MICROPHONES[0])
    assert handed_over == [True, False]
    native: FakeMediaStreamTrack = publication.track.media_stream_track
    assert (native.settings.device_id, native.enabled) == (MICROPHONES[0], False)
    await publication.unmute()
    assert publication.track.media_stream_track is native and native.enabled


async def test_muting_while_it_switches(room: Room, server: Server) -> None:
    """The last word counts: no camera stays on."""
    await room.connect(URL, "token")
    publication = await camera(room)
    server.browser.media_devices.hold()
    switching = asyncio.create_task(room.switch_active_device("videoinput", CAMERAS[1]))
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    muting = publication.mute()
    server.browser.media_devices.release()
    await asyncio.gather(switching, muting)
    assert publication.muted and live(server) == []
    await publication.unmute()
    assert live(server) == [CAMERAS[1]]


async def test_a_device_that_is_not_there(room: Room, server: Server) -> None:
    """Everything stays as it was; and without `exact` another one is taken, which is told."""
    await room.connect(URL, "token")
    publication = await camera(room)
    told = heard(room)
    with pytest.raises(MediaDeviceError) as caught:
        await room.switch_active_device("videoinput", "gone")
    assert caught.value.name == "OverconstrainedError"
    assert not publication.muted and live(server) == [CAMERAS[0]]
    assert room.get_active_device("videoinput") == CAMERAS[0]
    assert room.options.video_capture_defaults is None
    assert told == []
    await publication.mute()
    await publication.unmute()
    assert live(server) == [CAMERAS[0]]
    assert not await room.switch_active_device("videoinput", "gone", exact=False)
    assert room.get_active_device("videoinput") == CAMERAS[0]


async def test_neither_device_can_be_had(room: Room, server: Server) -> None:
    """The track is muted, everyone is told, and it can be turned on again later."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    server.browser.media_devices.failure = "NotReadableError"
    with pytest.raises(MediaDeviceError):
        await room.switch_active_device("audioinput", MICROPHONES[1])
    assert publication.muted
    assert await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest("TR_1", True)
    server.browser.media_devices.failure = ""
    await room.local_participant.set_microphone_enabled(True)
    assert live(server) == [MICROPHONES[0]]


async def test_giving_up_on_it(room: Room, server: Server) -> None:
    """A switch that is cancelled leaves the former device."""
    await room.connect(URL, "token")
    publication = await camera(room)
    server.browser.media_devices.hold()
    switching = asyncio.create_task(room.switch_active_device("videoinput", CAMERAS[1]))
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    switching.cancel()
    server.browser.media_devices.release()
    with pytest.raises(asyncio.CancelledError):
        await switching
    assert live(server) == [CAMERAS[0]]
    assert publication.track.device_id == room.get_active_device("videoinput") == CAMERAS[0]


async def test_leaving_while_it_switches(room: Room, server: Server) -> None:
    """No camera stays on."""
    await room.connect(URL, "token")
    await camera(room)
    server.browser.media_devices.hold()
    switching = asyncio.create_task(room.switch_active_device("videoinput", CAMERAS[1]))
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    await room.disconnect()
    server.browser.media_devices.release()
    await switching
    assert live(server) == []


async def test_the_last_of_many_wins(room: Room, server: Server) -> None:
    """Switching and turning on and off at once: the end is what was asked for last, with one publication."""
    await room.connect(URL, "token")
    me = room.local_participant
    calls = [
        me.set_camera_enabled(True),
        *(room.switch_active_device("videoinput", CAMERAS[number % 2]) for number in range(5)),
        me.set_camera_enabled(False),
        room.switch_active_device("videoinput", CAMERAS[1]),
        me.set_camera_enabled(True),
    ]
    await asyncio.gather(*(asyncio.create_task(call) for call in calls))
    assert live(server) == [CAMERAS[1]]
    assert len(me.track_publications) == 1 and me.is_camera_enabled


async def test_what_cannot_be_switched(room: Room, server: Server) -> None:
    """A track that the user made, a screen, a kind that there is not."""
    await room.connect(URL, "token")
    own = await room.local_participant.publish_track(server.browser.make_track("video"))
    screen = await room.local_participant.set_screen_share_enabled(True)
    assert screen is not None
    for publication in (own, screen):
        with pytest.raises(TrackInvalidError):
            await publication.track.set_device_id(CAMERAS[1])
    with pytest.raises(UsageError, match="not 'camera'"):
        await room.switch_active_device("camera", CAMERAS[1])


async def _sound(room: Room, server: Server) -> tuple[FakeNode, FakeNode]:
    """Two elements that play somebody's sound."""
    await server.say(m.ParticipantUpdate((participant("ada", track("TR_a", TrackSource.MICROPHONE)),)))
    await server.send_media("ada", "TR_a", "audio")
    sound = (await room.wait_for(TrackSubscribed, timeout=5)).track
    return sound.attach(), sound.attach()


async def test_another_speaker(room: Room, server: Server) -> None:
    """All sound is moved, and what is attached later plays there; pictures have no speaker."""
    server.browser.media_devices.devices.append(DeviceInfo("second-speaker", "audiooutput", "Second"))
    await room.connect(URL, "token")
    told = heard(room)
    elements = await _sound(room, server)
    assert room.get_active_device("audiooutput") == "default"
    assert await room.switch_active_device("audiooutput", "second-speaker")
    assert [element.sink_id for element in elements] == ["second-speaker"] * 2
    assert told == [("audiooutput", "second-speaker")]
    sound = room.remote_participants["ada"].track_publications["TR_a"].track
    assert sound is not None
    later: FakeNode = sound.attach()
    await until(lambda: later.sink_id == "second-speaker")
    shown: FakeNode = (await camera(room)).track.attach()
    await asyncio.sleep(0)
    assert shown.sink_id == ""


async def test_a_speaker_that_is_not_there(room: Room, server: Server) -> None:
    """Everything stays as it was, be there an element or none; one that goes meanwhile does not matter."""
    await room.connect(URL, "token")
    with pytest.raises(MediaDeviceError):
        await room.switch_active_device("audiooutput", "gone")
    elements = await _sound(room, server)
    with pytest.raises(MediaDeviceError):
        await room.switch_active_device("audiooutput", "gone")
    assert [element.sink_id for element in elements] == ["", ""]
    assert room.get_active_device("audiooutput") == "default"
    switching = asyncio.create_task(room.switch_active_device("audiooutput", "default-speaker"))
    await asyncio.sleep(0)
    sound = room.remote_participants["ada"].track_publications["TR_a"].track
    assert sound is not None
    sound.detach(elements[0])
    assert await switching
    assert elements[1].sink_id == "default-speaker"


async def test_a_speaker_that_goes_while_sound_is_moved(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sound goes back to where it was, and so does what comes later."""
    await room.connect(URL, "token")
    elements = await _sound(room, server)
    assert await room.switch_active_device("audiooutput", "default-speaker")
    monkeypatch.setattr(room._playback, "_try", AsyncMock())  # it was there a moment ago
    with pytest.raises(MediaDeviceError):
        await room.switch_active_device("audiooutput", "gone")
    sound = room.remote_participants["ada"].track_publications["TR_a"].track
    assert sound is not None
    later: FakeNode = sound.attach()
    await until(lambda: later.sink_id)
    assert [element.sink_id for element in (*elements, later)] == ["default-speaker"] * 3
    assert room.get_active_device("audiooutput") == "default-speaker"
