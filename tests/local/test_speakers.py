"""Who speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Effect
from lk_pyodide.local.engine import Engine
from lk_pyodide.local.speakers import ACTIVE, INTERVAL, Loudness
from lk_pyodide.types import TrackKind, TrackSource
from tests.local.test_engine import NOTHING, engine, enter, publish, told

MICROPHONE = m.AddTrackRequest("mic", type=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
SAMPLE = INTERVAL / 4


def decibels(below: float) -> float:
    return float(10 ** (-below / 20))


class Ear:
    """Hears one track at regular times."""

    def __init__(self) -> None:
        self.track = Loudness()
        self.now = 100.0
        self.track.hear(0.0, self.now)

    def hear(self, *levels: float) -> float:
        for level in levels:
            self.now += SAMPLE
            self.track.hear(level, self.now)
        return self.track.get_level(self.now)


def test_silence() -> None:
    ear = Ear()
    assert ear.hear(*[0.0] * 20) == 0
    assert ear.hear(*[decibels(36)] * 20) == 0, "below the threshold"


def test_speech_is_heard_after_an_interval_and_not_before() -> None:
    ear = Ear()
    assert ear.hear(*[decibels(20)] * 3) == 0
    assert ear.hear(decibels(20)) == pytest.approx(decibels(20) * 2 / 3)
    assert ear.hear(*[decibels(20)] * 40) == pytest.approx(decibels(20), rel=0.001)


def test_a_short_noise_is_no_speech() -> None:
    ear = Ear()
    for _ in range(5):
        assert ear.hear(1.0, 0.0, 0.0, 0.0) == 0, "a quarter of the time"
    assert ear.hear(1.0, 1.0, 0.0, 0.0) > 0, "half of it"


def test_speech_for_a_part_of_the_time_is_less_loud() -> None:
    whole, half = Ear(), Ear()
    assert half.hear(0.5, 0.5, 0, 0) == pytest.approx(whole.hear(0.5, 0.5, 0.5, 0.5) / 2)


def test_speech_ends() -> None:
    ear = Ear()
    ear.hear(*[0.5] * 8)
    assert ear.hear(*[0.0] * 4) == 0
    ear.hear(*[0.5] * 8)
    assert ear.track.get_level(ear.now + 1.9 * INTERVAL) > 0
    assert ear.track.get_level(ear.now + 2.1 * INTERVAL) == 0, "nothing comes any more"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 3)), max_size=40))
def test_a_level_is_between_nothing_and_all(sounds: list[tuple[float, float]]) -> None:
    track, now = Loudness(), 0.0
    for level, seconds in sounds:
        now += seconds
        track.hear(level, now)
        heard = track.get_level(now)
        assert heard == 0 or heard >= ACTIVE


# -- in a room --


def say(room: Engine, now: float, **levels: float) -> tuple[float, list[Effect]]:
    """Let tracks sound until that is their level; the time then, and what is told."""
    for _ in range(80):
        now += SAMPLE
        for sid, level in levels.items():
            room.hear(sid, level, now)
    return now, room.speak(now)


def speakers(effects: list[Effect], key: str) -> list[tuple[str, float, bool]]:
    return [(s.sid, s.level, s.active) for news in told(effects, key, m.SpeakersChanged) for s in news.speakers]


def test_what_is_listened_to() -> None:
    room = engine()
    enter(room, "ada")
    microphone, _ = publish(room, "ada", MICROPHONE)
    publish(room, "ada")
    publish(room, "ada", m.AddTrackRequest("tab", type=TrackKind.AUDIO, source=TrackSource.SCREENSHARE_AUDIO))
    assert room.microphones() == [("ada", "mic", microphone)]
    room.receive("ada", m.MuteTrackRequest(microphone, True))
    assert room.microphones() == []


def test_speakers_are_told_once() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, _ = publish(room, "ada", MICROPHONE)
    now, effects = say(room, 0, **{sid: 0.5})
    assert speakers(effects, "ben") == speakers(effects, "ada") == [("PA_id1", 0.5, True)]
    now, effects = say(room, now, **{sid: 0.49})
    assert effects == [], "hardly another level"
    now, effects = say(room, now, **{sid: 0.9})
    assert speakers(effects, "ben") == [("PA_id1", 1.0, True)]
    now, effects = say(room, now, **{sid: 0.0})
    assert speakers(effects, "ben") == [("PA_id1", 0.0, False)]
    assert say(room, now, **{sid: 0.0})[1] == []


def test_only_those_who_hear_somebody_are_told() -> None:
    room = engine()
    for name in ("ada", "ben"):
        enter(room, name)
    enter(room, "eve", NOTHING)
    sid, _ = publish(room, "ada", MICROPHONE)
    now, effects = say(room, 0, **{sid: 0.5})
    assert (len(speakers(effects, "ben")), speakers(effects, "eve")) == (1, [])
    room.receive("eve", m.UpdateSubscription((sid,), True))
    now, effects = say(room, now, **{sid: 0.5})
    assert (speakers(effects, "ben"), speakers(effects, "eve")) == ([], [("PA_id1", 0.5, True)])
    room.receive("eve", m.UpdateSubscription((sid,), False))
    now, effects = say(room, now, **{sid: 0.5})
    assert speakers(effects, "eve") == [("PA_id1", 0.0, False)]


def test_the_loudest_comes_first() -> None:
    room = engine()
    for name in ("ada", "ben", "eve"):
        enter(room, name)
    ada, _ = publish(room, "ada", MICROPHONE)
    ben, _ = publish(room, "ben", MICROPHONE)
    _, effects = say(room, 0, **{ada: 0.2, ben: 0.9})
    assert [sid for sid, _, _ in speakers(effects, "eve")] == ["PA_id2", "PA_id1"]


def test_who_mutes_or_leaves_is_silent() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, _ = publish(room, "ada", MICROPHONE)
    now, _ = say(room, 0, **{sid: 0.5})
    assert speakers(room.speak(now + 2.1 * INTERVAL), "ben") == [("PA_id1", 0.0, False)], "nothing is heard any more"
    now, _ = say(room, now + 5, **{sid: 0.5})
    room.receive("ada", m.LeaveRequest())
    assert speakers(room.speak(now), "ben") == [("PA_id1", 0.0, False)]
    room.hear(sid, 0.5, now)  # it was on its way
    assert room.speak(now) == []
