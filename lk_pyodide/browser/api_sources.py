"""What the waist offers of tracks that are no device's, and of recording (see :mod:`lk_pyodide.browser.api`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lk_pyodide.errors import BrowserError

if TYPE_CHECKING:
    from lk_pyodide.browser.api import Blob, MediaTrack


class MediaSources(Protocol):
    """Tracks of the page itself. What is behind one goes when the last of its tracks is stopped or closed."""

    async def make_silence(self) -> MediaTrack:
        """An audio track in which nothing is heard."""
        ...

    async def make_darkness(self, width: int, height: int, /) -> MediaTrack:
        """A video track that is black, of this many pixels, and moves twice a second."""
        ...

    async def capture(self, target: object, frame_rate: float | None, /) -> Sequence[MediaTrack]:
        """What an ``<audio>``, a ``<video>`` or a ``<canvas>`` plays and shows (``captureStream()``).

        Args:
            target: a CSS selector or a native node.
            frame_rate: frames a second of a canvas; None takes each that is painted.

        Raises:
            UsageError: where it is known at once that the target does not exist, or is something else.
            BrowserError: the same later; the browser does not let it be captured, as when it is another site's; or
                there is nothing to play (``TimeoutError``).
        """
        ...

    async def play(self, source: str | bytes | Blob, mime_type: str, loop: bool, /) -> Sequence[MediaTrack]:
        """Play a file without showing it; when it is over its tracks end.

        Args:
            source: an address, or what is in the file.
            mime_type: of what is in it; the browser looks for itself where it is empty.
            loop: begin again at its end, for ever.

        Raises:
            BrowserError: it cannot be played.
        """
        ...


class RecorderHandler(Protocol):
    """What a recorder has to say. Nothing comes after ``on_stop``."""

    def on_start(self, mime_type: str, /) -> None: ...
    def on_data(self, data: bytes, /) -> None: ...
    def on_stop(self, error: BrowserError | None, /) -> None: ...


class Recorder(Protocol):
    """``MediaRecorder``: begins when it is made, and ends with its track."""

    def stop(self) -> None:
        """Say what is left, then ``on_stop``."""
        ...

    def close(self) -> None:
        """Forget it."""
        ...
