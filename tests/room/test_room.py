"""Joining, taking part, leaving, with a server that says what the test wants."""

import asyncio
from typing import Any

import pytest

from lk_pyodide import (
    ConnectError,
    ConnectErrorReason,
    ConnectionState,
    DisconnectReason,
    Event,
    MediaDeviceError,
    ParticipantConnected,
    PublishTrackError,
    Room,
    RoomDisconnectedError,
    RoomOptions,
    SignalRequestError,
    UnexpectedConnectionState,
)
from lk_pyodide.core import messages as m
from lk_pyodide.types import (
    ConnectionQuality,
    ParticipantPermission,
    ParticipantState,
    StreamState,
    TrackSource,
)
from tests.room.server import URL, Server, participant, track, until


def recorded(room: Room) -> list[str]:
    """The names of all events from here on."""
    names: list[str] = []
    for event in room._known.values():
        room.on(event, lambda event: names.append(event.event_name))
    return names


async def test_join_and_leave(room: Room, server: Server) -> None:
    """Who is there already is there without events; leaving says goodbye."""
    server.others = [participant("ada", track("TR_a"), track("TR_b", TrackSource.MICROPHONE, muted=True))]
    names = recorded(room)
    await room.connect(URL, "token")
    assert (room.state, room.name, room.sid) == (ConnectionState.CONNECTED, "fake", "RM_1")
    assert names == ["connection_state_changed", "connection_state_changed", "connected"]
    ada = room.remote_participants["ada"]
    assert ada.is_camera_enabled and not ada.is_microphone_enabled and not ada.is_screen_share_enabled
    assert room.get_participant_by_identity("me") is room.local_participant
    await room.disconnect()
    assert await server.heard(m.LeaveRequest) == m.LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED)
    assert names[-2:] == ["connection_state_changed", "disconnected"]
    assert not room.remote_participants


async def test_handlers_added_after_connect_miss_nothing(room: Room, server: Server) -> None:
    """What comes between the join and the end of connect() is told after it."""
    await room.connect(URL, "token")
    await server.say(m.ParticipantUpdate((participant("ada"),)))
    event = await room.wait_for(ParticipantConnected, timeout=5)
    assert event.participant.identity == "ada"


async def test_participants_come_change_and_go(room: Room, server: Server) -> None:
    """Each change is told once, the noun first."""
    await room.connect(URL, "token")
    seen: list[tuple[Any, ...]] = []
    room.on("participant_connected", lambda p: seen.append(("came", p.identity, dict(room.remote_participants) != {})))
    room.on("track_published", lambda pub, p: seen.append(("published", pub.sid, p.identity)))
    room.on("participant_name_changed", lambda p, old, new: seen.append((old, new, p.name)))
    room.on("participant_metadata_changed", lambda p, old, new: seen.append((old, new)))
    room.on("participant_attributes_changed", lambda changed, p: seen.append((changed, dict(p.attributes))))
    room.on("participant_permissions_changed", lambda p, permissions: seen.append((permissions.can_publish,)))
    room.on("track_muted", lambda p, pub: seen.append(("muted", p.identity, pub.muted)))
    room.on("track_unmuted", lambda p, pub: seen.append(("unmuted", p.identity, pub.muted)))
    room.on("track_unpublished", lambda pub, p: seen.append(("unpublished", pub.sid)))
    room.on("participant_disconnected", lambda p: seen.append(("went", p.identity, p.disconnect_reason)))

    async def update(info: m.ParticipantInfo) -> None:
        before = len(seen)
        await server.say(m.ParticipantUpdate((info,)))
        await until(lambda: len(seen) > before)

    await update(participant("ada", track("TR_a"), attributes={"a": "1", "b": "2"}))
    await update(participant("ada", track("TR_a", muted=True), version=2, attributes={"a": "1", "b": "2"}))
    await update(participant("ada", track("TR_a"), version=3, attributes={"a": "1", "b": "2"}))
    await update(participant("ada", track("TR_a"), version=4, name="Ada", attributes={"a": "3"}))
    await update(
        participant(
            "ada",
            version=5,
            name="Ada",
            attributes={"a": "3"},
            metadata="m",
            permission=ParticipantPermission(can_publish=True),
        )
    )
    await server.say(m.ParticipantUpdate((participant("ada", version=4, name="late"),)))
    gone = m.ParticipantInfo(
        "PA_ada", "ada", ParticipantState.DISCONNECTED, version=6, disconnect_reason=DisconnectReason.CLIENT_INITIATED
    )
    await update(gone)
    assert seen == [
        ("came", "ada", True),
        ("published", "TR_a", "ada"),
        ("muted", "ada", True),
        ("unmuted", "ada", False),
        ("", "Ada", "Ada"),
        ({"a": "3", "b": ""}, {"a": "3"}),
        ("", "m"),
        (True,),
        ("unpublished", "TR_a"),
        ("went", "ada", DisconnectReason.CLIENT_INITIATED),
    ]


