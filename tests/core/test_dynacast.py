"""Which layers are sent, by what the server says of who watches."""

from dataclasses import replace

import pytest

from lk_pyodide.core import messages as m
from lk_pyodide.core.codecs import UNKNOWN
from lk_pyodide.core.dynacast import Limits, limited
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.publishing import Basis, PublishPlan, TrackFacts
from lk_pyodide.options import PUBLISH_DEFAULTS as OPTIONS
from lk_pyodide.types import TrackKind, TrackSource, VideoQuality

LOW, MEDIUM, HIGH = VideoQuality
THREE = tuple(Layer(rid, bitrate, 30.0, scale) for rid, bitrate, scale in (("q", 1, 4.0), ("h", 2, 2.0), ("f", 3, 1.0)))
REQUEST = m.AddTrackRequest(cid="c")


def plan(*layers: Layer, codec: str = "vp8") -> PublishPlan:
    return PublishPlan(REQUEST, layers, codec)


def watched(codec: str = "vp8", **qualities: bool) -> m.SubscribedQualityUpdate:
    listed = tuple(m.SubscribedQuality(VideoQuality[name], enabled) for name, enabled in qualities.items())
    return m.SubscribedQualityUpdate("TR_1", subscribed_codecs=(m.SubscribedCodec(codec, listed),))


def active(plan: PublishPlan, watched: m.SubscribedQualityUpdate | None, most: VideoQuality = HIGH) -> list[bool]:
    return [layer.active for layer in limited(plan, Limits(watched, most))]


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (watched(LOW=True, MEDIUM=True, HIGH=True), [True, True, True]),
        (watched(LOW=True, MEDIUM=False, HIGH=False), [True, False, False]),
        (watched(LOW=False, MEDIUM=False, HIGH=False), [False, False, False]),
        (watched(MEDIUM=False), [True, False, True]),
        (watched("VIDEO/VP8", HIGH=False), [True, True, False]),
        (watched("h264", LOW=False), [True, True, True]),
        (m.SubscribedQualityUpdate("TR_1"), [True, True, True]),
        (m.SubscribedQualityUpdate("TR_1", (m.SubscribedQuality(HIGH, False),)), [True, True, False]),
        (
            m.SubscribedQualityUpdate(
                "TR_1", (m.SubscribedQuality(LOW, False),), (m.SubscribedCodec("vp8", (m.SubscribedQuality(3, True),)),)
            ),
            [True, True, True],
        ),
    ],
)
def test_layers(update: m.SubscribedQualityUpdate, expected: list[bool]) -> None:
    assert active(plan(*THREE), update) == expected


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1"])
def test_one_layer_is_all_or_nothing(codec: str) -> None:
    alone = Layer(rid=None if codec == "vp8" else "q", scalability_mode="L3T3_KEY")
    assert active(plan(alone, codec=codec), watched(codec, LOW=False, HIGH=True)) == [True]
    assert active(plan(alone, codec=codec), watched(codec, LOW=False, HIGH=False)) == [False]


def test_firefox_sends_next_to_nothing() -> None:
    low, medium, high = limited(plan(*THREE), Limits(watched(HIGH=False)), browser="firefox")
    assert (low, medium) == THREE[:2]
    assert high == replace(THREE[2], active=False, scale_resolution_down_by=4.0, max_bitrate=10, max_framerate=2.0)
    assert limited(plan(*THREE), Limits(watched(HIGH=True)), browser="firefox") == THREE


@pytest.mark.parametrize(
    ("most", "update", "expected"),
    [
        (HIGH, None, [True, True, True]),
        (MEDIUM, None, [True, True, False]),
        (LOW, None, [True, False, False]),
        (MEDIUM, watched(LOW=False, MEDIUM=True, HIGH=True), [False, True, False]),
        (MEDIUM, watched(LOW=False, MEDIUM=False, HIGH=True), [False, False, False]),
    ],
)
def test_the_user_may_want_less(
    most: VideoQuality, update: m.SubscribedQualityUpdate | None, expected: list[bool]
) -> None:
    """What goes out is wanted by both sides."""
    assert active(plan(*THREE), update, most) == expected


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_the_user_cannot_switch_off_one_layer(codec: str) -> None:
    """The least quality is the only one, or part of the only stream."""
    alone = Layer(rid=None, scalability_mode="L3T3_KEY" if codec == "vp9" else None)
    assert active(plan(alone, codec=codec), None, LOW) == [True]


def basis(height: int) -> Basis:
    return Basis(TrackFacts("c", TrackKind.VIDEO, TrackSource.CAMERA, height * 16 // 9, height), OPTIONS, UNKNOWN)


@pytest.mark.parametrize(("height", "scale"), [(0, 1.0), (240, 1.0), (360, 1.0), (480, 2.0), (720, 2.0), (1080, 3.0)])
def test_one_small_picture(height: int, scale: float) -> None:
    """Whoever wants anything of it gets it; nothing else is ever sent."""
    full = replace(plan(*THREE), basis=basis(height))
    first, *rest = limited(full, Limits(is_small=True))
    assert first == replace(THREE[0], scale_resolution_down_by=scale, max_framerate=15.0)
    assert [layer.active for layer in rest] == [False, False]
    sent = limited(full, Limits(watched(LOW=False, MEDIUM=False, HIGH=True), is_small=True))
    assert [layer.active for layer in sent] == [True, False, False]
    sent = limited(full, Limits(watched(LOW=False, MEDIUM=False, HIGH=False), is_small=True))
    assert not any(layer.active for layer in sent)


def test_one_small_picture_of_an_svc_codec() -> None:
    [layer] = limited(plan(Layer(scalability_mode="L3T3_KEY"), codec="av1"), Limits(is_small=True))
    assert layer.scalability_mode == "L1T3"
