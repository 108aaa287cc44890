"""Tracks that are no device's: silence, darkness, elements of the page, files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from lk_pyodide.browser.api import Blob, Browser, MediaTrack
from lk_pyodide.browser.current import current
from lk_pyodide.errors import UsageError
from lk_pyodide.local_track import LocalTrack, wrap

__all__ = [
    "create_local_element_tracks",
    "create_local_file_tracks",
    "get_empty_audio_stream_track",
    "get_empty_video_stream_track",
]

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
"""How an absolute address begins (RFC 3986, 3.1); a letter and a colon may be a drive."""
_LARGEST = 4096
"""Pixels a side of a black picture."""


async def get_empty_audio_stream_track(*, browser: Browser | None = None) -> LocalTrack:
    """Make a track in which nothing is heard, to be published in place of one that comes later.

    Args:
        browser: the page; found out when left out.

    Returns:
        A track of yours: it goes on until it is stopped, or no longer published.

    Raises:
        BrowserError: the browser makes none.
    """
    page = await _page(browser)
    return _ours(page, [await page.sources.make_silence()])[0]


async def get_empty_video_stream_track(
    width: int = 16, height: int = 16, *, browser: Browser | None = None
) -> LocalTrack:
    """Make a track that is black, to be published in place of one that comes later.

    Args:
        width: in pixels.
        height: in pixels.
        browser: the page; found out when left out.

    Returns:
        A track of yours: it goes on until it is stopped, or no longer published.

    Raises:
        UsageError: this is no size.
        BrowserError: the browser makes none.
    """
    if not 0 < width <= _LARGEST or not 0 < height <= _LARGEST:
        raise UsageError(f"a picture of {width}x{height} pixels cannot be made")
    page = await _page(browser)
    return _ours(page, [await page.sources.make_darkness(width, height)])[0]


async def create_local_element_tracks(
    target: object, *, frame_rate: float | None = None, browser: Browser | None = None
) -> list[LocalTrack]:
    """Take what an element of the page plays and shows (W3C ``captureStream()``).

    Args:
        target: a CSS selector or a native element: ``<audio>``, ``<video>`` or ``<canvas>``.
        frame_rate: frames a second that are taken of a canvas; None takes each that is painted.
        browser: the page; found out when left out.

    Returns:
        Its sound, its picture, or both. The element goes on when they are stopped.

    Raises:
        UsageError: nothing on the page matches, or something else does.
        BrowserError: the browser does not let it be captured (another site's must be sent with CORS headers), or there
            was nothing to play within 15 s.
    """
    page = await _page(browser)
    return _ours(page, await page.sources.capture(target, frame_rate))


async def create_local_file_tracks(
    source: object, *, loop: bool = False, browser: Browser | None = None
) -> list[LocalTrack]:
    """Play a recording, to be published instead of a camera and a microphone. It begins at once, and is not heard here.

    Args:
        source: an absolute address (``https://…``, ``blob:…``); a path that Python can read; bytes; or the browser's
            own File or Blob. Which formats can be played is the browser's business.
        loop: begin again at its end, until the tracks are stopped. Else they end with it.
        browser: the page; found out when left out.

    Returns:
        Its sound, its picture, or both.

    Raises:
        UsageError: this is no source.
        OSError: the file cannot be read.
        BrowserError: it cannot be played, or not be captured (another site's must be sent with CORS headers).
    """
    page = await _page(browser)
    content, mime_type = _content(source, page)
    return _ours(page, await page.sources.play(content, mime_type, loop))


def _content(source: object, page: Browser) -> tuple[str | bytes | Blob, str]:
    match source:
        case str() if _ADDRESS.match(source):
            return source, ""
        case str() | os.PathLike():
            import mimetypes  # reads tables when it is first used

            path = Path(os.fspath(source))
            return path.read_bytes(), mimetypes.guess_type(path.name)[0] or ""
        case bytes() | bytearray() | memoryview():
            return bytes(source), ""
        case _:
            blob = page.adopt_blob(source)
            return blob, blob.mime_type


async def _page(browser: Browser | None) -> Browser:
    page = browser or current()
    await page.ready()
    return page


def _ours(page: Browser, tracks: Sequence[MediaTrack]) -> list[LocalTrack]:
    return [wrap(page, media, constraints={}) for media in tracks]
