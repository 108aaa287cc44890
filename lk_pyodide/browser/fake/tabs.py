"""Other tabs, as browsers on one fake network."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import BroadcastHandler
from lk_pyodide.browser.guard import call

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeTabs:
    """What the tabs of one origin share: channels by name, and locks."""

    def __init__(self) -> None:
        self.channels: dict[str, list[FakeBroadcastChannel]] = {}
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    async def request(self, name: str) -> None:
        """Wait for one's turn."""
        queue = self._queues.setdefault(name, deque())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        if queue[0] is turn:
            turn.set_result(None)
        try:
            await turn
        except asyncio.CancelledError:
            self.leave(name, turn)
            raise

    def leave(self, name: str, turn: asyncio.Future[None] | None = None) -> None:
        """Give up the lock, or the place in its queue."""
        queue = self._queues[name]
        queue.remove(queue[0] if turn is None else turn)
        if queue and not queue[0].done():
            queue[0].set_result(None)


class FakeBroadcastChannel:
    """A channel between the browsers of one network: a message takes one turn of the loop."""

    def __init__(self, browser: FakeBrowser, name: str, handler: BroadcastHandler) -> None:
        self._browser = browser
        self._name = name
        self._handler: BroadcastHandler | None = handler
        self._others = browser.network.tabs.channels.setdefault(name, [])
        self._others.append(self)
        browser.opened(self)

    def post(self, data: bytes, /) -> None:
        """Say something."""
        if self._handler is None:
            return
        for other in self._others:
            if other is not self:
                asyncio.get_running_loop().call_soon(other.hear, data)

    def hear(self, data: bytes) -> None:
        """Another one said something."""
        if self._handler is not None:
            call(self._handler.on_broadcast, data)

    def close(self) -> None:
        """Say and hear nothing more."""
        if self._handler is not None:
            self._handler = None
            self._others.remove(self)
            self._browser.closed(self)


class FakeLock:
    """A lock that is held."""

    def __init__(self, browser: FakeBrowser, name: str) -> None:
        self._browser = browser
        self._name = name
        self._is_held = True
        browser.opened(self)

    def release(self) -> None:
        """Let the next one have it."""
        if self._is_held:
            self._is_held = False
            self._browser.network.tabs.leave(self._name)
            self._browser.closed(self)
