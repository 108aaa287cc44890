"""Processors of tracks that show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lk_pyodide.browser.api import MediaTrack, MediaTrackHandler, TrackSettings
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack, FakeTrack
from lk_pyodide.browser.guard import logger, processor_failed
from lk_pyodide.errors import BrowserError
from lk_pyodide.types import ProcessorOptions

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeProcessedTrack(FakeTrack):
    """What a processor makes of a track; in all else that track."""

    def __init__(self, browser: FakeBrowser, native: FakeMediaStreamTrack, original: MediaTrack) -> None:
        super().__init__(browser, native)
        self.original = original

    @property
    def settings(self) -> TrackSettings:
        """The device's."""
        return self.original.settings

    @property
    def ready_state(self) -> str:
        """The device's."""
        return self.original.ready_state

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None:
        """Hand the device's events to ``handler``."""
        self.original.set_handler(handler)

    def set_enabled(self, enabled: bool, /) -> None:
        """Send the real thing, or nothing."""
        self.original.set_enabled(enabled)
        super().set_enabled(enabled)

    def end(self) -> None:
        """Let the device go."""
        self.original.end()

    def stop(self) -> None:
        """Let the device go, and forget the track."""
        self.original.stop()
        self.forget()

    def close(self) -> None:
        """Forget the track, with what it was made of."""
        self.original.close()
        self.forget()

    def forget(self) -> None:
        """Forget the track, not what it was made of."""
        super().close()


class FakeProcessing:
    """A processor of Python's at work, on tracks of :class:`FakeMediaStreamTrack`."""

    def __init__(self, browser: FakeBrowser, processor: Any) -> None:
        self._browser = browser
        self._processor = processor
        self._has_begun = False

    async def run(self, track: MediaTrack, /) -> MediaTrack:
        """Begin, or go on with another track."""
        method = self._processor.restart if self._has_begun else self._processor.init
        try:
            await method(ProcessorOptions(track.kind, track.native))
        except Exception as error:
            raise processor_failed(error) from error
        self._has_begun = True
        native = self._processor.processed_track
        if not isinstance(native, FakeMediaStreamTrack):
            raise BrowserError("the processor gave no track", "InvalidStateError")
        return FakeProcessedTrack(self._browser, native, track)

    def has(self, track: MediaTrack, /) -> bool:
        """Whether it made this track."""
        return isinstance(track, FakeProcessedTrack)

    def unwrap(self, track: MediaTrack, /) -> MediaTrack:
        """Give back what it was made of."""
        assert isinstance(track, FakeProcessedTrack), "a track of this processing"
        track.forget()
        return track.original

    async def close(self) -> None:
        """Let the processor go."""
        if self._has_begun:
            try:
                await self._processor.destroy()
            except Exception:
                logger.exception("a processor could not be let go")
