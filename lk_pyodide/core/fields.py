"""Dataclasses ↔ protobuf messages, field by field: what is common to all kinds of message.

It knows protobuf's messages by their behaviour only; :mod:`lk_pyodide.core.wire` has the classes.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

from lk_pyodide.errors import UsageError
from lk_pyodide.types import DataPacketKind, ParticipantKind, StreamState, TrackKind

T = TypeVar("T")

ONEOF = "oneof"
"""Metadata of a dataclass's field that stands for several of the message's, which are not read or filled here."""

# Enums whose integers on the wire are not livekit.rtc's: wire → ours.
_RENUMBERED: dict[type[IntEnum], dict[int, int]] = {
    TrackKind: {0: TrackKind.AUDIO, 1: TrackKind.VIDEO, 2: TrackKind.UNKNOWN},
    StreamState: {0: StreamState.ACTIVE, 1: StreamState.PAUSED},
    DataPacketKind: {0: DataPacketKind.RELIABLE, 1: DataPacketKind.LOSSY},
    ParticipantKind: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 7: ParticipantKind.CONNECTOR, 8: ParticipantKind.BRIDGE},
}


def read(source: Any, cls: type[T]) -> T:
    """Make a ``cls`` of a protobuf message; fields that are not set keep their defaults."""
    plan = _plan(typing.cast(typing.Hashable, cls))
    values: dict[str, Any] = {}
    for descriptor, value in source.ListFields():
        read = plan.get(descriptor.name)
        if read is not None:
            values[descriptor.name] = read.decode(value)
    return cls(**values)


def fill(target: Any, message: Any) -> None:
    """Copy a dataclass into a protobuf message."""
    for name, codec in _plan(typing.cast(typing.Hashable, type(message))).items():
        value = getattr(message, name)
        if value is None:
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
    return {
        field.name: _field_codec(hints[field.name]) for field in dataclasses.fields(cls) if ONEOF not in field.metadata
    }


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

    def fill_map(target: Any, name: str, values: Mapping[Any, Any]) -> None:
        for key, value in values.items():
            fill(getattr(target, name)[key], value)  # to look there makes an entry

    return _FieldCodec(lambda values: {key: read(value) for key, value in values.items()}, fill_map)


def _reader(cls: Any) -> Callable[[Any], Any]:
    return lambda value: read(value, cls)


def _fill_message(target: Any, name: str, value: Any) -> None:
    field = getattr(target, name)
    field.SetInParent()
    fill(field, value)


def _fill_messages(target: Any, name: str, values: Any) -> None:
    for value in values:
        fill(getattr(target, name).add(), value)


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
