"""Capture options → W3C constraints, as JSON (livekit-client ``src/room/track/utils.ts``)."""

from __future__ import annotations

from lk_pyodide.options import (
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    VideoCaptureOptions,
    VideoResolution,
)

Constraints = dict[str, object]

DEFAULT = "default"
"""What the system prefers. Chromium lists it as a device of its own, beside the real one; others do not have it."""
_SCREEN_DEFAULT = VideoResolution(1920, 1080, 30)


def audio_constraints(options: AudioCaptureOptions, *, exact: bool = True) -> Constraints:
    """``MediaTrackConstraints`` of a microphone."""
    return _present(
        deviceId=device_constraint(options.device_id, exact=exact),
        autoGainControl=options.auto_gain_control,
        echoCancellation=options.echo_cancellation,
        noiseSuppression=options.noise_suppression,
        voiceIsolation=options.voice_isolation,
        channelCount=options.channel_count,
        sampleRate=options.sample_rate,
        sampleSize=options.sample_size,
        latency=options.latency,
    )


def video_constraints(options: VideoCaptureOptions, *, exact: bool = True) -> Constraints:
    """``MediaTrackConstraints`` of a camera."""
    size = options.resolution
    return _present(
        deviceId=device_constraint(options.device_id, exact=exact),
        width=size.width if size else None,
        height=size.height if size else None,
        frameRate=options.frame_rate or (size.frame_rate if size else None),
        aspectRatio=size.aspect_ratio if size else None,
        facingMode=options.facing_mode,
    )


def display_constraints(options: ScreenShareCaptureOptions, *, browser: str = "") -> Constraints:
    """``DisplayMediaStreamOptions``; a resolution of 0 × 0 asks for whatever the screen has."""
    # Safari 17 cannot capture at a size that it is asked for.
    size = options.resolution or (_SCREEN_DEFAULT if browser != "safari" else None)
    limit = "max" if browser == "safari" else "ideal"
    video = _present(displaySurface=options.display_surface)
    if size is not None and size.width > 0 and size.height > 0:
        video |= _present(width={limit: size.width}, height={limit: size.height}, frameRate=size.frame_rate)
    audio = options.audio
    return _present(
        audio=audio_constraints(audio) if isinstance(audio, AudioCaptureOptions) else bool(audio),
        video=video or True,
        selfBrowserSurface=options.self_browser_surface,
        surfaceSwitching=options.surface_switching,
        systemAudio=options.system_audio,
        preferCurrentTab=options.prefer_current_tab,
    )


def device_constraint(device_id: str | None, *, exact: bool = True) -> dict[str, str]:
    """``ConstrainDOMString`` of a device; None, or ``default``, is whichever the system prefers.

    Only Chromium has a microphone and a speaker that are called so, and no browser a camera: it is a wish.
    """
    if device_id in (None, DEFAULT):
        return {"ideal": DEFAULT}
    return {"exact" if exact else "ideal": device_id}


def _present(**values: object) -> Constraints:
    # A constraint that is null is an error in some browsers, so what is not said is left out.
    return {name: value for name, value in values.items() if value is not None}
