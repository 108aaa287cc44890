"""Who hears of events, in which order, with which arguments, and what becomes of those who fail."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from lk_pyodide.emitter import Event, EventSource, EventStream
from lk_pyodide.errors import DeadlineExceeded, LiveKitError, RoomDisconnectedError


@dataclass(frozen=True, slots=True)
class Knocked(Event):
    """Two arguments."""

    who: str
    times: int


@dataclass(frozen=True, slots=True)
class Rang(Event):
    """None."""


@dataclass(frozen=True, slots=True)
class SIPCall2Ended(Event):
    """For its name."""


Names = Literal["knocked", "rang", "sip_call2_ended"]
ADA = Knocked("ada", 3)


class Door(EventSource[Names]):
    """Something with events."""

    def __init__(self) -> None:
        super().__init__({event.event_name: event for event in (Knocked, Rang, SIPCall2Ended)})


@pytest.fixture
def door() -> Door:
    return Door()


async def ticks(count: int = 3) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


# -- events ------------------------------------------------------------------------------------------------------------


def test_names_come_from_the_classes() -> None:
    assert (Knocked.event_name, Rang.event_name) == ("knocked", "rang")
    assert SIPCall2Ended.event_name == "sip_call2_ended"


def test_the_fields_are_the_arguments_in_order() -> None:
    assert ADA.arguments() == ("ada", 3)
    assert Rang().arguments() == ()


# -- on, once, off -----------------------------------------------------------------------------------------------------


def test_by_name_a_handler_gets_the_fields_and_by_class_the_event(door: Door) -> None:
    heard: list[object] = []
    door.on("knocked", lambda who, times: heard.append((who, times)))
    door.on(Knocked, heard.append)
    door._emit(ADA)
    assert heard == [("ada", 3), ADA]


def test_handlers_run_in_the_order_of_registration_before_emit_returns(door: Door) -> None:
    heard: list[int] = []
    for number in range(20):
        (door.once if number % 3 == 0 else door.on)(Knocked, functools.partial(_note, heard, number))
    door._emit(ADA)
    assert heard == list(range(20))
    heard.clear()
    door._emit(ADA)
    assert heard == [number for number in range(20) if number % 3]


def _note(heard: list[int], number: int, _: Knocked) -> None:
    heard.append(number)


def test_handlers_of_other_events_do_not_hear(door: Door) -> None:
    door.on("rang", lambda: pytest.fail("nobody rang"))
    door._emit(ADA)


def test_once_is_once(door: Door) -> None:
    heard: list[str] = []
    door.once("knocked", heard.append)
    door._emit(ADA)
    door._emit(ADA)
    assert heard == ["ada"]


def test_once_is_once_even_if_the_handler_emits_again(door: Door) -> None:
    heard: list[str] = []

    def again(who: str) -> None:
        heard.append(who)
        if len(heard) < 5:
            door._emit(Knocked("echo", 1))

    door.once("knocked", again)
    later: list[str] = []
    door.once("knocked", later.append)
    door._emit(ADA)
    assert heard == ["ada"]
    assert later == ["echo"], "the inner event came first for the one that was still waiting"


def test_off_takes_a_handler_away(door: Door) -> None:
    heard: list[str] = []
    for register in (door.on, door.once):
        register("knocked", heard.append)
        assert door.off("knocked", heard.append) is door
        door._emit(ADA)
    assert heard == []


def test_off_by_class_and_by_name_are_the_same_event(door: Door) -> None:
    heard: list[object] = []
    door.on(Knocked, heard.append)
    door.off("knocked", heard.append)
    door.on("knocked", heard.append)
    door.off(Knocked, heard.append)
    door._emit(ADA)
    assert heard == []


def test_off_after_once_has_run_does_nothing(door: Door) -> None:
    heard: list[str] = []
    door.once("knocked", heard.append)
    door._emit(ADA)
    assert door.off("knocked", heard.append) is door
    assert door.off("knocked", print) is door, "nor for one that never was there"


def test_a_handler_registered_twice_runs_twice_and_off_takes_one(door: Door) -> None:
    heard: list[str] = []
    door.on("knocked", heard.append).on("knocked", heard.append)
    door._emit(ADA)
    assert heard == ["ada", "ada"]
    door.off("knocked", heard.append)
    door._emit(ADA)
    assert heard == ["ada"] * 3


def test_bound_methods_are_found_again(door: Door) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def on_knock(self, who: str) -> None:
            self.heard.append(who)

    first, second, third = Listener(), Listener(), Listener()
    for listener in (first, second, third):
        door.on("knocked", listener.on_knock)
    door.off("knocked", first.on_knock).off("knocked", third.on_knock)
    door._emit(ADA)
    assert (first.heard, second.heard, third.heard) == ([], ["ada"], [])


def test_decorators_give_the_function_back(door: Door) -> None:
    heard: list[object] = []

    @door.on("knocked")
    def by_name(who: str) -> None:
        heard.append(who)

    @door.once(Knocked)
    def by_class(event: Knocked) -> None:
        heard.append(event)

    door._emit(ADA)
    door.off("knocked", by_name)
    door._emit(ADA)
    by_name("direct")
    by_class(ADA)
    assert heard == ["ada", ADA, "direct", ADA]


def test_registering_chains(door: Door) -> None:
    assert door.on("rang", print).once(Knocked, print).off("rang", print) is door


def test_a_handler_may_unregister_itself_and_others(door: Door) -> None:
    heard: list[str] = []

    def first() -> None:
        heard.append("first")
        door.off("rang", first)

    door.on("rang", first).on("rang", lambda: heard.append("second"))
    door._emit(Rang())
    door._emit(Rang())
    assert heard == ["first", "second", "second"]


def test_a_handler_that_is_added_meanwhile_hears_the_next_event(door: Door) -> None:
    heard: list[str] = []

    def add() -> None:
        door.on("rang", lambda: heard.append("new"))

    door.once("rang", add)
    door._emit(Rang())
    assert heard == []
    door._emit(Rang())
    assert heard == ["new"]


def test_events_inside_events_are_told_at_once(door: Door) -> None:
    heard: list[str] = []
    door.on("rang", lambda: door._emit(ADA)).on("rang", lambda: heard.append("rang"))
    door.on("knocked", heard.append)
    door._emit(Rang())
    assert heard == ["ada", "rang"]


# -- arguments ---------------------------------------------------------------------------------------------------------


class Callables:
    """Handlers of every kind; each returns what it was given."""

    def method(self, who: str) -> object:
        return (who,)

    @classmethod
    def class_method(cls, who: str) -> object:
        return (who,)

    @staticmethod
    def static(who: str) -> object:
        return (who,)

    def __call__(self, who: str) -> object:
        return (who,)


def _default(who: str, times: int = 9, more: str = "more") -> object:
    return who, times, more


def _keyword_only(who: str, *, loud: bool = False) -> object:
    return who, loud


def _partial(prefix: str, who: str, times: int) -> object:
    return prefix, who, times


HANDLERS: list[tuple[str, Callable[..., object], object]] = [
    ("no argument", lambda: (), ()),
    ("one", lambda who: (who,), ("ada",)),
    ("two", lambda who, times: (who, times), ("ada", 3)),
    ("positional only", lambda who, /: (who,), ("ada",)),
    ("any number", lambda *all_: all_, ("ada", 3)),
    ("one and any number", lambda who, *rest: (who, rest), ("ada", (3,))),
    ("more than there are, with defaults", _default, ("ada", 3, "more")),
    ("keyword only", _keyword_only, ("ada", False)),
    ("keywords", lambda who, **rest: (who, rest), ("ada", {})),
    ("bound method", Callables().method, ("ada",)),
    ("class method", Callables.class_method, ("ada",)),
    ("static method", Callables.static, ("ada",)),
    ("callable object", Callables(), ("ada",)),
    ("partial", functools.partial(_partial, "x"), ("x", "ada", 3)),
    ("partial of a method", functools.partial(Callables().method), ("ada",)),
    ("partial that leaves one", functools.partial(_partial, "x", times=7), ("x", "ada", 7)),
    ("built-in", "{}".format, "ada"),
]


@pytest.mark.parametrize(("handler", "given"), [pytest.param(h, g, id=name) for name, h, g in HANDLERS])
def test_a_handler_gets_as_many_arguments_as_it_takes(door: Door, handler: Any, given: object) -> None:
    results: list[object] = []

    @functools.wraps(handler)
    def record(*arguments: object, **keywords: object) -> None:
        results.append(handler(*arguments, **keywords))

    door.on("knocked", record).once("knocked", record)
    door._emit(ADA)
    assert results == [given, given]


def test_defaults_are_parameters(door: Door) -> None:
    """As in livekit.rtc: ``lambda who, element=element: …`` is given the second argument."""
    heard: list[object] = []
    door.on("knocked", lambda who, element="bound": heard.append(element))
    door.on("knocked", lambda who, *, element="bound": heard.append(element))
    door._emit(ADA)
    assert heard == [3, "bound"]


def test_what_has_no_signature_gets_everything(door: Door) -> None:
    heard: list[object] = []

    class Foreign:
        __signature__ = "none that Python can read"

        def __call__(self, *arguments: object) -> None:
            heard.append(arguments)

    door.on("knocked", Foreign())
    door._emit(ADA)
    assert heard == [("ada", 3)]


def test_how_many_is_decided_at_registration(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    door.on("knocked", heard.append)

    def too_late(_: object) -> None:
        raise AssertionError("asked at each event")

    monkeypatch.setattr("inspect.signature", too_late)
    door._emit(ADA)
    assert heard == ["ada"]


def test_a_handler_that_wants_too_much_is_logged(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    door.on("rang", lambda who: who)
    door.on("rang", _requires_keyword)
    door._emit(Rang())
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [TypeError, TypeError]


def _requires_keyword(*, loud: bool) -> None:
    assert loud


# -- handlers that fail, and async ones --------------------------------------------------------------------------------


def test_a_handler_that_raises_is_logged_and_the_others_run(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken() -> None:
        raise RuntimeError("broken")

    def type_error() -> None:
        raise TypeError("of its own")

    door.on("rang", broken).once("rang", type_error).on("rang", lambda: heard.append("rang"))
    door._emit(Rang())
    door._emit(Rang())
    assert heard == ["rang", "rang"]
    assert [record.name for record in caplog.records] == ["lk_pyodide.events"] * 3
    assert "'rang'" in caplog.text and "RuntimeError: broken" in caplog.text and "in broken" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(door: Door, error: type[BaseException]) -> None:
    def end() -> None:
        raise error

    door.on("rang", end)
    with pytest.raises(error):
        door._emit(Rang())


async def test_async_handlers_are_tasks_that_somebody_holds(door: Door) -> None:
    heard: list[str] = []
    go = asyncio.Event()

    @door.on("knocked")
    async def slow(who: str) -> None:
        await go.wait()
        heard.append(who)

    door._emit(ADA)
    await ticks()
    gc.collect()
    assert heard == []
    assert len(door._handler_tasks) == 1
    go.set()
    await ticks()
    assert heard == ["ada"]
    assert not door._handler_tasks


async def test_everything_awaitable_is_awaited(door: Door) -> None:
    heard: list[str] = []

    async def work(what: str) -> None:
        heard.append(what)

    class Caller:
        async def __call__(self) -> None:
            heard.append("object")

    class Lazy:
        def __await__(self) -> Any:
            return work("awaitable").__await__()

    door.on("rang", lambda: work("lambda")).on("rang", functools.partial(work, "partial")).on("rang", Caller())
    door.on("rang", lambda: asyncio.ensure_future(work("task"))).on("rang", Lazy)
    door._emit(Rang())
    await ticks(5)
    assert sorted(heard) == ["awaitable", "lambda", "object", "partial", "task"]


async def test_an_async_handler_that_raises_is_logged(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    @door.on("rang")
    async def broken() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("broken later")

    door._emit(Rang())
    await ticks(5)
    assert "a handler of 'rang' raised" in caplog.text and "RuntimeError: broken later" in caplog.text
    assert not door._handler_tasks


async def test_a_cancelled_handler_is_nobodys_error(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    started = asyncio.Event()

    @door.on("rang")
    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    door._emit(Rang())
    await started.wait()
    [task] = door._handler_tasks
    task.cancel()
    await ticks()
    assert not door._handler_tasks
    assert caplog.records == []


# -- names -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unheard(Event):
    """An event that a door does not have."""


@pytest.mark.parametrize("wrong", ["knoked", "", "Knocked", Unheard, Event])
def test_an_event_that_does_not_exist_lists_those_that_do(door: Door, wrong: Any) -> None:
    uses: list[Callable[[], object]] = [
        lambda: door.on(wrong),
        lambda: door.on(wrong, print),
        lambda: door.once(wrong, print),
        lambda: door.off(wrong, print),
        lambda: door.events(wrong),
        lambda: door.events(Knocked, wrong),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="known events: knocked, rang, sip_call2_ended"):
            use()
    assert not door._streams


async def test_waiting_for_an_event_that_does_not_exist(door: Door) -> None:
    wrong: Any = "knoked"
    with pytest.raises(ValueError, match="'knoked'; known events: knocked"):
        await door.wait_for(wrong)


def test_another_class_of_the_same_name_is_another_event(door: Door) -> None:
    impostor: Any = dataclass(frozen=True)(type("Knocked", (Event,), {}))
    with pytest.raises(ValueError, match="there is no event 'knocked'"):
        door.on(impostor, print)


@pytest.mark.parametrize("handler", [7, "print"])
def test_a_handler_must_be_callable(door: Door, handler: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        door.on("rang", handler)
    with pytest.raises(TypeError, match="callable"):
        door.on("rang")(handler)


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
