"""What the server wants of our videos: fewer layers, or a second codec. For :class:`LocalPublisher`.

What only publishing needs is imported when something is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lk_pyodide.core.messages import SubscribedQualityUpdate
from lk_pyodide.errors import BrowserError, ConnectionLostError, LiveKitError
from lk_pyodide.local_sending import Backup
from lk_pyodide.logging import get_logger
from lk_pyodide.participant import Publishing
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import TrackKind

_log = get_logger("participant")

SAY_AGAIN = 5.0
"""Seconds after a second codec began after which all layers are set once more: Chrome may have turned them on by then
(livekit-client ``refreshSubscribedCodecAfterNewCodec``)."""

LOOK_EVERY = 2.0
"""Seconds after which it is seen again whether the machine is fast enough (livekit-client ``monitorFrequency``)."""


class LocalLayers:
    """Sends what somebody watches, in codecs that they can decode.

    Args:
        room: our room.
        me: whose publications they are.
        is_publishing: whether a track is being published, of which the server may know more than we do.
        tasks: for what nobody waits for.
    """

    def __init__(
        self,
        room: RoomPort,
        me: Publishing[LocalTrackPublication],
        is_publishing: Callable[[], bool],
        tasks: TaskSet,
    ) -> None:
        self._room = room
        self._me = me
        self._is_publishing = is_publishing
        self._tasks = tasks
        self._early: dict[str, SubscribedQualityUpdate] = {}
        """What was said of tracks before we knew that we had published them."""
        self._looking: asyncio.Task[None] | None = None

    def limit(self, update: SubscribedQualityUpdate) -> None:
        """The server says which layers of a video somebody watches, in which codecs (dynacast)."""
        if not self._room.options.dynacast:
            return
        publication = self._me._publications.get(update.track_sid)
        if publication is not None:
            self._limit(publication, update)
        elif self._is_publishing():
            self._early[update.track_sid] = update

    def published(self, publication: LocalTrackPublication) -> None:
        """A track is published, or published again: what was said before holds for it."""
        sending = publication.track._sending
        sending.watched = None
        update = self._early.pop(publication.sid, None)
        if update is not None:
            self._limit(publication, update)
        self._tasks.spawn(self._guarded(publication, sending.catch_up))
        if publication.kind == TrackKind.VIDEO and (self._looking is None or self._looking.done()):
            self._looking = self._tasks.spawn(self._look_at_cpu())

    def _limit(self, publication: LocalTrackPublication, update: SubscribedQualityUpdate) -> None:
        sending = publication.track._sending
        sending.watched = update
        self._tasks.spawn(self._guarded(publication, sending.set_layers))
        if sending.plan is None or sending.plan.backup is None or sending.backup is not None:
            return
        from lk_pyodide.core.backup import wanted_backup

        codec = wanted_backup(sending.plan, update)
        if codec is not None:
            self._tasks.spawn(self._add_backup(publication, codec))

    async def _guarded(self, publication: LocalTrackPublication, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except BrowserError as error:
            _log.warning("the layers of %s could not be set: %s", publication.sid, error)

    # -- what the machine can do --

    async def _look_at_cpu(self) -> None:
        """Tell of each video for which the machine becomes too slow, as long as there are videos."""
        from lk_pyodide.core.dynacast import limited_by_cpu

        slow: set[LocalTrackPublication] = set()
        while videos := self._me.video_track_publications:
            await asyncio.sleep(LOOK_EVERY)
            for publication in list(videos.values()):
                try:
                    is_slow = limited_by_cpu(await publication.track._sending.get_stats())
                except BrowserError:
                    continue  # it is being unpublished, or will be on another connection
                if is_slow and publication not in slow:
                    self._room.local_track_cpu_constrained(publication)
                (slow.add if is_slow else slow.discard)(publication)

    # -- the second codec --

    async def _add_backup(self, publication: LocalTrackPublication, codec: str) -> None:
        """Send a second codec; when that fails it is tried again at the server's next word."""
        try:
            await self._publish_backup(publication, codec)
        except ConnectionLostError:
            _log.debug("the connection broke before %s was sent in %s", publication.sid, codec)
        except LiveKitError as error:
            _log.warning("%s cannot be sent in %s: %s", publication.sid, codec, error)
        else:
            await asyncio.sleep(SAY_AGAIN)
            await self._guarded(publication, publication.track._sending.set_layers)

    async def _publish_backup(self, publication: LocalTrackPublication, codec: str) -> None:
        from lk_pyodide.core.backup import backup_plan
        from lk_pyodide.core.codecs import codec_name

        track, sending = publication.track, publication.track._sending
        clone = await track._media.clone()
        if sending.plan is None or sending.backup is not None:  # unpublished, or somebody was quicker
            clone.stop()
            return
        announced = codec_name(sending.plan.backup.codec) if sending.plan.backup is not None else ""
        if codec != announced:
            _log.warning("the server wants %s as a second codec, not %s", codec, announced)
        clone.set_enabled(not track.muted)
        plan = backup_plan(sending.plan, codec, cid=clone.id, sid=publication.sid, muted=track._is_silent)
        backup = sending.backup = Backup(clone, plan)  # from here on it is muted and stopped with the track
        try:
            _, sender = await self._room.session.publish(clone, plan)
        except BaseException:
            backup.media.stop()
            if sending.backup is backup:
                sending.backup = None
            raise
        if sending.backup is not backup:  # unpublished meanwhile
            await self._room.session.unpublish([sender])
            return
        backup.sender = sender
        if sending.is_paused or backup.media is not clone:
            await sender.replace_track(None if sending.is_paused else backup.media)
        await sending.set_layers()
