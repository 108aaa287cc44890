"""Data tracks between all makes of client: each publishes, and each reads each."""

import asyncio
import os

import pytest

from tests.e2e.conftest import Party
from tests.harness.peers import END, TrackFrame

NAME = "pose"
PUBLISHED = {"livekit-client": "dataTrackPublished", "lk_pyodide": "data_track_published"}


@pytest.mark.timeout(180)
async def test_frames_and_their_end(party: Party) -> None:
    """One byte, many packets, nothing but a timestamp; and the end, which all readers see."""
    await asyncio.gather(*(peer.publish_data_track(NAME) for peer in party.all))
    for reader, sender in party.pairs():
        await reader.subscribe_data_track(sender.identity, NAME)
    large = os.urandom(200_000)
    for sender in party.all:
        readers = party.others(sender)
        await sender.push_to(readers, NAME, TrackFrame(b"x"))
        await sender.push_to(readers, NAME, TrackFrame(large, 2**63 + 1))
        await sender.push_to(readers, NAME, TrackFrame(b"\0" * 15_988, 1))  # to the byte one packet, but for that
        if sender in party.ours:
            await sender.push_to(readers, NAME, TrackFrame(b"", 7))
    for reader, sender in party.pairs():
        pushed = {frame for frame in await reader.frames(sender.identity, NAME) if frame.data != large}
        assert pushed <= {TrackFrame(b"x"), TrackFrame(b"\0" * 15_988, 1), TrackFrame(b"", 7)}
    for looker in (*party.ours, party.js):
        seen = [event.args for event in await looker.events() if event.name == PUBLISHED[looker.make]]
        assert len(seen) == len(party.others(looker))
    for sender in party.all:
        await sender.unpublish_data_track(NAME)
        for reader in party.others(sender):
            await reader.wait_frame(sender.identity, NAME, lambda frame: frame == END)
    await party.first.publish_data_track(NAME)
    for reader in party.others(party.first):
        await reader.subscribe_data_track(party.first.identity, NAME)
    await party.first.push_to(party.others(party.first), NAME, TrackFrame(b"again"))
