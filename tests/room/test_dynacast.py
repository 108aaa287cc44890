"""Layers that nobody watches are not sent, if the room's options say so."""

import asyncio
from collections.abc import Mapping

import pytest

from lk_pyodide import Room, RoomOptions
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource, VideoQuality
from tests.room.server import URL, Server, until


def update(sid: str, **qualities: bool) -> m.SubscribedQualityUpdate:
    listed = tuple(m.SubscribedQuality(VideoQuality[name], enabled) for name, enabled in qualities.items())
    return m.SubscribedQualityUpdate(sid, subscribed_codecs=(m.SubscribedCodec("vp8", listed),))


def sent(room: Room) -> Mapping[str | None, bool]:
    """The layers of the camera, and whether they are active."""
    publication = room.local_participant.get_track_publication(TrackSource.CAMERA)
    assert publication is not None
    sender = publication.track._sender
    assert isinstance(sender, FakeSender)
    return {encoding.rid: encoding.active for encoding in sender.encodings}


async def publish(server: Server, *, dynacast: bool) -> tuple[Room, str]:
    room = Room(RoomOptions(dynacast=dynacast), browser=server.browser)
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    return room, publication.sid


async def test_on_and_off(server: Server) -> None:
    room, sid = await publish(server, dynacast=True)
    layers = sent(room)
    assert len(layers) > 1
    assert all(layers.values())
    await server.say(update(sid, LOW=True, MEDIUM=False, HIGH=False))
    await until(lambda: [rid for rid, active in sent(room).items() if active] == ["q"])
    await server.say(update(sid, LOW=True, MEDIUM=True, HIGH=True))
    await until(lambda: all(sent(room).values()))
    await server.say(update("TR_nothing", LOW=False, MEDIUM=False, HIGH=False))
    await server.say(update(sid, LOW=False, MEDIUM=False, HIGH=False))
    await until(lambda: not any(sent(room).values()))
    await room.disconnect()


async def test_off_unless_asked_for(server: Server) -> None:
    room, sid = await publish(server, dynacast=False)
    await server.say(update(sid, LOW=False, MEDIUM=False, HIGH=False))
    await server.say(m.RoomUpdate(m.Room("RM_1", "fake", metadata="last")))
    await until(lambda: room.metadata == "last")
    assert all(sent(room).values())
    await room.disconnect()


async def test_said_before_it_was_published_here(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may know who watches before we know that we have published."""
    room = Room(RoomOptions(dynacast=True), browser=server.browser)
    await room.connect(URL, "token")
    say = server.say

    async def early(message: m.ServerMessage) -> None:
        if isinstance(message, m.TrackPublishedResponse):
            assert message.track is not None
            await say(update(message.track.sid, LOW=True, MEDIUM=False, HIGH=False))
        await say(message)

    monkeypatch.setattr(server, "say", early)
    await room.local_participant.set_camera_enabled(True)
    await until(lambda: [rid for rid, active in sent(room).items() if active] == ["q"])
    await room.disconnect()


async def test_gone_meanwhile(server: Server) -> None:
    """Of a track that is not published any more nothing is set."""
    room, sid = await publish(server, dynacast=True)
    publication = room.local_participant.get_track_publication(TrackSource.CAMERA)
    assert publication is not None
    unpublishing = asyncio.ensure_future(room.local_participant.unpublish_track(sid))
    room._updates.on_message(update(sid, LOW=False, MEDIUM=False, HIGH=False))
    await unpublishing
    await room.disconnect()
