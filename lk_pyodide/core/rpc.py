"""Remote procedure calls over data packets: limits, what errors say, which answers count.

Version 1 of the protocol (livekit-client ``rpc/RpcClientManager.ts``, ``rpc/RpcServerManager.ts``, ``rpc/utils.ts``).
"""

from __future__ import annotations

import re

from lk_pyodide.core import messages as m
from lk_pyodide.errors import RpcError, UsageError

VERSION = 1
MAX_PAYLOAD = 15_360
"""Bytes of UTF-8 of a request's or a response's payload, and of an error's data."""
MAX_MESSAGE = 256
"""Bytes of UTF-8 of an error's message."""
ACK_TIMEOUT = 7.0
"""Seconds for the other side to say that it has got the call."""
RESPONSE_TIMEOUT = 15.0
"""Seconds for the answer, unless the caller says otherwise."""
MIN_SENT_TIMEOUT = 8.0
"""Seconds that the other side is given at least: the way there counts as well."""
MAX_TIMEOUT = 4_294_967.0
"""Seconds that a request can say (2³² ms, seven weeks)."""
MIN_SERVER = (1, 8, 0)
"""The first livekit-server that passes calls on."""

Code = RpcError.ErrorCode
TEXTS = {
    Code.UNSUPPORTED_METHOD: "Method not supported at destination",
    Code.RECIPIENT_NOT_FOUND: "Recipient not found",
    Code.REQUEST_PAYLOAD_TOO_LARGE: "Request payload too large",
    Code.UNSUPPORTED_SERVER: "RPC not supported by server",
    Code.UNSUPPORTED_VERSION: "Unsupported RPC version",
    Code.APPLICATION_ERROR: "Application error in method handler",
    Code.CONNECTION_TIMEOUT: "Connection timeout",
    Code.RESPONSE_TIMEOUT: "Response timeout",
    Code.RECIPIENT_DISCONNECTED: "Recipient disconnected",
    Code.RESPONSE_PAYLOAD_TOO_LARGE: "Response payload too large",
    Code.SEND_FAILED: "Failed to send",
}
"""What each code says: the same words in every SDK."""


def error(code: RpcError.ErrorCode) -> RpcError:
    """LiveKit's own error of this code."""
    return RpcError(code, TEXTS[code])


def check_request(payload: object, server_version: str) -> None:
    """Refuse what cannot be called.

    Raises:
        UsageError: the payload is no text, or none that UTF-8 can say.
        RpcError: it is too large, or the server too old.
    """
    if not isinstance(payload, str):
        raise UsageError(f"a payload is a str, not {type(payload).__name__}: encode it, as JSON for example")
    try:
        too_large = size(payload) > MAX_PAYLOAD
    except UnicodeEncodeError as problem:
        raise UsageError(f"the payload cannot be sent: {problem}") from problem
    if too_large:
        raise error(Code.REQUEST_PAYLOAD_TOO_LARGE)
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", server_version)
    if numbers is not None and tuple(map(int, numbers.groups())) < MIN_SERVER:
        raise error(Code.UNSUPPORTED_SERVER)


def patience(response_timeout: float | None) -> float:
    """Seconds that a caller waits for the answer.

    Raises:
        UsageError: it is not positive.
    """
    if response_timeout is None:
        return RESPONSE_TIMEOUT
    if not response_timeout > 0:
        raise UsageError(f"response_timeout is a number of seconds above 0, not {response_timeout}")
    return min(response_timeout, MAX_TIMEOUT)


def sent_timeout_ms(seconds: float) -> int:
    """What the other side is told of the caller's patience."""
    return int(max(seconds, MIN_SENT_TIMEOUT) * 1000)


def time_to_answer(request: m.RpcRequest) -> float:
    """Seconds that the handler has."""
    return request.response_timeout_ms / 1000 or RESPONSE_TIMEOUT


def response(request_id: str, result: object) -> m.RpcResponse:
    """What a handler's result becomes; None is an empty text.

    Raises:
        RpcError: it is too large.
        TypeError: it is no text.
        UnicodeEncodeError: UTF-8 cannot say it.
    """
    payload = "" if result is None else result
    if not isinstance(payload, str):
        raise TypeError(f"a handler returns a str or None, not {type(payload).__name__}")
    if size(payload) > MAX_PAYLOAD:
        raise error(Code.RESPONSE_PAYLOAD_TOO_LARGE)
    return m.RpcResponse(request_id, payload=payload)


def failure(request_id: str, problem: RpcError) -> m.RpcResponse:
    """What an error becomes."""
    fault = m.RpcError(problem.code, truncated(problem.message, MAX_MESSAGE), truncated(problem.data, MAX_PAYLOAD))
    return m.RpcResponse(request_id, error=fault)


def read(answer: m.RpcResponse) -> str:
    """The payload of an answer.

    Raises:
        RpcError: it is an error.
    """
    if answer.error is not None:
        raise RpcError(answer.error.code, answer.error.message, answer.error.data)
    return answer.payload or ""


def size(text: str) -> int:
    """Bytes of UTF-8.

    Raises:
        UnicodeEncodeError: half a surrogate pair is no character.
    """
    return len(text.encode())


def truncated(text: str, limit: int) -> str:
    """The beginning of a text that fits into so many bytes, without half a character at the end."""
    return text.encode(errors="replace")[:limit].decode(errors="ignore")
