"""End-to-end tests use the fixtures of tests/harness/fixtures.py, and these."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.harness import fixtures
from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.peers import Peer
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer


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
    """Four makes of client in one room."""

    chromium: PyPeer
    firefox: PyPeer
    js: JsPeer
    rust: RustPeer

    @property
    def all(self) -> list[Peer]:
        """Everybody."""
        return [self.chromium, self.firefox, self.js, self.rust]

    def others(self, peer: Peer) -> list[Peer]:
        """Everybody else."""
        return [other for other in self.all if other is not peer]

    def pairs(self) -> list[tuple[Peer, Peer]]:
        """(who looks, at whom), both ways round."""
        return [(looker, other) for looker in self.all for other in self.others(looker)]


@pytest.fixture(params=["python", "pyscript", "jupyterlite"])
def pythons(request: pytest.FixtureRequest) -> tuple[PythonPage, PythonPage]:
    """Python in Chromium and in Firefox: on the page, then in a worker."""
    host = request.param
    return request.getfixturevalue(f"chromium_{host}"), request.getfixturevalue(f"firefox_{host}")


@pytest_asyncio.fixture(loop_scope="session")
async def party(
    pythons: tuple[PythonPage, PythonPage],
    js_peer: JsPeer,
    rust_peer: Callable[[], RustPeer],
    livekit: LiveKitServer,
    room_name: str,
) -> AsyncIterator[Party]:
    """The four, connected and seeing each other."""
    chromium, firefox = map(PyPeer, pythons)
    party = Party(chromium, firefox, js_peer, rust_peer())
    names = ("py-chromium", "py-firefox", "js", "rust")
    await asyncio.gather(
        *(
            peer.connect(livekit.url, livekit.token(name, room_name))
            for peer, name in zip(party.all, names, strict=True)
        )
    )
    for looker, other in party.pairs():
        await looker.wait_remote(other.identity)
    yield party
    await asyncio.gather(party.chromium.end(), party.firefox.end())
