"""Cameras, microphones and screens: opening them, listing them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from lk_pyodide.browser.api import Browser, DeviceName, Json, MediaTrack
from lk_pyodide.browser.current import current
from lk_pyodide.core import capture
from lk_pyodide.errors import MediaDeviceError, UsageError
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
from lk_pyodide.types import DeviceInfo, DevicePermission, FacingMode, FacingModeName, TrackKind, TrackSource

__all__ = [
    "create_local_audio_track",
    "create_local_screen_tracks",
    "create_local_tracks",
    "create_local_video_track",
    "facing_mode_from_device_label",
    "facing_mode_from_local_track",
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
        BrowserError: a processor failed; nothing is open then.
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
        if not is_missing(error) or not chosen:
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
    media = await page.media_devices.get_user_media(constraints)
    tracks = [_wrapped(page, each, constraints) for each in media]
    try:
        for track in tracks:
            options = audio if track.kind == TrackKind.AUDIO else video
            if options is not None and options.processor is not None:
                await track.set_processor(options.processor)
    except BaseException:
        for track in tracks:
            track.stop()
        raise
    return tracks


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
    there = {device.kind for device in found}
    # A speaker gets its name with the permission for a microphone; what is not there must not be asked for.
    asked: dict[str, Json] = {
        "audio": bool(unnamed & {"audioinput", "audiooutput"}) and "audioinput" in there,
        "video": "videoinput" in unnamed,
    }
    if request_permissions and any(asked.values()):
        opened = await page.media_devices.get_user_media(asked)
        found = await page.media_devices.enumerate_devices()  # some browsers tell the names only while one is open
        for track in opened:
            track.stop()
    return [device for device in found if kind is None or device.kind == kind]


async def get_permission_state(name: DeviceName, *, browser: Browser | None = None) -> DevicePermission:
    """Tell whether the page may open a camera or a microphone, without asking the user.

    Args:
        name: ``camera`` or ``microphone``.
        browser: the page; found out when left out.

    Returns:
        UNKNOWN where the browser does not tell.

    Raises:
        UsageError: there is no such device.
    """
    if name not in ("camera", "microphone"):
        raise UsageError(f"permission is asked for a camera or a microphone, not for {name!r}")
    page = browser or current()
    await page.ready()
    return await page.media_devices.query_permission(name)


def facing_mode_from_local_track(track: LocalTrack, default: FacingModeName = "user") -> FacingMode:
    """Guess which way a camera looks: a picture of oneself is mirrored, say, and one of the world is not.

    Args:
        track: of a camera.
        default: what is told when neither the browser nor the camera's name tells anything.
    """
    from lk_pyodide.core.devices import facing_mode  # few ask

    media = track._media
    return facing_mode(media.settings.facing_mode, media.label, default)


def facing_mode_from_device_label(label: str) -> FacingMode | None:
    """Guess from a camera's name which way it looks; None when it tells nothing."""
    from lk_pyodide.core.devices import facing_mode_from_label  # few ask

    return facing_mode_from_label(label)


def is_missing(error: MediaDeviceError) -> bool:
    """Whether the very device that was asked for is not there (browsers differ)."""
    return error.name in ("OverconstrainedError", "NotFoundError")
