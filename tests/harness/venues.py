"""Where a room of the end-to-end tests is: at a livekit-server, or in the tabs of one browser (`local://`)."""

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser, Page
from tests.harness.paths import HARNESS
from tests.harness.python_page import PythonPage
from tests.harness.site import Site
from tests.harness.tokens import mint_token


class RoomServer(Protocol):
    """What a client needs of a server."""

    @property
    def url(self) -> str: ...
    def token(self, identity: str, room: str, **claims: Any) -> str: ...


class LocalServer:
    """`local://`: whichever tab is the first."""

    url = "local://"

    def token(self, identity: str, room: str, **claims: Any) -> str:
        """By the development key, the one that rooms without a backend know."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the well-known secret is shorter than secrets should be
            return mint_token(identity, room, key="devkey", secret="secret", **claims)


class LocalJsPeer(JsPeer):
    """livekit-client in a page whose WebSocket reaches `local://` rooms."""

    @staticmethod
    async def open_page(browser: Browser, site: Site) -> Page:
        """See `JsPeer`."""
        page = await browser.new_page()
        await page.preload((HARNESS / "local_websocket.js").read_text())
        await page.goto(site.url("/harness/js_peer.html"))
        return page

    async def connect(self, url: str, token: str, **options: Any) -> None:
        """See `Peer`. livekit-client takes addresses of the web only."""
        await super().connect(url.replace("local://", "ws://local.invalid"), token, **options)


@dataclass(frozen=True)
class Venue:
    """A place for a room: its server, two Pythons of ours that reach it, and a page of livekit-clients that do."""

    server: RoomServer
    pythons: tuple[PythonPage, PythonPage]
    js_make: type[JsPeer]
    js_page: Page

    def new_js(self) -> JsPeer:
        """A livekit-client, not yet connected."""
        return self.js_make(self.js_page)

    @property
    def is_local(self) -> bool:
        """Whether everyone has to be in one browser."""
        return isinstance(self.server, LocalServer)


UNTIL_NO_LOCAL_SERVER = """(async () => {
  for (;;) {
    const {held, pending} = await navigator.locks.query();
    if (![...held, ...pending].some(({name}) => name.startsWith("lk_pyodide local"))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
})()"""
"""The tab that is the server goes on until everyone has left, also those who left before: locks have no event."""
