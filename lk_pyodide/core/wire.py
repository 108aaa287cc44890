"""Bytes ↔ messages: the only module that knows protobuf.

The schema is LiveKit's own, trimmed when the package is built (see ``hatch_build.py``), and lives in a private
DescriptorPool, so that a user's own ``import livekit.protocol`` cannot clash with it. It is loaded at first use.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import types
import typing
import zlib
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import ProtocolError, UsageError
from lk_pyodide.types import DataPacketKind, ParticipantKind, StreamState, TrackKind

T = TypeVar("T")

_REQUEST_FIELDS: dict[type, str] = {
    m.TrickleRequest: "trickle",
    m.AddTrackRequest: "add_track",
    m.MuteTrackRequest: "mute",
    m.UpdateSubscription: "subscription",
    m.LeaveRequest: "leave",
    m.SubscriptionPermission: "subscription_permission",
    m.UpdateParticipantMetadata: "update_metadata",
    m.UpdateLocalAudioTrack: "update_audio_track",
    m.UpdateLocalVideoTrack: "update_video_track",
    m.PublishDataTrackRequest: "publish_data_track_request",
    m.UnpublishDataTrackRequest: "unpublish_data_track_request",
    m.UpdateDataSubscription: "update_data_subscription",
    m.StoreDataBlobRequest: "store_data_blob_request",
    m.GetDataBlobRequest: "get_data_blob_request",
    m.Ping: "ping_req",
}

_RESPONSES: dict[str, type[m.ServerMessage]] = {
    "answer": m.SessionDescription,
    "offer": m.SessionDescription,
    "trickle": m.TrickleRequest,
    "update": m.ParticipantUpdate,
    "track_published": m.TrackPublishedResponse,
    "leave": m.LeaveRequest,
    "mute": m.MuteTrackRequest,
    "speakers_changed": m.SpeakersChanged,
    "room_update": m.RoomUpdate,
    "connection_quality": m.ConnectionQualityUpdate,
    "stream_state_update": m.StreamStateUpdate,
    "subscription_permission_update": m.SubscriptionPermissionUpdate,
    "track_unpublished": m.TrackUnpublishedResponse,
    "reconnect": m.ReconnectResponse,
    "pong_resp": m.Pong,
    "subscription_response": m.SubscriptionResponse,
    "request_response": m.RequestResponse,
    "track_subscribed": m.TrackSubscribed,
    "media_sections_requirement": m.MediaSectionsRequirement,
    "publish_data_track_response": m.PublishDataTrackResponse,
    "unpublish_data_track_response": m.UnpublishDataTrackResponse,
    "data_track_subscriber_handles": m.DataTrackSubscriberHandles,
}

_PACKETS: dict[str, type[m.PacketValue]] = {
    "user": m.UserPacket,
    "speaker": m.ActiveSpeakerUpdate,
    "rpc_request": m.RpcRequest,
    "rpc_ack": m.RpcAck,
    "rpc_response": m.RpcResponse,
    "stream_header": DataStream.Header,
    "stream_chunk": DataStream.Chunk,
    "stream_trailer": DataStream.Trailer,
}
_PACKET_FIELDS = {cls: name for name, cls in _PACKETS.items()}

# Enums whose integers on the wire are not livekit.rtc's: wire → ours.
_RENUMBERED: dict[type[IntEnum], dict[int, int]] = {
    TrackKind: {0: TrackKind.AUDIO, 1: TrackKind.VIDEO, 2: TrackKind.UNKNOWN},
    StreamState: {0: StreamState.ACTIVE, 1: StreamState.PAUSED},
    DataPacketKind: {0: DataPacketKind.RELIABLE, 1: DataPacketKind.LOSSY},
    ParticipantKind: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 7: ParticipantKind.CONNECTOR, 8: ParticipantKind.BRIDGE},
}

_JOIN_TAG = 1 << 3 | 2  # SignalResponse.join
_OTHERS_TAG = 3 << 3 | 2  # JoinResponse.other_participants
_GZIP = 1  # WrappedJoinRequest.Compression
_GZIP_FROM = 512
"""Bytes from which a join request is worth compressing (a first offer is 6-10 kB)."""
_INFLATED_MAX = 1 << 20
"""Bytes at which one is too large: a few compressed bytes can stand for gigabytes."""


def load() -> None:
    """Load protobuf and the schema now (a third of a second in a page), rather than at first use."""
    _message_class("JoinRequest")


# -- signalling --------------------------------------------------------------------------------------------------------


def encode_request(message: m.ClientMessage) -> bytes:
    """Encode a ``livekit.SignalRequest``."""
    request = _message_class("SignalRequest")()
    if isinstance(message, m.LegacyPing):
        request.ping = message.timestamp
    else:
        name = message.type if isinstance(message, m.SessionDescription) else _REQUEST_FIELDS[type(message)]
        field = getattr(request, name)
        field.SetInParent()
        _fill(field, message)
    return _serialize(request)


def decode_request(data: bytes) -> m.ClientMessage | None:
    """Decode a ``livekit.SignalRequest``, as a server does; None for one that this version does not know."""
    request = _parse("SignalRequest", data)
    name = request.WhichOneof("message")
    if name == "ping":
        return m.LegacyPing(request.ping)
    if name in ("offer", "answer"):
        return _read(getattr(request, name), m.SessionDescription)
    for cls, field in _REQUEST_FIELDS.items():
        if field == name:
            return typing.cast(m.ClientMessage, _read(getattr(request, name), cls))
    return None


def decode_response(data: bytes) -> m.ServerMessage | None:
    """Decode a ``livekit.SignalResponse``.

    Returns:
        The message inside, or None for one that this version does not know.

    Raises:
        ProtocolError: the bytes are no SignalResponse.
    """
    join = _join_payload(data)
    if join is not None:
        return _decode_join(join)
    response = _parse("SignalResponse", data)
    name = response.WhichOneof("message")
    if name == "refresh_token":
        return m.RefreshToken(response.refresh_token)
    if name == "join":  # not the first field: no server writes that, but it is a join
        return _decode_join(_serialize(response.join))
    cls = _RESPONSES.get(name or "")
    return _read(getattr(response, name), cls) if cls is not None else None


def encode_response(message: m.ServerMessage, others: typing.Iterable[m.ParticipantInfo] = ()) -> bytes:
    """Encode a ``livekit.SignalResponse``, as a server does (``others`` go into a join)."""
    response = _message_class("SignalResponse")()
    if isinstance(message, m.RefreshToken):
        response.refresh_token = message.token
    elif isinstance(message, m.JoinResponse):
        _fill(response.join, dataclasses.replace(message, other_participants=()))
        for other in others:
            _fill(response.join.other_participants.add(), other)
        response.join.SetInParent()
    else:
        name = (
            message.type
            if isinstance(message, m.SessionDescription)
            else next(field for field, cls in _RESPONSES.items() if cls is type(message))
        )
        getattr(response, name).SetInParent()
        _fill(getattr(response, name), message)
    return _serialize(response)


def decode_participant(data: m.EncodedParticipant) -> m.ParticipantInfo:
    """Decode one of ``JoinResponse.other_participants``."""
    return _read(_parse("ParticipantInfo", data), m.ParticipantInfo)


def encode_join_request(request: m.JoinRequest) -> str:
    """Encode the ``join_request`` query parameter of ``/rtc/v1``.

    base64url *with* padding of a WrappedJoinRequest: the server decodes with Go's ``base64.URLEncoding``.
    """
    inner = _message_class("JoinRequest")()
    _fill(inner, request)
    payload = _serialize(inner)
    wrapped = _message_class("WrappedJoinRequest")()
    wrapped.compression = _GZIP if len(payload) >= _GZIP_FROM else 0
    wrapped.join_request = gzip.compress(payload, mtime=0) if wrapped.compression else payload
    return base64.urlsafe_b64encode(_serialize(wrapped)).decode("ascii")


def decode_join_request(parameter: str) -> m.JoinRequest:
    """Decode what :func:`encode_join_request` made, as a server does.

    Raises:
        ProtocolError: it is no join request, or one of a megabyte or more.
    """
    try:
        wrapped = _parse("WrappedJoinRequest", base64.urlsafe_b64decode(parameter))
        data = _inflate(wrapped.join_request) if wrapped.compression == _GZIP else wrapped.join_request
    except (ValueError, zlib.error) as error:
        raise ProtocolError("the join request is not valid") from error
    return _read(_parse("JoinRequest", data), m.JoinRequest)


def _inflate(data: bytes) -> bytes:
    gunzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    content = gunzip.decompress(data, _INFLATED_MAX)
    if not gunzip.eof:
        raise ProtocolError("the join request is cut short, or too large")
    if gunzip.unused_data:
        raise ProtocolError("something follows the join request")
    return content


# -- data channels -----------------------------------------------------------------------------------------------------


def encode_packet(packet: m.DataPacket) -> bytes:
    """Encode a ``livekit.DataPacket``."""
    out = _message_class("DataPacket")()
    _fill(out, packet, skip="value")
    if packet.value is not None:
        field = getattr(out, _PACKET_FIELDS[type(packet.value)])
        field.SetInParent()
        _fill(field, packet.value)
    return _serialize(out)


def decode_packet(data: bytes) -> m.DataPacket:
    """Decode a ``livekit.DataPacket``.

    Raises:
        ProtocolError: the bytes are no DataPacket.
    """
    packet = _parse("DataPacket", data)
    cls = _PACKETS.get(packet.WhichOneof("value") or "")
    value = _read(getattr(packet, _PACKET_FIELDS[cls]), cls) if cls is not None else None
    return dataclasses.replace(_read(packet, m.DataPacket), value=value)


def readdress_packet(data: bytes, identity: str, sid: str, *, is_reliable: bool) -> bytes:
    """Put in who sent a packet, and how, and leave the rest of it as it is, whatever it holds.

    Raises:
        ProtocolError: the bytes are no DataPacket.
    """
    packet = _parse("DataPacket", data)
    packet.participant_identity, packet.participant_sid = identity, sid
    packet.kind = 0 if is_reliable else 1
    if packet.WhichOneof("value") == "user":  # older clients look there
        packet.user.participant_identity, packet.user.participant_sid = identity, sid
    return _serialize(packet)


# -- a join, in parts --------------------------------------------------------------------------------------------------


def _decode_join(data: bytes) -> m.JoinResponse:
    others: list[m.EncodedParticipant] = []
    rest = bytearray()
    for tag, start, body, end in _fields(data):
        if tag == _OTHERS_TAG:
            others.append(m.EncodedParticipant(data[body:end]))
        else:
            rest += data[start:end]
    join = _read(_parse("JoinResponse", bytes(rest)), m.JoinResponse)
    return dataclasses.replace(join, other_participants=tuple(others))


def _join_payload(data: bytes) -> bytes | None:
    if data[:1] != bytes([_JOIN_TAG]):
        return None
    return next(data[body:end] for _, _, body, end in _fields(data))


def _fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Walk the top level of an encoded message: (tag, start, start of the body, end)."""
    place = 0
    while place < len(data):
        start = place
        tag, place = _varint(data, place)
        body = place
        match tag & 7:
            case 0:
                _, place = _varint(data, place)
            case 1:
                place += 8
            case 2:
                size, body = _varint(data, place)
                place = body + size
            case 5:
                place += 4
            case _:
                raise ProtocolError("not a protobuf message")
        if place > len(data):
            raise ProtocolError("a protobuf message is cut short")
        yield tag, start, body, place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ProtocolError("a protobuf message is cut short")


