"""The transport of fake peer connections: states, candidates, data channels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import DataChannelHandler, DataChannelInit, PeerConnectionHandler
from lk_pyodide.browser.fake import sdp
from lk_pyodide.browser.fake.channel import FakeDataChannel
from lk_pyodide.browser.guard import call, closed_error, logger
from lk_pyodide.browser.snapshots import ConnectionSnapshot

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeTransport(ConnectionSnapshot):
    """One end of a connection; the descriptions that it goes by are the subclass's.

    Two ends are connected when each has the other's credentials, both are ``stable``, and one has had a candidate.

    Attributes:
        channels: the data channels that are open or about to be.
    """

    def __init__(self, browser: FakeBrowser, handler: PeerConnectionHandler) -> None:
        self.channels: list[FakeDataChannel] = []
        self._browser = browser
        self._handler: PeerConnectionHandler | None = handler
        self._connection_state, self._signaling_state = "new", "stable"
        self._order: list[tuple[str, str]] = []  # (kind, mid) of the sections that were negotiated
        self._remote = sdp.Description("", ())
        self._local_ufrag = ""
        self._was_offerer = False
        self._has_candidate = False
        self._partner: FakeTransport | None = None
        self._cut: tuple[str, str] | None = None  # the credentials with which nothing gets through any more
        browser.opened(self)

    @property
    def carries(self) -> bool:
        """Whether messages get through."""
        return self._cut is None and self._partner is not None

    def create_data_channel(self, label: str, init: DataChannelInit, handler: DataChannelHandler, /) -> FakeDataChannel:
        """Open a data channel."""
        self._check()
        channel = FakeDataChannel(self, label, init)
        channel.start(handler)
        self.channels.append(channel)
        self._link_channels()
        return channel

    def add_ice_candidate(self, candidate: str, /) -> None:
        """Add a candidate of the other side."""
        if self._handler is None:
            return
        try:
            text = str(json.loads(candidate).get("candidate", ""))
        except (ValueError, AttributeError):
            logger.warning("the browser refused a remote ICE candidate (%s)", "SyntaxError")
            return
        if not self._remote.sections or (text and ":" not in text):
            name = "OperationError" if self._remote.sections else "InvalidStateError"
            logger.warning("the browser refused a remote ICE candidate (%s)", name)
            return
        self._has_candidate = True
        self._soon(self._connect)

    def cut(self) -> None:
        """Nothing gets through any more, until ICE is restarted. Both sides hear ``disconnected``, then ``failed``."""
        for pc in (self, self._partner):
            if pc is not None and pc._handler is not None:
                pc._cut = (pc._local_ufrag, pc._remote.ufrag)
                pc._set_state("disconnected")
                pc._set_state("failed")

    def close(self) -> None:
        """Close all."""
        if self._handler is None:
            return
        self._handler = None
        self._connection_state = self._signaling_state = "closed"
        channels, self.channels = self.channels, []
        for channel in channels:
            channel.abandon()
        self._browser.network.remove(self)
        self._browser.closed(self)
        partner, self._partner = self._partner, None
        if partner is not None:
            partner._soon(partner._lose_partner)

    def _emit_candidate(self, ufrag: str, mid: str) -> None:
        if self._handler is not None and self._browser.network.has_interface:
            text = f"candidate:1 1 udp 2122260223 127.0.0.1 50000 typ host generation 0 ufrag {ufrag} network-id 1"
            candidate = {"candidate": text, "sdpMid": mid, "sdpMLineIndex": 0, "usernameFragment": ufrag}
            call(self._handler.on_ice_candidate, json.dumps(candidate))

    def _connect(self) -> None:
        """Connect when both sides know each other and one knows a way to the other."""
        other = self._browser.network.find(self._remote.ufrag) if self._remote.ufrag else None
        if other is None or other._remote.ufrag != self._local_ufrag:
            return
        if self._signaling_state != "stable" or other._signaling_state != "stable":
            return
        if not (self._browser.network.has_interface or self._has_candidate or other._has_candidate):
            return
        pair = (self, other)
        for pc in pair:
            if pc._connection_state == "new":
                pc._set_state("connecting")
        if not (self._has_candidate or other._has_candidate):
            return
        for pc, partner in (pair, pair[::-1]):
            if pc._cut == (pc._local_ufrag, pc._remote.ufrag):
                return
            pc._cut, pc._partner = None, partner
            pc._set_state("connected")
        for pc in pair:
            pc._link_channels()
            pc._link_tracks()

    def _link_channels(self) -> None:
        partner = self._partner
        if partner is None or "application" not in [kind for kind, _ in self._order]:
            return
        for channel in tuple(self.channels):
            if not channel.is_linked and channel.ready_state == "connecting":
                far = FakeDataChannel(partner, channel.label, channel.init)
                partner._soon(partner._accept_channel, far)  # before it opens, so that the handler hears of that
                channel.link(far, self._next_stream_id())
            channel.pump()

    def _next_stream_id(self) -> int:
        taken = [channel.id for channel in self.channels if channel.id is not None]
        return next(number for number in range(int(self._was_offerer), 65_534, 2) if number not in taken)

    def _accept_channel(self, channel: FakeDataChannel) -> None:
        if self._handler is None:
            return
        self.channels.append(channel)
        handler = None
        try:
            handler = self._handler.on_data_channel(channel)
        except Exception:
            logger.exception("a handler raised an exception")
        if handler is None:
            channel.close()
        elif channel.ready_state != "closed":
            channel.start(handler)

    def _link_tracks(self) -> None:
        """Join the tracks, which are the subclass's."""

    def _lose_partner(self) -> None:
        self._partner = None
        self._set_state("disconnected")
        channels, self.channels = self.channels, []
        for channel in channels:
            channel.hear_end()

    def _set_state(self, state: str) -> None:
        if self._connection_state != state and self._handler is not None:
            self._connection_state = state
            call(self._handler.on_connection_state, state)

    def _soon(self, function: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_soon(function, *args)

    async def _turn(self) -> None:
        self._check()
        await asyncio.sleep(0)
        self._check()

    def _check(self) -> None:
        if self._handler is None:
            raise closed_error("peer connection")
