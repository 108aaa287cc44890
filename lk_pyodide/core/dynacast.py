"""Which layers of a video are sent: those that somebody watches (livekit-client ``LocalVideoTrack.ts``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lk_pyodide.core.messages import SubscribedQualityUpdate
from lk_pyodide.core.publishing import QUALITIES, SVC_CODECS, Layer, PublishPlan, codec_name


def limited(plan: PublishPlan, update: SubscribedQualityUpdate, *, browser: str = "") -> tuple[Layer, ...]:
    """The layers of a video, some of them not active.

    Args:
        plan: how it was published.
        update: what the server says of who watches what.
        browser: its name, lower case.
    """
    wanted = _wanted(update, plan.codec)
    return tuple(layer if _is_wanted(layer, plan, wanted) else _idle(layer, browser) for layer in plan.layers)


def _wanted(update: SubscribedQualityUpdate, codec: str) -> Mapping[int, bool]:
    """Whether each quality is watched; empty where the server says nothing of this codec."""
    if not update.subscribed_codecs:
        return {each.quality: each.enabled for each in update.subscribed_qualities}
    for known in update.subscribed_codecs:
        if codec_name(known.codec) == codec:
            return {each.quality: each.enabled for each in known.qualities}
    return {}


def _is_wanted(layer: Layer, plan: PublishPlan, wanted: Mapping[int, bool]) -> bool:
    if not wanted:
        return True
    if layer.rid is None or plan.codec in SVC_CODECS:
        # One layer is all that there is, and an SVC layer holds all of them.
        return any(wanted.values())
    return wanted.get(QUALITIES[layer.rid], True)


def _idle(layer: Layer, browser: str) -> Layer:
    if browser == "firefox":  # which sends a layer even if it is not active: this costs next to nothing
        return replace(layer, active=False, scale_resolution_down_by=4.0, max_bitrate=10, max_framerate=2.0)
    return replace(layer, active=False)
