"""Enums and small value types that users see.

Integers are those of ``livekit.rtc`` (LiveKit's Python SDK), which differ from the wire's in places;
``core/wire.py`` alone knows the wire's. Every enum has ``livekit.rtc``'s longer member names as aliases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

__all__ = [
    "BackupCodecPolicy",
    "ByteStreamInfo",
    "ChatMessage",
    "ConnectErrorReason",
    "ConnectionQuality",
    "ConnectionState",
    "DataPacketKind",
    "DataStreamErrorReason",
    "DeviceInfo",
    "DevicePermission",
    "DisconnectReason",
    "EncryptionType",
    "FacingMode",
    "MediaDeviceFailure",
    "ParticipantKind",
    "ParticipantPermission",
    "ParticipantState",
    "ParticipantTrackPermission",
    "PermissionStatus",
    "ProcessorOptions",
    "PublishDataTrackErrorReason",
    "PushFrameErrorReason",
    "ServerInfo",
    "StreamInfo",
    "StreamState",
    "SubscribeDataTrackErrorReason",
    "SubscriptionError",
    "SubscriptionStatus",
    "TextStreamInfo",
    "TokenSourceResponse",
    "TrackKind",
    "TrackProcessor",
    "TrackSource",
    "Transcription",
    "TranscriptionSegment",
    "VideoCodec",
    "VideoQuality",
]


K = TypeVar("K", bound=IntEnum)


class ConnectionState(IntEnum):
    """State of a room (``livekit.rtc`` has the first three)."""

    DISCONNECTED = 0
    CONNECTED = 1
    RECONNECTING = 2
    CONNECTING = 3
    SIGNAL_RECONNECTING = 4

    CONN_DISCONNECTED = 0
    CONN_CONNECTED = 1
    CONN_RECONNECTING = 2


class DisconnectReason(IntEnum):
    """Why a room or a participant went away (``livekit.DisconnectReason``)."""

    UNKNOWN_REASON = 0
    CLIENT_INITIATED = 1
    DUPLICATE_IDENTITY = 2
    SERVER_SHUTDOWN = 3
    PARTICIPANT_REMOVED = 4
    ROOM_DELETED = 5
    STATE_MISMATCH = 6
    JOIN_FAILURE = 7
    MIGRATION = 8
    SIGNAL_CLOSE = 9
    ROOM_CLOSED = 10
    USER_UNAVAILABLE = 11
    USER_REJECTED = 12
    SIP_TRUNK_FAILURE = 13
    CONNECTION_TIMEOUT = 14
    MEDIA_FAILURE = 15
    AGENT_ERROR = 16


class ConnectErrorReason(IntEnum):
    """Why ``Room.connect`` failed (livekit-client's ``ConnectionErrorReason``)."""

    NOT_ALLOWED = 0
    SERVER_UNREACHABLE = 1
    INTERNAL_ERROR = 2
    CANCELLED = 3
    LEAVE_REQUEST = 4
    TIMEOUT = 5
    WEBSOCKET = 6
    SERVICE_NOT_FOUND = 7


class DataStreamErrorReason(IntEnum):
    """Why a text or byte stream failed (livekit-client's integers)."""

    ALREADY_OPENED = 0
    ABNORMAL_END = 1
    DECODE_FAILED = 2
    LENGTH_EXCEEDED = 3
    INCOMPLETE = 4
    HANDLER_ALREADY_REGISTERED = 7
    ENCRYPTION_TYPE_MISMATCH = 8
    HEADER_TOO_LARGE = 9
    PAYLOAD_TOO_LARGE = 10


class PublishDataTrackErrorReason(IntEnum):
    """Why a data track could not be published (livekit-client's integers; a cancelled call raises CancelledError)."""

    NOT_ALLOWED = 0
    DUPLICATE_NAME = 1
    TIMEOUT = 2
    LIMIT_REACHED = 3
    DISCONNECTED = 4
    INVALID_NAME = 6
    UNKNOWN = 7


class PushFrameErrorReason(IntEnum):
    """Why a frame was not sent (livekit-client's integers)."""

    TRACK_UNPUBLISHED = 0
    DROPPED = 1


class SubscribeDataTrackErrorReason(IntEnum):
    """Why nothing came of a subscription to a data track (livekit-client's integers, and the Rust core's last)."""

    UNPUBLISHED = 0
    TIMEOUT = 1
    DISCONNECTED = 2
    INTERNAL = 3


class TrackKind(IntEnum):
    """Audio or video."""

    UNKNOWN = 0
    AUDIO = 1
    VIDEO = 2

    KIND_UNKNOWN = 0
    KIND_AUDIO = 1
    KIND_VIDEO = 2


class TrackSource(IntEnum):
    """Where a track comes from."""

    UNKNOWN = 0
    CAMERA = 1
    MICROPHONE = 2
    SCREENSHARE = 3
    SCREENSHARE_AUDIO = 4

    SCREEN_SHARE = 3
    SCREEN_SHARE_AUDIO = 4
    SOURCE_UNKNOWN = 0
    SOURCE_CAMERA = 1
    SOURCE_MICROPHONE = 2
    SOURCE_SCREENSHARE = 3
    SOURCE_SCREENSHARE_AUDIO = 4


class StreamState(IntEnum):
    """Whether the server sends a subscribed track at present."""

    UNKNOWN = 0
    ACTIVE = 1
    PAUSED = 2

    STATE_UNKNOWN = 0
    STATE_ACTIVE = 1
    STATE_PAUSED = 2


class ConnectionQuality(IntEnum):
    """The server's estimate of a participant's connection."""

    UNKNOWN = -1
    POOR = 0
    GOOD = 1
    EXCELLENT = 2
    LOST = 3

    QUALITY_POOR = 0
    QUALITY_GOOD = 1
    QUALITY_EXCELLENT = 2
    QUALITY_LOST = 3


class VideoQuality(IntEnum):
    """Which simulcast layer."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    VIDEO_QUALITY_LOW = 0
    VIDEO_QUALITY_MEDIUM = 1
    VIDEO_QUALITY_HIGH = 2


class VideoCodec(IntEnum):
    """Video codecs, with ``livekit.rtc``'s integers."""

    VP8 = 0
    H264 = 1
    AV1 = 2
    VP9 = 3
    H265 = 4


class BackupCodecPolicy(IntEnum):
    """What becomes of the first codec when somebody needs the backup codec (``livekit.BackupCodecPolicy``).

    The server prefers to let everybody have the backup codec; or both are sent; or always the backup codec alone.
    """

    PREFER_REGRESSION = 0
    SIMULCAST = 1
    REGRESSION = 2


class ParticipantKind(IntEnum):
    """What a participant is."""

    STANDARD = 0
    INGRESS = 1
    EGRESS = 2
    SIP = 3
    AGENT = 4
    CONNECTOR = 5
    BRIDGE = 6

    PARTICIPANT_KIND_STANDARD = 0
    PARTICIPANT_KIND_INGRESS = 1
    PARTICIPANT_KIND_EGRESS = 2
    PARTICIPANT_KIND_SIP = 3
    PARTICIPANT_KIND_AGENT = 4
    PARTICIPANT_KIND_CONNECTOR = 5
    PARTICIPANT_KIND_BRIDGE = 6


class ParticipantState(IntEnum):
    """How far a participant has come (``livekit.ParticipantInfo.State``)."""

    JOINING = 0
    JOINED = 1
    ACTIVE = 2
    DISCONNECTED = 3

    PARTICIPANT_STATE_JOINING = 0
    PARTICIPANT_STATE_JOINED = 1
    PARTICIPANT_STATE_ACTIVE = 2
    PARTICIPANT_STATE_DISCONNECTED = 3


class DataPacketKind(IntEnum):
    """How a data packet travelled (the wire has these two the other way round)."""

    LOSSY = 0
    RELIABLE = 1

    KIND_LOSSY = 0
    KIND_RELIABLE = 1


class EncryptionType(IntEnum):
    """How a track or packet is encrypted end to end."""

    NONE = 0
    GCM = 1
    CUSTOM = 2


class SubscriptionError(IntEnum):
    """Why the server could not give a track."""

    UNKNOWN = 0
    CODEC_UNSUPPORTED = 1
    TRACK_NOT_FOUND = 2

    SE_UNKNOWN = 0
    SE_CODEC_UNSUPPORTED = 1
    SE_TRACK_NOTFOUND = 2


class SubscriptionStatus(StrEnum):
    """How far the subscription to somebody's track has come."""

    DESIRED = "desired"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class PermissionStatus(StrEnum):
    """Whether somebody lets us have a track."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not_allowed"


class MediaDeviceFailure(StrEnum):
    """Why a camera, microphone or screen could not be used."""

    PERMISSION_DENIED = "PermissionDenied"
    NOT_FOUND = "NotFound"
    DEVICE_IN_USE = "DeviceInUse"
    OTHER = "Other"

    @classmethod
    def get_failure(cls, error: BaseException) -> MediaDeviceFailure:
        """Tell the kind of failure from an error's ``name`` (a DOMException name).

        Args:
            error: what ``media_devices_error`` or an ``except`` clause gave.

        Returns:
            The failure; ``OTHER`` for names that getUserMedia does not use
            (https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia).
        """
        return _FAILURES.get(str(getattr(error, "name", "")), cls.OTHER)


_FAILURES = {
    "NotAllowedError": MediaDeviceFailure.PERMISSION_DENIED,
    "PermissionDeniedError": MediaDeviceFailure.PERMISSION_DENIED,
    "NotFoundError": MediaDeviceFailure.NOT_FOUND,
    "DevicesNotFoundError": MediaDeviceFailure.NOT_FOUND,
    "NotReadableError": MediaDeviceFailure.DEVICE_IN_USE,
    "TrackStartError": MediaDeviceFailure.DEVICE_IN_USE,
}


def member(kind: type[K], value: int, default: K) -> K:
    """The enum's member for a value from the wire, or ``default`` for one that this version does not know."""
    try:
        return kind(value)
    except ValueError:
        return default


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A microphone, camera or loudspeaker (W3C ``MediaDeviceInfo``)."""

    device_id: str
    kind: str
    label: str = ""
    group_id: str = ""


class DevicePermission(StrEnum):
    """Whether the page may open a camera or a microphone (https://www.w3.org/TR/permissions/)."""

    PROMPT = "prompt"
    """The user will be asked."""
    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"
    """The browser does not tell."""


@dataclass(frozen=True, slots=True)
class ProcessorOptions:
    """What a processor gets to work on, as the browser's own objects.

    Attributes:
        kind: ``audio`` or ``video``.
        track: a MediaStreamTrack.
        element: a ``<video>`` that plays a picture, on no page.
        audio_context: an AudioContext for sound.
    """

    kind: Literal["audio", "video"]
    track: Any
    element: Any = None
    audio_context: Any = None


class TrackProcessor(Protocol):
    """Makes another picture or sound of one (livekit-client ``TrackProcessor``): for ``LocalTrack.set_processor``.

    An object of JavaScript with these methods does, too, such as those of ``@livekit/track-processors``; what is here
    ``processed_track`` is ``processedTrack`` there. Python is too slow for every frame of a large picture: let it steer
    what the browser does.

    Attributes:
        name: of the processor.
        processed_track: a MediaStreamTrack, once ``init`` or ``restart`` has ended.
    """

    name: str
    processed_track: Any

    async def init(self, options: ProcessorOptions, /) -> None:
        """Begin, and say what was made in ``processed_track``; see ``options``."""
        ...

    async def restart(self, options: ProcessorOptions, /) -> None:
        """Go on with another track: another device, or the same after it was off. See ``options``."""
        ...

    async def destroy(self) -> None:
        """End; the processed track has been stopped."""
        ...


FacingModeName: TypeAlias = Literal["user", "environment", "left", "right"]


class FacingMode(NamedTuple):
    """Which way a camera looks, and how sure that is."""

    facing_mode: FacingModeName
    confidence: Literal["high", "medium", "low"]


class TokenSourceResponse(NamedTuple):
    """Where to join, and with which token: a pair, as in ``room.connect(*response)``. Its repr shows no token."""

    server_url: str
    participant_token: str

    def __repr__(self) -> str:
        # An address may have a query, which whatever stands before the server wants, and which may be a secret.
        return f"<{type(self).__name__} of {self.server_url.partition('?')[0]!r}>"


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Which server the room is on (``livekit.ServerInfo``)."""

    edition: int = 0
    version: str = ""
    protocol: int = 0
    region: str = ""
    node_id: str = ""
    agent_protocol: int = 0


@dataclass(frozen=True, slots=True)
class ParticipantPermission:
    """What the server lets a participant do (``livekit.ParticipantPermission``)."""

    can_subscribe: bool = False
    can_publish: bool = False
    can_publish_data: bool = False
    can_publish_sources: tuple[TrackSource | int, ...] = ()
    hidden: bool = False
    can_update_metadata: bool = False
    can_subscribe_metrics: bool = False
    agent: bool = False


@dataclass(slots=True)
class ParticipantTrackPermission:
    """What somebody may have of ours.

    Attributes:
        participant_identity: who.
        allow_all: everything.
        allowed_track_sids: these tracks, if not everything.
    """

    participant_identity: str = ""
    allow_all: bool = False
    allowed_track_sids: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What is known of a text or byte stream.

    Attributes:
        stream_id: unique.
        mime_type: what it holds.
        topic: what it is about: which handler gets it.
        timestamp: when it was begun, in milliseconds since 1970.
        size: bytes of the whole, uncompressed; None where the sender does not say.
        attributes: the application's; what the sender adds at the end is there at the end.
        encryption_type: how it is encrypted end to end.
    """

    stream_id: str
    mime_type: str
    topic: str
    timestamp: int
    size: int | None
    attributes: Mapping[str, str] = field(default_factory=dict)
    encryption_type: EncryptionType | int = EncryptionType.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStreamInfo(StreamInfo):
    """What is known of a text stream.

    Attributes:
        attachments: ids of the byte streams that belong to it, which follow.
        reply_to_id: id of the text that it answers, or empty.
    """

    attachments: tuple[str, ...] = ()
    reply_to_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteStreamInfo(StreamInfo):
    """What is known of a byte stream.

    Attributes:
        name: of the file, say.
    """

    name: str = ""


@dataclass(frozen=True, slots=True)
class TranscriptionSegment:
    """A piece of what somebody said, as text. One that is not final is followed by another of the same id.

    Attributes:
        id: unique.
        text: what was said, or as much of it as is understood.
        start_time: milliseconds into the speaker's sound.
        end_time: the same.
        language: its code, such as ``de``.
        final: whether it stays as it is.
        first_received_time: when something of this id came first; None for a segment of our own.
        last_received_time: when this came.
    """

    id: str
    text: str
    start_time: int = 0
    end_time: int = 0
    language: str = ""
    final: bool = True
    first_received_time: datetime | None = field(default=None, compare=False)
    last_received_time: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Transcription:
    """What somebody said, as text.

    Attributes:
        participant_identity: who said it.
        track_sid: in which track.
        segments: what was said.
    """

    participant_identity: str
    track_sid: str
    segments: Sequence[TranscriptionSegment]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of a chat.

    Attributes:
        id: unique; a later message of the same id takes its place.
        timestamp: when it was written, in milliseconds since 1970.
        message: the text.
        edit_timestamp: when it was changed, the same; None if it never was.
    """

    id: str
    timestamp: int
    message: str
    edit_timestamp: int | None = None
