"""Tracks of our own: devices, screens, and what the user brings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from lk_pyodide.browser.api import Browser, Json, MediaTrack, Sender
from lk_pyodide.core import capture
from lk_pyodide.core.capture import DEFAULT, device_constraint
from lk_pyodide.errors import BrowserError, MediaDeviceError, TrackInvalidError, UsageError
from lk_pyodide.local_sending import Pause, Sending
from lk_pyodide.logging import get_logger
from lk_pyodide.options import AudioCaptureOptions, VideoCaptureOptions
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.track import Track
from lk_pyodide.types import TrackProcessor, TrackSource, VideoQuality

if TYPE_CHECKING:
    from lk_pyodide.audio_analyser import Level
    from lk_pyodide.browser.api_processing import Processing
    from lk_pyodide.preconnect import PreConnectBuffer

__all__ = ["LocalAudioTrack", "LocalTrack", "LocalVideoTrack"]

_log = get_logger("track")

PAUSE_AFTER = 5.0
"""Seconds that a device may deliver nothing before others are told (livekit-client ``debouncedTrackMuteHandler``)."""


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
        self._sending = Sending(browser)
        self._change = asyncio.Lock()
        self._tasks = TaskSet()
        self._on_mute_changed: Callable[[], None] | None = None
        self._on_pause_changed: Callable[[], None] | None = None
        self._on_ended: Callable[[], None] | None = None
        self._on_reopened: Callable[[], None] | None = None
        self._is_device = constraints is not None and source in (TrackSource.CAMERA, TrackSource.MICROPHONE)
        self._stop_on_mute = self._is_device and source == TrackSource.CAMERA
        self._stopped = False
        self._preconnect: PreConnectBuffer | None = None
        self._processor: Any = None
        self._processing: Processing | None = None
        self._events = _DeviceEvents(self)
        media.set_handler(self._events)

    @property
    def is_user_provided(self) -> bool:
        """Whether the user made the browser's track."""
        return self._constraints is None

    @property
    def is_upstream_paused(self) -> bool:
        """Whether nothing is sent, though the track is not muted: see :meth:`pause_upstream`."""
        return self._sending.is_paused

    @property
    def _sender(self) -> Sender | None:
        return self._sending.sender

    @property
    def _is_silent(self) -> bool:
        """Whether nothing is sent, for whatever reason."""
        return self._muted or self._sending.is_paused

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
            self._set_enabled(False)
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
        was_on = await self._restart_with({"deviceId": device_constraint(device_id, exact=exact)})
        return not was_on or device_id in (DEFAULT, self.device_id)

    async def restart_track(self, options: VideoCaptureOptions | AudioCaptureOptions | None = None) -> None:
        """Open the device anew, now and in future with other options; what they do not say stays as it was.

        A camera that is off stays off. When it cannot be opened so, the track goes on as it was.

        Args:
            options: ``VideoCaptureOptions`` of a camera, ``AudioCaptureOptions`` of a microphone.

        Raises:
            MediaDeviceError: the device cannot be opened so.
            TrackInvalidError: the track was not opened from a camera or a microphone here.
            UsageError: the options are for the other kind of device.
        """
        match options, self._media.kind:
            case None, _:
                wanted: Mapping[str, object] = {}
            case VideoCaptureOptions(), "video":
                wanted = capture.video_constraints(options)
            case AudioCaptureOptions(), "audio":
                wanted = capture.audio_constraints(options)
            case _:
                raise UsageError(f"{type(options).__name__} are not for {self._media.kind}")
        await self._restart_with(cast("Mapping[str, Json]", wanted))

    async def _restart_with(self, constraints: Mapping[str, Json]) -> bool:
        """Open the device anew; False when it is off, and these constraints are kept for later."""
        if not self._is_device:
            raise TrackInvalidError("the track was not opened from a camera or a microphone here")
        async with self._change:
            former = self._constraints
            self._constraints = {**(former or {}), **constraints}
            if self._is_off:
                return False
            try:
                await self._restart()
            except BaseException:
                self._constraints = former
                if not self._stopped:
                    await self._restore()
                raise
            return True

    async def replace_track(self, media_stream_track: Any, *, user_provided: bool = True) -> None:
        """Send, and show, another of the browser's tracks in place of this one's; the publication stays.

        The former one is ended, unless the user made it.

        Args:
            media_stream_track: a MediaStreamTrack of the same kind.
            user_provided: whether it is yours to stop; False hands it over, to be stopped, and opened again, as if it
                had been opened here.

        Raises:
            TrackInvalidError: it is none, or of the other kind; or this track has been stopped.
        """
        media = self._browser.adopt_track(media_stream_track)
        try:
            if media.kind != self._media.kind:
                raise TrackInvalidError(f"a track of {media.kind} cannot take the place of one of {self._media.kind}")
            async with self._change:
                former = self._media
                media = await self._processed(media)
                if self._stopped or not await self._take(media):
                    raise TrackInvalidError("the track has been stopped")
                if self.is_user_provided or former.id == media.id:
                    former.close()
                else:
                    former.stop()
        except BaseException:
            media.close()
            raise
        device = media.settings.device_id
        self._constraints = None if user_provided else {"deviceId": {"ideal": device}} if device else {}
        self._is_device = not user_provided and self._source in (TrackSource.CAMERA, TrackSource.MICROPHONE)
        self._stop_on_mute = self._is_device and (self._stop_on_mute or self._source == TrackSource.CAMERA)

    async def set_processor(self, processor: TrackProcessor | Any) -> None:
        """Send and show what a processor makes of the track, from now on and on whatever device it is.

        A former processor ends. While a camera is off the new one waits for it.

        Args:
            processor: of Python (:class:`TrackProcessor`) or of JavaScript.

        Raises:
            BrowserError: it failed; the track goes on as it was, without a processor.
            TrackInvalidError: the track has been stopped.
            UsageError: Python is not on the page.
        """
        processing = self._browser.new_processing(processor)
        async with self._change:
            await self._unprocess()
            if self._stopped:
                raise TrackInvalidError("the track has been stopped")
            self._processor, self._processing = processor, processing
            if self._is_off:
                return
            try:
                media = await processing.run(self._media)
                try:
                    await self._sending.replace(media, enabled=not self._muted)
                except BaseException:
                    # given up on the way, it may be sent already
                    await self._sending.replace(processing.unwrap(media), enabled=not self._muted)
                    raise
            except BaseException:
                self._processor = self._processing = None
                await processing.close()
                raise
            if self._processing is not processing:  # stopped meanwhile
                media.close()
                return
            self._replace_media(media)

    async def stop_processor(self) -> None:
        """Send and show the track itself again; the processor ends."""
        async with self._change:
            await self._unprocess()

    def get_processor(self) -> TrackProcessor | Any | None:
        """The processor that is set."""
        return self._processor

    async def _unprocess(self) -> None:
        processing, self._processor, self._processing = self._processing, None, None
        if processing is None:
            return
        processed = self._media
        if processing.has(processed):
            original = processing.unwrap(processed)
            self._replace_media(original)
            await self._sending.replace(original, enabled=not self._muted)
        await processing.close()

    async def pause_upstream(self) -> None:
        """Send nothing: others take it for muted, while the device stays on and plays here. It holds until resumed."""
        await self._pause(Pause.USER)

    async def resume_upstream(self) -> None:
        """Send again after :meth:`pause_upstream`."""
        await self._resume(Pause.USER)

    async def _pause(self, why: Pause) -> None:
        async with self._change:
            before = self._sending.is_paused
            try:
                await self._sending.pause(why)
            finally:
                self._pause_changed(before)

    async def _resume(self, why: Pause) -> None:
        async with self._change:
            before = self._sending.is_paused
            try:
                await self._sending.resume(self._media, why)
            finally:
                self._pause_changed(before)

    def _pause_changed(self, before: bool) -> None:
        if before != self._sending.is_paused and self._on_pause_changed is not None:
            self._on_pause_changed()

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
        self._set_enabled(True)
        self._mute_changed()

    def _set_enabled(self, enabled: bool) -> None:
        self._media.set_enabled(enabled)
        self._sending.set_enabled(enabled)

    async def _restart(self) -> None:
        """Let the device go, then open what the constraints say now: some browsers open no two at a time."""
        self._let_device_go()
        await self._reopen()
        if self._muted and self._stop_on_mute:  # muted meanwhile
            self._let_device_go()

    def _let_device_go(self) -> None:
        for follower in tuple(self._followers):  # whoever has a clone holds the device, too
            follower._media_changed(None)
        self._events.close()
        self._media.end()
        self._sending.stop()

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
        try:
            media = await self._processed(media)
        except BaseException:
            media.stop()
            raise
        former = self._media
        try:
            is_taken = not self._stopped and await self._take(media)
        except BaseException:
            media.stop()
            raise
        (former if is_taken else media).stop()  # one that ended by itself is still held
        if is_taken and self._on_reopened is not None:
            self._on_reopened()

    async def _processed(self, media: MediaTrack) -> MediaTrack:
        if self._processing is None or self._stopped:
            return media
        return await self._processing.run(media)

    async def _take(self, media: MediaTrack) -> bool:
        """Send and show another of the browser's tracks; the former one is the caller's to end.

        Returns:
            False when this track has been stopped meanwhile, and the other one is the caller's to end.
        """
        was_paused = self._sending.is_paused
        media.set_enabled(not self._muted)  # before anyone gets it
        await self._sending.replace(media, enabled=not self._muted)
        if self._stopped:
            return False
        self._events.close()
        self._events = _DeviceEvents(self)
        media.set_handler(self._events)
        self._replace_media(media)
        self._set_enabled(not self._muted)
        self._pause_changed(was_paused)
        try:
            await self._sending.fit(*self.dimensions)
        except BrowserError as error:
            _log.warning("the layers do not go by the new size: %s", error)
        return True

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
        self._let_device_go()
        self._media.close()

    def _end(self) -> None:
        super()._end()
        if self._processing is not None:
            self._tasks.spawn(self._processing.close())
            self._processor = self._processing = None
        if self._preconnect is not None:
            self._preconnect.close()

    def _release(self) -> None:
        """Forget the browser's track without ending it."""
        self._stopped = True
        self._end()
        self._events.close()
        self._media.close()

    async def get_rtc_stats_report(self) -> list[Mapping[str, Json]]:
        """The senders' statistics, as the browser gives them (W3C ``RTCStatsReport``); nothing before publishing."""
        return await self._sending.get_stats()


