"""Data tracks from one room of ours to another, through a tab that is the server."""

from __future__ import annotations

import asyncio
import os

import pytest

from lk_pyodide import (
    DataTrackFrame,
    DataTrackStream,
    LocalDataTrack,
    PublishDataTrackError,
    PublishDataTrackErrorReason,
    Room,
)
from lk_pyodide.types import ConnectionState
from tests.local.conftest import Tabs, token
from tests.local.test_failover import eventually


async def read(stream: DataTrackStream) -> DataTrackFrame | None:
    return await asyncio.wait_for(stream.read(), 5)


async def subscribed(room: Room, identity: str, name: str) -> DataTrackStream:
    """Frames of somebody's track, from now on."""
    stream = (await room.remote_participants[identity].data_tracks.get_deferred(name, timeout=5)).subscribe()
    await eventually(lambda: not stream._buffer.is_pending)
    return stream


@pytest.mark.parametrize(("sender", "reader"), [("ada", "ben"), ("ben", "ada"), ("ben", "eve")])
async def test_frames(tab: Tabs, sender: str, reader: str) -> None:
    """From the tab that is the server, to it, and through it."""
    rooms = {room.local_participant.identity: room for room in await tab.join("ada", "ben", "eve")}
    tracks = [await rooms[sender].local_participant.publish_data_track(name=name) for name in ("one", "two")]
    streams = [await subscribed(rooms[reader], sender, name) for name in ("one", "two")]
    large = os.urandom(200_000)
    for frame in (DataTrackFrame(b"x", 0), DataTrackFrame(large), DataTrackFrame(b"", 7)):
        for track, stream in zip(tracks, streams, strict=True):
            track.try_push(frame)
            await track.flush()
            assert await read(stream) == frame
    await tracks[0].unpublish()
    assert await read(streams[0]) is None
    tracks[1].try_push(DataTrackFrame(b"still"))
    assert await read(streams[1]) == DataTrackFrame(b"still")
    again = await rooms[sender].local_participant.publish_data_track(name="one")
    stream = await subscribed(rooms[reader], sender, "one")
    again.try_push(DataTrackFrame(b"again"))
    assert await read(stream) == DataTrackFrame(b"again")
    await rooms[sender].disconnect()
    assert await read(streams[1]) is None


async def test_closing_and_subscribing_again(tab: Tabs) -> None:
    """At once, so that the server hears both together."""
    ada, ben = await tab.join("ada", "ben")
    track = await ada.local_participant.publish_data_track(name="t")
    for _ in range(3):
        stream = await subscribed(ben, "ada", "t")
        stream.close()
    stream = ben.remote_participants["ada"].data_tracks["t"].subscribe()
    await eventually(lambda: not stream._buffer.is_pending)

    def arrives() -> bool:
        track.try_push(DataTrackFrame(b"x"))  # before it is given again, it goes nowhere
        return bool(stream._buffer._frames)

    await eventually(arrives)


async def test_refusals(tab: Tabs) -> None:
    ada, mute = tab(), tab()
    await ada.connect("local://", token("ada"))
    await mute.connect("local://", token("mute", can_publish_data=False))
    await ada.local_participant.publish_data_track(name="t")
    cases = [
        (ada, "t", PublishDataTrackErrorReason.DUPLICATE_NAME),
        (ada, "", PublishDataTrackErrorReason.INVALID_NAME),
        (ada, "x" * 257, PublishDataTrackErrorReason.INVALID_NAME),
        (mute, "t", PublishDataTrackErrorReason.NOT_ALLOWED),
    ]
    for room, name, reason in cases:
        with pytest.raises(PublishDataTrackError) as caught:
            await room.local_participant.publish_data_track(name=name)
        assert caught.value.reason is reason


async def test_the_server_crashes(tab: Tabs) -> None:
    """Tracks are published again at the next tab; whoever read them reads them again."""
    ada, ben, eve = await tab.join("ada", "ben", "eve")
    track: LocalDataTrack = await ben.local_participant.publish_data_track(name="t")
    before, sid = await subscribed(eve, "ben", "t"), track.info.sid
    tab.crash(ada)
    assert await read(before) is None
    await eventually(lambda: all(room.state is ConnectionState.CONNECTED for room in (ben, eve)))
    await eventually(lambda: "ben" in eve.remote_participants)
    after = await subscribed(eve, "ben", "t")
    assert track.is_published()
    assert track.info.sid != sid
    track.try_push(DataTrackFrame(b"still here"))
    assert await read(after) == DataTrackFrame(b"still here")
