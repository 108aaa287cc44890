"""Asking the server to take data tracks, and to take them no more. How frames travel is the channels' business."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from lk_pyodide.core.messages import (
    DataTrackInfo,
    PublishDataTrackRequest,
    PublishDataTrackResponse,
    RequestReason,
    RequestResponse,
    UnpublishDataTrackRequest,
    UnpublishDataTrackResponse,
)
from lk_pyodide.errors import (
    ConnectionLostError,
    DeadlineExceeded,
    LiveKitError,
    PublishDataError,
    PublishDataTrackError,
)
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import Waiters, within
from lk_pyodide.types import PublishDataTrackErrorReason as Reason

_log = get_logger("data-tracks")

PUBLISH_TIMEOUT = 10.0
"""Seconds that the server has to answer (livekit-client ``OutgoingDataTrackManager.ts``)."""

_REASONS: dict[int, Reason] = {
    RequestReason.NOT_ALLOWED: Reason.NOT_ALLOWED,
    RequestReason.DUPLICATE_NAME: Reason.DUPLICATE_NAME,
    RequestReason.INVALID_NAME: Reason.INVALID_NAME,
    RequestReason.LIMIT_EXCEEDED: Reason.LIMIT_REACHED,
}


class DataTrackPort(Protocol):
    """What publishing needs of the connection."""

    def send_request(self, message: PublishDataTrackRequest | UnpublishDataTrackRequest, /) -> None: ...
    async def tracks_opened(self) -> None:
        """Wait until frames can be sent."""
        ...


class DataTrackRequests:
    """Publishes data tracks over one connection. Tracks are known by the handles that the publisher gave them."""

    def __init__(self, port: DataTrackPort) -> None:
        self._port = port
        self._published: Waiters[int, DataTrackInfo] = Waiters()
        self._unpublished: Waiters[int, None] = Waiters()

    async def publish(self, request: PublishDataTrackRequest) -> DataTrackInfo:
        """Publish a track, on which frames can be sent then. One that is given up is taken back.

        The request is sent at once, so that whoever does not want it any more can say so with the next.

        Raises:
            PublishDataTrackError: the server refused, or was silent: it may be too old to know data tracks.
            ConnectionLostError: the connection broke meanwhile.
        """
        answer = self._published.expect(request.pub_handle)
        self._port.send_request(request)
        try:
            info = await within(PUBLISH_TIMEOUT, answer, "the server's answer to a data track")
            await self._port.tracks_opened()
            return info
        except DeadlineExceeded as error:
            self._take_back(request.pub_handle)
            raise PublishDataTrackError(f"{error}: a firewall, or an old server?", Reason.TIMEOUT) from error
        except PublishDataError as error:
            self._take_back(request.pub_handle)
            raise PublishDataTrackError(str(error), Reason.UNKNOWN) from error
        except asyncio.CancelledError:
            self._take_back(request.pub_handle)
            raise
        finally:
            answer.cancel()

    def _take_back(self, handle: int) -> None:
        with contextlib.suppress(ConnectionLostError):
            self._port.send_request(UnpublishDataTrackRequest(handle))

    async def unpublish(self, handle: int) -> None:
        """Stop publishing a track.

        Raises:
            DeadlineExceeded: the server was silent.
            ConnectionLostError: the connection broke meanwhile.
        """
        answer = self._unpublished.expect(handle)
        try:
            self._port.send_request(UnpublishDataTrackRequest(handle))
            await within(PUBLISH_TIMEOUT, answer, "the server's confirmation")
        finally:
            answer.cancel()

    def on_published(self, response: PublishDataTrackResponse) -> None:
        """The server took a track."""
        if response.info is None or not self._published.answer(response.info.pub_handle, response.info):
            _log.debug("the server published a data track that nobody waits for")

    def on_unpublished(self, response: UnpublishDataTrackResponse) -> bool:
        """The server takes a track no more; True if we wanted that."""
        return response.info is not None and self._unpublished.answer(response.info.pub_handle, None)

    def on_refused(self, response: RequestResponse) -> bool:
        """The server refused a request; True if it was about a data track."""
        if response.unpublish_data_track is not None:
            # It does not have it, which is what we want.
            self._unpublished.answer(response.unpublish_data_track.pub_handle, None)
            return True
        if response.publish_data_track is None:
            return False
        text = response.message or f"the server refused the data track ({response.reason!r})"
        error = PublishDataTrackError(text, _REASONS.get(response.reason, Reason.UNKNOWN))
        self._published.fail(response.publish_data_track.pub_handle, error)
        return True

    def close(self, error: LiveKitError) -> None:
        """Everyone who waits is told."""
        self._published.fail_all(error)
        self._unpublished.fail_all(error)
