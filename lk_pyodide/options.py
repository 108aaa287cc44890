"""Options: keyword-only dataclasses that a caller may also fill field by field.

They are read once, at the call they are given to. None means "not said": the defaults of the room's options apply, then
those of livekit-client (``src/room/defaults.ts``). Times are seconds, bitrates bit/s, sizes pixels.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lk_pyodide.types import BackupCodecPolicy, TrackSource, VideoCodec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from lk_pyodide.types import TrackProcessor

__all__ = [
    "AdaptiveStreamSettings",
    "AudioCaptureOptions",
    "AudioEncoding",
    "AudioPresets",
    "BackupVideoCodec",
    "DataStreamOptions",
    "IceServerOptions",
    "RoomConnectOptions",
    "RoomOptions",
    "RtcConfiguration",
    "ScreenShareCaptureOptions",
    "ScreenSharePresets",
    "TokenSourceFetchOptions",
    "TrackPublishOptions",
    "VideoCaptureOptions",
    "VideoEncoding",
    "VideoPreset",
    "VideoPresets",
    "VideoPresets43",
    "VideoResolution",
]

Options = TypeVar("Options", bound="DataclassInstance")
_SHARED = "shared"
"""Metadata of a field whose value is the caller's own object, and no part of the options."""


@dataclass(frozen=True, slots=True)
class VideoResolution:
    """Size of a picture in pixels, and its rate."""

    width: int
    height: int
    frame_rate: float | None = None
    aspect_ratio: float | None = None


@dataclass(slots=True)
class VideoEncoding:
    """How much a video may take."""

    max_bitrate: int = 0
    max_framerate: float | None = None
    priority: str | None = None


@dataclass(slots=True)
class AudioEncoding:
    """How much an audio track may take."""

    max_bitrate: int = 0
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class VideoPreset:
    """A resolution with its usual encoding."""

    width: int
    height: int
    max_bitrate: int
    max_framerate: float | None = None
    priority: str | None = None

    @property
    def resolution(self) -> VideoResolution:
        """The preset as a capture resolution."""
        aspect = self.width / self.height if self.height else None
        return VideoResolution(self.width, self.height, self.max_framerate, aspect)

    @property
    def encoding(self) -> VideoEncoding:
        """The preset as an encoding."""
        return VideoEncoding(self.max_bitrate, self.max_framerate, self.priority)


class VideoPresets:
    """16:9 presets (livekit-client ``src/room/track/options.ts``)."""

    H90 = VideoPreset(160, 90, 90_000, 20)
    H180 = VideoPreset(320, 180, 160_000, 20)
    H216 = VideoPreset(384, 216, 180_000, 20)
    H360 = VideoPreset(640, 360, 450_000, 20)
    H540 = VideoPreset(960, 540, 800_000, 25)
    H720 = VideoPreset(1280, 720, 1_700_000, 30)
    H1080 = VideoPreset(1920, 1080, 3_000_000, 30)
    H1440 = VideoPreset(2560, 1440, 5_000_000, 30)
    H2160 = VideoPreset(3840, 2160, 8_000_000, 30)


class VideoPresets43:
    """4:3 presets."""

    H120 = VideoPreset(160, 120, 70_000, 20)
    H180 = VideoPreset(240, 180, 125_000, 20)
    H240 = VideoPreset(320, 240, 140_000, 20)
    H360 = VideoPreset(480, 360, 330_000, 20)
    H480 = VideoPreset(640, 480, 500_000, 20)
    H540 = VideoPreset(720, 540, 600_000, 25)
    H720 = VideoPreset(960, 720, 1_300_000, 30)
    H1080 = VideoPreset(1440, 1080, 2_300_000, 30)
    H1440 = VideoPreset(1920, 1440, 3_800_000, 30)


