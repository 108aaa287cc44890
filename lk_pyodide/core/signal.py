"""The signalling protocol: what may come when, request ids, pings (``livekit_rtc.proto``).

Sans-I/O: after each call take :meth:`SignalProtocol.data_to_send`; time comes in as ``now``, in seconds of any clock
that never goes back.
"""

from __future__ import annotations

from enum import Enum

from lk_pyodide.core import wire
from lk_pyodide.core.messages import (
    Capability,
    ClientMessage,
    JoinResponse,
    LeaveAction,
    LeaveRequest,
    LegacyPing,
    Ping,
    Pong,
    RefreshToken,
    ServerMessage,
)
from lk_pyodide.errors import ConnectError, ProtocolError
from lk_pyodide.types import ConnectErrorReason, DisconnectReason

PROTOCOL_VERSION = 17
"""Generation of the signalling protocol that we speak (livekit-server ``CurrentProtocol``)."""

CLIENT_PROTOCOL = 2
"""What peers may send us: from 1 on calls over text streams, from 2 on streams in one packet."""

CAPABILITIES = (Capability.CAP_COMPRESSION_DEFLATE_RAW,)
"""What else they may send us: streams that are compressed."""

SDK_PYTHON = 9
"""``ClientInfo.SDK.PYTHON``: the server then takes browser and OS from ClientInfo, not from the user agent."""

FIRST_MESSAGE_TIMEOUT = 5.0
"""Seconds that the server has for its first message."""

LEAVE = LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED, action=LeaveAction.DISCONNECT)


class SignalState(Enum):
    """Where the protocol stands."""

    JOINING = "joining"
    OPEN = "open"
    CLOSED = "closed"


class SignalProtocol:
    """One signalling connection.

    Args:
        token: what we joined with; replaced by each that the server sends.
    """

    def __init__(self, token: str = "") -> None:
        self.state = SignalState.JOINING
        self.token = token
        self.rtt = 0.0
        self._outgoing: list[bytes] = []
        self._request_id = 0
        self._ping_interval = 0.0
        self._ping_timeout = 0.0
        self._next_ping = 0.0
        self._silent_since = 0.0

    def receive(self, data: bytes, now: float) -> ServerMessage | None:
        """Take one frame.

        Returns:
            What the session has to act on, or None when there is nothing to do.

        Raises:
            ProtocolError: the frame is not the protocol; the connection should be given up.
            ConnectError: the server answered the join with a Leave, or with something else than a join.
        """
        self._silent_since = now
        message = wire.decode_response(data)
        if self.state is SignalState.JOINING:
            return self._first(message, now)
        match message:
            case Pong(last_ping_timestamp=sent):
                self.rtt = max(0.0, now - sent / 1000)
                return None
            case RefreshToken(token):
                self.token = token
            case LeaveRequest():
                self.state = SignalState.CLOSED
            case _:
                pass
        return message

    def _first(self, message: ServerMessage | None, now: float) -> JoinResponse:
        match message:
            case JoinResponse():
                self.state = SignalState.OPEN
                self._ping_interval = float(message.ping_interval)
                self._ping_timeout = float(message.ping_timeout)
                self._next_ping = now + self._ping_interval
                return message
            case LeaveRequest():
                self.state = SignalState.CLOSED
                raise ConnectError(
                    "the server answered the join with a Leave",
                    ConnectErrorReason.LEAVE_REQUEST,
                    disconnect_reason=message.reason,
                )
            case _:
                self.state = SignalState.CLOSED
                raise ConnectError(
                    f"the server's first message was not a join ({type(message).__name__})",
                    ConnectErrorReason.INTERNAL_ERROR,
                ) from ProtocolError("the first message must be a join")

    def send(self, message: ClientMessage) -> None:
        """Queue a message; nothing is sent once the protocol has closed."""
        if self.state is not SignalState.CLOSED:
            self._outgoing.append(wire.encode_request(message))

    def leave(self) -> None:
        """Queue our goodbye, and close."""
        self.send(LEAVE)
        self.state = SignalState.CLOSED

    def data_to_send(self) -> list[bytes]:
        """Take the frames that are to be sent, in order."""
        frames, self._outgoing = self._outgoing, []
        return frames

    def next_request_id(self) -> int:
        """A new id for a request that the server answers with a RequestResponse."""
        self._request_id += 1
        return self._request_id

    @property
    def keep_alive(self) -> tuple[bytes, float] | None:
        """A frame that anyone may send for us after so many seconds without another; None while there are no pings.

        It is the older ping: what answers it is ignored, so it need not know the time.
        """
        if not self._ping_interval:
            return None
        return wire.encode_request(LegacyPing(0)), 1.2 * self._ping_interval

    @property
    def wake_at(self) -> float | None:
        """When :meth:`poll` wants to be called next; None while there are no pings."""
        if self.state is not SignalState.OPEN or not self._ping_interval:
            return None
        if not self._ping_timeout:
            return self._next_ping
        return min(self._next_ping, self._silent_since + self._ping_timeout)

    def poll(self, now: float) -> bool:
        """Queue the pings that are due.

        Both kinds of ping are sent, as livekit-client does: some servers know only the older one.

        Returns:
            False when the server has been silent for its ping timeout: the connection is dead.
        """
        if self.wake_at is None:
            return True
        if self._ping_timeout and now - self._silent_since >= self._ping_timeout:
            return False
        if now >= self._next_ping:
            self._next_ping = now + self._ping_interval
            self.send(LegacyPing(int(now * 1000)))
            self.send(Ping(timestamp=int(now * 1000), rtt=int(self.rtt * 1000)))
        return True
