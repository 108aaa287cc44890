"""The in-page runner's promises that need no page: it is plain asyncio."""

import asyncio
import json

import pytest

from tests.inpage import runner, selftest


def _no_steps(_run: int, _name: str, _value: str) -> None:
    raise AssertionError("these bodies report no steps")


async def _outcome(body: str, kwargs: str = "{}", *, stop: bool = False) -> dict[str, object]:
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    runner.start(-1, selftest.__name__, body, kwargs, done.set_result, _no_steps)
    if stop:
        runner.stop(-1)
    answer: dict[str, object] = json.loads(await asyncio.wait_for(done, 5))
    return answer


async def test_values_and_errors_are_outcomes() -> None:
    """So is a name that does not exist, and an answer that cannot travel."""
    value = (await _outcome("add", '{"left": 1, "right": 2}'))["value"]
    assert isinstance(value, dict)
    assert value["sum"] == 3
    assert "ValueError" in str(await _outcome("fail"))
    assert "AttributeError" in str(await _outcome("no_such_body"))


async def test_a_run_stopped_before_its_first_step_has_an_outcome() -> None:
    """A task cancelled that early never enters its coroutine."""
    assert "CancelledError" in str(await _outcome("hang", stop=True))


def test_bytes_travel_as_json() -> None:
    """And what is neither JSON nor bytes says so."""
    value = {"data": [b"\x00\xff"], "text": "é"}
    assert runner.decode(runner.encode(value)) == value
    with pytest.raises(TypeError, match="JSON and bytes"):
        runner.encode(object())
