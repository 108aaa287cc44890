"""What a room of ours decides: sans-I/O, as the client's core.

Messages of clients come in, and effects come out, for ``hosted_room`` to carry out. The rules are livekit-server's
(``pkg/rtc/room.go``, ``pkg/rtc/participant.go``), as far as one browser needs them: there is one layer of each track,
nobody resumes, and whoever asks for more gets the protocol's own answer. The room ends with its last member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.reliable import LOSSY, RELIABLE
from lk_pyodide.local.claims import MAX_ATTRIBUTES, MAX_METADATA, MAX_NAME, Claims
from lk_pyodide.local.data_tracks import DataTracks
from lk_pyodide.local.effects import Carry, Drop, Effect, Join, Renew, Tell
from lk_pyodide.local.members import Member, Members, member
from lk_pyodide.local.publications import Publications
from lk_pyodide.local.quality import Qualities
from lk_pyodide.local.speakers import Speakers
from lk_pyodide.local.subscriptions import Subscriptions, admitted
from lk_pyodide.types import DisconnectReason, ParticipantState, ServerInfo, TrackKind, TrackSource

PING_INTERVAL, PING_TIMEOUT = 5, 15
"""Seconds, as livekit-server has them."""

SERVER = ServerInfo(version="1.13.5", protocol=17, region="local", node_id="ND_local")
"""The version is that of the livekit-server whose behaviour this has: clients ask for it."""

CODECS = tuple(m.Codec(mime) for mime in ("audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9"))

OWN_REASONS = (DisconnectReason.USER_UNAVAILABLE, DisconnectReason.USER_REJECTED, DisconnectReason.AGENT_ERROR)
"""What a client may say of why it leaves; else it has simply left."""


class Engine:
    """One room.

    Args:
        name: the room's name.
        ids: unique texts for the ids of whoever and whatever comes.
        now: seconds since 1970, when it begins.
    """

    def __init__(self, name: str, ids: Iterator[str], now: float) -> None:
        self._ids = ids
        self._room = m.Room(sid=f"RM_{next(ids)}", name=name, creation_time=int(now), creation_time_ms=int(now * 1000))
        self._members = Members()
        self._subscriptions = Subscriptions(self._members)
        self._qualities = Qualities(self._members, self._subscriptions)
        self._speakers = Speakers(self._members, self._subscriptions)
        self._data_tracks = DataTracks(self._members, ids)
        self._publications = Publications(self._members, self._subscriptions, ids)

    @property
    def is_empty(self) -> bool:
        """Whether everyone has left."""
        return not self._members

    # -- coming and going --

    def join(self, key: str, claims: Claims, request: m.JoinRequest, now: float) -> list[Effect]:
        """Somebody joins; an older connection of the same identity has to go.

        Whoever would resume is told to join anew, as livekit-server tells those whom it does not know any more.

        Args:
            key: the new connection.
            claims: what its token says.
            request: how it joins.
            now: seconds since 1970.
        """
        if request.reconnect:
            leave = m.LeaveRequest(reason=DisconnectReason.STATE_MISMATCH, action=m.LeaveAction.RECONNECT)
            return [Tell(key, leave), Drop(key)]
        effects: list[Effect] = []
        for older in [other for other in self._members if other.info.identity == claims.identity]:
            effects += self.remove(older.key, DisconnectReason.DUPLICATE_IDENTITY)
        new = member(key, f"PA_{next(self._ids)}", claims, request, now)
        others = tuple(other.info for other in self._members.visible())
        self._members.add(new)
        response = m.JoinResponse(
            room=self._described(),
            participant=new.info,
            server_version=SERVER.version,
            server_info=SERVER,
            server_region=SERVER.region,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            enabled_publish_codecs=CODECS,
        )
        return [*effects, Join(key, response, others), *self._members.tell_others(new)]

    def connected(self, key: str) -> list[Effect]:
        """Somebody's media connection is up: what there is goes there from now on."""
        self._qualities.answers(key, does=True)
        new = self._members.get(key)
        if new is None or new.is_active:
            return []
        new.change(state=ParticipantState.ACTIVE)
        return [
            *self._members.tell_all(new),
            *self._subscriptions.catch_up(new),
            *self._data_tracks.catch_up(new),
        ]

    def silent(self, key: str) -> None:
        """Somebody's media connection does not answer; it may come back, as :meth:`connected`, or be given up."""
        self._qualities.answers(key, does=False)

    def remove(self, key: str, reason: DisconnectReason) -> list[Effect]:
        """Send somebody away, and say why."""
        if self._members.get(key) is None:
            return []
        leave = m.LeaveRequest(reason=reason, action=m.LeaveAction.DISCONNECT)
        return [Tell(key, leave), Drop(key), *self.gone(key, reason)]

    def gone(self, key: str, reason: DisconnectReason) -> list[Effect]:
        """Somebody has left."""
        old = self._members.pop(key)
        if old is None:
            return []
        halts = [*self._subscriptions.left(old), *self._data_tracks.left(old)]
        old.published.clear()
        old.data_tracks.clear()
        old.change(state=ParticipantState.DISCONNECTED, disconnect_reason=reason)
        return [*halts, *self._members.tell_others(old)]

    def hand_over(self) -> list[Effect]:
        """The server goes: everybody is to join anew, at the next one."""
        leave = m.LeaveRequest(reason=DisconnectReason.SERVER_SHUTDOWN, action=m.LeaveAction.RECONNECT)
        effects: list[Effect] = []
        for old in self._members:
            self._members.pop(old.key)
            effects += [Tell(old.key, leave), Drop(old.key)]
        return effects

    # -- what clients say --

    def receive(self, key: str, message: m.ClientMessage) -> list[Effect]:
        """Take a signalling message; descriptions and candidates are not for here, and others have no effect here."""
        sender = self._members.get(key)
        if sender is None:
            return []
        match message:
            case m.AddTrackRequest():
                return self._publications.add(sender, message)
            case m.MuteTrackRequest():
                return self._publications.mute(sender, message)
            case m.UpdateLocalAudioTrack():
                return self._publications.update_audio(sender, message)
            case m.UpdateLocalVideoTrack():
                return self._publications.update_video(sender, message)
            case m.UpdateSubscription():
                return self._subscriptions.request(sender, message)
            case m.SubscriptionPermission():
                return self._admit(sender, message)
            case m.PublishDataTrackRequest():
                return self._data_tracks.publish(sender, message)
            case m.UnpublishDataTrackRequest():
                return self._data_tracks.unpublish(sender, message)
            case m.UpdateDataSubscription():
                return self._data_tracks.request(sender, message)
            case m.UpdateParticipantMetadata():
                return self._update(sender, message)
            case m.StoreDataBlobRequest(request_id):
                refusal = m.RequestResponse(request_id, m.RequestReason.NOT_ALLOWED, "data blob not enabled")
                return [Tell(key, refusal)]
            case m.GetDataBlobRequest(request_id):
                return [Tell(key, m.RequestResponse(request_id, m.RequestReason.NOT_FOUND, "data blob not found"))]
            case m.LeaveRequest(reason=reason):
                known = reason if isinstance(reason, DisconnectReason) and reason in OWN_REASONS else None
                return [Drop(key), *self.gone(key, known or DisconnectReason.CLIENT_INITIATED)]
            case m.Ping():
                return [Tell(key, m.Pong(message.timestamp, message.timestamp))]
            case _:
                return []

    def _admit(self, sender: Member, request: m.SubscriptionPermission) -> list[Effect]:
        try:
            sender.admitted = admitted(request, self._members)
        except ValueError:
            return []  # as livekit-server, which keeps what held before
        return [*self._subscriptions.offer(sender), *self._data_tracks.offer(sender)]

    def _update(self, sender: Member, request: m.UpdateParticipantMetadata) -> list[Effect]:
        reason, text = m.RequestReason.OK, ""
        if not sender.permission.can_update_metadata:
            reason, text = m.RequestReason.NOT_ALLOWED, "does not have permission to update own metadata"
        elif too_large := _exceeded(request):
            reason, text = m.RequestReason.LIMIT_EXCEEDED, f"exceeds {too_large} limit"
        answer = Tell(sender.key, m.RequestResponse(request.request_id, reason, text, update_metadata=request))
        if text:
            return [answer]
        attributes = {**sender.info.attributes, **request.attributes}
        new = sender.change(
            metadata=request.metadata or sender.info.metadata,
            name=request.name or sender.info.name,
            attributes={name: value for name, value in attributes.items() if value},
        )
        sender.claims = replace(sender.claims, metadata=new.metadata, name=new.name, attributes=new.attributes)
        return [answer, *self._members.tell_all(sender), Renew(sender.key, sender.claims)]

    # -- media --

    def arrived(self, key: str, cid: str, kind: TrackKind) -> list[Effect]:
        """The media of a track is here: see :meth:`Publications.arrived`."""
        sender = self._members.get(key)
        return self._publications.arrived(sender, cid, kind) if sender is not None else []

    def ended(self, key: str, cid: str) -> list[Effect]:
        """The client sends a track no more."""
        sender = self._members.get(key)
        return self._publications.ended(sender, cid) if sender is not None else []

    # -- data, and news --

    def packet(self, key: str, data: bytes, *, is_reliable: bool) -> list[Effect]:
        """Pass a data packet on, with its true sender, to whom it is for.

        Args:
            key: on whose channel it came.
            data: the packet.
            is_reliable: on which of its channels; what the packet says of that is not asked.

        Raises:
            ProtocolError: the bytes are no packet.
        """
        sender = self._members.get(key)
        if sender is None or not sender.permission.can_publish_data:
            return []
        packet = wire.decode_packet(data)
        wanted = set(packet.destination_identities)
        if isinstance(packet.value, m.UserPacket):
            wanted |= set(packet.value.destination_identities)
        is_hidden = sender.permission.hidden
        identity, sid = ("", "") if is_hidden else (sender.info.identity, sender.info.sid)
        passed = wire.readdress_packet(data, identity, sid, is_reliable=is_reliable)
        label = RELIABLE if is_reliable else LOSSY
        return [
            Carry(other.key, label, passed)
            for other in self._members.others(sender)
            if not wanted or other.info.identity in wanted
        ]

    def track_packet(self, key: str, data: bytes) -> list[Effect]:
        """Pass a packet of a data track on: see :meth:`DataTracks.packet`."""
        sender = self._members.get(key)
        return self._data_tracks.packet(sender, data) if sender is not None else []

    def microphones(self) -> list[tuple[str, str, str]]:
        """What to listen to: the connection, its own id of the track, and the track's sid."""
        return [
            (member.key, cid, track.sid)
            for member in self._members
            for cid, track in member.published.items()
            if track.source == TrackSource.MICROPHONE and not track.muted
        ]

    def hear(self, sid: str, level: float, now: float) -> None:
        """A microphone was heard: see :meth:`Speakers.hear`."""
        self._speakers.hear(sid, level, now)

    def speak(self, now: float) -> list[Effect]:
        """Tell who began to speak, speaks otherwise, or fell silent: see :meth:`Speakers.update`."""
        return list(self._speakers.update(now))

    def rate(self) -> list[Effect]:
        """Tell how good connections are: see :meth:`Qualities.update`."""
        return list(self._qualities.update())

    def _described(self) -> m.Room:
        visible = self._members.visible()
        publishers = sum(other.info.is_publisher for other in visible)
        return replace(self._room, num_participants=len(visible), num_publishers=publishers)


def _exceeded(request: m.UpdateParticipantMetadata) -> str:
    """Which of livekit-server's limits a request is beyond."""
    attributes = sum(len(name.encode()) + len(value.encode()) for name, value in request.attributes.items())
    if len(request.name.encode()) > MAX_NAME:
        return "name length"
    if len(request.metadata.encode()) > MAX_METADATA:
        return "metadata size"
    return "attributes size" if attributes > MAX_ATTRIBUTES else ""
