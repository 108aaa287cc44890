"""Waiting for events: one with wait_for, all with events()."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from lk_pyodide.emitter import EventStream
from lk_pyodide.errors import DeadlineExceeded, LiveKitError, RoomDisconnectedError
from tests.unit.door import ADA, Door, Knocked, Rang, SIPCall2Ended, ticks

# -- wait_for ----------------------------------------------------------------------------------------------------------


async def waiting(door: Door, work: Awaitable[Any]) -> asyncio.Task[Any]:
    """Start to wait, and be sure that it listens."""
    task = asyncio.ensure_future(work)
    await ticks()
    assert door._streams
    return task


@pytest.mark.parametrize("which", ["knocked", Knocked])
async def test_waiting_for_the_next_event(door: Door, which: Any) -> None:
    door._emit(Knocked("too early", 1))
    task = await waiting(door, door.wait_for(which, timeout=60))
    door._emit(Rang())
    door._emit(ADA)
    door._emit(Knocked("too late", 1))
    assert await task is ADA
    assert not door._streams


async def test_waiting_for_one_that_passes_a_check(door: Door) -> None:
    task = await waiting(door, door.wait_for(Knocked, check=lambda event: event.times > 2))
    door._emit(Knocked("bob", 1))
    door._emit(ADA)
    assert await task is ADA


async def test_waiting_has_a_timeout(door: Door) -> None:
    with pytest.raises(DeadlineExceeded, match=r"^no knocked within 0.01 s$") as caught:
        await door.wait_for("knocked", timeout=0.01)
    assert isinstance(caught.value, TimeoutError)
    assert not door._streams


async def test_events_that_fail_the_check_do_not_stop_the_clock(door: Door) -> None:
    task = await waiting(door, door.wait_for(Knocked, timeout=0.05, check=lambda _: False))
    while not task.done():
        door._emit(ADA)
        await asyncio.sleep(0.005)
    with pytest.raises(DeadlineExceeded):
        await task


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("error", [TimeoutError("the check's own"), ZeroDivisionError()])
async def test_a_check_that_raises_raises_here(door: Door, timeout: float | None, error: Exception) -> None:
    def check(_: Knocked) -> bool:
        raise error

    task = await waiting(door, door.wait_for(Knocked, timeout=timeout, check=check))
    door._emit(ADA)
    with pytest.raises(type(error)) as caught:
        await task
    assert caught.value is error
    assert not door._streams


async def test_waiting_can_be_cancelled(door: Door) -> None:
    task = await waiting(door, door.wait_for("rang", timeout=60))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not door._streams


async def test_waiting_ends_with_the_room(door: Door) -> None:
    task = await waiting(door, door.wait_for("rang"))
    gone = RoomDisconnectedError("gone")
    door._end_streams(gone)
    with pytest.raises(RoomDisconnectedError) as caught:
        await task
    assert caught.value is gone


async def test_the_event_wins_over_the_end(door: Door) -> None:
    task = await waiting(door, door.wait_for("rang"))
    door._emit(Rang())
    door._end_streams(RoomDisconnectedError())
    assert await task == Rang()


async def test_what_handlers_do_comes_before_what_waiters_see(door: Door) -> None:
    order: list[str] = []
    door.on("rang", lambda: order.append("handler"))
    task = await waiting(door, door.wait_for("rang"))
    task.add_done_callback(lambda _: order.append("waiter"))
    door._emit(Rang())
    assert order == ["handler"]
    await task
    await ticks()
    assert order == ["handler", "waiter"]


# -- events() ----------------------------------------------------------------------------------------------------------


async def test_a_stream_hears_from_the_call_on(door: Door) -> None:
    door._emit(Knocked("too early", 1))
    stream = door.events(Knocked, Rang)
    door._emit(ADA)
    door._emit(SIPCall2Ended())
    door._emit(Rang())
    assert [await anext(stream), await anext(stream)] == [ADA, Rang()]


async def test_a_stream_of_everything(door: Door) -> None:
    stream = door.events()
    by_name = door.events("rang", "knocked")
    for event in (ADA, SIPCall2Ended(), Rang()):
        door._emit(event)
    door._end_streams(LiveKitError("end"))
    assert [event async for event in stream] == [ADA, SIPCall2Ended(), Rang()]
    assert [event async for event in by_name] == [ADA, Rang()]


async def test_a_stream_waits_and_ends_with_the_room(door: Door) -> None:
    stream: EventStream[Knocked] = door.events(Knocked)
    heard: list[Knocked] = []

    async def listen() -> None:
        heard.extend([event async for event in stream])

    task = asyncio.ensure_future(listen())
    await ticks()
    assert not task.done()
    door._emit(ADA)
    door._end_streams(gone := RoomDisconnectedError("gone"))
    await asyncio.wait_for(task, 5)
    assert heard == [ADA], "what had come is still given"
    assert stream.ended_by is gone
    assert not door._streams
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_can_be_closed(door: Door) -> None:
    stream = door.events(Knocked)
    door._emit(ADA)
    stream.close()
    stream.close()
    door._emit(Knocked("too late", 1))
    assert [event async for event in stream] == [ADA]
    assert stream.ended_by is None


async def test_a_stream_that_nobody_reads_keeps_the_newest_and_counts_the_rest(door: Door) -> None:
    stream = door.events(Knocked)
    for number in range(EventStream.LIMIT + 5):
        door._emit(Knocked("ada", number))
    assert stream.dropped == 5
    stream.close()
    times = [event.times async for event in stream]
    assert times == list(range(5, EventStream.LIMIT + 5))


async def test_streams_do_not_take_events_from_each_other(door: Door) -> None:
    first, second = door.events(Rang), door.events(Rang)
    door._emit(Rang())
    assert await anext(first) == await anext(second) == Rang()
    assert first.dropped == 0


async def test_a_cancelled_reader_loses_nothing(door: Door) -> None:
    stream = door.events(Knocked)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(stream)
    door._emit(ADA)
    assert await anext(stream) is ADA
