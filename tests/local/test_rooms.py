"""Rooms without a backend, on fake browsers: several tabs of one origin."""

from __future__ import annotations

import asyncio

import pytest

from lk_pyodide import (
    AccessToken,
    ActiveSpeakersChanged,
    ConnectError,
    DataReceived,
    Disconnected,
    DisconnectReason,
    ParticipantConnected,
    ParticipantDisconnected,
    ParticipantMetadataChanged,
    Room,
    TrackKind,
    TrackMuted,
    TrackSubscribed,
    TrackUnsubscribed,
)
from lk_pyodide.browser.fake import FakeNetwork
from lk_pyodide.session import connection
from lk_pyodide.testing import FakeBrowser, FakeMediaStreamTrack
from tests.local.conftest import Tabs, token


async def test_one_is_alone(tab: Tabs) -> None:
    room = tab()
    await room.connect("local://", token("ada"))
    assert (room.name, room.local_participant.name) == ("lesson", "Ada")
    assert room.remote_participants == {}
    assert room.server_info is not None
    assert room.server_info.region == "local"


async def test_two_meet(tab: Tabs) -> None:
    ada, ben = tab(), tab()
    await ada.connect("local://", token("ada"))
    came = asyncio.ensure_future(ada.wait_for(ParticipantConnected, timeout=5))
    await asyncio.sleep(0)
    await ben.connect("local://", token("ben"))
    assert (await came).participant.identity == "ben"
    assert list(ben.remote_participants) == ["ada"]
    told = asyncio.ensure_future(ada.wait_for(ParticipantMetadataChanged, timeout=5))
    await asyncio.sleep(0)
    await ben.local_participant.set_metadata("hello")
    assert (await told).participant.metadata == "hello"
    gone = asyncio.ensure_future(ada.wait_for(ParticipantDisconnected, timeout=5))
    await asyncio.sleep(0)
    await ben.disconnect()
    assert (await gone).participant.identity == "ben"


async def test_media(tab: Tabs) -> None:
    ada, ben = tab(), tab()
    await ada.connect("local://", token("ada"))
    await ben.connect("local://", token("ben"))
    seen = asyncio.ensure_future(ada.wait_for(TrackSubscribed, timeout=5))
    await asyncio.sleep(0)
    await ben.local_participant.set_camera_enabled(True)
    event = await seen
    assert (event.participant.identity, event.track.kind) == ("ben", TrackKind.VIDEO)
    muted = asyncio.ensure_future(ada.wait_for(TrackMuted, timeout=5))
    await asyncio.sleep(0)
    await ben.local_participant.set_camera_enabled(False)
    assert (await muted).publication.sid == event.publication.sid
    eve = tab()
    late = asyncio.ensure_future(eve.wait_for(TrackSubscribed, timeout=5))
    await asyncio.sleep(0)
    await eve.connect("local://", token("eve"))
    assert (await late).publication.sid == event.publication.sid
    ended = asyncio.ensure_future(ada.wait_for(TrackUnsubscribed, timeout=5))
    await asyncio.sleep(0)
    await ben.local_participant.unpublish_track(event.publication.sid)
    assert (await ended).publication.sid == event.publication.sid


async def until_speaking(room: Room, expected: list[str]) -> None:
    async with asyncio.timeout(5):
        async for event in room.events(ActiveSpeakersChanged):
            if [speaker.identity for speaker in event.speakers] == expected:
                return


async def test_speakers(tab: Tabs) -> None:
    ada, ben = tab(), tab()
    await ada.connect("local://", token("ada"))
    await ben.connect("local://", token("ben"))
    publication = await ada.local_participant.set_microphone_enabled(True)
    assert publication is not None and publication.track is not None
    microphone = publication.track.media_stream_track
    assert isinstance(microphone, FakeMediaStreamTrack)
    for level, expected in ((0.5, ["ada"]), (0.0, [])):
        news = [asyncio.ensure_future(until_speaking(room, expected)) for room in (ada, ben)]
        await asyncio.sleep(0)
        microphone.audio_level = level
        await asyncio.gather(*news)


async def test_data_and_calls(tab: Tabs) -> None:
    ada, ben, eve = tab(), tab(), tab()
    for room, name in ((ada, "ada"), (ben, "ben"), (eve, "eve")):
        await room.connect("local://", token(name))
    heard = [asyncio.ensure_future(room.wait_for(DataReceived, timeout=5)) for room in (ben, eve)]
    await asyncio.sleep(0)
    await ada.local_participant.publish_data(b"x", topic="t")
    for future in heard:
        packet = (await future).packet
        assert (packet.data, packet.topic, packet.participant and packet.participant.identity) == (b"x", "t", "ada")
    ben.local_participant.register_rpc_method("double", lambda data: data.payload * 2)
    reply = await ada.local_participant.perform_rpc(destination_identity="ben", method="double", payload="ab")
    assert reply == "abab"


async def test_data_for_who_is_just_coming(tab: Tabs) -> None:
    """What is sent as soon as somebody is seen arrives, though its connection is not up yet."""
    ada, ben = tab(), tab()
    await ada.connect("local://", token("ada"))

    @ada.on(ParticipantConnected)
    async def greet(_event: ParticipantConnected) -> None:
        await ada.local_participant.publish_data(b"1")
        await ada.local_participant.publish_data(b"2")

    heard = asyncio.Queue[bytes]()
    ben.on(DataReceived, lambda event: heard.put_nowait(event.packet.data))
    await ben.connect("local://", token("ben"))
    assert [await asyncio.wait_for(heard.get(), 5) for _ in range(2)] == [b"1", b"2"]


async def test_tokens_are_checked(tab: Tabs) -> None:
    room = tab()
    for wrong in ("nonsense", AccessToken("devkey", "another").with_identity("ada").to_jwt()):
        with pytest.raises(ConnectError) as caught:
            await room.connect("local://", wrong)
        assert (caught.value.status, caught.value.reason.name) == (401, "NOT_ALLOWED")


async def test_the_same_identity(tab: Tabs) -> None:
    first, second = tab(), tab()
    await first.connect("local://", token("ada"))
    ended = asyncio.ensure_future(first.wait_for(Disconnected, timeout=5))
    await asyncio.sleep(0)
    await second.connect("local://", token("ada"))
    assert (await ended).reason == DisconnectReason.DUPLICATE_IDENTITY


async def test_no_network_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers find no way even to themselves then: that is said long before the time for connecting is over."""
    monkeypatch.setattr(connection, "NO_INTERFACE", 0.2)
    network = FakeNetwork()
    network.has_interface = False
    browser = FakeBrowser(network=network)
    room = Room(browser=browser)
    with pytest.raises(ConnectError, match="no network interface"):
        await asyncio.wait_for(room.connect("local://", token("ada")), 3)
    network.has_interface = True
    await room.connect("local://", token("ada"))
    await room.disconnect()
    await asyncio.sleep(0.05)
    assert browser.get_open() == []
    await browser.aclose()


async def test_addresses_are_apart(tab: Tabs) -> None:
    ada, ben = tab(), tab()
    await ada.connect("local://", token("ada"))
    await ben.connect("local://elsewhere", token("ben"))
    assert ben.remote_participants == {}
