"""The data tracks of others: who publishes which, and their frames to whoever reads them."""

from __future__ import annotations

from lk_pyodide.core import messages as m
from lk_pyodide.core.data_track_frames import MAX_PARTIAL_FRAMES
from lk_pyodide.core.data_tracks import Subscriptions
from lk_pyodide.data_track import DataTrackFrame, FrameBuffer, RemoteDataTrack
from lk_pyodide.errors import ProtocolError, SubscribeDataTrackError
from lk_pyodide.logging import get_logger
from lk_pyodide.ports import RoomPort
from lk_pyodide.types import SubscribeDataTrackErrorReason as Reason

_log = get_logger("data-tracks")

SUBSCRIBE_TIMEOUT = 10.0
"""Seconds that the server has to begin to send a track (livekit-client ``IncomingDataTrackManager.ts``)."""


class RemoteDataTracks:
    """Keeps the data tracks of others, and what we are subscribed to.

    Args:
        room: our room.
    """

    def __init__(self, room: RoomPort) -> None:
        self._room = room
        self._tracks: dict[str, RemoteDataTrack] = {}
        self._most_partial: dict[str, int] = {}
        self._subscriptions: Subscriptions[FrameBuffer] = Subscriptions()

    # -- who publishes what --

    def added(self, identity: str, info: m.DataTrackInfo) -> RemoteDataTrack:
        """Somebody publishes a track."""
        track = self._tracks[info.sid] = RemoteDataTrack(self, identity, info)
        return track

    def moved(self, old: m.DataTrackInfo, new: m.DataTrackInfo) -> None:
        """A track has another sid; with that the server has forgotten who wanted it."""
        track = self._tracks.pop(old.sid, None)
        if track is None:
            return
        self._tracks[new.sid] = track
        track._published_as = new
        if old.sid in self._most_partial:
            self._most_partial[new.sid] = self._most_partial.pop(old.sid)
        if self._subscriptions.move(old.sid, new.sid):
            self._ask(new.sid, wants=True)

    def removed(self, info: m.DataTrackInfo, why: Reason = Reason.UNPUBLISHED) -> RemoteDataTrack | None:
        """A track is not published any more."""
        for buffer in self._subscriptions.end(info.sid):
            gone = SubscribeDataTrackError(f"{info.name!r} is not there any more", why)
            buffer.end(gone if buffer.is_pending else None)
        self._most_partial.pop(info.sid, None)
        return self._tracks.pop(info.sid, None)

    def left(self) -> None:
        """We are not in the room any more."""
        for track in list(self._tracks.values()):
            self.removed(track._published_as, Reason.DISCONNECTED)

    # -- for the tracks --

    def is_published(self, track: RemoteDataTrack) -> bool:
        """Whether it still is."""
        return self._tracks.get(track._published_as.sid) is track

    def subscribe(self, track: RemoteDataTrack, buffer: FrameBuffer) -> None:
        """Give the frames of a track to somebody."""
        info = track.info
        if not self.is_published(track):
            buffer.end(SubscribeDataTrackError(f"{info.name!r} is not published any more", Reason.UNPUBLISHED))
            return
        if info.uses_e2ee:
            buffer.end(SubscribeDataTrackError(f"{info.name!r} is end-to-end encrypted, we are not", Reason.INTERNAL))
            return
        if not self._room.is_connected:
            buffer.end(SubscribeDataTrackError("the room is about to be disconnected", Reason.DISCONNECTED))
            return
        buffer.on_close = lambda: self._unsubscribe(track, buffer)
        most_partial = self._most_partial.get(info.sid, MAX_PARTIAL_FRAMES)
        is_first = self._subscriptions.add(info.sid, buffer, most_partial)
        if not self._subscriptions.is_sent(info.sid):
            buffer.expect(SUBSCRIBE_TIMEOUT, lambda: self._time_is_up(track, buffer))
        if is_first:
            self._ask(info.sid, wants=True)

    def _unsubscribe(self, track: RemoteDataTrack, buffer: FrameBuffer) -> None:
        sid = track._published_as.sid
        if self._subscriptions.remove(sid, buffer) and self._room.is_connected:
            self._ask(sid, wants=False)

    def _time_is_up(self, track: RemoteDataTrack, buffer: FrameBuffer) -> None:
        self._unsubscribe(track, buffer)
        text = f"the server did not give us {track.info.name!r} within {SUBSCRIBE_TIMEOUT:g} s"
        buffer.end(SubscribeDataTrackError(text, Reason.TIMEOUT))

    def _ask(self, sid: str, *, wants: bool) -> None:
        self._room.session.send_request(m.UpdateDataSubscription((m.UpdateDataSubscription.Update(sid, wants),)))

    def configure(self, track: RemoteDataTrack, max_partial_frames: int) -> None:
        """See :meth:`RemoteDataTrack.set_pipeline_options`."""
        if self.is_published(track):
            self._most_partial[track._published_as.sid] = max_partial_frames
            self._subscriptions.configure(track._published_as.sid, max_partial_frames)

    # -- from the server --

    def on_handles(self, message: m.DataTrackSubscriberHandles) -> None:
        """The server says what the handles of packets mean."""
        for buffer in self._subscriptions.assign({h: track.track_sid for h, track in message.sub_handles.items()}):
            buffer.granted()

    def on_packet(self, data: bytes) -> None:
        """A packet came; it may be anything, and as many of them as somebody likes to send."""
        try:
            received = self._subscriptions.receive(data)
        except ProtocolError as error:
            _log.debug("ignored: %s", error)
            return
        if received is None:
            return
        buffers, frame = received
        if frame.e2ee is not None:
            _log.debug("ignored an encrypted frame")
            return
        for buffer in buffers:
            buffer.put(DataTrackFrame(frame.payload, frame.user_timestamp))
