"""Videos in one codec after the other: ours go out, others' come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lk_pyodide import (
    LocalTrack,
    RemoteTrackPublication,
    Room,
    RoomOptions,
    TrackPublishOptions,
    TrackSubscribed,
    VideoCaptureOptions,
    VideoPresets,
    VideoQuality,
)
from lk_pyodide.browser.current import current
from tests.inpage import steps

_SMALL = VideoCaptureOptions(resolution=VideoPresets.H360.resolution)


async def abilities() -> Sequence[str]:
    """What this browser says that it can encode."""
    await current().ready()
    return current().info.video_codecs


async def publish(*, url: str, token: str, rounds: list[dict[str, Any]]) -> None:
    """Publish the camera again and again, each time with other options, as long as the test wants to look at it."""
    async with Room(RoomOptions(dynacast=True)) as room:
        await room.connect(url, token)
        me = room.local_participant
        for number, options in enumerate(rounds):
            publication = await me.set_camera_enabled(True, _SMALL, TrackPublishOptions(**options))
            assert publication is not None
            steps.reached(f"published {number}", publication.mime_type)
            await steps.until(f"seen {number}", 60)
            steps.reached(f"sent {number}", await _sent(publication.track))
            await me.unpublish_track(publication.sid)


async def _sent(track: LocalTrack) -> dict[str, Any]:
    """The codec that goes out by each sender, its mode, and how many frames have."""
    report = await track.get_rtc_stats_report()
    codecs = {stats["id"]: stats.get("mimeType") for stats in report if stats["type"] == "codec"}
    sent: dict[str, Any] = {}
    for stats in report:
        if stats["type"] == "outbound-rtp" and stats.get("framesSent"):
            codec = str(codecs.get(stats.get("codecId")))
            sent[codec] = {"mode": stats.get("scalabilityMode", ""), "frames": stats["framesSent"]}
    return sent


async def receive(*, url: str, token: str, publishers: list[tuple[str, bool]]) -> list[dict[str, Any]]:
    """See the cameras of others, one after the other; the largest, then the smallest, layer of each.

    Args:
        url: of the server.
        token: for a room.
        publishers: the identity of each, and whether what it publishes has layers.

    Returns:
        For each time the codec that came, and the widths.
    """
    found = []
    async with Room() as room:
        await room.connect(url, token)
        for number, (publisher, layers) in enumerate(publishers):
            coming = asyncio.ensure_future(_subscribed(room, publisher))
            await asyncio.sleep(0)  # it listens now
            steps.reached(f"ready {number}")
            publication = await coming
            assert publication.track is not None
            publication.track.attach("body")
            seen = [await _until(publication, lambda stats: stats.get("frameWidth", 0) >= 640)]
            if layers:
                publication.set_video_quality(VideoQuality.LOW)
                seen.append(await _until(publication, lambda stats: 0 < stats.get("frameWidth", 0) <= 320))
                publication.set_video_quality(VideoQuality.HIGH)
                seen.append(await _until(publication, lambda stats: stats.get("frameWidth", 0) >= 640))
            found.append(
                {
                    "codec": seen[-1]["codec"],
                    "widths": [stats["frameWidth"] for stats in seen],
                    "frames": seen[-1]["framesDecoded"],
                }
            )
            publication.track.detach()
            gone = asyncio.ensure_future(room.wait_for("track_unpublished", timeout=60))
            steps.reached(f"received {number}", found[-1])
            await gone
    return found


async def _subscribed(room: Room, publisher: str) -> RemoteTrackPublication:
    subscribed = await room.wait_for(
        TrackSubscribed, timeout=60, check=lambda event: event.participant.identity == publisher
    )
    return subscribed.publication


async def _until(
    publication: RemoteTrackPublication, condition: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    """Wait until more has been decoded and it is as it should be; statistics have no event to wait for."""
    seen: Mapping[str, Any] = {}
    first = (await _inbound(publication)).get("framesDecoded", 0)
    try:
        async with asyncio.timeout(40):
            while not (condition(seen) and seen["framesDecoded"] > first + 3):
                await asyncio.sleep(0.1)
                seen = await _inbound(publication)
    except TimeoutError:
        raise AssertionError(f"last of {publication.mime_type}: {dict(seen)}") from None
    return seen


async def _inbound(publication: RemoteTrackPublication) -> Mapping[str, Any]:
    assert publication.track is not None
    report = await publication.track.get_rtc_stats_report()
    found = next((stats for stats in report if stats["type"] == "inbound-rtp"), {})
    codec = next((stats["mimeType"] for stats in report if stats["id"] == found.get("codecId")), "")
    return {**found, "codec": codec}


async def second_codec(*, url: str, token: str, options: dict[str, Any]) -> None:
    """Publish the camera with a second codec, and do with it what the test says."""
    async with Room() as room:
        await room.connect(url, token)
        publication = await room.local_participant.set_camera_enabled(True, _SMALL, TrackPublishOptions(**options))
        assert publication is not None
        steps.reached("published")
        await steps.until("mute", 60)
        await publication.mute()
        steps.reached("muted")
        await steps.until("unmute", 60)
        await publication.unmute()
        steps.reached("unmuted", room.options.dynacast)
        await steps.until("republish", 60)
        await room.local_participant.republish_all_tracks()
        steps.reached("republished", publication.sid)
        await steps.until("leave", 60)
        steps.reached("sent", await _sent(publication.track))
