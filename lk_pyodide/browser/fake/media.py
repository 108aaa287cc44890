"""Tracks and devices that show nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import DeviceName, Json, MediaKind, MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.guard import Handover, call, closed_error
from lk_pyodide.browser.snapshots import TrackSnapshot
from lk_pyodide.errors import MediaDeviceError, UsageError
from lk_pyodide.types import DeviceInfo, DevicePermission

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeMediaStreamTrack:
    """What ``MediaTrack.native`` gives: stands for the browser's own track. Tests can end and mute it."""

    def __init__(self, kind: MediaKind, track_id: str, label: str, settings: TrackSettings) -> None:
        self.kind: MediaKind = kind
        self.id = track_id
        self.label = label
        self.settings = settings
        self.enabled = True
        self.muted = False
        self.content_hint = ""
        self.ready_state = "live"
        self.audio_level = 0.01
        """How loud a microphone is, 0 to 1, as a test wants it; 0 is one that is switched off."""
        self.source: FakeMediaStreamTrack | None = None
        """For a received track: what the other side sends at present."""
        self.clones: list[FakeMediaStreamTrack] = []
        self.wrappers: list[FakeTrack] = []

    def end(self) -> None:
        """The device is unplugged."""
        if self.ready_state == "live":
            self.ready_state = "ended"
            self._tell("ended")

    def mute(self) -> None:
        """The system mutes the device, or the other side sends nothing."""
        self._set_muted(True)

    def unmute(self) -> None:
        """The opposite."""
        self._set_muted(False)

    def _set_muted(self, muted: bool) -> None:
        if self.muted != muted:
            self.muted = muted
            self._tell("mute" if muted else "unmute")

    def _tell(self, event: str) -> None:
        for wrapper in self.wrappers:
            asyncio.get_running_loop().call_soon(wrapper.happened, event)


class FakeTrack(TrackSnapshot):
    """A track."""

    def __init__(self, browser: FakeBrowser, native: FakeMediaStreamTrack) -> None:
        self._browser = browser
        self._native: FakeMediaStreamTrack | None = native
        self._handler: MediaTrackHandler | None = None
        self._id, self._label, self._settings = native.id, native.label, native.settings
        self._kind: MediaKind = native.kind
        self._state = native.ready_state
        native.wrappers.append(self)
        browser.opened(self)

    @property
    def settings(self) -> TrackSettings:
        """What the device does."""
        if self._native is not None:
            self._settings = self._native.settings
        return self._settings

    @property
    def native(self) -> FakeMediaStreamTrack:
        """The native track."""
        if self._native is None:
            raise UsageError("the track is closed")
        return self._native

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None:
        """Hand events to ``handler``."""
        self._handler = None if self._native is None else handler

    def set_enabled(self, enabled: bool, /) -> None:
        """Send the real thing, or nothing."""
        if self._native is not None:
            self._native.enabled = enabled

    def set_content_hint(self, hint: str, /) -> None:
        """Tell the encoder what the track shows."""
        if self._native is not None:
            self._native.content_hint = hint

    async def clone(self) -> FakeTrack:
        """Make another track of the same source."""
        await asyncio.sleep(0)
        if self._native is None:
            raise closed_error("track")
        native = self._native
        copy = FakeMediaStreamTrack(native.kind, self._browser.network.make_id("track"), native.label, native.settings)
        copy.enabled, copy.content_hint, copy.ready_state = native.enabled, native.content_hint, native.ready_state
        native.clones.append(copy)
        return FakeTrack(self._browser, copy)

    def end(self) -> None:
        """End the track, and know it still."""
        if self._native is not None:
            self._native.ready_state = "ended"
        self._state = "ended"

    def stop(self) -> None:
        """End the track."""
        self.end()
        self.close()

    def close(self) -> None:
        """Forget the track."""
        if self._native is not None:
            self._native.wrappers.remove(self)
        self._native = None
        self._handler = None
        self._browser.closed(self)

    def happened(self, event: str) -> None:
        """Something happened to the native track."""
        if self._native is None:
            return
        if event == "ended":
            self._state = "ended"
        if self._handler is not None:
            call(getattr(self._handler, f"on_{event}"))


_KINDS: tuple[MediaKind, ...] = ("audio", "video")

DEVICES = (
    DeviceInfo("default-mic", "audioinput", "Fake microphone", "group-1"),
    DeviceInfo("second-mic", "audioinput", "Second fake microphone", "group-2"),
    DeviceInfo("default-camera", "videoinput", "Fake camera", "group-1"),
    DeviceInfo("second-camera", "videoinput", "Second fake camera", "group-2"),
    DeviceInfo("default-speaker", "audiooutput", "Fake speaker", "group-1"),
)


