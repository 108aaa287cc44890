"""What a room of ours decides."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import pytest

from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.reliable import LOSSY, RELIABLE
from lk_pyodide.errors import ProtocolError
from lk_pyodide.local.claims import Claims
from lk_pyodide.local.effects import Carry, Drop, Effect, Forward, Halt, Join, Renew, Tell
from lk_pyodide.local.engine import Engine
from lk_pyodide.types import DataPacketKind, DisconnectReason, EncryptionType, ParticipantState, TrackKind, TrackSource

T = TypeVar("T")
NOW = 1_700_000_000.5
ALL = m.JoinRequest(connection_settings=m.ConnectionSettings(auto_subscribe=True))
NOTHING = m.JoinRequest(connection_settings=m.ConnectionSettings(auto_subscribe=False))
CAMERA = m.AddTrackRequest("cam", "my camera", TrackKind.VIDEO, 1280, 720, source=TrackSource.CAMERA)


def engine() -> Engine:
    return Engine("lesson", (f"id{n}" for n in itertools.count()), NOW)


def claims(identity: str, **grants: Any) -> Claims:
    return Claims(identity, "lesson", name=identity.title(), **grants)


def enter(room: Engine, identity: str, request: m.JoinRequest = ALL, **grants: Any) -> list[Effect]:
    """Join and connect; the connection is named as who joins."""
    return [*room.join(identity, claims(identity, **grants), request, NOW), *room.connected(identity)]


def told(effects: list[Effect], key: str, kind: type[T]) -> list[T]:
    """What somebody is told, of one kind."""
    return [e.message for e in effects if isinstance(e, Tell) and e.key == key and isinstance(e.message, kind)]


def infos(effects: list[Effect], key: str) -> list[m.ParticipantInfo]:
    return [info for update in told(effects, key, m.ParticipantUpdate) for info in update.participants]


def forwards(effects: list[Effect]) -> list[tuple[str, str, str]]:
    """Track, publisher and subscriber of each."""
    return [(e.sid, e.publisher, e.subscriber) for e in effects if isinstance(e, Forward)]


def publish(room: Engine, identity: str, request: m.AddTrackRequest = CAMERA) -> tuple[str, list[Effect]]:
    """Announce a track, and have its media arrive; its sid, and what follows."""
    (answer,) = told(room.receive(identity, request), identity, m.TrackPublishedResponse)
    assert answer.track is not None
    return answer.track.sid, room.arrived(identity, request.cid, TrackKind(request.type))


def test_joining() -> None:
    room = engine()
    (first,) = [e for e in room.join("ada", claims("ada"), ALL, NOW) if isinstance(e, Join)]
    assert first.others == ()
    assert first.response.room is not None
    assert first.response.participant is not None
    assert (first.response.room.name, first.response.participant.identity) == ("lesson", "ada")
    assert first.response.participant.state == ParticipantState.JOINED
    effects = enter(room, "ben")
    (second,) = [e for e in effects if isinstance(e, Join)]
    assert [info.identity for info in second.others] == ["ada"]
    assert [info.state for info in infos(effects, "ada")] == [ParticipantState.JOINED, ParticipantState.ACTIVE]
    assert room.connected("ben") == [], "once"


def test_the_same_identity_takes_the_place() -> None:
    room = engine()
    enter(room, "ada")
    effects = room.join("another", claims("ada"), ALL, NOW)
    (leave,) = told(effects, "ada", m.LeaveRequest)
    assert leave.reason == DisconnectReason.DUPLICATE_IDENTITY
    assert Drop("ada") in effects
    (join,) = [e for e in effects if isinstance(e, Join)]
    assert join.others == ()
    assert room.receive("ada", CAMERA) == [], "nobody of this name is left"


def test_leaving() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, _ = publish(room, "ben")
    effects = room.receive("ben", m.LeaveRequest())
    assert Drop("ben") in effects
    assert Halt(sid, "ada") in effects
    (info,) = infos(effects, "ada")
    assert (info.state, info.tracks) == (ParticipantState.DISCONNECTED, ())
    assert info.disconnect_reason == DisconnectReason.CLIENT_INITIATED
    assert room.gone("ben", DisconnectReason.SIGNAL_CLOSE) == []
    (info,) = infos([*enter(room, "eve"), *room.gone("eve", DisconnectReason.SIGNAL_CLOSE)], "ada")[-1:]
    assert info.disconnect_reason == DisconnectReason.SIGNAL_CLOSE
    assert room.gone("ada", DisconnectReason.SIGNAL_CLOSE) == []
    assert room.is_empty


def test_what_a_client_says_of_its_leaving() -> None:
    room = engine()
    enter(room, "ada")
    for said, told_to_others in (
        (DisconnectReason.USER_REJECTED, DisconnectReason.USER_REJECTED),
        (DisconnectReason.ROOM_DELETED, DisconnectReason.CLIENT_INITIATED),
        (99, DisconnectReason.CLIENT_INITIATED),
    ):
        enter(room, "ben")
        (info,) = infos(room.receive("ben", m.LeaveRequest(reason=said)), "ada")
        assert info.disconnect_reason == told_to_others


def test_a_track_is_there_when_its_media_is() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    announced = room.receive("ben", CAMERA)
    assert infos(announced, "ada") == []
    effects = room.arrived("ben", "cam", TrackKind.VIDEO)
    for key in ("ada", "ben"):
        (info,) = infos(effects, key)
        (track,) = info.tracks
        assert (track.name, track.source, track.width, track.mime_type) == (
            "my camera",
            TrackSource.CAMERA,
            1280,
            "video/vp8",
        )
        assert info.is_publisher
    (forward,) = [e for e in effects if isinstance(e, Forward)]
    assert (forward.sid, forward.cid, forward.subscriber) == (track.sid, "cam", "ada")
    assert forward.publisher_sid == info.sid
    assert told(effects, "ben", m.TrackSubscribed) == [m.TrackSubscribed(track.sid)]
    assert room.arrived("ben", "cam", TrackKind.VIDEO) == []
    assert room.arrived("ben", "never announced", TrackKind.VIDEO) == []
    late = enter(room, "eve")
    assert (track.sid, "ben", "eve") in forwards(late)
    ended = room.ended("ben", "cam")
    assert {e for e in ended if isinstance(e, Halt)} == {Halt(track.sid, "ada"), Halt(track.sid, "eve")}
    assert told(ended, "ben", m.TrackUnpublishedResponse) == [m.TrackUnpublishedResponse(track.sid)]
    assert infos(ended, "ada")[0].tracks == ()


def test_media_under_another_name() -> None:
    """Firefox's descriptions call a track otherwise than its announcement does."""
    room = engine()
    enter(room, "ada")
    room.receive("ada", CAMERA)
    assert room.arrived("ada", "{another}", TrackKind.AUDIO) == []
    (info,) = infos(room.arrived("ada", "{another}", TrackKind.VIDEO), "ada")
    assert [track.name for track in info.tracks] == ["my camera"]
    assert infos(room.ended("ada", "{another}"), "ada")[0].tracks == ()


