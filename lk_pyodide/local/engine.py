"""What a room of ours decides: sans-I/O, as the client's core.

Messages of clients come in, and effects come out, for ``host`` to carry out. The rules are livekit-server's
(``pkg/rtc/room.go``, ``pkg/rtc/participant.go``), as far as one browser needs them: there is one layer of each track,
nobody resumes, and whoever asks for more gets the protocol's own answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.publishing import may_publish
from lk_pyodide.local.claims import Claims
from lk_pyodide.local.members import Member, member, track_info
from lk_pyodide.types import DataPacketKind, DisconnectReason, ParticipantState, ServerInfo, TrackKind, TrackSource

PING_INTERVAL, PING_TIMEOUT = 5, 15
"""Seconds, as livekit-server has them."""

SERVER = ServerInfo(version="1.13.5", protocol=17, region="local", node_id="ND_local")
"""The version is that of the livekit-server whose behaviour this has: clients ask for it."""

MAX_NAME, MAX_METADATA, MAX_ATTRIBUTES = 256, 512 * 1024, 64 * 1024
"""Bytes, as in livekit-server's configuration."""

CODECS = tuple(m.Codec(mime) for mime in ("audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9"))


# -- what is to be done ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a signalling message."""

    key: str
    message: m.ServerMessage


