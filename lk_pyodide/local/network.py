"""``local://``: the way to a server that is one of the tabs, and the choice of that tab.

Every tab that uses an address asks for the address's lock. Who gets it is the server, as long as it uses the address
itself; then the next one is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from lk_pyodide.browser.api import Browser, FetchResult, WebSocketHandler
from lk_pyodide.local import frames
from lk_pyodide.local.host import Host
from lk_pyodide.local.socket import LocalSocket
from lk_pyodide.logging import get_logger

_log = get_logger("local")

KEYS: Mapping[str, str] = {"devkey": "secret"}
"""Whose tokens are good: the development key's, which everybody knows. The origin is the trust boundary."""

_candidates: WeakKeyDictionary[Browser, dict[str, Candidate]] = WeakKeyDictionary()


class LocalNetwork:
    """What a session uses of a browser to reach a server, for one address.

    Args:
        browser: the page.
        address: what stands after ``local://``.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self._refusal = b""

    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> LocalSocket:
        """Open what stands for a WebSocket; this tab then stands for election."""
        candidate = _candidate(self._browser, self._address)
        socket = LocalSocket(self._browser, self._address, url, handler, self._closed)
        candidate.sockets.add(socket)
        return socket

    async def fetch(
        self,
        url: str,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        timeout: float = 5.0,
    ) -> FetchResult:
        """Tell why the last socket was refused, which is all that one asks here."""
        status, text = frames.split_code(self._refusal, 200)
        return FetchResult(status, text)

    def _closed(self, socket: LocalSocket) -> None:
        self._refusal = socket.refusal
        _candidate(self._browser, self._address).leave(socket)


def _candidate(browser: Browser, address: str) -> Candidate:
    known = _candidates.setdefault(browser, {})
    if address not in known or known[address].is_over:
        known[address] = Candidate(browser, address)
    return known[address]


class Candidate:
    """This tab, as the server of an address, now or when its turn comes.

    It stands for election while it uses the address itself, and serves on as long as anybody else does.

    Args:
        browser: the page.
        address: what the server is known by.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.sockets: set[LocalSocket] = set()
        self._browser = browser
        self._address = address
        self._host: Host | None = None
        self._task = asyncio.get_running_loop().create_task(self._serve())

    @property
    def is_over(self) -> bool:
        """Whether it stands for election no more."""
        return self._task.done() or self._task.cancelling() > 0

    def leave(self, socket: LocalSocket) -> None:
        """A socket is closed."""
        self.sockets.discard(socket)
        self._look()

    def _look(self) -> None:
        if not self.sockets and (self._host is None or self._host.is_idle):
            self._task.cancel()

    async def _serve(self) -> None:
        lock = await self._browser.request_lock(frames.lock_of_host(self._address))
        self._host = Host(self._browser, self._address, KEYS, self._look)
        try:
            await asyncio.get_running_loop().create_future()  # until it is cancelled
        finally:
            self._host.close()
            lock.release()