def test_versions_only_grow() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, effects = publish(room, "ben")
    effects += room.receive("ben", m.MuteTrackRequest(sid, True))
    effects += room.ended("ben", "cam")
    versions = [info.version for info in infos(effects, "ada")]
    assert versions == sorted(set(versions))
    assert len(versions) == 3


def test_muting() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, _ = publish(room, "ben")
    (info,) = infos(room.receive("ben", m.MuteTrackRequest(sid, True)), "ada")
    assert info.tracks[0].muted
    assert room.receive("ben", m.MuteTrackRequest(sid, True)) == [], "no news"
    not_hers = m.MuteTrackRequest(sid, False)
    refusal = m.RequestResponse(reason=m.RequestReason.NOT_FOUND, mute=not_hers)
    assert room.receive("ada", not_hers) == [Tell("ada", refusal)]
    room.receive("ben", m.AddTrackRequest("mic", type=TrackKind.AUDIO, source=TrackSource.MICROPHONE))
    (announced,) = told(room.receive("ben", m.AddTrackRequest("mic")), "ben", m.TrackPublishedResponse)
    assert announced.track is not None
    assert room.receive("ben", m.MuteTrackRequest(announced.track.sid, True)) == []
    assert infos(room.arrived("ben", "mic", TrackKind.AUDIO), "ada")[0].tracks[1].muted


