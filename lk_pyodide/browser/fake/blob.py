"""Files."""

from __future__ import annotations

import asyncio

from lk_pyodide.errors import BrowserError


class FakeFile:
    """Stands for the browser's own File, or Blob when it has no name. Tests can take its content away."""

    def __init__(self, content: bytes, name: str = "", mime_type: str = "") -> None:
        self.content: bytes | None = content
        self.name = name
        self.mime_type = mime_type
        self.size = len(content)


class FakeBlob:
    """A wrapped file."""

    def __init__(self, native: FakeFile) -> None:
        self._native = native

    @property
    def name(self) -> str:
        """Its name."""
        return self._native.name

    @property
    def mime_type(self) -> str:
        """What it holds."""
        return self._native.mime_type

    @property
    def size(self) -> int:
        """In bytes."""
        return self._native.size

    async def read(self, start: int, end: int, /) -> bytes:
        """Read a part."""
        await asyncio.sleep(0)
        if self._native.content is None:
            raise BrowserError("The file could not be read", "NotReadableError")
        return self._native.content[start:end]
