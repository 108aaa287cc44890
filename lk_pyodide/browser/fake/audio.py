"""Web Audio that hears how loud a fake track says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.api_audio import AnalyserInit, AudioOutputHandler, AudioReading
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.fake.transceiver import get_native
from lk_pyodide.browser.guard import call, closed_error
from lk_pyodide.errors import MediaDeviceError, PlaybackError, UsageError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeAudioGraph:
    """The page's AudioContext. It does not run while the browser wants a click before it plays."""

    def __init__(self, browser: FakeBrowser) -> None:
        self._browser = browser
        self.sink_id = ""

    def open_analyser(self, track: MediaTrack, init: AnalyserInit, /) -> FakeAnalyser:
        """Hear a track."""
        return FakeAnalyser(self._browser, get_native(track), init)

    def open_output(self, track: MediaTrack, gain: float, handler: AudioOutputHandler, /) -> FakeOutput:
        """Play a track."""
        return FakeOutput(self._browser, get_native(track), gain, handler)

    def resume(self) -> Awaitable[None]:
        """Begin to play, now."""
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        result.add_done_callback(lambda future: future.cancelled() or future.exception())
        if self._browser.playback_blocked:
            result.set_exception(PlaybackError("click first", "NotAllowedError"))
        else:
            result.set_result(None)
            for output in self._browser.get_outputs():
                output.tell()
        return result

    async def set_sink_id(self, device_id: str, /) -> None:
        """Play on another speaker."""
        await asyncio.sleep(0)
        speakers = [device.device_id for device in self._browser.media_devices.devices if device.kind == "audiooutput"]
        if device_id and device_id not in speakers:
            raise MediaDeviceError("no such loudspeaker", "NotFoundError")
        self.sink_id = device_id


class FakeOutput:
    """A GainNode before the speakers.

    Attributes:
        track: what is played.
        gain: how many times as loud.
    """

    def __init__(
        self, browser: FakeBrowser, track: FakeMediaStreamTrack, gain: float, handler: AudioOutputHandler
    ) -> None:
        self.track = track
        self.gain = gain
        self._browser = browser
        self._handler: AudioOutputHandler | None = handler
        browser.opened(self)
        asyncio.get_running_loop().call_soon(self.tell)

    def tell(self) -> None:
        """Tell whether it is heard."""
        if self._handler is not None:
            call(self._handler.on_running, not self._browser.playback_blocked)

    def set_gain(self, gain: float, /) -> None:
        """Play it louder or softer."""
        self.gain = gain

    def close(self) -> None:
        """Play it no more."""
        self._handler = None
        self._browser.closed(self)


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
