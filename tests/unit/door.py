"""Something with events, for the tests of emitter.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from lk_pyodide.emitter import Event, EventSource


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


async def ticks(count: int = 3) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)