async def test_media_before_and_after_the_word_of_it(room: Room, server: Server) -> None:
    """A track is told when both its media and its publication are there, whichever came first."""
    await room.connect(URL, "token")
    await server.say(m.ParticipantUpdate((participant("ada", track("TR_a")),)))
    subscribed = room.events("track_subscribed")
    await server.send_media("ada", "TR_a")
    await server.send_media("bob", "TR_b")
    first = await asyncio.wait_for(anext(subscribed), 5)
    assert first.arguments()[2] is room.remote_participants["ada"]
    assert room.remote_participants["ada"].track_publications["TR_a"].subscribed
    await server.say(m.ParticipantUpdate((participant("bob", track("TR_b")),)))
    second = await asyncio.wait_for(anext(subscribed), 5)
    assert second.arguments()[2] is room.remote_participants["bob"]
    ended = room.events("track_unsubscribed", "track_unpublished", "participant_disconnected")
    gone = m.ParticipantInfo("PA_bob", "bob", ParticipantState.DISCONNECTED, version=9)
    await server.say(m.ParticipantUpdate((gone,)))
    order = [(await asyncio.wait_for(anext(ended), 5)).event_name for _ in range(3)]
    assert order == ["track_unsubscribed", "track_unpublished", "participant_disconnected"]


async def test_elements_go_with_the_track(room: Room, server: Server) -> None:
    """What is still attached when a track ends is detached, after the handlers have seen it."""
    server.browser.add_node("#stage")
    await room.connect(URL, "token")
    seen: list[int] = []
    room.on("track_subscribed", lambda t: t.attach("#stage"))
    room.on("track_unsubscribed", lambda t: seen.append(len(t.attached_elements)))
    await server.say(m.ParticipantUpdate((participant("ada", track("TR_a")),)))
    await server.send_media("ada", "TR_a")
    await room.wait_for("track_subscribed", timeout=5)
    remote = room.remote_participants["ada"].track_publications["TR_a"].track
    assert remote is not None and len(remote.attached_elements) == 1
    await room.disconnect()
    assert seen == [1] and remote.attached_elements == []


async def test_blocked_playback_is_told_and_cured_by_a_click(room: Room, server: Server) -> None:
    """audio_playback_changed(False), then start_audio(), then True."""
    server.browser.playback_blocked = True
    told: list[bool] = []
    room.on("audio_playback_changed", told.append)
    room.on("track_subscribed", lambda t: t.attach())
    await room.connect(URL, "token")
    await server.say(m.ParticipantUpdate((participant("ada", track("TR_a", TrackSource.MICROPHONE)),)))
    await server.send_media("ada", "TR_a", "audio")
    await until(lambda: told)
    assert (told, room.can_playback_audio) == ([False], False)
    server.browser.playback_blocked = False
    await room.start_audio()
    assert (told, room.can_playback_audio) == ([False, True], True)


async def test_the_next_visit_starts_with_no_grudge(room: Room, server: Server) -> None:
    """What was blocked in one visit is forgotten in the next, until an element says so again."""
    server.browser.playback_blocked = True
    room.on("track_subscribed", lambda t: t.attach())
    await room.connect(URL, "token")
    await server.say(m.ParticipantUpdate((participant("ada", track("TR_a", TrackSource.MICROPHONE)),)))
    await server.send_media("ada", "TR_a", "audio")
    await until(lambda: not room.can_playback_audio)
    await room.disconnect()
    assert room.can_playback_audio


