"""Devices that go away, come, and are preferred by the system while a room goes on."""

import asyncio

import pytest

from lk_pyodide import (
    DeviceInfo,
    DevicePermission,
    LocalTrackPublication,
    MediaDeviceFailure,
    Room,
    ScreenShareCaptureOptions,
    TrackSource,
    VideoCaptureOptions,
    create_local_video_track,
    facing_mode_from_device_label,
    facing_mode_from_local_track,
    local_devices,
)
from lk_pyodide import devices as device_functions
from lk_pyodide.browser.fake.media import DEVICES, FakeMediaStreamTrack
from lk_pyodide.core import messages as m
from lk_pyodide.errors import MediaDeviceError, UsageError
from tests.room.clock import run
from tests.room.server import URL, Server, until
from tests.room.test_devices import camera, heard, live, sent

FIRST_MIC, SECOND_MIC, FIRST_CAMERA, SECOND_CAMERA, SPEAKER = DEVICES
EAR = DeviceInfo("ear", "audiooutput", "Ear", "group-2")


def default(of: DeviceInfo) -> DeviceInfo:
    """Chromium's second entry of a device."""
    return DeviceInfo("default", of.kind, f"Default - {of.label}", of.group_id)


def failures(room: Room) -> list[tuple[MediaDeviceFailure, str | None]]:
    """What `media_devices_error` tells from here on."""
    told: list[tuple[MediaDeviceFailure, str | None]] = []
    room.on("media_devices_error", lambda error, kind: told.append((MediaDeviceFailure.get_failure(error), kind)))
    return told


async def microphone(room: Room) -> LocalTrackPublication:
    """Publish the microphone."""
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    return publication


def unplug(server: Server, device: DeviceInfo) -> None:
    """The device is gone, and its tracks end."""
    server.browser.set_devices([other for other in server.browser.media_devices.devices if other != device])
    for native in server.browser.media_devices.captured:
        if native.settings.device_id == device.device_id:
            native.end()


# -- unplugged ---------------------------------------------------------------------------------------------------------


async def test_sound_goes_on_from_another_microphone(room: Room, server: Server) -> None:
    """The same publication, without a word to the others; even where the one that went had been chosen."""
    await room.connect(URL, "token")
    await room.switch_active_device("audioinput", SECOND_MIC.device_id)
    publication = await microphone(room)
    assert live(server) == [SECOND_MIC.device_id]
    told, failed = heard(room), failures(room)
    unplug(server, SECOND_MIC)
    await until(lambda: told)
    assert told == [("audioinput", FIRST_MIC.device_id)] and room.get_active_device("audioinput") == told[0][1]
    assert live(server) == [FIRST_MIC.device_id] and not publication.muted
    assert sent(publication) is publication.track.media_stream_track
    assert not failed and not [said for said in server.received if isinstance(said, m.MuteTrackRequest)]


async def test_there_is_no_other_microphone(room: Room, server: Server) -> None:
    """It is muted, and that is told; it can be turned on when there is one."""
    await room.connect(URL, "token")
    publication = await microphone(room)
    failed = failures(room)
    unplug(server, SECOND_MIC)
    unplug(server, FIRST_MIC)
    assert await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest("TR_1", True)
    assert publication.muted and failed == [(MediaDeviceFailure.NOT_FOUND, "audioinput")]
    assert isinstance(room.local_participant.last_microphone_error, MediaDeviceError)
    assert room.local_participant.last_camera_error is None
    server.browser.set_devices(list(DEVICES))
    await microphone(room)
    assert live(server) == [FIRST_MIC.device_id] and room.local_participant.is_microphone_enabled
    assert room.local_participant.last_microphone_error is None


async def test_a_permission_that_is_taken_back(room: Room, server: Server) -> None:
    """Nobody is asked again: what was live is muted, and why is told."""
    await room.connect(URL, "token")
    publications = [await microphone(room), await camera(room)]
    failed, asked = failures(room), len(server.browser.media_devices.asked)
    server.browser.media_devices.permission = DevicePermission.DENIED
    for native in server.browser.media_devices.captured:
        native.end()
    await until(lambda: len(failed) == 2)
    denied = MediaDeviceFailure.PERMISSION_DENIED
    assert sorted(failed, key=str) == [(denied, "audioinput"), (denied, "videoinput")]
    assert all(publication.muted for publication in publications)
    assert len(server.browser.media_devices.asked) == asked


@pytest.mark.parametrize("answers", [False, True])
def test_the_user_is_asked_and_does_not_answer(answers: bool) -> None:
    """Nobody believes for long that they hear somebody; an answer that comes too late opens nothing."""

    async def main() -> None:
        server = Server()
        async with Room(browser=server.browser) as room:
            await room.connect(URL, "token")
            publication = await microphone(room)
            failed = failures(room)
            server.browser.media_devices.hold()
            unplug(server, FIRST_MIC)
            await room.wait_for("track_muted", timeout=15)
            assert publication.muted and failed == [(MediaDeviceFailure.OTHER, "audioinput")]
            if answers:
                server.browser.media_devices.release()
            await asyncio.sleep(1)
            assert live(server) == []
        await server.browser.aclose()

    run(main())


