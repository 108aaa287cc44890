"""Data channels between two fake peer connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import DataChannelHandler, DataChannelInit
from lk_pyodide.browser.guard import call, closed_error
from lk_pyodide.browser.snapshots import ChannelSnapshot
from lk_pyodide.errors import BrowserError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake.transport import FakeTransport

_LARGEST = 262_144


class FakeDataChannel(ChannelSnapshot):
    """One end of a data channel: one message travels per turn of the loop, and none is lost.

    Attributes:
        init: what it was opened with.
    """

    def __init__(self, pc: FakeTransport, label: str, init: DataChannelInit) -> None:
        self._pc = pc
        self._label = label
        self.init = init
        self._id: int | None = None
        self._state = "connecting"
        self._handler: DataChannelHandler | None = None
        self._other: FakeDataChannel | None = None
        self._queue: deque[bytes] = deque()
        self._buffered = 0
        self._threshold = 0
        self._is_pumping = False
        self._is_ending = False

    def start(self, handler: DataChannelHandler) -> None:
        """Hand events to ``handler`` from now on."""
        self._handler = handler

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait to be sent."""
        return self._buffered

    def send(self, data: bytes, /) -> None:
        """Queue one binary message."""
        if self._state != "open":
            raise closed_error("data channel") if self._state == "closed" else _not_open()
        if len(data) > _LARGEST:
            raise BrowserError(f"the message is larger than {_LARGEST} bytes", "TypeError")
        self._queue.append(bytes(data))
        self._buffered += len(data)
        self.pump()

    def set_buffered_amount_low_threshold(self, size: int, /) -> None:
        """Set at how many waiting bytes ``on_buffered_amount_low`` is called."""
        self._threshold = size

    def close(self) -> None:
        """Close; what waits is sent before the other side hears of it."""
        if self._state == "closed":
            return
        self._release()
        self._is_ending = True
        self.pump()

    # -- called by the connection and by the other end

    @property
    def is_linked(self) -> bool:
        """Whether there is another end."""
        return self._other is not None

    def link(self, other: FakeDataChannel, number: int) -> None:
        """Join two ends; both open in the next turn."""
        for one, two in ((self, other), (other, self)):
            one._other = two
            one._id = number
            one.soon(one._open)

    def soon(self, function: Callable[..., None], *args: object) -> None:
        """Do something in the next turn of the loop, and in order."""
        asyncio.get_running_loop().call_soon(function, *args)

    def pump(self) -> None:
        """Go on sending, if the connection is up."""
        if not self._is_pumping and self._other is not None and (self._queue or self._is_ending):
            self._is_pumping = True
            self.soon(self._turn)

    def abandon(self) -> None:
        """The connection was closed here: nobody hears of anything."""
        self._release()
        self._queue.clear()
        self._other = None

    def hear_end(self) -> None:
        """The other side has closed."""
        handler = self._handler
        was_open = self._state != "closed"
        self._release()
        self._queue.clear()
        if was_open and handler is not None:
            call(handler.on_close)

    def _open(self) -> None:
        if self._state == "connecting":
            self._state = "open"
            if self._handler is not None:
                call(self._handler.on_open)

    def _turn(self) -> None:
        self._is_pumping = False
        if self._other is None or not self._pc.carries:
            return
        if not self._queue:
            if self._is_ending:
                self._is_ending = False
                self._other.hear_end()
            return
        data = self._queue.popleft()
        before, self._buffered = self._buffered, max(0, self._buffered - len(data))
        self._other.hear(data)
        if before > self._threshold >= self._buffered and self._handler is not None:
            call(self._handler.on_buffered_amount_low)
        self.pump()

    def hear(self, data: bytes) -> None:
        """A message of the other side."""
        if self._handler is not None:
            call(self._handler.on_message, data)

    def _release(self) -> None:
        self._state = "closed"
        self._handler = None
        self._buffered = 0


def _not_open() -> BrowserError:
    return BrowserError("the data channel is not open", "InvalidStateError")
