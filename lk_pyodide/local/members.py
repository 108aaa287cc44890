"""Who is in a room of ours, and what each publishes and receives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lk_pyodide.core import messages as m
from lk_pyodide.local.claims import Claims
from lk_pyodide.local.effects import Tell
from lk_pyodide.types import ParticipantKind, ParticipantPermission, ParticipantState, TrackSource

_SOURCES = {
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREENSHARE,
    "screen_share_audio": TrackSource.SCREENSHARE_AUDIO,
}


@dataclass
class Wishes:
    """Which tracks somebody wants.

    Args:
        auto: all of which it does not say otherwise.
    """

    auto: bool
    _wanted: set[str] = field(default_factory=set)
    _unwanted: set[str] = field(default_factory=set)

    def ask(self, sid: str, *, wants: bool) -> None:
        """It says so of one track."""
        (self._wanted.add if wants else self._wanted.discard)(sid)
        (self._unwanted.discard if wants else self._unwanted.add)(sid)

    def include(self, sid: str) -> bool:
        """Whether it wants a track."""
        return sid in self._wanted or (self.auto and sid not in self._unwanted)


@dataclass
class Member:
    """One connection to the room, and its participant.

    Args:
        key: the connection.
        claims: what its token says, and what has been changed since.
        info: what the others are told.
        wishes: which tracks it wants.
        data_wishes: which data tracks it wants.
    """

    key: str
    claims: Claims
    info: m.ParticipantInfo
    wishes: Wishes
    data_wishes: Wishes
    pending: dict[str, m.TrackInfo] = field(default_factory=dict)
    """Announced tracks by their client's id, whose media is not here yet."""
    published: dict[str, m.TrackInfo] = field(default_factory=dict)
    """Tracks whose media is here, by what its description calls it."""
    data_tracks: dict[int, m.DataTrackInfo] = field(default_factory=dict)
    """Its data tracks, by its own handles of them."""
    admitted: Mapping[str, m.TrackPermission] | None = None
    """Who may have which of its tracks, by identity; None lets everybody have all."""

    @property
    def permission(self) -> ParticipantPermission:
        """What its token allows."""
        return self.info.permission or ParticipantPermission()

    @property
    def is_active(self) -> bool:
        """Whether its media connection is up."""
        return self.info.state == ParticipantState.ACTIVE

    def wants(self, sid: str) -> bool:
        """Whether it is to get a track of somebody else."""
        return self.permission.can_subscribe and self.wishes.include(sid)

    def wants_data(self, sid: str) -> bool:
        """Whether it is to get a data track of somebody else."""
        return self.permission.can_subscribe and self.data_wishes.include(sid)

    def admits(self, other: Member, sid: str) -> bool:
        """Whether it lets somebody else have a track of its own."""
        if self.admitted is None:
            return True
        rule = self.admitted.get(other.info.identity)
        return rule is not None and (rule.all_tracks or sid in rule.track_sids)

    def find(self, sid: str) -> str | None:
        """The client's id of a track that it has published or announced."""
        known = {**self.pending, **self.published}
        return next((cid for cid, track in known.items() if track.sid == sid), None)

    def change(self, **values: object) -> m.ParticipantInfo:
        """Change what the others are told; each change counts."""
        tracks, data_tracks = tuple(self.published.values()), tuple(self.data_tracks.values())
        published = {"tracks": tracks, "data_tracks": data_tracks, "is_publisher": bool(tracks or data_tracks)}
        self.info = replace(self.info, version=self.info.version + 1, **published, **values)  # type: ignore[arg-type]
        return self.info


class Members:
    """Everybody in a room, by connection."""

    def __init__(self) -> None:
        self._by_key: dict[str, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: str) -> Member | None:
        """Whose connection this is."""
        return self._by_key.get(key)

    def add(self, new: Member) -> None:
        """Somebody comes."""
        self._by_key[new.key] = new

    def pop(self, key: str) -> Member | None:
        """Somebody goes."""
        return self._by_key.pop(key, None)

    def others(self, than: Member) -> list[Member]:
        """Everybody else."""
        return [member for member in self if member is not than]

    def visible(self) -> list[Member]:
        """Those of whom the others know."""
        return [member for member in self if not member.permission.hidden]

    def tell_all(self, subject: Member) -> list[Tell]:
        """Tell everybody, and itself, what is new about somebody."""
        return [Tell(subject.key, m.ParticipantUpdate((subject.info,))), *self.tell_others(subject)]

    def tell_others(self, subject: Member) -> list[Tell]:
        """Tell everybody else what is new about somebody, unless nobody knows of it."""
        if subject.permission.hidden:
            return []
        return [Tell(other.key, m.ParticipantUpdate((subject.info,))) for other in self.others(subject)]


def member(key: str, sid: str, claims: Claims, request: m.JoinRequest, now: float) -> Member:
    """Make the member that a token and a join request describe."""
    client = request.client_info or m.ClientInfo()
    settings = request.connection_settings or m.ConnectionSettings()
    info = m.ParticipantInfo(
        sid=sid,
        identity=claims.identity,
        state=ParticipantState.JOINED,
        name=claims.name,
        metadata=claims.metadata,
        attributes=dict(claims.attributes),
        joined_at=int(now),
        joined_at_ms=int(now * 1000),
        permission=permission(claims),
        kind=ParticipantKind.AGENT if claims.agent else ParticipantKind.STANDARD,
        client_protocol=client.client_protocol,
        capabilities=client.capabilities,
    )
    wishes, data_wishes = Wishes(settings.auto_subscribe), Wishes(settings.auto_subscribe_data_track is True)
    return Member(key, claims, info, wishes, data_wishes)


def permission(claims: Claims) -> ParticipantPermission:
    """What a token's grants come to."""
    return ParticipantPermission(
        can_subscribe=claims.can_subscribe,
        can_publish=claims.can_publish,
        can_publish_data=claims.can_publish_data,
        can_publish_sources=tuple(_SOURCES.get(name, TrackSource.UNKNOWN) for name in claims.can_publish_sources),
        hidden=claims.hidden,
        can_update_metadata=claims.can_update_own_metadata,
        agent=claims.agent,
    )
