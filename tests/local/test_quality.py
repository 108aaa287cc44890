"""How good connections are said to be."""

from __future__ import annotations

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Effect
from lk_pyodide.types import ConnectionQuality
from tests.local.test_engine import ALL, NOW, claims, engine, enter, publish, told

BEST, LOST = ConnectionQuality.EXCELLENT, ConnectionQuality.LOST


def qualities(effects: list[Effect], key: str) -> dict[str, object]:
    return {
        u.participant_sid: u.quality for news in told(effects, key, m.ConnectionQualityUpdate) for u in news.updates
    }


def test_each_hears_of_itself_and_of_those_whom_it_sees() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    effects = room.rate()
    assert qualities(effects, "ada") == {"PA_id1": BEST}
    assert qualities(effects, "ben") == {"PA_id2": BEST}
    assert room.rate() == [], "no news"
    publish(room, "ada")
    assert qualities(room.rate(), "ben") == {"PA_id1": BEST}


def test_a_silent_connection_is_lost() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    publish(room, "ada")
    room.rate()
    room.silent("ada")
    assert qualities(room.rate(), "ben") == {"PA_id1": LOST}
    assert room.connected("ada") == [], "again"
    assert qualities(room.rate(), "ben") == {"PA_id1": BEST}


def test_who_is_still_connecting() -> None:
    room = engine()
    room.join("ada", claims("ada"), ALL, NOW)
    assert room.rate() == []
    room.connected("ada")
    assert qualities(room.rate(), "ada") == {"PA_id1": BEST}
