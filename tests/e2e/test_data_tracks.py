"""Data tracks between all makes of client: each publishes, and each reads each."""

import asyncio
import os
import time

import pytest

from tests.e2e.conftest import Party
from tests.harness.peers import END, Peer, PeerTimeout, TrackFrame

NAME = "pose"
PUBLISHED = {"livekit-client": "dataTrackPublished", "lk_pyodide": "data_track_published"}


async def _reaches_all(sender: Peer, readers: list[Peer], frame: TrackFrame) -> None:
    """Push a frame until everybody has it: what is lost on the way, or sent before a subscription stands, is gone."""
    deadline = time.monotonic() + 10
    missing = list(readers)
    while missing:
        await sender.push_frame(NAME, frame)
        for reader in list(missing):
            try:
                await reader.wait_frame(sender.identity, NAME, lambda found: found == frame, timeout=0.5)
                missing.remove(reader)
            except PeerTimeout:
                assert time.monotonic() < deadline, f"{sender.identity} to {reader.identity}: {frame.timestamp}"


@pytest.mark.timeout(180)
async def test_frames_and_their_end(party: Party) -> None:
    """One byte, many packets, nothing but a timestamp; and the end, which all readers see."""
    await asyncio.gather(*(peer.publish_data_track(NAME) for peer in party.all))
    for reader, sender in party.pairs():
        await reader.subscribe_data_track(sender.identity, NAME)
    large = os.urandom(200_000)
    for sender in party.all:
        readers = party.others(sender)
        await _reaches_all(sender, readers, TrackFrame(b"x"))
        await _reaches_all(sender, readers, TrackFrame(large, 2**63 + 1))
        await _reaches_all(sender, readers, TrackFrame(b"\0" * 15_988, 1))  # to the byte one packet, but for that
        if sender in party.ours:
            await _reaches_all(sender, readers, TrackFrame(b"", 7))
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
    await _reaches_all(party.first, party.others(party.first), TrackFrame(b"again"))
