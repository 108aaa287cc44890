"""Which layers of a video are sent: those that somebody watches (livekit-client ``LocalVideoTrack.ts``)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lk_pyodide.core.codecs import SVC_CODECS, codec_name
from lk_pyodide.core.layers import QUALITIES, Layer
from lk_pyodide.core.messages import SubscribedQualityUpdate
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.types import VideoQuality

_SMALL_HEIGHT = 360
_SMALL_RATE = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds layers back.

    Attributes:
        watched: what the server said last of who watches what; None when it is not asked, or has not said.
        most: the best quality that the user wants to send.
        is_small: whether the user wants to send one small picture and nothing else.
    """

    watched: SubscribedQualityUpdate | None = None
    most: VideoQuality = VideoQuality.HIGH
    is_small: bool = False


def limited(plan: PublishPlan, limits: Limits, *, browser: str = "") -> tuple[Layer, ...]:
    """The layers of a video, some of them not active.

    Args:
        plan: how it was published.
        limits: what holds layers back.
        browser: its name, lower case.
    """
    layers = _small(plan) if limits.is_small else plan.layers
    wanted = _wanted(limits.watched, plan.codec) if limits.watched is not None else {}
    alone = plan.codec in SVC_CODECS or sum(layer.active for layer in layers) == 1

    def is_sent(layer: Layer) -> bool:
        # One layer is all that there is, or they belong together: then it is all or nothing, and not for the user.
        if layer.rid is None or alone:
            return not wanted or any(wanted.values())
        quality = QUALITIES[layer.rid]
        return quality <= limits.most and wanted.get(quality, True)

    return tuple(layer if not layer.active or is_sent(layer) else _idle(layer, browser) for layer in layers)


def limited_by_cpu(stats: Iterable[Mapping[str, object]]) -> bool:
    """Whether a sender's statistics say that the machine is too slow (W3C ``qualityLimitationReason``)."""
    return any(each.get("type") == "outbound-rtp" and each.get("qualityLimitationReason") == "cpu" for each in stats)


def _wanted(update: SubscribedQualityUpdate, codec: str) -> Mapping[int, bool]:
    """Whether each quality is watched; empty where the server says nothing of this codec."""
    if not update.subscribed_codecs:
        return {each.quality: each.enabled for each in update.subscribed_qualities}
    for known in update.subscribed_codecs:
        if codec_name(known.codec) == codec:
            return {each.quality: each.enabled for each in known.qualities}
    return {}


def _small(plan: PublishPlan) -> tuple[Layer, ...]:
    """One picture of some 360 lines and 15 frames a second, which costs a weak machine little."""
    height = plan.basis.track.height if plan.basis is not None else 0
    first = replace(
        plan.layers[0],
        scale_resolution_down_by=float(max(1, math.ceil(height / _SMALL_HEIGHT))),
        max_framerate=_SMALL_RATE,
        scalability_mode="L1T3" if plan.codec in SVC_CODECS else None,
    )
    return (first, *(replace(layer, active=False) for layer in plan.layers[1:]))


def _idle(layer: Layer, browser: str) -> Layer:
    if browser == "firefox":  # which sends a layer even if it is not active: this costs next to nothing
        return replace(layer, active=False, scale_resolution_down_by=4.0, max_bitrate=10, max_framerate=2.0)
    return replace(layer, active=False)