async def test_publish_and_unpublish(room: Room, server: Server) -> None:
    """The server is asked, the media arrives there, and both events come once."""
    await room.connect(URL, "token")
    names = recorded(room)
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None and publication.sid == "TR_1"
    request = await server.heard(m.AddTrackRequest)
    assert (request.source, [layer.rid for layer in request.layers]) == (TrackSource.CAMERA, ["q", "h", "f"])
    await until(lambda: server.media)
    await until(lambda: room.local_participant.is_camera_enabled, turns=1)
    assert await room.local_participant.set_camera_enabled(True) is publication
    await room.local_participant.set_camera_enabled(False)
    assert await server.heard(m.MuteTrackRequest) == m.MuteTrackRequest("TR_1", True)
    await until(lambda: not room.local_participant.is_camera_enabled, turns=1)
    await room.local_participant.set_camera_enabled(True)
    assert await server.heard(m.MuteTrackRequest, 2) == m.MuteTrackRequest("TR_1", False)
    await room.local_participant.unpublish_track("TR_1")
    assert names == [
        "local_track_published",
        "active_device_changed",
        "track_muted",
        "track_unmuted",
        "local_track_unpublished",
    ]
    assert room.local_participant.get_track_publication(TrackSource.CAMERA) is None


async def test_two_calls_publish_one_camera(room: Room, server: Server) -> None:
    """Concurrent calls are taken one after the other."""
    await room.connect(URL, "token")
    me = room.local_participant
    results = await asyncio.gather(*(me.set_camera_enabled(True) for _ in range(5)))
    assert len({id(result) for result in results}) == 1
    assert len([x for x in server.received if isinstance(x, m.AddTrackRequest)]) == 1


@pytest.mark.parametrize("there", [(), ("camera",), ("microphone",), ("camera", "microphone")])
async def test_both_at_once(room: Room, server: Server, there: tuple[str, ...]) -> None:
    """What is missing is published, with one question; what is muted is unmuted, and not published anew."""
    await room.connect(URL, "token")
    me = room.local_participant
    before = [await getattr(me, f"set_{name}_enabled")(True) for name in there]
    for publication in before:
        await publication.mute()
    await me.enable_camera_and_microphone()
    assert me.is_camera_enabled and me.is_microphone_enabled
    assert len(me.track_publications) == 2
    assert all(me.track_publications[publication.sid] is publication for publication in before)


async def test_a_device_that_goes_away(room: Room, server: Server) -> None:
    """Its track is muted if there is no other, and can be opened again."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_camera_enabled(True)
    assert publication is not None
    for number in (1, 2):
        server.browser.media_devices.failure = "NotFoundError"
        publication.track.media_stream_track.end()
        assert await server.heard(m.MuteTrackRequest, 2 * number - 1) == m.MuteTrackRequest("TR_1", True)
        server.browser.media_devices.failure = ""
        await room.local_participant.set_camera_enabled(True)
        assert room.local_participant.is_camera_enabled


async def test_screen_share_ends_with_the_browsers_button(room: Room, server: Server) -> None:
    """Stopping it in the browser unpublishes it."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_screen_share_enabled(True)
    assert publication is not None
    publication.track.media_stream_track.end()
    await until(lambda: not room.local_participant.is_screen_share_enabled)


async def test_no_permission(room: Room, server: Server) -> None:
    """403 without asking the server; the camera is let go."""
    server.permission = ParticipantPermission(can_publish=True, can_publish_sources=(TrackSource.MICROPHONE,))
    await room.connect(URL, "token")
    with pytest.raises(PublishTrackError) as caught:
        await room.local_participant.set_camera_enabled(True)
    assert caught.value.status == 403
    await room.local_participant.set_microphone_enabled(True)


async def test_the_server_refuses_a_track(room: Room, server: Server) -> None:
    """Its words arrive in the error, and nothing stays published."""
    server.answers_tracks = False
    await room.connect(URL, "token")
    publishing = asyncio.create_task(room.local_participant.set_microphone_enabled(True))
    request = await server.heard(m.AddTrackRequest)
    await server.say(m.RequestResponse(0, m.RequestReason.NOT_ALLOWED, "not you", add_track=request))
    with pytest.raises(PublishTrackError, match="not you") as caught:
        await publishing
    assert caught.value.status == 403
    assert not room.local_participant.track_publications


