"""A connection that breaks is made anew: what is told, in which order, and what survives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lk_pyodide import (
    ConnectError,
    ConnectionState,
    ConnectionStateChanged,
    Disconnected,
    DisconnectReason,
    Event,
    LocalTrackPublication,
    Reconnected,
    Reconnecting,
    Room,
    RoomDisconnectedError,
    TokenSource,
    TrackSource,
    TrackSubscribed,
    UnexpectedConnectionState,
)
from lk_pyodide.browser.api import FetchResult
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.browser.fake.websocket import FakeServerSocket
from lk_pyodide.core import messages as m
from lk_pyodide.core import recovery, wire
from lk_pyodide.types import TrackKind
from tests.room.server import URL, Server, participant, track, until


def recorded(room: Room) -> list[str]:
    """What is told from here on, without what comes with every connection."""
    names: list[str] = []

    def note(event: Event) -> None:
        if event.event_name not in ("room_updated", "connection_state_changed"):
            names.append(event.event_name)

    for known in room._known.values():
        room.on(known, note)
    return names


def break_link(server: Server) -> None:
    server.break_connection()


def fail_media(server: Server) -> None:
    assert server.pc is not None
    server.pc.cut()


def say_leave(action: m.LeaveAction) -> Callable[[Server], object]:
    return lambda server: asyncio.ensure_future(server.say(m.LeaveRequest(action=action)))


BREAKS: dict[str, Callable[[Server], object]] = {
    "link": break_link,
    "media": fail_media,
    "leave reconnect": say_leave(m.LeaveAction.RECONNECT),
    "leave resume": say_leave(m.LeaveAction.RESUME),
}


async def back(room: Room, server: Server, what: Callable[[Server], object] = break_link) -> None:
    """Break the connection, and wait until there is another."""
    again = asyncio.ensure_future(room.wait_for(Reconnected, timeout=10))
    await asyncio.sleep(0)
    what(server)
    await again


@pytest.mark.parametrize("what", BREAKS.values(), ids=BREAKS)
async def test_the_order_of_events(room: Room, server: Server, what: Callable[[Server], object]) -> None:
    """The seven steps of livekit-client's README, and the nouns as they were."""
    server.others = [participant("ada", track("TR_a")), participant("bob")]
    await room.connect(URL, "token")
    await server.send_media("ada", "TR_a")
    await room.wait_for(TrackSubscribed, timeout=5)
    published = await room.local_participant.set_camera_enabled(True)
    assert published is not None
    first_sid, first_track = published.sid, published.track
    names, states = recorded(room), list[ConnectionState]()
    room.on(ConnectionStateChanged, lambda event: states.append(event.state))
    server.others = [participant("ada", track("TR_b")), participant("eve")]
    await back(room, server, what)
    await until(lambda: "local_track_republished" in names)
    assert names == [
        "track_unsubscribed",
        "track_unpublished",
        "participant_disconnected",
        "participant_disconnected",
        "local_track_unpublished",
        "reconnecting",
        "reconnected",
        "participant_connected",
        "track_published",
        "participant_connected",
        "local_track_published",
        "local_track_republished",
    ]
    assert states == [ConnectionState.RECONNECTING, ConnectionState.CONNECTED]
    assert list(room.remote_participants) == ["ada", "eve"]
    assert room.local_participant.sid == "PA_me2"
    (publication,) = room.local_participant.track_publications.values()
    assert publication is published
    assert publication.track is first_track
    assert publication.sid != first_sid
    assert list(room.local_participant.track_publications) == [publication.sid]
    assert publication.track.sid == publication.sid
    await server.send_media("ada", "TR_b")
    subscribed = await room.wait_for(TrackSubscribed, timeout=5)
    assert subscribed.publication.sid == "TR_b"


