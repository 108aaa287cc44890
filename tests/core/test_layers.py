"""How the layers of an SVC codec are made, in each browser; those of others are in test_publishing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lk_pyodide.core import publishing
from lk_pyodide.core.codecs import Encoders, ScalabilityMode
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.messages import (
    VideoLayer,
)
from lk_pyodide.core.publishing import PublishPlan, TrackFacts
from lk_pyodide.options import PUBLISH_DEFAULTS, TrackPublishOptions, VideoEncoding, merged
from lk_pyodide.types import TrackKind, TrackSource, VideoQuality
from tests.core.browsers import CHROME, CHROME_112, CHROME_113, EDGE, EDGE_112, IOS_18_4, OPERA, SAFARI_17, SAFARI_18_4

CAMERA = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 1280, 720)
SCREEN = TrackFacts("screen", TrackKind.VIDEO, TrackSource.SCREENSHARE, 1920, 1080)


def plan(options: TrackPublishOptions, encoders: Encoders = CHROME, *enabled: str) -> PublishPlan:
    return publishing.plan(CAMERA, merged(options, PUBLISH_DEFAULTS), encoders=encoders, enabled_codecs=enabled)


@pytest.mark.parametrize("encoders", [CHROME, CHROME_113, EDGE, OPERA], ids=lambda each: f"{each.browser}")
@pytest.mark.parametrize("simulcast", [True, False])
def test_one_encoding(encoders: Encoders, simulcast: bool) -> None:
    options = TrackPublishOptions(video_codec="av1", simulcast=simulcast, video_encoding=VideoEncoding(900_000, 24))
    made = plan(options, encoders)
    assert made.layers == (Layer(max_bitrate=900_000, max_framerate=24, scalability_mode="L3T3_KEY"),)
    assert made.request.layers == (
        VideoLayer(VideoQuality.HIGH, 1280, 720, 900_000),
        VideoLayer(VideoQuality.MEDIUM, 640, 360, 300_000),
        VideoLayer(VideoQuality.LOW, 320, 180, 100_000),
    )
    assert made.target_bitrate == 900_000


@pytest.mark.parametrize(
    ("encoders", "scales"),
    [
        (CHROME_112, [None, None, None]),
        (EDGE_112, [None, None, None]),
        (SAFARI_17, [None, None, None]),
        (SAFARI_18_4, [1.0, 2.0, 4.0]),
        (IOS_18_4, [1.0, 2.0, 4.0]),
    ],
)
def test_an_encoding_for_each_size(encoders: Encoders, scales: list[float | None]) -> None:
    """As older Chromiums want it, and Safari."""
    made = plan(TrackPublishOptions(video_codec="vp9", video_encoding=VideoEncoding(900_000, 24, "high")), encoders)
    assert [layer.rid for layer in made.layers] == ["f", "h", "q"]
    assert [layer.max_bitrate for layer in made.layers] == [900_000, 300_000, 100_000]
    assert [layer.scalability_mode for layer in made.layers] == ["L3T3_KEY", None, None]
    assert [layer.priority for layer in made.layers] == ["high", None, None]
    assert [layer.scale_resolution_down_by for layer in made.layers] == scales
    assert made.target_bitrate == 900_000, "the first holds them all"


def test_sizes_that_are_nearer_to_each_other() -> None:
    options = TrackPublishOptions(
        video_codec="vp9", scalability_mode="L2T3h", video_encoding=VideoEncoding(1_000_000, 30)
    )
    assert plan(options).request.layers == (
        VideoLayer(VideoQuality.MEDIUM, 1280, 720, 1_000_000),
        VideoLayer(VideoQuality.LOW, 854, 480, 500_000),
    )
    assert ScalabilityMode(2, 3, "h").size_ratio == 1.5


@pytest.mark.parametrize(("codec", "hint"), [("vp9", "motion"), ("av1", "motion"), ("vp8", ""), ("h264", "")])
def test_a_screen(codec: str, hint: str) -> None:
    """Chrome would send few frames of it, and of VP9 only the smallest size."""
    options = merged(TrackPublishOptions(video_codec=codec), PUBLISH_DEFAULTS)  # type: ignore[arg-type]
    made = publishing.plan(SCREEN, options, encoders=CHROME)
    assert made.content_hint == hint
    if hint:
        assert [layer.scalability_mode for layer in made.layers] == ["L1T3"]
        assert [(layer.quality, layer.width) for layer in made.request.layers] == [(VideoQuality.LOW, 1920)]
    assert publishing.plan(CAMERA, options, encoders=CHROME).content_hint == ""


def test_a_size_that_is_not_known_leaves_the_rates_to_the_browser() -> None:
    unknown = replace(CAMERA, width=0, height=0)
    options = merged(TrackPublishOptions(video_codec="vp9"), PUBLISH_DEFAULTS)
    assert publishing.plan(unknown, options, encoders=CHROME).layers == (Layer(scalability_mode="L3T3_KEY"),)


@pytest.mark.parametrize(
    ("codec", "width", "height", "scales"),
    [
        ("vp8", 1920, 1080, [6.0, 3.0, 1.0]),
        ("vp8", 640, 360, [4.0, 2.0, 1.0]),
        ("vp8", 0, 0, [4.0, 2.0, 1.0]),
        ("vp9", 640, 360, [None]),
    ],
)
def test_another_size(codec: str, width: int, height: int, scales: list[float | None]) -> None:
    """The layers go by it, as long as there are as many of them."""
    made = publishing.resized(plan(TrackPublishOptions(video_codec=codec)), width, height)  # type: ignore[arg-type]
    assert [layer.scale_resolution_down_by for layer in made.layers] == scales
    if codec == "vp9":
        assert made.layers[0].max_bitrate == 450_000 * 85 // 100
    bare = PublishPlan(made.request, (Layer(),))
    assert publishing.resized(bare, width, height) is bare
