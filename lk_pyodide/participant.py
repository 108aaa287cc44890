"""Participants: who is in the room. A participant is updated by the room, from the roster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from lk_pyodide.core.conversation import AGENT_STATE
from lk_pyodide.core.messages import ParticipantInfo
from lk_pyodide.data_track import DeferrableMap, RemoteDataTrack
from lk_pyodide.errors import UsageError
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import RemoteTrackPublication, TrackPublication
from lk_pyodide.track import RemoteAudioTrack, RemoteTrack
from lk_pyodide.types import (
    ConnectionQuality,
    DisconnectReason,
    ParticipantKind,
    ParticipantPermission,
    ParticipantState,
    TrackKind,
    TrackSource,
)

__all__ = ["Participant", "RemoteParticipant"]

P = TypeVar("P", bound=TrackPublication)


class Participant(ABC):
    """Someone in the room: the base of local and remote participants."""

    def __init__(self, room: RoomPort, info: ParticipantInfo) -> None:
        self._room = room
        self._info = info
        self._quality = ConnectionQuality.UNKNOWN
        self._audio_level = 0.0
        self._speaking = False
        self._last_spoke_at: datetime | None = None

    @property
    def sid(self) -> str:
        """The server's id of this connection; changes when the participant joins anew."""
        return self._info.sid

    @property
    def identity(self) -> str:
        """Who it is, as its token says; unique in the room."""
        return self._info.identity

    @property
    def name(self) -> str:
        """The name to show."""
        return self._info.name

    @property
    def metadata(self) -> str:
        """Whatever the application keeps there."""
        return self._info.metadata

    @property
    def attributes(self) -> Mapping[str, str]:
        """Key-value pairs of the application, as they are now."""
        return MappingProxyType(dict(self._info.attributes))

    @property
    def permissions(self) -> ParticipantPermission | None:
        """What it may do, where known."""
        return self._info.permission

    @property
    def kind(self) -> ParticipantKind | int:
        """What it is; an integer for a kind that this version does not know."""
        return self._info.kind

    @property
    def state(self) -> ParticipantState | int:
        """How far it has come."""
        return self._info.state

    @property
    def is_active(self) -> bool:
        """Whether its media is connected."""
        return self._info.state == ParticipantState.ACTIVE

    @property
    def is_agent(self) -> bool:
        """Whether it is a program that takes part."""
        permission = self._info.permission
        return self.kind == ParticipantKind.AGENT or (permission is not None and permission.agent)

    @property
    def agent_state(self) -> str:
        """What an agent is doing: ``initializing``, ``idle``, ``listening``, ``thinking`` or ``speaking``, as it says.

        Empty for who does not say, or is no agent. ``participant_attributes_changed`` tells that it is new.
        """
        return self._info.attributes.get(AGENT_STATE, "") if self.is_agent else ""

    @property
    def joined_at(self) -> datetime | None:
        """When it joined."""
        seconds = self._info.joined_at_ms / 1000 or float(self._info.joined_at)
        return datetime.fromtimestamp(seconds, UTC) if seconds else None

    @property
    def disconnect_reason(self) -> DisconnectReason | int:
        """Why it left, once it has."""
        return self._info.disconnect_reason

    @property
    def connection_quality(self) -> ConnectionQuality:
        """The server's estimate, every few seconds."""
        return self._quality

    @property
    def audio_level(self) -> float:
        """How loud it is, 0 to 1, a few times a second."""
        return self._audio_level

    @property
    def is_speaking(self) -> bool:
        """Whether the server hears it speak."""
        return self._speaking

    @property
    def last_spoke_at(self) -> datetime | None:
        """When it was last heard."""
        return self._last_spoke_at

    @property
    @abstractmethod
    def track_publications(self) -> Mapping[str, TrackPublication]:
        """What it publishes, by sid."""

    @abstractmethod
    def get_track_publication(self, source: TrackSource) -> TrackPublication | None:
        """What it publishes from a source, if anything."""

    @abstractmethod
    def get_track_publication_by_name(self, name: str) -> TrackPublication | None:
        """What it publishes under a name, if anything."""

    @property
    def is_camera_enabled(self) -> bool:
        """Whether its camera is published and not muted."""
        return self._unmuted(TrackSource.CAMERA)

    @property
    def is_microphone_enabled(self) -> bool:
        """Whether its microphone is published and not muted."""
        return self._unmuted(TrackSource.MICROPHONE)

    @property
    def is_screen_share_enabled(self) -> bool:
        """Whether it shares a screen."""
        return self.get_track_publication(TrackSource.SCREENSHARE) is not None

    def _unmuted(self, source: TrackSource) -> bool:
        publication = self.get_track_publication(source)
        return publication is not None and not publication.muted

    def _set_speaking(self, level: float, speaking: bool) -> None:
        self._audio_level = level
        self._speaking = speaking
        if speaking:
            self._last_spoke_at = datetime.now(UTC)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Show what the participant publishes, as it comes and goes, when this is the value of a notebook's cell."""
        return self._room.mimebundle(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.identity!r} {self.sid}>"