async def test_previous_sid(room: Room, server: Server) -> None:
    """Each republished track tells what it was called before, also after two breaks."""
    await room.connect(URL, "token")
    await room.local_participant.set_microphone_enabled(True)
    await room.local_participant.set_camera_enabled(True)
    told: list[tuple[LocalTrackPublication, str]] = []
    room.on("local_track_republished", lambda publication, previous: told.append((publication, previous)))
    for _ in range(2):
        before = {p: p.sid for p in room.local_participant.track_publications.values()}
        told.clear()
        await back(room, server)
        await until(lambda: len(told) == 2)
        assert dict(told) == before
        assert all(publication.sid != previous for publication, previous in told)


async def test_a_break_while_tracks_are_published_again(room: Room, server: Server) -> None:
    """The next attempt publishes them; nothing is told twice, and the sid before is that from before the break."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    before = publication.sid
    told: list[str] = []
    names = recorded(room)
    room.on("local_track_republished", lambda publication, previous: told.append(previous))
    server.answers_tracks = False
    server.break_connection()
    await until(lambda: server.joins == 2)
    await server.heard(m.AddTrackRequest, 2)
    server.answers_tracks = True
    await back(room, server)
    await until(lambda: told)
    assert told == [before]
    assert server.joins == 3
    assert names == [
        "local_track_unpublished",
        "reconnecting",
        "reconnected",
        "local_track_published",
        "local_track_republished",
    ]


async def test_what_is_done_meanwhile(room: Room, server: Server) -> None:
    """Data, tracks and metadata that are asked for while the connection is away go out when it is back."""
    await room.connect(URL, "token")
    me = room.local_participant
    server.refusals = [_drop]
    reconnecting = asyncio.ensure_future(room.wait_for(Reconnecting, timeout=5))
    await asyncio.sleep(0)
    server.break_connection()
    await reconnecting
    work = [
        asyncio.ensure_future(work)
        for work in (me.publish_data(b"late"), me.set_camera_enabled(True), me.set_metadata("new"))
    ]
    await asyncio.wait_for(asyncio.gather(*work), 10)
    assert room.state is ConnectionState.CONNECTED
    assert me.is_camera_enabled
    assert me.metadata == "new"
    await until(lambda: server.packets)
    assert isinstance(server.packets[-1].value, m.UserPacket)
    assert server.packets[-1].value.payload == b"late"


async def test_what_is_under_way(room: Room, server: Server) -> None:
    """A track that the server was asked to take when the connection broke is published on the next one."""
    await room.connect(URL, "token")
    server.answers_tracks = False
    publishing = asyncio.ensure_future(room.local_participant.set_camera_enabled(True))
    await server.heard(m.AddTrackRequest)
    server.answers_tracks = True
    await back(room, server)
    publication = await asyncio.wait_for(publishing, 5)
    assert publication is not None
    assert list(room.local_participant.track_publications) == [publication.sid]
    assert len([a for a in server.received if isinstance(a, m.AddTrackRequest)]) == 2


async def test_muting_meanwhile(room: Room, server: Server) -> None:
    """A track is published again as it is then."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    room.on("reconnecting", lambda: publication.mute())
    await back(room, server)
    assert publication.muted
    request = await server.heard(m.AddTrackRequest, 2)
    assert request.muted
    await room.local_participant.set_microphone_enabled(True)
    assert [publication.muted] == [False]
    assert await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest(publication.sid, False)


