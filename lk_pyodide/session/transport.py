"""One peer connection and its negotiation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from lk_pyodide.browser.api import (
    Browser,
    DataChannel,
    DataChannelHandler,
    PeerConnection,
    RtcConfig,
    Sender,
    TrackArrival,
)
from lk_pyodide.browser.api import SessionDescription as Description
from lk_pyodide.core import sdp
from lk_pyodide.core.messages import SessionDescription, SignalTarget, TrickleRequest
from lk_pyodide.core.negotiation import Negotiation
from lk_pyodide.errors import BrowserError, LiveKitError, NegotiationError
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet, Waiters

_log = get_logger("transport")

T = TypeVar("T")

NEGOTIATION_DEBOUNCE = 0.02
"""Seconds for which changes are collected into one offer (livekit-client ``debounceInterval``)."""


class TransportHandler(Protocol):
    """Who owns the transport."""

    def send_signal(self, message: SessionDescription | TrickleRequest, /) -> None: ...
    def on_transport_state(self, transport: Transport, state: str, /) -> None: ...
    def on_media(self, arrival: TrackArrival, /) -> None: ...
    def on_remote_channel(self, channel: DataChannel, /) -> DataChannelHandler | None: ...


class Transport:
    """A peer connection to the server.

    Args:
        browser: makes the peer connection.
        config: ICE servers and policy.
        target: which of the two the server calls it.
        handler: sends what is to be signalled, hears of the rest.
    """

    def __init__(self, browser: Browser, config: RtcConfig, target: SignalTarget, handler: TransportHandler) -> None:
        self.target = target
        self.pc: PeerConnection = browser.new_peer_connection(config, self)
        self.audio_bitrates: dict[Sender, tuple[str, int]] = {}
        """For each sender of sound the track's id as descriptions have it, and bit/s."""
        self.videos: dict[Sender, sdp.SentVideo] = {}
        self._handler = handler
        self._negotiation = Negotiation()
        self._answers: Waiters[tuple[int, object], None] = Waiters()
        self._tasks = TaskSet()
        self._due: asyncio.TimerHandle | None = None
        self._exchange = asyncio.Lock()
        self._offer = ""
        self._deferred: Description | None = None
        self._candidates: list[str] = []
        self._has_remote = False
        self._closed = False
        self.has_candidates = False
        """Whether the browser has found any address of its own."""

    # -- offering --

    async def initial_offer(self) -> SessionDescription:
        """Make the first offer, for the join request.

        It is applied only when its answer has come, so that candidates are gathered with the server's ICE servers.
        """
        offer_id = self._negotiation.offer()
        assert offer_id is not None, "the first offer comes first"
        original = await self.pc.create_offer()
        self._offer = sdp.edit_offer(original)
        self._deferred = Description("offer", self._offer, fallback=original)
        return SessionDescription("offer", self._offer, offer_id)

    async def negotiate(self, timeout: float) -> None:
        """Tell the server what has changed, and wait until it has agreed.

        Raises:
            NegotiationError: it did not within ``timeout`` seconds, or a description was refused.
        """
        wanted = self._negotiation.next_covering()
        done = self._answers.expect((wanted, object()))
        self.request_negotiation()
        try:
            async with asyncio.timeout(timeout):
                await done
        except TimeoutError as error:
            if isinstance(error, LiveKitError):
                raise
            raise NegotiationError(f"the server did not answer an offer within {timeout:g} s") from error

    def request_negotiation(self) -> None:
        """Have an offer made soon, with whatever else changes until then."""
        if self._due is None and not self._closed:
            self._due = asyncio.get_running_loop().call_later(NEGOTIATION_DEBOUNCE, self._offer_now)

    def _offer_now(self) -> None:
        self._due = None
        offer_id = self._negotiation.offer()
        if offer_id is not None:
            self._tasks.spawn(self._guarded(self._send_offer, offer_id))

    async def _send_offer(self, offer_id: int) -> None:
        original = await self.pc.create_offer()
        self._offer = sdp.edit_offer(original, self.videos.values())
        await self.pc.set_local_description(Description("offer", self._offer, fallback=original))
        self._handler.send_signal(SessionDescription("offer", self._offer, offer_id))

    def on_answer(self, answer: SessionDescription) -> None:
        """The server answered an offer."""
        if not self._negotiation.accepts(answer.id):
            _log.warning("ignored an answer to offer %d; the latest is %d", answer.id, self._negotiation.latest_offer)
            return
        self._tasks.spawn(self._guarded(self._apply_answer, answer))

    async def _apply_answer(self, answer: SessionDescription) -> None:
        async with self._exchange:
            deferred, self._deferred = self._deferred, None
            if deferred is not None:
                await self.pc.set_local_description(deferred)
            edited = sdp.edit_received_answer(answer.sdp, self._offer, dict(self.audio_bitrates.values()))
            await self.pc.set_remote_description(Description("answer", edited, fallback=answer.sdp))
            self._flush_candidates()
        again = self._negotiation.applied()
        self._settle(None)
        if again:
            self._offer_now()

    # -- answering --

    def on_offer(self, offer: SessionDescription) -> None:
        """The server made an offer."""
        self._tasks.spawn(self._guarded(self._answer, offer))

    async def _answer(self, offer: SessionDescription) -> None:
        async with self._exchange:
            await self.pc.set_remote_description(Description("offer", offer.sdp))
            self._flush_candidates()
            original = await self.pc.create_answer()
            edited = sdp.edit_own_answer(original, offer.sdp)
            await self.pc.set_local_description(Description("answer", edited, fallback=original))
        self._handler.send_signal(SessionDescription("answer", edited, offer.id))

    # -- both --

    def add_candidate(self, candidate: str) -> None:
        """The server has a candidate; it is kept until there is a description to add it to."""
        if self._has_remote:
            self.pc.add_ice_candidate(candidate)
        else:
            self._candidates.append(candidate)

    def _flush_candidates(self) -> None:
        self._has_remote = True
        candidates, self._candidates = self._candidates, []
        for candidate in candidates:
            self.pc.add_ice_candidate(candidate)

    async def _guarded(self, step: Callable[[T], Awaitable[None]], given: T) -> None:
        # The step is called here: a task that is cancelled before it begins leaves nothing that was never awaited.
        try:
            await step(given)
        except (BrowserError, NegotiationError) as error:
            self._negotiation.failed()
            failure = NegotiationError(f"a session description was refused: {error}")
            failure.__cause__ = error
            _log.warning("%s", failure)
            self._settle(failure)

    def _settle(self, error: NegotiationError | None) -> None:
        # A waiter's offer is numbered when it asks; an answer settles everyone whose offer it covers.
        for key in self._answers.waiting:
            if error is not None:
                self._answers.fail(key, error)
            elif key[0] <= self._negotiation.answered:
                self._answers.answer(key, None)

    def remove_sender(self, sender: Sender) -> None:
        """Stop sending a track; the caller asks for the negotiation."""
        sender.remove()
        self.videos.pop(sender, None)
        self.audio_bitrates.pop(sender, None)

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self.pc.connection_state == "connected"

    async def close(self, error: LiveKitError) -> None:
        """Close for good.

        Args:
            error: for who waits for an answer.
        """
        self._closed = True
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._answers.fail_all(error)
        self.pc.close()
        await self._tasks.close()

    # -- from the peer connection --

    def on_connection_state(self, state: str) -> None:
        """The browser's connection state changed."""
        _log.debug("%s transport: %s", self.target.name.lower(), state)
        self._handler.on_transport_state(self, state)

    def on_ice_candidate(self, candidate: str) -> None:
        """The browser found a candidate; an empty one, of Firefox, says that there are no more."""
        self.has_candidates = self.has_candidates or bool(json.loads(candidate).get("candidate"))
        self._handler.send_signal(TrickleRequest(candidate, self.target))

    def on_track(self, arrival: TrackArrival) -> None:
        """Media arrived."""
        self._handler.on_media(arrival)

    def on_data_channel(self, channel: DataChannel) -> DataChannelHandler | None:
        """The server opened a data channel."""
        return self._handler.on_remote_channel(channel)
