"""Keeping the connection alive, and noticing that it is dead."""

import asyncio
import time

from lk_pyodide import Reconnected, Reconnecting, Room
from lk_pyodide.core import messages as m
from tests.room.server import URL, Server


async def test_pings_are_sent(room: Room, server: Server) -> None:
    """Both kinds, at the interval that the server wants."""
    server.ping = (1, 10)
    await room.connect(URL, "token")
    started = time.monotonic()
    await server.heard(m.Ping)
    await server.heard(m.LegacyPing)
    assert 0.8 < time.monotonic() - started < 3


async def test_a_silent_server_is_given_up(room: Room, server: Server) -> None:
    """After its own ping timeout the connection is made anew."""
    server.ping = (1, 2)
    await room.connect(URL, "token")
    await room.wait_for(Reconnecting, timeout=6)
    server.ping = (0, 0)
    await room.wait_for(Reconnected, timeout=6)
    assert server.joins == 2


async def test_a_blocked_page_is_not_a_silent_server(room: Room, server: Server) -> None:
    """Python blocks for longer than the ping timeout; what the server said meanwhile counts when it wakes."""
    server.ping = (1, 2)
    await room.connect(URL, "token")
    alive = asyncio.create_task(_talk(server))
    await asyncio.sleep(0.05)
    time.sleep(3.5)  # noqa: ASYNC251 - blocking the loop is the point
    await asyncio.sleep(1.5)
    assert room.isconnected()
    alive.cancel()


async def _talk(server: Server) -> None:
    while True:
        await server.say(m.Pong())
        await asyncio.sleep(0.2)