class ScreenSharePresets:
    """Presets for a shared screen."""

    H360_FPS3 = VideoPreset(640, 360, 200_000, 3, "medium")
    H360_FPS15 = VideoPreset(640, 360, 400_000, 15, "medium")
    H720_FPS5 = VideoPreset(1280, 720, 800_000, 5, "medium")
    H720_FPS15 = VideoPreset(1280, 720, 1_500_000, 15, "medium")
    H720_FPS30 = VideoPreset(1280, 720, 2_000_000, 30, "medium")
    H1080_FPS15 = VideoPreset(1920, 1080, 2_500_000, 15, "medium")
    H1080_FPS30 = VideoPreset(1920, 1080, 5_000_000, 30, "medium")
    # the size that the screen has
    ORIGINAL = VideoPreset(0, 0, 7_000_000, 30, "medium")


class AudioPresets:
    """Audio bitrates."""

    TELEPHONE = AudioEncoding(12_000)
    SPEECH = AudioEncoding(24_000)
    MUSIC = AudioEncoding(48_000)
    MUSIC_STEREO = AudioEncoding(64_000)
    MUSIC_HIGH_QUALITY = AudioEncoding(96_000)
    MUSIC_HIGH_QUALITY_STEREO = AudioEncoding(128_000)


@dataclass(kw_only=True, slots=True)
class VideoCaptureOptions:
    """How to open a camera.

    ``device_id`` is tried exactly, then as a wish. ``processor`` is set at once; see ``LocalTrack.set_processor``.
    """

    device_id: str | None = None
    resolution: VideoResolution | None = None
    frame_rate: float | None = None
    facing_mode: Literal["user", "environment", "left", "right"] | None = None
    processor: TrackProcessor | Any | None = field(default=None, metadata={_SHARED: True})


@dataclass(kw_only=True, slots=True)
class AudioCaptureOptions:
    """How to open a microphone.

    ``device_id`` is tried exactly, then as a wish. ``processor`` is set at once; see ``LocalTrack.set_processor``.
    """

    device_id: str | None = None
    auto_gain_control: bool | None = None
    echo_cancellation: bool | None = None
    noise_suppression: bool | None = None
    voice_isolation: bool | None = None
    channel_count: int | None = None
    sample_rate: int | None = None
    sample_size: int | None = None
    latency: float | None = None
    processor: TrackProcessor | Any | None = field(default=None, metadata={_SHARED: True})


@dataclass(kw_only=True, slots=True)
class ScreenShareCaptureOptions:
    """What to ask of the screen picker."""

    audio: bool | AudioCaptureOptions | None = None
    display_surface: Literal["browser", "window", "monitor"] | None = None
    resolution: VideoResolution | None = None
    content_hint: Literal["detail", "text", "motion"] | None = None
    self_browser_surface: Literal["include", "exclude"] | None = None
    surface_switching: Literal["include", "exclude"] | None = None
    system_audio: Literal["include", "exclude"] | None = None
    prefer_current_tab: bool | None = None
    suppress_local_audio_playback: bool | None = None


@dataclass(kw_only=True, slots=True)
class BackupVideoCodec:
    """A second codec, for those who cannot decode the first.

    Attributes:
        codec: VP8 or H.264, which everybody can decode.
        encoding: how much it may take; None goes by the size of the picture.
    """

    codec: VideoCodec | Literal["vp8", "h264"] = "vp8"
    encoding: VideoEncoding | None = None