def test_subscribing() -> None:
    room = engine()
    enter(room, "ben")
    sid, _ = publish(room, "ben")
    assert not [e for e in enter(room, "ada", NOTHING) if isinstance(e, Forward)]
    ask = m.UpdateSubscription((sid,), True)
    assert forwards(room.receive("ada", ask)) == [(sid, "ben", "ada")]
    assert room.receive("ada", ask) == [], "asked twice"
    assert room.receive("ada", m.UpdateSubscription((), False, (m.ParticipantTracks("", (sid,)),))) == [
        Halt(sid, "ada")
    ]
    assert room.receive("ada", m.UpdateSubscription(("TR_nothing",), True)) == []
    assert room.receive("ben", m.UpdateSubscription((sid,), True)) == [], "one's own"


def test_grants() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "mute", can_publish=False, can_publish_data=False)
    (refused,) = told(room.receive("mute", CAMERA), "mute", m.RequestResponse)
    assert (refused.reason, refused.add_track) == (m.RequestReason.NOT_ALLOWED, CAMERA)
    packet = wire.encode_packet(m.DataPacket(m.UserPacket(payload=b"x")))
    assert room.packet("mute", packet, is_reliable=True) == []
    (denied,) = told(room.receive("mute", m.UpdateParticipantMetadata("x", request_id=7)), "mute", m.RequestResponse)
    assert (denied.request_id, denied.reason) == (7, m.RequestReason.NOT_ALLOWED)
    sid, _ = publish(room, "ada")
    deaf = enter(room, "deaf", can_subscribe=False)
    assert not [e for e in deaf if isinstance(e, Forward)]
    assert room.receive("deaf", m.UpdateSubscription((sid,), True)) == []


def test_sources() -> None:
    room = engine()
    enter(room, "ada", can_publish_sources=("microphone", "nonsense"))
    (refused,) = told(room.receive("ada", CAMERA), "ada", m.RequestResponse)
    assert refused.reason == m.RequestReason.NOT_ALLOWED
    publish(room, "ada", m.AddTrackRequest("mic", type=TrackKind.AUDIO, source=TrackSource.MICROPHONE))
    enter(room, "ben", can_publish_sources=("nonsense",))
    (refused,) = told(room.receive("ben", CAMERA), "ben", m.RequestResponse)
    assert refused.reason == m.RequestReason.NOT_ALLOWED, "what is not known is not everything"


def test_hidden() -> None:
    """It sees, and may even send; nobody is told of it."""
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    sid, _ = publish(room, "ben")
    effects = enter(room, "spy", hidden=True, can_update_own_metadata=True)
    (join,) = [e for e in effects if isinstance(e, Join)]
    assert join.response.room is not None and join.response.room.num_participants == 2
    assert [info.identity for info in join.others] == ["ada", "ben"]
    assert forwards(effects) == [(sid, "ben", "spy")]
    assert [info.identity for info in infos(effects, "spy")] == ["spy"]
    effects += room.receive("spy", m.UpdateParticipantMetadata("hello"))
    (answer,) = told(room.receive("spy", CAMERA), "spy", m.TrackPublishedResponse)
    assert answer.track is not None
    effects += room.arrived("spy", "cam", TrackKind.VIDEO)
    assert infos(effects, "ada") == []
    assert [pair for pair in forwards(effects) if pair[1] == "spy"] == []
    assert room.receive("ada", m.UpdateSubscription((answer.track.sid,), True)) == []
    carried = room.packet("spy", wire.encode_packet(m.DataPacket(m.UserPacket(payload=b"x"))), is_reliable=True)
    for effect in carried:
        assert isinstance(effect, Carry)
        packet = wire.decode_packet(effect.data)
        assert (packet.participant_identity, packet.participant_sid) == ("", "")
    assert infos(room.gone("spy", DisconnectReason.SIGNAL_CLOSE), "ada") == []
    (join,) = [e for e in enter(room, "eve") if isinstance(e, Join)]
    assert "spy" not in [info.identity for info in join.others]


