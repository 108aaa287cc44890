"""A server and a room for each test; what is left open afterwards is an error."""

from collections.abc import AsyncIterator

import pytest_asyncio

from lk_pyodide import Room
from lk_pyodide.browser.fake.peer import FakePeerConnection
from tests.room.server import Server


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[Server]:
    """A server on a fake network."""
    server = Server()
    yield server
    await server.browser.aclose()
    left = [thing for thing in server.browser.get_open() if not isinstance(thing, FakePeerConnection) or thing._handler]
    assert not left, f"left open: {left}"


@pytest_asyncio.fixture(loop_scope="session")
async def room(server: Server) -> AsyncIterator[Room]:
    """A room that is not connected yet, and is left in the end."""
    async with Room(browser=server.browser) as room:
        yield room
