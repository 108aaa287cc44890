"""The page's AudioContext, from a worker."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.api_audio import (
    GAIN_TIME,
    LEVEL_PERIOD,
    START_PATIENCE,
    AnalyserInit,
    AudioOutputHandler,
    AudioReading,
)
from lk_pyodide.browser.bridge.media import get_handle
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, answered, to_error
from lk_pyodide.browser.guard import closed_error, logger
from lk_pyodide.errors import MediaDeviceError, PlaybackError, UsageError


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

    def open_output(self, track: MediaTrack, gain: float, handler: AudioOutputHandler, /) -> BridgeOutput:
        """Play a track."""
        return BridgeOutput(self._bridge, get_handle(track), gain, handler)

    def resume(self) -> Awaitable[None]:
        """Begin to play now, or at the user's next click if the browser wants one."""
        resuming = self._bridge.start(0, "resumeAudio", START_PATIENCE, kind=PlaybackError)
        resuming.add_done_callback(lambda future: future.cancelled() or future.exception())
        return resuming

    async def set_sink_id(self, device_id: str, /) -> None:
        """Play on another speaker."""
        await answered(self._bridge.start(0, "setAudioSink", device_id, kind=MediaDeviceError))


class BridgeOutput(Remote):
    """A GainNode before the speakers."""

    def __init__(self, bridge: Bridge, track: int, gain: float, handler: AudioOutputHandler) -> None:
        super().__init__(bridge)
        self._handler: AudioOutputHandler | None = handler
        bridge.cast(0, "openOutput", self.handle, track, gain, START_PATIENCE)

    def set_gain(self, gain: float, /) -> None:
        """Play it louder or softer."""
        self._cast("setGain", gain, GAIN_TIME)

    def close(self) -> None:
        """Play it no more."""
        self._handler = None
        self._close(closed_error("output"))

    def on_event(self, event: str, *values: Any) -> None:
        """The page tells whether it is heard, or that it never will be."""
        handler = self._handler
        if event == "broken":
            logger.warning("the page cannot play a track (%s)", values[0])
            self._close(to_error(values), free=False)
        elif handler is not None:
            handler.on_running(values[0])


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
