"""End-to-end tests use the fixtures of tests/harness/fixtures.py, and these."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.harness import fixtures
from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.peers import Peer
from tests.harness.py_peer import PyPeer
from tests.harness.rust_peer import RustPeer
from tests.harness.venues import UNTIL_NO_LOCAL_SERVER, LocalJsPeer, LocalServer, Venue


def pytest_configure(config: pytest.Config) -> None:
    """Register the harness's fixtures once, however many folders of tests use them."""
    if not config.pluginmanager.is_registered(fixtures):
        config.pluginmanager.register(fixtures, "lk-harness")


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each browser in turn, to open pages in."""
    browser: Browser = request.getfixturevalue(request.param)
    return browser


@dataclass
class Party:
    """Several makes of client in one room: two of ours, livekit-client, and the Rust core where it can come."""

    first: PyPeer
    second: PyPeer
    js: JsPeer
    rust: RustPeer | None
    is_local: bool

    @property
    def ours(self) -> tuple[PyPeer, PyPeer]:
        """Those of our make."""
        return self.first, self.second

    @property
    def foreign(self) -> list[Peer]:
        """Those of other makes."""
        return [self.js] if self.rust is None else [self.js, self.rust]

    @property
    def all(self) -> list[Peer]:
        """Everybody."""
        return [*self.ours, *self.foreign]

    def others(self, peer: Peer) -> list[Peer]:
        """Everybody else."""
        return [other for other in self.all if other is not peer]

    def pairs(self) -> list[tuple[Peer, Peer]]:
        """(who looks, at whom), both ways round."""
        return [(looker, other) for looker in self.all for other in self.others(looker)]


HOSTS = ["python", "pyscript", "jupyterlite"]
LOCAL = ["local chromium", "local firefox"]


def _venue(request: pytest.FixtureRequest) -> Venue:
    get = request.getfixturevalue
    if request.param in HOSTS:
        pythons = (get(f"chromium_{request.param}"), get(f"firefox_{request.param}"))
        return Venue(get("livekit"), pythons, JsPeer(get("js_page")))
    name = request.param.removeprefix("local ")
    pythons = (get(f"{name}_python"), get(f"{name}_second"))
    return Venue(LocalServer(), pythons, LocalJsPeer(get(f"{name}_local_js")))


@pytest.fixture(params=[*HOSTS, *LOCAL])
def venue(request: pytest.FixtureRequest) -> Venue:
    """A livekit-server with Python on the page, then in a worker, in Chromium and Firefox; then the tabs of each."""
    return _venue(request)


@pytest.fixture(params=HOSTS)
def livekit_venue(request: pytest.FixtureRequest) -> Venue:
    """Those with a livekit-server, for what only it does."""
    return _venue(request)


@contextlib.asynccontextmanager
async def _gathered(venue: Venue, rust: RustPeer | None, room_name: str) -> AsyncIterator[Party]:
    party = Party(PyPeer(venue.pythons[0]), PyPeer(venue.pythons[1]), venue.js, rust, venue.is_local)
    names = ("py-1", "py-2", "js", "rust")
    async with asyncio.TaskGroup() as group:
        for peer, name in zip(party.all, names, strict=False):
            group.create_task(peer.connect(venue.server.url, venue.server.token(name, room_name)))
    for looker, other in party.pairs():
        await looker.wait_remote(other.identity)
    try:
        yield party
    finally:
        await party.js.drop()
        for peer in party.ours:
            await peer.disconnect()
        if venue.is_local:
            async with asyncio.timeout(10):
                await venue.pythons[0].page.evaluate(UNTIL_NO_LOCAL_SERVER)
    await asyncio.gather(*(peer.end() for peer in party.ours))


@pytest_asyncio.fixture(loop_scope="session")
async def party(venue: Venue, rust_peer: Callable[[], RustPeer], room_name: str) -> AsyncIterator[Party]:
    """All that can come, connected and seeing each other."""
    async with _gathered(venue, None if venue.is_local else rust_peer(), room_name) as party:
        yield party


@pytest_asyncio.fixture(loop_scope="session")
async def livekit_party(
    livekit_venue: Venue, rust_peer: Callable[[], RustPeer], room_name: str
) -> AsyncIterator[Party]:
    """The same at a livekit-server."""
    async with _gathered(livekit_venue, rust_peer(), room_name) as party:
        yield party