# -- dataclass ↔ protobuf ----------------------------------------------------------------------------------------------


def _read(source: Any, cls: type[T]) -> T:
    """Make a ``cls`` of a protobuf message; fields that are not set keep their defaults."""
    plan = _plan(typing.cast(typing.Hashable, cls))
    values: dict[str, Any] = {}
    for descriptor, value in source.ListFields():
        read = plan.get(descriptor.name)
        if read is not None:
            values[descriptor.name] = read.decode(value)
    return cls(**values)


def _fill(target: Any, message: Any, skip: str = "") -> None:
    """Copy a dataclass into a protobuf message."""
    for name, codec in _plan(typing.cast(typing.Hashable, type(message))).items():
        value = getattr(message, name)
        if name == skip or value is None:
            continue
        try:
            codec.fill(target, name, value)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{type(message).__name__}.{name} cannot be sent: {error}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class _FieldCodec:
    decode: Callable[[Any], Any]
    fill: Callable[[Any, str, Any], None]


@cache
def _plan(cls: Any) -> dict[str, _FieldCodec]:
    hints = typing.get_type_hints(cls)
    return {field.name: _field_codec(hints[field.name]) for field in dataclasses.fields(cls) if field.name != "value"}


def _field_codec(hint: Any) -> _FieldCodec:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _repeated_codec(typing.get_args(hint)[0])
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_codec(typing.get_args(hint)[1])
    kind: Any = _principal(hint)
    if dataclasses.is_dataclass(kind):
        return _FieldCodec(_reader(kind), _fill_message)
    if issubclass(kind, IntEnum):
        decode, encode = _enum_codec(kind)
        return _FieldCodec(decode, lambda target, name, value: setattr(target, name, encode(value)))
    return _FieldCodec(lambda value: value, setattr)


