"""Our client in a room with a hostile peer: what it has of it afterwards, and whether it still works."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from typing import Any

from lk_pyodide import ByteStreamReader, DataReceived, DataStreamError, Event, Room, RpcInvocationData, TextStreamReader
from tests.inpage import steps

OPEN, KEPT, BOMB, ALIVE = "open", "kept", "bomb", "alive"
"""Topics: two of streams that are held and not read; of those that are read and thrown away; of an honest one."""
OVER = b"that was it"


class Endurance:
    """A room whose handlers are of every kind: slow, quick, and some that never end."""

    def __init__(self) -> None:
        self.room = Room()
        self.kept: list[Any] = []
        self.read: list[str] = []
        self.lines: list[str] = []
        self.news: list[str] = []
        self.got = self.begun = 0
        self.over, self.goes_on = asyncio.Event(), asyncio.Event()
        self.alive: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def join(self, url: str, token: str) -> None:
        room, me = self.room, self.room.local_participant
        room.register_text_stream_handler(OPEN, lambda reader, _: self.kept.append(reader))
        room.register_byte_stream_handler(KEPT, lambda reader, _: self.kept.append(reader))
        room.register_byte_stream_handler(BOMB, self.throw_away)
        room.register_text_stream_handler(ALIVE, self.take)
        me.register_rpc_method("echo", lambda data: data.payload)
        me.register_rpc_method("hang", self.hang)
        room.on(DataReceived, self.slow)
        room.on(DataReceived, self.quick)
        for name in ("reconnecting", "disconnected", "active_speakers_changed"):
            room.on(room._known[name], self.hear)
        await room.connect(url, token)

    async def throw_away(self, reader: ByteStreamReader, _: str) -> None:
        try:
            async for _piece in reader:
                pass
            self.read.append("all")
        except DataStreamError as error:
            self.read.append(error.reason.name)

    async def take(self, reader: TextStreamReader, _: str) -> None:
        self.alive.set_result(await reader.read_all())

    async def hang(self, _: RpcInvocationData) -> None:
        await self.goes_on.wait()

    async def slow(self, _: DataReceived) -> None:
        self.begun += 1
        await self.goes_on.wait()

    def quick(self, event: DataReceived) -> None:
        self.got += 1
        if event.packet.data == OVER:
            self.over.set()

    def hear(self, event: Event) -> None:
        self.news.append(event.event_name)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage()[:100])


def _heap() -> int:
    """Bytes that Python's memory has grown to; it never shrinks."""
    return int(importlib.import_module("pyodide_js")._module.HEAPU8.length)


async def endure(url: str, token: str, other: str) -> str:
    """Stay through the attack, then work with the other of ours, then see the attacker go."""
    ours = Endurance()
    listening = _Lines(ours.lines)
    logging.getLogger("lk_pyodide").addHandler(listening)
    try:
        await ours.join(url, token)
        before, began = _heap(), time.monotonic()
        steps.reached("ready")
        await asyncio.wait_for(ours.over.wait(), 60)
        steps.reached(
            "endured",
            {
                "heap": _heap() - before,
                "seconds": time.monotonic() - began,
                "lines": ours.lines,
                "open": sum(reader._assembly.is_open for reader in ours.kept),
                "read": ours.read,
                "got": ours.got,
                "begun": ours.begun,
                "news": ours.news,
            },
        )
        await steps.until("work")
        me = ours.room.local_participant
        await me.send_text("alive", topic=ALIVE, destination_identities=[other])
        answer = await me.perform_rpc(destination_identity=other, method="echo", payload="alive")
        await asyncio.wait_for(asyncio.shield(ours.alive), 10)
        ours.goes_on.set()
        steps.reached("works", [answer, ours.alive.result()])
        await steps.until("leave")
        await _all_end(ours.kept)
        return ours.room.state.name
    finally:
        ours.goes_on.set()
        await ours.room.disconnect()
        logging.getLogger("lk_pyodide").removeHandler(listening)


async def _all_end(readers: list[Any]) -> None:
    """Whoever reads what the attacker did not end hears that it has gone."""
    for reader in readers:
        try:
            async for _ in reader:
                pass
        except DataStreamError:
            pass
    readers.clear()
