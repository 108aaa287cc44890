"""Who gets whose tracks, and who is told that it may not."""

from __future__ import annotations

from collections.abc import Sequence

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Effect, Forward, Halt, Tell
from lk_pyodide.local.engine import Engine
from lk_pyodide.types import TrackKind, TrackSource
from tests.local.test_engine import NOTHING, claims, engine, enter, forwards, publish, told

MICROPHONE = m.AddTrackRequest("mic", type=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
NOBODY = m.SubscriptionPermission()
EVERYBODY = m.SubscriptionPermission(all_participants=True)


def allowed(sid: str, *, ben: bool) -> Tell:
    return Tell("ben", m.SubscriptionPermissionUpdate("PA_id1", sid, ben))


def room_of_two() -> tuple[Engine, str]:
    """Ada, who publishes, and Ben."""
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    return room, publish(room, "ada")[0]


def permissions(effects: Sequence[Effect]) -> list[Tell]:
    return [e for e in effects if isinstance(e, Tell) and isinstance(e.message, m.SubscriptionPermissionUpdate)]


def permit(room: Engine, *rules: m.TrackPermission) -> list[Effect]:
    return room.receive("ada", m.SubscriptionPermission(False, rules))


def test_a_subscriber_is_told_that_it_may() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, effects = publish(room, "ada")
    assert allowed(sid, ben=True) in effects
    assert effects.index(allowed(sid, ben=True)) < next(i for i, e in enumerate(effects) if isinstance(e, Forward))


def test_a_permission_is_taken_back_and_given_again() -> None:
    room, sid = room_of_two()
    assert room.receive("ada", NOBODY) == [allowed(sid, ben=False), Halt(sid, "ben")]
    assert room.receive("ada", NOBODY) == [], "no news"
    assert room.receive("ben", m.UpdateSubscription((sid,), True)) == [], "asking does not help"
    later, effects = publish(room, "ada", MICROPHONE)
    assert (allowed(later, ben=False) in effects, forwards(effects)) == (True, [])
    effects = room.receive("ada", EVERYBODY)
    assert forwards(effects) == [(sid, "ada", "ben"), (later, "ada", "ben")]
    assert {allowed(sid, ben=True), allowed(later, ben=True)} <= set(permissions(effects))


def test_single_tracks_and_single_people() -> None:
    room, sid = room_of_two()
    microphone, _ = publish(room, "ada", MICROPHONE)
    enter(room, "eve")
    effects = permit(room, m.TrackPermission(participant_identity="ben", track_sids=(microphone,)))
    halts = {e for e in effects if isinstance(e, Halt)}
    assert halts == {Halt(sid, "ben"), Halt(sid, "eve"), Halt(microphone, "eve")}
    effects = permit(room, m.TrackPermission(participant_sid="PA_id2", all_tracks=True))
    assert [e.sid for e in effects if isinstance(e, Forward)] == [sid], "a sid stands for an identity, too"


def test_a_permission_holds_for_who_comes_later() -> None:
    room, sid = room_of_two()
    permit(room, m.TrackPermission(participant_identity="eve", all_tracks=True))
    assert forwards(enter(room, "eve")) == [(sid, "ada", "eve")]
    assert forwards(enter(room, "pat")) == []


def test_a_permission_for_nobody_in_particular_changes_nothing() -> None:
    room, _ = room_of_two()
    assert permit(room, m.TrackPermission(all_tracks=True)) == []
    assert permit(room, m.TrackPermission(participant_sid="PA_unknown", all_tracks=True)) != [], "nobody is left"


def test_the_publisher_hears_of_the_first_one() -> None:
    room, sid = room_of_two()
    assert told(enter(room, "eve"), "ada", m.TrackSubscribed) == []
    room.receive("ben", m.UpdateSubscription((sid,), False))
    assert told(room.receive("ben", m.UpdateSubscription((sid,), True)), "ada", m.TrackSubscribed) == []


def test_nothing_goes_to_who_is_not_connected_yet() -> None:
    room, sid = room_of_two()
    room.join("eve", claims("eve"), m.JoinRequest(), 0)
    assert room.receive("eve", m.UpdateSubscription((sid,), True)) == []
    assert forwards(room.connected("eve")) == [(sid, "ada", "eve")]


def test_wishes_outlive_permissions() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben", NOTHING)
    sid, effects = publish(room, "ada")
    assert permissions(effects) == [], "what is not wanted is not spoken of"
    room.receive("ada", NOBODY)
    assert room.receive("ben", m.UpdateSubscription((sid,), True)) == [allowed(sid, ben=False)]
    assert forwards(room.receive("ada", EVERYBODY)) == [(sid, "ada", "ben")]