@dataclass(kw_only=True, slots=True)
class TrackPublishOptions:
    """How to publish a track (``livekit.rtc``'s names; then livekit-client's).

    Attributes:
        source: where it comes from.
        name: what others see.
        stream: tracks of one stream are played in step.
        video_encoding: how much a video may take.
        audio_encoding: how much sound may take.
        screen_share_encoding: how much a screen may take.
        video_codec: what this browser or the server cannot do with becomes ``vp8``, or what the server does take.
        backup_codec: a second codec for those who cannot decode ``video_codec``, sent when somebody needs it: True is
            VP8, which is also the default. It turns ``dynacast`` on.
        backup_codec_policy: what becomes of ``video_codec`` then.
        simulcast: send several sizes, from which the server chooses for each subscriber.
        video_simulcast_layers: the smaller sizes of a video.
        screen_share_simulcast_layers: the smaller sizes of a screen.
        scalability_mode: how ``vp9`` and ``av1`` hold several sizes in one stream, by W3C's names; ``L3T3_KEY`` if it
            is not said, and always ``L1T3`` for a screen.
        degradation_preference: what to give up first when there is not enough bandwidth or CPU (W3C's names).
        dtx: send next to nothing in silence.
        red: send sound twice, against loss.
        force_stereo: send two channels whatever the device has; False sends one.
        stop_mic_track_on_mute: let the microphone go while it is muted.
        preconnect_buffer: record what is said into a microphone while we connect, and let the first agent that is there
            have it. ``set_microphone_enabled`` opens the microphone at once then, instead of after the connection.
    """

    source: TrackSource | None = None
    name: str | None = None
    stream: str | None = None
    video_encoding: VideoEncoding | None = None
    audio_encoding: AudioEncoding | None = None
    screen_share_encoding: VideoEncoding | None = None
    video_codec: VideoCodec | Literal["vp8", "h264", "vp9", "av1", "h265"] | None = None
    backup_codec: bool | BackupVideoCodec | None = None
    backup_codec_policy: BackupCodecPolicy | None = None
    simulcast: bool | None = None
    video_simulcast_layers: list[VideoPreset] | None = None
    screen_share_simulcast_layers: list[VideoPreset] | None = None
    scalability_mode: str | None = None
    degradation_preference: str | None = None
    dtx: bool | None = None
    red: bool | None = None
    force_stereo: bool | None = None
    stop_mic_track_on_mute: bool | None = None
    preconnect_buffer: bool | None = None


@dataclass(kw_only=True, slots=True)
class IceServerOptions:
    """An ICE server of one's own."""

    urls: list[str] = field(default_factory=list)
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(kw_only=True, slots=True)
class RtcConfiguration:
    """What goes into the peer connections. ICE servers given here replace the server's."""

    ice_servers: list[IceServerOptions] | None = None
    ice_transport_policy: Literal["all", "relay"] | None = None


@dataclass(kw_only=True, slots=True)
class DataStreamOptions:
    """What others may send us as streams.

    Attributes:
        max_payload_byte_length: bytes, uncompressed, of one stream, and of what one sender's streams hold unread;
            None means 64 MB. More of them end with a ``DataStreamError``.
    """

    max_payload_byte_length: int | None = None


@dataclass(kw_only=True, slots=True)
class AdaptiveStreamSettings:
    """How videos follow the elements that show them.

    Attributes:
        pixel_density: pixels to ask for in each CSS pixel of an element; ``screen`` means as many as the screen has,
            None 2 on a screen that has more than 2, otherwise 1. More of them are sharper, and cost more bandwidth.
        pause_video_in_background: let videos stop while the page is in the background, after 5 s.
    """

    pixel_density: float | Literal["screen"] | None = None
    pause_video_in_background: bool = True


@dataclass(kw_only=True, slots=True)
class RoomConnectOptions:
    """How to join.

    Attributes:
        auto_subscribe: subscribe to every track of every participant.
        websocket_timeout: seconds for the signalling connection to open.
        peer_connection_timeout: seconds for media to connect.
        max_retries: attempts when the server cannot be reached.
        rtc_config: ICE servers and policy of one's own.
    """

    auto_subscribe: bool | None = None
    websocket_timeout: float | None = None
    peer_connection_timeout: float | None = None
    max_retries: int | None = None
    rtc_config: RtcConfiguration | None = None


