"""The host's end of one client's data channels."""

from __future__ import annotations

from collections.abc import Callable

from lk_pyodide.browser.api import DataChannel, DataChannelHandler
from lk_pyodide.core.reliable import DATA_TRACK, LOSSY, RELIABLE
from lk_pyodide.errors import BrowserError
from lk_pyodide.logging import get_logger

_log = get_logger("local")

LOSSY_HIGH_WATER = 256 * 1024
"""Bytes that may wait in a lossy channel before packets are dropped."""
RELIABLE_HIGH_WATER = 16 * 1024 * 1024
"""Bytes that may wait for the reliable channel before the client, which does not read, is given up."""


class Channels:
    """Carries both ways on the channels that the client has opened.

    Args:
        on_data: is told what comes, with the channel's label.
        on_stuck: is told when the client does not read.
    """

    def __init__(self, on_data: Callable[[str, bytes], object], on_stuck: Callable[[], object]) -> None:
        self._on_data = on_data
        self._on_stuck = on_stuck
        self._channels: dict[str, DataChannel] = {}
        self._early: list[bytes] = []  # reliable packets for whoever is still connecting, as livekit-server keeps them

    def accept(self, channel: DataChannel) -> DataChannelHandler:
        """The client has opened a channel."""
        if channel.label not in (RELIABLE, LOSSY, DATA_TRACK):
            return _Listener()
        self._channels[channel.label] = channel
        if channel.ready_state == "open":
            self._flush()
        return _Listener(channel.label, self)

    def carry(self, label: str, data: bytes) -> None:
        """Send something; what need not arrive is dropped when its channel is full."""
        channel = self._channels.get(label)
        if channel is not None and channel.ready_state == "open":
            self._send(channel, data)
        elif label == RELIABLE and (channel is None or channel.ready_state == "connecting"):
            self._early.append(data)
            if sum(map(len, self._early)) > RELIABLE_HIGH_WATER:
                self._give_up()

    def _send(self, channel: DataChannel, data: bytes) -> None:
        if channel.label != RELIABLE and channel.buffered_amount > LOSSY_HIGH_WATER:
            return
        if channel.buffered_amount > RELIABLE_HIGH_WATER:
            self._give_up()
            return
        try:
            channel.send(data)
        except BrowserError as error:
            _log.debug("a data packet was not sent: %s", error)

    def _give_up(self) -> None:
        _log.warning("a participant does not read its data, and is given up")
        self._on_stuck()

    def _flush(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self.carry(RELIABLE, data)

    def on_open(self, label: str) -> None:
        """A channel is open now."""
        if label == RELIABLE:
            self._flush()

    def on_message(self, label: str, data: bytes | str) -> None:
        """Something has come."""
        if isinstance(data, bytes):
            self._on_data(label, data)


class _Listener:
    """Hears one channel; without an owner, one that this server has no use for."""

    def __init__(self, label: str = "", owner: Channels | None = None) -> None:
        self._label = label
        self._owner = owner

    def on_open(self) -> None:
        if self._owner is not None:
            self._owner.on_open(self._label)

    def on_message(self, data: bytes | str) -> None:
        if self._owner is not None:
            self._owner.on_message(self._label, data)

    def on_buffered_amount_low(self) -> None: ...

    def on_close(self) -> None: ...
