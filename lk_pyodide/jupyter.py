"""Rooms and participants as the values of a notebook's cells: live pictures, with their sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lk_pyodide.emitter import EventSource
from lk_pyodide.events import (
    EventName,
    LocalTrackPublished,
    LocalTrackUnpublished,
    TrackSubscribed,
    TrackUnsubscribed,
)
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.places import mimebundle, new_place
from lk_pyodide.track import AttachedElement, RemoteTrack, Track
from lk_pyodide.types import TrackKind


class Gallery:
    """The pictures and the sound of participants, in one place of the page, as they come and go.

    It lives as long as the room that it listens to. However often it is displayed, the newest place shows it.

    Args:
        room: tells what happens.
        local: ourselves.
        remotes: the others, by identity.
        only: one of them; None shows all.
    """

    def __init__(
        self,
        room: EventSource[EventName],
        local: Participant,
        remotes: Mapping[str, RemoteParticipant],
        only: Participant | None = None,
    ) -> None:
        self._local = local
        self._remotes = remotes
        self._only = only
        self._place = new_place()
        self._shown: dict[Track, AttachedElement] = {}
        for kind in (TrackSubscribed, TrackUnsubscribed, LocalTrackPublished, LocalTrackUnpublished):
            room.on(kind, self._update)
        self._update()

    def mimebundle(self) -> dict[str, str]:
        """What a notebook displays."""
        return mimebundle(self._place, repr(self._only) if self._only is not None else "a room")

    def _update(self, _event: object = None) -> None:
        wanted = dict(self._wanted())
        for track in [track for track in self._shown if track not in wanted]:
            self._shown.pop(track).detach()
        for track, owner in wanted.items():
            if track not in self._shown:
                self._shown[track] = attached = track._attach()
                if track.kind == TrackKind.VIDEO:
                    attached._show(self._place, owner.name or owner.identity)

    def _wanted(self) -> Iterator[tuple[Track, Participant]]:
        """What is to be seen and heard; our own sound is not."""
        for owner in (self._local, *self._remotes.values()):
            if self._only is not None and owner.identity != self._only.identity:
                continue
            for publication in owner.track_publications.values():
                track = publication.track
                if track is not None and (track.kind == TrackKind.VIDEO or isinstance(track, RemoteTrack)):
                    yield track, owner
