"""How much tracks take: asked for now and then, measured meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence

from lk_pyodide import BrowserError, LocalTrack, Room, Track
from lk_pyodide.bitrates import PATIENCE, PERIOD, Bitrates
from lk_pyodide.browser.api import Json
from lk_pyodide.core.messages import AddTrackRequest
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.devices import create_local_audio_track
from lk_pyodide.stats import RtcStats
from lk_pyodide.testing import FakeBrowser
from tests.room import clock
from tests.room.server import URL, Server


class Wire:
    """What a track sends: a thousand bytes a second."""

    def __init__(self) -> None:
        self.readings = 0
        self.is_closed = False

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        self.readings += 1
        if self.is_closed:
            raise BrowserError("the sender is closed", "InvalidStateError")
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(0)
        return [{"type": "outbound-rtp", "id": "1", "bytesSent": round(now * 1000), "timestamp": now * 1000}]


async def _sending(wire: Wire) -> Track:
    track = await create_local_audio_track(browser=FakeBrowser())
    track._sending.start(wire, PublishPlan(AddTrackRequest(), ()))  # type: ignore[arg-type]
    return track


def test_who_asks_is_told() -> None:
    async def ask() -> None:
        wire, bitrates = Wire(), Bitrates()
        track = await _sending(wire)
        assert bitrates.current(track) == 0
        await asyncio.sleep(PERIOD * 1.5)
        assert bitrates.current(track) == 8000
        await asyncio.sleep(PERIOD)
        assert bitrates.current(track) == 8000
        assert wire.readings == 3
        wire.is_closed = True
        await asyncio.sleep(PERIOD)
        assert bitrates.current(track) == 0
        bitrates.close()

    clock.run(ask())


def test_nothing_is_measured_that_nobody_asks_about() -> None:
    async def ask() -> None:
        wire, silent, bitrates = Wire(), Wire(), Bitrates()
        track = await _sending(wire)
        await _sending(silent)
        bitrates.current(track)
        await asyncio.sleep(PATIENCE * 10)
        assert (wire.readings, silent.readings) == (PATIENCE / PERIOD, 0)
        assert len(asyncio.all_tasks()) == 1, "nothing runs any more"
        assert bitrates.current(track) == 0
        await asyncio.sleep(PERIOD * 1.5)
        assert bitrates.current(track) == 8000
        bitrates.close()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    clock.run(ask())


async def test_a_track_is_measured_while_it_is_published(room: Room) -> None:
    """And nothing of it is left when the room is."""
    before = len(asyncio.all_tasks())
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    track: LocalTrack = publication.track
    assert track.current_bitrate == 0
    assert set(room._context._bitrates._entries) == {track}
    await room.disconnect()
    assert track.current_bitrate == 0
    assert not room._context._bitrates._entries
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before


async def test_statistics_have_their_types(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    track = publication.track
    (stats,) = await track.get_stats()
    assert isinstance(stats, RtcStats)
    assert stats.kind == "outbound_rtp" and stats.outbound_rtp is not None
    assert stats.outbound_rtp.stream.kind == "audio"
    await room.local_participant.unpublish_track(publication.sid)
    assert await track.get_stats() == []
