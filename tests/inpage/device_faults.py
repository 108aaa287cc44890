"""Devices that fail under a room, and a storm of toggles, in a page whose devices can be stood in for."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lk_pyodide import LocalTrackPublication, MediaDeviceError, MediaDeviceFailure, Room
from lk_pyodide.errors import DeviceUnsupportedError, LiveKitError
from tests.inpage import steps

if TYPE_CHECKING:
    from lk_pyodide.browser.ffi import Js

# Nobody can unplug the devices of a test machine. What the page is told then is what it is told here; by hand, as in
# Firefox no event reaches the listeners of a track but those that it makes itself.
_STAND_IN = """(() => {
  const devices = navigator.mediaDevices;
  const {getUserMedia, enumerateDevices} = devices;
  const {WebSocket} = globalThis;
  const stand = {
    sockets: [],
    refuse: "",
    listed: "",
    asked: 0,
    given: [],
    live: () => stand.given.filter(({readyState}) => readyState === "live").map(({kind}) => kind).sort().join(" "),
    unplug(track) { track.stop(); track.ended({type: "ended"}); },
    change(listed) { stand.listed = listed; devices.dispatchEvent(new Event("devicechange")); },
    drop() { for (const socket of stand.sockets.splice(0)) socket.close(4000); },
    end() { delete devices.getUserMedia; delete devices.enumerateDevices; globalThis.WebSocket = WebSocket; },
  };
  devices.getUserMedia = async (constraints) => {
    stand.asked += 1;
    if (stand.refuse) throw new DOMException("refused by the test", stand.refuse);
    const stream = await getUserMedia.call(devices, constraints);
    for (const track of stream.getTracks()) {
      stand.given.push(track);
      track.addEventListener = (type, listener) => { track[type] = listener; };
      track.removeEventListener = () => {};
    }
    return stream;
  };
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); stand.sockets.push(this); }
  };
  devices.enumerateDevices = async () => stand.listed ? JSON.parse(stand.listed) : enumerateDevices.call(devices);
  return stand;
})()"""


@contextmanager
def stand_in() -> Iterator[Js]:
    """Have the devices and the sockets of the page stood in for."""
    from lk_pyodide.browser.ffi import js  # where there is JavaScript

    js_stand: Js = js.eval(_STAND_IN)
    try:
        yield js_stand
    finally:
        js_stand.end()


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what has no event of its own."""
    try:
        async with asyncio.timeout(15):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what) from None


def _noting(failed: list[list[str | None]]) -> Callable[[Exception, str | None], None]:
    return lambda error, kind: failed.append([MediaDeviceFailure.get_failure(error), kind])


def _id(publication: LocalTrackPublication) -> str:
    return str(publication.track.media_stream_track.id)


async def lose(*, url: str, token: str) -> dict[str, Any]:
    """Publish camera and microphone, and have them refused, unplugged, busy and overtaken by another default.

    Returns:
        The failures that were told, in order; which states of permission there were.
    """
    failed: list[list[str | None]] = []
    with stand_in() as js_stand:
        async with Room() as room:
            await room.connect(url, token)
            me = room.local_participant
            room.on("media_devices_error", _noting(failed))
            for name in ("NotAllowedError", "NotFoundError", "NotReadableError"):
                js_stand.refuse = name
                await _refused(me.set_camera_enabled(True), name)
                assert me.last_camera_error is not None and not me.track_publications
            js_stand.refuse = ""
            permissions = [await Room.get_permission_state(name) for name in ("camera", "microphone")]
            microphone, camera = await me.set_microphone_enabled(True), await me.set_camera_enabled(True)
            assert microphone is not None and camera is not None and me.last_camera_error is None

            former = _id(microphone)
            js_stand.unplug(microphone.track.media_stream_track)
            await until(lambda: _id(microphone) != former, "the sound goes on")
            assert me.is_microphone_enabled and js_stand.live() == "audio video" and len(failed) == 3

            js_stand.unplug(camera.track.media_stream_track)
            await until(lambda: len(failed) == 4, "it is told that the camera went")
            assert camera.muted and js_stand.live() == "audio"
            await me.set_camera_enabled(True)
            assert me.is_camera_enabled and js_stand.live() == "audio video"

            js_stand.refuse = "NotReadableError"
            js_stand.unplug(microphone.track.media_stream_track)
            await until(lambda: len(failed) == 5, "it is told that the sound cannot go on")
            assert microphone.muted and js_stand.live() == "video" and me.last_microphone_error is not None
            js_stand.refuse = ""
            again = await me.set_microphone_enabled(True)
            assert again is not None and not again.muted and js_stand.live() == "audio video"

            await _prefer_another(room, js_stand, microphone)
        assert js_stand.live() == ""
    return {"failed": failed, "permissions": permissions}


async def _refused(work: Coroutine[Any, Any, object], name: str) -> None:
    try:
        await work
    except MediaDeviceError as error:
        assert error.name == name
    else:
        raise AssertionError(f"{name} was not raised")


