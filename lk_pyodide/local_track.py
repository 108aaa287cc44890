"""Tracks of our own: devices, screens, and what the user brings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lk_pyodide.browser.api import Browser, Json, MediaTrack, Sender
from lk_pyodide.core.capture import DEFAULT, device_constraint
from lk_pyodide.errors import BrowserError, MediaDeviceError, TrackInvalidError
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.track import Track
from lk_pyodide.types import TrackSource

if TYPE_CHECKING:
    from lk_pyodide.audio_analyser import Level
    from lk_pyodide.preconnect import PreConnectBuffer

__all__ = ["LocalAudioTrack", "LocalTrack", "LocalVideoTrack"]

_log = get_logger("track")


class LocalTrack(Track):
    """A track of our own.

    Args:
        browser: the page.
        media: the browser's track.
        source: where it comes from.
        constraints: what the device was asked for, to open it again (nothing, where it is no device); None for a track
            that the user made, which is never stopped or opened again here.
        name: what others see.
    """

    def __init__(
        self,
        browser: Browser,
        media: MediaTrack,
        source: TrackSource,
        *,
        constraints: Mapping[str, Json] | None = None,
        name: str = "",
    ) -> None:
        super().__init__(browser, media, source, name=name)
        self._constraints = constraints
        self._sender: Sender | None = None
        self._change = asyncio.Lock()
        self._tasks = TaskSet()
        self._on_mute_changed: Callable[[], None] | None = None
        self._on_ended: Callable[[], None] | None = None
        self._on_reopened: Callable[[], None] | None = None
        self._is_device = constraints is not None and source in (TrackSource.CAMERA, TrackSource.MICROPHONE)
        self._stop_on_mute = self._is_device and source == TrackSource.CAMERA
        self._stopped = False
        self._preconnect: PreConnectBuffer | None = None
        media.set_handler(_DeviceEvents(self))

    @property
    def is_user_provided(self) -> bool:
        """Whether the user made the browser's track."""
        return self._constraints is None

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height in pixels; 0 where unknown."""
        settings = self._media.settings
        return settings.width, settings.height

    def mute(self) -> Awaitable[None]:
        """Send nothing, and let everyone know. A camera is turned off, a microphone stays open.

        Acts at once; the result can be awaited.
        """
        if not self._muted:
            self._muted = True
            self._media.set_enabled(False)
            if self._stop_on_mute:
                self._let_device_go()
            self._mute_changed()
        return self._tasks.spawn(self._settled())

    def unmute(self) -> Awaitable[None]:
        """Send again, and let everyone know. A camera that was turned off is opened again.

        Acts at once where it can; the result can be awaited.

        Raises:
            MediaDeviceError: the camera could not be opened; the track stays muted.
        """
        if self._muted and not self._is_off and not self._change.locked():
            self._enable()
        return self._tasks.spawn(self._unmute())

    async def set_device_id(self, device_id: str, *, exact: bool = True) -> bool:
        """Take the picture or the sound from another device, now and whenever the track is opened again.

        A camera that is off stays off. When the device cannot be used the track goes on with the one that it had.

        Args:
            device_id: which, as :class:`DeviceInfo` has it.
            exact: whether another device must not be taken in its place.

        Returns:
            Whether it is this device now, or will be when the track is turned on.

        Raises:
            MediaDeviceError: the device cannot be used.
            TrackInvalidError: the track was not opened from a camera or a microphone here.
        """
        if not self._is_device:
            raise TrackInvalidError("the track was not opened from a camera or a microphone here")
        async with self._change:
            former = self._constraints
            self._constraints = {**(former or {}), "deviceId": device_constraint(device_id, exact=exact)}
            if self._is_off:
                return True
            try:
                await self._restart()
            except BaseException:
                self._constraints = former
                if not self._stopped:
                    await self._restore()
                raise
            return device_id in (DEFAULT, self.device_id)

    @property
    def device_id(self) -> str:
        """Which device it comes from, as far as the browser tells; empty for a screen."""
        return self._media.settings.device_id

    async def get_device_id(self) -> str | None:
        """Which device it comes from; where :attr:`device_id` is ``default``, the one that it stands for.

        Returns:
            The id; None where the browser does not tell, and for a screen.
        """
        from lk_pyodide.core.devices import real_id  # few ask

        kind, settings = f"{self._media.kind}input", self._media.settings
        devices = await self._browser.media_devices.enumerate_devices()
        return real_id(devices, kind, settings.device_id, settings.group_id) or None

    @property
    def _is_chosen(self) -> bool:
        """Whether somebody wanted this device, and not whichever the system prefers."""
        return (self._constraints or {}).get("deviceId") != device_constraint(None)

    @property
    def _is_off(self) -> bool:
        """Whether its device has been let go, or went away, and can be opened again."""
        return self._is_device and self._media.ready_state == "ended"

    async def _settled(self) -> None:
        async with self._change:
            pass

    async def _unmute(self) -> None:
        async with self._change:
            if not self._muted or self._stopped:
                return
            if self._is_off:
                await self._reopen()
            self._enable()

    def _enable(self) -> None:
        self._muted = False
        self._media.set_enabled(True)
        self._mute_changed()

    async def _restart(self) -> None:
        """Let the device go, then open what the constraints say now: some browsers open no two at a time."""
        self._let_device_go()
        await self._reopen()
        if self._muted and self._stop_on_mute:  # muted meanwhile
            self._let_device_go()

    def _let_device_go(self) -> None:
        for follower in tuple(self._followers):  # whoever has a clone holds the device, too
            follower._media_changed(None)
        self._media.end()

    async def _restore(self) -> None:
        """Go on after a restart that failed; a device that cannot be had any more mutes the track."""
        try:
            await self._restart()
        except BrowserError as error:
            _log.warning("the former device cannot be opened again: %s", error)
            self.mute()

    async def _open_default(self) -> None:
        """Go on with the device that the system prefers, after its own has ended."""
        async with self._change:
            if not self._muted and not self._stopped and self._is_off:
                self._constraints = {**(self._constraints or {}), "deviceId": device_constraint(None)}
                await self._reopen()

    async def _reopen(self) -> None:
        media = await self._open()
        if self._stopped:
            media.stop()
            return
        media.set_handler(_DeviceEvents(self))
        media.set_enabled(not self._muted)  # before anyone gets it
        try:
            if self._sender is not None:
                await self._sender.replace_track(media)
        except BaseException:
            media.stop()
            raise
        former = self._media
        self._replace_media(media)
        former.stop()  # one that ended by itself is still held
        media.set_enabled(not self._muted)
        if self._on_reopened is not None:
            self._on_reopened()

    async def _open(self) -> MediaTrack:
        constraints: dict[str, Json] = {self._media.kind: dict(self._constraints or {})}
        tracks = await self._browser.media_devices.get_user_media(constraints)
        if not tracks:
            raise MediaDeviceError("the browser gave no track", "NotFoundError")
        return tracks[0]

    def _mute_changed(self) -> None:
        if self._on_mute_changed is not None:
            self._on_mute_changed()

    def stop(self) -> None:
        """End the track and let its device go."""
        self._stopped = True
        self._end()
        self._media.stop()

    def _end(self) -> None:
        super()._end()
        if self._preconnect is not None:
            self._preconnect.close()

    def _release(self) -> None:
        """Forget the browser's track without ending it."""
        self._stopped = True
        self._end()
        self._media.close()

    async def get_rtc_stats_report(self) -> list[Mapping[str, Json]]:
        """The sender's statistics, as the browser gives them (W3C ``RTCStatsReport``); nothing before publishing."""
        return list(await self._sender.get_stats()) if self._sender is not None else []


