"""A join, whose participants are decoded one by one. `test_wire.py` runs this under the other protobuf backend, too."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import fields, wire
from lk_pyodide.core import messages as m
from lk_pyodide.errors import ProtocolError
from tests.core import strategies as any_
from tests.core.test_wire import NEWER_FIELD, as_bytes, encoded_size, proto


def _whole(data: bytes) -> tuple[m.JoinResponse, list[m.ParticipantInfo]]:
    """What protobuf itself makes of a join."""
    join = wire._message_class("SignalResponse").FromString(data).join
    others = [fields.read(other, m.ParticipantInfo) for other in join.other_participants]
    join.ClearField("other_participants")
    return fields.read(join, m.JoinResponse), others


def _in_parts(data: bytes) -> tuple[m.JoinResponse, list[m.ParticipantInfo]]:
    join = wire.decode_response(data)
    assert isinstance(join, m.JoinResponse)
    others = [wire.decode_participant(other) for other in join.other_participants]
    return dataclasses.replace(join, other_participants=()), others


joins = any_.messages(m.JoinResponse, other_participants=st.just(()))
people = st.lists(any_.messages(m.ParticipantInfo), max_size=4)


@given(joins, people)
def test_a_join_in_parts_is_what_protobuf_says(join: m.JoinResponse, others: list[m.ParticipantInfo]) -> None:
    data = wire.encode_response(join, others)
    assert _in_parts(data) == _whole(data) == (join, others)


def _framed(body: bytes) -> bytes:
    return as_bytes(wire._message_class("SignalResponse")(join=wire._message_class("JoinResponse")()))[:1] + (
        encoded_size(len(body)) + body
    )


@given(joins, people, st.randoms(use_true_random=False))
def test_the_order_of_the_fields_does_not_matter(join: m.JoinResponse, others: list[Any], random: Any) -> None:
    message = wire._message_class("SignalResponse").FromString(wire.encode_response(join, others)).join
    body = as_bytes(message)
    # a varint, an 8-byte and a 4-byte field of a later version among them
    newer = [
        bytes.fromhex("c03e05"),
        bytes.fromhex("c93e") + b"\xff" * 8,
        bytes.fromhex("d53e") + b"\xff" * 4,
        NEWER_FIELD,
    ]
    chunks = [*newer, *(body[start:end] for _, start, _, end in wire._fields(body))]
    random.shuffle(chunks)
    data = _framed(b"".join(chunks))
    assert _in_parts(data) == _whole(data)


def test_other_participants_stay_in_their_bytes() -> None:
    data = wire.encode_response(m.JoinResponse(), [m.ParticipantInfo(identity="ada")])
    join = wire.decode_response(data)
    assert isinstance(join, m.JoinResponse)
    assert join.other_participants == (as_bytes(proto("ParticipantInfo", identity="ada")),)


def test_a_field_of_another_kind_is_no_participant() -> None:
    # field 3 as a varint: protobuf takes it for something unknown
    data = _framed(bytes([3 << 3, 5]) + as_bytes(proto("JoinResponse", server_version="1")))
    assert _in_parts(data) == _whole(data) == (m.JoinResponse(server_version="1"), [])


def test_a_join_need_not_come_first() -> None:
    data = NEWER_FIELD + wire.encode_response(m.JoinResponse(server_version="1"), [m.ParticipantInfo(sid="PA_1")])
    assert _in_parts(data) == (m.JoinResponse(server_version="1"), [m.ParticipantInfo(sid="PA_1")])


@given(joins, people, st.data())
def test_a_truncated_join_is_never_taken_for_a_whole_one(
    join: m.JoinResponse, others: list[m.ParticipantInfo], data: st.DataObject
) -> None:
    whole = wire.encode_response(join, others)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(ProtocolError):
        wire.decode_response(cut)
