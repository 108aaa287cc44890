"""A large room does not hold up the page."""

from collections.abc import AsyncIterator

import pytest_asyncio
from aiohttp import web

from tests.harness.python_page import PythonPage
from tests.inpage import crowd


@pytest_asyncio.fixture(loop_scope="session")
async def crowded_server() -> AsyncIterator[str]:
    """A server that answers every join with a room of 300, and says nothing more."""
    join = crowd.big_join(300)

    async def signal(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_bytes(join)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/rtc/v1", signal)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield f"ws://{host}:{port}"
    await runner.cleanup()


async def test_a_crowd_is_decoded_in_parts(chromium_python: PythonPage, crowded_server: str) -> None:
    """The join of 300 participants with 900 publications is taken in slices with turns for the page between them."""
    seconds = await chromium_python.run(crowd.longest_pause, url=crowded_server)
    print({name: round(value, 3) for name, value in seconds.items()})
    assert seconds["longest pause"] < seconds["in one go"] / 2
