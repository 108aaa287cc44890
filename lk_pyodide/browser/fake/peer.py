"""Peer connections that negotiate with each other and carry messages and tracks within one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from lk_pyodide.browser.api import (
    Json,
    MediaKind,
    MediaTrack,
    PeerConnectionHandler,
    RtcConfig,
    SenderInit,
    SessionDescription,
    TrackArrival,
    TrackSettings,
)
from lk_pyodide.browser.fake import sdp
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack, FakeTrack
from lk_pyodide.browser.fake.transceiver import FakeReceiver, FakeSender, Transceiver, get_native
from lk_pyodide.browser.fake.transport import FakeTransport
from lk_pyodide.browser.guard import call, with_fallback
from lk_pyodide.errors import BrowserError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser

_ALLOWED = {  # (whose, type) -> signalling states in which it may come, and the one that follows
    ("local", "offer"): (("stable", "have-local-offer"), "have-local-offer"),
    ("local", "answer"): (("have-remote-offer",), "stable"),
    ("remote", "offer"): (("stable", "have-remote-offer"), "have-remote-offer"),
    ("remote", "answer"): (("have-local-offer",), "stable"),
    ("local", "rollback"): (("have-local-offer", "have-remote-offer"), "stable"),
    ("remote", "rollback"): (("have-local-offer", "have-remote-offer"), "stable"),
}


class FakePeerConnection(FakeTransport):
    """A peer connection.

    Attributes:
        config: as last set.
        transceivers: in the order of their making.
    """

    def __init__(self, browser: FakeBrowser, config: RtcConfig, handler: PeerConnectionHandler) -> None:
        _check_config(config)
        super().__init__(browser, handler)
        self.config = config
        self.transceivers: list[Transceiver] = []
        self._before: tuple[list[tuple[str, str]], list[Transceiver]] = ([], [])
        self._next_ufrag = ""
        self._versions = 0

    def set_configuration(self, config: RtcConfig, /) -> None:
        """Use other ICE servers."""
        if self._handler is not None:
            _check_config(config)
            self.config = config

    def add_receiver(self, kind: MediaKind, /) -> None:
        """Add a receive-only transceiver."""
        self._check()
        self.transceivers.append(Transceiver(self, kind, "recvonly"))

    def add_sender(
        self, track: MediaTrack, init: SenderInit, /, *, stream_id: str = "", track_id: str = ""
    ) -> FakeSender:
        """Add a send-only transceiver. A fake server may say under which ids the track is announced."""
        self._check()
        native = get_native(track)
        transceiver = Transceiver(self, track.kind, "sendonly")
        self.transceivers.append(transceiver)
        return transceiver.send(native, init, stream_id or self._browser.network.make_id("stream"), track_id)

    def send_on(self, mid: str, track: MediaTrack | None, /, *, stream_id: str = "", track_id: str = "") -> None:
        """Send in a section that the other side offered to receive.

        Args:
            mid: the section.
            track: what to send; None is nothing any more.
            stream_id: what the description calls it, as LiveKit's server chooses that.
            track_id: the same for the track.
        """
        self._check()
        transceiver = self.find_transceiver(mid)
        if transceiver is None:
            raise BrowserError(f"there is no section {mid}", "InvalidAccessError")
        if track is None:
            transceiver.direction = "inactive"
            return
        transceiver.direction = "sendrecv" if transceiver.direction in sdp.RECEIVING else "sendonly"
        transceiver.send(
            get_native(track), SenderInit(), stream_id or self._browser.network.make_id("stream"), track_id
        )

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """Make the text of an offer."""
        await self._turn()
        if ice_restart or not self._local_ufrag:
            self._next_ufrag = self._browser.network.make_ufrag()
        self._number_sections()
        sections = [self._describe_section(kind, mid, offered=True) for kind, mid in self._get_order()]
        return self._write("offer", self._next_ufrag, sections)

    async def create_answer(self) -> str:
        """Make the text of an answer."""
        await self._turn()
        if self._signaling_state != "have-remote-offer":
            raise BrowserError("there is no offer to answer", "InvalidStateError")
        if not self._local_ufrag:
            self._next_ufrag = self._browser.network.make_ufrag()
        sections = [self._answer_section(section) for section in self._remote.sections]
        return self._write("answer", self._next_ufrag, sections)

    async def set_local_description(self, description: SessionDescription, /) -> None:
        """Apply our description."""
        await self._describe("local", description)

    async def set_remote_description(self, description: SessionDescription, /) -> None:
        """Apply the other side's description."""
        await self._describe("remote", description)

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of everything in this connection."""
        await self._turn()
        stats = [item.get_stats("outbound-rtp") for item in self.transceivers if item.sender is not None]
        stats += [item.get_stats("inbound-rtp") for item in self.transceivers if item.is_receiving]
        state = "succeeded" if self._connection_state == "connected" else "waiting"
        return [*stats, {"id": "pair", "type": "candidate-pair", "timestamp": 0.0, "state": state, "nominated": True}]

    def close(self) -> None:
        """Close all."""
        if self._handler is not None:
            super().close()
            for transceiver in self.transceivers:
                transceiver.close()

    def find_transceiver(self, mid: str) -> Transceiver | None:
        """The transceiver of a section."""
        return next((item for item in self.transceivers if item.mid == mid and mid), None)

    def find_partner_transceiver(self, mid: str) -> Transceiver | None:
        """The other side's transceiver of a section."""
        return self._partner.find_transceiver(mid) if isinstance(self._partner, FakePeerConnection) else None

    def _link_tracks(self) -> None:
        for transceiver in self.transceivers:
            if transceiver.sender is not None:
                transceiver.sent(transceiver.sender.native)

    # -- descriptions

    def _number_sections(self) -> None:
        taken = [mid for _, mid in self._order]
        numbers = (str(number) for number in range(1_000) if str(number) not in taken)
        for transceiver in self.transceivers:
            if not transceiver.mid:
                transceiver.offered_mid = next(numbers)

    def _get_order(self) -> list[tuple[str, str]]:
        """The sections of an offer: those that were negotiated, then the new ones."""
        order: list[tuple[str, str]] = list(self._order)
        order += [(item.kind, item.offered_mid) for item in self.transceivers if not item.mid]
        if self.channels and "application" not in [kind for kind, _ in order]:
            taken = [mid for _, mid in order]
            order.append(("application", next(str(n) for n in range(1_000) if str(n) not in taken)))
        return order

    def _describe_section(self, kind: str, mid: str, *, offered: bool) -> sdp.Section:
        transceiver = next(
            (item for item in self.transceivers if mid in (item.mid, item.offered_mid if offered else "")), None
        )
        if transceiver is None:
            return sdp.Section(kind, mid)
        rids = [] if transceiver.sender is None else [item.rid for item in transceiver.sender.encodings if item.rid]
        codec = "" if transceiver.sender is None else transceiver.sender.codec or ""
        return sdp.Section(
            kind, mid, transceiver.direction, transceiver.stream_id, transceiver.track_id, tuple(rids), codec
        )

    def _answer_section(self, offer: sdp.Section) -> sdp.Section:
        own = self._describe_section(offer.kind, offer.mid, offered=False)
        if offer.kind == "application":
            return own
        sends, receives = own.sends and offer.receives, own.receives and offer.sends
        direction = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}
        return sdp.Section(own.kind, own.mid, direction.get((sends, receives), "inactive"), own.stream_id, own.track_id)

    def _write(self, kind: str, ufrag: str, sections: list[sdp.Section]) -> str:
        self._versions += 1
        ufrag = ufrag or self._local_ufrag
        return sdp.write(sdp.Description(ufrag, tuple(sections)), kind, self._versions)

    async def _describe(self, whose: str, description: SessionDescription) -> None:
        async def apply(text: str) -> None:
            await self._turn()
            states, following = _ALLOWED[whose, description.type]
            if self._signaling_state not in states:
                raise BrowserError(f"Called in wrong state: {self._signaling_state}", "InvalidStateError")
            if description.type == "rollback":
                self._roll_back()
            else:
                if self._browser.refuse_sdp(text):
                    raise BrowserError("refused by the test", "OperationError")
                parsed = sdp.read(text)
                if self._signaling_state == "stable":
                    self._before = (list(self._order), [item for item in self.transceivers if item.mid])
                (self._apply_local if whose == "local" else self._apply_remote)(parsed)
            self._check()
            self._signaling_state = following
            self._was_offerer = (whose, description.type) == ("remote", "answer")
            if following == "stable":
                self._soon(self._connect)

        kind, text, fallback = description.type, description.sdp, description.fallback
        await with_fallback(apply, kind, text, fallback, lambda: self._handler is None)

    def _apply_local(self, description: sdp.Description) -> None:
        for section in description.sections:
            for transceiver in self.transceivers:
                if not transceiver.mid and transceiver.offered_mid == section.mid:
                    transceiver.mid = section.mid
        self._take_order(description)
        if description.ufrag != self._local_ufrag:
            self._local_ufrag = description.ufrag
            self._browser.network.register(description.ufrag, self)
            if description.sections:
                self._soon(self._emit_candidate, description.ufrag, description.sections[0].mid)

    def _apply_remote(self, description: sdp.Description) -> None:
        if description.ufrag != self._remote.ufrag:
            self._has_candidate = False
        self._remote = description
        self._take_order(description)
        for section in description.sections:
            if section.kind == "application":
                continue
            transceiver = self.find_transceiver(section.mid)
            if transceiver is None:
                transceiver = Transceiver(self, cast("MediaKind", section.kind), "recvonly", section.mid)
                self.transceivers.append(transceiver)
            self._receive(transceiver, section)

    def _take_order(self, description: sdp.Description) -> None:
        known = [mid for _, mid in self._order]
        self._order += [(item.kind, item.mid) for item in description.sections if item.mid not in known]

    def _receive(self, transceiver: Transceiver, section: sdp.Section) -> None:
        receives = section.sends and transceiver.direction in sdp.RECEIVING
        if receives and not transceiver.is_receiving and self._handler is not None:
            if transceiver.track is not None:
                transceiver.track.close()
            if transceiver.remote is None or transceiver.remote.id != section.track_id:
                transceiver.remote = FakeMediaStreamTrack(transceiver.kind, section.track_id, "", TrackSettings())
            transceiver.track = FakeTrack(self._browser, transceiver.remote)
            transceiver.receiver = FakeReceiver(transceiver)
            streams = (section.stream_id,) if section.stream_id else ()
            arrival = TrackArrival(transceiver.track, transceiver.receiver, section.mid, streams)
            call(self._handler.on_track, arrival)
        transceiver.is_receiving = receives

    def _roll_back(self) -> None:
        self._order, kept = list(self._before[0]), self._before[1]
        for transceiver in self.transceivers:
            if transceiver not in kept:
                transceiver.mid = ""


def _check_config(config: RtcConfig) -> None:
    for server in config.ice_servers:
        for url in server.urls:
            if url.partition(":")[0] not in ("stun", "stuns", "turn", "turns"):
                raise BrowserError(f"{url!r} is not a valid ICE server", "SyntaxError")
