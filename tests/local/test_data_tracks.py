"""Data tracks, as the server decides on them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.core.reliable import DATA_TRACK
from lk_pyodide.local.effects import Carry, Effect, Tell
from lk_pyodide.local.engine import Engine
from lk_pyodide.types import DisconnectReason, EncryptionType
from tests.local.test_engine import engine, enter, infos, told

EAGER = m.JoinRequest(connection_settings=m.ConnectionSettings(auto_subscribe_data_track=True))
PUBLISH = m.PublishDataTrackRequest(7, "location")
Handles = m.DataTrackSubscriberHandles
Named = m.DataTrackSubscriberHandles.PublishedDataTrack


def packet(handle: int, payload: bytes = b"payload", *, flags: int = 0x18, extensions: bytes = b"") -> bytes:
    """See livekit-server's ``pkg/rtc/datatrack/packet.go``."""
    return struct.pack(">BBHHHI", flags, 0, handle, 6666, 9999, 0xDEADBEEF) + extensions + payload


def room_of_two() -> Engine:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    return room


def publish(room: Engine, request: m.PublishDataTrackRequest = PUBLISH, who: str = "ada") -> tuple[str, list[Effect]]:
    effects = room.receive(who, request)
    (answer,) = told(effects, who, m.PublishDataTrackResponse)
    assert answer.info is not None
    return answer.info.sid, effects


def subscribe(room: Engine, who: str, *sids: str, wants: bool = True) -> list[Effect]:
    updates = tuple(m.UpdateDataSubscription.Update(sid, wants) for sid in sids)
    return room.receive(who, m.UpdateDataSubscription(updates))


def carried(effects: list[Effect]) -> list[tuple[str, bytes]]:
    assert all(isinstance(e, Carry) and e.label == DATA_TRACK for e in effects)
    return [(e.key, e.data) for e in effects if isinstance(e, Carry)]


def test_publishing() -> None:
    room = room_of_two()
    sid, effects = publish(room, m.PublishDataTrackRequest(7, "location", EncryptionType.GCM))
    info = m.DataTrackInfo(7, sid, "location", EncryptionType.GCM)
    assert told(effects, "ada", m.PublishDataTrackResponse) == [m.PublishDataTrackResponse(info)]
    (seen,) = infos(effects, "ben")
    assert (seen.data_tracks, seen.is_publisher, seen.tracks) == ((info,), True, ())
    assert infos(effects, "ada") == []
    assert told(effects, "ben", Handles) == [], "nobody asked"
    gone = room.receive("ada", m.UnpublishDataTrackRequest(7))
    assert told(gone, "ada", m.UnpublishDataTrackResponse) == [m.UnpublishDataTrackResponse(info)]
    (seen,) = infos(gone, "ben")
    assert (seen.data_tracks, seen.is_publisher) == ((), False)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (m.PublishDataTrackRequest(0, "x"), m.RequestReason.INVALID_HANDLE),
        (m.PublishDataTrackRequest(65536, "x"), m.RequestReason.INVALID_HANDLE),
        (m.PublishDataTrackRequest(1, ""), m.RequestReason.INVALID_NAME),
        (m.PublishDataTrackRequest(1, "ü" * 129), m.RequestReason.INVALID_NAME),
        (m.PublishDataTrackRequest(7, "x"), m.RequestReason.DUPLICATE_HANDLE),
        (m.PublishDataTrackRequest(8, "location"), m.RequestReason.DUPLICATE_NAME),
    ],
)
def test_refusals(request_: m.PublishDataTrackRequest, reason: m.RequestReason) -> None:
    room = room_of_two()
    publish(room)
    (effect,) = room.receive("ada", request_)
    assert isinstance(effect, Tell) and isinstance(effect.message, m.RequestResponse)
    assert (effect.message.reason, effect.message.publish_data_track) == (reason, request_)
    sid, _ = publish(room, PUBLISH, "ben")
    assert sid, "names and handles are each publisher's own"


def test_grants() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "mute", can_publish_data=False)
    enter(room, "deaf", can_subscribe=False)
    (refusal,) = told(room.receive("mute", PUBLISH), "mute", m.RequestResponse)
    assert refusal.reason == m.RequestReason.NOT_ALLOWED
    sid, _ = publish(room)
    assert subscribe(room, "deaf", sid) == []
    unknown = m.UnpublishDataTrackRequest(9)
    refusal = m.RequestResponse(reason=m.RequestReason.NOT_FOUND, unpublish_data_track=unknown)
    assert room.receive("ada", unknown) == [Tell("ada", refusal)]


def test_subscribing() -> None:
    room = room_of_two()
    sid, _ = publish(room)
    assert carried(room.track_packet("ada", packet(7))) == []
    effects = subscribe(room, "ben", sid)
    assert told(effects, "ben", Handles) == [Handles({1: Named("ada", "PA_id1", sid)})]
    assert told(effects, "ben", m.SubscriptionPermissionUpdate) == [m.SubscriptionPermissionUpdate("PA_id1", sid, True)]
    assert subscribe(room, "ben", sid) == [], "once"
    assert carried(room.track_packet("ada", packet(7))) == [("ben", packet(1))]
    assert subscribe(room, "ben", sid, wants=False) == [Tell("ben", Handles({}))]
    assert carried(room.track_packet("ada", packet(7))) == []
    assert subscribe(room, "ben", sid) == [Tell("ben", Handles({2: Named("ada", "PA_id1", sid)}))], "not 1 again"
    assert subscribe(room, "ben", "DTR_unknown") == []


