"""Web Audio that hears how loud a fake track says it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.api_audio import AnalyserInit, AudioReading
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.fake.transceiver import get_native
from lk_pyodide.browser.guard import closed_error
from lk_pyodide.errors import UsageError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeAudioGraph:
    """The page's AudioContext. It does not run while the browser wants a click before it plays."""

    def __init__(self, browser: FakeBrowser) -> None:
        self._browser = browser

    def open_analyser(self, track: MediaTrack, init: AnalyserInit, /) -> FakeAnalyser:
        """Hear a track."""
        return FakeAnalyser(self._browser, get_native(track), init)


class FakeAnalyser:
    """An AnalyserNode.

    Attributes:
        init: what it was made with.
    """

    def __init__(self, browser: FakeBrowser, track: FakeMediaStreamTrack, init: AnalyserInit) -> None:
        self.init = init
        self._browser = browser
        self._track: FakeMediaStreamTrack | None = track
        browser.opened(self)

    @property
    def native(self) -> object:
        """There is nothing within."""
        if self._track is None:
            raise UsageError("the analyser is closed")
        return self

    @property
    def level(self) -> float:
        """How loud the track is: the microphone's, or what the other side sends."""
        heard = self._track
        if heard is None or self._browser.playback_blocked:
            return 0.0
        is_open = heard.ready_state == "live" and (heard.enabled or self.init.clone)
        if heard.source is not None:
            is_open = is_open and heard.source.enabled
            heard = heard.source
        return heard.audio_level if is_open else 0.0

    @property
    def volume(self) -> float:
        """The same."""
        return self.level

    async def read(self) -> AudioReading:
        """Look once."""
        await asyncio.sleep(0)
        if self._track is None:
            raise closed_error("analyser")
        frequencies = bytes([round(self.level * 255)]) * (self.init.fft_size // 2)
        return AudioReading(not self._browser.playback_blocked, self.level, frequencies)

    def close(self) -> None:
        """Hear no more."""
        self._track = None
        self._browser.closed(self)