async def test_a_camera_is_turned_off(room: Room, server: Server) -> None:
    """No other one films somebody who did not ask for it; when they do, another is taken."""
    await room.connect(URL, "token")
    await room.switch_active_device("videoinput", SECOND_CAMERA.device_id)
    publication = await camera(room)
    failed, asked = failures(room), len(server.browser.media_devices.asked)
    unplug(server, SECOND_CAMERA)
    await until(lambda: failed)
    assert failed == [(MediaDeviceFailure.NOT_FOUND, "videoinput")]
    assert publication.muted and await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest("TR_1", True)
    assert len(server.browser.media_devices.asked) == asked
    assert room.local_participant.last_camera_error is not None
    assert await camera(room) is publication and room.local_participant.is_camera_enabled
    assert live(server) == [FIRST_CAMERA.device_id] and room.get_active_device("videoinput") == FIRST_CAMERA.device_id
    assert room.local_participant.last_camera_error is None


async def test_a_camera_that_stops_by_itself(room: Room, server: Server) -> None:
    """It is there, and may be used, but does not work."""
    await room.connect(URL, "token")
    await camera(room)
    failed = failures(room)
    server.browser.media_devices.captured[0].end()
    await until(lambda: failed)
    assert failed == [(MediaDeviceFailure.DEVICE_IN_USE, "videoinput")]