def test_each_subscriber_has_its_own_handles() -> None:
    room = room_of_two()
    enter(room, "eve")
    one, _ = publish(room)
    two, _ = publish(room, PUBLISH, "ben")
    subscribe(room, "eve", one)
    effects = subscribe(room, "eve", two)
    both = {1: Named("ada", "PA_id1", one), 2: Named("ben", "PA_id2", two)}
    assert told(effects, "eve", Handles) == [Handles(both)]
    subscribe(room, "ada", two)
    assert sorted(carried(room.track_packet("ben", packet(7)))) == [("ada", packet(1)), ("eve", packet(2))]
    assert carried(room.track_packet("ada", packet(7))) == [("eve", packet(1))]


def test_those_who_want_all_get_all() -> None:
    room = room_of_two()
    one, _ = publish(room)
    effects = enter(room, "eve", EAGER)
    assert told(effects, "eve", Handles) == [Handles({1: Named("ada", "PA_id1", one)})]
    two, effects = publish(room, m.PublishDataTrackRequest(8, "more"))
    (handles,) = told(effects, "eve", Handles)
    assert {named.track_sid for named in handles.sub_handles.values()} == {one, two}


def test_a_track_ends() -> None:
    room = room_of_two()
    one, _ = publish(room)
    two, _ = publish(room, m.PublishDataTrackRequest(8, "more"))
    subscribe(room, "ben", one, two)
    rest = Handles({2: Named("ada", "PA_id1", two)})
    assert told(room.receive("ada", m.UnpublishDataTrackRequest(7)), "ben", Handles) == [rest]
    assert carried(room.track_packet("ada", packet(7))) == []
    assert told(room.gone("ada", DisconnectReason.SIGNAL_CLOSE), "ben", Handles) == [Handles({})]
    room = room_of_two()
    sid, _ = publish(room)
    subscribe(room, "ben", sid)
    room.gone("ben", DisconnectReason.SIGNAL_CLOSE)
    assert carried(room.track_packet("ada", packet(7))) == []


def test_a_publisher_of_several_leaves() -> None:
    room = room_of_two()
    one, _ = publish(room)
    two, _ = publish(room, m.PublishDataTrackRequest(8, "more"))
    subscribe(room, "ben", one, two)
    assert told(room.gone("ada", DisconnectReason.CLIENT_INITIATED), "ben", Handles) == [Handles({})]


def test_permissions_are_for_data_tracks_too() -> None:
    room = room_of_two()
    sid, _ = publish(room)
    subscribe(room, "ben", sid)
    effects = room.receive("ada", m.SubscriptionPermission())
    assert effects == [Tell("ben", m.SubscriptionPermissionUpdate("PA_id1", sid, False)), Tell("ben", Handles({}))]
    rule = m.TrackPermission(participant_identity="ben", track_sids=(sid,))
    effects = room.receive("ada", m.SubscriptionPermission(False, (rule,)))
    assert told(effects, "ben", Handles) == [Handles({2: Named("ada", "PA_id1", sid)})]


def test_handles_come_round() -> None:
    room = room_of_two()
    keep, _ = publish(room)
    sid, _ = publish(room, m.PublishDataTrackRequest(8, "more"))
    subscribe(room, "ben", keep)
    room._data_tracks._last["ben"] = 65_533
    handles = []
    for _ in range(3):
        (news,) = told(subscribe(room, "ben", sid), "ben", Handles)
        handles += [handle for handle, named in news.sub_handles.items() if named.track_sid == sid]
        subscribe(room, "ben", sid, wants=False)
    assert handles == [65_534, 65_535, 2], "never 0, and never one that is in use"


TWO_WORDS = bytes([0, 1]) + b"\x02\x04\x00\x00\x00\x00"
"""Extensions of two words, as the length says."""


def test_the_rest_of_a_packet_is_as_it_was() -> None:
    room = room_of_two()
    sid, _ = publish(room)
    subscribe(room, "ben", sid)
    for whole in (
        packet(7, b""),
        packet(7, flags=0x1C, extensions=TWO_WORDS),
        packet(7, b"", flags=0xFC, extensions=TWO_WORDS),
    ):
        ((_, data),) = carried(room.track_packet("ada", whole))
        assert data == whole[:2] + b"\x00\x01" + whole[4:]


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        packet(7, b"")[:11],
        packet(7, b"", flags=0x1C),
        packet(7, b"", flags=0x1C, extensions=TWO_WORDS[:7]),
        packet(7, b"", flags=0x1C, extensions=b"\xff\xff"),
        packet(0),
        packet(8),
    ],
)
def test_what_is_no_packet_of_a_track(wrong: bytes) -> None:
    room = room_of_two()
    sid, _ = publish(room)
    subscribe(room, "ben", sid)
    assert room.track_packet("ada", wrong) == []
    assert room.track_packet("nobody", packet(7)) == []


@settings(deadline=None)  # a noisy machine is no failure
@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    room = room_of_two()
    sid, _ = publish(room)
    subscribe(room, "ben", sid)
    for _, sent in carried(room.track_packet("ada", data)):
        assert len(sent) == len(data)
