"""How good connections are: tabs of one machine reach each other well, or not at all."""

from __future__ import annotations

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Tell
from lk_pyodide.local.members import Member, Members
from lk_pyodide.local.subscriptions import Subscriptions
from lk_pyodide.types import ConnectionQuality

INTERVAL = 5.0
"""Seconds between two looks, as in livekit-server (``pkg/sfu/connectionquality``)."""
BEST_SCORE, WORST_SCORE = 4.5, 1.0
"""Mean opinion scores, as there."""


class Qualities:
    """Tells everybody of its own connection, and of those of whom it gets something.

    Args:
        members: everybody.
        subscriptions: who gets something of whom.
    """

    def __init__(self, members: Members, subscriptions: Subscriptions) -> None:
        self._members = members
        self._subscriptions = subscriptions
        self._silent: set[str] = set()
        self._told: dict[str, dict[str, ConnectionQuality]] = {}  # connection → participant's sid → quality

    def answers(self, key: str, *, does: bool) -> None:
        """A connection answers, or has ceased to."""
        (self._silent.discard if does else self._silent.add)(key)

    def update(self) -> list[Tell]:
        """Tell what has changed since the last time."""
        told, self._told = self._told, {}
        tells: list[Tell] = []
        for listener in self._members:
            before = told.get(listener.key, {})
            seen = self._told[listener.key] = self._seen_by(listener)
            news = [_info(sid, quality) for sid, quality in seen.items() if before.get(sid) != quality]
            if news:
                tells.append(Tell(listener.key, m.ConnectionQualityUpdate(tuple(news))))
        self._silent &= set(self._told)
        return tells

    def _seen_by(self, listener: Member) -> dict[str, ConnectionQuality]:
        return {
            member.info.sid: ConnectionQuality.LOST if member.key in self._silent else ConnectionQuality.EXCELLENT
            for member in self._members
            if member.is_active
            and listener.is_active
            and (member is listener or self._subscriptions.follows(listener, member))
        }


def _info(sid: str, quality: ConnectionQuality) -> m.ConnectionQualityInfo:
    return m.ConnectionQualityInfo(sid, quality, WORST_SCORE if quality == ConnectionQuality.LOST else BEST_SCORE)
