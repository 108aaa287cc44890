"""``local://``: the way to a server that is one of the tabs, and the choice of that tab.

Every tab that uses an address asks for the address's lock. Who gets it is the server, as long as anybody uses the
address; when it goes, the next one is, and everybody joins anew there. A tab that is frozen cannot let go of the lock:
who waits for its answer in vain takes the lock away.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from lk_pyodide.browser.api import Browser, FetchResult, WebSocketHandler
from lk_pyodide.local import frames
from lk_pyodide.local.host import Host
from lk_pyodide.local.socket import LocalSocket
from lk_pyodide.logging import get_logger
from lk_pyodide.session.tasks import TaskSet

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
        socket = LocalSocket(self._browser, self._address, url, handler, self)
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

    # -- from the sockets --

    def on_unanswered(self, socket: LocalSocket) -> None:
        """Nobody answers."""
        _candidate(self._browser, self._address).take_over()

    def on_closed(self, socket: LocalSocket) -> None:
        """A socket is closed."""
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
        self._tasks = TaskSet()
        self._standing = self._tasks.spawn(self._stand())

    @property
    def is_over(self) -> bool:
        """Whether it stands for election no more."""
        return self._standing.done() or self._standing.cancelling() > 0

    def leave(self, socket: LocalSocket) -> None:
        """A socket is closed."""
        self.sockets.discard(socket)
        self._look()

    def take_over(self) -> None:
        """The host is silent: be it oneself. Nothing happens if we are."""
        if self._host is None and not self.is_over:
            _log.info("the server of local://%s does not answer: this tab takes its place", self._address)
            self._standing.cancel()
            self._standing = self._tasks.spawn(self._stand(steal=True))

    def _look(self) -> None:
        if not self.sockets and (self._host is None or self._host.is_idle):
            self._standing.cancel()

    async def _stand(self, *, steal: bool = False) -> None:
        while True:
            lock = await self._browser.request_lock(frames.lock_of_host(self._address), steal=steal)
            steal = False
            try:
                async with Host.serving(self._browser, self._address, KEYS, self._look) as self._host:
                    await lock.lost()
            finally:
                self._host = None
                lock.release()
            _log.info("another tab has taken the place of the server of local://%s", self._address)
            if not self.sockets:
                return