class FakeMediaDevices:
    """Cameras and microphones; what they do can be set by tests.

    Attributes:
        devices: what there is.
        failure: DOMException name with which ``get_user_media`` fails, such as ``"NotAllowedError"``; "" is none.
        display_failure: the same for ``get_display_media``.
        levels: how loud microphones are, 0 to 1, by device.
        asked: the constraints of all calls.
        captured: the native tracks that were given out.
        permission: what is told of camera and microphone.
    """

    def __init__(self, browser: FakeBrowser) -> None:
        self._browser = browser
        self._held: list[Callable[[], None]] | None = None
        self.devices: list[DeviceInfo] = list(DEVICES)
        self.failure = ""
        self.display_failure = ""
        self.levels: dict[str, float] = {}
        self.asked: list[Mapping[str, Json]] = []
        self.captured: list[FakeMediaStreamTrack] = []
        self.permission = DevicePermission.GRANTED

    async def get_user_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for camera and microphone."""
        return await self._ask(constraints, self._capture)

    def get_display_media(self, constraints: Mapping[str, Json], /) -> Awaitable[Sequence[MediaTrack]]:
        """Ask for a screen, now."""
        return self._ask(constraints, self._capture_screen)

    async def enumerate_devices(self) -> Sequence[DeviceInfo]:
        """List the devices."""
        await asyncio.sleep(0)
        return tuple(self.devices)

    async def query_permission(self, name: DeviceName, /) -> DevicePermission:
        """Tell whether the page may open such a device."""
        await asyncio.sleep(0)
        return self.permission

    def hold(self) -> None:
        """The user thinks about it: no question is answered before :meth:`release`."""
        self._held = [] if self._held is None else self._held

    def release(self) -> None:
        """Answer what was held."""
        held, self._held = self._held or [], None
        for answer in held:
            asyncio.get_running_loop().call_soon(answer)

    def _ask(
        self, constraints: Mapping[str, Json], capture: Callable[[Mapping[str, Json]], list[FakeMediaStreamTrack]]
    ) -> Handover[Sequence[MediaTrack]]:
        handover: Handover[Sequence[MediaTrack]] = Handover(_stop_all)
        self.asked.append(constraints)

        def answer() -> None:
            try:
                natives = capture(constraints)
            except MediaDeviceError as error:
                handover.fail(error)
            else:
                self.captured += natives
                handover.give(tuple(FakeTrack(self._browser, native) for native in natives))

        if self._held is None:
            asyncio.get_running_loop().call_soon(answer)
        else:
            self._held.append(answer)
        return handover

    def _capture(self, constraints: Mapping[str, Json]) -> list[FakeMediaStreamTrack]:
        if self.failure:
            raise MediaDeviceError("refused by the test", self.failure)
        kinds: list[MediaKind] = [kind for kind in _KINDS if constraints.get(kind)]
        if not kinds:
            raise MediaDeviceError("at least one of audio and video must be requested", "TypeError")
        return [self._make(kind, self._find(kind, constraints[kind]), constraints[kind]) for kind in kinds]

    def _capture_screen(self, constraints: Mapping[str, Json]) -> list[FakeMediaStreamTrack]:
        if self.display_failure:
            raise MediaDeviceError("refused by the test", self.display_failure)
        kinds: tuple[MediaKind, ...] = ("video", "audio") if constraints.get("audio") else ("video",)
        screen = DeviceInfo("screen", "screen", "Fake screen")
        return [self._make(kind, screen, constraints.get(kind)) for kind in kinds]

    def _find(self, kind: MediaKind, constraint: Json) -> DeviceInfo:
        devices = [device for device in self.devices if device.kind == f"{kind}input"]
        if not devices:
            raise MediaDeviceError("Requested device not found", "NotFoundError")
        wanted = constraint.get("deviceId") if isinstance(constraint, Mapping) else None
        is_exact = isinstance(wanted, Mapping) and "exact" in wanted
        name = _get_ideal(wanted)
        for device in devices:
            if device.device_id == name:
                return device
        if is_exact:
            raise MediaDeviceError("no such device", "OverconstrainedError")
        return devices[0]

    def _make(self, kind: MediaKind, device: DeviceInfo, constraint: Json) -> FakeMediaStreamTrack:
        given = constraint if isinstance(constraint, Mapping) else {}
        track_id = self._browser.network.make_id("track")
        if kind == "audio":
            settings = TrackSettings(
                device_id=device.device_id,
                group_id=device.group_id,
                channel_count=1,
                sample_rate=48_000,
                auto_gain_control=_get_flag(given.get("autoGainControl")),
                echo_cancellation=_get_flag(given.get("echoCancellation")),
                noise_suppression=_get_flag(given.get("noiseSuppression")),
            )
        else:
            settings = TrackSettings(
                width=_get_number(given.get("width"), 640),
                height=_get_number(given.get("height"), 480),
                frame_rate=float(_get_number(given.get("frameRate"), 30)),
                device_id=device.device_id,
                group_id=device.group_id,
                facing_mode=str(_get_ideal(given.get("facingMode")) or ""),
            )
        native = FakeMediaStreamTrack(kind, track_id, device.label, settings)
        native.audio_level = self.levels.get(device.device_id, native.audio_level)
        return native


def _get_ideal(constraint: Json) -> Json:
    if not isinstance(constraint, Mapping):
        return constraint
    return constraint.get("exact", constraint.get("ideal", constraint.get("max")))


def _get_number(constraint: Json, default: int) -> int:
    value = _get_ideal(constraint)
    return int(value) if isinstance(value, int | float) else default


def _get_flag(constraint: Json) -> bool:
    return _get_ideal(constraint) is not False


def _stop_all(tracks: Sequence[MediaTrack]) -> None:
    for track in tracks:
        track.stop()
