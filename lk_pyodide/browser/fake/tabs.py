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
        self._queues: dict[str, deque[FakeTurn]] = {}

    async def request(self, name: str, *, steal: bool = False) -> FakeTurn:
        """Wait for one's turn."""
        queue = self._queues.setdefault(name, deque())
        turn = FakeTurn()
        if steal:
            if queue:
                queue.popleft().lost.set()
            queue.appendleft(turn)
        else:
            queue.append(turn)
        queue[0].come.set()
        try:
            await turn.come.wait()
        except asyncio.CancelledError:
            self.leave(name, turn)
            raise
        return turn

    def leave(self, name: str, turn: FakeTurn) -> None:
        """Give up the lock, or the place in its queue."""
        queue = self._queues[name]
        if turn in queue:  # it has not been stolen
            queue.remove(turn)
        if queue:
            queue[0].come.set()


class FakeTurn:
    """A place in the queue of a lock."""

    def __init__(self) -> None:
        self.come = asyncio.Event()
        self.lost = asyncio.Event()


class FakeBroadcastChannel:
    """A channel between the browsers of one network: a message takes one turn of the loop."""

    def __init__(self, browser: FakeBrowser, name: str, handler: BroadcastHandler) -> None:
        self._browser = browser
        self._name = name
        self._handler: BroadcastHandler | None = handler
        self._missed: list[bytes] = []
        self._others = browser.network.tabs.channels.setdefault(name, [])
        self._others.append(self)
        browser.opened(self)

    def post(self, data: bytes, /) -> None:
        """Say something."""
        if self._handler is None or not self._browser.awake.is_set():
            return
        for other in self._others:
            if other is not self:
                asyncio.get_running_loop().call_soon(other.hear, data)

    def hear(self, data: bytes) -> None:
        """Another one said something."""
        if not self._browser.awake.is_set():
            self._missed.append(data)
        elif self._handler is not None:
            call(self._handler.on_broadcast, data)

    def catch_up(self) -> None:
        """Hear what was said while the tab was frozen."""
        missed, self._missed = self._missed, []
        for data in missed:
            self.hear(data)

    def close(self) -> None:
        """Say and hear nothing more."""
        if self._handler is not None:
            self._handler = None
            self._others.remove(self)
            self._browser.closed(self)


class FakeLock:
    """A lock that is held."""

    def __init__(self, browser: FakeBrowser, name: str, turn: FakeTurn) -> None:
        self._browser = browser
        self._name = name
        self._turn = turn
        self._is_held = True
        browser.opened(self)

    async def lost(self) -> None:
        """Wait until somebody has stolen it."""
        await self._turn.lost.wait()
        await self._browser.awake.wait()

    def release(self) -> None:
        """Let the next one have it."""
        if self._is_held:
            self._is_held = False
            self._browser.network.tabs.leave(self._name, self._turn)
            self._browser.closed(self)