def test_what_cannot_be_published() -> None:
    room = engine()
    enter(room, "ada")
    for request, reason in (
        (m.AddTrackRequest("x", type=TrackKind.UNKNOWN), m.RequestReason.UNSUPPORTED_TYPE),
        (m.AddTrackRequest("x", encryption=EncryptionType.GCM), m.RequestReason.UNSUPPORTED_TYPE),
        (m.AddTrackRequest("x", encryption=77), m.RequestReason.UNSUPPORTED_TYPE),
        (m.AddTrackRequest("x", sid="TR_other"), m.RequestReason.NOT_FOUND),
    ):
        (refusal,) = told(room.receive("ada", request), "ada", m.RequestResponse)
        assert (refusal.reason, refusal.add_track) == (reason, request)
    sid, _ = publish(room, "ada")
    (again,) = told(room.receive("ada", m.AddTrackRequest("other", sid=sid)), "ada", m.TrackPublishedResponse)
    assert again.track is not None and again.track.sid == sid, "another codec of it"
    assert room.arrived("ada", "other", TrackKind.AUDIO) == []


def test_a_track_is_used_otherwise() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    stereo, echo = m.AudioTrackFeature.TF_STEREO, m.AudioTrackFeature.TF_ECHO_CANCELLATION
    sid, _ = publish(room, "ben", m.AddTrackRequest("mic", audio_features=(echo,)))
    change = m.UpdateLocalAudioTrack(sid, (stereo, stereo))
    (info,) = infos(room.receive("ben", change), "ada")
    assert (info.tracks[0].audio_features, info.tracks[0].stereo) == ((stereo,), True)
    assert room.receive("ben", change) == []
    sid, _ = publish(room, "ben")
    (info,) = infos(room.receive("ben", m.UpdateLocalVideoTrack(sid, 320, 180)), "ada")
    assert (info.tracks[1].width, info.tracks[1].height) == (320, 180)
    not_hers = m.UpdateLocalAudioTrack(sid)
    refusal = m.RequestResponse(reason=m.RequestReason.NOT_FOUND, update_audio_track=not_hers)
    assert room.receive("ada", not_hers) == [Tell("ada", refusal)]
    nobodys = m.UpdateLocalVideoTrack("TR_none")
    refusal = m.RequestResponse(reason=m.RequestReason.NOT_FOUND, update_video_track=nobodys)
    assert room.receive("ada", nobodys) == [Tell("ada", refusal)]


def test_blobs_are_not_kept() -> None:
    room = engine()
    enter(room, "ada")
    (no,) = told(room.receive("ada", m.StoreDataBlobRequest(3)), "ada", m.RequestResponse)
    assert (no.request_id, no.reason) == (3, m.RequestReason.NOT_ALLOWED)
    (none,) = told(room.receive("ada", m.GetDataBlobRequest(4)), "ada", m.RequestResponse)
    assert (none.request_id, none.reason) == (4, m.RequestReason.NOT_FOUND)


def test_nobody_resumes() -> None:
    room = engine()
    enter(room, "ada")
    resume = m.JoinRequest(reconnect=True, participant_sid="PA_gone")
    leave = m.LeaveRequest(reason=DisconnectReason.STATE_MISMATCH, action=m.LeaveAction.RECONNECT)
    assert room.join("again", claims("ada"), resume, NOW) == [Tell("again", leave), Drop("again")]
    assert room.receive("ada", m.Ping()) != [], "the other connection is untouched"
    room = engine()
    room.join("again", claims("ada"), resume, NOW)
    assert room.is_empty


