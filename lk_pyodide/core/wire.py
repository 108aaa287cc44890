"""Bytes ↔ messages: the only module that knows protobuf.

The schema is LiveKit's own, trimmed when the package is built (see ``hatch_build.py``), and lives in a private
DescriptorPool, so that a user's own ``import livekit.protocol`` cannot clash with it. It is loaded at first use.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import typing
import zlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from lk_pyodide.core import fields, hot_packets
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import ProtocolError

T = TypeVar("T")

_REQUEST_FIELDS: dict[type, str] = {
    m.TrickleRequest: "trickle",
    m.AddTrackRequest: "add_track",
    m.MuteTrackRequest: "mute",
    m.UpdateSubscription: "subscription",
    m.UpdateTrackSettings: "track_setting",
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
    "subscribed_quality_update": m.SubscribedQualityUpdate,
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
    "sip_dtmf": m.SipDTMF,
    "transcription": m.Transcription,
    "metrics": m.MetricsBatch,
    "chat_message": m.ChatMessage,
    "rpc_request": m.RpcRequest,
    "rpc_ack": m.RpcAck,
    "rpc_response": m.RpcResponse,
    "stream_header": DataStream.Header,
    "stream_chunk": DataStream.Chunk,
    "stream_trailer": DataStream.Trailer,
}
_PACKET_FIELDS = {cls: name for name, cls in _PACKETS.items()}

_JOIN_TAG = 1 << 3 | 2  # SignalResponse.join
_OTHERS_TAG = 3 << 3 | 2  # JoinResponse.other_participants
_SEQUENCE_TAG = bytes([0x80, 0x01])  # DataPacket.sequence: field 16, a varint
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
        fields.fill(field, message)
    return _serialize(request)


def decode_request(data: bytes) -> m.ClientMessage | None:
    """Decode a ``livekit.SignalRequest``, as a server does; None for one that this version does not know."""
    request = _parse("SignalRequest", data)
    name = request.WhichOneof("message")
    if name == "ping":
        return m.LegacyPing(request.ping)
    if name in ("offer", "answer"):
        return fields.read(getattr(request, name), m.SessionDescription)
    for cls, field in _REQUEST_FIELDS.items():
        if field == name:
            return typing.cast(m.ClientMessage, fields.read(getattr(request, name), cls))
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
    return fields.read(getattr(response, name), cls) if cls is not None else None


def encode_response(message: m.ServerMessage, others: typing.Iterable[m.ParticipantInfo] = ()) -> bytes:
    """Encode a ``livekit.SignalResponse``, as a server does (``others`` go into a join)."""
    response = _message_class("SignalResponse")()
    if isinstance(message, m.RefreshToken):
        response.refresh_token = message.token
    elif isinstance(message, m.JoinResponse):
        fields.fill(response.join, dataclasses.replace(message, other_participants=()))
        for other in others:
            fields.fill(response.join.other_participants.add(), other)
        response.join.SetInParent()
    else:
        name = (
            message.type
            if isinstance(message, m.SessionDescription)
            else next(field for field, cls in _RESPONSES.items() if cls is type(message))
        )
        getattr(response, name).SetInParent()
        fields.fill(getattr(response, name), message)
    return _serialize(response)


def decode_participant(data: m.EncodedParticipant) -> m.ParticipantInfo:
    """Decode one of ``JoinResponse.other_participants``."""
    return fields.read(_parse("ParticipantInfo", data), m.ParticipantInfo)


def encode_join_request(request: m.JoinRequest) -> str:
    """Encode the ``join_request`` query parameter of ``/rtc/v1``.

    base64url *with* padding of a WrappedJoinRequest: the server decodes with Go's ``base64.URLEncoding``.
    """
    inner = _message_class("JoinRequest")()
    fields.fill(inner, request)
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
    return fields.read(_parse("JoinRequest", data), m.JoinRequest)


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
    data = hot_packets.encode(packet)
    return data if data is not None else _encode_packet(packet)


def _encode_packet(packet: m.DataPacket) -> bytes:
    out = _message_class("DataPacket")()
    fields.fill(out, packet)
    if packet.value is not None:
        field = getattr(out, _PACKET_FIELDS[type(packet.value)])
        field.SetInParent()
        fields.fill(field, packet.value)
    return _serialize(out)


def numbered_packet(data: bytes, sequence: int) -> bytes:
    """An encoded packet with its number, ``DataPacket.sequence``: a field may come anywhere in a message."""
    number = bytearray(_SEQUENCE_TAG)
    hot_packets.write_varint(number, sequence)
    return data + number


def decode_packet(data: bytes) -> m.DataPacket:
    """Decode a ``livekit.DataPacket``.

    Raises:
        ProtocolError: the bytes are no DataPacket.
    """
    packet = hot_packets.decode(data)
    return packet if packet is not None else _decode_packet(data)


def _decode_packet(data: bytes) -> m.DataPacket:
    packet = _parse("DataPacket", data)
    cls = _PACKETS.get(packet.WhichOneof("value") or "")
    value = fields.read(getattr(packet, _PACKET_FIELDS[cls]), cls) if cls is not None else None
    return dataclasses.replace(fields.read(packet, m.DataPacket), value=value)


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
    join = fields.read(_parse("JoinResponse", bytes(rest)), m.JoinResponse)
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
