"""What comes of somebody's video, as the browser counts it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lk_pyodide import RemoteTrack, RemoteTrackPublication


async def until(look: Callable[[], Awaitable[Any]], timeout: float = 30) -> Any:
    """Wait until something is so; statistics have no event to wait for."""
    async with asyncio.timeout(timeout):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.2)


async def is_subscribed(publication: RemoteTrackPublication) -> bool:
    """Whether its media is here."""
    return publication.subscribed


async def frames(publication: RemoteTrackPublication) -> int:
    """How many have been shown."""
    assert publication.track is not None
    return int((await _inbound(publication.track)).get("framesDecoded", 0))


async def arrived(publication: RemoteTrackPublication) -> int:
    """How many have come, even those that nobody would look at."""
    assert publication.track is not None
    return int((await _inbound(publication.track)).get("framesReceived", 0))


async def wider_than(publication: RemoteTrackPublication, width: int) -> int:
    """The width of the picture, or 0 while it is not more than this."""
    found = await _width(publication)
    return found if found > width else 0


async def narrower_than(publication: RemoteTrackPublication, width: int) -> int:
    """The width of the picture, or 0 while it is not less than this."""
    found = await _width(publication)
    return found if found < width else 0


async def is_still(publication: RemoteTrackPublication) -> bool:
    """Whether nothing comes for half a second."""
    before = await frames(publication)
    await asyncio.sleep(0.5)
    return await frames(publication) == before


async def more_than(publication: RemoteTrackPublication, before: int) -> int:
    """How many frames have come since there were so many."""
    return await frames(publication) - before


async def _width(publication: RemoteTrackPublication) -> int:
    assert publication.track is not None
    return int((await _inbound(publication.track)).get("frameWidth", 0))


async def _inbound(track: RemoteTrack) -> Mapping[str, Any]:
    report = await track.get_rtc_stats_report()
    return next((stats for stats in report if stats["type"] == "inbound-rtp"), {})
