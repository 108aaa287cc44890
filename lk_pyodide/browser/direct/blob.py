"""Files that the user has as the browser's own objects."""

from __future__ import annotations

import asyncio

from lk_pyodide.browser.ffi import Js, JsProxy, js, wait
from lk_pyodide.errors import DeadlineExceeded, UsageError

READ_TIMEOUT = 15.0
"""Seconds for the browser to read a part of a file."""


class DirectBlob:
    """A Blob or a File.

    Args:
        native: either.
    """

    def __init__(self, native: Js) -> None:
        self._native = native
        self._name = str(getattr(native, "name", ""))
        self._mime_type = str(native.type)
        self._size = int(native.size)

    @property
    def native(self) -> Js:
        """The Blob itself."""
        return self._native

    @property
    def name(self) -> str:
        """A File's name."""
        return self._name

    @property
    def mime_type(self) -> str:
        """What it holds, as far as the browser knows."""
        return self._mime_type

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    async def read(self, start: int, end: int, /) -> bytes:
        """Read a part."""
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                js_buffer = await wait(self._native.slice(start, end).arrayBuffer())
        except TimeoutError as error:
            raise DeadlineExceeded(f"the browser did not read a file within {READ_TIMEOUT:g} s") from error
        data: bytes = js_buffer.to_bytes()
        return data


def adopt_blob(native: object, but: str = "") -> DirectBlob:
    """Wrap a Blob or a File of this very thread.

    Args:
        native: it.
        but: what else to say when it is none.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(native, JsProxy) or not js.Blob.prototype.isPrototypeOf(native):
        raise UsageError(f"a path, bytes, or a File or Blob of the browser is wanted, not {type(native).__name__}{but}")
    return DirectBlob(native)
