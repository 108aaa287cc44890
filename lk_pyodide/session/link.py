"""One signalling connection: a WebSocket, and the protocol on it.

One way in (:meth:`Link.on_message`), one way out (:meth:`Link._flush`).
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from lk_pyodide.browser.api import WebSocket
from lk_pyodide.core import wire
from lk_pyodide.core.messages import ClientMessage, JoinResponse, ServerMessage
from lk_pyodide.core.signal import FIRST_MESSAGE_TIMEOUT, LEAVE, SignalProtocol, SignalState
from lk_pyodide.errors import ConnectError, LiveKitError, ProtocolError
from lk_pyodide.logging import get_logger
from lk_pyodide.session.schemes import Network
from lk_pyodide.types import ConnectErrorReason

_log = get_logger("signal")

OVERSLEPT = 1.0
"""Seconds by which a timer must be late to say that Python was blocked."""

GRACE = 0.5
"""Seconds for what has arrived meanwhile to be read, before the server is called silent."""
_T = TypeVar("_T")


class LinkHandler(Protocol):
    """Who uses the link."""

    def on_signal(self, message: ServerMessage, /) -> None:
        """The server said something, after its join response."""
        ...

    def on_link_lost(self, why: str, /) -> None:
        """The connection broke, or the server fell silent."""
        ...


class Link:
    """A WebSocket with a :class:`SignalProtocol` on it.

    Args:
        network: opens the WebSocket.
        handler: hears of messages from :meth:`start` on.
        token: what we join with.
    """

    def __init__(self, network: Network, handler: LinkHandler, token: str) -> None:
        self.protocol = SignalProtocol(token)
        self._network = network
        self._handler = handler
        self._socket: WebSocket | None = None
        self._opened: asyncio.Future[None] | None = None
        self._joined: asyncio.Future[JoinResponse] | None = None
        self._ping: asyncio.TimerHandle | None = None
        self._ping_due = 0.0
        self._inbox: list[ServerMessage] | None = []  # what came before start(); None from then on

    async def open(self, url: str, *, timeout: float, last_words: bool = True) -> JoinResponse:
        """Connect and join.

        Args:
            url: with the query that joins.
            timeout: seconds for the WebSocket to open; the first message then has 5 s.
            last_words: let the page say goodbye for us when it is left.

        Raises:
            ConnectError: ``WEBSOCKET`` when it does not open, which alone does not tell why; ``TIMEOUT``,
                ``LEAVE_REQUEST`` or ``INTERNAL_ERROR`` for what the server did after that.
        """
        loop = asyncio.get_running_loop()
        self._opened, self._joined = loop.create_future(), loop.create_future()
        self._socket = self._network.open_websocket(url, self)
        try:
            await self._wait(self._opened, timeout, "the signalling connection did not open")
            if last_words:
                self._prepare_last_words()
            return await self._wait(self._joined, FIRST_MESSAGE_TIMEOUT, "the server did not answer the join")
        except BaseException:
            self.close()
            raise

    def _prepare_last_words(self) -> None:
        if self._socket is not None:  # it may have opened and closed in one turn
            self._socket.set_last_words(wire.encode_request(LEAVE))

    @staticmethod
    async def _wait(future: asyncio.Future[_T], timeout: float, what: str) -> _T:
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise ConnectError(f"{what} within {timeout:g} s", ConnectErrorReason.TIMEOUT) from error

    def start(self) -> None:
        """Deliver what has come since the join, and from now on at once. For when the joiner is ready."""
        inbox, self._inbox = self._inbox or [], None
        for message in inbox:
            self._handler.on_signal(message)

    def send(self, message: ClientMessage) -> None:
        """Send a message; nothing is sent after the end."""
        self.protocol.send(message)
        self._flush()

    def close(self) -> None:
        """Say goodbye if there is anybody to hear it, and close. The handler hears nothing more."""
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        socket, self._socket = self._socket, None
        for future in (self._opened, self._joined):
            if future is not None and not future.done():
                future.cancel()
        if socket is None:
            return
        if self._opened is not None and self._opened.done() and not self._opened.cancelled():
            self.protocol.leave()
            for frame in self.protocol.data_to_send():
                socket.send(frame)
        socket.close()

    # -- from the WebSocket --

    def on_open(self) -> None:
        """The WebSocket is open."""
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    def on_message(self, data: bytes | str) -> None:
        """A frame came."""
        if isinstance(data, str):
            _log.debug("ignored a text frame")
            return
        joining = self.protocol.state is SignalState.JOINING
        try:
            message = self.protocol.receive(data, self._now())
        except LiveKitError as error:
            self._refuse(error)
            return
        self._flush()
        if joining and isinstance(message, JoinResponse):
            self._schedule_ping()
            self._keep_alive()
            if self._joined is not None and not self._joined.done():
                self._joined.set_result(message)
        elif message is not None and self._inbox is not None:
            self._inbox.append(message)
        elif message is not None:
            self._handler.on_signal(message)

    def on_close(self, code: int, reason: str) -> None:
        """The WebSocket closed, or never opened."""
        self._socket = None
        text = f"the signalling connection was closed ({code}{f': {reason}' if reason else ''})"
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(
                ConnectError("the signalling connection could not be opened", ConnectErrorReason.WEBSOCKET)
            )
        elif self._joined is not None and not self._joined.done():
            self._joined.set_exception(ConnectError(text, ConnectErrorReason.INTERNAL_ERROR))
        else:
            self._lost(text)

    def _refuse(self, error: LiveKitError) -> None:
        if self._joined is not None and not self._joined.done():
            if isinstance(error, ConnectError):
                self._joined.set_exception(error)
                return
            failure = ConnectError(f"the server's answer was {error}", ConnectErrorReason.INTERNAL_ERROR)
            failure.__cause__ = error
            self._joined.set_exception(failure)
        elif isinstance(error, ProtocolError):
            # One frame that cannot be read says nothing of the next: the frames of a WebSocket are whole.
            _log.warning("ignored a frame from the server: %s", error)

    def _lost(self, why: str) -> None:
        self.close()
        _log.info("signalling lost: %s", why)
        self._handler.on_link_lost(why)

    def _flush(self) -> None:
        if self._socket is not None:
            for frame in self.protocol.data_to_send():
                self._socket.send(frame)

    # -- pings --

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _keep_alive(self) -> None:
        keep_alive = self.protocol.keep_alive
        if keep_alive is not None and self._socket is not None:
            self._socket.set_keep_alive(*keep_alive)

    def _schedule_ping(self) -> None:
        wake = self.protocol.wake_at
        if wake is not None and self._socket is not None:
            self._ping_at(wake)

    def _ping_at(self, when: float) -> None:
        self._ping_due = when
        # Not call_at: Pyodide's loop refuses a time that has passed meanwhile.
        self._ping = asyncio.get_running_loop().call_later(max(0.0, when - self._now()), self._on_ping)

    def _on_ping(self) -> None:
        self._ping = None
        now = self._now()
        if now - self._ping_due > OVERSLEPT:
            # Somebody blocked the thread: what the server has sent meanwhile is still to be read.
            self._ping_at(now + GRACE)
            return
        if not self.protocol.poll(now):
            self._lost("ping timeout: the server has been silent")
            return
        self._flush()
        self._schedule_ping()
