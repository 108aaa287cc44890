"""Devices come and go, and the system prefers another one, while a room goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lk_pyodide import events as ev
from lk_pyodide.core import devices
from lk_pyodide.core.capture import DEFAULT
from lk_pyodide.errors import BrowserError
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.logging import get_logger
from lk_pyodide.playback import Playback
from lk_pyodide.room_context import RoomContext
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import DeviceInfo

_log = get_logger("room")


class DeviceWatch:
    """Moves microphone and speaker of a room to what the system prefers, where nobody chose another.

    Args:
        room: our room.
        playback: plays the sound of others.
        local: publishes ours.
    """

    def __init__(self, room: RoomContext, playback: Playback, local: LocalParticipant) -> None:
        self._room = room
        self._playback = playback
        self._local = local
        self._known: Sequence[DeviceInfo] = ()
        self._one_by_one = asyncio.Lock()
        self._tasks = TaskSet()

    def look(self) -> None:
        """Note what there is, for comparison: a device has been opened, and now the browser tells their names."""
        self._tasks.spawn(self._look())

    def changed(self) -> None:
        """A device came or went."""
        self._tasks.spawn(self._change())

    async def _look(self) -> None:
        async with self._one_by_one:
            self._known = await self._room.browser.media_devices.enumerate_devices()

    async def _change(self) -> None:
        async with self._one_by_one:
            before = self._known
            self._known = await self._room.browser.media_devices.enumerate_devices()
            info = self._room.browser.info
            moves = devices.moves(before, self._known, self._uses(), browser=info.name, os=info.os)
            for kind, device_id in moves.items():
                try:
                    await self._move(kind, device_id)
                except BrowserError as error:
                    _log.warning("the %s could not be changed: %s", kind, error)

    def _uses(self) -> dict[str, devices.Use]:
        speaker = self._room.active_devices["audiooutput"]
        uses = {"audiooutput": devices.Use(speaker, chosen=speaker != DEFAULT)}
        microphone = self._local._devices.microphone
        return uses if microphone is None else {**uses, "audioinput": microphone}

    async def _move(self, kind: str, device_id: str) -> None:
        if kind == "audioinput":
            await self._local._devices.follow_default()
        elif device_id != DEFAULT:
            await self._playback.switch_speaker(device_id)
        if self._room.active_devices[kind] == DEFAULT:  # the same word, for another device
            self._room.emit(ev.ActiveDeviceChanged(kind, DEFAULT))

    async def close(self) -> None:
        """We left."""
        self._known = ()
        await self._tasks.close()
