"""What the waist offers to those who change what a track shows (see :mod:`lk_pyodide.browser.api`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lk_pyodide.browser.api import MediaTrack


class Processing(Protocol):
    """A processor of the user's at work, on one track after another."""

    async def run(self, track: MediaTrack, /) -> MediaTrack:
        """Begin, or go on with another track.

        Returns:
            A track that shows what the processor makes of ``track``, and is it in all else: its device, its settings,
            its end. It takes the place of ``track`` for its owner, who ends or closes it.

        Raises:
            BrowserError: the processor failed, or gave no track; ``track`` is still its owner's.
        """
        ...

    def has(self, track: MediaTrack, /) -> bool:
        """Whether :meth:`run` made this track."""
        ...

    def unwrap(self, track: MediaTrack, /) -> MediaTrack:
        """Give back what :meth:`run` was given, and forget its result."""
        ...

    async def close(self) -> None:
        """Let the processor go, with what it has made. Its failure is logged."""
        ...
