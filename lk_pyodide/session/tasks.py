"""Tasks with an owner, and futures with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from lk_pyodide.errors import DeadlineExceeded, LiveKitError
from lk_pyodide.logging import get_logger

T = TypeVar("T")
K = TypeVar("K")

_log = get_logger("session")


class TaskSet:
    """The tasks of one owner: none outlives :meth:`close`, and none fails unseen."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            level = _log.warning if isinstance(error, LiveKitError) else _log.error
            level("a background task failed: %s", error, exc_info=error)

    def cancel(self) -> None:
        """Cancel what still runs, without waiting."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Cancel what still runs and wait for its end; the task that calls this is spared."""
        current = asyncio.current_task()
        pending = [task for task in self._tasks if task is not current]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)


class Waiters(Generic[K, T]):
    """Answers that are waited for, by key; all end when the connection does."""

    def __init__(self) -> None:
        self._futures: dict[K, asyncio.Future[T]] = {}

    @property
    def waiting(self) -> list[K]:
        """What is being waited for, oldest first."""
        return list(self._futures)

    def expect(self, key: K) -> asyncio.Future[T]:
        """Start to wait: call this before the question is sent."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._futures[key] = future
        future.add_done_callback(lambda _: self._forget(key, future))
        return future

    def _forget(self, key: K, future: asyncio.Future[T]) -> None:
        if self._futures.get(key) is future:
            del self._futures[key]
        if not future.cancelled():
            future.exception()  # seen: whoever waits may have gone

    def answer(self, key: K, value: T) -> bool:
        """Give the answer; False when nobody waits for it."""
        future = self._futures.get(key)
        if future is None or future.done():
            return False
        future.set_result(value)
        return True

    def fail(self, key: K, error: LiveKitError) -> bool:
        """Give an error; False when nobody waits."""
        future = self._futures.get(key)
        if future is None or future.done():
            return False
        future.set_exception(error)
        return True

    def fail_all(self, error: LiveKitError) -> None:
        """The connection is gone."""
        for future in list(self._futures.values()):
            if not future.done():
                future.set_exception(error)


async def within(seconds: float, work: asyncio.Future[T], what: str) -> T:
    """Wait for a future.

    Raises:
        DeadlineExceeded: it took longer than ``seconds``.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await work
    except TimeoutError as error:
        if not deadline.expired():
            raise  # the work's own
        raise DeadlineExceeded(f"{what} took longer than {seconds:g} s") from error
