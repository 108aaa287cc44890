"""Which codec goes out of which browser, in which layers, and what takes the place of what cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lk_pyodide.core import codecs, publishing
from lk_pyodide.core.backup import backup_plan, wanted_backup
from lk_pyodide.core.codecs import Encoders, ScalabilityMode
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.messages import (
    SimulcastCodec,
    SimulcastCodecInfo,
    SubscribedCodec,
    SubscribedQuality,
    SubscribedQualityUpdate,
    TrackInfo,
    VideoLayer,
)
from lk_pyodide.core.publishing import PublishPlan, TrackFacts
from lk_pyodide.errors import UsageError
from lk_pyodide.options import PUBLISH_DEFAULTS, BackupVideoCodec, TrackPublishOptions, VideoEncoding, merged
from lk_pyodide.types import BackupCodecPolicy, TrackKind, TrackSource, VideoCodec, VideoQuality

ALL = ("video/VP8", "video/VP9", "video/H264", "video/AV1", "video/H265")
OPEN = ("video/VP8", "video/VP9", "video/AV1")
CHROME = Encoders("chrome", "140.0.7339.80", "Linux", codecs=ALL)
CHROME_112 = replace(CHROME, version="112.0.5615.49")
CHROME_113 = replace(CHROME, version="113.0.5672.24")
EDGE = Encoders("edge", "140.0.3485.54", "Windows", codecs=ALL)
EDGE_112 = replace(EDGE, version="112.0.1722.34")
OPERA = Encoders("opera", "95.0", "Linux", codecs=OPEN)
FIREFOX = Encoders("firefox", "140.0", "Linux", codecs=ALL)
SAFARI_15 = Encoders("safari", "15.6", "macOS", "10.15.7", ALL)
SAFARI_17 = Encoders("safari", "17.4", "macOS", "10.15.7", ALL)
SAFARI_18_4 = Encoders("safari", "18.4", "macOS", "10.15.7", ALL)
IOS_15 = Encoders("safari", "16.1", "iOS", "15.8", ALL)
IOS_18_4 = Encoders("safari", "", "iOS", "18.4.1", ALL)
SILENT = Encoders("chrome", "140.0", "Linux")

CAMERA = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 1280, 720)
SCREEN = TrackFacts("screen", TrackKind.VIDEO, TrackSource.SCREENSHARE, 1920, 1080)


def plan(options: TrackPublishOptions, encoders: Encoders = CHROME, *enabled: str) -> PublishPlan:
    return publishing.plan(CAMERA, merged(options, PUBLISH_DEFAULTS), encoders=encoders, enabled_codecs=enabled)


# -- which codec -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (None, "vp8"),
        ("", "vp8"),
        ("VP9", "vp9"),
        ("video/H264", "h264"),
        ("video/AV1", "av1"),
        (VideoCodec.VP8, "vp8"),
        (VideoCodec.H265, "h265"),
    ],
)
def test_names_of_codecs(codec: VideoCodec | str | None, name: str) -> None:
    assert codecs.codec_name(codec) == name


@pytest.mark.parametrize(
    ("encoders", "sends"),
    [
        (CHROME, "vp8 h264 vp9 av1 h265"),
        (replace(CHROME, codecs=OPEN), "vp8 vp9 av1"),
        (CHROME_112, "vp8 h264 vp9 av1 h265"),
        (EDGE, "vp8 h264 vp9 av1 h265"),
        (OPERA, "vp8 vp9 av1"),
        (FIREFOX, "vp8 h264 h265"),
        (replace(FIREFOX, codecs=OPEN), "vp8"),
        (SAFARI_15, "vp8 h264 h265"),
        (SAFARI_17, "vp8 h264 vp9 h265"),
        (SAFARI_18_4, "vp8 h264 vp9 h265"),
        (IOS_15, "vp8 h264 h265"),
        (IOS_18_4, "vp8 h264 vp9 h265"),
        (SILENT, "vp8 h264"),
        (Encoders(), "vp8 h264"),
        (replace(CHROME, codecs=("video/H264",)), "h264"),
    ],
)
def test_what_a_browser_sends(encoders: Encoders, sends: str) -> None:
    for codec in ("vp8", "h264", "vp9", "av1", "h265", "theora"):
        assert codecs.can_send(codec, encoders) == (codec in sends.split()), codec


@pytest.mark.parametrize(
    ("wanted", "encoders", "enabled", "codec"),
    [
        ("h264", CHROME, (), "h264"),
        ("h264", CHROME, ("video/VP8", "video/H264"), "h264"),
        (None, CHROME, ("Video/vp8",), "vp8"),
        (VideoCodec.AV1, CHROME, (), "av1"),
        # the browser cannot
        ("av1", FIREFOX, (), "vp8"),
        ("vp9", FIREFOX, ("video/VP9", "video/VP8"), "vp8"),
        ("av1", SAFARI_18_4, (), "vp8"),
        ("theora", CHROME, (), "vp8"),
        # the server does not take it
        ("av1", CHROME, ("audio/opus", "video/H264", "video/VP8"), "h264"),
        ("av1", CHROME, ("audio/opus", "audio/red"), "av1"),
        ("h264", CHROME, ("video/rtx", "video/VP9"), "vp9"),
        # nor can the browser what it takes first
        ("vp8", FIREFOX, ("video/AV1", "video/VP9", "video/H264"), "h264"),
        ("vp8", FIREFOX, ("video/AV1", "video/VP9"), "av1"),
    ],
)
def test_fallbacks(wanted: VideoCodec | str | None, encoders: Encoders, enabled: tuple[str, ...], codec: str) -> None:
    assert codecs.choose(wanted, encoders, enabled) == codec


def test_the_chosen_codec_is_announced() -> None:
    made = plan(TrackPublishOptions(video_codec="av1"), CHROME, "video/H264", "video/VP9")
    assert made.codec == "h264"
    assert made.request.simulcast_codecs == (SimulcastCodec("h264", "cam"),)


@pytest.mark.parametrize(
    ("mime", "layers"), [("video/VP8", 3), ("", 1), ("video/AV1", 1), ("video/vp9", 1), ("video/H264", 3)]
)
def test_the_server_may_choose_another(mime: str, layers: int) -> None:
    """Then the layers are those of that one."""
    made = plan(TrackPublishOptions(video_codec="vp9"))
    info = TrackInfo("TR_1", TrackKind.VIDEO, codecs=(SimulcastCodecInfo(mime),))
    chosen = publishing.adopted(made, info)
    assert chosen.codec == (mime.lower().removeprefix("video/") or "vp9")
    assert len(chosen.layers) == layers
    assert chosen.request is made.request
    assert publishing.adopted(made, TrackInfo()) is made


# -- SVC ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "wanted", "screen", "mode"),
    [
        ("vp9", None, False, "L3T3_KEY"),
        ("av1", None, False, "L3T3_KEY"),
        ("av1", "L1T3", False, "L1T3"),
        ("vp9", "L2T3h", False, "L2T3h"),
        ("vp9", "L3T3_KEY_SHIFT", False, "L3T3_KEY_SHIFT"),
        ("vp9", "L3T3", True, "L1T3"),
        ("av1", None, True, "L1T3"),
        ("vp8", None, False, None),
        ("h265", "L3T3", False, None),
    ],
)
def test_modes(codec: str, wanted: str | None, screen: bool, mode: str | None) -> None:
    found = codecs.scalability(codec, wanted, screen=screen)
    assert (str(found) if found else None) == mode


@pytest.mark.parametrize("wanted", ["L4T1", "L1T4", "S3T3", "l1t1", "L1", "L1T1 ", "L1T1_KEYS"])
def test_modes_that_there_are_not(wanted: str) -> None:
    with pytest.raises(UsageError, match="L3T3_KEY"):
        plan(TrackPublishOptions(video_codec="vp9", scalability_mode=wanted))
    with pytest.raises(UsageError):
        plan(TrackPublishOptions(scalability_mode=wanted))


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


# -- the second codec --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "wanted", "enabled", "backup"),
    [
        ("vp9", True, (), "vp8"),
        ("av1", True, (), "vp8"),
        ("h264", True, (), "vp8"),
        ("h265", True, ("video/VP8", "video/H265"), "vp8"),
        ("vp8", True, (), None),
        ("vp9", False, (), None),
        ("vp9", None, (), None),
        ("vp9", BackupVideoCodec(codec="h264"), (), "h264"),
        ("vp9", BackupVideoCodec(codec=VideoCodec.H264), (), "h264"),
        ("vp8", BackupVideoCodec(codec="h264"), (), "h264"),
        ("h264", BackupVideoCodec(codec="h264"), (), None),
        ("vp9", True, ("video/VP9",), None),
    ],
)
def test_the_second_codec(
    codec: str, wanted: bool | BackupVideoCodec | None, enabled: tuple[str, ...], backup: str | None
) -> None:
    found = codecs.backup_of(codec, wanted, CHROME, enabled)
    assert (codecs.codec_name(found.codec) if found else None) == backup


def test_second_codecs_that_there_are_not() -> None:
    with pytest.raises(UsageError, match="vp8, h264"):
        codecs.backup_of("vp9", BackupVideoCodec(codec=VideoCodec.AV1), CHROME)
    cannot = replace(CHROME, codecs=OPEN)
    assert codecs.backup_of("vp9", BackupVideoCodec(codec="h264"), cannot) is None


def test_the_second_codec_is_announced_without_an_id() -> None:
    request = plan(TrackPublishOptions(video_codec="vp9", backup_codec_policy=BackupCodecPolicy.SIMULCAST)).request
    assert request.simulcast_codecs == (SimulcastCodec("vp9", "cam"), SimulcastCodec("vp8", ""))
    assert request.backup_codec_policy is BackupCodecPolicy.SIMULCAST
    assert plan(TrackPublishOptions()).request.backup_codec_policy is BackupCodecPolicy.PREFER_REGRESSION
    for without in (TrackPublishOptions(), TrackPublishOptions(video_codec="vp9", backup_codec=False)):
        assert len(plan(without).request.simulcast_codecs) == 1
        assert plan(without).backup is None


def _watched(**codecs_: bool) -> SubscribedQualityUpdate:
    return SubscribedQualityUpdate(
        "TR_1",
        subscribed_codecs=tuple(
            SubscribedCodec(name, (SubscribedQuality(VideoQuality.LOW, False), SubscribedQuality(2, enabled)))
            for name, enabled in codecs_.items()
        ),
    )


@pytest.mark.parametrize(
    ("update", "codec"),
    [
        (_watched(vp9=True), None),
        (_watched(vp9=True, vp8=False), None),
        (_watched(vp9=False, VP8=True), "vp8"),
        (_watched(vp9=True, h264=True), "h264"),
        (_watched(vp9=True, av1=True), None),
        (SubscribedQualityUpdate("TR_1", (SubscribedQuality(VideoQuality.HIGH, True),)), None),
    ],
)
def test_who_needs_it(update: SubscribedQualityUpdate, codec: str | None) -> None:
    made = plan(TrackPublishOptions(video_codec="vp9"))
    assert wanted_backup(made, update) == codec
    assert wanted_backup(plan(TrackPublishOptions(video_codec="vp9", backup_codec=False)), update) is None


def test_how_it_is_published() -> None:
    backup = BackupVideoCodec(encoding=VideoEncoding(1_000_000, 20))
    first = plan(TrackPublishOptions(video_codec="vp9", backup_codec=backup, video_encoding=VideoEncoding(5_000_000)))
    second = backup_plan(first, "vp8", cid="clone", sid="TR_1", muted=True)
    request = second.request
    assert (request.cid, request.sid, request.muted) == ("clone", "TR_1", True)
    assert (request.type, request.source) == (TrackKind.VIDEO, TrackSource.CAMERA)
    assert request.simulcast_codecs == (SimulcastCodec("vp8", "clone", request.layers),)
    assert [(layer.rid, layer.max_bitrate) for layer in second.layers] == [
        ("q", 160_000),
        ("h", 450_000),
        ("f", 1_000_000),
    ]
    assert [layer.width for layer in request.layers] == [320, 640, 1280]
    assert (second.codec, second.degradation_preference) == ("vp8", "maintain-framerate")
    assert second.backup is None


def test_of_a_screen_it_is_one_size() -> None:
    options = merged(TrackPublishOptions(video_codec="av1"), PUBLISH_DEFAULTS)
    second = backup_plan(publishing.plan(SCREEN, options, encoders=CHROME), "vp8", cid="c", sid="s", muted=False)
    assert second.layers == (Layer(max_bitrate=2_500_000, max_framerate=15, priority="medium"),)
