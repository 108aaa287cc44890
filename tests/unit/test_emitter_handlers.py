"""With which arguments handlers are called, and what becomes of those who fail or are async."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.door import ADA, Door, Rang, ticks

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
