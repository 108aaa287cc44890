"""Publishing data tracks of our own, for :class:`LocalParticipant`."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lk_pyodide.core import messages as m
from lk_pyodide.data_track import DataTrackFrame, LocalDataTrack
from lk_pyodide.errors import (
    ConnectionLostError,
    PublishDataError,
    PublishDataTrackError,
    PushFrameError,
    RoomDisconnectedError,
    UsageError,
)
from lk_pyodide.logging import get_logger
from lk_pyodide.outgoing_streams import bytes_of
from lk_pyodide.ports import RoomPort
from lk_pyodide.types import PublishDataTrackErrorReason, PushFrameErrorReason

if TYPE_CHECKING:
    from lk_pyodide.core.data_track_frames import Packetizer

_log = get_logger("data-tracks")


class _State(Enum):
    PUBLISHED = "published"
    INTERRUPTED = "interrupted"
    """The connection broke, and with the next one it will be published again."""


@dataclass(slots=True)
class _Published:
    track: LocalDataTrack
    packetizer: Packetizer
    state: _State = _State.PUBLISHED


class LocalDataTracks:
    """Publishes our data tracks, and takes them back. Each has a handle, which stays as long as it is published.

    Args:
        room: our room.
    """

    def __init__(self, room: RoomPort) -> None:
        self._room = room
        self._published: dict[int, _Published] = {}
        self._asked_for: set[int] = set()
        self._last_handle = 0

    # -- publishing --

    async def publish(self, name: str) -> LocalDataTrack:
        """See :meth:`LocalParticipant.publish_data_track`."""
        from lk_pyodide.core.data_track_frames import Packetizer  # few pages publish data tracks
        from lk_pyodide.core.data_tracks import next_handle

        await self._connected()
        handle = next_handle(self._last_handle, self._published.keys() | self._asked_for)
        if handle is None:
            raise PublishDataTrackError("all handles are in use", PublishDataTrackErrorReason.LIMIT_REACHED)
        self._last_handle = handle
        self._asked_for.add(handle)
        try:
            while True:
                try:
                    info = await self._ask(m.PublishDataTrackRequest(handle, name))
                    break
                except ConnectionLostError:
                    await self._connected()
            if handle not in self._asked_for:
                raise PublishDataTrackError("the room was left", PublishDataTrackErrorReason.DISCONNECTED)
        finally:
            self._asked_for.discard(handle)
        track = LocalDataTrack(self, info)
        self._published[handle] = _Published(track, Packetizer(handle, random.getrandbits(32)))
        self._room.local_data_track_published(track)
        return track

    async def _connected(self) -> None:
        try:
            await self._room.wait_connected()
        except RoomDisconnectedError as error:
            raise PublishDataTrackError(str(error), PublishDataTrackErrorReason.DISCONNECTED) from error

    async def _ask(self, request: m.PublishDataTrackRequest) -> m.DataTrackInfo:
        try:
            return await self._room.session.publish_data_track(request)
        except RoomDisconnectedError as error:
            raise PublishDataTrackError(str(error), PublishDataTrackErrorReason.DISCONNECTED) from error

    # -- frames --

    def published(self) -> list[LocalDataTrack]:
        """What is, or will be again."""
        return [published.track for published in self._published.values()]

    def is_published(self, track: LocalDataTrack) -> bool:
        """Whether it is, or will be again."""
        return self._find(track) is not None

    def _find(self, track: LocalDataTrack) -> _Published | None:
        published = self._published.get(track._published_as.pub_handle)
        return published if published is not None and published.track is track else None

    def push(self, track: LocalDataTrack, frame: DataTrackFrame) -> None:
        """See :meth:`LocalDataTrack.try_push`."""
        payload, timestamp = bytes_of(frame.payload), frame.user_timestamp
        if timestamp is not None and not 0 <= timestamp < 2**64:
            raise UsageError(f"a user timestamp is a number of 64 bits, not {timestamp}")
        published = self._find(track)
        if published is None:
            raise PushFrameError("the data track is not published any more", PushFrameErrorReason.TRACK_UNPUBLISHED)
        if published.state is _State.INTERRUPTED or not self._room.is_connected:
            raise PushFrameError("the connection is being made anew", PushFrameErrorReason.DROPPED)
        packets = published.packetizer.packets(payload, asyncio.get_running_loop().time(), timestamp)
        if packets is None:
            raise UsageError(f"a frame of {len(payload)} bytes is larger than anybody would take")
        if not self._room.session.push(packets):
            raise PushFrameError("frames are pushed faster than they are sent", PushFrameErrorReason.DROPPED)

    async def flush(self, track: LocalDataTrack) -> None:
        """See :meth:`LocalDataTrack.flush`; all tracks share one channel."""
        if self._room.is_connected:
            with contextlib.suppress(ConnectionLostError, RoomDisconnectedError, PublishDataError):
                await self._room.session.tracks_drained()

    # -- once more, on another connection --

    def interrupted(self) -> None:
        """The connection is gone."""
        for published in self._published.values():
            published.state = _State.INTERRUPTED

    async def republish(self) -> None:
        """Publish everything again: the same tracks, with new sids. Of that nothing is told, as in livekit-client.

        What the server does not take any more is unpublished.

        Raises:
            ConnectionLostError: this connection is gone, too.
        """
        again = list(self._published.values())
        results = await asyncio.gather(*map(self._republish, again), return_exceptions=True)
        for published, result in zip(again, results, strict=True):
            if result is None:
                continue
            if not isinstance(result, Exception):
                raise result
            if not self._room.session.is_up:
                raise ConnectionLostError("the connection broke while data tracks were published again") from result
            _log.warning("a data track could not be published again: %s", result)
            self._drop(published.track)

    async def _republish(self, published: _Published) -> None:
        if self._find(published.track) is None:
            return
        old = published.track._published_as
        info = await self._ask(m.PublishDataTrackRequest(old.pub_handle, old.name, old.encryption))
        # If it was unpublished meanwhile, the server has been told so after it was asked.
        if self._find(published.track) is not None:
            published.track._published_as = info
            published.state = _State.PUBLISHED

    # -- and back --

    async def unpublish(self, track: LocalDataTrack) -> None:
        """See :meth:`LocalDataTrack.unpublish`."""
        if self._drop(track) and self._room.is_connected:
            with contextlib.suppress(ConnectionLostError, RoomDisconnectedError):
                await self._room.session.unpublish_data_track(track._published_as.pub_handle)

    def unpublished_by_server(self, handle: int) -> None:
        """The server takes a track no more."""
        published = self._published.get(handle)
        if published is not None:
            self._drop(published.track)

    def left(self) -> None:
        """The room is over: nothing stays published."""
        self._published.clear()
        self._asked_for.clear()

    def _drop(self, track: LocalDataTrack) -> bool:
        if self._find(track) is None:
            return False
        del self._published[track._published_as.pub_handle]
        self._room.local_data_track_unpublished(track.info.sid)
        return True
