"""The host's end of one client: its peer connection, and what goes through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Protocol

from lk_pyodide.browser.api import (
    Browser,
    DataChannel,
    DataChannelHandler,
    MediaTrack,
    RtcConfig,
    TrackArrival,
)
from lk_pyodide.browser.api import SessionDescription as Description
from lk_pyodide.core import messages as m
from lk_pyodide.errors import LiveKitError
from lk_pyodide.local.channels import Channels
from lk_pyodide.local.descriptions import Offer, Sent, finish_answer, read_offer
from lk_pyodide.local.received import Received
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import DisconnectReason

_log = get_logger("local")


class ConnectionHandler(Protocol):
    """The room, as a connection sees it. Every method is given the connection's key."""

    def tell(self, key: str, message: m.ServerMessage, /) -> None: ...
    def on_connected(self, key: str, /) -> None: ...
    def on_silent(self, key: str, /) -> None: ...
    def on_lost(self, key: str, reason: DisconnectReason, /) -> None: ...
    def on_media(self, key: str, cid: str, /) -> None: ...
    def on_media_ended(self, key: str, cid: str, /) -> None: ...
    def on_packet(self, key: str, label: str, data: bytes, /) -> None: ...


class Connection:
    """One client's peer connection at the host.

    Args:
        browser: the page.
        key: the client's name on the channel.
        handler: the room.
    """

    def __init__(self, browser: Browser, key: str, handler: ConnectionHandler) -> None:
        self._browser = browser
        self.media: dict[str, Received] = {}
        """What the client sends, by what its descriptions call it."""
        self._key = key
        self._handler = handler
        self._pc = browser.new_peer_connection(RtcConfig(), self)
        self._channels = Channels(lambda label, data: handler.on_packet(key, label, data), self._give_up)
        self._mids: dict[str, str] = {}  # mid → the client's id of what it sends there
        self._arrived: dict[str, TrackArrival] = {}  # mid → what the browser receives there
        self._wanted: dict[str, tuple[Sent, MediaTrack]] = {}  # sid → what has to be sent
        self._sent: dict[str, Sent] = {}  # mid → what is sent there
        self._candidates: list[str] | None = []  # until there is a description that they belong to
        self._turn = asyncio.Lock()
        self._tasks = TaskSet()

    # -- from the room --

    def receive(self, message: m.ClientMessage) -> None:
        """Take a description or a candidate of the client."""
        match message:
            case m.SessionDescription(type="offer"):
                self._tasks.spawn(self._answer(message))
            case m.TrickleRequest(candidateInit=candidate):
                if self._candidates is None:
                    self._pc.add_ice_candidate(candidate)
                else:
                    self._candidates.append(candidate)
            case _:
                pass

    def forward(self, sent: Sent, media: MediaTrack) -> None:
        """Send a track to the client, from its next offer on: it is asked for one."""
        self._wanted[sent.sid] = (sent, media)
        self._ask_for_offer()

    def halt(self, sid: str) -> None:
        """Send a track no more."""
        if self._wanted.pop(sid, None) is not None:
            self._ask_for_offer()

    def _ask_for_offer(self) -> None:
        self._handler.tell(self._key, m.MediaSectionsRequirement())

    def carry(self, label: str, data: bytes) -> None:
        """Send something on a data channel: see :meth:`Channels.carry`."""
        self._channels.carry(label, data)

    def _give_up(self) -> None:
        self._handler.on_lost(self._key, DisconnectReason.CONNECTION_TIMEOUT)

    def close(self) -> None:
        """Let go of everything."""
        for received in self.media.values():
            received.close()
        self.media.clear()
        self._pc.close()
        self._tasks.cancel()

    # -- negotiation: the client always offers --

    async def _answer(self, message: m.SessionDescription) -> None:
        async with self._turn:
            offer = read_offer(message.sdp)
            before, self._mids = self._mids, dict(offer.sends)
            try:
                await self._pc.set_remote_description(Description("offer", offer.sdp))
                self._fill(offer)
                answer = await self._pc.create_answer()
                await self._pc.set_local_description(Description("answer", answer))
            except LiveKitError as error:
                _log.warning("an offer could not be answered: %s", error)
                self._handler.on_lost(self._key, DisconnectReason.STATE_MISMATCH)
                return
            candidates, self._candidates = self._candidates or [], None
            for candidate in candidates:
                self._pc.add_ice_candidate(candidate)
            mids = {mid: sent.sid for mid, sent in self._sent.items()}
            text = finish_answer(answer, offer, self._sent)
            self._handler.tell(self._key, m.SessionDescription("answer", text, message.id, mids))
            self._tell_media(before)
            self._ask_for_sections(offer)

    def _fill(self, offer: Offer) -> None:
        """Put what is wanted into the sections that the client offers to receive in."""
        for mid, sent in list(self._sent.items()):
            if sent.sid not in self._wanted or mid not in offer.slots:
                self._pc.send_on(mid, None)
                del self._sent[mid]
        going = {sent.sid for sent in self._sent.values()}
        free = [mid for mid in offer.slots if mid not in self._sent and mid not in offer.sends]
        for sent, media in self._wanted.values():
            if sent.sid in going:
                continue
            place = next((mid for mid in free if offer.slots[mid] == media.kind), None)
            if place is not None:
                free.remove(place)
                self._pc.send_on(place, media)
                self._sent[place] = sent

    def _ask_for_sections(self, offer: Offer) -> None:
        going = {sent.sid for sent in self._sent.values()}
        missing = [media.kind for sent, media in self._wanted.values() if sent.sid not in going]
        if missing:
            lacking = m.MediaSectionsRequirement(missing.count("audio"), missing.count("video"))
            self._handler.tell(self._key, lacking)

    def _tell_media(self, before: Mapping[str, str]) -> None:
        """Tell the room which tracks have come, and which have gone, since the last offer."""
        for mid, cid in before.items():
            if self._mids.get(mid) != cid:
                self._let_go(cid)
                self._handler.on_media_ended(self._key, cid)
        for mid, cid in self._mids.items():
            if cid not in self.media and mid in self._arrived:
                self.media[cid] = Received(self._browser, self._arrived[mid])
                self._handler.on_media(self._key, cid)

    def _let_go(self, cid: str) -> None:
        if (received := self.media.pop(cid, None)) is not None:
            received.close()

    # -- from the peer connection --

    def on_connection_state(self, state: str) -> None:
        """The connection came up, or broke."""
        if state == "connected":
            self._handler.on_connected(self._key)
        elif state == "disconnected":
            self._handler.on_silent(self._key)
        elif state in ("failed", "closed"):
            self._give_up()

    def on_ice_candidate(self, candidate: str) -> None:
        """A way to the host."""
        if json.loads(candidate).get("candidate"):
            self._handler.tell(self._key, m.TrickleRequest(candidate, m.SignalTarget.PUBLISHER))

    def on_track(self, arrival: TrackArrival) -> None:
        """Media of the client; :meth:`_tell_media` looks whose."""
        self._arrived[arrival.mid] = arrival

    def on_data_channel(self, channel: DataChannel) -> DataChannelHandler | None:
        """The client's channels carry both ways."""
        return self._channels.accept(channel)
