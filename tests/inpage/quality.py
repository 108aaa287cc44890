"""How much of a video comes, and how much of ours goes out."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Any

from lk_pyodide import LocalTrack, Room, RoomOptions, VideoQuality
from tests.inpage import steps
from tests.inpage.inbound import frames, is_still, is_subscribed, more_than, narrower_than, until, wider_than


async def receive(*, url: str, token: str, publisher: str) -> dict[str, Any]:
    """Join, and ask for more and less of somebody's camera.

    Returns:
        Widths that came: at first, of the lowest layer, for a small picture, of the highest; frames that came in a
        second while the track was not enabled, and while it was again.
    """
    async with Room() as room:
        await room.connect(url, token)
        publication = next(iter(room.remote_participants[publisher].track_publications.values()))
        await until(lambda: is_subscribed(publication))
        assert publication.track is not None
        publication.track.attach("body")
        found = {"first": await until(lambda: wider_than(publication, 400))}
        publication.set_video_quality(VideoQuality.LOW)
        found["low"] = await until(lambda: narrower_than(publication, 400))
        publication.set_video_quality(VideoQuality.HIGH)
        found["high"] = await until(lambda: wider_than(publication, 400))
        publication.set_video_dimensions(160, 90)
        found["small"] = await until(lambda: narrower_than(publication, 400))
        publication.set_enabled(False)
        await until(lambda: is_still(publication))
        before = await frames(publication)
        await asyncio.sleep(1)
        found["paused"] = await frames(publication) - before
        publication.set_enabled(True)
        found["again"] = await until(lambda: more_than(publication, before))
        publication.track.detach()
    return found


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
            seen.append(await until(functools.partial(_exactly, publication.track, wanted), 60))
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
