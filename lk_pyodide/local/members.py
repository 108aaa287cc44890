"""Who is in a room of ours, and what each publishes and receives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lk_pyodide.core import messages as m
from lk_pyodide.local.claims import Claims
from lk_pyodide.types import ParticipantKind, ParticipantPermission, ParticipantState, TrackKind, TrackSource

_SOURCES = {
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREENSHARE,
    "screen_share_audio": TrackSource.SCREENSHARE_AUDIO,
}
_LETTERS = {
    TrackSource.CAMERA: "C",
    TrackSource.MICROPHONE: "M",
    TrackSource.SCREENSHARE: "S",
    TrackSource.SCREENSHARE_AUDIO: "s",
}


@dataclass
class Member:
    """One connection to the room, and its participant.

    Args:
        key: the connection.
        info: what the others are told.
        auto_subscribe: whether it gets every track unasked.
        hidden: whether the others are told of it at all.
    """

    key: str
    info: m.ParticipantInfo
    auto_subscribe: bool
    hidden: bool = False
    pending: dict[str, m.TrackInfo] = field(default_factory=dict)
    """Announced tracks by their client's id, whose media is not here yet."""
    published: dict[str, m.TrackInfo] = field(default_factory=dict)
    """Tracks whose media is here, by what its description calls it."""
    unwanted: set[str] = field(default_factory=set)
    """Tracks that it asked not to get, though it gets all others."""
    wanted: set[str] = field(default_factory=set)
    """Tracks that it asked for."""

    @property
    def permission(self) -> ParticipantPermission:
        """What its token allows."""
        return self.info.permission or ParticipantPermission()

    def wants(self, sid: str) -> bool:
        """Whether it is to get a track of somebody else."""
        if not self.permission.can_subscribe:
            return False
        return sid in self.wanted or (self.auto_subscribe and sid not in self.unwanted)

    def find(self, sid: str) -> str | None:
        """The client's id of a track that it has published or announced."""
        known = {**self.pending, **self.published}
        return next((cid for cid, track in known.items() if track.sid == sid), None)

    def change(self, **values: object) -> m.ParticipantInfo:
        """Change what the others are told; each change counts."""
        tracks = tuple(self.published.values())
        changed = {"tracks": tracks, "is_publisher": bool(tracks), "version": self.info.version + 1, **values}
        self.info = replace(self.info, **changed)  # type: ignore[arg-type]
        return self.info


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
    return Member(key, info, settings.auto_subscribe, claims.hidden)


def permission(claims: Claims) -> ParticipantPermission:
    """What a token's grants come to."""
    return ParticipantPermission(
        can_subscribe=claims.can_subscribe,
        can_publish=claims.can_publish,
        can_publish_data=claims.can_publish_data,
        can_publish_sources=tuple(_SOURCES[name] for name in claims.can_publish_sources if name in _SOURCES),
        hidden=claims.hidden,
        can_update_metadata=claims.can_update_own_metadata,
        agent=claims.agent,
    )


def track_info(request: m.AddTrackRequest, unique: str) -> m.TrackInfo:
    """The track that a client announces; its id tells kind and source, as livekit-server's do."""
    kind = "A" if request.type == TrackKind.AUDIO else "V"
    source = request.source if isinstance(request.source, TrackSource) else TrackSource.UNKNOWN
    return m.TrackInfo(
        sid=f"TR_{kind}{_LETTERS.get(source, '_')}{unique}",
        type=request.type,
        name=request.name,
        muted=request.muted,
        width=request.width,
        height=request.height,
        source=request.source,
        layers=request.layers,
        mime_type=_mime_type(request),
        stereo=request.stereo,
        disable_red=request.disable_red,
        encryption=request.encryption,
        stream=request.stream,
        audio_features=request.audio_features,
    )


def _mime_type(request: m.AddTrackRequest) -> str:
    if request.type == TrackKind.AUDIO:
        return "audio/opus"
    codec = next((codec.codec for codec in request.simulcast_codecs if codec.codec), "vp8")
    return f"video/{codec}"
