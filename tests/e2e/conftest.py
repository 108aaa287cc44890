"""End-to-end tests use the fixtures of tests/harness/fixtures.py, and these."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.harness import fixtures
from tests.harness.fixtures import has_failed
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


_PUBLISHED = {"localTrackPublished", "local_track_published"}
HOSTS = ["python", "pyscript", "jupyterlite"]
LOCAL = ["local chromium", "local firefox"]


def _venue(request: pytest.FixtureRequest) -> Venue:
    get = request.getfixturevalue
    if request.param in HOSTS:
        pythons = (get(f"chromium_{request.param}"), get(f"firefox_{request.param}"))
        return Venue(get("livekit"), pythons, JsPeer, get("js_page"))
    name = request.param.removeprefix("local ")
    pythons = (get(f"{name}_python"), get(f"{name}_second"))
    return Venue(LocalServer(), pythons, LocalJsPeer, get(f"{name}_local_js"))


@pytest.fixture(scope="module", params=[*HOSTS, *LOCAL])
def venue(request: pytest.FixtureRequest) -> Venue:
    """A livekit-server with Python on the page, then in a worker, in Chromium and Firefox; then the tabs of each.

    All tests of a module that are there come before those of the next venue.
    """
    return _venue(request)


@pytest.fixture(scope="module", params=HOSTS)
def livekit_venue(request: pytest.FixtureRequest) -> Venue:
    """Those with a livekit-server, for what only it does."""
    return _venue(request)


@contextlib.asynccontextmanager
async def _gathered(venue: Venue, room_name: str) -> AsyncIterator[Party]:
    rust = None if venue.is_local else RustPeer()
    party = Party(PyPeer(venue.pythons[0]), PyPeer(venue.pythons[1]), venue.new_js(), rust, venue.is_local)
    names = ("py-1", "py-2", "js", "rust")
    try:
        async with asyncio.TaskGroup() as group:
            for peer, name in zip(party.all, names, strict=False):
                group.create_task(peer.connect(venue.server.url, venue.server.token(name, room_name)))
        for looker, other in party.pairs():
            await looker.wait_remote(other.identity)
        yield party
    finally:
        await party.js.drop()
        if rust is not None:
            await rust.disconnect()
        for peer in party.ours:
            await peer.disconnect()
        if venue.is_local:
            async with asyncio.timeout(10):
                await venue.pythons[0].page.evaluate(UNTIL_NO_LOCAL_SERVER)
    await asyncio.gather(*(peer.end() for peer in party.ours))


class StandingParty:
    """What test after test meets at a venue: one party, as long as nobody leaves it and nothing stays published."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._party: Party | None = None
        self._exit = contextlib.AsyncExitStack()

    async def gather(self, room_name: str) -> Party:
        """The party of the last test, or a new one."""
        if self._party is None:
            self._party = await self._exit.enter_async_context(_gathered(self._venue, room_name))
        for peer in self._party.all:
            await peer.forget_records()
        return self._party

    async def look(self) -> None:
        """Let everybody leave if the party is not what it was: somebody has gone, or has published.

        Where a picture was before, the Rust core may show no other: it had three frames of one in 15 s.
        """
        for peer in self._party.all if self._party is not None else ():
            names = {event.name for event in await peer.events()}
            if (await peer.state()).state != "connected" or names & _PUBLISHED:
                await self.end()
                return

    async def end(self) -> None:
        """Everybody leaves."""
        self._party = None
        await self._exit.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing_party(venue: Venue) -> AsyncIterator[StandingParty]:
    """For `party`."""
    standing = StandingParty(venue)
    yield standing
    await standing.end()


@pytest_asyncio.fixture(loop_scope="session")
async def party(request: pytest.FixtureRequest, standing_party: StandingParty, room_name: str) -> AsyncIterator[Party]:
    """All that can come, connected and seeing each other. They may have met in another test."""
    yield await standing_party.gather(room_name)
    if has_failed(request.node):
        await standing_party.end()
    else:
        await standing_party.look()


@pytest_asyncio.fixture(loop_scope="session")
async def livekit_party(livekit_venue: Venue, room_name: str) -> AsyncIterator[Party]:
    """The same at a livekit-server."""
    async with _gathered(livekit_venue, room_name) as party:
        yield party
