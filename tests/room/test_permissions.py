"""Whom we let have our tracks, and who lets us have theirs."""

from lk_pyodide import (
    ParticipantTrackPermission,
    PermissionStatus,
    Room,
    RoomConnectOptions,
    SubscriptionStatus,
    TrackSubscriptionPermissionChanged,
    TrackSubscriptionStatusChanged,
)
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource
from tests.room.server import URL, Server, participant, track, until


def said(server: Server) -> list[m.SubscriptionPermission]:
    return [message for message in server.received if isinstance(message, m.SubscriptionPermission)]


async def test_what_we_say(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    me = room.local_participant
    me.set_track_subscription_permissions(
        allow_all_participants=False,
        participant_permissions=[
            ParticipantTrackPermission(participant_identity="ada", allow_all=True),
            ParticipantTrackPermission(participant_identity="bob", allowed_track_sids=["TR_1", "TR_2"]),
        ],
    )
    assert await server.heard(m.SubscriptionPermission) == m.SubscriptionPermission(
        False, (m.TrackPermission("", True, (), "ada"), m.TrackPermission("", False, ("TR_1", "TR_2"), "bob"))
    )
    me.set_track_subscription_permissions(allow_all_participants=True)
    assert await server.heard(m.SubscriptionPermission, 2) == m.SubscriptionPermission(True)


async def test_what_is_said_before_is_said_first(room: Room, server: Server) -> None:
    room.local_participant.set_track_subscription_permissions(allow_all_participants=False)
    await room.connect(URL, "token")
    await room.local_participant.set_camera_enabled(True)
    kinds = [type(message) for message in server.received]
    assert kinds.index(m.SubscriptionPermission) < kinds.index(m.AddTrackRequest)


async def test_nothing_is_said_unless_asked(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    await room.local_participant.set_camera_enabled(True)
    assert said(server) == []


async def test_the_same_people_after_a_reconnect(room: Room, server: Server) -> None:
    """It is said before anything is published again, and again when the tracks' new sids are known."""
    await room.connect(URL, "token")
    me = room.local_participant
    camera = await me.set_camera_enabled(True)
    assert camera is not None
    before = camera.sid
    me.set_track_subscription_permissions(
        allow_all_participants=False,
        participant_permissions=[ParticipantTrackPermission("ada", allowed_track_sids=[before])],
    )
    await server.heard(m.SubscriptionPermission)
    server.received.clear()
    server.break_connection()
    await room.wait_for("reconnected", timeout=5)
    last = await server.heard(m.SubscriptionPermission, 2)
    assert camera.sid != before
    assert [rule.track_permissions[0].track_sids for rule in said(server)] == [(before,), (camera.sid,)]
    assert last.all_participants is False
    kinds = [type(message) for message in server.received]
    assert kinds.index(m.SubscriptionPermission) < kinds.index(m.AddTrackRequest)


async def test_how_far_a_subscription_has_come(room: Room, server: Server) -> None:
    server.others = [participant("ada", track("TR_ada"))]
    await room.connect(URL, "token")
    ada = room.remote_participants["ada"]
    video = ada.track_publications["TR_ada"]
    told: list[object] = []
    room.on(TrackSubscriptionStatusChanged, lambda event: told.append(event.status))
    room.on(TrackSubscriptionPermissionChanged, lambda event: told.append(event.status))
    room.on("track_subscribed", lambda: told.append("track_subscribed"))
    assert (video.subscription_status, video.permission_status) == ("desired", "allowed")
    await server.send_media("ada", "TR_ada")
    await until(lambda: video.subscribed)
    assert told == ["track_subscribed", SubscriptionStatus.SUBSCRIBED]
    told.clear()
    await server.say(m.SubscriptionPermissionUpdate("PA_ada", "TR_ada", False))
    await until(lambda: video.permission_status == PermissionStatus.NOT_ALLOWED)
    await server.say(m.SubscriptionPermissionUpdate("PA_ada", "TR_ada", False))
    await server.say(m.SubscriptionPermissionUpdate("PA_nobody", "TR_ada", True))
    await server.say(m.SubscriptionPermissionUpdate("PA_ada", "TR_nothing", True))
    video.set_subscribed(False)
    video.set_subscribed(True)
    assert told == [
        PermissionStatus.NOT_ALLOWED,
        SubscriptionStatus.UNSUBSCRIBED,
        PermissionStatus.ALLOWED,
        SubscriptionStatus.SUBSCRIBED,
    ]
    assert video.source == TrackSource.CAMERA


async def test_nothing_desired(room: Room, server: Server) -> None:
    server.others = [participant("ada", track("TR_ada"))]
    await room.connect(URL, "token", RoomConnectOptions(auto_subscribe=False))
    video = room.remote_participants["ada"].track_publications["TR_ada"]
    statuses = [video.subscription_status]
    video.set_subscribed(True)
    assert [*statuses, video.subscription_status] == [SubscriptionStatus.UNSUBSCRIBED, SubscriptionStatus.DESIRED]
