"""How loud a track is, at this moment."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.errors import BrowserError, UsageError
from lk_pyodide.track import Track
from lk_pyodide.types import TrackKind

if TYPE_CHECKING:
    from lk_pyodide.browser.api_audio import AnalyserInit
    from lk_pyodide.browser.api_audio import AudioAnalyser as Analyser

__all__ = ["AudioAnalyser", "create_audio_analyser"]

_LOOKS = 4
"""How many times a microphone is listened to before it is called silent."""
_LOOK_PERIOD = 0.05
"""Seconds between two of them: 0.2 s in all (livekit-client ``src/room/track/utils.ts``)."""
_PATIENCE = 1.0
"""Seconds in which a browser has to have begun to hear."""

_READ_PATIENCE = 5.0
"""Seconds for which a level is listened to that nobody reads."""


class AudioAnalyser:
    """Hears a track until :meth:`cleanup`, or until the track ends. It goes on with another device of the track.

    Made by :func:`create_audio_analyser`; also ``async with create_audio_analyser(track) as analyser``.
    """

    def __init__(self, track: Track, init: AnalyserInit) -> None:
        self._track = track
        self._init = init
        self._inner: Analyser | None = None
        self._media_changed(track._media)
        track._followers.add(self)

    def calculate_volume(self) -> float:
        """How loud it is, 0 to 1: root mean square of its frequencies between the two limits in decibels.

        From a worker it is what the page told last, twenty times a second.
        """
        return 0.0 if self._inner is None else self._inner.volume

    @property
    def level(self) -> float:
        """How loud it is, 0 to 1: root mean square of its samples, whatever the limits are."""
        return 0.0 if self._inner is None else self._inner.level

    @property
    def analyser(self) -> Any:
        """The browser's own AnalyserNode; another one after the track has taken another device.

        Raises:
            UsageError: Python is not on the page, or the track is off.
        """
        if self._inner is None:
            raise UsageError("there is nothing to hear: the track is off, or this is cleaned up")
        return self._inner.native

    async def get_frequencies(self) -> bytes:
        """How much there is of each frequency, 0 to 255: ``fft_size / 2`` of them, or none while the track is off.

        Raises:
            BrowserError: it was cleaned up meanwhile.
        """
        return b"" if self._inner is None else (await self._inner.read()).frequencies

    def cleanup(self) -> None:
        """Hear no more. A second call does nothing."""
        self._track._followers.discard(self)
        self._media_changed(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def _media_changed(self, media: MediaTrack | None) -> None:
        """The track has another device now, or none (for the track)."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        if media is not None and media.ready_state == "live":
            self._inner = self._track._browser.audio_graph.open_analyser(media, self._init)

    def _media_gone(self) -> None:
        """The track has ended (for the track)."""
        self.cleanup()


def create_audio_analyser(
    track: Track,
    *,
    clone_track: bool = False,
    fft_size: int = 2048,
    smoothing_time_constant: float = 0.8,
    min_decibels: float = -100.0,
    max_decibels: float = -80.0,
) -> AudioAnalyser:
    """Hear a track.

    Args:
        track: ours or somebody else's.
        clone_track: hear a clone of it, which goes on while the track is muted. It holds the microphone as long as the
            analyser is there.
        fft_size: samples to look at; a power of two, 32 to 32768.
        smoothing_time_constant: how much of the last look is in the next, 0 to 1.
        min_decibels: what counts as nothing.
        max_decibels: what counts as full; for a voice that is to move a bar, -30 is better than the default.

    Returns:
        What hears it. Clean it up.

    Raises:
        UsageError: the track is no sound, or a number is none of these.
        DeviceUnsupportedError: the browser has no Web Audio.
    """
    from lk_pyodide.browser.api_audio import AnalyserInit

    if track.kind != TrackKind.AUDIO:
        raise UsageError(f"{track!r} is no sound")
    if not 32 <= fft_size <= 32768 or fft_size & (fft_size - 1):
        raise UsageError(f"an fft_size is a power of two from 32 to 32768, not {fft_size}")
    if not 0 <= smoothing_time_constant <= 1:
        raise UsageError(f"a smoothing_time_constant is between 0 and 1, not {smoothing_time_constant}")
    if not min_decibels < max_decibels:
        raise UsageError(f"min_decibels ({min_decibels}) must be below max_decibels ({max_decibels})")
    init = AnalyserInit(fft_size, smoothing_time_constant, min_decibels, max_decibels, clone=clone_track)
    return AudioAnalyser(track, init)


async def is_silent(track: Track) -> bool:
    """Whether nothing at all comes from a microphone; see :meth:`LocalAudioTrack.check_for_silence`."""
    loop = asyncio.get_running_loop()
    deadline, looks, muted = loop.time() + _PATIENCE, 0, track.muted
    async with create_audio_analyser(track, clone_track=muted) as analyser:
        while looks < _LOOKS:
            await asyncio.sleep(_LOOK_PERIOD)
            if analyser._inner is None or track.muted != muted or loop.time() > deadline:
                return False  # it has been let go or muted meanwhile, or the browser does not listen
            try:
                reading = await analyser._inner.read()
            except BrowserError:
                return False
            if reading.level > 0:
                return False
            looks += reading.is_running
    return True


class Level:
    """Hears a track while somebody reads how loud it is."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._analyser: AudioAnalyser | None = None
        self._rest: asyncio.TimerHandle | None = None

    def read(self) -> float:
        """How loud it is now."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(_READ_PATIENCE, self._stop)
        if self._analyser is None:
            self._analyser = create_audio_analyser(self._track, fft_size=1024)
        return self._analyser.level

    def _stop(self) -> None:
        if self._analyser is not None:
            self._analyser.cleanup()
            self._analyser = None