@dataclass(kw_only=True, slots=True)
class RoomOptions(RoomConnectOptions):
    """Options of a room; those of ``connect`` may be given here too, as ``livekit.rtc`` does.

    Attributes:
        adaptive_stream: get each video in the size in which it is shown, and not at all while it is not to be seen.
            Nothing comes of a video that is not attached, then.
        dynacast: stop layers that nobody watches.
        audio_capture_defaults: used where ``set_microphone_enabled`` is not told otherwise.
        video_capture_defaults: used where ``set_camera_enabled`` is not told otherwise.
        publish_defaults: used where a publish call is not told otherwise.
        single_peer_connection: the current protocol; False uses two peer connections, as older servers need.
        stop_local_track_on_unpublish: turn the device off with the publication.
        disconnect_on_page_leave: say goodbye when the page is left.
        data_stream: what others may send us as streams.
        audio_output: the speaker, as ``DeviceInfo.device_id`` has it; None is the system's.
        web_audio_mix: play all sound through one graph of Web Audio instead of an element each; volumes may be above 1.
        speaking_while_muted: tell it when we speak while our microphone is muted. For that a copy of the microphone is
            listened to as long as it is muted, on this page alone: nothing of it is sent or kept.
    """

    adaptive_stream: bool | AdaptiveStreamSettings = False
    dynacast: bool = False
    audio_capture_defaults: AudioCaptureOptions | None = None
    video_capture_defaults: VideoCaptureOptions | None = None
    publish_defaults: TrackPublishOptions | None = None
    single_peer_connection: bool = True
    stop_local_track_on_unpublish: bool = True
    disconnect_on_page_leave: bool = True
    data_stream: DataStreamOptions | None = None
    audio_output: str | None = None
    web_audio_mix: bool = False
    speaking_while_muted: bool = False


@dataclass(kw_only=True, slots=True)
class TokenSourceFetchOptions:
    """What to ask a token source for; what is left out is up to who makes the token.

    Attributes:
        room_name: the room to join.
        participant_name: the name that others see.
        participant_identity: who we are in the room.
        participant_metadata: what others may read of us.
        participant_attributes: the same by name.
        agent_name: the agent to send to the room.
        agent_metadata: what to tell that agent.
        deployment: which of its deployments to take.
    """

    room_name: str | None = None
    participant_name: str | None = None
    participant_identity: str | None = None
    participant_metadata: str | None = None
    participant_attributes: dict[str, str] | None = None
    agent_name: str | None = None
    agent_metadata: str | None = None
    deployment: str | None = None


def merged(*layers: Options | None) -> Options:
    """One options object, each field from the first layer that says something about it.

    Args:
        layers: what the caller passed first, then defaults; at least one must be given.

    Returns:
        A copy: later changes to the arguments have no effect.
    """
    given = [layer for layer in layers if layer is not None]
    values = {
        entry.name: next((value for layer in given if (value := getattr(layer, entry.name)) is not None), None)
        for entry in dataclasses.fields(given[0])
    }
    copied: Options = _copied(type(given[0])(**values))
    return copied


def _copied(value: Any) -> Any:
    """Copy options and the options in them: publish_defaults, encodings, lists of layers. What is shared is not."""
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, type) or not dataclasses.is_dataclass(value):
        return value
    entries = (entry for entry in dataclasses.fields(value) if _SHARED not in entry.metadata)
    instance: Any = value
    return dataclasses.replace(instance, **{entry.name: _copied(getattr(value, entry.name)) for entry in entries})


CONNECT_DEFAULTS = RoomConnectOptions(
    auto_subscribe=True, websocket_timeout=15.0, peer_connection_timeout=15.0, max_retries=1
)
AUDIO_CAPTURE_DEFAULTS = AudioCaptureOptions(
    auto_gain_control=True, echo_cancellation=True, noise_suppression=True, voice_isolation=True
)
VIDEO_CAPTURE_DEFAULTS = VideoCaptureOptions(resolution=VideoPresets.H720.resolution)
PUBLISH_DEFAULTS = TrackPublishOptions(
    audio_encoding=AudioPresets.MUSIC,
    screen_share_encoding=ScreenSharePresets.H1080_FPS15.encoding,
    video_codec="vp8",
    backup_codec=True,
    simulcast=True,
)