def _repeated_codec(hint: Any) -> _FieldCodec:
    kind: Any = _principal(hint)
    if dataclasses.is_dataclass(kind):
        read = _reader(kind)
        return _FieldCodec(lambda values: tuple(read(value) for value in values), _fill_messages)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        decode, encode = _enum_codec(kind)
        return _FieldCodec(
            lambda values: tuple(decode(value) for value in values),
            lambda target, name, values: getattr(target, name).extend(encode(value) for value in values),
        )
    return _FieldCodec(tuple, lambda target, name, values: getattr(target, name).extend(values))


def _map_codec(hint: Any) -> _FieldCodec:
    if not dataclasses.is_dataclass(hint):
        return _FieldCodec(dict, lambda target, name, values: getattr(target, name).update(values))
    read = _reader(hint)

    def fill(target: Any, name: str, values: Mapping[Any, Any]) -> None:
        for key, value in values.items():
            _fill(getattr(target, name)[key], value)  # to look there makes an entry

    return _FieldCodec(lambda values: {key: read(value) for key, value in values.items()}, fill)


def _reader(cls: Any) -> Callable[[Any], Any]:
    return lambda value: _read(value, cls)


def _fill_message(target: Any, name: str, value: Any) -> None:
    field = getattr(target, name)
    field.SetInParent()
    _fill(field, value)


