"""The page's tracks and devices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from lk_pyodide.browser.api import DeviceName, Json, MediaKind, MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.ffi import Js, Listeners, call_settled, from_js_json, is_nothing, js, to_error, to_js_json, wait
from lk_pyodide.browser.guard import Handover, closed_error
from lk_pyodide.browser.snapshots import TrackSnapshot
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError, MediaDeviceError, TrackInvalidError, UsageError
from lk_pyodide.types import DeviceInfo, DevicePermission


class DirectTrack(TrackSnapshot):
    """A MediaStreamTrack on the page's thread."""

    def __init__(self, native: Js) -> None:
        self._native: Js = native
        self._handler: MediaTrackHandler | None = None
        self._id = str(native.id)
        self._kind: MediaKind = "audio" if native.kind == "audio" else "video"
        self._label = str(native.label)
        self._state = str(native.readyState)
        self._settings = TrackSettings()
        self._listeners = Listeners()
        self._listeners.add(native, self._on_event, "ended", "mute", "unmute")

    @property
    def settings(self) -> TrackSettings:
        """What the browser really does. No event tells of a change, so it is asked."""
        if self._native is not None and self._state == "live":
            self._settings = _read_settings(self._native)
        return self._settings

    @property
    def native(self) -> object:
        """The MediaStreamTrack."""
        if self._native is None:
            raise UsageError("the track is closed")
        return self._native

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None:
        """Hand events to ``handler``."""
        self._handler = None if self._native is None else handler

    def set_enabled(self, enabled: bool, /) -> None:
        """Send the real thing, or silence and darkness."""
        if self._native is not None:
            self._native.enabled = enabled

    def set_content_hint(self, hint: str, /) -> None:
        """Tell the encoder what the track shows."""
        if self._native is not None:
            self._native.contentHint = hint

    async def clone(self) -> DirectTrack:
        """Make another track of the same source."""
        if self._native is None:
            raise closed_error("track")
        return DirectTrack(self._native.clone())

    def end(self) -> None:
        """End the track, and know it still."""
        if self._native is not None:
            self._settings = self.settings  # of a track that has ended browsers tell less
            self._native.stop()
        self._state = "ended"

    def stop(self) -> None:
        """End the track."""
        self.end()
        self.close()

    def close(self) -> None:
        """Forget the track."""
        self._handler = None
        self._native = None
        self._listeners.close()

    def _on_event(self, event: Js) -> None:
        kind = event.type
        if kind == "ended":
            self._state = "ended"
        handler = self._handler
        if handler is None:
            return
        if kind == "ended":
            handler.on_ended()
        elif kind == "mute":
            handler.on_mute()
        else:
            handler.on_unmute()


_SETTINGS = {
    "width": "width",
    "height": "height",
    "frameRate": "frame_rate",
    "deviceId": "device_id",
    "groupId": "group_id",
    "facingMode": "facing_mode",
    "channelCount": "channel_count",
    "sampleRate": "sample_rate",
    "autoGainControl": "auto_gain_control",
    "echoCancellation": "echo_cancellation",
    "noiseSuppression": "noise_suppression",
}


def _read_settings(native: Js) -> TrackSettings:
    given = from_js_json(native.getSettings())
    values = {name: given[key] for key, name in _SETTINGS.items() if given.get(key) is not None}
    if "echo_cancellation" in values:  # newer browsers may say "all" or "remote-only"
        values["echo_cancellation"] = bool(values["echo_cancellation"])
    return TrackSettings(**values)


def get_native(track: MediaTrack) -> Js:
    """The native track of a wrapper; raises UsageError when it is closed."""
    native: Js = track.native
    return native


def as_native_track(native: object) -> Js:
    """Take for a MediaStreamTrack what looks like one; raises TrackInvalidError."""
    js_native: Js = native
    if getattr(js_native, "kind", None) not in ("audio", "video") or not hasattr(js_native, "readyState"):
        raise TrackInvalidError("this is not a MediaStreamTrack")
    return js_native


def adopt_track(native: object) -> DirectTrack:
    """Wrap a track that somebody else made."""
    return DirectTrack(as_native_track(native))


class DirectMediaDevices:
    """``navigator.mediaDevices``, which is not there on an insecure page."""

    async def get_user_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for camera and microphone."""
        return await _acquire("getUserMedia", constraints)

    def get_display_media(self, constraints: Mapping[str, Json], /) -> Awaitable[Sequence[MediaTrack]]:
        """Ask for a screen, now."""
        return _acquire("getDisplayMedia", constraints)

    async def enumerate_devices(self) -> Sequence[DeviceInfo]:
        """List the devices; their labels are empty before the user has allowed one."""
        js_devices = await wait(_get_devices("enumerateDevices").enumerateDevices(), MediaDeviceError)
        return tuple(
            DeviceInfo(item["deviceId"], item["kind"], item.get("label", ""), item.get("groupId", ""))
            for item in from_js_json(js_devices)
        )

    async def query_permission(self, name: DeviceName, /) -> DevicePermission:
        """Tell whether the page may open such a device."""
        js_permissions: Js = getattr(js.navigator, "permissions", None)
        if is_nothing(js_permissions):
            return DevicePermission.UNKNOWN
        try:
            # Refused with a TypeError where the browser does not know the name.
            js_status = await wait(js_permissions.query(to_js_json({"name": name})))
        except BrowserError:
            return DevicePermission.UNKNOWN
        return DevicePermission(js_status.state)


def _get_devices(method: str) -> Js:
    js_devices = getattr(js.navigator, "mediaDevices", None)
    if is_nothing(js_devices):
        if getattr(js, "isSecureContext", True):
            message = "this browser offers no cameras, microphones or screens to the page"
        else:
            message = "a page that uses cameras, microphones or screens needs a secure context (https or localhost)"
        raise DeviceUnsupportedError(message, "NotSupportedError")
    if not hasattr(js_devices, method):
        raise DeviceUnsupportedError(f"this browser has no navigator.mediaDevices.{method}", "NotSupportedError")
    return js_devices


def _acquire(method: str, constraints: Mapping[str, Json]) -> Handover[Sequence[MediaTrack]]:
    """Ask for tracks at call time. When nobody waits any more they are stopped as they arrive."""
    handover: Handover[Sequence[MediaTrack]] = Handover(_stop_all)

    def deliver(settled: asyncio.Future[Js]) -> None:
        js_outcome = settled.result()[0]
        if js_outcome.status == "fulfilled":
            handover.give(tuple(DirectTrack(native) for native in js_outcome.value.getTracks()))
        else:
            handover.fail(to_error(js_outcome.reason, MediaDeviceError))

    try:
        js_devices = _get_devices(method)
    except DeviceUnsupportedError as error:
        handover.fail(error)
    else:
        settled = call_settled(js_devices, getattr(js_devices, method), to_js_json(constraints))
        settled.add_done_callback(deliver)
    return handover


def _stop_all(tracks: Sequence[MediaTrack]) -> None:
    for track in tracks:
        track.stop()