class Publishing(Participant, Generic[P]):
    """A participant with publications of one kind."""

    def __init__(self, room: RoomPort, info: ParticipantInfo) -> None:
        super().__init__(room, info)
        self._publications: dict[str, P] = {}

    @property
    def track_publications(self) -> Mapping[str, P]:
        """What it publishes, by sid."""
        return MappingProxyType(self._publications)

    @property
    def audio_track_publications(self) -> Mapping[str, P]:
        """The audio among what it publishes, by sid."""
        return self._of_kind(TrackKind.AUDIO)

    @property
    def video_track_publications(self) -> Mapping[str, P]:
        """The video among what it publishes, by sid."""
        return self._of_kind(TrackKind.VIDEO)

    def _of_kind(self, kind: TrackKind) -> Mapping[str, P]:
        return MappingProxyType({sid: p for sid, p in self._publications.items() if p.kind == kind})

    def get_track_publication(self, source: TrackSource) -> P | None:
        """What it publishes from a source, if anything."""
        return next((p for p in self._publications.values() if p.source == source), None)

    def get_track_publication_by_name(self, name: str) -> P | None:
        """What it publishes under a name, if anything."""
        return next((p for p in self._publications.values() if p.name == name), None)


class RemoteParticipant(Publishing[RemoteTrackPublication]):
    """Someone else in the room."""

    def __init__(self, room: RoomPort, info: ParticipantInfo) -> None:
        super().__init__(room, info)
        self._data_tracks: DeferrableMap[RemoteDataTrack] = DeferrableMap()
        self._volumes: dict[TrackSource, float] = {}

    @property
    def data_tracks(self) -> DeferrableMap[RemoteDataTrack]:
        """The data tracks that it publishes, by name; ``await data_tracks.get_deferred(name)`` waits for one."""
        return self._data_tracks

    def set_volume(self, volume: float, source: TrackSource = TrackSource.MICROPHONE) -> None:
        """Play it louder or softer, what it publishes later included; see :meth:`RemoteAudioTrack.set_volume`.

        Args:
            volume: 0 to 1, or more, as there.
            source: of what: its microphone, or the sound of its screen.

        Raises:
            UsageError: it is less, or more; or the source has no sound.
        """
        if source in (TrackSource.CAMERA, TrackSource.SCREENSHARE):
            raise UsageError(f"{source.name.lower()} has no sound")
        self._room.check_volume(volume)
        self._volumes[source] = volume
        for publication in self.track_publications.values():
            if publication.track is not None:
                self._set_up(publication.track)

    def get_volume(self, source: TrackSource = TrackSource.MICROPHONE) -> float:
        """How loud a source of its is played; 1 before anybody has said."""
        publication = self.get_track_publication(source)
        track = None if publication is None else publication.track
        return track.get_volume() if isinstance(track, RemoteAudioTrack) else self._volumes.get(source, 1.0)

    def _set_up(self, track: RemoteTrack) -> None:
        """Play a track as loud as it was said before the track came."""
        volume = self._volumes.get(track.source)
        if volume is not None and isinstance(track, RemoteAudioTrack):
            track.set_volume(volume)
