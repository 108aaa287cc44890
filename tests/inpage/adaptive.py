"""Somebody's video, as it is shown."""

from __future__ import annotations

import asyncio
from typing import Any

from lk_pyodide import RemoteTrackPublication, RemoteVideoTrack, Room, RoomOptions
from tests.inpage.inbound import arrived, frames, is_still, is_subscribed, more_than, narrower_than, until, wider_than

_TILE = "position:fixed;top:0;left:0;width:160px;height:90px"
_STAGE = "position:fixed;top:0;left:0;width:1280px;height:720px"
_AWAY = "position:absolute;top:20000px;left:0;width:160px;height:90px"


async def receive(*, url: str, token: str, publisher: str) -> dict[str, Any]:
    """Join with adaptive streams, and show somebody's camera large, small, and not at all.

    Returns:
        Frames of a second in which it was not to be seen: ``unattached``, ``undisplayed``, ``scrolled`` away,
        ``detached``; the widths that came as a ``tile`` and on a ``stage``; and seconds until it was there again,
        ``displayed`` and ``returned``.
    """
    from lk_pyodide.browser.ffi import js  # there is none where the test is collected

    loop = asyncio.get_running_loop()
    async with Room(RoomOptions(adaptive_stream=True)) as room:
        await room.connect(url, token)
        publication = next(iter(room.remote_participants[publisher].track_publications.values()))
        await until(lambda: is_subscribed(publication))
        track = publication.track
        assert isinstance(track, RemoteVideoTrack)
        assert track.is_adaptive_stream
        found: dict[str, Any] = {"unattached": await _second_of_nothing(publication)}

        async def shown_again(change: Any) -> float:
            before, began = await frames(publication), loop.time()
            change()
            await until(lambda: more_than(publication, before))
            return loop.time() - began

        video = track.attach()
        video.style.cssText = _TILE
        js.document.body.append(video)
        found["first"] = await shown_again(lambda: None)
        found["tile"] = await until(lambda: narrower_than(publication, 400))
        video.style.cssText = _STAGE
        found["stage"] = await until(lambda: wider_than(publication, 400))
        video.style.cssText = _TILE
        found["again"] = await until(lambda: narrower_than(publication, 400))
        video.style.display = "none"
        found["undisplayed"] = await _second_of_nothing(publication)
        found["displayed"] = await shown_again(lambda: video.style.removeProperty("display"))
        video.style.cssText = _AWAY
        found["scrolled"] = await _second_of_nothing(publication)
        found["returned"] = await shown_again(video.scrollIntoView)
        track.detach()
        found["detached"] = await _second_of_nothing(publication)
    js.scrollTo(0, 0)
    return found


async def _second_of_nothing(publication: RemoteTrackPublication) -> int:
    """Wait until nothing comes, and count what comes in a second."""
    await until(lambda: is_still(publication))
    before = await arrived(publication)
    await asyncio.sleep(1)
    return await arrived(publication) - before