async def test_unpublishing_meanwhile(room: Room, server: Server) -> None:
    """What is taken back while the connection is away is not published again."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    names = recorded(room)

    @room.on("reconnecting")
    async def take_back() -> None:
        await room.local_participant.unpublish_track(publication.sid)

    server.refusals = [_drop]
    await back(room, server)
    assert not room.local_participant.track_publications
    assert "local_track_republished" not in names
    assert len([a for a in server.received if isinstance(a, m.AddTrackRequest)]) == 1


async def rejoined(room: Room, server: Server) -> tuple[LocalTrackPublication, LocalTrackPublication]:
    """Break the connection; on the next one the microphone is published again, and the camera not yet."""
    await room.connect(URL, "token")
    camera = await room.local_participant.set_camera_enabled(True)
    microphone = await room.local_participant.set_microphone_enabled(True)
    assert camera is not None and microphone is not None
    before = microphone.sid
    server.unanswered_sources = {TrackSource.CAMERA}
    server.break_connection()
    await server.heard(m.AddTrackRequest, 4)
    await until(lambda: microphone.sid != before)
    assert room.state is ConnectionState.RECONNECTING
    return camera, microphone


async def go_on(room: Room, server: Server) -> None:
    """The server takes the camera, too."""
    again = asyncio.ensure_future(room.wait_for(Reconnected, timeout=5))
    await asyncio.sleep(0)
    asked = [message for message in server.received if isinstance(message, m.AddTrackRequest)]
    cid = next(request.cid for request in reversed(asked) if request.source == TrackSource.CAMERA)
    await server.say(m.TrackPublishedResponse(cid, track("TR_camera")))
    await again


def received(server: Server) -> list[str]:
    """The kinds of what the client sends to the server now."""
    assert server.pc is not None
    return sorted(section.kind for section in server.pc.transceivers if section.is_receiving)


async def test_muting_what_is_published_again_already(room: Room, server: Server) -> None:
    _, microphone = await rejoined(room, server)
    await microphone.mute()
    assert await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest(microphone.sid, True)
    await go_on(room, server)
    assert microphone.muted
    assert received(server) == ["audio", "video"]


@pytest.mark.parametrize("source", [TrackSource.CAMERA, TrackSource.MICROPHONE])
async def test_unpublishing_while_tracks_are_published_again(room: Room, server: Server, source: TrackSource) -> None:
    """Whether it has been published again already, or not yet: the server does not get it any more."""
    camera, microphone = await rejoined(room, server)
    gone, left = (camera, microphone) if source == TrackSource.CAMERA else (microphone, camera)
    await room.local_participant.unpublish_track(gone.track)
    await go_on(room, server)
    assert list(room.local_participant.track_publications.values()) == [left]
    await until(lambda: received(server) == [left.kind.name.lower()])


async def test_a_camera_that_is_off(room: Room, server: Server) -> None:
    """It is published again, muted and off, and can be turned on."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    await publication.mute()
    await back(room, server)
    assert list(room.local_participant.track_publications.values()) == [publication]
    assert (await server.heard(m.AddTrackRequest, 2)).muted
    captured = server.browser.media_devices.captured
    assert [native.ready_state for native in captured] == ["ended"]
    await publication.unmute()
    sender = publication.track._sender
    assert isinstance(sender, FakeSender) and sender.native is captured[-1]


async def test_a_track_that_is_not_taken_again(room: Room, server: Server) -> None:
    """It is ended; the others and the room go on."""
    await room.connect(URL, "token")
    await room.local_participant.set_camera_enabled(True)
    await room.local_participant.set_microphone_enabled(True)
    server.refused_sources = {TrackSource.CAMERA}
    await back(room, server)
    (left,) = room.local_participant.track_publications.values()
    assert left.kind == TrackKind.AUDIO
    assert not room.local_participant.is_camera_enabled


async def _drop(socket: FakeServerSocket) -> None:
    socket.drop()


