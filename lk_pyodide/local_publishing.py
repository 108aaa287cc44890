"""Publishing tracks of our own, for :class:`LocalParticipant`.

What only publishing needs is imported when something is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lk_pyodide.browser.api import Sender
from lk_pyodide.core.messages import MuteTrackRequest, SubscribedQualityUpdate, TrackInfo
from lk_pyodide.errors import (
    ConnectionLostError,
    PublishTrackError,
    TrackInvalidError,
    UnpublishTrackError,
)
from lk_pyodide.local_layers import LocalLayers
from lk_pyodide.local_track import LocalTrack, wrap
from lk_pyodide.logging import get_logger
from lk_pyodide.options import PUBLISH_DEFAULTS, TrackPublishOptions, VideoPresets, merged
from lk_pyodide.outgoing_streams import OutgoingStreams
from lk_pyodide.participant import Publishing
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import TrackKind, TrackSource

if TYPE_CHECKING:
    from lk_pyodide.core.publishing import PublishPlan, TrackFacts
    from lk_pyodide.microphone import Microphone

_log = get_logger("participant")


class LocalPublisher:
    """Publishes our tracks, and takes them back.

    Args:
        room: our room.
        me: whose publications they are.
        on_ended: hears that the device of a published track went away, or that the user stopped sharing.
        tasks: for what nobody waits for.
        streams: sends what was said before.
    """

    def __init__(
        self,
        room: RoomPort,
        me: Publishing[LocalTrackPublication],
        on_ended: Callable[[LocalTrackPublication], None],
        tasks: TaskSet,
        streams: OutgoingStreams,
    ) -> None:
        self._room = room
        self._me = me
        self._on_ended = on_ended
        self._tasks = tasks
        self._streams = streams
        self._layers = LocalLayers(room, me, lambda: bool(self._under_way), tasks)
        self._republishing = asyncio.Lock()
        self._interrupted: dict[LocalTrackPublication, str] = {}
        """What was published on a connection that broke, with the sids that it had."""
        self._subscribed_early: set[str] = set()
        """Sids of tracks that somebody got before we knew that we had published them."""
        self._under_way: dict[LocalTrack, asyncio.Task[LocalTrackPublication]] = {}
        self._microphones: dict[LocalTrack, Microphone] = {}

    # -- publishing --

    async def publish(self, track: Any, options: TrackPublishOptions | None) -> LocalTrackPublication:
        """See :meth:`LocalParticipant.publish_track`."""
        local = (
            track if isinstance(track, LocalTrack) else wrap(self._room.browser, self._room.browser.adopt_track(track))
        )
        for publication in self._me._publications.values():
            if publication.track is local:
                return publication
        task = self._under_way.get(local)
        if task is not None:
            return await asyncio.shield(task)
        await self._room.wait_connected()
        task = asyncio.get_running_loop().create_task(self._publish(local, options))
        self._under_way[local] = task
        try:
            return await task
        finally:
            self._under_way.pop(local, None)

    async def publish_all(self, tracks: Sequence[LocalTrack], options: TrackPublishOptions | None) -> None:
        """Publish tracks that were opened here, all at once; those that could not be published are ended."""
        try:
            async with asyncio.TaskGroup() as group:
                for track in tracks:
                    group.create_task(self.publish(track, options))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            published = self._published_tracks()
            for track in tracks:
                if track not in published:
                    track.stop()

    def _published_tracks(self) -> list[LocalTrack]:
        return [publication.track for publication in self._me._publications.values()]

    async def _publish(self, track: LocalTrack, given: TrackPublishOptions | None) -> LocalTrackPublication:
        options = merged(given, self._room.options.publish_defaults, PUBLISH_DEFAULTS)
        self._prepare(track, options)
        while True:
            was_muted = track.muted
            try:
                info, sender, plan = await self._send(track, options)
                break
            except ConnectionLostError:
                await self._room.wait_connected()
        track._sending.start(sender, plan)
        track._sid, track._name = info.sid, info.name
        publication = LocalTrackPublication(info, track, options)
        self._me._publications[info.sid] = publication
        track._meter = self._room
        track._on_mute_changed = lambda: self._mute_changed(publication)
        track._on_pause_changed = lambda: self._tell_silence(publication)
        track._on_ended = lambda: self._on_ended(publication)
        track._on_reopened = lambda: self._room.local_track_reopened(track)
        if track.muted != was_muted:
            self._mute_changed(publication)
        elif track._is_silent != plan.request.muted:
            self._tell_silence(publication)
        self._room.local_track_published(publication, track)
        if track._preconnect is not None:
            self._tasks.spawn(track._preconnect.deliver(self._room, self._streams, info.sid))
        self._tell_subscribed(publication)
        self._layers.published(publication)
        self._listen(publication)
        if track._media.ready_state == "ended":  # before anybody listened
            self._on_ended(publication)
        return publication

    def _listen(self, publication: LocalTrackPublication) -> None:
        """Hear whether a microphone works, and whether somebody speaks into it while it is muted."""
        if publication.source == TrackSource.MICROPHONE and publication.track in self._published_tracks():
            from lk_pyodide.microphone import Microphone

            self._microphones[publication.track] = Microphone(self._room, publication)

    def subscribed(self, sid: str) -> None:
        """Somebody gets a track of ours."""
        self._subscribed_early.add(sid)
        publication = self._me._publications.get(sid)
        if publication is not None:
            self._tell_subscribed(publication)
        elif not self._under_way:
            self._subscribed_early.discard(sid)  # it has been unpublished

    def _tell_subscribed(self, publication: LocalTrackPublication) -> None:
        if publication.sid in self._subscribed_early:
            self._subscribed_early.discard(publication.sid)
            if publication.track._preconnect is not None:
                publication.track._preconnect.heard()
            self._room.local_track_subscribed(publication.track)

    # -- what nobody watches is not sent --

    def limit(self, update: SubscribedQualityUpdate) -> None:
        """See :meth:`LocalLayers.limit`."""
        self._layers.limit(update)

    # -- for both --

    async def _send(self, track: LocalTrack, options: TrackPublishOptions) -> tuple[TrackInfo, Sender, PublishPlan]:
        """Have the server take a track, and the browser send it."""
        from lk_pyodide.core import publishing
        from lk_pyodide.core.codecs import Encoders, codec_name

        session, browser = self._room.session, self._room.browser.info
        plan = publishing.plan(
            _facts(track),
            replace(options, degradation_preference=track._sending.preference or options.degradation_preference),
            encoders=Encoders(browser.name, browser.version, browser.os, browser.os_version, browser.video_codecs),
            enabled_codecs=[codec.mime for codec in session.join.enabled_publish_codecs],
        )
        if plan.codec and plan.codec != codec_name(options.video_codec):
            _log.warning("%s cannot be sent here; it is %s instead", codec_name(options.video_codec), plan.codec)
        if plan.content_hint:
            track._media.set_content_hint(plan.content_hint)
        if plan.backup is not None:
            self._room.options.dynacast = True  # or nobody would say that it is needed
        info, sender = await session.publish(track._media, plan)
        plan = publishing.adopted(plan, info)
        if plan.codec and not info.mime_type:  # what the server says at first may lack it
            info = replace(info, mime_type=f"video/{plan.codec.upper()}")
        return info, sender, plan

    def _prepare(self, track: LocalTrack, options: TrackPublishOptions) -> None:
        from lk_pyodide.core.publishing import may_publish

        if track._stopped:
            raise TrackInvalidError("the track has been stopped")
        if options.source is not None:
            track._source = options.source
        if track.source == TrackSource.UNKNOWN and not track.is_user_provided:
            track._source = TrackSource.MICROPHONE if track.kind == TrackKind.AUDIO else TrackSource.CAMERA
        if not may_publish(self._me.permissions, track.source):
            raise PublishTrackError(f"the token does not let us publish {track.source.name.lower()}", 403)
        if options.stop_mic_track_on_mute and track.source == TrackSource.MICROPHONE and track._is_device:
            track._stop_on_mute = True

    def _mute_changed(self, publication: LocalTrackPublication) -> None:
        publication._update(replace(publication.track_info, muted=publication.track.muted))
        self._tell_silence(publication)
        microphone = self._microphones.get(publication.track)
        if microphone is not None:
            microphone.mute_changed()
        self._room.track_mute_changed(self._me, publication)

    def reconcile(self, tracks: Sequence[TrackInfo]) -> None:
        """The server says what it knows of our tracks: whether they are muted is for us to say."""
        for info in tracks:
            publication = self._me._publications.get(info.sid)
            if publication is not None and info.muted != publication.track._is_silent:
                self._tell_silence(publication)

    def _tell_silence(self, publication: LocalTrackPublication) -> None:
        if self._room.is_connected:
            self._room.session.send_request(MuteTrackRequest(publication.sid, publication.track._is_silent))

    # -- once more, on another connection --

    def interrupted(self) -> None:
        """The connection is gone, and what was sent on it."""
        self._interrupted = {publication: sid for sid, publication in self._me._publications.items()}
        for publication in self._interrupted:
            publication.track._sending.end()
            self._room.local_track_unpublished(publication)

    async def republish(self) -> None:
        """Publish everything again: the same publications, with new sids. It is told by :meth:`tell_republished`.

        What the server does not take any more is ended.

        Raises:
            ConnectionLostError: this connection is gone, too.
        """
        publications = list(self._me._publications.values())
        results = await asyncio.gather(*map(self._republish, publications), return_exceptions=True)
        for publication, result in zip(publications, results, strict=True):
            if result is None:
                continue
            if not isinstance(result, Exception):
                raise result
            if not self._room.session.is_up:
                raise ConnectionLostError("the connection broke while tracks were published again") from result
            _log.warning("a track could not be published again: %s", result)
            self._drop(publication)

    async def _republish(self, publication: LocalTrackPublication) -> None:
        track, previous = publication.track, publication.sid
        track._sending.end()  # the sender of an earlier attempt went with its connection
        media = track._media
        info, sender, plan = await self._send(track, publication.options)
        if self._me._publications.get(previous) is not publication:  # unpublished meanwhile
            await self._room.session.unpublish([sender])
            return
        track._sending.start(sender, plan)
        track._sid = info.sid
        publication._update(info)
        self._me._publications = {p.sid: p for p in self._me._publications.values()}
        if track._media is not media:  # opened anew meanwhile
            await sender.replace_track(track._media)
        if track._is_silent != plan.request.muted:
            self._tell_silence(publication)
        self._layers.published(publication)

    def _drop(self, publication: LocalTrackPublication) -> None:
        if self._me._publications.pop(publication.sid, None) is not None:
            self._let_go(publication.track, None)

    def tell_republished(self) -> None:
        """Tell what is published again."""
        told, self._interrupted = self._interrupted, {}
        for publication, previous in told.items():
            if self._me._publications.get(publication.sid) is publication:
                self._room.local_track_republished(publication, publication.track, previous)

    # -- once more, on the same connection --

    async def republish_all(self, options: TrackPublishOptions | None, *, restart: bool) -> None:
        """See :meth:`LocalParticipant.republish_all_tracks`."""
        await self._room.wait_connected()
        async with self._republishing:
            again = [self._publish_again(each, options, restart) for each in self._me._publications.values()]
            results = await asyncio.gather(*again, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _publish_again(
        self, publication: LocalTrackPublication, options: TrackPublishOptions | None, restart: bool
    ) -> None:
        track, previous = publication.track, publication.sid
        publication.options = merged(options, publication.options)
        try:
            senders = track._sending.end()
            self._room.local_track_unpublished(publication)
            await self._room.session.unpublish(senders)
            if restart and not track.muted and track._is_device:
                await track.restart_track()
            if publication in self._interrupted or self._me._publications.get(previous) is not publication:
                return  # it is published again on another connection, or unpublished
            await self._republish(publication)
        except ConnectionLostError:
            await self._room.wait_connected()  # where everything is published again
        except BaseException:
            self._drop(publication)
            raise
        else:
            self._room.local_track_republished(publication, track, previous)

    # -- and back --

    async def unpublish_tracks(self, tracks: Sequence[str | LocalTrack]) -> list[LocalTrackPublication]:
        """See :meth:`LocalParticipant.unpublish_tracks`."""
        known = [p for p in self._me._publications.values() if p.sid in tracks or p.track in tracks]
        async with asyncio.TaskGroup() as group:
            for publication in known:
                group.create_task(self.unpublish(publication))
        return known

    async def unpublish_track(self, track: str | LocalTrack, stop: bool | None) -> None:
        """See :meth:`LocalParticipant.unpublish_track`."""
        publication = next((p for p in self._me._publications.values() if track in (p.sid, p.track)), None)
        if publication is None:
            raise UnpublishTrackError(f"not published: {track!r}")
        await self.unpublish(publication, stop)

    async def unpublish(self, publication: LocalTrackPublication, stop: bool | None = None) -> None:
        """Stop publishing; twice is once. ``stop`` as ``stop_on_unpublish`` of a participant."""
        track = publication.track
        if self._me._publications.pop(publication.sid, None) is None:
            return
        senders = track._sending.end()
        self._let_go(track, stop)
        self._room.local_track_unpublished(publication)
        if senders and self._room.is_connected:
            await self._room.session.unpublish(senders)

    def left(self, *, stop_tracks: bool) -> None:
        """The room is over: nothing stays published."""
        publications, self._me._publications = self._me._publications, {}
        for publication in publications.values():
            publication.track._sending.end()
            self._let_go(publication.track, stop_tracks)

    def _let_go(self, track: LocalTrack, stop: bool | None) -> None:
        track._on_mute_changed = track._on_pause_changed = track._on_ended = track._on_reopened = None
        track._meter = None
        microphone = self._microphones.pop(track, None)
        if microphone is not None:
            microphone._media_gone()
        wanted = self._room.options.stop_local_track_on_unpublish if stop is None else stop
        if track.is_user_provided:
            track._release()
        elif wanted:
            track.stop()


def _facts(track: LocalTrack) -> TrackFacts:
    from lk_pyodide.core.publishing import TrackFacts

    settings = track._media.settings
    fallback = VideoPresets.H720
    width, height = settings.width, settings.height
    if track.kind == TrackKind.VIDEO and not (width and height):
        _log.debug("the size of a video is not known yet; %dx%d is assumed", fallback.width, fallback.height)
        width, height = fallback.width, fallback.height
    return TrackFacts(
        id=track._media.id,
        kind=track.kind,
        source=track.source,
        width=width,
        height=height,
        muted=track._is_silent,
        channel_count=settings.channel_count,
        auto_gain_control=settings.auto_gain_control,
        echo_cancellation=settings.echo_cancellation,
        noise_suppression=settings.noise_suppression,
        has_preconnect_buffer=track._preconnect is not None,
    )
