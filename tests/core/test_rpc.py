"""Limits, errors and timeouts of remote procedure calls."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc, wire
from lk_pyodide.core.rpc import Code
from lk_pyodide.errors import RpcError, UsageError

LARGEST = "ä" * (rpc.MAX_PAYLOAD // 2)
ANY_TEXT = st.text(st.characters(codec=None))
"""Lone surrogates as well."""


def code(check: Callable[..., object], *arguments: object, **how: object) -> int:
    """Why something is refused."""
    with pytest.raises(RpcError) as caught:
        check(*arguments, **how)
    return caught.value.code


def test_every_code_has_its_words() -> None:
    assert set(rpc.TEXTS) == set(Code)
    error = rpc.error(Code.RECIPIENT_NOT_FOUND)
    assert (error.code, error.message, error.data) == (1401, "Recipient not found", "")


def test_payloads_are_measured_in_bytes() -> None:
    rpc.check_payload("x" * rpc.MAX_PAYLOAD, as_stream=False)
    rpc.check_payload(LARGEST, as_stream=False)
    assert code(rpc.check_payload, LARGEST + "x", as_stream=False) == Code.REQUEST_PAYLOAD_TOO_LARGE
    assert rpc.response("1", LARGEST, as_stream=False) == m.RpcResponse("1", payload=LARGEST)
    assert code(rpc.response, "1", LARGEST + "x", as_stream=False) == Code.RESPONSE_PAYLOAD_TOO_LARGE


def test_texts_may_have_any_length() -> None:
    rpc.check_payload(LARGEST * 100, as_stream=True)
    assert rpc.response("1", LARGEST * 100, as_stream=True).payload == LARGEST * 100


@pytest.mark.parametrize("as_stream", [False, True])
@pytest.mark.parametrize("payload", [b"bytes", None, 5, "\ud800", "half of a pair: \udfff"])
def test_what_is_no_text_is_the_callers_mistake(payload: object, as_stream: bool) -> None:
    with pytest.raises(UsageError, match="payload"):
        rpc.check_payload(payload, as_stream=as_stream)


@pytest.mark.parametrize("version", ["1.7.2", "0.15.7", "1.7.99-rc1"])
def test_older_servers_pass_nothing_on(version: str) -> None:
    assert code(rpc.check_server, version) == Code.UNSUPPORTED_SERVER


@pytest.mark.parametrize("version", ["1.8.0", "1.8.0-rc1", "1.10.0", "2.0.0", "", "dev"])
def test_newer_and_unknown_servers_are_trusted(version: str) -> None:
    rpc.check_server(version)


@pytest.mark.parametrize(
    ("info", "takes"), [(None, False), *((m.ParticipantInfo(client_protocol=n), n > 0) for n in range(4))]
)
def test_who_takes_texts(info: m.ParticipantInfo | None, takes: bool) -> None:
    assert rpc.takes_streams(info) == takes


def test_calls_as_texts() -> None:
    request = m.RpcRequest("1", "greet", "hi", 8500, 1)
    attributes = rpc.request_attributes(request)
    assert attributes == {
        "lk.rpc_request_id": "1",
        "lk.rpc_request_method": "greet",
        "lk.rpc_request_response_timeout_ms": "8500",
        "lk.rpc_request_version": "2",
    }
    assert rpc.read_request(attributes) == m.RpcRequest("1", "greet", "", 8500, 2)
    assert rpc.request_of(attributes) == rpc.request_of(rpc.response_attributes("1")) == "1"
    longest = m.RpcRequest("1", "greet", "", rpc.sent_timeout_ms(rpc.MAX_TIMEOUT), 2)
    assert rpc.read_request(rpc.request_attributes(longest)) == longest
    fraction = rpc.read_request({**attributes, "lk.rpc_request_response_timeout_ms": "8000.25"})
    assert fraction is not None and fraction.response_timeout_ms == 8000, "JavaScript has no integers"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", ""),
        ("response_timeout_ms", ""),
        ("response_timeout_ms", "NaN"),
        ("response_timeout_ms", "-1"),
        ("response_timeout_ms", "1" * 5000),
        ("version", ""),
        ("version", "٢"),
        ("version", "two"),
    ],
)
def test_calls_as_texts_that_say_too_little(name: str, value: str) -> None:
    attributes = rpc.request_attributes(m.RpcRequest("1", "greet", "hi", 8500, 1))
    with pytest.raises(RpcError, match="Application error") as caught:
        rpc.read_request({**attributes, f"lk.rpc_request_{name}": value})
    assert (caught.value.code, caught.value.data) == (Code.APPLICATION_ERROR, "RPC data stream malformed")
    assert rpc.read_request({**attributes, "lk.rpc_request_id": ""}) is None
    assert rpc.read_request({}) is None
    assert rpc.unreadable("request").data == "Error reading RPC request payload"


def test_a_callers_patience() -> None:
    assert rpc.patience(None) == 15
    assert rpc.patience(0.5) == 0.5
    assert rpc.patience(math.inf) == rpc.patience(1e12) == rpc.MAX_TIMEOUT
    for wrong in (0, -1, math.nan, -math.inf):
        with pytest.raises(UsageError, match="response_timeout"):
            rpc.patience(wrong)


def test_what_is_sent_of_it() -> None:
    assert [rpc.sent_timeout_ms(seconds) for seconds in (0.5, 8, 10.25)] == [8000, 8000, 10250]
    assert rpc.sent_timeout_ms(rpc.MAX_TIMEOUT) < 2**32


def test_the_time_to_answer() -> None:
    assert rpc.time_to_answer(m.RpcRequest(response_timeout_ms=8500)) == 8.5
    assert rpc.time_to_answer(m.RpcRequest()) == 15


@pytest.mark.parametrize("as_stream", [False, True])
def test_results(as_stream: bool) -> None:
    assert rpc.response("1", None, as_stream=as_stream) == m.RpcResponse("1", payload="")
    assert rpc.response("1", "", as_stream=as_stream) == m.RpcResponse("1", payload="")
    with pytest.raises(TypeError, match="a str or None, not dict"):
        rpc.response("1", {}, as_stream=as_stream)
    with pytest.raises(UnicodeEncodeError):
        rpc.response("1", "\ud800", as_stream=as_stream)


def test_errors_are_cut_to_size_between_characters() -> None:
    long = rpc.failure("1", RpcError(2**32 - 1, "😀" * 100, "xä" * 10_000)).error
    assert long is not None
    assert (long.code, long.message) == (2**32 - 1, "😀" * 64)
    assert rpc.size(long.data) == rpc.MAX_PAYLOAD and long.data == "xä" * 5120
    assert rpc.failure("1", RpcError(7, "xxä" * 85 + "xä")).error == m.RpcError(7, "xxä" * 64)


def test_answers() -> None:
    assert rpc.read(m.RpcResponse("1", payload="x")) == "x"
    assert rpc.read(m.RpcResponse("1")) == ""
    with pytest.raises(RpcError) as caught:
        rpc.read(m.RpcResponse("1", error=m.RpcError(77, "no", "why")))
    assert (caught.value.code, caught.value.message, caught.value.data) == (77, "no", "why")


@given(st.integers(0, 2**32 - 1), ANY_TEXT, ANY_TEXT)
def test_every_error_can_be_sent(number: int, message: str, data: str) -> None:
    answer = rpc.failure("1", RpcError(number, message, data))
    packet = wire.decode_packet(wire.encode_packet(m.DataPacket(answer)))
    assert packet.value == answer
    with pytest.raises(RpcError) as caught:
        rpc.read(answer)
    assert caught.value.code == number


@given(ANY_TEXT, st.integers(0, 20))
def test_a_cut_text_is_the_beginning_of_it(text: str, limit: int) -> None:
    cut = rpc.truncated(text, limit)
    whole = text.encode(errors="replace").decode()
    assert whole.startswith(cut)
    rest = whole[len(cut) :]
    assert rpc.size(cut) <= limit and (not rest or rpc.size(cut + rest[0]) > limit)
