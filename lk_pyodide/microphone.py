"""What a published microphone tells of itself: that it gives nothing, that somebody speaks while it is muted."""

from __future__ import annotations

import asyncio

from lk_pyodide.audio_analyser import create_audio_analyser, is_silent
from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.core.voice import VoiceDetector
from lk_pyodide.errors import BrowserError
from lk_pyodide.logging import get_logger
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet

_log = get_logger("participant")

_LISTEN_PERIOD = 0.05
"""Seconds between two readings."""
_SAMPLES = 1024
"""How many of them are looked at: 21 ms."""


class Microphone:
    """Listens to a microphone as long as it is published.

    Args:
        room: our room.
        publication: of the microphone.
    """

    def __init__(self, room: RoomPort, publication: LocalTrackPublication) -> None:
        self._room = room
        self._publication = publication
        self._tasks = TaskSet()
        self._listening: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        publication.track._followers.add(self)
        self._media_changed(publication.track._media)
        self.mute_changed()

    def mute_changed(self) -> None:
        """It was muted, or is not any more."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        if self._publication.muted and self._room.options.speaking_while_muted:
            self._listening = self._tasks.spawn(self._listen())

    def _media_changed(self, media: MediaTrack | None) -> None:
        """It is another device, or none."""
        if self._checking is not None:
            self._checking.cancel()
        self._checking = None if media is None else self._tasks.spawn(self._check())

    def _media_gone(self) -> None:
        """It is published no more."""
        self._publication.track._followers.discard(self)
        self._tasks.cancel()

    async def _check(self) -> None:
        try:
            silent = await is_silent(self._publication.track)
        except BrowserError as error:
            _log.debug("whether the microphone works cannot be told: %s", error)
        else:
            if silent and not self._publication.muted:
                self._room.local_audio_silence_detected(self._publication)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        detector = VoiceDetector(loop.time())
        async with create_audio_analyser(self._publication.track, clone_track=True, fft_size=_SAMPLES) as analyser:
            while True:
                await asyncio.sleep(_LISTEN_PERIOD)
                if detector.hear(analyser.level, loop.time()):
                    self._room.speaking_while_muted(self._publication)