async def _prefer_another(room: Room, js_stand: Js, microphone: LocalTrackPublication) -> None:
    """The system prefers another microphone: as Chromium says it, and as others do."""
    watch = room._context.device_watch
    assert watch is not None
    await until(lambda: any(device.label for device in watch._known), "the devices have been looked at")
    listed = [
        {"deviceId": each.device_id, "kind": each.kind, "label": each.label, "groupId": each.group_id}
        for each in watch._known
    ]
    named = [each for each in listed if (each["deviceId"], each["kind"]) == ("default", "audioinput")]
    for each in named:
        each["label"] = "Default - another microphone"
    if not named:
        listed.insert(0, {"deviceId": "another", "kind": "audioinput", "label": "Another", "groupId": "another"})
    told: list[str] = []
    room.on("media_devices_changed", lambda: told.append("changed"))
    room.on("active_device_changed", lambda kind, device_id: told.append(f"{kind} {device_id}"))
    former, asked = _id(microphone), js_stand.asked
    js_stand.change(json.dumps(listed))
    await until(lambda: _id(microphone) != former, "the microphone follows")
    await until(lambda: not named or "audioinput default" in told, "it is told")
    assert js_stand.asked == asked + 1 and told[0] == "changed" and not microphone.muted


async def be_revoked(*, url: str, token: str) -> list[list[str | None]]:
    """Publish both, and wait until the permissions have been taken back; what was told then."""
    failed: list[list[str | None]] = []
    async with Room() as room:
        await room.connect(url, token)
        me = room.local_participant
        room.on("media_devices_error", _noting(failed))
        await me.enable_camera_and_microphone()
        assert await Room.get_permission_state("camera") == "granted"
        steps.reached("live")
        await until(lambda: len(failed) == 2, "both are told")
        assert await Room.get_permission_state("camera") == "denied"
        assert not me.is_camera_enabled and not me.is_microphone_enabled
        assert all(publication.muted for publication in me.track_publications.values())
    return failed


async def be_insecure(*, url: str, tokens: list[str]) -> list[str]:
    """On a page that is not secure: two meet, one tells the other something; then one wants devices.

    Returns:
        What was raised.
    """
    raised: list[str] = []
    async with Room() as one, Room() as other:
        await one.connect(url, tokens[0])
        await other.connect(url, tokens[1])
        me = one.local_participant
        heard = asyncio.ensure_future(other.wait_for("data_received", timeout=15))
        await asyncio.sleep(0)
        await me.publish_data("in the clear")
        assert (await heard).packet.data == b"in the clear"
        told: list[str] = []
        one.on("media_devices_error", lambda error: told.append(str(error)))
        for want in (me.set_camera_enabled, me.set_microphone_enabled, me.set_screen_share_enabled):
            try:
                await want(True)
            except DeviceUnsupportedError as error:
                raised.append(str(error))
        assert told == raised
        try:
            await Room.get_local_devices()
        except DeviceUnsupportedError as error:
            raised.append(str(error))
        assert await Room.get_permission_state("camera") in ("denied", "unknown")
    return raised


async def storm(*, url: str, token: str, seed: int) -> None:
    """A hundred random requests; then the camera on and the microphone as chance wants it, and others look at it."""
    chance = random.Random(seed)
    with stand_in() as js_stand:
        async with Room() as room:
            await room.connect(url, token)
            me = room.local_participant
            devices = [device for device in await Room.get_local_devices() if device.kind != "audiooutput"]
            working: list[asyncio.Future[Any]] = []
            wanted = {"camera": False, "microphone": False}

            def turn(source: str, is_on: bool) -> None:
                wanted[source] = is_on
                work = me.set_camera_enabled(is_on) if source == "camera" else me.set_microphone_enabled(is_on)
                working.append(asyncio.ensure_future(work))

            for _ in range(98):
                if chance.random() < 0.75:
                    turn(chance.choice(["camera", "microphone"]), chance.random() < 0.5)
                else:
                    device = chance.choice(devices)
                    work = room.switch_active_device(device.kind, device.device_id)
                    working.append(asyncio.ensure_future(work))
                await asyncio.sleep(chance.choice([0, 0, 0, 0.01, 0.05]))
            turn("microphone", chance.random() < 0.5)
            turn("camera", True)
            outcomes = await asyncio.gather(*working, return_exceptions=True)
            assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)], outcomes
            assert {"camera": me.is_camera_enabled, "microphone": me.is_microphone_enabled} == wanted
            published = sorted(publication.source.name for publication in me.track_publications.values())
            assert published == sorted(set(published))
            live = {publication.track.media_stream_track.kind for publication in me.track_publications.values()}
            assert js_stand.live() == " ".join(sorted(live))
            steps.reached("over", {**wanted, "published": published})
            await steps.until("seen")
            await _give_up(room, js_stand)
        assert js_stand.live() == ""


async def _give_up(room: Room, js_stand: Js) -> None:
    """Cancel at different moments of opening, publishing and switching: nothing is on that is not published."""
    me = room.local_participant
    for publication in list(me.track_publications.values()):
        await me.unpublish_track(publication.sid)
    assert js_stand.live() == ""
    for seconds in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4):
        task = asyncio.ensure_future(me.set_camera_enabled(True))
        await asyncio.sleep(seconds)
        task.cancel()
        try:
            await task
        except (asyncio.CancelledError, LiveKitError):
            pass
        await until(
            lambda: (js_stand.live() == "video") == bool(me.track_publications), f"on when published ({seconds} s)"
        )
        for publication in list(me.track_publications.values()):
            await me.unpublish_track(publication.sid)
    task = asyncio.ensure_future(me.set_camera_enabled(True))
    await asyncio.sleep(0.02)
    await room.disconnect()  # in the middle
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: js_stand.live() == "", "nobody is in the room, and the light is off")