@dataclass(frozen=True, slots=True)
class Join:
    """Send the first message of a connection."""

    key: str
    response: m.JoinResponse
    others: tuple[m.ParticipantInfo, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Close a connection, once what was said has been sent."""

    key: str


@dataclass(frozen=True, slots=True)
class Carry:
    """Send an encoded data packet."""

    key: str
    data: bytes
    is_reliable: bool


@dataclass(frozen=True, slots=True)
class Forward:
    """Send a track of ``publisher``, whose own id of it is ``cid``, to ``subscriber``, until :class:`Halt`."""

    sid: str
    publisher: str
    subscriber: str
    publisher_sid: str
    cid: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Send a track to ``subscriber`` no more."""

    sid: str
    subscriber: str


Effect = Tell | Join | Drop | Carry | Forward | Halt


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
        self._members: dict[str, Member] = {}

    @property
    def is_empty(self) -> bool:
        """Whether everyone has left."""
        return not self._members

    # -- coming and going --

    def join(self, key: str, claims: Claims, request: m.JoinRequest, now: float) -> list[Effect]:
        """Somebody joins; an older connection of the same identity has to go.

        Args:
            key: the new connection.
            claims: what its token says.
            request: how it joins.
            now: seconds since 1970.
        """
        effects: list[Effect] = []
        for older in [other for other in self._members.values() if other.info.identity == claims.identity]:
            effects += self.remove(older.key, DisconnectReason.DUPLICATE_IDENTITY)
        new = member(key, f"PA_{next(self._ids)}", claims, request, now)
        others = tuple(other.info for other in self._members.values() if not other.hidden)
        self._members[key] = new
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
        return [*effects, Join(key, response, others), *self._tell_others(new)]

    def connected(self, key: str) -> list[Effect]:
        """Somebody's media connection is up: what there is goes there from now on."""
        new = self._members.get(key)
        if new is None or new.info.state == ParticipantState.ACTIVE:
            return []
        new.change(state=ParticipantState.ACTIVE)
        return [*self._tell_all(new), *self._catch_up(new)]

    def remove(self, key: str, reason: DisconnectReason) -> list[Effect]:
        """Send somebody away, and say why."""
        if key not in self._members:
            return []
        leave = m.LeaveRequest(reason=reason, action=m.LeaveAction.DISCONNECT)
        return [Tell(key, leave), Drop(key), *self.gone(key, reason)]

    def gone(self, key: str, reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED) -> list[Effect]:
        """Somebody has left."""
        old = self._members.pop(key, None)
        if old is None:
            return []
        sids = [track.sid for track in old.published.values()]
        old.published.clear()
        old.change(state=ParticipantState.DISCONNECTED, disconnect_reason=reason)
        halts = [Halt(sid, other.key) for other in self._members.values() for sid in sids if other.wants(sid)]
        return [*halts, *self._tell_others(old)]

    def close(self, reason: DisconnectReason = DisconnectReason.ROOM_DELETED) -> list[Effect]:
        """End the room for everybody."""
        return [effect for key in list(self._members) for effect in self.remove(key, reason)]

    def hand_over(self) -> list[Effect]:
        """The server goes: everybody is to join anew, at the next one."""
        leave = m.LeaveRequest(reason=DisconnectReason.SERVER_SHUTDOWN, action=m.LeaveAction.RECONNECT)
        keys = list(self._members)
        self._members.clear()
        return [effect for key in keys for effect in (Tell(key, leave), Drop(key))]

    # -- what clients say --

    def receive(self, key: str, message: m.ClientMessage) -> list[Effect]:
        """Take a signalling message; descriptions and candidates are not for here."""
        sender = self._members.get(key)
        if sender is None:
            return []
        match message:
            case m.AddTrackRequest():
                return self._add_track(sender, message)
            case m.MuteTrackRequest():
                return self._mute(sender, message)
            case m.UpdateSubscription():
                return self._subscribe(sender, message)
            case m.UpdateParticipantMetadata():
                return self._update(sender, message)
            case m.LeaveRequest():
                return [Drop(key), *self.gone(key)]
            case m.Ping():
                return [Tell(key, m.Pong(message.timestamp, message.timestamp))]
            case _:
                return []

    def _add_track(self, sender: Member, request: m.AddTrackRequest) -> list[Effect]:
        source = request.source if isinstance(request.source, TrackSource) else TrackSource.UNKNOWN
        if not may_publish(sender.permission, source):
            refusal = m.RequestResponse(0, m.RequestReason.NOT_ALLOWED, "no permission to publish", request)
            return [Tell(sender.key, refusal)]
        known = sender.pending.get(request.cid) or sender.published.get(request.cid)
        track = known or track_info(request, next(self._ids))
        if known is None:
            sender.pending[request.cid] = track
        return [Tell(sender.key, m.TrackPublishedResponse(request.cid, track))]

    def _mute(self, sender: Member, request: m.MuteTrackRequest) -> list[Effect]:
        cid = sender.find(request.sid)
        if cid is None:
            return []
        if cid in sender.pending:
            sender.pending[cid] = replace(sender.pending[cid], muted=request.muted)
            return []
        if sender.published[cid].muted == request.muted:
            return []
        sender.published[cid] = replace(sender.published[cid], muted=request.muted)
        sender.change()
        return self._tell_all(sender)

    def _subscribe(self, sender: Member, request: m.UpdateSubscription) -> list[Effect]:
        listed = {sid for tracks in request.participant_tracks for sid in tracks.track_sids}
        effects: list[Effect] = []
        for sid in sorted({*request.track_sids, *listed}):
            had = sender.wants(sid)
            (sender.wanted.add if request.subscribe else sender.wanted.discard)(sid)
            (sender.unwanted.discard if request.subscribe else sender.unwanted.add)(sid)
            publisher = self._publisher_of(sid)
            if publisher is None or publisher is sender or had == sender.wants(sid):
                continue
            effects += self._forward(sid, publisher, sender) if sender.wants(sid) else [Halt(sid, sender.key)]
        return effects

    def _update(self, sender: Member, request: m.UpdateParticipantMetadata) -> list[Effect]:
        if not sender.permission.can_update_metadata:
            text = "does not have permission to update own metadata"
            return [Tell(sender.key, m.RequestResponse(request.request_id, m.RequestReason.NOT_ALLOWED, text))]
        if too_large := _exceeded(request):
            text = f"exceeds {too_large} limit"
            return [Tell(sender.key, m.RequestResponse(request.request_id, m.RequestReason.LIMIT_EXCEEDED, text))]
        attributes = {**sender.info.attributes, **request.attributes}
        sender.change(
            metadata=request.metadata or sender.info.metadata,
            name=request.name or sender.info.name,
            attributes={name: value for name, value in attributes.items() if value},
        )
        return [Tell(sender.key, m.RequestResponse(request.request_id)), *self._tell_all(sender)]

    # -- media --

    def arrived(self, key: str, cid: str, kind: TrackKind) -> list[Effect]:
        """The media of a track is here; nothing follows until it has been announced, too.

        Args:
            key: whose.
            cid: what its description calls it. Firefox calls it otherwise than the announcement does: then it is the
                first of its kind (as in livekit-server, ``getPendingTrack``).
            kind: audio or video.
        """
        sender = self._members.get(key)
        if sender is None or cid in sender.published:
            return []
        of_kind = (other for other, track in sender.pending.items() if track.type == kind)
        announced = cid if cid in sender.pending else next(of_kind, None)
        if announced is None:
            return []
        track = sender.published[cid] = sender.pending.pop(announced)
        sender.change()
        forwards = [
            effect
            for other in self._members.values()
            if other is not sender and other.info.state == ParticipantState.ACTIVE and other.wants(track.sid)
            for effect in self._forward(track.sid, sender, other)
        ]
        return [*self._tell_all(sender), *forwards]

    def ended(self, key: str, cid: str) -> list[Effect]:
        """The client sends a track no more."""
        sender = self._members.get(key)
        track = sender.published.pop(cid, None) if sender is not None else None
        if sender is None or track is None:
            return []
        sender.change()
        told = Tell(key, m.TrackUnpublishedResponse(track.sid))
        halts = [Halt(track.sid, o.key) for o in self._members.values() if o is not sender and o.wants(track.sid)]
        return [told, *halts, *self._tell_all(sender)]

    def _catch_up(self, new: Member) -> Iterator[Effect]:
        for other in self._members.values():
            for track in other.published.values():
                if other is not new and new.wants(track.sid):
                    yield from self._forward(track.sid, other, new)

    @staticmethod
    def _forward(sid: str, publisher: Member, subscriber: Member) -> list[Effect]:
        forward = Forward(sid, publisher.key, subscriber.key, publisher.info.sid, publisher.find(sid) or "")
        return [forward, Tell(publisher.key, m.TrackSubscribed(sid))]

    # -- data, and news --

    def packet(self, key: str, data: bytes) -> list[Effect]:
        """Pass a data packet on, with its true sender, to whom it is for.

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
        passed = wire.readdress_packet(data, sender.info.identity, sender.info.sid)
        return [
            Carry(other.key, passed, packet.kind == DataPacketKind.RELIABLE)
            for other in self._members.values()
            if other is not sender and (not wanted or other.info.identity in wanted)
        ]

    def speak(self, changed: Mapping[str, float]) -> list[Effect]:
        """Tell who began to speak, speaks otherwise, or fell silent.

        Args:
            changed: loudness by participant sid, 0 to 1; 0 is silence.
        """
        speakers = tuple(m.SpeakerInfo(sid, level, level > 0) for sid, level in changed.items())
        return [Tell(key, m.SpeakersChanged(speakers)) for key in self._members] if speakers else []

    def _described(self) -> m.Room:
        visible = [other for other in self._members.values() if not other.hidden]
        publishers = sum(other.info.is_publisher for other in visible)
        return replace(self._room, num_participants=len(visible), num_publishers=publishers)

    def _publisher_of(self, sid: str) -> Member | None:
        return next((o for o in self._members.values() if any(t.sid == sid for t in o.published.values())), None)

    def _tell_all(self, subject: Member) -> list[Effect]:
        return [Tell(subject.key, m.ParticipantUpdate((subject.info,))), *self._tell_others(subject)]

    def _tell_others(self, subject: Member) -> list[Effect]:
        if subject.hidden:
            return []
        others: Iterable[str] = (key for key in self._members if key != subject.key)
        return [Tell(key, m.ParticipantUpdate((subject.info,))) for key in others]


def _exceeded(request: m.UpdateParticipantMetadata) -> str:
    """Which of livekit-server's limits a request is beyond."""
    attributes = sum(len(name.encode()) + len(value.encode()) for name, value in request.attributes.items())
    if len(request.name.encode()) > MAX_NAME:
        return "name length"
    if len(request.metadata.encode()) > MAX_METADATA:
        return "metadata size"
    return "attributes size" if attributes > MAX_ATTRIBUTES else ""
