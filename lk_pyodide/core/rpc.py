"""Remote procedure calls: limits, what errors say, which answers count.

Version 1 of the protocol sends a call and its answer as a packet each. Version 2 sends them as texts, of any length;
acknowledgements and errors are packets all the same. Which of the two is for the client protocol of whoever gets it to
say (livekit-client ``rpc/RpcClientManager.ts``, ``rpc/RpcServerManager.ts``, ``rpc/utils.ts``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lk_pyodide.core import messages as m
from lk_pyodide.errors import RpcError, UsageError

VERSION = 1
STREAM_VERSION = 2
STREAM_PROTOCOL = 1
"""``client_protocol`` from which a participant takes calls and answers as texts."""
REQUEST_TOPIC, RESPONSE_TOPIC = "lk.rpc_request", "lk.rpc_response"
_ID, _METHOD = "lk.rpc_request_id", "lk.rpc_request_method"
_TIMEOUT, _VERSION = "lk.rpc_request_response_timeout_ms", "lk.rpc_request_version"
MAX_PAYLOAD = 15_360
"""Bytes of UTF-8 of the payload of a request or a response that is a packet, and of an error's data."""
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
CALL_OVERHEAD = 4096
"""Bytes that a call counts for, besides its payload, while it is answered."""
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


class Workload:
    """How much the calls of each caller occupy while they are answered.

    Args:
        limit: bytes that one caller may occupy.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, int] = {}

    def take(self, caller: str, size: int) -> bool:
        """Count more of a caller's; False when it would be too much, and then it is not counted."""
        held = self._held.get(caller, 0) + size
        if held > self._limit:
            return False
        self._held[caller] = held
        return True

    def release(self, caller: str, size: int) -> None:
        """So much of a caller's is done."""
        held = self._held.pop(caller, 0) - size
        if held:
            self._held[caller] = held


def error(code: RpcError.ErrorCode) -> RpcError:
    """LiveKit's own error of this code."""
    return RpcError(code, TEXTS[code])


def takes_streams(info: m.ParticipantInfo | None) -> bool:
    """Whether calls and answers may go to this participant as texts."""
    return info is not None and info.client_protocol >= STREAM_PROTOCOL


def check_server(version: str) -> None:
    """Refuse what the server would not pass on.

    Raises:
        RpcError: it is too old.
    """
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if numbers is not None and tuple(map(int, numbers.groups())) < MIN_SERVER:
        raise error(Code.UNSUPPORTED_SERVER)


def check_payload(payload: object, *, as_stream: bool) -> None:
    """Refuse what cannot be sent with a call.

    Raises:
        UsageError: the payload is no text, or none that UTF-8 can say.
        RpcError: it is too large for a packet.
    """
    if not isinstance(payload, str):
        raise UsageError(f"a payload is a str, not {type(payload).__name__}: encode it, as JSON for example")
    try:
        length = size(payload)
    except UnicodeEncodeError as problem:
        raise UsageError(f"the payload cannot be sent: {problem}") from problem
    if length > MAX_PAYLOAD and not as_stream:
        raise error(Code.REQUEST_PAYLOAD_TOO_LARGE)


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


def request_attributes(request: m.RpcRequest) -> dict[str, str]:
    """What a text says that is a call."""
    return {
        _ID: request.id,
        _METHOD: request.method,
        _TIMEOUT: f"{request.response_timeout_ms}",
        _VERSION: f"{STREAM_VERSION}",
    }


def read_request(attributes: Mapping[str, str]) -> m.RpcRequest | None:
    """The call that a text with these attributes is, but for its payload; None when it cannot even be answered.

    Raises:
        RpcError: it can be answered, with this.
    """
    request_id = request_of(attributes)
    if not request_id:
        return None
    method, timeout, version = (attributes.get(name, "") for name in (_METHOD, _TIMEOUT, _VERSION))
    milliseconds, number = _NUMBER.fullmatch(timeout), _NUMBER.fullmatch(version)
    if not method or milliseconds is None or number is None:
        raise RpcError(Code.APPLICATION_ERROR, TEXTS[Code.APPLICATION_ERROR], "RPC data stream malformed")
    return m.RpcRequest(request_id, method, "", int(milliseconds[1]), int(number[1]))


_NUMBER = re.compile(r"([0-9]{1,10})(\.[0-9]*)?")


def unreadable(what: str) -> RpcError:
    """The error for a payload (of a ``request`` or a ``response``) that did not come as it should."""
    return RpcError(Code.APPLICATION_ERROR, TEXTS[Code.APPLICATION_ERROR], f"Error reading RPC {what} payload")


def overload() -> RpcError:
    """The error for a call whose payload is more than its caller may occupy here."""
    return RpcError(Code.APPLICATION_ERROR, TEXTS[Code.APPLICATION_ERROR], "Too much is being answered already")


def response_attributes(request_id: str) -> dict[str, str]:
    """What a text says that is an answer."""
    return {_ID: request_id}


def request_of(attributes: Mapping[str, str]) -> str:
    """The id of the call that a text is, or answers; empty when it does not say."""
    return attributes.get(_ID, "")


def response(request_id: str, result: object, *, as_stream: bool) -> m.RpcResponse:
    """What a handler's result becomes; None is an empty text.

    Raises:
        RpcError: it is too large for a packet.
        TypeError: it is no text.
        UnicodeEncodeError: UTF-8 cannot say it.
    """
    payload = "" if result is None else result
    if not isinstance(payload, str):
        raise TypeError(f"a handler returns a str or None, not {type(payload).__name__}")
    if size(payload) > MAX_PAYLOAD and not as_stream:
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
