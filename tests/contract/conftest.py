"""Contract tests use the browsers of tests/harness/fixtures.py, and an echo server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.contract.echo import make_app
from tests.harness import fixtures


def pytest_configure(config: pytest.Config) -> None:
    """Register the harness's fixtures once, however many folders of tests use them."""
    if not config.pluginmanager.is_registered(fixtures):
        config.pluginmanager.register(fixtures, "lk-harness")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def echo_server() -> AsyncIterator[str]:
    """Host and port of the echo server."""
    runner = web.AppRunner(make_app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"{host}:{port}"
    await runner.cleanup()
