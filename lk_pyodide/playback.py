"""Whether what we get may be heard and seen, and on which speaker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from weakref import WeakSet

from lk_pyodide import events as ev
from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.guard import Unheard
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError, MediaDeviceError
from lk_pyodide.logging import get_logger
from lk_pyodide.room_context import RoomContext
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import TrackKind

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
        self._speaker = ""
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

        async def settled() -> None:
            results = await asyncio.gather(*started, return_exceptions=True)
            errors = [result for result in results if isinstance(result, BrowserError) and not _is_over(result)]
            if errors:
                raise errors[0]
            self._silent[kind].clear()
            self._tell(kind, True)

        return self._tasks.spawn(settled())

    def playback_changed(self, kind: str, allowed: bool, who: object) -> None:
        """An element plays, or was not allowed to: one that plays does not speak for one that had to stop."""
        silent = self._silent[kind]
        (silent.discard if allowed else silent.add)(who)
        self._tell(kind, not silent)

    def _tell(self, kind: str, allowed: bool) -> None:
        if allowed == self.allows(kind):
            return
        (self._blocked.discard if allowed else self._blocked.add)(kind)
        self._room.emit(ev.AudioPlaybackChanged(allowed) if kind == "audio" else ev.VideoPlaybackChanged(allowed))

    async def switch_speaker(self, device_id: str) -> None:
        """See :meth:`Room.switch_active_device`, for ``audiooutput``."""
        async with self._switching:
            await self._try(device_id)
            former, self._speaker = self._speaker, device_id
            try:
                await self._move()
            except BaseException:
                self._speaker = former
                with contextlib.suppress(BrowserError):
                    await self._move()
                raise
            self._room.device_changed("audiooutput", device_id)

    async def _try(self, device_id: str) -> None:
        """Let an element that is not heard tell whether it can be done: there may be no other."""
        await self._room.browser.ready()
        element = self._room.browser.new_element("audio", None, Unheard())
        try:
            await element.set_sink_id(device_id)
        finally:
            element.close()

    async def _move(self) -> None:
        await asyncio.gather(*(_play_at(element, self._speaker) for element in self._elements("audio")))

    def attached(self, element: MediaElement) -> None:
        """Sound has a new element."""
        if self._speaker:
            self._tasks.spawn(_play_at(element, self._speaker))

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
