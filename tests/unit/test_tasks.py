"""Tasks with an owner, answers that are waited for, and deadlines."""

from __future__ import annotations

import asyncio
import gc

import pytest

from lk_pyodide.errors import DeadlineExceeded, LiveKitError, RoomDisconnectedError, UsageError
from lk_pyodide.session.tasks import TaskSet, Waiters, within


async def forever() -> None:
    await asyncio.Event().wait()


async def raise_(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


# -- TaskSet -----------------------------------------------------------------------------------------------------------


async def test_a_task_runs_and_gives_its_result() -> None:
    tasks = TaskSet()

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await tasks.spawn(work()) == 7
    await asyncio.sleep(0)
    assert not tasks._tasks


async def test_a_task_is_held() -> None:
    tasks = TaskSet()
    go = asyncio.Event()
    done = asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.set()

    tasks.spawn(work())
    await asyncio.sleep(0)
    gc.collect()
    go.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_closing_cancels_what_runs_and_waits_for_its_end() -> None:
    tasks = TaskSet()
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    running = [tasks.spawn(work(name)) for name in "ab"]
    await asyncio.sleep(0)
    await tasks.close()
    assert sorted(ended) == ["a", "b"]
    assert all(task.cancelled() for task in running)
    await asyncio.sleep(0)
    assert not tasks._tasks
    await tasks.close()


async def test_closing_spares_the_task_that_closes() -> None:
    tasks = TaskSet()
    other = tasks.spawn(forever())

    async def closer() -> str:
        await tasks.close()
        return "still here"

    assert await asyncio.wait_for(tasks.spawn(closer()), 5) == "still here"
    assert other.cancelled()


async def test_a_task_that_refuses_to_end_by_raising_does_not_break_the_closing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = TaskSet()

    async def stubborn() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            raise ZeroDivisionError("on the way out") from None

    tasks.spawn(stubborn())
    await asyncio.sleep(0)
    await tasks.close()
    await asyncio.sleep(0)
    assert "on the way out" in caplog.text


@pytest.mark.parametrize(("error", "level"), [(UsageError("ours"), "WARNING"), (ZeroDivisionError("a bug"), "ERROR")])
async def test_no_task_fails_unseen(error: Exception, level: str, caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet()
    task = tasks.spawn(raise_(error))
    await asyncio.wait([task])
    await asyncio.sleep(0)
    [record] = caplog.records
    assert (record.levelname, record.name) == (level, "lk_pyodide.session")
    assert record.getMessage() == f"a background task failed: {error}"
    assert record.exc_info is not None and record.exc_info[1] is error


async def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet()
    task = tasks.spawn(forever())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert caplog.records == []
    assert not tasks._tasks


# -- Waiters -----------------------------------------------------------------------------------------------------------


async def test_an_answer_reaches_whoever_waits_for_it() -> None:
    waiters: Waiters[str, int] = Waiters()
    first, second = waiters.expect("a"), waiters.expect("b")
    assert waiters.waiting == ["a", "b"]
    assert waiters.answer("b", 2)
    assert await second == 2
    assert not first.done()
    await asyncio.sleep(0)
    assert waiters.waiting == ["a"]
    assert waiters.answer("a", 1) and await first == 1
    await asyncio.sleep(0)
    assert waiters.waiting == []


async def test_an_answer_that_nobody_waits_for() -> None:
    waiters: Waiters[str, int] = Waiters()
    assert not waiters.answer("a", 1)
    assert not waiters.fail("a", UsageError())
    future = waiters.expect("a")
    assert waiters.answer("a", 1)
    assert not waiters.answer("a", 2), "the second answer in the same step"
    assert not waiters.fail("a", UsageError())
    assert await future == 1


async def test_an_error_reaches_whoever_waits() -> None:
    waiters: Waiters[str, int] = Waiters()
    future = waiters.expect("a")
    assert waiters.fail("a", UsageError("no"))
    with pytest.raises(UsageError, match="no"):
        await future
    await asyncio.sleep(0)
    assert waiters.waiting == []


async def test_all_end_with_the_connection() -> None:
    waiters: Waiters[str, int] = Waiters()
    futures = [waiters.expect(key) for key in "abc"]
    waiters.answer("b", 2)
    waiters.fail_all(gone := RoomDisconnectedError("gone"))
    assert [future.exception() for future in futures] == [gone, None, gone]
    await asyncio.sleep(0)
    assert waiters.waiting == []
    waiters.fail_all(gone)


async def test_who_gives_up_is_forgotten() -> None:
    waiters: Waiters[str, int] = Waiters()
    future = waiters.expect("a")
    future.cancel()
    assert not waiters.answer("a", 1)
    await asyncio.sleep(0)
    assert waiters.waiting == []


async def test_a_new_wait_for_the_same_key_outlives_the_end_of_the_old_one() -> None:
    waiters: Waiters[str, int] = Waiters()
    old = waiters.expect("a")
    new = waiters.expect("a")
    old.cancel()
    await asyncio.sleep(0)
    assert waiters.answer("a", 1)
    assert await new == 1


async def test_an_error_that_nobody_awaits_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    waiters: Waiters[str, int] = Waiters()
    waiters.expect("a")
    waiters.fail_all(RoomDisconnectedError())
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []


# -- within ------------------------------------------------------------------------------------------------------------


def a_future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


async def test_in_time() -> None:
    future = a_future()
    asyncio.get_running_loop().call_soon(future.set_result, 7)
    assert await within(60, future, "the answer") == 7


async def test_too_late() -> None:
    future = a_future()
    with pytest.raises(DeadlineExceeded, match=r"^the answer took longer than 0.01 s$") as caught:
        await within(0.01, future, "the answer")
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert future.cancelled()


@pytest.mark.parametrize(
    "error",
    [UsageError("x"), DeadlineExceeded("an inner deadline"), TimeoutError("somebody else's"), ZeroDivisionError()],
)
async def test_what_the_work_raises_is_not_our_deadline(error: Exception) -> None:
    future = a_future()
    future.set_exception(error)
    with pytest.raises(type(error)) as caught:
        await within(60, future, "the answer")
    assert caught.value is error


async def test_being_cancelled_is_not_a_deadline() -> None:
    future = a_future()
    task = asyncio.ensure_future(within(60, future, "the answer"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()


def test_deadlines_are_ours_and_pythons() -> None:
    assert issubclass(DeadlineExceeded, LiveKitError) and issubclass(DeadlineExceeded, TimeoutError)