class _DeviceEvents:
    """Listens to the browser's side of a track of ours."""

    def __init__(self, track: LocalTrack) -> None:
        self._track = track

    def on_ended(self) -> None:
        """The device went away, or the user stopped sharing."""
        _log.info("a local track ended: %s", self._track.source.name.lower())
        if self._track._on_ended is not None:
            self._track._on_ended()

    def on_mute(self) -> None:
        """The browser has no data from the device at present."""

    def on_unmute(self) -> None:
        """The device delivers again."""


class LocalAudioTrack(LocalTrack):
    """Our sound."""

    @property
    def audio_level(self) -> float:
        """How loud it is at this moment, 0 to 1, without the server's delay; 0 while it is muted.

        Root mean square of the samples. It is listened to from the first time that this is read, which gives 0, until
        it has not been for five seconds.
        """
        return self._level.read()

    @cached_property
    def _level(self) -> Level:
        from lk_pyodide.audio_analyser import Level

        return Level(self)

    async def check_for_silence(self) -> bool:
        """Whether nothing at all comes from the microphone: it is switched off somewhere, or the wrong one.

        It takes a fifth of a second. Muting here does not matter, as the device is heard, not what is sent.

        Raises:
            DeviceUnsupportedError: the browser cannot tell.
        """
        from lk_pyodide.audio_analyser import is_silent

        return await is_silent(self)


class LocalVideoTrack(LocalTrack):
    """Our picture."""


def wrap(
    browser: Browser,
    media: MediaTrack,
    source: TrackSource = TrackSource.UNKNOWN,
    *,
    constraints: Mapping[str, Json] | None = None,
    name: str = "",
) -> LocalTrack:
    """Make the local track of the right kind."""
    kind: Any = LocalAudioTrack if media.kind == "audio" else LocalVideoTrack
    track: LocalTrack = kind(browser, media, source, constraints=constraints, name=name)
    return track