async def test_leaving_while_publishing(room: Room, server: Server) -> None:
    """The publish call ends with an error that says so; no device stays open."""
    server.answers_tracks = False
    await room.connect(URL, "token")
    publishing = asyncio.create_task(room.local_participant.set_camera_enabled(True))
    await server.heard(m.AddTrackRequest)
    await room.disconnect()
    with pytest.raises(RoomDisconnectedError):
        await publishing


async def test_cancelled_publishing(room: Room, server: Server) -> None:
    """The camera is let go, and the next call works."""
    server.answers_tracks = False
    await room.connect(URL, "token")
    publishing = asyncio.create_task(room.local_participant.set_camera_enabled(True))
    await server.heard(m.AddTrackRequest)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    server.answers_tracks = True
    assert await room.local_participant.set_camera_enabled(True) is not None


async def test_devices_that_fail(room: Room, server: Server) -> None:
    """media_devices_error tells it, the call raises it, and nothing is published."""
    server.browser.media_devices.devices = []
    await room.connect(URL, "token")
    errors: list[Exception] = []
    room.on("media_devices_error", errors.append)
    with pytest.raises(MediaDeviceError) as caught:
        await room.local_participant.enable_camera_and_microphone()
    assert errors == [caught.value]


async def test_data(room: Room, server: Server) -> None:
    """Both ways; numbered, and taken once; rubbish is dropped."""
    server.others = [participant("ada")]
    await room.connect(URL, "token")
    await room.local_participant.publish_data("héllo", topic="t", destination_identities=["ada"])
    await room.local_participant.publish_data(b"2")
    await until(lambda: len(server.packets) == 2)
    assert [packet.sequence for packet in server.packets] == [1, 2]
    first = server.packets[0]
    assert isinstance(first.value, m.UserPacket)
    assert (first.value.payload, first.value.topic, first.destination_identities) == ("héllo".encode(), "t", ("ada",))
    got: list[Any] = []
    room.on("data_received", got.append)
    server.send_raw(b"\xff\xff rubbish")
    packet = m.DataPacket(
        m.UserPacket(payload=b"x", topic="t"), participant_identity="ada", participant_sid="PA_ada", sequence=1
    )
    server.send_packet(packet)
    server.send_packet(packet)
    server.send_packet(m.DataPacket(m.UserPacket(payload=b"from the server")))
    await until(lambda: len(got) == 2)
    assert [(p.data, p.topic, p.participant and p.participant.identity) for p in got] == [
        (b"x", "t", "ada"),
        (b"from the server", None, None),
    ]


async def test_metadata(room: Room, server: Server) -> None:
    """Setters wait for the server; a refusal is an error with its reason."""
    await room.connect(URL, "token")
    me = room.local_participant
    await me.set_name("Me")
    await me.set_attributes({"a": "1"})
    assert (me.name, dict(me.attributes)) == ("Me", {"a": "1"})
    request = await server.heard(m.UpdateParticipantMetadata)
    assert request.name == "Me"  # what is left out would be wiped
    server._take = lambda _: asyncio.sleep(0)  # type: ignore[assignment, method-assign]
    setting = asyncio.create_task(me.set_metadata("no"))
    refused = await server.heard(m.UpdateParticipantMetadata, 3)
    await server.say(m.RequestResponse(refused.request_id, m.RequestReason.NOT_ALLOWED, "may not"))
    with pytest.raises(SignalRequestError, match="may not") as caught:
        await setting
    assert caught.value.reason == "NOT_ALLOWED"


async def test_the_servers_word_on_our_tracks(room: Room, server: Server) -> None:
    """A mute and an unpublishing from the server are obeyed; a first subscriber is told."""
    await room.connect(URL, "token")
    publication = await room.local_participant.set_microphone_enabled(True)
    assert publication is not None
    events = room.events("track_muted", "local_track_subscribed", "local_track_unpublished")
    await server.say(m.TrackSubscribed(publication.sid))
    await server.say(m.MuteTrackRequest(publication.sid, True))
    await server.say(m.TrackUnpublishedResponse(publication.sid))
    order = [(await asyncio.wait_for(anext(events), 5)).event_name for _ in range(3)]
    assert order == ["local_track_subscribed", "track_muted", "local_track_unpublished"]


