"""When somebody begins to speak."""

import random
from collections.abc import Iterable

import pytest

from lk_pyodide.core.voice import ATTACK, GAP, GRACE, LOUD, RELEASE, VoiceDetector

STEP = 0.05


def told(parts: Iterable[tuple[float, float]], step: float = STEP) -> list[float]:
    """When speech is told of, of sound that is so loud for so many seconds, after the grace."""
    detector, now, found = VoiceDetector(0.0), GRACE, list[float]()
    for level, seconds in parts:
        for _ in range(round(seconds / step)):
            if detector.hear(level, now):
                found.append(round(now - GRACE, 3))
            now += step
    return found


VOICE, ROOM = (LOUD * 3, 1.0), (LOUD / 5, 1.0)


@pytest.mark.parametrize(
    ("parts", "times"),
    [
        ([ROOM] * 10, []),
        ([VOICE], [ATTACK]),
        ([VOICE] * 20, [ATTACK]),
        ([ROOM, VOICE], [1 + ATTACK]),
        ([(1.0, ATTACK - STEP), ROOM] * 10, []),
        ([(0.05, 0.1), (0.0, GAP - STEP)] * 20, [pytest.approx(ATTACK, abs=0.1)]),
        ([(0.05, 0.1), (0.0, GAP + 2 * STEP)] * 20, []),
        ([VOICE, (0.0, RELEASE - 2 * STEP), VOICE], [ATTACK]),
        ([VOICE, (0.0, RELEASE + 2 * STEP), VOICE], [ATTACK, pytest.approx(1 + RELEASE + 2 * STEP + ATTACK, abs=STEP)]),
        ([VOICE, (LOUD * 0.6, 5.0), VOICE], [ATTACK]),
        ([(LOUD * 0.6, 5.0)], []),
    ],
    ids=[
        "a quiet room", "a voice", "a long speech", "a pause before", "knocks", "syllables", "a clock that ticks",
        "a breath", "two speeches", "softer words", "too soft",
    ],
)  # fmt: skip
def test_speech(parts: list[tuple[float, float]], times: list[float]) -> None:
    assert told(parts) == times


def test_the_end_of_a_word_does_not_count() -> None:
    detector = VoiceDetector(10.0)
    steps = [10.0 + STEP * number for number in range(40)]
    found = [now for now in steps if detector.hear(0.5 if now < 10.4 else 0.0, now)]
    assert found == []
    again = VoiceDetector(10.0)
    assert [round(now, 2) for now in steps if again.hear(0.5, now)] == [10 + GRACE + ATTACK]


def test_a_slow_page() -> None:
    """A browser that looks once a second at a hidden page hears a speech of two seconds."""
    assert told([(0.1, 3.0)], step=1.0) == [1.0]


def test_it_ends_as_often_as_it_begins() -> None:
    """Whatever the levels, each bout is told once."""
    chance, detector, begun, was_speaking = random.Random(5), VoiceDetector(0.0), 0, False
    for number in range(5000):
        new = detector.hear(chance.choice([0.0, 0.01, 0.02, 0.3]), number * STEP)
        assert new == (detector.is_speaking and not was_speaking)
        begun += new
        was_speaking = detector.is_speaking
    assert begun > 0
