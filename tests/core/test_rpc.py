"""Limits, errors and timeouts of remote procedure calls."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc, wire
from lk_pyodide.core.rpc import Code
from lk_pyodide.errors import RpcError, UsageError

NEW = "1.13.5"
LARGEST = "ä" * (rpc.MAX_PAYLOAD // 2)
ANY_TEXT = st.text(st.characters(codec=None))
"""Lone surrogates as well."""


def code(payload: object, server_version: str) -> int:
    """Why a request is refused."""
    with pytest.raises(RpcError) as caught:
        rpc.check_request(payload, server_version)
    return caught.value.code


def test_every_code_has_its_words() -> None:
    assert set(rpc.TEXTS) == set(Code)
    error = rpc.error(Code.RECIPIENT_NOT_FOUND)
    assert (error.code, error.message, error.data) == (1401, "Recipient not found", "")


def test_payloads_are_measured_in_bytes() -> None:
    rpc.check_request("x" * rpc.MAX_PAYLOAD, NEW)
    rpc.check_request(LARGEST, NEW)
    assert code(LARGEST + "x", NEW) == Code.REQUEST_PAYLOAD_TOO_LARGE
    assert rpc.response("1", LARGEST) == m.RpcResponse("1", payload=LARGEST)
    with pytest.raises(RpcError) as caught:
        rpc.response("1", LARGEST + "x")
    assert caught.value.code == Code.RESPONSE_PAYLOAD_TOO_LARGE


@pytest.mark.parametrize("payload", [b"bytes", None, 5, "\ud800", "half of a pair: \udfff"])
def test_what_is_no_text_is_the_callers_mistake(payload: object) -> None:
    with pytest.raises(UsageError, match="payload"):
        rpc.check_request(payload, NEW)


@pytest.mark.parametrize("version", ["1.7.2", "0.15.7", "1.7.99-rc1"])
def test_older_servers_pass_nothing_on(version: str) -> None:
    assert code("", version) == Code.UNSUPPORTED_SERVER


@pytest.mark.parametrize("version", ["1.8.0", "1.8.0-rc1", "1.10.0", "2.0.0", "", "dev"])
def test_newer_and_unknown_servers_are_trusted(version: str) -> None:
    rpc.check_request("", version)


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


def test_results() -> None:
    assert rpc.response("1", None) == rpc.response("1", "") == m.RpcResponse("1", payload="")
    with pytest.raises(TypeError, match="a str or None, not dict"):
        rpc.response("1", {})
    with pytest.raises(UnicodeEncodeError):
        rpc.response("1", "\ud800")


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