async def test_a_camera_that_stops_in_the_background(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firefox tells a window that is not in front nothing of its devices until it is."""
    await room.connect(URL, "token")
    await camera(room)
    failed = failures(room)
    monkeypatch.setattr(local_devices, "EXPLAIN_TIMEOUT", 0.05)
    monkeypatch.setattr(server.browser.media_devices, "enumerate_devices", asyncio.Event().wait)
    server.browser.media_devices.captured[0].end()
    await until(lambda: failed)
    assert failed == [(MediaDeviceFailure.DEVICE_IN_USE, "videoinput")]


async def test_a_track_that_the_user_made(room: Room, server: Server) -> None:
    """It is muted, and left to the user."""
    await room.connect(URL, "token")
    failed, native = failures(room), server.browser.make_track("audio")
    publication = await room.local_participant.publish_track(native)
    native.end()
    await until(lambda: publication.muted)
    assert not failed and not server.browser.media_devices.asked


async def test_a_screen_that_is_shared_no_longer(room: Room, server: Server) -> None:
    """With the picture goes the sound; without the sound the picture goes on, as what is shown now may have none."""
    await room.connect(URL, "token")
    me = room.local_participant
    await me.set_screen_share_enabled(True, ScreenShareCaptureOptions(audio=True))
    picture, sound = server.browser.media_devices.captured
    sound.end()
    await until(lambda: me.get_track_publication(TrackSource.SCREENSHARE_AUDIO) is None)
    assert me.is_screen_share_enabled and picture.ready_state == "live"
    picture.end()
    await until(lambda: not me.is_screen_share_enabled)
    await me.set_screen_share_enabled(True, ScreenShareCaptureOptions(audio=True))
    server.browser.media_devices.captured[2].end()
    await until(lambda: not me.track_publications)
    assert live(server) == []


async def test_gone_before_it_was_published(room: Room, server: Server) -> None:
    """A track that ends while the server is asked is not published dead."""
    await room.connect(URL, "token")
    server.unanswered_sources = {TrackSource.CAMERA}
    publishing = asyncio.create_task(camera(room))
    asked = await server.heard(m.AddTrackRequest)
    server.browser.media_devices.captured[0].end()
    await asyncio.sleep(0)
    await server.say(m.TrackPublishedResponse(asked.cid, m.TrackInfo("TR_1", asked.type, source=asked.source)))
    assert (await publishing).muted


async def test_leaving_while_another_is_opened(room: Room, server: Server) -> None:
    """Nothing stays open."""
    await room.connect(URL, "token")
    await microphone(room)
    server.browser.media_devices.hold()
    unplug(server, FIRST_MIC)
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    await room.disconnect()
    server.browser.media_devices.release()
    await asyncio.sleep(0)
    await until(lambda: live(server) == [])


async def test_giving_up_a_switch_and_the_room(room: Room, server: Server) -> None:
    """Who leaves does not get the former camera back first."""
    await room.connect(URL, "token")
    await camera(room)
    server.browser.media_devices.hold()
    switching = asyncio.create_task(room.switch_active_device("videoinput", SECOND_CAMERA.device_id))
    await until(lambda: len(server.browser.media_devices.asked) == 2)
    await room.disconnect()
    switching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await switching
    assert len(server.browser.media_devices.asked) == 2


# -- preferred by the system -------------------------------------------------------------------------------------------


def prefer(server: Server, microphone: DeviceInfo, speaker: DeviceInfo = SPEAKER) -> None:
    """As Chromium lists it."""
    named = [default(microphone), FIRST_MIC, SECOND_MIC, default(speaker), SPEAKER, EAR]
    server.browser.set_devices([*named, FIRST_CAMERA])


async def test_another_default(room: Room, server: Server) -> None:
    """A microphone that nobody chose is opened anew, the speaker follows by itself, both are told."""
    prefer(server, FIRST_MIC)
    await room.connect(URL, "token")
    publication = await microphone(room)
    assert room.get_active_device("audioinput") == "default"
    assert await publication.track.get_device_id() == FIRST_MIC.device_id
    await until(lambda: room._context.device_watch and room._context.device_watch._known)
    told, former = heard(room), publication.track.media_stream_track
    changed: list[None] = []
    room.on("media_devices_changed", lambda: changed.append(None))
    prefer(server, SECOND_MIC, EAR)
    await until(lambda: len(told) == 2)
    assert sorted(told) == [("audioinput", "default"), ("audiooutput", "default")]
    assert former.ready_state == "ended" and sent(publication) is publication.track.media_stream_track
    assert await publication.track.get_device_id() == SECOND_MIC.device_id
    assert len(changed) == 1 and not publication.muted


async def test_a_microphone_that_was_chosen_stays(room: Room, server: Server) -> None:
    """And so does one that cannot be exchanged; the speaker that is gone gives way."""
    prefer(server, FIRST_MIC)
    await room.connect(URL, "token")
    await room.switch_active_device("audioinput", SECOND_MIC.device_id)
    await room.switch_active_device("audiooutput", EAR.device_id)
    publication = await microphone(room)
    former = publication.track.media_stream_track
    await until(lambda: room._context.device_watch and room._context.device_watch._known)
    told = heard(room)
    server.browser.set_devices([default(SECOND_MIC), FIRST_MIC, SECOND_MIC, SPEAKER])
    await until(lambda: told)
    assert told == [("audiooutput", SPEAKER.device_id)]
    assert publication.track.media_stream_track is former


async def test_a_default_that_does_not_work(room: Room, server: Server) -> None:
    """The former goes on."""
    prefer(server, FIRST_MIC)
    await room.connect(URL, "token")
    publication = await microphone(room)
    await until(lambda: room._context.device_watch and room._context.device_watch._known)
    media = server.browser.media_devices
    capture = media._capture

    def once(constraints: object) -> list[FakeMediaStreamTrack]:
        media._capture = capture  # type: ignore[method-assign]
        raise MediaDeviceError("busy", "NotReadableError")

    media._capture = once  # type: ignore[method-assign]
    asked = len(media.asked)
    prefer(server, SECOND_MIC)
    await until(lambda: len(media.asked) == asked + 2)
    await until(lambda: live(server) == ["default"])
    assert not publication.muted


async def test_default_by_name(room: Room, server: Server) -> None:
    """Whoever wants the default gets it, also where no device is called so; then it is not chosen any more."""
    await room.connect(URL, "token")
    publication = await camera(room)
    assert await room.switch_active_device("videoinput", SECOND_CAMERA.device_id)
    assert publication.track._is_chosen
    assert await room.switch_active_device("videoinput", "default")
    assert live(server) == [FIRST_CAMERA.device_id] and not publication.track._is_chosen


# -- what can be asked -------------------------------------------------------------------------------------------------


async def test_permissions(server: Server) -> None:
    """Without a question to the user."""
    server.browser.media_devices.permission = DevicePermission.PROMPT
    assert await device_functions.get_permission_state("camera", browser=server.browser) == "prompt"
    with pytest.raises(UsageError, match="'speaker'"):
        await device_functions.get_permission_state("speaker", browser=server.browser)  # type: ignore[arg-type]
    assert not server.browser.media_devices.asked


@pytest.mark.parametrize(
    ("there", "kind", "asked"),
    [
        (("audioinput", "videoinput"), None, [{"audio": True, "video": True}]),
        (("audioinput", "audiooutput"), None, [{"audio": True, "video": False}]),
        (("audioinput", "videoinput"), "audioinput", [{"audio": True, "video": False}]),
        (("audioinput", "audiooutput"), "audiooutput", [{"audio": True, "video": False}]),
        (("audiooutput",), "audiooutput", []),
        ((), None, []),
    ],
)
async def test_only_what_is_there_is_asked_for(
    there: tuple[str, ...], kind: str | None, asked: list[object], server: Server
) -> None:
    """The names of a machine without a camera can be had, too."""
    server.browser.media_devices.devices = [DeviceInfo("", each) for each in there]
    found = await device_functions.get_local_devices(kind, browser=server.browser)
    assert [device.kind for device in found] == [each for each in there if kind in (None, each)]
    assert server.browser.media_devices.asked == asked
    assert live(server) == []


async def test_which_way_a_camera_looks(server: Server) -> None:
    back = VideoCaptureOptions(facing_mode="environment")
    track = await create_local_video_track(back, browser=server.browser)
    assert facing_mode_from_local_track(track) == ("environment", "high")
    track.stop()
    track = await create_local_video_track(browser=server.browser)
    found = facing_mode_from_local_track(track, "left")
    assert (found.facing_mode, found.confidence) == ("left", "low")
    track.stop()
    assert facing_mode_from_device_label("Ada's iPhone") == ("environment", "medium")
