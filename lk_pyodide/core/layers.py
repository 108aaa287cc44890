"""The layers of a video: how many, how large, and what each may take (livekit-client ``publishUtils.ts``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lk_pyodide.core import codecs
from lk_pyodide.core.codecs import UNKNOWN, Encoders, ScalabilityMode
from lk_pyodide.core.messages import VideoLayer
from lk_pyodide.options import (
    ScreenSharePresets,
    TrackPublishOptions,
    VideoEncoding,
    VideoPreset,
    VideoPresets,
    VideoPresets43,
)
from lk_pyodide.types import VideoQuality

RIDS = ("q", "h", "f")
"""Names of simulcast layers, from low to high; livekit-server reads layers from them."""

_BITRATE_SHARE = {"av1": 0.7, "h265": 0.7, "vp9": 0.85}
_MIN_SCREEN_LAYER = 150_000
QUALITIES = {"q": VideoQuality.LOW, "h": VideoQuality.MEDIUM, "f": VideoQuality.HIGH}


def _presets(group: type) -> tuple[VideoPreset, ...]:
    """The presets of a class, from low to high, as they are written there."""
    return tuple(preset for preset in vars(group).values() if isinstance(preset, VideoPreset))


_PRESETS_169 = _presets(VideoPresets)
_PRESETS_43 = _presets(VideoPresets43)
_PRESETS_SCREEN = _presets(ScreenSharePresets)


@dataclass(frozen=True, slots=True)
class Layer:
    """One encoding of a published track; None leaves the browser's default."""

    rid: str | None = None
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None
    priority: str | None = None
    scalability_mode: str | None = None
    active: bool = True


def video_layers(
    width: int,
    height: int,
    options: TrackPublishOptions,
    *,
    codec: str = "vp8",
    screen: bool,
    simulcast: bool,
    encoders: Encoders = UNKNOWN,
) -> tuple[Layer, ...]:
    """Encodings of a video, from low to high; those of an SVC codec are one, or from high to low.

    The order matters: Chrome drops the last ones first when the CPU is short.
    """
    encoding = options.screen_share_encoding if screen else options.video_encoding
    mode = codecs.scalability(codec, options.scalability_mode, screen=screen)
    if (encoding is None and not simulcast and mode is None) or not width or not height:
        return (Layer(scalability_mode=str(mode) if mode is not None else None),)
    encoding = encoding or appropriate_encoding(width, height, codec=codec, screen=screen)
    original = VideoPreset(width, height, encoding.max_bitrate, encoding.max_framerate, encoding.priority)
    if mode is not None:
        return _svc_layers(original, mode, encoders)
    if not simulcast:
        return (_layer(width, height, original, None, rid=None),)
    lower = _lower_presets(original, options, screen)
    size = max(width, height)
    if size >= 960 and len(lower) > 1:
        presets = [lower[0], lower[1], original]
    elif size >= 480 and lower:
        presets = [lower[0], original]
    else:
        presets = [original]
    source_rate = encoding.max_framerate if len(presets) > 1 else None
    own_priorities = encoders.browser == "firefox"  # elsewhere the layers of a track share one
    return tuple(
        _layer(width, height, preset, source_rate, rid=rid, priority=rid == RIDS[0] or own_priorities)
        for rid, preset in zip(RIDS, presets, strict=False)
    )


def _svc_layers(original: VideoPreset, mode: ScalabilityMode, encoders: Encoders) -> tuple[Layer, ...]:
    """One stream of several sizes: one encoding, or in older browsers one for each size, the largest first."""
    in_one = codecs.takes_one_encoding(encoders)
    scales = not in_one and codecs.scales_each(encoders)
    return tuple(
        Layer(
            rid=None if in_one else RIDS[2 - place],
            max_bitrate=original.max_bitrate // mode.bitrate_ratio**place,
            max_framerate=original.max_framerate,
            scale_resolution_down_by=2.0**place if scales else None,
            priority=original.priority if place == 0 else None,
            scalability_mode=str(mode) if place == 0 else None,
        )
        for place in range(1 if in_one else mode.spatial)
    )


def _lower_presets(original: VideoPreset, options: TrackPublishOptions, screen: bool) -> list[VideoPreset]:
    given = options.screen_share_simulcast_layers if screen else options.video_simulcast_layers
    if given is not None:
        return sorted(given, key=lambda preset: (preset.max_bitrate, preset.max_framerate or 0))
    if screen:
        half = VideoPreset(
            original.width // 2,
            original.height // 2,
            max(_MIN_SCREEN_LAYER, original.max_bitrate // 4),
            original.max_framerate,
            original.priority,
        )
        return [half]
    if _is_169(original.width, original.height):
        return [VideoPresets.H180, VideoPresets.H360]
    return [VideoPresets43.H180, VideoPresets43.H360]


def appropriate_encoding(width: int, height: int, *, codec: str = "vp8", screen: bool = False) -> VideoEncoding:
    """The first preset that is as large as the picture, made for VP8 and scaled for better codecs."""
    presets = _PRESETS_SCREEN if screen else _PRESETS_169 if _is_169(width, height) else _PRESETS_43
    size = max(width, height)
    preset = next((preset for preset in presets if preset.width >= size), presets[-1])
    encoding = preset.encoding
    encoding.max_bitrate = int(encoding.max_bitrate * _BITRATE_SHARE.get(codec, 1))
    return encoding


def _is_169(width: int, height: int) -> bool:
    aspect = max(width, height) / min(width, height)
    return abs(aspect - 16 / 9) < abs(aspect - 4 / 3)


def _layer(
    width: int, height: int, preset: VideoPreset, source_rate: float | None, *, rid: str | None, priority: bool = True
) -> Layer:
    rates = [rate for rate in (source_rate, preset.max_framerate) if rate]
    return Layer(
        rid=rid,
        max_bitrate=preset.max_bitrate,
        # No layer may run faster than the original, or the original is sped up with it.
        max_framerate=min(rates) if preset.max_framerate and rates else None,
        scale_resolution_down_by=max(1.0, min(width, height) / min(preset.width, preset.height)) if rid else None,
        priority=preset.priority if priority else None,
    )


def announced_layers(
    width: int, height: int, layers: Sequence[Layer], mode: ScalabilityMode | None = None
) -> tuple[VideoLayer, ...]:
    """The layers as the server wants to hear of them; with SVC they are those of the one stream."""
    bitrate = layers[0].max_bitrate or 0
    if mode is not None:
        return tuple(
            VideoLayer(
                quality=min(VideoQuality.HIGH, mode.spatial - 1) - place,
                width=math.ceil(width / mode.size_ratio**place),
                height=math.ceil(height / mode.size_ratio**place),
                bitrate=math.ceil(bitrate / mode.bitrate_ratio**place),
            )
            for place in range(mode.spatial)
        )
    if len(layers) == 1 and layers[0].rid is None:
        return (VideoLayer(quality=VideoQuality.HIGH, width=width, height=height, bitrate=bitrate),)
    return tuple(
        VideoLayer(
            quality=QUALITIES[layer.rid or "f"],
            width=math.ceil(width / (layer.scale_resolution_down_by or 1)),
            height=math.ceil(height / (layer.scale_resolution_down_by or 1)),
            bitrate=layer.max_bitrate or 0,
            rid=layer.rid or "",
        )
        for layer in layers
    )
