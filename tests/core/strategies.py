"""Hypothesis strategies for the wire's dataclasses, made of their type hints and the schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from lk_pyodide.core import fields, wire
from lk_pyodide.core import messages as m
from lk_pyodide.core.stream_messages import DataStream

INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: (0, 2**31 - 1),
}
UNKNOWN_ENUM = st.integers(1000, 2**31 - 1)
"""What a later version of the protocol may say."""
NO_MESSAGES_OF_THEIR_OWN = (m.LegacyPing, m.RefreshToken)
"""Bare integers and strings inside the oneof."""

MESSAGES: list[type] = [
    cls
    for cls in (*vars(m).values(), *vars(DataStream).values())
    if dataclasses.is_dataclass(cls) and isinstance(cls, type) and cls not in NO_MESSAGES_OF_THEIR_OWN
]


def descriptor(cls: type) -> Descriptor:
    """The protobuf message that a dataclass stands for; one inside another has its name from there."""
    found: Descriptor = wire._pool().FindMessageTypeByName(f"livekit.{cls.__qualname__}")
    return found


def known(kind: type[IntEnum]) -> st.SearchStrategy[int]:
    """The members that the wire can say."""
    renumbered = fields._RENUMBERED.get(kind)
    return st.sampled_from([kind(ours) for ours in renumbered.values()] if renumbered else list(kind))


def messages(cls: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of a dataclass; ``fixed`` replaces the strategies of some fields."""
    if cls is m.LegacyPing:
        return st.builds(cls, st.integers(*INTEGERS[FieldDescriptor.TYPE_INT64]))
    if cls is m.RefreshToken:
        return st.builds(cls, st.text())
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in descriptor(cls).fields}
    made = {
        entry.name: fixed[entry.name] if entry.name in fixed else values(hints[entry.name], fields[entry.name])
        for entry in dataclasses.fields(cls)
    }
    for choice in descriptor(cls).oneofs:
        rivals = {field.name for field in choice.fields} & made.keys()
        if len(rivals) > 1:
            none = dict.fromkeys(rivals, st.none())
            return st.one_of(*(st.builds(cls, **(made | none | {name: made[name]})) for name in sorted(rivals)))
    return st.builds(cls, **made)


def values(hint: Any, field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Any value of a field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(values(arguments[0], field), max_size=3).map(tuple)
    if origin is Mapping:
        assert field.message_type is not None
        key, value = field.message_type.fields
        return st.dictionaries(values(arguments[0], key), values(arguments[1], value), max_size=3)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*(_union_member(argument, field, arguments) for argument in arguments))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return messages(hint)
    if hint is m.EncodedParticipant:
        return st.nothing()
    return _scalar(hint, field)


def _union_member(hint: Any, field: FieldDescriptor, others: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if hint is type(None):
        return st.none()
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return known(hint)
    if hint is int and len(others) > 1:
        return UNKNOWN_ENUM
    return values(hint, field)


def _scalar(hint: Any, field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if hint is bool:
        return st.booleans()
    if hint is str:
        return st.text(max_size=20)
    if hint is bytes:
        return st.binary(max_size=20)
    if hint is float:
        return st.floats(width=32, allow_nan=False)
    assert hint is int, hint
    return st.integers(*INTEGERS[field.type])


client_messages = st.one_of(
    *(
        messages(cls, type=st.sampled_from(["offer", "answer"])) if cls is m.SessionDescription else messages(cls)
        for cls in typing.get_args(m.ClientMessage)
    )
)
server_messages = st.one_of(
    *(
        messages(cls, type=st.sampled_from(["offer", "answer"]))
        if cls is m.SessionDescription
        else messages(cls, other_participants=st.just(()))
        if cls is m.JoinResponse
        else messages(cls)
        for cls in typing.get_args(m.ServerMessage)
    )
)
packet_values = st.one_of(st.none(), *(messages(cls) for cls in typing.get_args(m.PacketValue)))
packets = messages(m.DataPacket, value=packet_values)
