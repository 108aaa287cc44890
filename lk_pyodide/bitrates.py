"""How much tracks take, for :attr:`Track.current_bitrate`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lk_pyodide.core.stats import Traffic, bitrate, traffic
from lk_pyodide.errors import BrowserError
from lk_pyodide.session.tasks import TaskSet

if TYPE_CHECKING:
    from lk_pyodide.track import Track

PERIOD = 2.0
"""Seconds between two readings (livekit-client ``src/room/stats.ts``)."""
PATIENCE = 10.0
"""Seconds after which a track that nobody asks about is not read any more."""


@dataclass(slots=True)
class _Entry:
    asked_at: float
    traffic: Traffic | None = None
    bitrate: int = 0


class Bitrates:
    """Reads the statistics of a room's tracks again and again: of those that somebody asks about, while he does."""

    def __init__(self) -> None:
        self._entries: dict[Track, _Entry] = {}
        self._tasks = TaskSet()
        self._reading: asyncio.Task[None] | None = None

    def current(self, track: Track) -> int:
        """How much a track takes, in bits a second; 0 until it has been read twice."""
        now = asyncio.get_running_loop().time()
        entry = self._entries.setdefault(track, _Entry(now))
        entry.asked_at = now
        if self._reading is None or self._reading.done():
            self._reading = self._tasks.spawn(self._read_on())
        return entry.bitrate

    def close(self) -> None:
        """Read no more."""
        self._entries.clear()
        self._tasks.cancel()
        self._reading = None

    async def _read_on(self) -> None:
        while self._entries:
            await asyncio.gather(*(self._read(track, entry) for track, entry in list(self._entries.items())))
            await asyncio.sleep(PERIOD)
            long_ago = asyncio.get_running_loop().time() - PATIENCE
            self._entries = {track: entry for track, entry in self._entries.items() if entry.asked_at > long_ago}

    async def _read(self, track: Track, entry: _Entry) -> None:
        try:
            now = traffic(await track.get_rtc_stats_report())
        except BrowserError:  # its connection is gone
            now = None
        entry.bitrate = bitrate(entry.traffic, now)
        entry.traffic = now
