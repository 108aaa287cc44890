"""Ourselves: publishing, data, and what others are told of us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from lk_pyodide import devices
from lk_pyodide.core import publishing
from lk_pyodide.core.messages import (
    DataPacket,
    MuteTrackRequest,
    ParticipantInfo,
    UpdateParticipantMetadata,
    UserPacket,
)
from lk_pyodide.errors import (
    BrowserError,
    LiveKitError,
    PublishTrackError,
    SignalRequestError,
    TrackInvalidError,
    UnpublishTrackError,
    UsageError,
)
from lk_pyodide.local_track import LocalTrack, wrap
from lk_pyodide.logging import get_logger
from lk_pyodide.options import (
    PUBLISH_DEFAULTS,
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    TrackPublishOptions,
    VideoCaptureOptions,
    VideoPresets,
    merged,
)
from lk_pyodide.participant import Publishing
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.session.tasks import TaskSet, Waiters, within
from lk_pyodide.types import DataPacketKind, TrackKind, TrackSource

__all__ = ["LocalParticipant"]

_log = get_logger("participant")

METADATA_TIMEOUT = 5.0
"""Seconds for the server to confirm a change of name, metadata or attributes (livekit-client)."""

T = TypeVar("T")
_DEVICE_KINDS = {TrackSource.CAMERA: "videoinput", TrackSource.MICROPHONE: "audioinput"}
_Wanted = Callable[[ParticipantInfo], bool]


class LocalParticipant(Publishing[LocalTrackPublication]):
    """Ourselves."""

    def __init__(self, room: RoomPort, info: ParticipantInfo) -> None:
        super().__init__(room, info)
        self._tasks = TaskSet()
        self._sources: dict[TrackSource, asyncio.Lock] = {}
        self._publishing: dict[LocalTrack, asyncio.Task[LocalTrackPublication]] = {}
        self._requests: Waiters[int, None] = Waiters()
        self._wanted: dict[int, _Wanted] = {}

    # -- camera, microphone, screen --

    async def enable_camera_and_microphone(self) -> None:
        """Turn both on, with one question to the user.

        Raises:
            MediaDeviceError: the user or the machine refused; nothing is published then.
        """
        async with self._lock(TrackSource.CAMERA), self._lock(TrackSource.MICROPHONE):
            missing = [
                source
                for source in (TrackSource.CAMERA, TrackSource.MICROPHONE)
                if self.get_track_publication(source) is None
            ]
            for source in {TrackSource.CAMERA, TrackSource.MICROPHONE} - set(missing):
                await self._publications[self._require(source).sid].unmute()
            if not missing:
                return
            tracks = await self._capture(
                None,
                lambda: self._create_tracks(
                    audio=TrackSource.MICROPHONE in missing, video=TrackSource.CAMERA in missing
                ),
            )
            await self._publish_all(tracks, None)

    async def set_camera_enabled(
        self,
        enabled: bool,
        capture_options: VideoCaptureOptions | None = None,
        publish_options: TrackPublishOptions | None = None,
    ) -> LocalTrackPublication | None:
        """Publish the camera, or mute it.

        Args:
            enabled: on publishes or unmutes; off mutes and turns the camera off.
            capture_options: how to open it.
            publish_options: how to publish it.

        Returns:
            The publication; None when it is off and never was on.

        Raises:
            MediaDeviceError: the user or the machine refused; ``media_devices_error`` tells it too.
            PublishTrackError: it could not be published.
        """
        return await self._toggle(
            TrackSource.CAMERA,
            enabled,
            lambda: self._create_tracks(video=capture_options or True),
            publish_options,
        )

    async def set_microphone_enabled(
        self,
        enabled: bool,
        capture_options: AudioCaptureOptions | None = None,
        publish_options: TrackPublishOptions | None = None,
    ) -> LocalTrackPublication | None:
        """Publish the microphone, or mute it; otherwise as :meth:`set_camera_enabled`."""
        return await self._toggle(
            TrackSource.MICROPHONE,
            enabled,
            lambda: self._create_tracks(audio=capture_options or True),
            publish_options,
        )

    def set_screen_share_enabled(
        self,
        enabled: bool,
        capture_options: ScreenShareCaptureOptions | None = None,
        publish_options: TrackPublishOptions | None = None,
    ) -> Awaitable[LocalTrackPublication | None]:
        """Share a screen, or stop it.

        The browser is asked at the call, because it forgets the user's click at the first ``await``.

        Args:
            enabled: on asks the user for a screen and publishes it; off unpublishes it, with its sound.
            capture_options: what to ask for.
            publish_options: how to publish it.

        Returns:
            An awaitable for the publication; None when it is off.

        Raises:
            MediaDeviceError: the user said no.
        """
        if not enabled:
            return self._tasks.spawn(self._stop_screen_share())
        known = self.get_track_publication(TrackSource.SCREENSHARE)
        if known is not None:
            return self._tasks.spawn(_value(known))
        asked = devices.start_screen_capture(self._room.browser, capture_options)
        return self._tasks.spawn(self._start_screen_share(asked, publish_options))

    async def _start_screen_share(
        self, asked: Awaitable[list[LocalTrack]], options: TrackPublishOptions | None
    ) -> LocalTrackPublication | None:
        async with self._lock(TrackSource.SCREENSHARE):
            tracks = await self._capture(TrackSource.SCREENSHARE, lambda: asked)
            await self._publish_all(tracks, options)
            return self.get_track_publication(TrackSource.SCREENSHARE)

    async def _stop_screen_share(self) -> None:
        async with self._lock(TrackSource.SCREENSHARE):
            for source in (TrackSource.SCREENSHARE, TrackSource.SCREENSHARE_AUDIO):
                publication = self.get_track_publication(source)
                if publication is not None:
                    await self.unpublish_track(publication.sid)

    async def _toggle(
        self,
        source: TrackSource,
        enabled: bool,
        capture: Callable[[], Awaitable[list[LocalTrack]]],
        options: TrackPublishOptions | None,
    ) -> LocalTrackPublication | None:
        async with self._lock(source):
            publication = self.get_track_publication(source)
            if publication is not None:
                await (self._unmute(publication) if enabled else publication.mute())
            elif enabled:
                tracks = await self._capture(source, capture)
                await self._publish_all(tracks, options)
                publication = self.get_track_publication(source)
            return publication

    async def _unmute(self, publication: LocalTrackPublication) -> None:
        await self._capture(publication.source, publication.unmute)

    def _lock(self, source: TrackSource) -> asyncio.Lock:
        return self._sources.setdefault(source, asyncio.Lock())

    def _require(self, source: TrackSource) -> LocalTrackPublication:
        publication = self.get_track_publication(source)
        assert publication is not None, "looked up before"
        return publication

    async def _capture(self, what: TrackSource | None, work: Callable[[], Awaitable[T]]) -> T:
        await self._room.wait_connected()
        try:
            return await work()
        except BrowserError as error:
            self._room.media_devices_error(error, _DEVICE_KINDS.get(what) if what is not None else None)
            raise

    async def _create_tracks(
        self, *, audio: bool | AudioCaptureOptions = False, video: bool | VideoCaptureOptions = False
    ) -> list[LocalTrack]:
        options = self._room.options
        return await devices.create_local_tracks(
            audio=merged(
                audio if isinstance(audio, AudioCaptureOptions) else None,
                options.audio_capture_defaults,
                AudioCaptureOptions(),
            )
            if audio
            else False,
            video=merged(
                video if isinstance(video, VideoCaptureOptions) else None,
                options.video_capture_defaults,
                VideoCaptureOptions(),
            )
            if video
            else False,
            browser=self._room.browser,
        )

    async def _publish_all(self, tracks: Sequence[LocalTrack], options: TrackPublishOptions | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for track in tracks:
                    group.create_task(self.publish_track(track, options))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            published = [publication.track for publication in self._publications.values()]
            for track in tracks:
                if track not in published:
                    track.stop()

    async def create_tracks(
        self, *, audio: bool | AudioCaptureOptions = False, video: bool | VideoCaptureOptions = False
    ) -> list[LocalTrack]:
        """Open devices without publishing them; see :func:`lk_pyodide.create_local_tracks`.

        The room's capture defaults apply to what is not said.
        """
        return await self._create_tracks(audio=audio, video=video)

    # -- publishing --

    async def publish_track(self, track: Any, options: TrackPublishOptions | None = None) -> LocalTrackPublication:
        """Publish a track.

        Args:
            track: a :class:`LocalTrack`, or the browser's own MediaStreamTrack, which then stays yours to stop.
            options: how; the room's ``publish_defaults`` apply to what is not said.

        Returns:
            The publication; the existing one for a track that is published already.

        Raises:
            PublishTrackError: no permission (403), the server was silent (408), or anything else (500).
            TrackInvalidError: the track has been stopped.
        """
        local = (
            track if isinstance(track, LocalTrack) else wrap(self._room.browser, self._room.browser.adopt_track(track))
        )
        for publication in self._publications.values():
            if publication.track is local:
                return publication
        task = self._publishing.get(local)
        if task is not None:
            return await asyncio.shield(task)
        await self._room.wait_connected()
        task = asyncio.get_running_loop().create_task(self._publish(local, options))
        self._publishing[local] = task
        try:
            return await task
        finally:
            self._publishing.pop(local, None)

    async def _publish(self, track: LocalTrack, given: TrackPublishOptions | None) -> LocalTrackPublication:
        if track._stopped:
            raise TrackInvalidError("the track has been stopped")
        options = merged(given, self._room.options.publish_defaults, PUBLISH_DEFAULTS)
        if options.source is not None:
            track._source = options.source
        if track.source == TrackSource.UNKNOWN and track.is_user_provided is False:
            track._source = TrackSource.MICROPHONE if track.kind == TrackKind.AUDIO else TrackSource.CAMERA
        if not publishing.may_publish(self.permissions, track.source):
            raise PublishTrackError(f"the token does not let us publish {track.source.name.lower()}", 403)
        if options.stop_mic_track_on_mute and track.source == TrackSource.MICROPHONE and not track.is_user_provided:
            track._stop_on_mute = True
        session = self._room.session
        plan = publishing.plan(
            self._facts(track),
            options,
            browser=self._room.browser.info.name,
            enabled_codecs=[codec.mime for codec in session.join.enabled_publish_codecs],
        )
        info, sender = await session.publish(track._media, plan)
        track._sender, track._sid, track._name = sender, info.sid, info.name
        publication = LocalTrackPublication(info, track, options)
        self._publications[info.sid] = publication
        track._on_mute_changed = lambda: self._mute_changed(publication)
        track._on_ended = lambda: self._ended(publication)
        if track.muted != plan.request.muted:
            self._mute_changed(publication)
        self._room.local_track_published(publication, track)
        return publication

    def _facts(self, track: LocalTrack) -> publishing.TrackFacts:
        settings = track._media.settings
        fallback = VideoPresets.H720
        width, height = settings.width, settings.height
        if track.kind == TrackKind.VIDEO and not (width and height):
            _log.debug("the size of a video is not known yet; %dx%d is assumed", fallback.width, fallback.height)
            width, height = fallback.width, fallback.height
        return publishing.TrackFacts(
            id=track._media.id,
            kind=track.kind,
            source=track.source,
            width=width,
            height=height,
            muted=track.muted,
            channel_count=settings.channel_count,
            auto_gain_control=settings.auto_gain_control,
            echo_cancellation=settings.echo_cancellation,
            noise_suppression=settings.noise_suppression,
        )

    async def unpublish_track(self, track: str | LocalTrack, stop_on_unpublish: bool | None = None) -> None:
        """Stop publishing a track.

        Args:
            track: its sid, or the track.
            stop_on_unpublish: end it and let its device go; None does what the room's options say. A track that the
                user made is never ended.

        Raises:
            UnpublishTrackError: it is not published.
        """
        publication = next((p for p in self._publications.values() if track in (p.sid, p.track)), None)
        if publication is None:
            raise UnpublishTrackError(f"not published: {track!r}")
        await self._unpublish(publication, stop_on_unpublish)

    async def _unpublish(self, publication: LocalTrackPublication, stop: bool | None = None) -> None:
        track = publication.track
        if self._publications.pop(publication.sid, None) is None:
            return
        sender, track._sender = track._sender, None
        cid = track._media.id
        self._let_go(track, stop)
        self._room.local_track_unpublished(publication)
        if sender is not None and self._room.is_connected:
            await self._room.session.unpublish(sender, cid)

    def _let_go(self, track: LocalTrack, stop: bool | None) -> None:
        track._on_mute_changed = track._on_ended = None
        wanted = self._room.options.stop_local_track_on_unpublish if stop is None else stop
        if track.is_user_provided:
            track._release()
        elif wanted:
            track.stop()

    def _mute_changed(self, publication: LocalTrackPublication) -> None:
        muted = publication.track.muted
        publication._update(replace(publication.track_info, muted=muted))
        if self._room.is_connected:
            self._room.session.send_request(MuteTrackRequest(publication.sid, muted))
        self._room.track_mute_changed(self, publication)

    def _ended(self, publication: LocalTrackPublication) -> None:
        if publication.source in (TrackSource.SCREENSHARE, TrackSource.SCREENSHARE_AUDIO):
            self._tasks.spawn(self._stop_screen_share())
        elif not publication.muted:
            publication.mute()

    # -- data --

    async def publish_data(
        self,
        payload: str | bytes | bytearray | memoryview,
        *,
        reliable: bool = True,
        destination_identities: Sequence[str] = (),
        topic: str = "",
    ) -> None:
        """Send a data packet.

        Args:
            payload: at most about 64 000 bytes; text is sent as UTF-8.
            reliable: in order and without loss; otherwise fast.
            destination_identities: who gets it; nobody named means everyone else.
            topic: what it is about.

        Raises:
            PublishDataError: it is too large, or could not be sent.
            UnexpectedConnectionState: the room is not connected.
        """
        if isinstance(destination_identities, str):
            raise UsageError("destination_identities is a list of identities, not one string")
        await self._room.wait_connected()
        data = payload.encode() if isinstance(payload, str) else bytes(payload)
        destinations = tuple(destination_identities)
        user = UserPacket(self.sid, self.identity, data, destinations, topic or None)
        kind = DataPacketKind.RELIABLE if reliable else DataPacketKind.LOSSY
        await self._room.session.send_packet(DataPacket(user, kind, self.identity, destinations))

    # -- what others are told of us --

    async def set_metadata(self, metadata: str) -> None:
        """Change our metadata, and wait until the server has confirmed it.

        Raises:
            SignalRequestError: the server refused.
            DeadlineExceeded: it was silent.
        """
        await self._update_self(lambda info: info.metadata == metadata, metadata=metadata)

    async def set_name(self, name: str) -> None:
        """Change our name; otherwise as :meth:`set_metadata`."""
        await self._update_self(lambda info: info.name == name, name=name)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Change some of our attributes; an empty value deletes one. Otherwise as :meth:`set_metadata`."""
        wanted = dict(attributes)
        await self._update_self(
            lambda info: all(info.attributes.get(key, "") == value for key, value in wanted.items()), attributes=wanted
        )

    async def _update_self(
        self,
        wanted: _Wanted,
        *,
        metadata: str | None = None,
        name: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        session = self._room.session
        request_id = session.next_request_id()
        confirmed = self._requests.expect(request_id)
        self._wanted[request_id] = wanted
        try:
            # Name and metadata are always sent, as what is left out is wiped.
            session.send_request(
                UpdateParticipantMetadata(
                    self.metadata if metadata is None else metadata,
                    self.name if name is None else name,
                    dict(attributes or {}),
                    request_id,
                )
            )
            self._confirm(self._info)
            await within(METADATA_TIMEOUT, confirmed, "the server's confirmation")
        finally:
            del self._wanted[request_id]
            confirmed.cancel()

    def _confirm(self, info: ParticipantInfo) -> None:
        for request_id, wanted in list(self._wanted.items()):
            if wanted(info):
                self._requests.answer(request_id, None)

    def _refused(self, request_id: int, reason: str, message: str) -> None:
        self._requests.fail(request_id, SignalRequestError(message, reason))

    # -- from the room --

    def _updated(self, info: ParticipantInfo) -> None:
        self._info = info
        self._confirm(info)

    def _muted_by_server(self, sid: str, muted: bool) -> None:
        publication = self._publications.get(sid)
        if publication is not None and publication.muted != muted:
            self._tasks.spawn(_finished(publication.mute() if muted else publication.unmute()))

    def _unpublished_by_server(self, sid: str) -> None:
        publication = self._publications.get(sid)
        if publication is not None:
            self._tasks.spawn(self._unpublish(publication))

    async def _left(self, error: LiveKitError, *, stop_tracks: bool) -> None:
        """The room is over: nothing stays published, nobody waits."""
        self._requests.fail_all(error)
        publications, self._publications = dict(self._publications), {}
        for publication in publications.values():
            publication.track._sender = None
            self._let_go(publication.track, stop_tracks)
        await self._tasks.close()


async def _value(value: LocalTrackPublication) -> LocalTrackPublication:
    return value


def _finished(work: Awaitable[None]) -> Coroutine[Any, Any, None]:
    async def wait() -> None:
        await work

    return wait()
