"""Which layers are sent, by what the server says of who watches."""

from dataclasses import replace

import pytest

from lk_pyodide.core import messages as m
from lk_pyodide.core.dynacast import limited
from lk_pyodide.core.publishing import Layer, PublishPlan
from lk_pyodide.types import VideoQuality

LOW, MEDIUM, HIGH = VideoQuality
THREE = tuple(Layer(rid, bitrate, 30.0, scale) for rid, bitrate, scale in (("q", 1, 4.0), ("h", 2, 2.0), ("f", 3, 1.0)))
REQUEST = m.AddTrackRequest(cid="c")


def plan(*layers: Layer, codec: str = "vp8") -> PublishPlan:
    return PublishPlan(REQUEST, layers, codec)


def watched(codec: str = "vp8", **qualities: bool) -> m.SubscribedQualityUpdate:
    listed = tuple(m.SubscribedQuality(VideoQuality[name], enabled) for name, enabled in qualities.items())
    return m.SubscribedQualityUpdate("TR_1", subscribed_codecs=(m.SubscribedCodec(codec, listed),))


def active(*args: object, **kwargs: object) -> list[bool]:
    return [layer.active for layer in limited(*args, **kwargs)]  # type: ignore[arg-type]


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
    low, medium, high = limited(plan(*THREE), watched(HIGH=False), browser="firefox")
    assert (low, medium) == THREE[:2]
    assert high == replace(THREE[2], active=False, scale_resolution_down_by=4.0, max_bitrate=10, max_framerate=2.0)
    assert limited(plan(*THREE), watched(HIGH=True), browser="firefox") == THREE
