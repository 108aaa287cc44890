"""Ourselves: publishing, data, and what others are told of us."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lk_pyodide import local_profile as profile
from lk_pyodide import outgoing_streams as outgoing
from lk_pyodide.core import streams
from lk_pyodide.core.messages import ParticipantInfo
from lk_pyodide.data_track import LocalDataTrack
from lk_pyodide.errors import ConnectionLostError, LiveKitError, UsageError
from lk_pyodide.local_capture import LocalCapture
from lk_pyodide.local_data import LocalData
from lk_pyodide.local_data_tracks import LocalDataTracks
from lk_pyodide.local_permissions import LocalPermissions
from lk_pyodide.local_publishing import LocalPublisher
from lk_pyodide.local_track import LocalTrack
from lk_pyodide.options import (
    AudioCaptureOptions,
    ScreenShareCaptureOptions,
    TrackPublishOptions,
    VideoCaptureOptions,
)
from lk_pyodide.outgoing_streams import ByteStreamWriter, OutgoingStreams, TextStreamWriter
from lk_pyodide.participant import Publishing
from lk_pyodide.ports import RoomPort
from lk_pyodide.publication import LocalTrackPublication
from lk_pyodide.rpc import Rpc, RpcHandler
from lk_pyodide.session.tasks import TaskSet
from lk_pyodide.types import (
    ByteStreamInfo,
    ChatMessage,
    ParticipantTrackPermission,
    TextStreamInfo,
    Transcription,
)

if TYPE_CHECKING:
    from lk_pyodide.local_devices import LocalDevices

__all__ = ["LocalParticipant"]

H = TypeVar("H", bound=RpcHandler)


class LocalParticipant(Publishing[LocalTrackPublication]):
    """Ourselves."""

    def __init__(self, room: RoomPort, info: ParticipantInfo) -> None:
        super().__init__(room, info)
        self._tasks = TaskSet()
        self._streams = OutgoingStreams(room, lambda: self._info)
        self._publisher = LocalPublisher(
            room, self, lambda ended: self._devices.ended(ended), self._tasks, self._streams
        )
        self._capture = LocalCapture(room, self, self._publisher, self._tasks)
        self._profile = profile.LocalProfile(room, self)
        self._data = LocalData(room, self, lambda: self._info)
        self._data_tracks = LocalDataTracks(room)
        self._permissions = LocalPermissions(room)
        self._rpc = Rpc(room, lambda: self._info, self._streams)

    # -- camera, microphone, screen --

    async def enable_camera_and_microphone(self) -> None:
        """Turn both on, with one question to the user.

        Raises:
            MediaDeviceError: the user or the machine refused; nothing is published then.
        """
        await self._capture.enable_camera_and_microphone()

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
        return await self._capture.set_camera(enabled, capture_options, publish_options)

    async def set_microphone_enabled(
        self,
        enabled: bool,
        capture_options: AudioCaptureOptions | None = None,
        publish_options: TrackPublishOptions | None = None,
    ) -> LocalTrackPublication | None:
        """Publish the microphone, or mute it; otherwise as :meth:`set_camera_enabled`."""
        return await self._capture.set_microphone(enabled, capture_options, publish_options)

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
        return self._capture.set_screen_share(enabled, capture_options, publish_options)

    @property
    def last_camera_error(self) -> Exception | None:
        """Why the camera could not be used when it was last wanted; None when it could."""
        return self._capture.errors.get("videoinput")

    @property
    def last_microphone_error(self) -> Exception | None:
        """Why the microphone could not be used when it was last wanted; None when it could."""
        return self._capture.errors.get("audioinput")

    async def create_tracks(
        self, *, audio: bool | AudioCaptureOptions = False, video: bool | VideoCaptureOptions = False
    ) -> list[LocalTrack]:
        """Open devices without publishing them; see :func:`lk_pyodide.create_local_tracks`.

        The room's capture defaults apply to what is not said.
        """
        return await self._capture.create_tracks(audio=audio, video=video)

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
        return await self._publisher.publish(track, options)

    async def unpublish_track(self, track: str | LocalTrack, stop_on_unpublish: bool | None = None) -> None:
        """Stop publishing a track.

        Args:
            track: its sid, or the track.
            stop_on_unpublish: end it and let its device go; None does what the room's options say. A track that the
                user made is never ended.

        Raises:
            UnpublishTrackError: it is not published.
        """
        await self._publisher.unpublish_track(track, stop_on_unpublish)

    async def unpublish_tracks(self, tracks: Sequence[str | LocalTrack]) -> list[LocalTrackPublication]:
        """Stop publishing tracks, given by sid or themselves; those that are not published are passed over.

        Returns:
            What was published.
        """
        return await self._publisher.unpublish_tracks(tracks)

    async def republish_all_tracks(
        self, options: TrackPublishOptions | None = None, *, restart_tracks: bool = True
    ) -> None:
        """Publish everything again: the same publications, with new sids.

        Args:
            options: what is to be different.
            restart_tracks: open cameras and microphones anew, too, unless they are muted.

        Raises:
            MediaDeviceError: a device could not be opened again; that track is not published any more.
            PublishTrackError: the server does not take a track any more.
        """
        await self._publisher.republish_all(options, restart=restart_tracks)

    def set_track_subscription_permissions(
        self,
        *,
        allow_all_participants: bool,
        participant_permissions: Sequence[ParticipantTrackPermission] | None = None,
    ) -> None:
        """Say who may subscribe to our tracks; everybody may until this is said.

        It holds from now on, on every connection of this room. Before we are connected it is kept for then.

        Args:
            allow_all_participants: everybody may have everything.
            participant_permissions: who may have what otherwise. Tracks that are published again keep those who may.
        """
        self._permissions.set(everybody=allow_all_participants, permissions=participant_permissions or ())

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
            UsageError: the payload, or an argument, cannot be sent.
            PublishDataError: it is too large, we may not send, or it could not be sent.
            UnexpectedConnectionState: the room is not connected.
        """
        await self._data.publish(payload, reliable=reliable, destination_identities=destination_identities, topic=topic)

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        """Press a key for a telephone that takes part.

        Args:
            code: the key's code (RFC 4733): 0 to 9 as they are, 10 for ``*``, 11 for ``#``.
            digit: the key.

        Raises:
            PublishDTMFError: it could not be sent.
        """
        await self._data.publish_dtmf(code, digit)

    async def publish_transcription(self, transcription: Transcription) -> None:
        """Send somebody's words as text, to clients that take packets of transcription.

        Newer ones read text streams of topic ``lk.transcription``. livekit-server passes packets on from agents only.

        Raises:
            PublishTranscriptionError: it could not be sent.
            UsageError: it does not say of which track it is.
        """
        await self._data.publish_transcription(transcription)

    async def send_chat_message(self, text: str) -> ChatMessage:
        """Send a chat message as a packet, as livekit-client does; ``chat_message`` tells it, here too.

        Agents and LiveKit's components read text streams of topic ``lk.chat``: see :class:`Chat` for those.

        Raises:
            PublishDataError: it is too large, or could not be sent.
            UnexpectedConnectionState: the room is not connected.
        """
        return await self._data.send_chat_message(text)

    async def edit_chat_message(self, text: str, original: ChatMessage) -> ChatMessage:
        """Put another text in place of a chat message's; otherwise as :meth:`send_chat_message`."""
        return await self._data.edit_chat_message(text, original)

    async def publish_data_track(self, *, name: str) -> LocalDataTrack:
        """Publish a data track, on which frames can be pushed then.

        Args:
            name: what the others know it by: 1 to 256 bytes of UTF-8, unique among our own.

        Raises:
            PublishDataTrackError: the server refused, was silent or is too old, or the room was left; ``reason`` tells.
            UnexpectedConnectionState: the room is not connected.
        """
        return await self._data_tracks.publish(name)

    # -- streams --

    async def send_text(
        self,
        text: str,
        *,
        destination_identities: Sequence[str] | None = None,
        topic: str = "",
        attributes: Mapping[str, str] | None = None,
        reply_to_id: str | None = None,
        attachments: Sequence[Any] = (),
        compress: bool = True,
        on_progress: Callable[[float], object] | None = None,
    ) -> TextStreamInfo:
        """Send a text of any length; the others' handlers of its topic get it.

        Args:
            text: the whole of it.
            destination_identities: who gets it; nobody named means everyone else.
            topic: what it is about.
            attributes: anything else to say about it; some 14 000 bytes in all.
            reply_to_id: id of the text that it answers.
            attachments: files that follow it, each as a byte stream of the same topic: see :meth:`send_file`.
            compress: whether it may be compressed, where everyone can unpack it.
            on_progress: called with how much has been sent, 0 to 1.

        Returns:
            What the others know of it, the ids of the attachments included.

        Raises:
            UsageError: it is no text.
            DataStreamError: there is too much in ``attributes``; or the connection was made anew meanwhile.
            PublishDataError: it could not be sent.
            RoomDisconnectedError: the room was left meanwhile.
            UnexpectedConnectionState: the room is not connected.
        """
        content = streams.encoded(text)
        info = outgoing.text_info(None, topic, len(content), attributes, reply_to_id)
        return await self._streams.send_text(
            info,
            content,
            destination_identities,
            attachments=attachments,
            compress=compress,
            on_progress=on_progress,
        )

    async def stream_text(
        self,
        *,
        destination_identities: Sequence[str] | None = None,
        topic: str = "",
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        reply_to_id: str | None = None,
        total_size: int | None = None,
    ) -> TextStreamWriter:
        """Begin a text that is sent as it comes to be; otherwise as :meth:`send_text`.

        Args:
            stream_id: an id of one's own.
            total_size: how many bytes of UTF-8 it is going to have, if that is known: with fewer or more it fails.
        """
        info = outgoing.text_info(stream_id, topic, total_size, attributes, reply_to_id)
        return await self._streams.stream_text(info, destination_identities)

    async def send_bytes(
        self,
        data: bytes | bytearray | memoryview,
        *,
        topic: str = "",
        name: str | None = None,
        mime_type: str | None = None,
        destination_identities: Sequence[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        compress: bool = True,
        on_progress: Callable[[float], object] | None = None,
    ) -> ByteStreamInfo:
        """Send bytes; otherwise as :meth:`send_file`."""
        return await self._streams.send_file(
            outgoing.bytes_of(data),
            destination_identities,
            name=name,
            mime_type=mime_type,
            topic=topic,
            attributes=attributes,
            stream_id=stream_id,
            compress=compress,
            on_progress=on_progress,
        )

    async def stream_bytes(
        self,
        name: str,
        *,
        total_size: int | None = None,
        mime_type: str = "application/octet-stream",
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        destination_identities: Sequence[str] | None = None,
        topic: str = "",
    ) -> ByteStreamWriter:
        """Begin bytes that are sent as they come to be; otherwise as :meth:`send_file`.

        Args:
            total_size: how many there are going to be, if that is known: with fewer or more it fails.
        """
        info = outgoing.byte_info(stream_id, topic, total_size, attributes, name, mime_type)
        return await self._streams.stream_bytes(info, destination_identities)

    async def send_file(
        self,
        file_path: Any,
        *,
        topic: str = "",
        name: str | None = None,
        mime_type: str | None = None,
        destination_identities: Sequence[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        compress: bool = True,
        on_progress: Callable[[float], object] | None = None,
    ) -> ByteStreamInfo:
        """Send a file of any size; it is read as it is sent. Otherwise as :meth:`send_text`.

        Args:
            file_path: the path of a file that Python sees (a str is always a path), or bytes, or the browser's own
                File or Blob; one of the page cannot come to Python in a worker.
            name: what the others are told it is called; None means its own name.
            mime_type: what it holds; None means what its name, or the browser, says.
            stream_id: an id of one's own.

        Raises:
            OSError: Python cannot read it.
            BrowserError: the browser cannot read it.
        """
        return await self._streams.send_file(
            file_path,
            destination_identities,
            name=name,
            mime_type=mime_type,
            topic=topic,
            attributes=attributes,
            stream_id=stream_id,
            compress=compress,
            on_progress=on_progress,
        )

    # -- remote procedure calls --

    @overload
    def register_rpc_method(self, method: str, handler: None = None) -> Callable[[H], H]: ...
    @overload
    def register_rpc_method(self, method: str, handler: RpcHandler) -> RpcHandler: ...
    def register_rpc_method(self, method: str, handler: RpcHandler | None = None) -> Any:
        """Let others call a method of ours.

        Args:
            method: its name. A handler that was there before is replaced.
            handler: gets an :class:`RpcInvocationData` and gives a str or None; it may be ``async``, and is cancelled
                when the caller waits no longer. It may raise an :class:`RpcError`, which the caller gets; of any other
                exception the caller learns only that there was one. Without a handler this is a decorator.

        Returns:
            The handler.

        Raises:
            UsageError: the decorator was given no name.
        """
        if callable(method):
            raise UsageError('give the method a name: @register_rpc_method("name")')

        def register(given: RpcHandler) -> RpcHandler:
            self._rpc.register(method, given)
            return given

        return register if handler is None else register(handler)

    def unregister_rpc_method(self, method: str) -> None:
        """Let nobody call the method any more; nothing happens if there is none."""
        self._rpc.unregister(method)

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float | None = None
    ) -> str:
        """Call somebody's method.

        Args:
            destination_identity: whose.
            method: its name.
            payload: often JSON. Of any length, and so is the answer; between us and older clients of others, which
                know the first version of the protocol only, 15 360 bytes of UTF-8.
            response_timeout: seconds to wait for the answer; None means 15.

        Returns:
            What the other side's handler gave.

        Raises:
            RpcError: it failed, here or there; ``code`` says how.
            RoomDisconnectedError: we left the room meanwhile.
            UnexpectedConnectionState: the room is not connected.
            UsageError: the payload is no text, or the timeout not above 0.
        """
        return await self._rpc.perform(destination_identity, method, payload, response_timeout)

    # -- what others are told of us --

    async def set_metadata(self, metadata: str) -> None:
        """Change our metadata, and wait until the server has confirmed it.

        Raises:
            UsageError: it is no text, or so long that no server takes it.
            SignalRequestError: the server refused: livekit-server takes 512 KiB of metadata, 64 KiB of attributes and
                256 bytes of name, unless it is told otherwise.
            DeadlineExceeded: it was silent.
        """
        streams.encoded(metadata)
        await self._profile.update(lambda info: info.metadata == metadata, metadata=metadata)

    async def set_name(self, name: str) -> None:
        """Change our name; otherwise as :meth:`set_metadata`."""
        streams.encoded(name)
        await self._profile.update(lambda info: info.name == name, name=name)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Change some of our attributes; an empty value deletes one. Otherwise as :meth:`set_metadata`."""
        wanted = profile.texts(attributes)
        await self._profile.update(
            lambda info: all(info.attributes.get(key, "") == value for key, value in wanted.items()), attributes=wanted
        )

    # -- from the room --

    @functools.cached_property
    def _devices(self) -> LocalDevices:
        from lk_pyodide.local_devices import LocalDevices  # not before there is a device

        return LocalDevices(self._room, self._capture, self._tasks)

    async def _switch_device(self, kind: str, device_id: str, *, exact: bool) -> bool:
        return await self._capture.switch_device(kind, device_id, exact=exact)

    def _updated(self, info: ParticipantInfo) -> None:
        self._info = info
        self._profile.confirm(info)
        self._publisher.reconcile(info.tracks)

    def _refused(self, request_id: int, reason: str, message: str) -> None:
        self._profile.refused(request_id, reason, message)

    def _muted_by_server(self, sid: str, muted: bool) -> None:
        publication = self._publications.get(sid)
        if publication is not None and publication.muted != muted:
            self._tasks.spawn(_finished(publication.mute() if muted else publication.unmute()))

    def _unpublished_by_server(self, sid: str) -> None:
        publication = self._publications.get(sid)
        if publication is not None:
            self._tasks.spawn(self._publisher.unpublish(publication))

    def _interrupted(self) -> None:
        """The connection broke."""
        self._profile.fail_all(ConnectionLostError("the connection broke"))
        self._publisher.interrupted()
        self._data_tracks.interrupted()

    async def _republish(self) -> None:
        before = [(publication, publication.sid) for publication in self._publications.values()]
        data_before = [(track, track.info.sid) for track in self._data_tracks.published()]
        await self._publisher.republish()
        await self._data_tracks.republish()
        self._permissions.moved(
            {sid: publication.sid for publication, sid in before} | {sid: track.info.sid for track, sid in data_before}
        )

    def _tell_republished(self) -> None:
        self._publisher.tell_republished()

    async def _left(self, error: LiveKitError, *, stop_tracks: bool) -> None:
        """The room is over: nothing stays published, nobody waits."""
        self._profile.fail_all(error)
        self._publisher.left(stop_tracks=stop_tracks)
        self._data_tracks.left()
        await self._rpc.left(error)
        await self._streams.left()
        await self._tasks.close()


async def _finished(work: Awaitable[None]) -> None:
    await work
