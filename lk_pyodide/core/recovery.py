"""What is done when a connection breaks, and how often it is tried again.

Rules: livekit-client ``RTCEngine.ts`` (``handleDisconnect``, leave requests) and ``DefaultReconnectPolicy.ts``.
"""

from __future__ import annotations

from dataclasses import dataclass

from lk_pyodide.core.messages import LeaveAction, LeaveRequest
from lk_pyodide.errors import ConnectError, LiveKitError, UnsupportedServer, UsageError
from lk_pyodide.types import ConnectErrorReason, DisconnectReason

DELAYS = (0.0, 0.3, 1.2, 2.7, 4.8, 7.0, 7.0, 7.0, 7.0, 7.0)
"""Seconds before each attempt to join again; after the last of them the room is given up."""

JITTER_FROM = 2
"""From this attempt on up to a second more is waited, so that a server's clients do not come back all at once."""

FINAL_REASONS = frozenset(
    {
        DisconnectReason.CLIENT_INITIATED,
        DisconnectReason.DUPLICATE_IDENTITY,
        DisconnectReason.PARTICIPANT_REMOVED,
        DisconnectReason.ROOM_DELETED,
        DisconnectReason.ROOM_CLOSED,
        DisconnectReason.USER_REJECTED,
        DisconnectReason.USER_UNAVAILABLE,
    }
)
"""Why the server sends somebody away who is not to come back by himself."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A connection is over.

    Args:
        why: for people.
        reason: what ``disconnected`` tells if there is no other connection after it.
        final: whether there is to be no other.
    """

    why: str
    reason: DisconnectReason | int
    final: bool = False


def after_leave(leave: LeaveRequest) -> Loss:
    """What the server's Leave means. Only what is known to ask for another connection does."""
    action = leave.action
    name = action.name.lower() if isinstance(action, LeaveAction) else f"action {action}"
    again = action in (LeaveAction.RESUME, LeaveAction.RECONNECT) or (leave.can_reconnect and not action)
    return Loss(f"the server said leave ({name})", leave.reason, final=not again)


def is_final(error: LiveKitError) -> bool:
    """Whether joining again cannot help after joining failed with this."""
    if isinstance(error, ConnectError):
        if error.reason is ConnectErrorReason.LEAVE_REQUEST:
            return error.disconnect_reason in FINAL_REASONS
        return error.reason in (ConnectErrorReason.NOT_ALLOWED, ConnectErrorReason.CANCELLED)
    return isinstance(error, UsageError | UnsupportedServer)


class Attempts:
    """The attempts to get back into a room."""

    def __init__(self) -> None:
        self._made = 0

    def next_delay(self, jitter: float) -> float | None:
        """Seconds to wait before the next attempt; None when there have been enough.

        Args:
            jitter: a random number, 0 to 1.
        """
        if self._made >= len(DELAYS):
            return None
        delay = DELAYS[self._made] + (jitter if self._made >= JITTER_FROM else 0.0)
        self._made += 1
        return delay
