"""How a second codec is announced and published, for those who cannot decode the first."""

from __future__ import annotations

import pytest

from lk_pyodide.core import publishing
from lk_pyodide.core.backup import backup_plan, wanted_backup
from lk_pyodide.core.codecs import Encoders
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.messages import (
    SimulcastCodec,
    SubscribedCodec,
    SubscribedQuality,
    SubscribedQualityUpdate,
)
from lk_pyodide.core.publishing import PublishPlan, TrackFacts
from lk_pyodide.options import PUBLISH_DEFAULTS, BackupVideoCodec, TrackPublishOptions, VideoEncoding, merged
from lk_pyodide.types import BackupCodecPolicy, TrackKind, TrackSource, VideoQuality
from tests.core.browsers import CHROME

CAMERA = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 1280, 720)
SCREEN = TrackFacts("screen", TrackKind.VIDEO, TrackSource.SCREENSHARE, 1920, 1080)


def plan(options: TrackPublishOptions, encoders: Encoders = CHROME, *enabled: str) -> PublishPlan:
    return publishing.plan(CAMERA, merged(options, PUBLISH_DEFAULTS), encoders=encoders, enabled_codecs=enabled)


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
