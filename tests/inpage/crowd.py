"""Joining a large room: how long the page is held up."""

import asyncio
import contextlib
import time

from lk_pyodide import ConnectError, Room, RoomOptions
from lk_pyodide.core import wire
from lk_pyodide.core.messages import (
    JoinResponse,
    ParticipantInfo,
    SimulcastCodecInfo,
    TrackInfo,
    VideoLayer,
)
from lk_pyodide.core.messages import Room as RoomInfo
from lk_pyodide.types import ParticipantState, ServerInfo, TrackKind, TrackSource


def big_join(participants: int) -> bytes:
    """A join response with so many participants, three publications each."""
    layers = tuple(VideoLayer(width=w, height=w, bitrate=w * 1000, rid=rid) for w, rid in ((180, "q"), (360, "h")))
    others = [
        ParticipantInfo(
            sid=f"PA_{number}",
            identity=f"participant {number}",
            name="A name",
            state=ParticipantState.ACTIVE,
            attributes={"lang": "en", "role": "pupil"},
            tracks=tuple(
                TrackInfo(
                    sid=f"TR_{number}_{index}",
                    type=TrackKind.VIDEO,
                    source=TrackSource(index + 1),
                    width=1280,
                    height=720,
                    layers=layers,
                    mime_type="video/VP8",
                    codecs=(SimulcastCodecInfo("video/VP8", "", "cid", layers),),
                )
                for index in range(3)
            ),
        )
        for number in range(participants)
    ]
    join = JoinResponse(
        room=RoomInfo(name="crowd"),
        participant=ParticipantInfo(sid="PA_me", identity="me"),
        server_info=ServerInfo(version="1.13.5"),
    )
    return wire.encode_response(join, others)


async def longest_pause(url: str) -> dict[str, float]:
    """Join a room of 300 at a server that has nothing but the join response; the longest that the loop stood still."""
    stop = asyncio.Event()
    pauses: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            await asyncio.sleep(0)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    room = Room(RoomOptions(peer_connection_timeout=0.5))
    await room.prepare_connection(url)
    ticking = asyncio.create_task(tick())
    with contextlib.suppress(ConnectError):
        await room.connect(url, "t")
    stop.set()
    await ticking
    data = big_join(300)
    started = time.perf_counter()
    response = wire.decode_response(data)
    assert isinstance(response, JoinResponse)
    for encoded in response.other_participants:
        wire.decode_participant(encoded)
    return {"longest pause": max(pauses), "in one go": time.perf_counter() - started}
