"""Which codec goes out of which browser, in which layers, and what takes the place of what cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lk_pyodide.core import codecs, publishing
from lk_pyodide.core.codecs import Encoders
from lk_pyodide.core.messages import (
    SimulcastCodec,
    SimulcastCodecInfo,
    TrackInfo,
)
from lk_pyodide.core.publishing import PublishPlan, TrackFacts
from lk_pyodide.errors import UsageError
from lk_pyodide.options import PUBLISH_DEFAULTS, BackupVideoCodec, TrackPublishOptions, merged
from lk_pyodide.types import TrackKind, TrackSource, VideoCodec
from tests.core.browsers import (
    CHROME,
    CHROME_112,
    EDGE,
    FIREFOX,
    IOS_15,
    IOS_18_4,
    OPEN,
    OPERA,
    SAFARI_15,
    SAFARI_17,
    SAFARI_18_4,
    SILENT,
)

CAMERA = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 1280, 720)


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
