"""Remote procedure calls between all makes of client: each calls each."""

import asyncio
import time

import pytest

from lk_pyodide import RpcError
from lk_pyodide.core.rpc import ACK_TIMEOUT, MAX_PAYLOAD
from tests.e2e.conftest import Party
from tests.harness.peers import REFUSED, Peer, RpcMethod, RpcOutcome

Code = RpcError.ErrorCode


async def _offer(party: Party, *methods: RpcMethod) -> None:
    for peer in party.all:
        for method in methods:
            await peer.register_rpc(method)


def _with_us(party: Party) -> list[tuple[Peer, Peer]]:
    """(caller, callee) of which one at least is ours."""
    return [(caller, callee) for caller, callee in party.pairs() if caller in party.ours or callee in party.ours]


async def test_results_and_errors(party: Party) -> None:
    """A result, an error of the handler's own, one that is nobody's business, and a method that is not there."""
    await _offer(party, "echo", "refuse", "crash")
    for caller, callee in party.pairs():
        names = f"{caller.identity} to {callee.identity}"
        assert await caller.perform_rpc(callee.identity, "echo", f"{names} 🦊") == RpcOutcome(f"{names} 🦊")
        assert await caller.perform_rpc(callee.identity, "echo", "") == RpcOutcome("")
        assert await caller.perform_rpc(callee.identity, "refuse", "x") == REFUSED, names
        assert (await caller.perform_rpc(callee.identity, "unknown", "x")).code == Code.UNSUPPORTED_METHOD, names
        crashed = await caller.perform_rpc(callee.identity, "crash", "x")
        assert crashed.code == Code.APPLICATION_ERROR, names
        if callee in party.ours:
            assert crashed == RpcOutcome(code=1500, message="Application error in method handler"), names


async def test_long_payloads(party: Party) -> None:
    """Of what fits into a packet, and many times that, both ways."""
    await _offer(party, "echo", "twice")
    text = "".join(f"🦊 {number * 7919 % 10_007} " for number in range(20_000))  # compresses little
    for caller, callee in _with_us(party):
        names = f"{caller.identity} to {callee.identity}"
        for payload in ("ä" * (MAX_PAYLOAD // 2), "ä" * MAX_PAYLOAD, text):
            assert await caller.perform_rpc(callee.identity, "echo", payload) == RpcOutcome(payload), names
        assert await caller.perform_rpc(callee.identity, "twice", text) == RpcOutcome(text + text), names


async def test_many_at_a_time(party: Party) -> None:
    """Everybody calls everybody often; each call gets its own answer."""
    await _offer(party, "echo")
    calls = [(caller, callee, f"{number}") for caller, callee in party.pairs() for number in range(10)]
    outcomes = await asyncio.gather(
        *(caller.perform_rpc(callee.identity, "echo", payload) for caller, callee, payload in calls)
    )
    assert [outcome.payload for outcome in outcomes] == [payload for _, _, payload in calls]


async def test_timeouts(party: Party) -> None:
    """A handler that takes longer than the caller waits, and a callee that hears nothing of the call."""
    await _offer(party, "hang")
    started = time.monotonic()
    pairs = _with_us(party)
    slow = await asyncio.gather(
        *(one.perform_rpc(other.identity, "hang", "", response_timeout=1) for one, other in pairs)
    )
    for (caller, callee), outcome in zip(pairs, slow, strict=True):
        assert outcome.code == Code.RESPONSE_TIMEOUT, f"{caller.identity} to {callee.identity}"
    print(f"no answer after {time.monotonic() - started:.1f} s")
    assert time.monotonic() - started < 3
    async with party.js.deaf():
        started = time.monotonic()
        deaf = await asyncio.gather(*(caller.perform_rpc(party.js.identity, "hang", "") for caller in party.ours))
    assert [outcome.code for outcome in deaf] == [Code.CONNECTION_TIMEOUT] * 2
    seconds = time.monotonic() - started
    print(f"no acknowledgement after {seconds:.1f} s")
    assert ACK_TIMEOUT <= seconds < 3 * ACK_TIMEOUT


@pytest.mark.timeout(120)
async def test_the_callee_leaves(party: Party) -> None:
    """Whoever waits for it is told when the others see it leave, long before the answer's time is over."""
    await _offer(party, "hang")
    for callee in (*reversed(party.foreign), party.first):
        caller = party.first if callee is party.foreign[-1] else party.second
        calling = asyncio.create_task(caller.perform_rpc(callee.identity, "hang", ""))
        await callee.register_rpc("echo")
        await caller.perform_rpc(callee.identity, "echo", "")  # reliable data is in order: the first has got there
        started = time.monotonic()
        await callee.disconnect()
        assert (await calling).code == Code.RECIPIENT_DISCONNECTED
        assert time.monotonic() - started < 9  # livekit-server tells of those who publish nothing every 3 s
    assert (await party.second.perform_rpc("nobody", "echo", "")).code == Code.RECIPIENT_NOT_FOUND
