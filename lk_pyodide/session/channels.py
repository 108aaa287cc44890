"""The data channels: packets in, packets out.

With a single peer connection everything runs over the channels that we make; with two, the server opens its own for
what it sends (livekit-client ``DataChannelManager.ts``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from lk_pyodide.browser.api import DataChannel, DataChannelHandler, DataChannelInit, PeerConnection
from lk_pyodide.core import wire
from lk_pyodide.core.messages import DataPacket
from lk_pyodide.core.reliable import (
    DATA_TRACK,
    LOSSY,
    MAX_PACKET_SIZE,
    RELIABLE,
    SEQUENCE_SIZE,
    DuplicateFilter,
    ReliableSequence,
)
from lk_pyodide.errors import BrowserError, DeadlineExceeded, LiveKitError, ProtocolError, PublishDataError
from lk_pyodide.logging import Tally, get_logger
from lk_pyodide.types import DataPacketKind

_log = get_logger("data")

OPEN_TIMEOUT = 15.0
"""Seconds that a packet waits for its channel to open."""
_LOW_WATER = {RELIABLE: 64 * 1024, LOSSY: 8 * 1024, DATA_TRACK: 8 * 1024}
_HIGH_WATER = {RELIABLE: 1024 * 1024, LOSSY: 256 * 1024, DATA_TRACK: 256 * 1024}
_KINDS = {RELIABLE: DataPacketKind.RELIABLE, LOSSY: DataPacketKind.LOSSY}


class PacketHandler(Protocol):
    """Who gets the packets."""

    def on_packet(self, packet: DataPacket, /) -> None: ...
    def on_buffer_status(self, kind: DataPacketKind, /, *, is_low: bool) -> None:
        """There is room again to send packets, or little is left."""
        ...

    def on_track_packet(self, data: bytes, /) -> None:
        """A packet of a data track came; it may be anything."""
        ...


class Channels:
    """The data channels of one connection.

    Args:
        handler: gets each packet once.
    """

    def __init__(self, handler: PacketHandler) -> None:
        self._handler = handler
        self._filter = DuplicateFilter()
        self._sequence = ReliableSequence()
        self._out: dict[str, _Outgoing] = {}
        self._rubbish = Tally(_log)
        self._closed = False

    def create(self, pc: PeerConnection) -> None:
        """Make our channels; to be called before the first offer."""
        for label in (LOSSY, RELIABLE, DATA_TRACK):
            init = DataChannelInit() if label == RELIABLE else DataChannelInit(ordered=False, max_retransmits=0)
            outgoing = _Outgoing(self, label)
            self._out[label] = outgoing
            outgoing.channel = pc.create_data_channel(label, init, outgoing)
            outgoing.channel.set_buffered_amount_low_threshold(_LOW_WATER[label])

    def adopt(self, channel: DataChannel) -> DataChannelHandler | None:
        """The server opened a channel."""
        if channel.label not in _LOW_WATER or self._closed:
            self._rubbish.log(logging.WARNING, "closed a data channel of an unknown kind")
            return None
        return _Incoming(self, channel.label)

    async def send(self, packet: DataPacket) -> None:
        """Send a packet.

        A reliable one waits while the channel is full; a lossy one is then dropped.

        Raises:
            PublishDataError: it is too large, or the channel did not open or closed.
        """
        data = wire.encode_packet(packet)
        if len(data) > MAX_PACKET_SIZE - SEQUENCE_SIZE:
            raise PublishDataError(
                f"a data packet may be {MAX_PACKET_SIZE} bytes at most, this one has {len(data)}; "
                "send larger things as a text or byte stream"
            )
        if packet.kind == DataPacketKind.LOSSY:
            outgoing = self._out[LOSSY]
            await outgoing.opened()
            if outgoing.full:
                _log.debug("dropped a lossy packet: the channel is full")
            else:
                outgoing.send(data)
            return
        outgoing = self._out[RELIABLE]
        # Numbers must reach the channel in order, so a packet is numbered in the turn that sends it.
        async with outgoing.turn:
            await outgoing.opened()
            await outgoing.drained(_HIGH_WATER[RELIABLE])
            outgoing.send(wire.numbered_packet(data, self._sequence.next()))

    async def tracks_opened(self) -> None:
        """Wait until packets of data tracks can be sent.

        Raises:
            DeadlineExceeded: the channel did not open.
            PublishDataError: it is closed.
        """
        await self._out[DATA_TRACK].opened()

    def push(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of a data track's frame, all or none: they are dropped while the channel is full.

        Returns:
            Whether they have been sent.
        """
        outgoing = self._out[DATA_TRACK]
        if not outgoing.is_open or outgoing.full:
            return False
        try:
            for packet in packets:
                outgoing.send(packet)
        except LiveKitError as error:
            _log.debug("dropped a frame: %s", error)
            return False
        return True

    async def tracks_drained(self) -> None:
        """Wait until few bytes of data tracks are left to be sent.

        Raises:
            PublishDataError: the channel is closed.
        """
        await self._out[DATA_TRACK].drained(_LOW_WATER[DATA_TRACK])

    def receive(self, label: str, data: bytes | str) -> None:
        """A message came on a channel."""
        if label == DATA_TRACK and not isinstance(data, str):
            self._handler.on_track_packet(data)
            return
        try:
            if isinstance(data, str):
                raise ProtocolError("it is a text")
            packet = wire.decode_packet(data)
        except ProtocolError as error:
            self._rubbish.log(logging.WARNING, "ignored a message on %s: %s", label, error)
            return
        if self._filter.accepts(packet, asyncio.get_running_loop().time()):
            self._handler.on_packet(packet)

    def tell_buffer_status(self, kind: DataPacketKind, *, is_low: bool) -> None:
        """There is room again to send packets, or little is left."""
        self._handler.on_buffer_status(kind, is_low=is_low)

    def close(self, error: LiveKitError) -> None:
        """Everyone who waits to send is told."""
        self._closed = True
        for outgoing in self._out.values():
            outgoing.end(error)


