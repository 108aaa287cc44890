"""All sound through one graph of Web Audio: ``RoomOptions.web_audio_mix``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import Browser, MediaElement, MediaTrack
from lk_pyodide.errors import BrowserError
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.track import RemoteAudioTrack

if TYPE_CHECKING:
    from lk_pyodide.browser.api_audio import AudioOutput

_log = get_logger("room")


class Mix:
    """Plays tracks that have an element; the elements themselves are silent.

    Args:
        browser: the page.
        on_running: hears whether the browser lets it play.
        speaker: where; empty is the system's.
    """

    def __init__(self, browser: Browser, on_running: Callable[[bool], None], speaker: str) -> None:
        self._browser = browser
        self._on_running = on_running
        self._speaker = speaker
        self._voices: dict[RemoteAudioTrack, _Voice] = {}
        self._tasks = TaskSet()

    def attached(self, track: RemoteAudioTrack, element: MediaElement) -> None:
        """A track has a new element."""
        if track not in self._voices:
            try:
                self._voices[track] = _Voice(self._browser, self._on_running, track)
            except BrowserError as error:
                _log.warning("the element itself plays, as there can be no mix: %s", error)
                return
            if self._speaker:
                self._tasks.spawn(self._play_at_speaker())
        element.set_muted(True)
        element.play()  # once more: where a click is wanted, an element may play now that it is silent

    def detached(self, track: RemoteAudioTrack) -> None:
        """It has none any more."""
        voice = self._voices.pop(track, None)
        if voice is not None:
            voice.close()

    def set_volume(self, track: RemoteAudioTrack, volume: float) -> None:
        """Play it louder or softer."""
        voice = self._voices.get(track)
        if voice is not None:
            voice.output.set_gain(volume)

    def resume(self) -> Awaitable[None]:
        """Begin to play, at the call."""
        return self._browser.audio_graph.resume()

    async def switch_speaker(self, device_id: str) -> None:
        """Play on another speaker, now and from now on."""
        await self._browser.audio_graph.set_sink_id(device_id)
        self._speaker = device_id

    async def _play_at_speaker(self) -> None:
        try:
            await self._browser.audio_graph.set_sink_id(self._speaker)
        except BrowserError as error:
            _log.warning("the speaker cannot be used: %s", error)


class _Voice:
    """One track in the mix: follows it to another track of the browser, and hears whether it is heard."""

    def __init__(self, browser: Browser, on_running: Callable[[bool], None], track: RemoteAudioTrack) -> None:
        self._browser = browser
        self._on_running = on_running
        self._track = track
        self.output: AudioOutput = self._open(track._media)
        track._followers.add(self)

    def _open(self, media: MediaTrack) -> AudioOutput:
        return self._browser.audio_graph.open_output(media, self._track.get_volume(), self)

    def on_running(self, running: bool) -> None:
        self._on_running(running)

    def _media_changed(self, media: MediaTrack | None) -> None:
        self.output.close()
        if media is not None:
            self.output = self._open(media)

    def _media_gone(self) -> None:
        self.output.close()

    def close(self) -> None:
        self._track._followers.discard(self)
        self.output.close()
