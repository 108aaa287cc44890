"""What a host of Python costs: two rooms of one Python, through a real server, measured by one clock."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from lk_pyodide import DataPacket, Room

SMALL = b"x" * 100


async def measure(
    *, url: str, tokens: list[str], connects: int, messages: int, burst: int, calls: int = 0
) -> dict[str, Any]:
    """Connect, then send reliable data of 100 bytes from one room to the other.

    Args:
        url: the server.
        tokens: of the receiver and of the sender.
        connects: how many times to connect, and leave again.
        messages: how many to send one after the other, each when the one before has come.
        burst: how many to send at once.
        calls: how many remote procedure calls to make, one after the other.

    Returns:
        Seconds of each connect; seconds of each message from the call to the handler; messages per second of the
        burst; seconds of each remote procedure call.
    """
    took: list[float] = []
    for _ in range(connects):
        async with Room() as room:
            started = time.perf_counter()
            await room.connect(url, tokens[1])
            took.append(time.perf_counter() - started)
    receiver, sender = Room(), Room()
    await receiver.connect(url, tokens[0])
    await sender.connect(url, tokens[1])
    try:
        arrived = _Arrivals()
        receiver.on("data_received", arrived)
        latencies = await _one_by_one(sender, arrived, messages)
        rate = await _at_once(sender, arrived, burst)
        receiver.local_participant.register_rpc_method("echo", lambda data: data.payload)
        return {"connect": took, "latency": latencies, "rate": rate, "rpc": await _calls(sender, receiver, calls)}
    finally:
        await sender.disconnect()
        await receiver.disconnect()


class _Arrivals:
    """A handler that can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self._wanted: tuple[int, asyncio.Future[None]] | None = None

    def __call__(self, packet: DataPacket) -> None:
        self.last = time.perf_counter()
        self.count += 1
        if self._wanted is not None and self.count >= self._wanted[0] and not self._wanted[1].done():
            self._wanted[1].set_result(None)

    async def until(self, count: int, timeout: float) -> None:
        """Wait for so many in all."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wanted = (count, future)
        if self.count < count:
            async with asyncio.timeout(timeout):
                await future


async def _one_by_one(sender: Room, arrived: _Arrivals, messages: int) -> list[float]:
    latencies: list[float] = []
    while True:  # what is sent before the server knows both ends is lost
        await sender.local_participant.publish_data(SMALL)
        try:
            await arrived.until(1, 0.2)
        except TimeoutError:
            continue
        break
    for _ in range(messages):
        count = arrived.count
        started = time.perf_counter()
        await sender.local_participant.publish_data(SMALL)
        await arrived.until(count + 1, 10)
        latencies.append(arrived.last - started)
    return latencies


async def _at_once(sender: Room, arrived: _Arrivals, burst: int) -> float:
    count = arrived.count
    started = time.perf_counter()
    for _ in range(burst):
        await sender.local_participant.publish_data(SMALL)
    await arrived.until(count + burst, 60)
    return burst / (arrived.last - started)


async def _calls(caller: Room, callee: Room, calls: int) -> list[float]:
    took: list[float] = []
    identity, payload = callee.local_participant.identity, SMALL.decode()
    for _ in range(calls):
        started = time.perf_counter()
        await caller.local_participant.perform_rpc(destination_identity=identity, method="echo", payload=payload)
        took.append(time.perf_counter() - started)
    return took
