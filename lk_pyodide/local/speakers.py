"""Who speaks: decided from how loud microphones are, as livekit-server does it.

(``pkg/sfu/audio/audiolevel.go`` and ``audioUpdateWorker`` in ``pkg/rtc/room.go``, with the same figures.) That server
looks at every packet; here somebody tells the level of the newest one, several times in each interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Tell
from lk_pyodide.local.members import Member, Members
from lk_pyodide.local.subscriptions import Subscriptions
from lk_pyodide.types import TrackSource

INTERVAL = 0.4
"""Seconds between two decisions."""
ACTIVE = 10 ** (-35 / 20)
"""The level from which sound is speech: -35 dBov, as a share of the loudest there is."""
ACTIVE_SHARE = 0.4
"""How much of an interval has to be speech."""
SMOOTHING = 2 / 3
"""Weight of the newest interval: an average over two."""
STEPS = 8
"""Levels are told as multiples of an eighth, so that small changes are none."""

_INTERVAL_MS = round(INTERVAL * 1000)


class Loudness:
    """How loud one track has been."""

    def __init__(self) -> None:
        self._level = 0.0
        self._heard: float | None = None  # when last
        self._loudest = 0.0
        self._observed = self._active = 0  # milliseconds of this interval

    def hear(self, level: float, now: float) -> None:
        """Something was heard.

        Args:
            level: 0 to 1; it stands for the time since the last one.
            now: in seconds, of any clock.
        """
        duration = 0 if self._heard is None else round((now - self._heard) * 1000)
        self._heard = now
        self._observed += duration
        if level >= ACTIVE:
            self._active += duration
            self._loudest = max(self._loudest, level)
        if self._observed < _INTERVAL_MS:
            return
        smoothed = 0.0
        if self._active >= _INTERVAL_MS * ACTIVE_SHARE:
            adjusted = self._loudest * self._active / _INTERVAL_MS
            smoothed = self._level + (adjusted - self._level) * SMOOTHING
        self._reset(smoothed)

    def get_level(self, now: float) -> float:
        """How loud it is, 0 to 1; 0 is not speech."""
        if self._heard is not None and now - self._heard >= 2 * INTERVAL:
            self._reset(0.0)
        return self._level if self._level >= ACTIVE else 0.0

    def _reset(self, level: float) -> None:
        self._level = level
        self._loudest = 0.0
        self._observed = self._active = 0


class Speakers:
    """Tells everybody who speaks, of those whom it hears.

    Args:
        members: everybody.
        subscriptions: who hears whom.
    """

    def __init__(self, members: Members, subscriptions: Subscriptions) -> None:
        self._members = members
        self._subscriptions = subscriptions
        self._tracks: dict[str, Loudness] = {}  # sid → its sound
        self._told: dict[str, dict[str, float]] = {}  # connection → participant's sid → level

    def hear(self, sid: str, level: float, now: float) -> None:
        """A microphone was heard: see :meth:`Loudness.hear`."""
        self._tracks.setdefault(sid, Loudness()).hear(level, now)

    def update(self, now: float) -> list[Tell]:
        """Tell what has changed since the last time.

        Args:
            now: as in :meth:`hear`.
        """
        levels = {member.info.sid: self._level_of(member, now) for member in self._members}
        told, self._told = self._told, {}
        tells: list[Tell] = []
        for listener in self._members:
            before = told.get(listener.key, {})
            heard = self._told[listener.key] = self._heard_by(listener, levels)
            changed = [m.SpeakerInfo(sid, level, True) for sid, level in heard.items() if before.get(sid) != level]
            changed += [m.SpeakerInfo(sid, 0.0, False) for sid in before if sid not in heard]
            if changed:
                tells.append(Tell(listener.key, m.SpeakersChanged(tuple(changed))))
        known = {track.sid for member in self._members for track in member.published.values()}
        self._tracks = {sid: track for sid, track in self._tracks.items() if sid in known}
        return tells

    def _level_of(self, member: Member, now: float) -> float:
        microphones = [track.sid for track in member.published.values() if track.source == TrackSource.MICROPHONE]
        level = max((self._tracks[sid].get_level(now) for sid in microphones if sid in self._tracks), default=0.0)
        return math.ceil(level * STEPS) / STEPS

    def _heard_by(self, listener: Member, levels: Mapping[str, float]) -> dict[str, float]:
        """Who speaks, of those whom somebody hears, itself among them; the loudest first."""
        heard = {
            member.info.sid: levels[member.info.sid]
            for member in self._members
            if levels[member.info.sid] and (member is listener or self._subscriptions.follows(listener, member))
        }
        return dict(sorted(heard.items(), key=lambda item: -item[1]))
