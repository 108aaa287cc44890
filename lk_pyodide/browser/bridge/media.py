"""The page's tracks and devices, from a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from lk_pyodide.browser.api import Json, MediaKind, MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, to_error
from lk_pyodide.browser.guard import Handover, closed_error
from lk_pyodide.errors import MediaDeviceError, UsageError
from lk_pyodide.types import DeviceInfo


class BridgeTrack(Remote):
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
    def id(self) -> str:
        """The browser's id of the track."""
        return self._id

    @property
    def kind(self) -> MediaKind:
        """Audio or video."""
        return self._kind

    @property
    def label(self) -> str:
        """The device's name."""
        return self._label

    @property
    def settings(self) -> TrackSettings:
        """What the browser did when it last told us."""
        return self._settings

    @property
    def ready_state(self) -> str:
        """``live`` or ``ended``."""
        return self._state

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
        self._settings = TrackSettings(**values[0])
        if event == "ended":
            self._state = "ended"
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
    """``navigator.mediaDevices`` of the page."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def get_user_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for camera and microphone."""
        return await self._acquire("getUserMedia", constraints)

    def get_display_media(self, constraints: Mapping[str, Json], /) -> Awaitable[Sequence[MediaTrack]]:
        """Ask for a screen: now if the user has just clicked, else at the next click anywhere on the page."""
        return self._until_chosen(self._acquire("getDisplayMedia", constraints))

    async def _until_chosen(self, asked: Handover[Sequence[MediaTrack]]) -> Sequence[MediaTrack]:
        try:
            return await asked
        except asyncio.CancelledError:
            self._bridge.cast(0, "callOffDisplayMedia")
            raise

    async def enumerate_devices(self) -> Sequence[DeviceInfo]:
        """List the devices; their labels are empty before the user has allowed one."""
        found: Handover[Sequence[DeviceInfo]] = Handover(lambda _: None)

        def answer(error: list[Any] | None, value: Any) -> None:
            if error is not None:
                found.fail(to_error(error, MediaDeviceError))
            else:
                found.give([DeviceInfo(*item) for item in value])

        self._bridge.ask(0, "enumerateDevices", answer=answer)
        return await found

    def _acquire(self, method: str, constraints: Mapping[str, Json]) -> Handover[Sequence[MediaTrack]]:
        """Ask for tracks at call time. When nobody waits any more they are stopped as they arrive."""
        handover: Handover[Sequence[MediaTrack]] = Handover(_stop_all)

        def answer(error: list[Any] | None, value: Any) -> None:
            if error is not None:
                handover.fail(to_error(error, MediaDeviceError))
            else:
                handover.give([BridgeTrack(self._bridge, known) for known in value])

        self._bridge.ask(0, method, constraints, answer=answer)
        return handover


def _stop_all(tracks: Sequence[MediaTrack]) -> None:
    for track in tracks:
        track.stop()