class _Incoming:
    """The server's channel of one kind."""

    def __init__(self, channels: Channels, label: str) -> None:
        self._channels = channels
        self._label = label

    def on_open(self) -> None: ...

    def on_message(self, data: bytes | str) -> None:
        self._channels.receive(self._label, data)

    def on_buffered_amount_low(self) -> None: ...

    def on_close(self) -> None: ...


class _Outgoing(_Incoming):
    """Our channel of one kind, with everyone who waits for it."""

    def __init__(self, channels: Channels, label: str) -> None:
        super().__init__(channels, label)
        self.channel: DataChannel | None = None
        self.turn = asyncio.Lock()
        self._open = asyncio.Event()
        self._low = asyncio.Event()
        self._is_low = True
        self._left = 0
        self._ended: LiveKitError | None = None

    @property
    def full(self) -> bool:
        return self._has_left(_HIGH_WATER[self._label])

    @property
    def is_open(self) -> bool:
        return self._open.is_set() and self._ended is None

    def _has_left(self, level: int) -> bool:
        """Whether more waits to be sent. It only ever gets less by itself: the browser is not asked without need."""
        if self._left > level and self.channel is not None:
            self._left = self.channel.buffered_amount
        return self._left > level

    async def opened(self) -> None:
        if self._open.is_set():  # a deadline costs a third of a packet
            self._check()
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await self._open.wait()
        except TimeoutError as error:
            raise DeadlineExceeded(f"the data channel did not open within {OPEN_TIMEOUT:g} s") from error
        self._check()

    async def drained(self, level: int) -> None:
        while self._has_left(level):
            self._low.clear()
            await self._low.wait()
            self._check()

    def send(self, data: bytes) -> None:
        self._check()
        assert self.channel is not None, "an open channel is there"
        try:
            self.channel.send(data)
        except BrowserError as error:
            raise PublishDataError(f"the browser refused a data packet: {error}") from error
        self._left = self.channel.buffered_amount
        if self._is_low and self._left > _LOW_WATER[self._label]:
            self._set_low(False)

    def _set_low(self, is_low: bool) -> None:
        self._is_low = is_low
        if (kind := _KINDS.get(self._label)) is not None:
            self._channels.tell_buffer_status(kind, is_low=is_low)

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended

    def end(self, error: LiveKitError) -> None:
        self._ended = self._ended or error
        self._open.set()
        self._low.set()

    def on_open(self) -> None:
        self._open.set()

    def on_buffered_amount_low(self) -> None:
        self._low.set()
        if not self._is_low:
            self._set_low(True)

    def on_close(self) -> None:
        self.end(PublishDataError("the data channel is closed"))