def _fill_messages(target: Any, name: str, values: Any) -> None:
    for value in values:
        _fill(getattr(target, name).add(), value)


def _enum_codec(kind: type[IntEnum]) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Wire → ours and ours → wire.

    An integer that is not known goes through unchanged, unless one of ours has it already: then as its complement.
    """
    table: dict[int, int] = (
        {wire: kind(ours) for wire, ours in _RENUMBERED[kind].items()}
        if (kind in _RENUMBERED)
        else {int(member): member for member in kind}
    )
    back = {int(ours): wire for wire, ours in reversed(table.items())}

    def decode(value: int) -> int:
        return table.get(value, ~value if value in back else value)

    def encode(value: int) -> int:
        return back.get(int(value), ~value if ~value in back else int(value))

    return decode, encode


def _principal(hint: Any) -> Any:
    """``X | None`` and ``Enum | int`` are about X and Enum."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return next((kind for kind in kinds if kind is not int), int)
    return getattr(hint, "__supertype__", hint)


# -- the schema --------------------------------------------------------------------------------------------------------


@cache
def _message_class(name: str) -> Any:
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"livekit.{name}"))


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    schema = descriptor_pb2.FileDescriptorSet.FromString(
        resources.files("lk_pyodide.core").joinpath("_schema.binpb").read_bytes()
    )
    for file in schema.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _parse(name: str, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return _message_class(name).FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not a livekit.{name}") from error


def _serialize(message: Any) -> bytes:
    return typing.cast(bytes, message.SerializeToString())