async def test_speakers_quality_streams_and_the_room(room: Room, server: Server) -> None:
    """The server's other news."""
    server.others = [participant("ada", track("TR_a")), participant("bob")]
    await room.connect(URL, "token")
    await server.send_media("ada", "TR_a")
    ada, bob = room.remote_participants["ada"], room.remote_participants["bob"]
    await until(lambda: ada.track_publications["TR_a"].track)
    news: list[Any] = []
    room.on("active_speakers_changed", lambda speakers: news.append([p.identity for p in speakers]))
    room.on("connection_quality_changed", lambda p, quality: news.append((p.identity, quality)))
    room.on("track_stream_state_changed", lambda pub, state: news.append(state))
    room.on("room_metadata_changed", lambda old, new: news.append((old, new)))
    room.on("recording_status_changed", news.append)
    loud = m.SpeakerInfo("PA_bob", 0.9, True)
    await server.say(m.SpeakersChanged((m.SpeakerInfo("PA_ada", 0.5, True), loud)))
    await server.say(m.SpeakersChanged((m.SpeakerInfo("PA_bob", 0, False),)))
    await server.say(m.ConnectionQualityUpdate((m.ConnectionQualityInfo("PA_ada", ConnectionQuality.POOR),)))
    await server.say(m.ConnectionQualityUpdate((m.ConnectionQualityInfo("PA_ada", 77),)))
    await server.say(m.StreamStateUpdate((m.StreamStateInfo("PA_ada", "TR_a", StreamState.PAUSED),)))
    await server.say(m.RoomUpdate(m.Room("RM_1", "fake", metadata="new", active_recording=True)))
    await until(lambda: len(news) == 6)
    assert news == [["bob", "ada"], ["ada"], ("ada", ConnectionQuality.POOR), StreamState.PAUSED, ("", "new"), True]
    assert (ada.is_speaking, ada.audio_level, bob.is_speaking) == (True, 0.5, False)
    assert room.active_speakers == [ada]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (m.LeaveRequest(reason=DisconnectReason.ROOM_DELETED), DisconnectReason.ROOM_DELETED),
        (m.LeaveRequest(reason=99, action=99), 99),
    ],
    ids=["leave", "unknown reason and action"],
)
async def test_the_other_side_ends_it(room: Room, server: Server, end: m.LeaveRequest, reason: int) -> None:
    """disconnected(reason) once; whoever waits is told; nothing works any more."""
    await room.connect(URL, "token")
    await room.local_participant.set_microphone_enabled(True)
    names = recorded(room)
    waiting = asyncio.create_task(room.wait_for("participant_connected"))

    async def collect() -> list[Event]:
        return [event async for event in room.events()]

    collecting = asyncio.create_task(collect())
    await asyncio.sleep(0)
    await server.say(end)
    with pytest.raises(RoomDisconnectedError) as caught:
        await asyncio.wait_for(waiting, 5)
    assert caught.value.reason == reason
    collected = await asyncio.wait_for(collecting, 5)
    assert collected[-1].event_name == "disconnected"
    assert names == ["connection_state_changed", "disconnected"]
    with pytest.raises(UnexpectedConnectionState):
        await room.local_participant.publish_data(b"x")


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff", b"\x0a\xff\xff", bytes(100_000), "text", b"\xfa\x0f\x03abc"])
async def test_rubbish_from_the_server_changes_nothing(room: Room, server: Server, data: bytes | str) -> None:
    """One frame that cannot be read says nothing of the next."""
    await room.connect(URL, "token")
    await server.say_bytes(data)
    await server.say(m.ParticipantUpdate((participant("ada"),)))
    await room.wait_for("participant_connected", timeout=5)


async def test_rejoining(room: Room, server: Server) -> None:
    """The same room object can be joined again."""
    for number in range(3):
        server.others = [participant(f"p{number}")]
        await room.connect(URL, "token")
        assert list(room.remote_participants) == [f"p{number}"]
        await room.disconnect()


