"""The page's AudioContext, from a worker."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.api_audio import LEVEL_PERIOD, AnalyserInit, AudioReading
from lk_pyodide.browser.bridge.media import get_handle
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, to_error
from lk_pyodide.browser.guard import closed_error, logger
from lk_pyodide.errors import UsageError


class BridgeAudioGraph:
    """The page's AudioContext.

    Args:
        bridge: the way there.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def open_analyser(self, track: MediaTrack, init: AnalyserInit, /) -> BridgeAnalyser:
        """Hear a track."""
        return BridgeAnalyser(self._bridge, get_handle(track), init)


class BridgeAnalyser(Remote):
    """An AnalyserNode on the page, which tells its levels as they change."""

    def __init__(self, bridge: Bridge, track: int, init: AnalyserInit) -> None:
        super().__init__(bridge)
        self._level = self._volume = 0.0
        bridge.cast(0, "openAnalyser", self.handle, track, asdict(init), LEVEL_PERIOD)

    @property
    def native(self) -> object:
        """Never there: a node cannot leave the page."""
        raise UsageError("Python runs in a worker, which a node of the page's Web Audio cannot come to")

    @property
    def level(self) -> float:
        """How loud the newest samples were when the page last told."""
        return self._level

    @property
    def volume(self) -> float:
        """How loud the frequencies were when the page last told."""
        return self._volume

    async def read(self) -> AudioReading:
        """Look once."""
        if not self._is_open:
            raise closed_error("analyser")
        is_running, level, frequencies = await self._ask("read")
        return AudioReading(is_running, level, bytes(frequencies))

    def close(self) -> None:
        """Hear no more."""
        self._level = self._volume = 0.0
        self._close(closed_error("analyser"))

    def on_event(self, event: str, *values: Any) -> None:
        """The page tells the levels, or that there will be none."""
        if event == "levels":
            self._level, self._volume = values
        else:  # "broken"
            logger.warning("the page cannot hear a track (%s)", values[0])
            self._close(to_error(values), free=False)
