"""Whether what we get may be heard and seen, and on which speaker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakSet

from lk_pyodide import events as ev
from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.guard import Unheard
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError, MediaDeviceError
from lk_pyodide.logging import get_logger
from lk_pyodide.room_context import RoomContext
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.track import RemoteAudioTrack
from lk_pyodide.types import TrackKind

if TYPE_CHECKING:
    from lk_pyodide.mix import Mix

_log = get_logger("room")


class Playback:
    """Whether the browser lets the elements of remote tracks play, and where: their ``PlaybackPort``.

    Args:
        room: whose tracks.
    """

    def __init__(self, room: RoomContext) -> None:
        self._room = room
        self._blocked: set[str] = set()
        self._silent: dict[str, WeakSet[object]] = {"audio": WeakSet(), "video": WeakSet()}
        self._speaker = room.options.audio_output or ""
        self._switching = asyncio.Lock()
        self._tasks = TaskSet()

    def allows(self, kind: str) -> bool:
        """Whether ``audio`` or ``video`` may play, as far as is known."""
        return kind not in self._blocked

    def start(self, kind: str) -> Awaitable[None]:
        """Play every element of a kind, at the call.

        Raises:
            PlaybackError: the browser still refuses.
        """
        started = [element.play() for element in self._elements(kind)]
        if kind == "audio" and self._mix is not None:
            started.append(self._mix.resume())

        async def settled() -> None:
            results = await asyncio.gather(*started, return_exceptions=True)
            errors = [result for result in results if isinstance(result, BrowserError) and not _is_over(result)]
            if errors:
                raise errors[0]
            self._silent[kind].clear()
            self._told(kind, True)

        return self._tasks.spawn(settled())

    def playback_changed(self, kind: str, allowed: bool, who: object) -> None:
        """An element plays, or was not allowed to: one that plays does not speak for one that had to stop."""
        if kind == "audio" and self._mix is not None:
            return  # of a mix they are silent, which is always allowed
        silent = self._silent[kind]
        (silent.discard if allowed else silent.add)(who)
        self._told(kind, not silent)

    def _told(self, kind: str, allowed: bool) -> None:
        if allowed == self.allows(kind):
            return
        (self._blocked.discard if allowed else self._blocked.add)(kind)
        self._room.emit(ev.AudioPlaybackChanged(allowed) if kind == "audio" else ev.VideoPlaybackChanged(allowed))

    async def switch_speaker(self, device_id: str) -> None:
        """See :meth:`Room.switch_active_device`, for ``audiooutput``."""
        async with self._switching:
            tracks = self._tracks()
            former, sinks = self._speaker, [track._sink_id for track in tracks]

            def choose(speaker: str, own: Sequence[str]) -> None:
                self._speaker = speaker
                for track, sink_id in zip(tracks, own, strict=True):
                    track._sink_id = sink_id

            await self._try(device_id)
            choose(device_id, [""] * len(tracks))
            await self._move(tracks, lambda: choose(former, sinks))
            self._room.device_changed("audiooutput", device_id)

    async def switch_sink(self, track: RemoteAudioTrack, device_id: str) -> None:
        """See :meth:`RemoteAudioTrack.set_sink_id`."""
        if self._mix is not None:
            raise DeviceUnsupportedError("a mix has one speaker: see room.switch_active_device()", "NotSupportedError")
        async with self._switching:
            await self._try(device_id or self._speaker)
            former, track._sink_id = track._sink_id, device_id

            def undo() -> None:
                track._sink_id = former

            await self._move([track], undo)

    async def _try(self, device_id: str) -> None:
        """Let an element that is not heard tell whether it can be done: there may be no other."""
        await self._room.browser.ready()
        if self._mix is not None:
            await self._mix.switch_speaker(device_id)
            return
        element = self._room.browser.new_element("audio", None, Unheard())
        try:
            await element.set_sink_id(device_id)
        finally:
            element.close()

    async def _move(self, tracks: Sequence[RemoteAudioTrack], undo: Callable[[], None]) -> None:
        """Play tracks where they belong now; when that fails, once more where they belong after ``undo``."""
        try:
            await self._place(tracks)
        except BaseException:
            undo()
            with contextlib.suppress(BrowserError):
                await self._place(tracks)
            raise

    async def _place(self, tracks: Sequence[RemoteAudioTrack]) -> None:
        if self._mix is not None:  # it has its one speaker already
            return
        places = [(each._element, track._sink_id or self._speaker) for track in tracks for each in track._elements]
        await asyncio.gather(*(_play_at(element, speaker) for element, speaker in places))

    def attached(self, track: RemoteAudioTrack, element: MediaElement) -> None:
        """Sound has a new element."""
        if self._mix is not None:
            self._mix.attached(track, element)
            return
        if track._volume is not None:
            element.set_volume(track._volume)
        speaker = track._sink_id or self._speaker
        if speaker:
            self._tasks.spawn(_play_at(element, speaker))

    def detached(self, track: RemoteAudioTrack) -> None:
        """No element plays it any more."""
        if self._mix is not None:
            self._mix.detached(track)

    def set_volume(self, track: RemoteAudioTrack, volume: float) -> None:
        """Play it louder or softer."""
        self._room.check_volume(volume)
        if self._mix is not None:
            self._mix.set_volume(track, volume)
            return
        for attached in track._elements:
            attached._element.set_volume(volume)

    @cached_property
    def _mix(self) -> Mix | None:
        if not self._room.options.web_audio_mix:
            return None
        from lk_pyodide.mix import Mix  # most do without

        return Mix(self._room.browser, lambda running: self._told("audio", running), self._speaker)

    def _tracks(self) -> list[RemoteAudioTrack]:
        return [
            publication.track
            for participant in self._room.remotes.values()
            for publication in participant.track_publications.values()
            if isinstance(publication.track, RemoteAudioTrack)
        ]

    def _elements(self, kind: str) -> list[MediaElement]:
        return [
            attached._element
            for participant in self._room.remotes.values()
            for publication in participant.track_publications.values()
            if publication.track is not None and publication.kind == TrackKind[kind.upper()]
            for attached in publication.track._elements
        ]

    def ended(self) -> None:
        """We left: the next room's elements will tell anew."""
        self._blocked.clear()
        for silent in self._silent.values():
            silent.clear()


def _is_over(error: BrowserError) -> bool:
    """Whether the element was closed meanwhile."""
    return error.name == "AbortError"


async def _play_at(element: MediaElement, speaker: str) -> None:
    try:
        await element.set_sink_id(speaker)
    except (MediaDeviceError, DeviceUnsupportedError):
        raise
    except BrowserError:
        _log.debug("an element was closed before it was told its speaker")