async def test_leaving_twice_is_once(room: Room, server: Server) -> None:
    """Two calls at a time end together, with one event."""
    await room.connect(URL, "token")
    names = recorded(room)
    await asyncio.gather(room.disconnect(), room.disconnect())
    await room.disconnect()
    assert names == ["connection_state_changed", "disconnected"]


async def test_disconnect_from_a_handler(room: Room, server: Server) -> None:
    """Sync or async, a handler may end the room."""

    @room.on("participant_connected")
    async def leave() -> None:
        await room.disconnect()

    await room.connect(URL, "token")
    await server.say(m.ParticipantUpdate((participant("ada"),)))
    await room.wait_for("disconnected", timeout=5)


async def test_news_of_the_token_and_the_devices(room: Room, server: Server) -> None:
    """Neither needs anything of us."""
    await room.connect(URL, "token")
    news = room.events("token_refreshed", "media_devices_changed")
    await server.say(m.RefreshToken("newer"))
    assert (await asyncio.wait_for(anext(news), 5)).event_name == "token_refreshed"
    server.browser.set_devices([])
    assert (await asyncio.wait_for(anext(news), 5)).event_name == "media_devices_changed"


async def test_leaving_the_page_but_not_the_room(server: Server) -> None:
    """disconnect_on_page_leave=False: a page that comes back finds itself connected."""
    async with Room(RoomOptions(disconnect_on_page_leave=False), browser=server.browser) as room:
        await room.connect(URL, "token")
        server.browser.leave_page()
        await room.local_participant.set_name("still here")
        assert room.state is ConnectionState.CONNECTED


async def test_leaving_the_page(room: Room, server: Server) -> None:
    """The goodbye is sent by the page itself, before Python hears of it."""
    await room.connect(URL, "token")
    server.browser.leave_page()
    await server.heard(m.LeaveRequest)
    await until(lambda: room.state is ConnectionState.DISCONNECTED)


async def test_connect_errors(server: Server) -> None:
    """No server at all, and a Leave for an answer."""
    async with Room(browser=server.browser) as room:
        with pytest.raises(ConnectError) as caught:
            await room.connect("ws://nowhere", "secret-token")
        assert caught.value.reason is ConnectErrorReason.SERVER_UNREACHABLE
        assert "secret-token" not in repr(caught.value)
        assert room.state is ConnectionState.DISCONNECTED


async def test_a_refused_description_falls_back(room: Room, server: Server) -> None:
    """When the browser refuses our edits, it gets its own text back."""
    server.browser.refuse_sdp = lambda sdp: "stereo=1" in sdp and "sprop" not in sdp
    await room.connect(URL, "token")
    assert room.state is ConnectionState.CONNECTED


async def test_cancelled_in_the_moment_of_connecting(room: Room, server: Server) -> None:
    """Whoever cancels connect() is not left in the room, even if it had just got there."""
    connecting = asyncio.create_task(room.connect(URL, "token"))
    room.on("connected", lambda: connecting.cancel())
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert room.state is ConnectionState.DISCONNECTED
    await server.heard(m.LeaveRequest)


async def test_a_track_that_others_get_before_we_know(room: Room, server: Server) -> None:
    """The server may be quicker than our negotiation: it is told all the same, after the publication."""
    await room.connect(URL, "token")
    names = recorded(room)
    server.answers_tracks = False
    publishing = asyncio.ensure_future(room.local_participant.set_microphone_enabled(True))
    request = await server.heard(m.AddTrackRequest)
    await server.say(m.TrackSubscribed("TR_1"))
    await server.say(m.TrackSubscribed("TR_other"))
    await server.say(m.TrackPublishedResponse(request.cid, track("TR_1", TrackSource.MICROPHONE)))
    await publishing
    await until(lambda: "local_track_subscribed" in names)
    assert [name for name in names if name.startswith("local")] == ["local_track_published", "local_track_subscribed"]
    await server.say(m.TrackSubscribed("TR_2"))
    await server.say(m.TrackSubscribed("TR_1"))
    await until(lambda: names.count("local_track_subscribed") == 2)
