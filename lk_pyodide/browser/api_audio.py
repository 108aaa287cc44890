"""What lk_pyodide needs of the Web Audio API (https://webaudio.github.io/web-audio-api/): a part of the waist.

All of a page's Pythons share one AudioContext, which is there while somebody needs it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from lk_pyodide.browser.api import MediaTrack

LEVEL_PERIOD = 0.05
"""Seconds between two snapshots of a level, where Python is not on the page."""

START_PATIENCE = 0.5
"""Seconds in which a graph that may play has begun to: nothing tells that it may not."""
GAIN_TIME = 0.1
"""Seconds in which a gain gets most of the way to a new one (livekit-client's, which is too short to be heard)."""


@dataclass(frozen=True, slots=True)
class AnalyserInit:
    """``AnalyserOptions``.

    Attributes:
        fft_size: samples that are looked at; a power of two, 32 to 32768.
        smoothing_time_constant: 0 to 1: how much of the last look is in the next; for frequencies.
        min_decibels: what is 0 in the frequencies, and below.
        max_decibels: what is 255 in the frequencies, and above.
        clone: listen to a clone of the track, which goes on when the track is disabled, and ends with the analyser.
    """

    fft_size: int = 2048
    smoothing_time_constant: float = 0.8
    min_decibels: float = -100.0
    max_decibels: float = -80.0
    clone: bool = False


@dataclass(frozen=True, slots=True)
class AudioReading:
    """What an analyser sees at this moment.

    Attributes:
        is_running: whether it sees anything: a browser may want a click first.
        level: root mean square of the samples, 0 to 1.
        frequencies: how much there is of each, 0 to 255; half as many as there are samples.
    """

    is_running: bool
    level: float
    frequencies: bytes


class AudioAnalyser(Protocol):
    """``AnalyserNode`` that hears one track."""

    @property
    def native(self) -> object:
        """The browser's own node; raises UsageError where Python is not on the page."""
        ...

    @property
    def level(self) -> float:
        """Root mean square of the newest samples, 0 to 1."""
        ...

    @property
    def volume(self) -> float:
        """The same of the frequencies, as 0 to 1 (livekit-client's measure)."""
        ...

    async def read(self) -> AudioReading:
        """Look once."""
        ...

    def close(self) -> None: ...


class AudioOutputHandler(Protocol):
    """What a track's output has to say."""

    def on_running(self, running: bool, /) -> None:
        """Whether it is heard: not as long as the browser wants a click first."""
        ...


class AudioOutput(Protocol):
    """A track that is played by the graph, through a ``GainNode``."""

    def set_gain(self, gain: float, /) -> None:
        """Play it so many times as loud, which may be more than once, in a tenth of a second or so."""
        ...

    def close(self) -> None: ...


class AudioGraph(Protocol):
    """The page's ``AudioContext``."""

    def open_output(self, track: MediaTrack, gain: float, handler: AudioOutputHandler, /) -> AudioOutput:
        """Play a track.

        Raises:
            DeviceUnsupportedError: where it is known at once that the browser has no Web Audio.
        """
        ...

    def resume(self) -> Awaitable[None]:
        """Begin to play, at call time (in a click). Raises PlaybackError."""
        ...

    async def set_sink_id(self, device_id: str, /) -> None:
        """Play on another speaker, as long as somebody uses the graph.

        Raises:
            DeviceUnsupportedError: the browser gives no choice for a whole graph (only Chromium does).
            MediaDeviceError: the speaker is not there.
        """
        ...

    def open_analyser(self, track: MediaTrack, init: AnalyserInit, /) -> AudioAnalyser:
        """Hear a track.

        Raises:
            DeviceUnsupportedError: where it is known at once that the browser has no Web Audio.
        """
        ...
