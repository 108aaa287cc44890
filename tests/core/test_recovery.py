"""What is done when a connection breaks."""

from __future__ import annotations

import pytest

from lk_pyodide.core.messages import LeaveAction, LeaveRequest
from lk_pyodide.core.recovery import DELAYS, Attempts, after_leave, is_final
from lk_pyodide.errors import (
    BrowserError,
    ConnectError,
    ConnectionLostError,
    LiveKitError,
    UnsupportedServer,
    UsageError,
)
from lk_pyodide.types import ConnectErrorReason, DisconnectReason


@pytest.mark.parametrize(
    ("leave", "final"),
    [
        (LeaveRequest(), True),
        (LeaveRequest(action=LeaveAction.RESUME), False),
        (LeaveRequest(action=LeaveAction.RECONNECT), False),
        (LeaveRequest(action=99), True),
        (LeaveRequest(can_reconnect=True), False),  # older servers know no action
        (LeaveRequest(can_reconnect=True, action=99), True),
    ],
)
def test_a_leave(leave: LeaveRequest, final: bool) -> None:
    loss = after_leave(leave)
    assert (loss.final, loss.reason) == (final, DisconnectReason.UNKNOWN_REASON)


def test_a_leave_keeps_its_reason() -> None:
    assert after_leave(LeaveRequest(reason=DisconnectReason.ROOM_DELETED)).reason == DisconnectReason.ROOM_DELETED
    assert after_leave(LeaveRequest(reason=1000)).reason == 1000


def _refused(reason: ConnectErrorReason, leave: DisconnectReason | int | None = None) -> ConnectError:
    return ConnectError("no", reason, disconnect_reason=leave)


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (_refused(ConnectErrorReason.NOT_ALLOWED), True),
        (_refused(ConnectErrorReason.CANCELLED), True),
        (_refused(ConnectErrorReason.SERVER_UNREACHABLE), False),
        (_refused(ConnectErrorReason.TIMEOUT), False),
        (_refused(ConnectErrorReason.WEBSOCKET), False),
        (_refused(ConnectErrorReason.INTERNAL_ERROR), False),
        (_refused(ConnectErrorReason.LEAVE_REQUEST, DisconnectReason.DUPLICATE_IDENTITY), True),
        (_refused(ConnectErrorReason.LEAVE_REQUEST, DisconnectReason.SERVER_SHUTDOWN), False),
        (_refused(ConnectErrorReason.LEAVE_REQUEST, 1000), False),
        (ConnectionLostError("again"), False),
        (BrowserError("odd"), False),
        (UsageError("wrong"), True),
        (UnsupportedServer("old"), True),
    ],
)
def test_which_failures_are_final(error: LiveKitError, final: bool) -> None:
    assert is_final(error) is final


def test_attempts_end() -> None:
    """As livekit-client makes them: the first at once, jitter from the third on, ten in all."""
    attempts = Attempts()
    delays = []
    while (delay := attempts.next_delay(0.5)) is not None:
        delays.append(delay)
    assert delays == [0.0, 0.3, *(delay + 0.5 for delay in DELAYS[2:])]
    assert attempts.next_delay(0.5) is None
