"""What every implementation of the waist does in the same way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, ParamSpec, TypeVar

from lk_pyodide.browser.api import SdpType
from lk_pyodide.errors import BrowserError, UsageError

T = TypeVar("T")
P = ParamSpec("P")

logger = logging.getLogger("lk_pyodide.browser")


def call(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a handler; one that raises is logged, as there is nobody above to hear of it."""
    try:
        function(*args, **kwargs)
    except Exception:
        logger.exception("a handler raised an exception")


class Unheard:
    """The handler of an element of ours whose playing is nobody's business."""

    def on_playing(self) -> None: ...

    def on_play_failed(self, name: str, message: str, /) -> None: ...


def closed_error(what: str) -> BrowserError:
    """Tell that something was asked of an object after its ``close()``."""
    return BrowserError(f"the {what} is closed", "InvalidStateError")


SOURCE_TIMEOUT = 15.0
"""Seconds until an element knows what it is to play."""


def nothing_to_play() -> BrowserError:
    """Tell that an element still does not know what it is to play."""
    return BrowserError(f"there was nothing to play within {SOURCE_TIMEOUT:g} s", "TimeoutError")


def processor_failed(error: Exception) -> BrowserError:
    """Tell that a processor of the user's raised an exception."""
    return BrowserError(f"the processor failed: {type(error).__name__}: {error}", "OperationError")


def check_close(code: int, reason: str) -> None:
    """Refuse what no browser accepts in ``WebSocket.close()``."""
    if code != 1000 and not 3000 <= code <= 4999:
        raise UsageError(f"a WebSocket can be closed with 1000 or 3000 to 4999, not {code}")
    if len(reason.encode()) > 123:
        raise UsageError("the reason for closing a WebSocket may be 123 bytes of UTF-8")


def check_volume(volume: float) -> None:
    """Refuse what no media element accepts."""
    if not 0 <= volume <= 1:
        raise UsageError(f"a volume is between 0 and 1, not {volume}")


async def with_fallback(
    describe: Callable[[str], Awaitable[None]],
    kind: SdpType,
    sdp: str,
    fallback: str | None,
    is_closed: Callable[[], bool],
) -> None:
    """Apply a description; where the browser refuses it, apply the text to fall back to.

    The log names the error only: a description holds addresses and keys.
    """
    try:
        await describe(sdp)
    except BrowserError as error:
        if fallback is None or fallback == sdp or is_closed():
            raise
        logger.warning("the browser refused an edited %s (%s); using it unedited", kind, error.name)
        await describe(fallback)


class Handover(Generic[T]):
    """Awaits something that must be disposed of when nobody takes it.

    Cancelling may come before the result, or after it but before the waiting task has run again.

    Args:
        dispose: gets a result that was not handed over.
    """

    def __init__(self, dispose: Callable[[T], None]) -> None:
        self._dispose = dispose
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def give(self, value: T) -> None:
        """Hand the result over, or dispose of it."""
        if self._future.done():
            self._dispose(value)
        else:
            self._future.set_result(value)

    def fail(self, error: Exception) -> None:
        """End the waiting with an error."""
        if not self._future.done():
            self._future.set_exception(error)

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from self._future.__await__())
        except asyncio.CancelledError:
            if self._future.done() and not self._future.cancelled() and self._future.exception() is None:
                self._dispose(self._future.result())
            raise
