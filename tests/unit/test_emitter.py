"""Who hears of events, and in which order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lk_pyodide.emitter import Event
from tests.unit.door import ADA, Door, Knocked, Rang, SIPCall2Ended

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