async def test_attempts(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again until the server answers."""
    monkeypatch.setattr(recovery, "DELAYS", (0.0,) * 5)
    monkeypatch.setattr(recovery, "JITTER_FROM", 99)
    await room.connect(URL, "token")
    server.refusals = [_drop] * 4
    await back(room, server)
    assert server.joins == 2


async def test_too_many_attempts(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the room has ended, once, with the reason of the break; whoever waits is told."""
    monkeypatch.setattr(recovery, "DELAYS", (0.0,) * 3)
    monkeypatch.setattr(recovery, "JITTER_FROM", 99)
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    camera = publication.track.media_stream_track
    names = recorded(room)
    server.refusals = [_drop] * 3
    ended = asyncio.ensure_future(room.wait_for(Disconnected, timeout=5))
    waiting = list[asyncio.Future[None]]()
    room.on("reconnecting", lambda: waiting.append(asyncio.ensure_future(room.local_participant.publish_data(b"x"))))
    await asyncio.sleep(0)
    server.break_connection()
    assert (await ended).reason == DisconnectReason.SIGNAL_CLOSE
    assert names == ["local_track_unpublished", "reconnecting", "disconnected"]
    with pytest.raises(RoomDisconnectedError):
        await waiting[0]
    assert camera.ready_state == "ended"
    with pytest.raises(UnexpectedConnectionState):
        await room.local_participant.publish_data(b"x")
    await room.connect(URL, "token")


async def test_a_fault_of_our_own(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The room ends, and does not come back for ever."""
    await room.connect(URL, "token")

    async def fault(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(room._updates, "on_rejoined", fault)
    gone = asyncio.ensure_future(room.wait_for(Disconnected, timeout=5))
    await asyncio.sleep(0)
    break_link(server)
    assert (await gone).reason == DisconnectReason.JOIN_FAILURE
    assert room.state == ConnectionState.DISCONNECTED
    assert "nobody thought of" in caplog.text


async def test_not_allowed_any_more(room: Room, server: Server) -> None:
    """A server that refuses us ends it at the first attempt."""
    await room.connect(URL, "token")
    server.refusals = [_drop] * 3
    server.browser.respond("http://fake/rtc/v1/validate", FetchResult(401, "token expired"))
    ended = asyncio.ensure_future(room.wait_for(Disconnected, timeout=5))
    await asyncio.sleep(0)
    server.break_connection()
    assert (await ended).reason == DisconnectReason.JOIN_FAILURE
    assert len(server.refusals) == 2


async def test_a_token_source_is_asked_again(room: Room, server: Server) -> None:
    """When the server does not take the token any more; the answer has to be another one."""
    tokens = iter(["first", "second", "second"])
    await room.connect(TokenSource.custom(lambda _options: (URL, next(tokens))))
    server.browser.respond("http://fake/rtc/v1/validate", FetchResult(401, "token expired"))
    server.refusals = [_drop]
    await back(room, server)
    assert server.tokens == ["first", "second"]
    server.refusals = [_drop] * 5
    ended = asyncio.ensure_future(room.wait_for(Disconnected, timeout=5))
    await asyncio.sleep(0)
    server.break_connection()
    assert (await ended).reason == DisconnectReason.JOIN_FAILURE
    assert len(server.refusals) == 4


@pytest.mark.parametrize("turns", range(12))
async def test_leaving_meanwhile(room: Room, server: Server, turns: int) -> None:
    """disconnect() ends it wherever it stands."""
    await room.connect(URL, "token")
    await room.local_participant.set_camera_enabled(True)
    names = recorded(room)
    server.break_connection()
    for _ in range(turns * 4):
        await asyncio.sleep(0)
    await room.disconnect()
    assert room.state is ConnectionState.DISCONNECTED
    assert names.count("disconnected") == 1
    assert not room.local_participant.track_publications


async def test_the_newer_token_is_used(room: Room, server: Server) -> None:
    """The server gives us one while we are in the room; the first has run out perhaps."""
    await room.connect(URL, "first")
    refreshed = asyncio.ensure_future(room.wait_for("token_refreshed", timeout=5))
    await asyncio.sleep(0)
    await server.say(m.RefreshToken("second"))
    await refreshed
    await back(room, server)
    assert server.tokens == ["first", "second"]


async def test_a_break_before_media_is_connected(room: Room, server: Server) -> None:
    """The server takes us in, and then says that we shall come another way: nobody notices."""

    async def send_away(socket: FakeServerSocket) -> None:
        await socket.send(server.welcome())
        await socket.send(wire.encode_response(m.LeaveRequest(action=m.LeaveAction.RESUME)))

    server.refusals = [send_away, send_away]
    names = recorded(room)
    await room.connect(URL, "token")
    assert names == ["connected"]
    await room.disconnect()
    server.refusals = [send_away] * 3
    with pytest.raises(ConnectError) as caught:
        await room.connect(URL, "token")
    assert caught.value.reason.name == "LEAVE_REQUEST"
