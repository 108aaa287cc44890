"""What to ask of the server and of the browser when a track is published (livekit-client ``publishUtils.ts``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lk_pyodide.core.messages import (
    AddTrackRequest,
    AudioTrackFeature,
    SimulcastCodec,
    VideoLayer,
)
from lk_pyodide.options import (
    ScreenSharePresets,
    TrackPublishOptions,
    VideoEncoding,
    VideoPreset,
    VideoPresets,
    VideoPresets43,
)
from lk_pyodide.types import ParticipantPermission, TrackKind, TrackSource, VideoCodec, VideoQuality

RIDS = ("q", "h", "f")
"""Names of simulcast layers, from low to high; livekit-server reads layers from them."""

SVC_CODECS = ("vp9", "av1")
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


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What is known of a track when it is published."""

    id: str
    kind: TrackKind
    source: TrackSource
    width: int = 0
    height: int = 0
    muted: bool = False
    channel_count: int = 0
    auto_gain_control: bool = False
    echo_cancellation: bool = False
    noise_suppression: bool = False
    has_preconnect_buffer: bool = False


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The request to the server, and how the browser is to encode."""

    request: AddTrackRequest
    layers: tuple[Layer, ...]
    codec: str = ""
    degradation_preference: str | None = None

    @property
    def target_bitrate(self) -> int:
        """What all layers may take together, in bit/s; with SVC the one layer holds them all."""
        return sum(layer.max_bitrate or 0 for layer in self.layers)


def may_publish(permission: ParticipantPermission | None, source: TrackSource) -> bool:
    """Whether the server lets us publish a source."""
    if permission is None or not permission.can_publish:
        return False
    return not permission.can_publish_sources or source in permission.can_publish_sources


def plan(
    track: TrackFacts, options: TrackPublishOptions, *, browser: str = "", enabled_codecs: Sequence[str] = ()
) -> PublishPlan:
    """Decide how a track is published.

    Args:
        track: the track.
        options: merged over the defaults already.
        browser: name of the browser, lower case.
        enabled_codecs: mime types that the server takes; empty when it did not say.
    """
    if track.kind == TrackKind.AUDIO:
        return _plan_audio(track, options)
    return _plan_video(track, options, browser, enabled_codecs)


def codec_name(codec: VideoCodec | str | None) -> str:
    """``vp8`` for each way to say VP8."""
    if isinstance(codec, VideoCodec):
        return codec.name.lower()
    return (codec or "vp8").lower().removeprefix("video/")


def _plan_audio(track: TrackFacts, options: TrackPublishOptions) -> PublishPlan:
    stereo = options.force_stereo if options.force_stereo is not None else track.channel_count == 2
    # DTX and RED cost stereo its sound, so for stereo they are off unless asked for.
    dtx = options.dtx if options.dtx is not None else not stereo
    red = options.red if options.red is not None else not stereo
    request = AddTrackRequest(
        cid=track.id,
        name=options.name or "",
        type=TrackKind.AUDIO,
        source=track.source,
        muted=track.muted,
        disable_dtx=not dtx,
        disable_red=not red,
        stereo=stereo,
        stream=options.stream or "",
        audio_features=_audio_features(track, dtx),
    )
    encoding = options.audio_encoding
    layer = Layer(
        max_bitrate=encoding.max_bitrate if encoding else None,
        priority=(encoding.priority if encoding else None) or "high",
    )
    return PublishPlan(request, (layer,))


def _audio_features(track: TrackFacts, dtx: bool) -> tuple[AudioTrackFeature, ...]:
    present = {
        AudioTrackFeature.TF_AUTO_GAIN_CONTROL: track.auto_gain_control,
        AudioTrackFeature.TF_ECHO_CANCELLATION: track.echo_cancellation,
        AudioTrackFeature.TF_NOISE_SUPPRESSION: track.noise_suppression,
        AudioTrackFeature.TF_STEREO: track.channel_count > 1,
        AudioTrackFeature.TF_NO_DTX: not dtx,
        AudioTrackFeature.TF_PRECONNECT_BUFFER: track.has_preconnect_buffer,
    }
    return tuple(feature for feature, there in present.items() if there)


def _plan_video(
    track: TrackFacts, options: TrackPublishOptions, browser: str, enabled_codecs: Sequence[str]
) -> PublishPlan:
    codec = codec_name(options.video_codec)
    enabled = [codec_name(mime) for mime in enabled_codecs if mime.lower().startswith("video/")]
    if enabled and codec not in enabled:
        codec = enabled[0]
    screen = track.source == TrackSource.SCREENSHARE
    simulcast = bool(options.simulcast) and not (screen and browser == "firefox")
    layers = video_layers(
        track.width, track.height, options, codec=codec, screen=screen, simulcast=simulcast, browser=browser
    )
    request = AddTrackRequest(
        cid=track.id,
        name=options.name or "",
        type=TrackKind.VIDEO,
        source=track.source,
        muted=track.muted,
        width=track.width,
        height=track.height,
        stream=options.stream or "",
        layers=announced_layers(track.width, track.height, layers),
        simulcast_codecs=(SimulcastCodec(codec=codec, cid=track.id),),
    )
    return PublishPlan(request, layers, codec, options.degradation_preference or _degradation(track.source))


def _degradation(source: TrackSource) -> str:
    match source:
        case TrackSource.CAMERA:
            return "maintain-framerate"
        case TrackSource.SCREENSHARE:
            return "maintain-resolution"
        case _:
            return "balanced"


def video_layers(
    width: int,
    height: int,
    options: TrackPublishOptions,
    *,
    codec: str = "vp8",
    screen: bool,
    simulcast: bool,
    browser: str = "",
) -> tuple[Layer, ...]:
    """Encodings of a video, from low to high.

    The order matters: Chrome drops the last ones first when the CPU is short.
    """
    encoding = options.screen_share_encoding if screen else options.video_encoding
    if (encoding is None and not simulcast) or not width or not height:
        return (Layer(),)
    encoding = encoding or appropriate_encoding(width, height, codec=codec, screen=screen)
    original = VideoPreset(width, height, encoding.max_bitrate, encoding.max_framerate, encoding.priority)
    # SVC has a single layer until scalability modes are here: it and simulcast exclude one another in Chrome.
    if codec in SVC_CODECS or not simulcast:
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
    return tuple(
        # Only Firefox lets the layers of a track have priorities of their own.
        _layer(width, height, preset, source_rate, rid=rid, priority=rid == RIDS[0] or browser == "firefox")
        for rid, preset in zip(RIDS, presets, strict=False)
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


def announced_layers(width: int, height: int, layers: Sequence[Layer]) -> tuple[VideoLayer, ...]:
    """The layers as the server wants to hear of them."""
    if len(layers) == 1 and layers[0].rid is None:
        bitrate = layers[0].max_bitrate or 0
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