class _DeviceEvents:
    """Listens to the browser's side of a track of ours, as long as it has this one."""

    def __init__(self, track: LocalTrack) -> None:
        self._track = track
        self._silence: asyncio.TimerHandle | None = None

    def on_ended(self) -> None:
        """The device went away, or the user stopped sharing."""
        self.close()
        _log.info("a local track ended: %s", self._track.source.name.lower())
        if self._track._on_ended is not None:
            self._track._on_ended()

    def on_mute(self) -> None:
        """The browser has no data from the device at present: when that goes on, the others take it for muted."""
        self.close()
        self._silence = asyncio.get_running_loop().call_later(PAUSE_AFTER, self._pause)

    def on_unmute(self) -> None:
        """The device delivers again."""
        self.close()
        self._track._tasks.spawn(self._track._resume(Pause.DEVICE))

    def _pause(self) -> None:
        _log.info("nothing comes from a device: %s", self._track.source.name.lower())
        self._track._tasks.spawn(self._track._pause(Pause.DEVICE))

    def close(self) -> None:
        """Expect nothing any more."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None


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

    async def set_publishing_quality(self, quality: VideoQuality) -> None:
        """Send no better layers than this, whoever wants them; HIGH sends all. An SVC codec sends all or none.

        Raises:
            BrowserError: the browser refused.
        """
        before, self._sending.most = self._sending.most, VideoQuality(quality)
        try:
            await self._sending.set_layers()
        except BrowserError:
            self._sending.most = before
            raise

    async def set_degradation_preference(self, preference: str) -> None:
        """Say what to give up first when there is not enough bandwidth or CPU.

        Args:
            preference: W3C's ``balanced``, ``maintain-framerate`` or ``maintain-resolution``; a browser that knows no
                such thing goes on as it was.
        """
        await self._sending.prefer(preference)

    async def prioritize_performance(self) -> None:
        """Send one small picture and nothing else, for a machine that cannot do more; there is no way back.

        Raises:
            BrowserError: the browser refused.
        """
        before, self._sending.is_small = self._sending.is_small, True
        try:
            await self._sending.set_layers()
        except BrowserError:
            self._sending.is_small = before
            raise


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
