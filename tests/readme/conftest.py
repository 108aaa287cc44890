"""The README's tests use the fixtures of tests/harness/fixtures.py, and these."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness import fixtures
from tests.harness.paths import CHROMIUM, LIVEKIT_SERVER
from tests.readme.demo_server import demo_server
from tools.site import make_site


def pytest_configure(config: pytest.Config) -> None:
    """Register the harness's fixtures once, however many folders of tests use them."""
    if not config.pluginmanager.is_registered(fixtures):
        config.pluginmanager.register(fixtures, "lk-harness")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if reason := CHROMIUM.skipped():
        pytest.skip(reason)
    site = tmp_path_factory.mktemp("demo") / "site"
    make_site(site=site)
    return site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_demo(built: Path) -> AsyncIterator[str]:
    """The address of the running demo: `make demo`."""
    async with demo_server(built) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def livekit_demo(built: Path) -> AsyncIterator[str]:
    """The same with a livekit-server: `make demo SERVER=livekit`."""
    if reason := LIVEKIT_SERVER.skipped():
        pytest.skip(reason)
    async with demo_server(built, "livekit") as address:
        yield address