def test_what_one_says_of_oneself() -> None:
    room = engine()
    enter(room, "ada", can_update_own_metadata=True)
    enter(room, "ben")
    update = m.UpdateParticipantMetadata("metadata", "", {"a": "1", "b": "2"}, 3)
    effects = room.receive("ada", update)
    assert told(effects, "ada", m.RequestResponse) == [m.RequestResponse(3, update_metadata=update)]
    (info,) = infos(effects, "ben")
    assert (info.metadata, info.name, info.attributes) == ("metadata", "Ada", {"a": "1", "b": "2"})
    (renewal,) = [effect for effect in effects if isinstance(effect, Renew)]
    assert (renewal.key, renewal.claims.metadata, renewal.claims.attributes) == ("ada", info.metadata, info.attributes)
    (info,) = infos(room.receive("ada", m.UpdateParticipantMetadata(attributes={"a": ""})), "ben")
    assert (info.metadata, info.attributes) == ("metadata", {"b": "2"})
    for huge in (
        m.UpdateParticipantMetadata("x" * 600_000),
        m.UpdateParticipantMetadata(name="x" * 257),
        m.UpdateParticipantMetadata(attributes={"a": "x" * 70_000}),
    ):
        (answer,) = room.receive("ada", huge)
        assert isinstance(answer, Tell)
        assert isinstance(answer.message, m.RequestResponse)
        assert answer.message.reason == m.RequestReason.LIMIT_EXCEEDED


def test_packets_carry_their_true_sender() -> None:
    room = engine()
    for name in ("ada", "ben", "eve"):
        enter(room, name)
    claimed = m.UserPacket("PA_other", "ben", b"x", topic="t")
    packet = m.DataPacket(claimed, participant_identity="ben", participant_sid="PA_other", sequence=9)
    carried = [e for e in room.packet("ada", wire.encode_packet(packet), is_reliable=True) if isinstance(e, Carry)]
    assert {e.key for e in carried} == {"ben", "eve"}
    for effect in carried:
        got = wire.decode_packet(effect.data)
        assert isinstance(got.value, m.UserPacket)
        assert got.participant_identity == got.value.participant_identity == "ada"
        assert got.participant_sid == got.value.participant_sid != "PA_other"
        assert (got.sequence, got.value.topic, effect.label) == (9, "t", RELIABLE)
    only = m.DataPacket(m.UserPacket(payload=b"x"), DataPacketKind.RELIABLE, destination_identities=("eve",))
    (alone,) = room.packet("ada", wire.encode_packet(only), is_reliable=False)
    assert isinstance(alone, Carry)
    assert (alone.key, alone.label) == ("eve", LOSSY)
    assert wire.decode_packet(alone.data).kind == DataPacketKind.LOSSY, "as it came"
    assert room.packet("nobody", b"", is_reliable=True) == []
    with pytest.raises(ProtocolError):
        room.packet("ada", b"\xff", is_reliable=True)


def test_packets_of_any_kind_pass() -> None:
    """Streams and what else there is: what we do not read is passed on as it came."""
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    header = wire._message_class("DataPacket")()
    header.stream_header.stream_id = "s1"
    header.stream_header.topic = "chat"
    (carried,) = room.packet("ada", header.SerializeToString(), is_reliable=True)
    assert isinstance(carried, Carry)
    got = wire._message_class("DataPacket").FromString(carried.data)
    assert (got.stream_header, got.participant_identity) == (header.stream_header, "ada")


def test_the_server_goes() -> None:
    room = engine()
    enter(room, "ada")
    enter(room, "ben")
    effects = room.hand_over()
    for key in ("ada", "ben"):
        assert [leave.action for leave in told(effects, key, m.LeaveRequest)] == [m.LeaveAction.RECONNECT]
        assert Drop(key) in effects
    assert room.is_empty


def test_pings() -> None:
    room = engine()
    enter(room, "ada")
    assert room.receive("ada", m.Ping(timestamp=5)) == [Tell("ada", m.Pong(5, 5))]
    assert room.receive("ada", m.LegacyPing(5)) == []
