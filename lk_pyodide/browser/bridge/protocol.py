"""What Python and the page's agent say to one another.

The other half is ``web/agent/session.js``, where the messages are described. Nothing here touches JavaScript: frames go
out through a :class:`Carrier` and come in by :meth:`Bridge.receive`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from lk_pyodide.browser.guard import call, logger
from lk_pyodide.errors import BrowserError, DeadlineExceeded, DeviceUnsupportedError

T = TypeVar("T")

VERSION = 1
"""Of the protocol; the agent says its own in its hello."""

ANSWER_TIMEOUT = 15.0
"""Seconds for the page to answer what does not depend on the user."""


class Carrier(Protocol):
    """Carries frames to one agent."""

    @property
    def transfers(self) -> bool:
        """Whether data channels come to Python's thread."""
        ...

    def post(self, text: str, extras: Sequence[bytes], /) -> None: ...


class Bridge:
    """A connection to one agent.

    Args:
        carrier: takes frames to it.
    """

    def __init__(self, carrier: Carrier) -> None:
        self.transfers = carrier.transfers
        self._carrier = carrier
        self._handles = count(1)
        self._requests = count(1)
        # Weak: what nobody holds any more is freed on the page too.
        self._remotes: WeakValueDictionary[int, Remote] = WeakValueDictionary()
        self._pending: dict[int, Callable[[list[Any] | None, Any], None]] = {}

    def register(self, remote: Remote, handle: int | None) -> int:
        """Know an object by its handle, a new one unless the page has given it one."""
        known = next(self._handles) if handle is None else handle
        self._remotes[known] = remote
        return known

    def forget(self, handle: int) -> None:
        """Hear no more of an object."""
        self._remotes.pop(handle, None)

    def cast(self, handle: int, method: str, *values: object) -> None:
        """Have the page do something."""
        self._post([0, handle, method, *values])

    def ask(
        self, handle: int, method: str, *values: object, answer: Callable[[list[Any] | None, Any], None]
    ) -> Callable[[], object]:
        """Have the page do something, and call ``answer(error, value)`` when it has.

        Returns:
            Forgets the answer.
        """
        request = next(self._requests)
        self._pending[request] = answer
        self._post([request, handle, method, *values])
        return lambda: self._pending.pop(request, None)

    def start(
        self, handle: int, method: str, *values: object, kind: type[BrowserError] = BrowserError
    ) -> asyncio.Future[Any]:
        """Have the page do something; its failure is raised as ``kind``."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(error: list[Any] | None, value: Any) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(to_error(error, kind))

        forget = self.ask(handle, method, *values, answer=answer)
        future.add_done_callback(lambda _: forget())
        return future

    def _post(self, message: list[object]) -> None:
        extras: list[bytes] = []

        def add(value: object) -> dict[str, int]:
            if not isinstance(value, bytes):
                raise TypeError(f"a frame cannot carry {type(value).__name__}")
            extras.append(value)
            return {"$": len(extras) + 1}

        self._carrier.post(json.dumps(message, default=add), extras)

    def receive(self, text: str, extras: Sequence[Any]) -> None:
        """A frame came."""

        def restore(item: dict[str, Any]) -> Any:
            return extras[item["$"] - 2] if "$" in item else item

        message = json.loads(text, object_hook=restore)
        request = message[0]
        if request:
            answer = self._pending.pop(request, None)
            if answer is not None:
                call(answer, message[1], message[2])
            return
        handle, event, *values = message[1:]
        if handle == 0:
            if event == "refused":  # else it is the hello of another agent: a notebook may be open in two tabs
                logger.warning("the page refused %s", values)
            return
        remote = self._remotes.get(handle)
        if remote is not None:
            call(remote.on_event, event, *values)


class Remote:
    """An object on the page.

    Args:
        bridge: the way there.
        handle: its handle, where the page gave it one.
    """

    _is_open = False  # of one that never came to be: __del__ asks

    def __init__(self, bridge: Bridge, handle: int | None = None) -> None:
        self._bridge = bridge
        self.handle = bridge.register(self, handle)
        self._is_open = True
        self._waiting: set[asyncio.Future[Any]] = set()

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened to it."""

    def _cast(self, method: str, *values: object) -> None:
        if self._is_open:
            self._bridge.cast(self.handle, method, *values)

    async def _ask(self, method: str, *values: object, kind: type[BrowserError] = BrowserError) -> Any:
        """Wait for the page to have done something; its failure is raised as ``kind``."""
        return await answered(self._start(method, *values, kind=kind))

    def _start(self, method: str, *values: object, kind: type[BrowserError] = BrowserError) -> asyncio.Future[Any]:
        future = self._bridge.start(self.handle, method, *values, kind=kind)
        future.add_done_callback(self._waiting.discard)
        self._waiting.add(future)
        return future

    def _close(self, error: BrowserError, *, free: bool = True) -> None:
        """Forget the object; whoever waits for it gets ``error``.

        Args:
            error: why.
            free: False when the page has let go of it by itself.
        """
        if not self._is_open:
            return
        if free:
            self._cast("free")
        self._is_open = False
        self._bridge.forget(self.handle)
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody has to await it

    def __del__(self) -> None:
        if self._is_open:
            self._cast("free")


async def answered(future: Awaitable[T]) -> T:
    """Wait for an answer that does not depend on the user.

    Raises:
        DeadlineExceeded: the page is silent.
    """
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return await future
    except TimeoutError as error:
        raise DeadlineExceeded(f"the page did not answer within {ANSWER_TIMEOUT:g} s") from error


def to_error(error: Sequence[str], kind: type[BrowserError] = BrowserError) -> BrowserError:
    """Make an error of ours from a name and a message."""
    name, message = error
    if name == "NotSupportedError":
        return DeviceUnsupportedError(message, name)
    return kind(message, name)
