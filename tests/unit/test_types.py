"""Enums: the integers and the names of LiveKit's Python SDK, compared with the package itself."""

from __future__ import annotations

import dataclasses
from enum import IntEnum
from typing import Any

import pytest

from lk_pyodide import types as t
from lk_pyodide.core.messages import AudioTrackFeature

rtc = pytest.importorskip("livekit.rtc", reason="the package `livekit` (with its native library) is not installed")
from livekit.rtc._proto import e2ee_pb2, participant_pb2, room_pb2, track_pb2  # noqa: E402 - after the check

SAME: list[tuple[type[IntEnum], Any]] = [
    (t.ConnectionState, room_pb2.ConnectionState),
    (t.DisconnectReason, participant_pb2.DisconnectReason),
    (t.TrackKind, track_pb2.TrackKind),
    (t.TrackSource, track_pb2.TrackSource),
    (t.StreamState, track_pb2.StreamState),
    (t.ConnectionQuality, room_pb2.ConnectionQuality),
    (t.ParticipantKind, participant_pb2.ParticipantKind),
    (t.ParticipantState, participant_pb2.ParticipantState),
    (t.DataPacketKind, room_pb2.DataPacketKind),
    (t.EncryptionType, e2ee_pb2.EncryptionType),
    (t.VideoCodec, rtc.VideoCodec),
    (t.VideoQuality, rtc.VideoQuality),
    (AudioTrackFeature, track_pb2.AudioTrackFeature),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME, ids=[ours.__name__ for ours, _ in SAME])
def test_livekit_rtcs_names_are_here_with_its_integers(ours: type[IntEnum], theirs: Any) -> None:
    assert dict(theirs.items()).items() <= {name: int(value) for name, value in ours.__members__.items()}.items()


def test_every_enum_is_compared_with_something() -> None:
    enums = {value for name in t.__all__ if isinstance(value := getattr(t, name), type) and issubclass(value, IntEnum)}
    elsewhere = {t.BackupCodecPolicy, t.SubscriptionError, t.ConnectErrorReason, t.DataStreamErrorReason}
    elsewhere |= {t.PublishDataTrackErrorReason, t.PushFrameErrorReason, t.SubscribeDataTrackErrorReason}
    assert enums - {ours for ours, _ in SAME} == elsewhere


def test_short_names_come_first() -> None:
    """``repr`` shows the first name of a value."""
    for ours, _ in SAME:
        for member in ours:
            longer = [name for name, value in ours.__members__.items() if value is member and name != member.name]
            assert all(len(member.name) <= len(name) for name in longer), member


# livekit-client 2.23.0, src/room/errors.ts
CLIENT_REASONS = {
    "NotAllowed": 0,
    "ServerUnreachable": 1,
    "InternalError": 2,
    "Cancelled": 3,
    "LeaveRequest": 4,
    "Timeout": 5,
    "WebSocket": 6,
    "ServiceNotFound": 7,
}


def test_reasons_of_a_failed_connect_are_livekit_clients() -> None:
    ours = {reason.name.replace("_", "").lower(): int(reason) for reason in t.ConnectErrorReason}
    assert ours == {name.lower(): number for name, number in CLIENT_REASONS.items()}


# the same file
STREAM_REASONS = {
    "AlreadyOpened": 0,
    "AbnormalEnd": 1,
    "DecodeFailed": 2,
    "LengthExceeded": 3,
    "Incomplete": 4,
    "HandlerAlreadyRegistered": 7,
    "EncryptionTypeMismatch": 8,
    "HeaderTooLarge": 9,
    "PayloadTooLarge": 10,
}


def test_reasons_of_a_failed_stream_are_livekit_clients() -> None:
    ours = {reason.name.replace("_", "").lower(): int(reason) for reason in t.DataStreamErrorReason}
    assert ours == {name.lower(): number for name, number in STREAM_REASONS.items()}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(t.TextStreamInfo, "TextStreamInfo"), (t.ByteStreamInfo, "ByteStreamInfo")]
)
def test_what_is_known_of_a_stream_has_livekit_rtcs_names(ours: type, theirs: str) -> None:
    names = {field.name for field in dataclasses.fields(getattr(rtc.data_stream, theirs))}
    assert names <= {field.name for field in dataclasses.fields(ours)}


def test_a_value_that_is_not_known_has_a_default() -> None:
    assert t.member(t.TrackKind, 1, t.TrackKind.UNKNOWN) is t.TrackKind.AUDIO
    assert t.member(t.TrackKind, 99, t.TrackKind.UNKNOWN) is t.TrackKind.UNKNOWN


def test_enums_are_integers() -> None:
    sources = t.TrackSource.__members__
    assert sources["CAMERA"] is sources["SOURCE_CAMERA"]
    assert [int(t.ConnectionState.CONNECTING), int(t.ConnectionState.SIGNAL_RECONNECTING)] == [3, 4]
    assert isinstance(t.MediaDeviceFailure.NOT_FOUND, str)
