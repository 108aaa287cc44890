"""A loop whose time is the test's: who sleeps is woken at once, and who waits for nothing is found out."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Hang(AssertionError):
    """Everybody waits, and nobody is to come."""


class _Selector(selectors.SelectSelector):
    """Passes the time instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Hang("nothing is ready, and no time will make it so")
        self.now += max(timeout, 0.0)
        return []


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Seconds pass when nothing else does."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds that have passed."""
        return self._clock.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in no time.

    Raises:
        Hang: it would never end.
    """
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(work)
