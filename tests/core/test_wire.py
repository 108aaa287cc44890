"""Bytes ↔ messages, under the protobuf backend that is installed and, in a process of its own, under pure Python."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import os
import subprocess
import sys
import typing
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal import api_implementation
from hypothesis import example, given
from hypothesis import strategies as st

from lk_pyodide import types as t
from lk_pyodide.core import fields, wire
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import ProtocolError, UsageError
from tests.core import strategies as any_
from tools.console import ROOT

VARIANT = "LK_TEST_PROTOBUF_BACKEND"
NEWER_FIELD = bytes.fromhex("a23e03") + b"new"
"""Field 1000, length-delimited: what a later version of the protocol may add."""


def proto(name: str, **fields: Any) -> Any:
    """A protobuf message."""
    return wire._message_class(name)(**fields)


def as_bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def encoded_size(size: int) -> bytes:
    """A length as protobuf writes it."""
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*out, size])


# -- both backends -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(VARIANT in os.environ, reason="this is the process for the other backend")
@pytest.mark.timeout(300)
def test_all_of_this_under_the_pure_python_backend() -> None:
    other = "python" if api_implementation.Type() != "python" else "upb"
    environment = os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": other, VARIANT: other}
    command = [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir=build/cache/pytest-{other}"]
    command += ["tests/core/test_wire.py", "tests/core/test_wire_join.py"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 skipped" in result.stdout, "only this test stays out"


def test_the_backend_is_the_one_that_was_asked_for() -> None:
    assert api_implementation.Type() == os.environ.get(VARIANT, api_implementation.Type())


def test_the_schema_is_loaded_once_when_it_is_asked_for() -> None:
    wire._message_class.cache_clear()
    wire.load()
    assert wire._message_class.cache_info().currsize == 1
    known = wire._message_class("JoinRequest")
    wire.load()
    assert wire._message_class("JoinRequest") is known


# -- the messages and the schema ---------------------------------------------------------------------------------------

SCALARS: dict[type, set[int]] = {
    bool: {FieldDescriptor.TYPE_BOOL},
    str: {FieldDescriptor.TYPE_STRING},
    bytes: {FieldDescriptor.TYPE_BYTES},
    float: {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE},
    int: set(any_.INTEGERS),
}
IN_ONEOF = {"DataPacket.value"}
STILL_ENCODED = {"JoinResponse.other_participants"}
OWN_FIELDS = [
    pytest.param(cls, entry.name, id=f"{cls.__name__}.{entry.name}")
    for cls in any_.MESSAGES
    for entry in dataclasses.fields(cls)
    if f"{cls.__name__}.{entry.name}" not in IN_ONEOF | STILL_ENCODED
]


@pytest.mark.parametrize(("cls", "name"), OWN_FIELDS)
def test_each_field_is_in_the_schema_with_a_type_that_fits(cls: type, name: str) -> None:
    field = any_.descriptor(cls).fields_by_name[name]
    hint = typing.get_type_hints(cls)[name]
    origin = typing.get_origin(hint)
    of_messages = field.message_type
    is_map = of_messages is not None and of_messages.GetOptions().map_entry
    assert (origin is Mapping) == is_map
    assert (origin in (tuple, Mapping)) == field.is_repeated
    if of_messages is not None and is_map:
        for part, part_hint in zip(of_messages.fields, typing.get_args(hint), strict=True):
            if dataclasses.is_dataclass(part_hint):
                assert part.message_type is not None and part.message_type.name == getattr(part_hint, "__name__", "")
            else:
                assert part.type in SCALARS[part_hint]
        return
    kind: Any = fields._principal(typing.get_args(hint)[0] if origin is tuple else hint)
    if dataclasses.is_dataclass(kind):
        assert of_messages is not None and of_messages.name == getattr(kind, "__name__", "")
        assert field.is_repeated or type(None) in typing.get_args(hint), "a message that is not there is None"
    elif issubclass(kind, IntEnum):
        assert field.type == FieldDescriptor.TYPE_ENUM
    else:
        assert field.type in SCALARS[kind]
        optional = field.has_presence and not field.is_repeated
        assert optional == (type(None) in typing.get_args(hint)), "what the wire can leave unsaid is None"


@pytest.mark.parametrize("cls", any_.MESSAGES)
def test_an_empty_message_is_the_default(cls: type) -> None:
    assert fields.read(proto(cls.__qualname__), cls) == cls()
    described: object = fields.read(wire._message_class(cls.__qualname__).FromString(b""), cls)
    assert described == cls()
    for entry in dataclasses.fields(cls):
        plan = fields._plan(cls).get(entry.name)
        if plan is not None and not any_.descriptor(cls).fields_by_name[entry.name].has_presence:
            unset = getattr(proto(cls.__qualname__), entry.name)
            assert plan.decode(unset) == getattr(cls(), entry.name), entry.name


def _oneof(message: str, name: str) -> dict[str, Any]:
    oneof = wire._pool().FindMessageTypeByName(f"livekit.{message}").oneofs_by_name[name]
    return {field.name: field.message_type.name if field.message_type else None for field in oneof.fields}


def test_each_request_goes_into_the_place_that_is_made_for_it() -> None:
    places = _oneof("SignalRequest", "message")
    assert {name: cls.__name__ for cls, name in wire._REQUEST_FIELDS.items()}.items() <= places.items()
    assert places["offer"] == places["answer"] == "SessionDescription"
    assert places["ping"] is None
    sent = set(typing.get_args(m.ClientMessage))
    assert set(wire._REQUEST_FIELDS) | {m.SessionDescription, m.LegacyPing} == sent


def test_each_response_comes_from_the_place_that_is_made_for_it() -> None:
    places = _oneof("SignalResponse", "message")
    assert {name: cls.__name__ for name, cls in wire._RESPONSES.items()}.items() <= places.items()
    assert places["join"] == "JoinResponse"
    assert places["refresh_token"] is None
    understood = set(wire._RESPONSES.values()) | {m.JoinResponse, m.RefreshToken}
    assert understood == set(typing.get_args(m.ServerMessage))


def test_each_packet_is_in_the_place_that_is_made_for_it() -> None:
    places = _oneof("DataPacket", "value")
    assert {name: cls.__name__ for name, cls in wire._PACKETS.items()}.items() <= places.items()
    assert set(wire._PACKETS.values()) == set(typing.get_args(m.PacketValue))


# -- enums -------------------------------------------------------------------------------------------------------------


def _wire_enum(name: str) -> dict[str, int]:
    try:
        enum = wire._pool().FindEnumTypeByName(f"livekit.{name}")
    except KeyError:
        holder, _, nested = name.rpartition(".")
        enum = wire._pool().FindMessageTypeByName(f"livekit.{holder}").enum_types_by_name[nested]
    return {value.name: value.number for value in enum.values}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (m.SignalTarget, "SignalTarget"),
        (m.LeaveAction, "LeaveRequest.Action"),
        (m.ClientConfigSetting, "ClientConfigSetting"),
        (m.RequestReason, "RequestResponse.Reason"),
        (m.AudioTrackFeature, "AudioTrackFeature"),
        (m.Capability, "ClientInfo.Capability"),
        (t.DisconnectReason, "DisconnectReason"),
        (t.VideoQuality, "VideoQuality"),
        (t.ParticipantState, "ParticipantInfo.State"),
        (t.EncryptionType, "Encryption.Type"),
        (t.SubscriptionError, "SubscriptionError"),
        (t.ConnectionQuality, "ConnectionQuality"),
        (t.TrackSource, "TrackSource"),
        (DataStream.OperationType, "DataStream.OperationType"),
        (DataStream.CompressionType, "DataStream.CompressionType"),
    ],
)
def test_enums_with_the_wires_own_integers(kind: type[IntEnum], name: str) -> None:
    on_the_wire = _wire_enum(name)
    ours = {alias: int(member) for alias, member in kind.__members__.items()}
    if kind is t.VideoQuality:
        assert on_the_wire.pop("OFF") not in ours.values(), "nobody publishes that"
    assert on_the_wire.items() <= ours.items(), "every value is here, by the wire's own name"


RENUMBERED = [
    # ours, place in a message, wire's name of the enum, wire's name of the value
    (t.TrackKind.AUDIO, "TrackInfo", "type", "TrackType", "AUDIO"),
    (t.TrackKind.VIDEO, "TrackInfo", "type", "TrackType", "VIDEO"),
    (t.TrackKind.UNKNOWN, "TrackInfo", "type", "TrackType", "DATA"),
    (t.StreamState.ACTIVE, "StreamStateInfo", "state", "StreamState", "ACTIVE"),
    (t.StreamState.PAUSED, "StreamStateInfo", "state", "StreamState", "PAUSED"),
    (t.DataPacketKind.RELIABLE, "DataPacket", "kind", "DataPacket.Kind", "RELIABLE"),
    (t.DataPacketKind.LOSSY, "DataPacket", "kind", "DataPacket.Kind", "LOSSY"),
    (t.ParticipantKind.STANDARD, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "STANDARD"),
    (t.ParticipantKind.INGRESS, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "INGRESS"),
    (t.ParticipantKind.EGRESS, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "EGRESS"),
    (t.ParticipantKind.SIP, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "SIP"),
    (t.ParticipantKind.AGENT, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "AGENT"),
    (t.ParticipantKind.CONNECTOR, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "CONNECTOR"),
    (t.ParticipantKind.BRIDGE, "ParticipantInfo", "kind", "ParticipantInfo.Kind", "BRIDGE"),
]


@pytest.mark.parametrize(("ours", "message", "field", "enum", "name"), RENUMBERED)
def test_renumbered_enums(ours: IntEnum, message: str, field: str, enum: str, name: str) -> None:
    cls = getattr(m, message)
    number = _wire_enum(enum)[name]
    read = getattr(fields.read(proto(message, **{field: number}), cls), field)
    assert read is ours
    written = proto(message)
    fields.fill(written, cls(**{field: ours}))
    assert getattr(written, field) == number


def test_the_table_of_renumbered_enums_is_complete() -> None:
    assert {type(ours) for ours, *_ in RENUMBERED} == set(fields._RENUMBERED)
    for _, _, _, enum, _ in RENUMBERED:
        assert len(_wire_enum(enum)) == len([row for row in RENUMBERED if row[3] == enum])


@pytest.mark.parametrize("cls", [m.TrackInfo, m.StreamStateInfo, m.ParticipantInfo, m.DataPacket])
@pytest.mark.parametrize("number", [*range(12), 99, 2**31 - 1])
def test_an_unknown_enum_value_is_never_taken_for_a_known_one(cls: type, number: int) -> None:
    name = next(e.name for e in dataclasses.fields(cls) if fields._principal(_hints(cls)[e.name]) in fields._RENUMBERED)
    kind = fields._principal(_hints(cls)[name])
    message = proto(cls.__qualname__, **{name: number})
    read: Any = fields.read(message, cls)
    value = getattr(read, name)
    if number in fields._RENUMBERED[kind]:
        assert isinstance(value, kind)
    else:
        assert value not in [int(member) for member in kind]
    again = proto(cls.__qualname__)
    fields.fill(again, read)
    assert getattr(again, name) == number, "and it is written as it was read"


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def test_unknown_values_of_other_enums_are_the_wires_integers() -> None:
    leave = wire.decode_response(as_bytes(proto("SignalResponse", leave=proto("LeaveRequest", action=7, reason=99))))
    assert isinstance(leave, m.LeaveRequest)
    assert (leave.action, leave.reason) == (7, 99)
    permission = proto("ParticipantPermission", can_publish_sources=[1, 77])
    assert fields.read(permission, t.ParticipantPermission).can_publish_sources == (t.TrackSource.CAMERA, 77)


# -- round trips -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [cls for cls in any_.MESSAGES if cls not in (m.JoinResponse, m.DataPacket)])
@given(data=st.data())
def test_every_message_comes_back(cls: type, data: st.DataObject) -> None:
    message = data.draw(any_.messages(cls))
    out = proto(cls.__qualname__)
    fields.fill(out, message)
    assert fields.read(wire._message_class(cls.__qualname__).FromString(as_bytes(out)), cls) == message


@given(any_.client_messages)
def test_requests_come_back(message: m.ClientMessage) -> None:
    assert wire.decode_request(wire.encode_request(message)) == message


@given(any_.server_messages)
def test_responses_come_back(message: m.ServerMessage) -> None:
    assert wire.decode_response(wire.encode_response(message)) == message


@pytest.mark.parametrize("cls", [c for c in typing.get_args(m.ClientMessage) if c is not m.SessionDescription])
def test_a_request_without_content_says_what_it_is(cls: type[m.ClientMessage]) -> None:
    assert wire.decode_request(wire.encode_request(cls())) == cls()


@pytest.mark.parametrize("cls", [c for c in typing.get_args(m.ServerMessage) if c is not m.SessionDescription])
def test_a_response_without_content_says_what_it_is(cls: type[m.ServerMessage]) -> None:
    assert wire.decode_response(wire.encode_response(cls())) == cls()


@given(any_.packets)
def test_packets_come_back(packet: m.DataPacket) -> None:
    assert wire.decode_packet(wire.encode_packet(packet)) == packet


@given(any_.messages(m.JoinRequest))
def test_join_requests_come_back(request: m.JoinRequest) -> None:
    assert wire.decode_join_request(wire.encode_join_request(request)) == request


def test_there_is_a_difference_between_no_value_and_an_empty_one() -> None:
    empty = m.UserPacket(payload=b"", topic="", id=None)
    assert wire.decode_packet(wire.encode_packet(m.DataPacket(value=empty))).value == empty
    request = m.JoinRequest(connection_settings=m.ConnectionSettings(subscriber_allow_pause=False))
    decoded = wire.decode_join_request(wire.encode_join_request(request)).connection_settings
    assert decoded is not None and decoded.subscriber_allow_pause is False
    assert wire.decode_join_request(wire.encode_join_request(m.JoinRequest())).connection_settings is None


@pytest.mark.parametrize("value", ["lone \ud800 surrogate", 7])
def test_what_cannot_be_sent_is_the_callers_fault(value: Any) -> None:
    with pytest.raises(UsageError, match=r"UpdateParticipantMetadata\.name cannot be sent") as caught:
        wire.encode_request(m.UpdateParticipantMetadata(name=value))
    assert caught.value.__cause__ is not None


def test_numbers_that_do_not_fit_are_the_callers_fault() -> None:
    with pytest.raises(UsageError, match=r"AddTrackRequest\.width"):
        wire.encode_request(m.AddTrackRequest(width=2**32))


# -- the join request --------------------------------------------------------------------------------------------------


def _wrapped(parameter: str) -> Any:
    # Go's base64.URLEncoding: its own alphabet, and padding to a multiple of four
    assert len(parameter) % 4 == 0
    assert not set(parameter) & set("+/")
    return wire._message_class("WrappedJoinRequest").FromString(base64.urlsafe_b64decode(parameter))


def test_a_small_join_request_is_sent_as_it_is() -> None:
    wrapped = _wrapped(wire.encode_join_request(m.JoinRequest(participant_sid="PA_1")))
    assert wrapped.compression == 0
    assert wire._message_class("JoinRequest").FromString(wrapped.join_request).participant_sid == "PA_1"


def test_a_large_join_request_is_compressed() -> None:
    offer = m.SessionDescription(type="offer", sdp="v=0\r\n" * 1000)
    parameter = wire.encode_join_request(m.JoinRequest(publisher_offer=offer))
    wrapped = _wrapped(parameter)
    assert wrapped.compression == 1
    assert len(parameter) < 1000
    inner = wire._message_class("JoinRequest").FromString(gzip.decompress(wrapped.join_request))
    assert inner.publisher_offer.sdp == offer.sdp
    assert wrapped.join_request[4:8] == bytes(4), "no time of day in it"


@pytest.mark.parametrize("size", range(500, 520))
def test_both_sides_of_the_limit_of_compression(size: int) -> None:
    request = m.JoinRequest(participant_sid="x" * size)
    payload = proto("JoinRequest", participant_sid="x" * size).ByteSize()
    parameter = wire.encode_join_request(request)
    assert _wrapped(parameter).compression == (1 if payload >= 512 else 0)
    assert wire.decode_join_request(parameter) == request


def parameter_of(compression: int, content: bytes) -> str:
    wrapped = proto("WrappedJoinRequest", compression=compression, join_request=content)
    return base64.urlsafe_b64encode(as_bytes(wrapped)).decode()


@pytest.mark.parametrize(
    "parameter",
    [
        "not base64!",
        "ä",
        "AAAAA",
        parameter_of(1, b"no gzip"),
        parameter_of(1, gzip.compress(b"x" * 99)[:-9]),
        parameter_of(1, gzip.compress(b"") + b"more"),
        parameter_of(1, gzip.compress(b"x")[:10] + b"\xff" * 20),
        parameter_of(0, b"\xff"),
    ],
)
def test_a_bad_join_request_is_refused(parameter: str) -> None:
    with pytest.raises(ProtocolError):
        wire.decode_join_request(parameter)


def test_what_inflates_without_end_is_refused() -> None:
    """A thousandth of it is sent; it would be a valid request."""
    content = as_bytes(proto("JoinRequest", participant_sid="x" * wire._INFLATED_MAX))
    with pytest.raises(ProtocolError, match="cut short, or too large"):
        wire.decode_join_request(parameter_of(1, gzip.compress(content)))
    small = proto("JoinRequest", participant_sid="x" * (wire._INFLATED_MAX - 100))
    assert wire.decode_join_request(parameter_of(1, gzip.compress(as_bytes(small)))).participant_sid


# -- what is not known yet ---------------------------------------------------------------------------------------------


@given(any_.server_messages)
def test_fields_of_later_versions_are_passed_over(message: m.ServerMessage) -> None:
    assert wire.decode_response(wire.encode_response(message) + NEWER_FIELD) == message
    assert wire.decode_response(NEWER_FIELD + wire.encode_response(message)) == message


@given(any_.client_messages)
def test_fields_of_later_clients_are_passed_over(message: m.ClientMessage) -> None:
    assert wire.decode_request(wire.encode_request(message) + NEWER_FIELD) == message


@given(any_.messages(m.ParticipantInfo))
def test_new_fields_inside_a_message_are_passed_over(info: m.ParticipantInfo) -> None:
    out = proto("ParticipantInfo")
    fields.fill(out, info)
    assert wire.decode_participant(m.EncodedParticipant(as_bytes(out) + NEWER_FIELD)) == info


def test_messages_that_we_do_not_know_are_none() -> None:
    assert wire.decode_response(b"") is None
    assert wire.decode_response(NEWER_FIELD) is None
    unused = {"room_moved", "pong"} & set(_oneof("SignalResponse", "message"))
    assert unused, "the schema has messages that we do not read"
    for name in unused:
        message = proto("SignalResponse")
        if name == "pong":
            message.pong = 1
        else:
            getattr(message, name).SetInParent()
        assert wire.decode_response(as_bytes(message)) is None
    assert wire.decode_request(b"") is None
    simulate = proto("SignalRequest")
    simulate.simulate.SetInParent()
    assert wire.decode_request(as_bytes(simulate)) is None
    packet = proto("DataPacket", sequence=3)
    packet.encrypted_packet.SetInParent()
    assert wire.decode_packet(as_bytes(packet)) == m.DataPacket(value=None, sequence=3)


# -- garbage -----------------------------------------------------------------------------------------------------------


def _decode_everything(data: bytes) -> None:
    for decode in (wire.decode_response, wire.decode_request, wire.decode_packet, wire.decode_participant):
        try:
            message = decode(m.EncodedParticipant(data))
        except ProtocolError:
            continue
        if isinstance(message, m.JoinResponse):
            for other in message.other_participants:
                try:
                    wire.decode_participant(other)
                except ProtocolError:
                    pass


@given(st.binary(max_size=200))
@example(b"\x0a")
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x0a\x02\x0b\x0c")
@example(b"\x0a\x01\x0b")
@example(b"\x0a\x03\x09\x00\x00")
@example(b"\x0a\x02\x0d\x00")
@example(b"\x0a\x02\x1a\x05")
@example(b"\x0a\x01\x08")
def test_garbage_is_a_protocol_error_or_nothing_worse(data: bytes) -> None:
    _decode_everything(data)
    _decode_everything(b"\x0a" + encoded_size(len(data)) + data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0a\x05\x00",
        b"\x0a\x01\x0b",
        b"\x0a\x01\x0f",
        b"\x0a\x03\x09\x00\x00",
        b"\x0a\x03\x0d\x00\x00",
        b"\x0a\x02\x0a\x01",
        b"\x0a\x03\x0a\x01\xff",
        b"\x0a\x03\x1a\x02\x0a",
        b"\x22\x03\x0a\x05a",
        b"\xff",
    ],
)
def test_what_is_no_message_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.decode_response(data)


@given(any_.server_messages, st.data())
def test_truncated_messages(message: m.ServerMessage, data: st.DataObject) -> None:
    whole = wire.encode_response(message)
    _decode_everything(whole[: data.draw(st.integers(0, len(whole)))])


@given(any_.server_messages, st.data())
def test_damaged_messages(message: m.ServerMessage, data: st.DataObject) -> None:
    damaged = bytearray(wire.encode_response(message))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(damaged)))
        damaged[place:place] = data.draw(st.binary(max_size=3))
    _decode_everything(bytes(damaged))


def test_deep_nesting_is_a_protocol_error() -> None:
    body = b""
    for _ in range(200):  # unknown groups, one inside the other, deeper than any parser goes
        body = b"\xc3\x3e" + body + b"\xc4\x3e"
    with pytest.raises(ProtocolError):
        wire.decode_packet(body)


def test_errors_say_what_was_expected_and_nothing_of_the_content() -> None:
    with pytest.raises(ProtocolError, match=r"^not a livekit\.DataPacket$"):
        wire.decode_packet(b"\xffsecret")
