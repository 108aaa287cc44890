"""What data costs with livekit-client called from Python: what people would use if we were not there."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Any

SMALL = b"x" * 100
_LOAD = """(src) => globalThis.LivekitClient ? null : new Promise((resolve, reject) => {
  const script = Object.assign(document.createElement("script"), {src, onload: resolve, onerror: reject});
  document.head.append(script);
})"""


_rooms: list[Any] = []


async def load() -> None:
    """Load livekit-client, and make two rooms, of which listeners stay with the browser for ever."""
    await importlib.import_module("pyodide.code").run_js(_LOAD)("/livekit-client/livekit-client.umd.js")
    js: Any = importlib.import_module("js")
    _rooms[:] = [js.LivekitClient.Room.new() for _ in range(2)]


async def measure(*, url: str, tokens: list[str], messages: int, burst: int) -> dict[str, Any]:
    """The same as ``bench_hosts.measure``, with livekit-client's rooms, and handlers in Python.

    Returns:
        Seconds of each message from the call to the handler; messages per second of the burst.
    """
    js: Any = importlib.import_module("js")
    ffi: Any = importlib.import_module("pyodide.ffi")
    receiver, sender = _rooms
    count, last = 0, 0.0
    wanted, ready = 0, asyncio.Event()

    def arrived(payload: Any, *_: Any) -> None:
        nonlocal count, last
        payload.to_bytes()
        last = time.perf_counter()
        count += 1
        if count >= wanted:
            ready.set()

    async def until(number: int, timeout: float) -> None:
        nonlocal wanted
        wanted = number
        ready.clear()
        if count < wanted:
            async with asyncio.timeout(timeout):
                await ready.wait()

    options = ffi.to_js({"reliable": True}, dict_converter=js.Object.fromEntries)

    async def send() -> None:
        await sender.localParticipant.publishData(ffi.to_js(SMALL), options)

    handler = ffi.create_proxy(arrived)
    receiver.on("dataReceived", handler)
    await receiver.connect(url, tokens[0])
    await sender.connect(url, tokens[1])
    try:
        while True:  # what is sent before the server knows both ends is lost
            await send()
            try:
                await until(1, 0.2)
            except TimeoutError:
                continue
            break
        latencies: list[float] = []
        for _ in range(messages):
            before, started = count, time.perf_counter()
            await send()
            await until(before + 1, 10)
            latencies.append(last - started)
        before, started = count, time.perf_counter()
        for _ in range(burst):
            await send()
        await until(before + burst, 60)
        return {"latency": latencies, "rate": burst / (last - started)}
    finally:
        await sender.disconnect()
        await receiver.disconnect()
        receiver.off("dataReceived", handler)
        handler.destroy()
