"""What a long text costs: two rooms of one Python, through a real server, measured by one clock."""

from __future__ import annotations

import asyncio
import base64
import os
import time

from lk_pyodide import Room, TextStreamReader


async def measure(*, url: str, tokens: list[str], size: int, texts: int) -> list[float]:
    """Send long texts, one after the other, each when the one before has been read.

    Args:
        url: the server.
        tokens: of the receiver and of the sender.
        size: bytes of each text, which compresses little.
        texts: how many.

    Returns:
        Seconds of each, from the call until it has been read.
    """
    text = base64.b64encode(os.urandom(size * 3 // 4)).decode()
    receiver, sender = Room(), Room()
    read: asyncio.Queue[str] = asyncio.Queue()

    async def take(reader: TextStreamReader, _: str) -> None:
        read.put_nowait(await reader.read_all())

    receiver.register_text_stream_handler("bench", take)
    await receiver.connect(url, tokens[0])
    await sender.connect(url, tokens[1])
    try:
        while True:  # what is sent before the server knows both ends is lost
            await sender.local_participant.send_text("ready?", topic="bench")
            try:
                async with asyncio.timeout(0.2):
                    await read.get()
            except TimeoutError:
                continue
            break
        took: list[float] = []
        for _ in range(texts):
            started = time.perf_counter()
            await sender.local_participant.send_text(text, topic="bench")
            async with asyncio.timeout(60):
                while (got := await read.get()) == "ready?":
                    pass
            took.append(time.perf_counter() - started)
            assert got == text
        return took
    finally:
        await sender.disconnect()
        await receiver.disconnect()
