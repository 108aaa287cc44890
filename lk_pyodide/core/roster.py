"""Who is in the room and what they publish.

Takes what the server says, keeps the newest of it, and tells what changed, in the order in which users are to hear of
it: a participant comes before its tracks, and its tracks go before it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from lk_pyodide.core.messages import DataTrackInfo, ParticipantInfo, TrackInfo
from lk_pyodide.types import ParticipantState


@dataclass(frozen=True, slots=True)
class Joined:
    """Someone came; the tracks follow as :class:`TrackAdded`."""

    info: ParticipantInfo


@dataclass(frozen=True, slots=True)
class Left:
    """Someone went; ``info`` is the last that was known, with the reason."""

    info: ParticipantInfo


@dataclass(frozen=True, slots=True)
class Changed:
    """Something about a participant (other than its tracks and data tracks) is new."""

    old: ParticipantInfo
    new: ParticipantInfo


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A participant publishes a track."""

    identity: str
    track: TrackInfo


@dataclass(frozen=True, slots=True)
class TrackChanged:
    """Something about a published track is new."""

    identity: str
    old: TrackInfo
    new: TrackInfo


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A participant publishes a track no more."""

    identity: str
    track: TrackInfo


@dataclass(frozen=True, slots=True)
class DataTrackAdded:
    """A participant publishes a data track."""

    identity: str
    track: DataTrackInfo


@dataclass(frozen=True, slots=True)
class DataTrackMoved:
    """A published data track has another sid: only its publisher's handle stays."""

    identity: str
    old: DataTrackInfo
    new: DataTrackInfo


@dataclass(frozen=True, slots=True)
class DataTrackRemoved:
    """A participant publishes a data track no more."""

    identity: str
    track: DataTrackInfo


@dataclass(frozen=True, slots=True)
class LocalChanged:
    """The server's picture of ourselves is new, tracks included."""

    old: ParticipantInfo
    new: ParticipantInfo


DataTrackChange: TypeAlias = DataTrackAdded | DataTrackMoved | DataTrackRemoved
Change: TypeAlias = Joined | Left | Changed | TrackAdded | TrackChanged | TrackRemoved | DataTrackChange | LocalChanged


def _joined(info: ParticipantInfo) -> int:
    """When this connection joined, in milliseconds; 0 if not known. Older servers tell seconds only."""
    return info.joined_at_ms or info.joined_at * 1000


class Roster:
    """The participants of one room, as the server last described them."""

    def __init__(self) -> None:
        self._local = ParticipantInfo()
        self._remotes: dict[str, ParticipantInfo] = {}
        self._identities: dict[str, str] = {}

    @property
    def local(self) -> ParticipantInfo:
        """Ourselves."""
        return self._local

    @property
    def remotes(self) -> Mapping[str, ParticipantInfo]:
        """The others, by identity."""
        return MappingProxyType(self._remotes)

    def identity_of(self, sid: str) -> str | None:
        """Identity of the participant that has this sid now, ourselves included."""
        return self._local.identity if sid and sid == self._local.sid else self._identities.get(sid)

    def set_local(self, info: ParticipantInfo) -> None:
        """Who we are, as the join response says."""
        self._local = info

    def apply(self, update: Iterable[ParticipantInfo]) -> list[Change]:
        """Take descriptions from the server.

        Updates may overtake each other: one with a lower version than what is known of the same sid is dropped
        (livekit-client ``Participant.updateInfo``), and one of a connection that joined before the one that is known.

        Returns:
            The changes, in the order in which they are to be told.
        """
        return [change for info in update for change in self._apply_one(info)]

    def clear(self) -> list[Change]:
        """Forget everyone else.

        Returns:
            Their leaving.
        """
        return [change for identity in list(self._remotes) for change in self._leave(identity, None)]

    def _apply_one(self, info: ParticipantInfo) -> Iterator[Change]:
        # Servers before 1.5.2 leave the identity out of updates.
        identity = info.identity or self.identity_of(info.sid) or ""
        if not identity:
            return
        if identity == self._local.identity:
            yield from self._apply_local(replace(info, identity=identity))
            return
        known = self._remotes.get(identity)
        if info.state == ParticipantState.DISCONNECTED:
            # A late goodbye of an earlier connection must not remove the one that replaced it.
            if known is not None and info.sid in ("", known.sid):
                yield from self._leave(identity, info)
            return
        if known is not None and known.sid != info.sid:
            if 0 < _joined(info) < _joined(known):
                return  # late news of an earlier connection, as above
            yield from self._leave(identity, None)
            known = None
        if known is None:
            yield from self._join(replace(info, identity=identity))
        elif info.version >= known.version:
            yield from self._change(known, replace(info, identity=identity))

    def _apply_local(self, info: ParticipantInfo) -> Iterator[Change]:
        old = self._local
        # Another connection with our identity is the server's business: it tells us to leave.
        if info.sid != old.sid or info.version < old.version:
            return
        self._local = info
        yield LocalChanged(old, info)

    def _join(self, info: ParticipantInfo) -> Iterator[Change]:
        self._remotes[info.identity] = info
        self._identities[info.sid] = info.identity
        yield Joined(info)
        for track in info.tracks:
            yield TrackAdded(info.identity, track)
        for data_track in info.data_tracks:
            yield DataTrackAdded(info.identity, data_track)

    def _leave(self, identity: str, last: ParticipantInfo | None) -> Iterator[Change]:
        known = self._remotes.pop(identity)
        self._identities.pop(known.sid, None)
        for track in known.tracks:
            yield TrackRemoved(identity, track)
        for data_track in known.data_tracks:
            yield DataTrackRemoved(identity, data_track)
        reason = last.disconnect_reason if last is not None else known.disconnect_reason
        yield Left(replace(known, state=ParticipantState.DISCONNECTED, disconnect_reason=reason))

    def _change(self, old: ParticipantInfo, new: ParticipantInfo) -> Iterator[Change]:
        self._remotes[new.identity] = new
        if _without_tracks(old) != _without_tracks(new):
            yield Changed(old, new)
        before = {track.sid: track for track in old.tracks}
        after = {track.sid: track for track in new.tracks}
        for sid, track in after.items():
            if sid not in before:
                yield TrackAdded(new.identity, track)
            elif before[sid] != track:
                yield TrackChanged(new.identity, before[sid], track)
        for sid, track in before.items():
            if sid not in after:
                yield TrackRemoved(new.identity, track)
        yield from self._change_data_tracks(old, new)

    @staticmethod
    def _change_data_tracks(old: ParticipantInfo, new: ParticipantInfo) -> Iterator[DataTrackChange]:
        before = {track.sid: track for track in old.data_tracks}
        after = {track.sid: track for track in new.data_tracks}
        gone = [track for sid, track in before.items() if sid not in after]
        for sid, track in after.items():
            if sid in before:
                continue
            same = next((old for old in gone if replace(old, sid=sid) == track), None)
            if same is None:
                yield DataTrackAdded(new.identity, track)
            else:
                gone.remove(same)
                yield DataTrackMoved(new.identity, same, track)
        for track in gone:
            yield DataTrackRemoved(new.identity, track)


def _without_tracks(info: ParticipantInfo) -> ParticipantInfo:
    return replace(info, tracks=(), data_tracks=(), version=0)
