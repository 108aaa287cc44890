"""What becomes of our publications when their device goes, for :class:`LocalParticipant`."""

from __future__ import annotations

import asyncio
import contextlib

from lk_pyodide.browser.api import DeviceName
from lk_pyodide.core import devices
from lk_pyodide.core.capture import DEFAULT
from lk_pyodide.errors import BrowserError, MediaDeviceError
from lk_pyodide.local_capture import KINDS, LocalCapture
from lk_pyodide.logging import get_logger
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import DevicePermission, TrackSource

_log = get_logger("participant")

EXPLAIN_TIMEOUT = 2.0
"""Seconds for the list of devices, of which Firefox tells a page in the background nothing."""

REOPEN_TIMEOUT = 5.0
"""Seconds in which sound has to go on from another microphone; then it is muted, as nobody hears anything."""


class LocalDevices:
    """Lets nothing be published that is dead: reopens it, mutes it, or takes it back.

    Args:
        room: our room.
        capture: opens devices.
        tasks: for what nobody waits for.
    """

    def __init__(self, room: RoomPort, capture: LocalCapture, tasks: TaskSet) -> None:
        self._room = room
        self._capture = capture
        self._tasks = tasks

    def ended(self, publication: LocalTrackPublication) -> None:
        """The browser has ended a published track: the device went away, or the user stopped sharing."""
        track = publication.track
        match devices.after_end(publication.source, is_device=track._is_device, muted=track.muted):
            case devices.Reaction.UNPUBLISH:
                self._capture.stop_screen_share(only_sound=publication.source == TrackSource.SCREENSHARE_AUDIO)
            case devices.Reaction.MUTE:
                publication.mute()
            case devices.Reaction.TURN_OFF:
                device_id = track.device_id
                publication.mute()
                self._tasks.spawn(self._explain(publication.source, device_id))
            case devices.Reaction.REOPEN:
                self._tasks.spawn(self._reopen(publication))
            case devices.Reaction.NOTHING:
                pass

    async def _explain(self, source: TrackSource, device_id: str) -> None:
        kind = KINDS.get(source, "videoinput")
        found = None
        with contextlib.suppress(TimeoutError, BrowserError):
            async with asyncio.timeout(EXPLAIN_TIMEOUT):
                found = await self._room.browser.media_devices.enumerate_devices()
        name, text = devices.why_ended(found, kind, device_id, await self._permission(source))
        self._capture.failed(MediaDeviceError(text, name), kind)

    async def _permission(self, source: TrackSource) -> DevicePermission:
        name: DeviceName = "microphone" if source == TrackSource.MICROPHONE else "camera"
        return await self._room.browser.media_devices.query_permission(name)

    async def _reopen(self, publication: LocalTrackPublication) -> None:
        """Go on with the microphone that the system prefers now."""
        track = publication.track
        try:
            async with asyncio.timeout(REOPEN_TIMEOUT):
                if await self._permission(publication.source) is DevicePermission.DENIED:
                    raise MediaDeviceError("the permission to use it was taken back", "NotAllowedError")
                async with self._capture.lock(publication.source):
                    await track._open_default()
        except TimeoutError:
            error: BrowserError = MediaDeviceError(
                f"no other microphone was to be had within {REOPEN_TIMEOUT:g} s", "TimeoutError"
            )
        except BrowserError as refused:
            error = refused
        else:
            return
        if not track.muted and track._is_off:
            _log.warning("a microphone went away, and there is no other: %s", error)
            publication.mute()
            self._capture.failed(error, KINDS[publication.source])

    async def follow_default(self) -> None:
        """The system prefers another microphone: take that one, if ours was nobody's choice.

        Raises:
            BrowserError: it cannot be used; the former goes on.
        """
        async with self._capture.lock(TrackSource.MICROPHONE):
            publication = self._capture.find(TrackSource.MICROPHONE)
            if publication is not None and publication.track._is_device:
                await publication.track.set_device_id(DEFAULT)

    @property
    def microphone(self) -> devices.Use | None:
        """The microphone in use, as far as it is ours to change; None when it is no device."""
        publication = self._capture.find(TrackSource.MICROPHONE)
        if publication is None:
            options = self._room.options.audio_capture_defaults
            wanted = (options and options.device_id) or DEFAULT
            return devices.Use(wanted, chosen=wanted != DEFAULT)
        track = publication.track
        return devices.Use(track.device_id, track._is_chosen) if track._is_device else None
