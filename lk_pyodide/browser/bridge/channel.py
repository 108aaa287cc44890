"""The page's RTCDataChannel, from a worker: either it stays on the page, or it is transferred to Python's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lk_pyodide.browser.api import DataChannelHandler
from lk_pyodide.browser.bridge.protocol import Bridge, Remote
from lk_pyodide.browser.guard import call, closed_error
from lk_pyodide.browser.snapshots import ChannelSnapshot
from lk_pyodide.errors import BrowserError

if TYPE_CHECKING:
    from lk_pyodide.browser.direct.channel import DirectDataChannel


class RemoteChannel(ChannelSnapshot, Remote):
    """A data channel that stays on the page. Bytes are sent on credit, which the page gives back as they leave."""

    def __init__(self, bridge: Bridge, label: str, handle: int | None = None, stream: int | None = None) -> None:
        super().__init__(bridge, handle)
        self._handler: DataChannelHandler | None = None
        self._label = label
        self._id = stream
        self._state = "connecting"
        self._sent = 0
        self._left = 0
        self._threshold = 0

    def start(self, handler: DataChannelHandler) -> None:
        """Hand events to ``handler`` from now on."""
        self._handler = handler

    @property
    def buffered_amount(self) -> int:
        """Bytes of which the page has not yet said that they have left."""
        return self._sent - self._left

    def send(self, data: bytes, /) -> None:
        """Queue one binary message."""
        if self._state != "open":
            raise closed_error("data channel") if self._state == "closed" else _not_open()
        self._sent += len(data)
        self._cast("send", data)

    def set_buffered_amount_low_threshold(self, size: int, /) -> None:
        """Set at how many waiting bytes ``on_buffered_amount_low`` is called."""
        self._threshold = size
        self._cast("setThreshold", size)

    def close(self, *, free: bool = True) -> None:
        """Close and forget."""
        self._state = "closed"
        self._handler = None
        self._left = self._sent
        self._close(closed_error("data channel"), free=free)

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened on the channel."""
        if event == "message":
            if self._handler is not None:
                self._handler.on_message(values[0])
        elif event == "left":
            self._on_left(values[0])
        elif event == "open":
            self._state, self._id = "open", values[0]
            if self._handler is not None:
                self._handler.on_open()
        else:  # "close"
            handler = self._handler
            self.close()
            if handler is not None:
                call(handler.on_close)

    def _on_left(self, total: int) -> None:
        was_full = self.buffered_amount > self._threshold
        self._left = total
        if was_full and self.buffered_amount <= self._threshold and self._handler is not None:
            self._handler.on_buffered_amount_low()


class TransferredChannel(Remote):
    """A data channel that comes to Python's thread: what is sent and received makes no detour."""

    def __init__(self, bridge: Bridge, label: str, handle: int | None = None) -> None:
        super().__init__(bridge, handle)
        self._label = label
        self._handler: DataChannelHandler | None = None
        self._channel: DirectDataChannel | None = None
        self._threshold = 0

    def start(self, handler: DataChannelHandler) -> None:
        """Hand events to ``handler`` from now on."""
        self._handler = handler
        if self._channel is not None:
            self._channel.start(handler)

    def adopt(self, native: object) -> None:
        """It has arrived."""
        from lk_pyodide.browser.direct.channel import DirectDataChannel

        self._channel = channel = DirectDataChannel(native)
        channel.set_buffered_amount_low_threshold(self._threshold)
        if self._handler is not None:
            channel.start(self._handler)

    @property
    def label(self) -> str:
        """The channel's name."""
        return self._label

    @property
    def id(self) -> int | None:
        """Stream id, once it is negotiated."""
        return None if self._channel is None else self._channel.id

    @property
    def ready_state(self) -> str:
        """``connecting``, ``open`` or ``closed``."""
        if not self._is_open:
            return "closed"
        return "connecting" if self._channel is None else self._channel.ready_state

    @property
    def buffered_amount(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self._channel is None else self._channel.buffered_amount

    def send(self, data: bytes, /) -> None:
        """Queue one binary message."""
        if self._channel is None:
            raise _not_open() if self._is_open else closed_error("data channel")
        self._channel.send(data)

    def set_buffered_amount_low_threshold(self, size: int, /) -> None:
        """Set at how many waiting bytes ``on_buffered_amount_low`` is called."""
        self._threshold = size
        if self._channel is not None:
            self._channel.set_buffered_amount_low_threshold(size)

    def close(self, *, free: bool = True) -> None:
        """Close and forget."""
        self._handler = None
        if self._channel is not None:
            self._channel.close()
        self._close(closed_error("data channel"), free=free)

    def on_event(self, event: str, *values: Any) -> None:
        """It has arrived: nothing else is told of it here."""
        if event == "native":
            self.adopt(values[0])


BridgeChannel = RemoteChannel | TransferredChannel


def _not_open() -> BrowserError:
    return BrowserError("the data channel is not open yet", "InvalidStateError")
