"""Cameras, microphones and screens: opening them, listing them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from lk_pyodide.browser.api import Browser, Json, MediaTrack
from lk_pyodide.browser.current import current
from lk_pyodide.core import capture
from lk_pyodide.errors import MediaDeviceError
from lk_pyodide.local_track import LocalTrack, wrap
from lk_pyodide.logging import get_logger
from lk_pyodide.options import (
    AUDIO_CAPTURE_DEFAULTS,
    VIDEO_CAPTURE_DEFAULTS,
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    VideoCaptureOptions,
    merged,
)
from lk_pyodide.types import DeviceInfo, TrackSource

__all__ = [
    "create_local_audio_track",
    "create_local_screen_tracks",
    "create_local_tracks",
    "create_local_video_track",
]

_log = get_logger("devices")


async def create_local_tracks(
    *,
    audio: bool | AudioCaptureOptions = True,
    video: bool | VideoCaptureOptions = True,
    browser: Browser | None = None,
) -> list[LocalTrack]:
    """Open camera and microphone, with one question to the user.

    Args:
        audio: whether, and how, to open a microphone.
        video: whether, and how, to open a camera.
        browser: the page; found out when left out.

    Returns:
        The tracks; yours to stop, or to publish.

    Raises:
        MediaDeviceError: the user or the machine refused.
        DeviceUnsupportedError: this page may not use devices at all (no https).
    """
    page = browser or current()
    await page.ready()
    wanted_audio = _audio(audio)
    wanted_video = _video(video)
    if wanted_audio is None and wanted_video is None:
        return []
    try:
        return await _open(page, wanted_audio, wanted_video, exact=True)
    except MediaDeviceError as error:
        chosen = [o.device_id for o in (wanted_audio, wanted_video) if o is not None and o.device_id is not None]
        if error.name != "OverconstrainedError" or not chosen:
            raise
        _log.info("the chosen device is not there; another is taken")
        return await _open(page, wanted_audio, wanted_video, exact=False)


def _audio(audio: bool | AudioCaptureOptions) -> AudioCaptureOptions | None:
    if audio is False:
        return None
    return merged(audio if isinstance(audio, AudioCaptureOptions) else None, AUDIO_CAPTURE_DEFAULTS)


def _video(video: bool | VideoCaptureOptions) -> VideoCaptureOptions | None:
    if video is False:
        return None
    return merged(video if isinstance(video, VideoCaptureOptions) else None, VIDEO_CAPTURE_DEFAULTS)


async def _open(
    page: Browser, audio: AudioCaptureOptions | None, video: VideoCaptureOptions | None, *, exact: bool
) -> list[LocalTrack]:
    constraints: dict[str, Json] = {}
    if audio is not None:
        constraints["audio"] = _json(capture.audio_constraints(audio, exact=exact))
    if video is not None:
        constraints["video"] = _json(capture.video_constraints(video, exact=exact))
    tracks = await page.media_devices.get_user_media(constraints)
    return [_wrapped(page, media, constraints) for media in tracks]


def _wrapped(page: Browser, media: MediaTrack, constraints: Mapping[str, Json]) -> LocalTrack:
    source = TrackSource.MICROPHONE if media.kind == "audio" else TrackSource.CAMERA
    asked = constraints.get(media.kind)
    return wrap(page, media, source, constraints=asked if isinstance(asked, Mapping) else {})


async def create_local_audio_track(
    options: AudioCaptureOptions | None = None, *, browser: Browser | None = None
) -> LocalTrack:
    """Open a microphone; see :func:`create_local_tracks`."""
    return (await create_local_tracks(audio=options or True, video=False, browser=browser))[0]


async def create_local_video_track(
    options: VideoCaptureOptions | None = None, *, browser: Browser | None = None
) -> LocalTrack:
    """Open a camera; see :func:`create_local_tracks`."""
    return (await create_local_tracks(audio=False, video=options or True, browser=browser))[0]


def create_local_screen_tracks(
    options: ScreenShareCaptureOptions | None = None, *, browser: Browser | None = None
) -> Awaitable[list[LocalTrack]]:
    """Ask for a screen, at the call: the browser forgets the user's click at the first ``await``.

    Returns:
        An awaitable for the picture and, if asked for and given, the sound.

    Raises:
        MediaDeviceError: the user said no.
    """
    return start_screen_capture(browser or current(), options)


def start_screen_capture(page: Browser, options: ScreenShareCaptureOptions | None) -> Awaitable[list[LocalTrack]]:
    """Ask for a screen now."""
    wanted = options or ScreenShareCaptureOptions()
    constraints = _json(capture.display_constraints(wanted, browser=page.info.name))
    asked = page.media_devices.get_display_media(constraints)
    return _screen(page, asked, wanted)


async def _screen(page: Browser, asked: Awaitable[object], options: ScreenShareCaptureOptions) -> list[LocalTrack]:
    tracks: list[LocalTrack] = []
    for media in await asked:  # type: ignore[attr-defined]
        video = media.kind == "video"
        if video and options.content_hint:
            media.set_content_hint(options.content_hint)
        source = TrackSource.SCREENSHARE if video else TrackSource.SCREENSHARE_AUDIO
        tracks.append(wrap(page, media, source, constraints={}))
    return tracks


def _json(constraints: capture.Constraints) -> dict[str, Json]:
    return constraints  # type: ignore[return-value]


async def get_local_devices(
    kind: str | None = None, *, request_permissions: bool = True, browser: Browser | None = None
) -> list[DeviceInfo]:
    """The devices that the page may know of.

    Args:
        kind: ``audioinput``, ``videoinput`` or ``audiooutput``; None means all.
        request_permissions: ask the user when the browser keeps the names to itself until it has asked.
        browser: the page; found out when left out.

    Raises:
        MediaDeviceError: the user refused.
    """
    page = browser or current()
    await page.ready()
    found = await page.media_devices.enumerate_devices()
    unnamed = {device.kind for device in found if not device.label and kind in (None, device.kind)}
    if request_permissions and unnamed:
        asked: dict[str, Json] = {"audio": kind != "videoinput", "video": kind == "videoinput" or kind is None}
        for track in await page.media_devices.get_user_media(asked):
            track.stop()
        found = await page.media_devices.enumerate_devices()
    return [device for device in found if kind is None or device.kind == kind]
