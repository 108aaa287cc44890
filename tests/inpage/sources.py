"""Tracks that are no device's, published one after the other; what is said before an agent comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lk_pyodide import (
    LocalTrack,
    LocalTrackRecorder,
    Room,
    TrackPublishOptions,
    create_local_element_tracks,
    create_local_file_tracks,
    create_local_video_track,
    get_empty_audio_stream_track,
    get_empty_video_stream_track,
)
from tests.inpage import steps
from tests.inpage.contract_sources import tone

_PAINT = """
  const canvas = Object.assign(document.createElement("canvas"), {id: "painting", width: 320, height: 180});
  document.body.append(canvas);
  let step = 0;
  globalThis.lkPainting = setInterval(() => {
    step += 1;
    const context = canvas.getContext("2d");
    context.fillStyle = "black";
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = "white";
    context.fillRect(step % 200, 20, 80, 100);
  }, 50);
"""
_WIPE = "clearInterval(lkPainting); document.querySelector('#painting').remove(); delete globalThis.lkPainting"


def _run_js(code: str) -> None:
    from pyodide.code import run_js  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    run_js(f"{{{code}}}")


async def _darkness() -> list[LocalTrack]:
    return [await get_empty_video_stream_track(64, 36), await get_empty_audio_stream_track()]


async def _canvas() -> list[LocalTrack]:
    _run_js(_PAINT)
    return await create_local_element_tracks("#painting")


async def _recording() -> list[LocalTrack]:
    """The camera, as it was a moment ago."""
    camera = await create_local_video_track()
    try:
        async with LocalTrackRecorder(camera) as recorder:
            chunks = [await anext(recorder) for _ in range(15)]
        chunks.append(await recorder.read_all())
    finally:
        camera.stop()
    assert recorder.mime_type.startswith("video/")
    return await create_local_file_tracks(b"".join(chunks), loop=True)


async def _tone() -> list[LocalTrack]:
    return await create_local_file_tracks(tone(1.0), loop=True)


MAKERS: dict[str, Callable[[], Awaitable[list[LocalTrack]]]] = {
    "darkness": _darkness,
    "canvas": _canvas,
    "recording": _recording,
    "tone": _tone,
}


async def publish(*, url: str, token: str) -> None:
    """Join, and publish what each maker makes, until the test has seen it."""
    async with Room() as room:
        await room.connect(url, token)
        me = room.local_participant
        for name, make in MAKERS.items():
            tracks = await make()
            for track in tracks:
                await me.publish_track(track)
            steps.reached(name, [track.kind.name.lower() for track in tracks])
            await steps.until(f"seen {name}", 60)
            for track in tracks:
                await me.unpublish_track(track)
        _run_js(_WIPE)


async def speak_early(*, url: str, token: str) -> dict[str, Any]:
    """Open the microphone while joining, and wait until an agent has subscribed to it.

    Returns:
        The publication's sid.
    """
    async with Room() as room:
        heard = asyncio.ensure_future(room.wait_for("local_track_subscribed"))
        early = TrackPublishOptions(preconnect_buffer=True)
        _, publication = await asyncio.gather(
            room.connect(url, token), room.local_participant.set_microphone_enabled(True, publish_options=early)
        )
        assert publication is not None
        await asyncio.sleep(1.5)  # so much is said
        steps.reached("published")
        await heard
        await steps.until("read", 60)
        return {"sid": publication.sid}
