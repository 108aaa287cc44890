"""What ``send_file`` takes: a path, bytes, or the browser's own File or Blob; read piece by piece."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

from lk_pyodide.browser.api import Blob, Browser
from lk_pyodide.core.streams import CHUNK_SIZE, characters
from lk_pyodide.errors import DataStreamError
from lk_pyodide.types import DataStreamErrorReason

PIECE = 4 * CHUNK_SIZE
"""Bytes that are read at a time."""
UNKNOWN = "unknown"
"""The name of what has none (livekit-client and ``livekit.rtc``)."""
ANYTHING = "application/octet-stream"


class Source(ABC):
    """Something that is sent as a byte stream.

    Attributes:
        name: of the file.
        mime_type: what it holds.
        size: in bytes.
        content: all of it, where it is in memory.
    """

    def __init__(self, name: str, mime_type: str, size: int, content: bytes | None = None) -> None:
        self.name = name
        self.mime_type = mime_type
        self.size = size
        self.content = content

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of it.

        Raises:
            DataStreamError: it has become shorter.
            BrowserError: the browser cannot read it.
            OSError: Python cannot.
        """
        for start in range(0, self.size, PIECE):
            wanted = min(PIECE, self.size - start)
            piece = await self._read(start, wanted)
            if len(piece) != wanted:
                raise DataStreamError(f"{self.name!r} changed while it was sent", DataStreamErrorReason.INCOMPLETE)
            yield piece

    @abstractmethod
    async def _read(self, start: int, size: int) -> bytes:
        """Read in order."""

    def close(self) -> None:
        """It has been sent, or never will be."""
        return


class _BytesSource(Source):
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        super().__init__(UNKNOWN, ANYTHING, len(content), content)
        self._content = content

    async def _read(self, start: int, size: int) -> bytes:
        return self._content[start : start + size]


class TextSource(_BytesSource):
    """A text, as UTF-8 in memory. Its pieces end between characters."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of it."""
        for piece in characters(self._content):
            yield piece


class _PathSource(Source):
    """A file that Python can read."""

    def __init__(self, path: Path) -> None:
        import mimetypes  # reads tables when it is first used

        self._file: BinaryIO = path.open("rb")
        size = os.fstat(self._file.fileno()).st_size
        super().__init__(path.name, mimetypes.guess_type(path.name)[0] or ANYTHING, size)

    async def _read(self, start: int, size: int) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


class _BlobSource(Source):
    """A file that the browser can read."""

    def __init__(self, blob: Blob) -> None:
        super().__init__(blob.name or UNKNOWN, blob.mime_type or ANYTHING, blob.size)
        self._blob = blob

    async def _read(self, start: int, size: int) -> bytes:
        return await self._blob.read(start, start + size)


def source_of(file: object, browser: Browser) -> Source:
    """Make one of a path (text, or ``os.PathLike``), bytes, or the browser's own File or Blob.

    Raises:
        UsageError: it is none of these.
        OSError: the file cannot be opened.
    """
    match file:
        case str() | os.PathLike():
            return _PathSource(Path(os.fspath(file)))
        case bytes() | bytearray() | memoryview():
            return _BytesSource(bytes(file))
        case _:
            return _BlobSource(browser.adopt_blob(file))
