"""Whatever is done with tracks, given up in the middle: nothing is left on that nobody knows of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from lk_pyodide import LocalTrack, LocalVideoTrack, Room, TrackSource, create_local_tracks
from lk_pyodide.errors import LiveKitError
from tests.inpage.device_faults import stand_in, until

if TYPE_CHECKING:
    from lk_pyodide.browser.ffi import Js

MOMENTS = (0.0, 0.03, 0.12)
"""Seconds after which it is given up: at once, while a device opens, while the server is asked or after it."""


async def _both(room: Room) -> None:
    await room.local_participant.enable_camera_and_microphone()


async def _make(_room: Room) -> None:
    """Tracks of the caller's own: it has them, or nobody has."""
    for track in await create_local_tracks():
        track.stop()


async def _mute(room: Room) -> None:
    """The camera's light goes off, and on."""
    await room.local_participant.set_camera_enabled(False)
    await room.local_participant.set_camera_enabled(True)


async def _restart(room: Room) -> None:
    await _camera(room).restart_track()


async def _switch(room: Room) -> None:
    devices = await Room.get_local_devices("videoinput")
    await room.switch_active_device("videoinput", devices[-1].device_id)


async def _process(room: Room) -> None:
    from tests.inpage.contract_processing import Copies  # only a page has what it imports

    camera = _camera(room)
    await camera.set_processor(Copies())
    await camera.stop_processor()


async def _republish(room: Room) -> None:
    await room.local_participant.republish_all_tracks()


async def _unpublish(room: Room) -> None:
    for publication in list(room.local_participant.track_publications.values()):
        await room.local_participant.unpublish_track(publication.sid)


WORK: dict[str, tuple[bool, Callable[[Room], Awaitable[None]]]] = {
    "publish": (False, _both),
    "make": (False, _make),
    "mute": (True, _mute),
    "restart": (True, _restart),
    "switch": (True, _switch),
    "process": (True, _process),
    "republish": (True, _republish),
    "unpublish": (True, _unpublish),
}
"""By name: whether camera and microphone are published before, and what is done."""


def _camera(room: Room) -> LocalVideoTrack:
    publication = room.local_participant.get_track_publication(TrackSource.CAMERA)
    assert publication is not None
    assert isinstance(publication.track, LocalVideoTrack)
    return publication.track


async def give_up(*, url: str, token: str, how: str) -> list[str]:
    """Begin each work, and at each moment cancel it, have the connection break, or leave.

    Args:
        url: of the server.
        token: for a room.
        how: ``"cancel"``, ``"break"`` or ``"leave"``.

    Returns:
        What became of each.
    """
    outcomes: list[str] = []
    with stand_in() as js_stand:
        for name, (is_published, work) in WORK.items():
            for seconds in MOMENTS:
                what = f"{name} after {seconds} s"
                async with Room() as room:
                    await room.connect(url, token)
                    if is_published:
                        await _both(room)
                    outcomes.append(f"{what}: {await _given_up(room, js_stand, work, seconds, how)}")
                    await until(partial(_on, room, js_stand), f"{what}: {js_stand.live()!r} is on")
                await until(lambda: js_stand.live() == "", f"{what}: the light is on, and nobody is in the room")
    return outcomes


async def _given_up(room: Room, js_stand: Js, work: Callable[[Room], Awaitable[None]], seconds: float, how: str) -> str:
    task = asyncio.ensure_future(work(room))
    await asyncio.sleep(seconds)
    if how == "cancel":
        task.cancel()
    elif how == "leave":
        await room.disconnect()
    else:
        back = asyncio.ensure_future(room.wait_for("reconnected", timeout=30))
        await asyncio.sleep(0)  # it listens now
        js_stand.drop()
        await back
    try:
        async with asyncio.timeout(30):
            await task
    except (asyncio.CancelledError, LiveKitError) as error:
        return type(error).__name__
    return "done"


def _on(room: Room, js_stand: Js) -> bool:
    """Whether what is on is what is published and not muted; a muted microphone is on, too."""
    tracks = [publication.track for publication in room.local_participant.track_publications.values()]
    on = [str(track.media_stream_track.kind) for track in tracks if not (_is_camera(track) and track.is_muted)]
    live: str = js_stand.live()
    return live == " ".join(sorted(on))


def _is_camera(track: LocalTrack) -> bool:
    return track.source is TrackSource.CAMERA
