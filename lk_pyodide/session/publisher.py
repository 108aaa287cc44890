"""Publishing a track: the server is asked, the browser sends, and both have agreed when it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lk_pyodide.browser.api import Encoding, MediaTrack, Sender, SenderInit
from lk_pyodide.core.codecs import SVC_CODECS
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.messages import AddTrackRequest, RequestReason, RequestResponse, TrackInfo, TrackPublishedResponse
from lk_pyodide.core.publishing import PublishPlan, adopted
from lk_pyodide.core.sdp import SentVideo
from lk_pyodide.errors import (
    ConnectionLostError,
    DeadlineExceeded,
    LiveKitError,
    NegotiationError,
    PublishTrackError,
    RoomDisconnectedError,
)
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import Waiters, within
from lk_pyodide.session.transport import Transport
from lk_pyodide.types import TrackKind, TrackSource

_log = get_logger("publisher")

ADD_TRACK_TIMEOUT = 10.0
"""Seconds that the server has to answer an AddTrackRequest (livekit-client ``RTCEngine.addTrack``)."""


class PublisherPort(Protocol):
    """What publishing needs of the connection."""

    @property
    def publisher(self) -> Transport: ...
    @property
    def negotiation_timeout(self) -> float: ...
    @property
    def negotiates_in_parallel(self) -> bool:
        """Whether the server has said which codecs it takes, so that nobody has to wait for its choice."""
        ...

    def send_request(self, message: AddTrackRequest, /) -> None: ...


class Publisher:
    """Publishes tracks over one connection."""

    def __init__(self, port: PublisherPort) -> None:
        self._port = port
        self._answers: Waiters[str, TrackInfo] = Waiters()

    async def publish(self, track: MediaTrack, plan: PublishPlan, browser: str) -> tuple[TrackInfo, Sender]:
        """Publish a track.

        Args:
            track: what is sent.
            plan: how, from :func:`lk_pyodide.core.publishing.plan`.
            browser: name of the browser, lower case.

        Raises:
            PublishTrackError: the server refused (403), was silent (408), or negotiation failed (500).
            ConnectionLostError: the connection broke meanwhile.
        """
        cid = plan.request.cid
        answer = self._answers.expect(cid)
        transport = self._port.publisher
        sender: Sender | None = None
        try:
            self._port.send_request(plan.request)
            if not self._port.negotiates_in_parallel:
                plan = adopted(plan, await within(ADD_TRACK_TIMEOUT, answer, "the server's answer to a track"))
            sender = self._start_sending(transport, track, plan, browser)
            await transport.negotiate(self._port.negotiation_timeout)
            return await within(ADD_TRACK_TIMEOUT, answer, "the server's answer to a track"), sender
        except BaseException as error:
            answer.cancel()
            if sender is not None:
                transport.remove_sender(sender)
                transport.request_negotiation()
            raise _translated(error) from (error if isinstance(error, Exception) else None)

    def _start_sending(self, transport: Transport, track: MediaTrack, plan: PublishPlan, browser: str) -> Sender:
        codec = f"video/{plan.codec}" if plan.codec else None
        init = SenderInit(encodings(plan.layers), plan.degradation_preference, codec)
        sender = transport.pc.add_sender(track, init)
        cid = plan.request.cid
        if plan.request.type == TrackKind.VIDEO:
            screen = plan.request.source == TrackSource.SCREENSHARE
            # Safari has no such header extension.
            layered = plan.codec in SVC_CODECS and browser != "safari"
            transport.videos[sender] = SentVideo(cid, plan.codec, plan.target_bitrate, screen, layered)
        elif browser == "firefox" and plan.target_bitrate:
            transport.audio_bitrates[sender] = (cid, plan.target_bitrate)
        return sender

    async def unpublish(self, senders: Sequence[Sender]) -> None:
        """Stop sending a track, by all its senders. The server learns of it from the offer."""
        transport = self._port.publisher
        for sender in senders:
            transport.remove_sender(sender)
        try:
            await transport.negotiate(self._port.negotiation_timeout)
        except (NegotiationError, ConnectionLostError) as error:
            _log.warning("the server was not told of an unpublished track: %s", error)

    def on_published(self, response: TrackPublishedResponse) -> None:
        """The server took a track."""
        if response.track is None or not self._answers.answer(response.cid, response.track):
            _log.warning("the server published a track that nobody asked for")

    def on_refused(self, response: RequestResponse) -> bool:
        """The server refused a request; True if it was about a track."""
        if response.add_track is None:
            return False
        status = 403 if response.reason == RequestReason.NOT_ALLOWED else 500
        text = response.message or f"the server refused the track ({response.reason!r})"
        return self._answers.fail(response.add_track.cid, PublishTrackError(text, status))

    def close(self, error: LiveKitError) -> None:
        """Everyone who waits is told."""
        self._answers.fail_all(error)


def _translated(error: BaseException) -> BaseException:
    match error:
        case DeadlineExceeded():
            return PublishTrackError(str(error), 408)
        case NegotiationError():
            return PublishTrackError(f"the track could not be negotiated: {error}")
        case asyncio.CancelledError() | PublishTrackError() | RoomDisconnectedError() | ConnectionLostError():
            return error
        case _:
            return PublishTrackError(f"the browser could not send the track: {error}")


def encodings(layers: Sequence[Layer]) -> tuple[Encoding, ...]:
    """The layers as the browser wants to hear of them."""
    return tuple(
        Encoding(
            rid=layer.rid,
            active=layer.active,
            max_bitrate=layer.max_bitrate,
            max_framerate=layer.max_framerate,
            scale_resolution_down_by=layer.scale_resolution_down_by,
            priority=layer.priority,
            scalability_mode=layer.scalability_mode,
        )
        for layer in layers
    )
