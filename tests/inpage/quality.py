"""How much of a video comes, and how much of ours goes out."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

from lk_pyodide import LocalTrack, RemoteTrack, RemoteTrackPublication, Room, RoomOptions, VideoQuality
from tests.inpage import steps


async def _until(look: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait until something is so; statistics have no event to wait for."""
    async with asyncio.timeout(timeout):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.2)


async def _inbound(track: RemoteTrack) -> Mapping[str, Any]:
    report = await track.get_rtc_stats_report()
    return next((stats for stats in report if stats["type"] == "inbound-rtp"), {})


async def _width(publication: RemoteTrackPublication) -> int:
    assert publication.track is not None
    return int((await _inbound(publication.track)).get("frameWidth", 0))


async def _frames(publication: RemoteTrackPublication) -> int:
    assert publication.track is not None
    return int((await _inbound(publication.track)).get("framesDecoded", 0))


async def receive(*, url: str, token: str, publisher: str) -> dict[str, Any]:
    """Join, and ask for more and less of somebody's camera.

    Returns:
        Widths that came: at first, of the lowest layer, for a small picture, of the highest; frames that came in a
        second while the track was not enabled, and while it was again.
    """
    async with Room() as room:
        await room.connect(url, token)
        publication = next(iter(room.remote_participants[publisher].track_publications.values()))
        await _until(lambda: _is_subscribed(publication))
        assert publication.track is not None
        publication.track.attach("body")
        found = {"first": await _until(lambda: _above(publication, 640))}
        publication.set_video_quality(VideoQuality.LOW)
        found["low"] = await _until(lambda: _below(publication, 400))
        publication.set_video_quality(VideoQuality.HIGH)
        found["high"] = await _until(lambda: _above(publication, 640))
        publication.set_video_dimensions(160, 90)
        found["small"] = await _until(lambda: _below(publication, 400))
        publication.set_enabled(False)
        await _until(lambda: _still(publication))
        before = await _frames(publication)
        await asyncio.sleep(1)
        found["paused"] = await _frames(publication) - before
        publication.set_enabled(True)
        found["again"] = await _until(lambda: _more(publication, before))
        publication.track.detach()
    return found


async def _is_subscribed(publication: RemoteTrackPublication) -> bool:
    return publication.subscribed


async def _above(publication: RemoteTrackPublication, width: int) -> int:
    found = await _width(publication)
    return found if found > width else 0


async def _below(publication: RemoteTrackPublication, width: int) -> int:
    found = await _width(publication)
    return found if found < width else 0


async def _still(publication: RemoteTrackPublication) -> bool:
    before = await _frames(publication)
    await asyncio.sleep(0.5)
    return await _frames(publication) == before


async def _more(publication: RemoteTrackPublication, before: int) -> int:
    return await _frames(publication) - before


async def publish(*, url: str, token: str) -> list[list[str]]:
    """Publish the camera with dynacast, and tell which layers go out, each time that we are asked.

    Returns:
        The rids of the layers of which frames were sent within a second, at the end.
    """
    async with Room(RoomOptions(dynacast=True)) as room:
        await room.connect(url, token)
        publication = await room.local_participant.set_camera_enabled(True)
        assert publication is not None
        steps.reached("published")
        seen: list[list[str]] = []
        for step in ("all", "low", "again"):
            wanted = await steps.until(step, 60)
            seen.append(await _until(functools.partial(_exactly, publication.track, wanted), 60))
            steps.reached(f"seen {step}", seen[-1])
    return seen


async def _exactly(track: LocalTrack, wanted: list[str]) -> list[str]:
    first = await _sent(track)
    await asyncio.sleep(1)
    last = await _sent(track)
    moving = sorted(rid for rid, frames in last.items() if frames > first.get(rid, 0) + 2)
    return moving if moving == wanted else []


async def _sent(track: LocalTrack) -> dict[str, int]:
    report: list[Mapping[str, Any]] = await track.get_rtc_stats_report()
    layers = [stats for stats in report if stats["type"] == "outbound-rtp"]
    return {layer.get("rid", ""): layer.get("framesSent", 0) for layer in layers}
