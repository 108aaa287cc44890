"""Turning camera, microphone and screen on and off, for :class:`LocalParticipant`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from lk_pyodide import devices
from lk_pyodide.core.capture import DEFAULT
from lk_pyodide.errors import BrowserError, MediaDeviceError
from lk_pyodide.local_publishing import LocalPublisher
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.logging import get_logger
from lk_pyodide.options import (
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    TrackPublishOptions,
    VideoCaptureOptions,
    merged,
)
from lk_pyodide.participant import Publishing
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import TrackSource

_log = get_logger("participant")
T = TypeVar("T")
SOURCES = {"videoinput": TrackSource.CAMERA, "audioinput": TrackSource.MICROPHONE}
"""What a kind of device is the source of."""
KINDS = {source: kind for kind, source in SOURCES.items()}
"""What kind of device a source is."""
_SCREEN = (TrackSource.SCREENSHARE, TrackSource.SCREENSHARE_AUDIO)


class LocalCapture:
    """Opens and publishes devices and screens, for each source one call after the other.

    Args:
        room: our room.
        me: what is published already.
        publisher: publishes the rest.
        tasks: hold what goes on in the background.
    """

    def __init__(
        self, room: RoomPort, me: Publishing[LocalTrackPublication], publisher: LocalPublisher, tasks: TaskSet
    ) -> None:
        self._room = room
        self._me = me
        self._publisher = publisher
        self._tasks = tasks
        self._locks: dict[TrackSource, asyncio.Lock] = {}
        self.errors: dict[str, Exception] = {}
        """Why a kind of device could not be used when it was last wanted."""

    # -- camera and microphone --

    async def enable_camera_and_microphone(self) -> None:
        """See :meth:`LocalParticipant.enable_camera_and_microphone`."""
        async with self.lock(TrackSource.CAMERA), self.lock(TrackSource.MICROPHONE):
            missing: list[TrackSource] = []
            for source in (TrackSource.CAMERA, TrackSource.MICROPHONE):
                publication = self.find(source)
                if publication is None:
                    missing.append(source)
                else:
                    await self._unmute(publication)
            if missing:
                audio, video = TrackSource.MICROPHONE in missing, TrackSource.CAMERA in missing
                tracks = await self._capture(missing, lambda: self.create_tracks(audio=audio, video=video))
                await self._publisher.publish_all(tracks, None)

    async def set_camera(
        self, enabled: bool, options: VideoCaptureOptions | None, publish_options: TrackPublishOptions | None
    ) -> LocalTrackPublication | None:
        """See :meth:`LocalParticipant.set_camera_enabled`."""
        return await self._toggle(
            TrackSource.CAMERA, enabled, lambda: self.create_tracks(video=options or True), publish_options
        )

    async def set_microphone(
        self, enabled: bool, options: AudioCaptureOptions | None, publish_options: TrackPublishOptions | None
    ) -> LocalTrackPublication | None:
        """See :meth:`LocalParticipant.set_microphone_enabled`."""

        def create() -> Awaitable[list[LocalTrack]]:
            return self.create_tracks(audio=options or True)

        defaults = self._room.options.publish_defaults
        if enabled and merged(publish_options, defaults, TrackPublishOptions()).preconnect_buffer:
            return await self._enable_early(create, publish_options)
        return await self._toggle(TrackSource.MICROPHONE, enabled, create, publish_options)

    async def _enable_early(
        self, create: Callable[[], Awaitable[list[LocalTrack]]], options: TrackPublishOptions | None
    ) -> LocalTrackPublication | None:
        """Open a microphone and record it, connected or not, then publish it."""
        from lk_pyodide.preconnect import PreConnectBuffer

        source = TrackSource.MICROPHONE
        async with self.lock(source):
            publication = self.find(source)
            if publication is not None:
                await self._unmute(publication)
                return publication
            (track,) = await self._telling([source], create)
            try:
                track._preconnect = PreConnectBuffer(track)
            except BrowserError as error:
                _log.warning("what is said before the connection cannot be recorded: %s", error)
            await self._publisher.publish_all([track], options)
            return self.find(source)

    async def _toggle(
        self,
        source: TrackSource,
        enabled: bool,
        create: Callable[[], Awaitable[list[LocalTrack]]],
        options: TrackPublishOptions | None,
    ) -> LocalTrackPublication | None:
        async with self.lock(source):
            publication = self.find(source)
            if publication is not None:
                await (self._unmute(publication) if enabled else publication.mute())
            elif enabled:
                tracks = await self._capture([source], create)
                await self._publisher.publish_all(tracks, options)
                publication = self.find(source)
            return publication

    async def _unmute(self, publication: LocalTrackPublication) -> None:
        await self._capture([publication.source], lambda: self._turned_on(publication))

    async def _turned_on(self, publication: LocalTrackPublication) -> None:
        try:
            await publication.unmute()
        except MediaDeviceError as error:
            if not devices.is_missing(error) or not publication.track._is_chosen:
                raise
            _log.info("the chosen device is not there any more; another is taken")
            await publication.track.set_device_id(DEFAULT)
            await publication.unmute()

    async def create_tracks(
        self, *, audio: bool | AudioCaptureOptions = False, video: bool | VideoCaptureOptions = False
    ) -> list[LocalTrack]:
        """See :meth:`LocalParticipant.create_tracks`."""
        given_audio = audio if isinstance(audio, AudioCaptureOptions) else None
        given_video = video if isinstance(video, VideoCaptureOptions) else None
        defaults = self._room.options
        return await devices.create_local_tracks(
            audio=bool(audio) and merged(given_audio, defaults.audio_capture_defaults, AudioCaptureOptions()),
            video=bool(video) and merged(given_video, defaults.video_capture_defaults, VideoCaptureOptions()),
            browser=self._room.browser,
        )

    async def switch_device(self, kind: str, device_id: str, *, exact: bool) -> bool:
        """See :meth:`Room.switch_active_device`, for ``videoinput`` and ``audioinput``."""
        async with self.lock(SOURCES[kind]):
            used, switched = device_id, True
            for publication in list(self._me.track_publications.values()):
                track = publication.track
                if publication.source == SOURCES[kind] and track._is_device:
                    switched &= await track.set_device_id(device_id, exact=exact)
                    used = device_id if track.muted else track.device_id
            self._remember(kind, used)
            self._room.device_changed(kind, used)
            return switched

    def _remember(self, kind: str, device_id: str) -> None:
        """Open this device from now on."""
        options = self._room.options
        if kind == "videoinput":
            video = options.video_capture_defaults or VideoCaptureOptions()
            options.video_capture_defaults = replace(video, device_id=device_id)
        else:
            audio = options.audio_capture_defaults or AudioCaptureOptions()
            options.audio_capture_defaults = replace(audio, device_id=device_id)

    # -- screen --

    def set_screen_share(
        self, enabled: bool, options: ScreenShareCaptureOptions | None, publish_options: TrackPublishOptions | None
    ) -> Awaitable[LocalTrackPublication | None]:
        """See :meth:`LocalParticipant.set_screen_share_enabled`."""
        if not enabled:
            return self.stop_screen_share()
        known = self.find(TrackSource.SCREENSHARE)
        if known is not None:
            return self._tasks.spawn(_value(known))
        asked = devices.start_screen_capture(self._room.browser, options)
        return self._tasks.spawn(self._start_screen_share(asked, publish_options))

    def stop_screen_share(self, *, only_sound: bool = False) -> Awaitable[None]:
        """Unpublish the screen, and its sound; or that alone, as what is shared now may have none."""
        sources = _SCREEN[1:] if only_sound else _SCREEN
        return self._tasks.spawn(self._stop_screen_share(sources))

    async def _start_screen_share(
        self, asked: Awaitable[list[LocalTrack]], options: TrackPublishOptions | None
    ) -> LocalTrackPublication | None:
        async with self.lock(TrackSource.SCREENSHARE):
            tracks = await self._capture([TrackSource.SCREENSHARE], lambda: asked)
            await self._publisher.publish_all(tracks, options)
            return self.find(TrackSource.SCREENSHARE)

    async def _stop_screen_share(self, sources: Sequence[TrackSource]) -> None:
        async with self.lock(TrackSource.SCREENSHARE):
            for source in sources:
                publication = self.find(source)
                if publication is not None:
                    await self._publisher.unpublish(publication)

    # -- for all --

    def lock(self, source: TrackSource) -> asyncio.Lock:
        """Whoever opens, changes or closes a source holds this."""
        return self._locks.setdefault(source, asyncio.Lock())

    def find(self, source: TrackSource) -> LocalTrackPublication | None:
        """What is published from a source."""
        return self._me.get_track_publication(source)

    def failed(self, error: Exception, *kinds: str) -> None:
        """Devices could not be used, or not any longer."""
        self.errors |= dict.fromkeys(kinds, error)
        self._room.media_devices_error(error, kinds[0] if len(kinds) == 1 else None)

    async def _capture(self, sources: Sequence[TrackSource], work: Callable[[], Awaitable[T]]) -> T:
        await self._room.wait_connected()
        return await self._telling(sources, work)

    async def _telling(self, sources: Sequence[TrackSource], work: Callable[[], Awaitable[T]]) -> T:
        kinds = [KINDS[source] for source in sources if source in KINDS]
        try:
            result = await work()
        except BrowserError as error:
            self.failed(error, *kinds)
            raise
        for kind in kinds:
            self.errors.pop(kind, None)
        return result


async def _value(value: LocalTrackPublication) -> LocalTrackPublication:
    return value
