"""The page's tracks and devices, from a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lk_pyodide.browser.api import DeviceName, Json, MediaKind, MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, answered, to_error
from lk_pyodide.browser.guard import Handover, closed_error
from lk_pyodide.browser.snapshots import TrackSnapshot
from lk_pyodide.errors import BrowserError, MediaDeviceError, UsageError
from lk_pyodide.types import DeviceInfo, DevicePermission


class BridgeTrack(TrackSnapshot, Remote):
    """A MediaStreamTrack on the page.

    Args:
        bridge: the way there.
        known: what the page says of it (``Track.describe`` of ``web/agent/media.js``).
    """

    def __init__(self, bridge: Bridge, known: Mapping[str, Any]) -> None:
        super().__init__(bridge, known["handle"])
        self._handler: MediaTrackHandler | None = None
        self._id: str = known["id"]
        self._kind: MediaKind = known["kind"]
        self._label: str = known["label"]
        self._state: str = known["ready_state"]
        self._settings = TrackSettings(**known["settings"])

    @property
    def settings(self) -> TrackSettings:
        """What the browser did when it last told us."""
        return self._settings

    @property
    def native(self) -> object:
        """Never there: a MediaStreamTrack cannot leave the page."""
        raise UsageError("Python runs in a worker, which a MediaStreamTrack cannot come to")

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None:
        """Hand events to ``handler``."""
        self._handler = handler if self._is_open else None

    def set_enabled(self, enabled: bool, /) -> None:
        """Send the real thing, or silence and darkness."""
        self._cast("setEnabled", enabled)

    def set_content_hint(self, hint: str, /) -> None:
        """Tell the encoder what the track shows."""
        self._cast("setContentHint", hint)

    async def clone(self) -> BridgeTrack:
        """Make another track of the same source; when nobody waits any more it is ended as it arrives."""
        if not self._is_open:
            raise closed_error("track")
        handover: Handover[BridgeTrack] = Handover(BridgeTrack.stop)

        def answer(error: list[Any] | None, value: Any) -> None:
            if error is not None:
                handover.fail(to_error(error))
            else:
                handover.give(BridgeTrack(self._bridge, value))

        self._bridge.ask(self.handle, "clone", answer=answer)
        return await answered(handover)

    def end(self) -> None:
        """End the track, and know it still."""
        self._cast("end")
        self._state = "ended"

    def stop(self) -> None:
        """End the track."""
        self._cast("stop")
        self._state = "ended"
        self._handler = None
        self._close(closed_error("track"), free=False)

    def close(self, *, free: bool = True) -> None:
        """Forget the track."""
        self._handler = None
        self._close(closed_error("track"), free=free)

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened to the track."""
        if event == "ended":  # then it does not tell its settings any more
            self._state = "ended"
        else:
            self._settings = TrackSettings(**values[0])
        handler = self._handler
        if handler is None:
            return
        if event == "ended":
            handler.on_ended()
        elif event == "mute":
            handler.on_mute()
        else:
            handler.on_unmute()


def get_handle(track: MediaTrack) -> int:
    """The page's handle of a track; raises UsageError when it is closed."""
    if not isinstance(track, BridgeTrack) or not track._is_open:
        raise UsageError("the track is closed")
    return track.handle


class BridgeMediaDevices:
    """``navigator.mediaDevices`` of the page.

    Args:
        reach: waits until the page can be asked.
    """

    def __init__(self, reach: Callable[[], Awaitable[Bridge]]) -> None:
        self._reach = reach

    async def get_user_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for camera and microphone."""
        return await acquire(await self._reach(), "getUserMedia", constraints)

    async def get_display_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for a screen: now if the user has just clicked, else at the next click anywhere on the page."""
        bridge = await self._reach()
        try:
            return await acquire(bridge, "getDisplayMedia", constraints)
        except asyncio.CancelledError:
            bridge.cast(0, "callOffDisplayMedia")
            raise

    async def enumerate_devices(self) -> Sequence[DeviceInfo]:
        """List the devices; their labels are empty before the user has allowed one."""
        bridge = await self._reach()
        found = await answered(bridge.start(0, "enumerateDevices", kind=MediaDeviceError))
        return [DeviceInfo(*item) for item in found]

    async def query_permission(self, name: DeviceName, /) -> DevicePermission:
        """Tell whether the page may open such a device."""
        bridge = await self._reach()
        return DevicePermission(await answered(bridge.start(0, "queryPermission", name)))


def acquire(
    bridge: Bridge, method: str, *values: object, kind: type[BrowserError] = MediaDeviceError
) -> Handover[Sequence[MediaTrack]]:
    """Ask for tracks. When nobody waits any more they are stopped as they arrive."""
    handover: Handover[Sequence[MediaTrack]] = Handover(_stop_all)

    def answer(error: list[Any] | None, value: Any) -> None:
        if error is not None:
            handover.fail(to_error(error, kind))
        else:
            handover.give([BridgeTrack(bridge, known) for known in value])

    bridge.ask(0, method, *values, answer=answer)
    return handover


def _stop_all(tracks: Sequence[MediaTrack]) -> None:
    for track in tracks:
        track.stop()
