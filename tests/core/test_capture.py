"""Capture options → W3C constraints."""

from __future__ import annotations

import json

import pytest

from lk_pyodide.core import capture
from lk_pyodide.options import (
    AUDIO_CAPTURE_DEFAULTS,
    VIDEO_CAPTURE_DEFAULTS,
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    VideoCaptureOptions,
    VideoPresets,
    VideoResolution,
)

IDEAL = {"deviceId": {"ideal": "default"}}


@pytest.mark.parametrize(
    ("options", "exact", "expected"),
    [
        (AudioCaptureOptions(), True, IDEAL),
        (AudioCaptureOptions(device_id="mic"), True, {"deviceId": {"exact": "mic"}}),
        (AudioCaptureOptions(device_id="mic"), False, {"deviceId": {"ideal": "mic"}}),
        (AudioCaptureOptions(device_id=""), True, {"deviceId": {"exact": ""}}),
        (AudioCaptureOptions(auto_gain_control=False), True, IDEAL | {"autoGainControl": False}),
        (
            AudioCaptureOptions(
                auto_gain_control=True,
                echo_cancellation=False,
                noise_suppression=True,
                voice_isolation=False,
                channel_count=2,
                sample_rate=48000,
                sample_size=16,
                latency=0.0,
            ),
            True,
            IDEAL
            | {
                "autoGainControl": True,
                "echoCancellation": False,
                "noiseSuppression": True,
                "voiceIsolation": False,
                "channelCount": 2,
                "sampleRate": 48000,
                "sampleSize": 16,
                "latency": 0.0,
            },
        ),
    ],
)
def test_microphone(options: AudioCaptureOptions, exact: bool, expected: dict[str, object]) -> None:
    assert capture.audio_constraints(options, exact=exact) == expected


@pytest.mark.parametrize(
    ("options", "exact", "expected"),
    [
        (VideoCaptureOptions(), True, IDEAL),
        (VideoCaptureOptions(device_id="cam"), True, {"deviceId": {"exact": "cam"}}),
        (VideoCaptureOptions(device_id="cam"), False, {"deviceId": {"ideal": "cam"}}),
        (VideoCaptureOptions(facing_mode="environment"), True, IDEAL | {"facingMode": "environment"}),
        (VideoCaptureOptions(frame_rate=15), True, IDEAL | {"frameRate": 15}),
        (VideoCaptureOptions(resolution=VideoResolution(640, 360)), True, IDEAL | {"width": 640, "height": 360}),
        (
            VideoCaptureOptions(resolution=VideoPresets.H360.resolution),
            True,
            IDEAL | {"width": 640, "height": 360, "frameRate": 20, "aspectRatio": 640 / 360},
        ),
        (
            VideoCaptureOptions(resolution=VideoPresets.H360.resolution, frame_rate=10),
            True,
            IDEAL | {"width": 640, "height": 360, "frameRate": 10, "aspectRatio": 640 / 360},
        ),
    ],
)
def test_camera(options: VideoCaptureOptions, exact: bool, expected: dict[str, object]) -> None:
    assert capture.video_constraints(options, exact=exact) == expected


@pytest.mark.parametrize(
    ("options", "browser", "expected"),
    [
        (
            ScreenShareCaptureOptions(),
            "chrome",
            {"audio": False, "video": {"width": {"ideal": 1920}, "height": {"ideal": 1080}, "frameRate": 30}},
        ),
        (ScreenShareCaptureOptions(), "safari", {"audio": False, "video": True}),
        (
            ScreenShareCaptureOptions(resolution=VideoResolution(1280, 720)),
            "safari",
            {"audio": False, "video": {"width": {"max": 1280}, "height": {"max": 720}}},
        ),
        (ScreenShareCaptureOptions(resolution=VideoResolution(0, 0)), "chrome", {"audio": False, "video": True}),
        (ScreenShareCaptureOptions(resolution=VideoResolution(1280, 0)), "", {"audio": False, "video": True}),
        (
            ScreenShareCaptureOptions(audio=True, resolution=VideoResolution(0, 0), display_surface="window"),
            "firefox",
            {"audio": True, "video": {"displaySurface": "window"}},
        ),
        (
            ScreenShareCaptureOptions(
                audio=AudioCaptureOptions(echo_cancellation=False),
                resolution=VideoResolution(0, 0),
                self_browser_surface="exclude",
                surface_switching="include",
                system_audio="exclude",
                prefer_current_tab=False,
            ),
            "chrome",
            {
                "audio": IDEAL | {"echoCancellation": False},
                "video": True,
                "selfBrowserSurface": "exclude",
                "surfaceSwitching": "include",
                "systemAudio": "exclude",
                "preferCurrentTab": False,
            },
        ),
    ],
)
def test_screen(options: ScreenShareCaptureOptions, browser: str, expected: dict[str, object]) -> None:
    assert capture.display_constraints(options, browser=browser) == expected


def test_the_defaults_are_those_of_livekit_client() -> None:
    assert capture.audio_constraints(AUDIO_CAPTURE_DEFAULTS) == IDEAL | dict.fromkeys(
        ("autoGainControl", "echoCancellation", "noiseSuppression", "voiceIsolation"), True
    )
    assert capture.video_constraints(VIDEO_CAPTURE_DEFAULTS) == IDEAL | {
        "width": 1280,
        "height": 720,
        "frameRate": 30,
        "aspectRatio": 1280 / 720,
    }


def test_constraints_are_json_without_nulls() -> None:
    for constraints in (
        capture.audio_constraints(AUDIO_CAPTURE_DEFAULTS),
        capture.video_constraints(VIDEO_CAPTURE_DEFAULTS),
        capture.display_constraints(ScreenShareCaptureOptions()),
    ):
        assert "null" not in json.dumps(constraints)
