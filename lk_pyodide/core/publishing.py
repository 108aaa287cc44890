"""What to ask of the server and of the browser when a track is published (livekit-client ``publishUtils.ts``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lk_pyodide.core import codecs
from lk_pyodide.core.codecs import SVC_CODECS, UNKNOWN, Encoders, codec_name
from lk_pyodide.core.layers import Layer, announced_layers, video_layers
from lk_pyodide.core.messages import AddTrackRequest, AudioTrackFeature, SimulcastCodec, TrackInfo
from lk_pyodide.options import BackupVideoCodec, TrackPublishOptions
from lk_pyodide.types import BackupCodecPolicy, ParticipantPermission, TrackKind, TrackSource


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
class Basis:
    """What a plan was made from, to make it anew when some of it has changed."""

    track: TrackFacts
    options: TrackPublishOptions
    encoders: Encoders


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The request to the server, and how the browser is to encode.

    Attributes:
        request: what the server is asked.
        layers: what the browser sends.
        codec: the video codec's name.
        degradation_preference: what the browser gives up first.
        content_hint: what the track is said to show, if that has to be said.
        backup: the second codec, which is sent as soon as somebody needs it.
        basis: what this was made from; None for a plan that stays as it is.
    """

    request: AddTrackRequest
    layers: tuple[Layer, ...]
    codec: str = ""
    degradation_preference: str | None = None
    content_hint: str = ""
    backup: BackupVideoCodec | None = None
    basis: Basis | None = None

    @property
    def target_bitrate(self) -> int:
        """What all layers may take together, in bit/s; with SVC the first holds them all."""
        sent = self.layers[:1] if self.codec in SVC_CODECS else self.layers
        return sum(layer.max_bitrate or 0 for layer in sent)


def may_publish(permission: ParticipantPermission | None, source: TrackSource) -> bool:
    """Whether the server lets us publish a source."""
    if permission is None or not permission.can_publish:
        return False
    return not permission.can_publish_sources or source in permission.can_publish_sources


def plan(
    track: TrackFacts,
    options: TrackPublishOptions,
    *,
    encoders: Encoders = UNKNOWN,
    enabled_codecs: Sequence[str] = (),
) -> PublishPlan:
    """Decide how a track is published.

    Args:
        track: the track.
        options: merged over the defaults already.
        encoders: the browser.
        enabled_codecs: mime types that the server takes; empty when it did not say.

    Raises:
        UsageError: the options name what there is not.
    """
    if track.kind == TrackKind.AUDIO:
        return _plan_audio(track, options)
    return _plan_video(track, options, encoders, enabled_codecs)


def adopted(plan: PublishPlan, info: TrackInfo) -> PublishPlan:
    """The plan with the codec that the server has chosen, which may be another (livekit-client ``publish``)."""
    chosen = codec_name(info.codecs[0].mime_type) if info.codecs and info.codecs[0].mime_type else plan.codec
    if plan.basis is None or chosen == plan.codec:
        return plan
    return replace(plan, codec=chosen, layers=_layers(plan.basis, chosen))


def resized(plan: PublishPlan, width: int, height: int) -> PublishPlan:
    """The plan for a picture of another size, such as another camera's; what is not known changes nothing."""
    if plan.basis is None or not width or not height:
        return plan
    basis = replace(plan.basis, track=replace(plan.basis.track, width=width, height=height))
    layers = _layers(basis, plan.codec)
    if len(layers) != len(plan.layers):  # how many there are cannot be changed any more
        return plan
    return replace(plan, layers=layers, basis=basis)


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
    track: TrackFacts, options: TrackPublishOptions, encoders: Encoders, enabled_codecs: Sequence[str]
) -> PublishPlan:
    codec = codecs.choose(options.video_codec, encoders, enabled_codecs)
    backup = codecs.backup_of(codec, options.backup_codec, encoders, enabled_codecs)
    screen = track.source == TrackSource.SCREENSHARE
    mode = codecs.scalability(codec, options.scalability_mode, screen=screen)
    basis = Basis(track, options, encoders)
    layers = _layers(basis, codec)
    announced = [SimulcastCodec(codec=codec, cid=track.id)]
    if backup is not None:
        announced.append(SimulcastCodec(codec=codec_name(backup.codec)))
    request = AddTrackRequest(
        cid=track.id,
        name=options.name or "",
        type=TrackKind.VIDEO,
        source=track.source,
        muted=track.muted,
        width=track.width,
        height=track.height,
        stream=options.stream or "",
        layers=announced_layers(track.width, track.height, layers, mode),
        simulcast_codecs=tuple(announced),
        backup_codec_policy=options.backup_codec_policy or BackupCodecPolicy.PREFER_REGRESSION,
    )
    return PublishPlan(
        request,
        layers,
        codec,
        options.degradation_preference or _degradation(track.source),
        # Chrome sends at most 5 frames a second of a screen in layers, unless it is told that it is a film.
        content_hint="motion" if screen and mode is not None else "",
        backup=backup,
        basis=basis,
    )


def _layers(basis: Basis, codec: str) -> tuple[Layer, ...]:
    track, options, encoders = basis.track, basis.options, basis.encoders
    screen = track.source == TrackSource.SCREENSHARE
    return video_layers(
        track.width,
        track.height,
        options,
        codec=codec,
        screen=screen,
        simulcast=bool(options.simulcast) and not (screen and encoders.browser == "firefox"),
        encoders=encoders,
    )


def _degradation(source: TrackSource) -> str:
    match source:
        case TrackSource.CAMERA:
            return "maintain-framerate"
        case TrackSource.SCREENSHARE:
            return "maintain-resolution"
        case _:
            return "balanced"
