"""LiveKit's Rust core, by its Python package `livekit`, as a peer in the test process."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from livekit import rtc

from tests.harness.media import HEIGHT, SAMPLE_RATE, WIDTH, AudioMeter, VideoMeter, feed_tone, feed_video
from tests.harness.peers import (
    END,
    REFUSED,
    DataMessage,
    EventRecord,
    FileKind,
    ParticipantState,
    Peer,
    PeerState,
    RpcMethod,
    RpcOutcome,
    Source,
    StreamMessage,
    TrackFrame,
    TrackState,
    VideoStats,
)
from tests.inpage.texts import compact, long_text

_SOURCES: dict[int, Source] = {
    rtc.TrackSource.SOURCE_CAMERA: "camera",
    rtc.TrackSource.SOURCE_MICROPHONE: "microphone",
    rtc.TrackSource.SOURCE_SCREENSHARE: "screen_share",
    rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO: "screen_share_audio",
}
_KINDS: dict[int, Literal["audio", "video"]] = {rtc.TrackKind.KIND_AUDIO: "audio", rtc.TrackKind.KIND_VIDEO: "video"}
_QUALITIES: dict[int, str] = {
    rtc.ConnectionQuality.QUALITY_POOR: "poor",
    rtc.ConnectionQuality.QUALITY_GOOD: "good",
    rtc.ConnectionQuality.QUALITY_EXCELLENT: "excellent",
    rtc.ConnectionQuality.QUALITY_LOST: "lost",
}
_STATES: dict[int, str] = {
    rtc.ConnectionState.CONN_DISCONNECTED: "disconnected",
    rtc.ConnectionState.CONN_CONNECTED: "connected",
    rtc.ConnectionState.CONN_RECONNECTING: "reconnecting",
}
_SHARE = rtc.TrackSource.SOURCE_SCREENSHARE
_CAMERA = rtc.TrackSource.SOURCE_CAMERA


class _RecordingRoom(rtc.Room):
    """A room that shows every event to one listener, after its handlers."""

    def __init__(self, listener: Callable[[str, tuple[Any, ...]], None]) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, event: Any, *args: Any) -> None:
        super().emit(event, *args)
        self._listener(event, args)


class RustPeer(Peer):
    """A room of the Rust core. Publishes a moving bar and a 440 Hz tone."""

    make = "livekit-rust"
    file_kinds = ("path",)

    def __init__(self, identity: str = "") -> None:
        self.identity = identity
        self.room: rtc.Room = rtc.Room()
        self._events: list[EventRecord] = []
        self._data: list[DataMessage] = []
        self._streams: list[StreamMessage] = []
        self._data_tracks: dict[str, rtc.LocalDataTrack] = {}
        self._remote_data_tracks: dict[tuple[str, str], rtc.RemoteDataTrack] = {}
        self._frames: dict[tuple[str, str], list[TrackFrame]] = {}
        self._topics: set[str] = set()
        self._unfinished: rtc.TextStreamWriter | None = None
        self._changes = 0
        self._change = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._video: dict[str, VideoMeter] = {}
        self._audio: dict[str, AudioMeter] = {}

    async def connect(self, url: str, token: str, **options: Any) -> None:
        """See `Peer`. Options are rtc.RoomOptions."""
        self.room = _RecordingRoom(self._on_event)
        self._topics.clear()
        await self.room.connect(url, token, rtc.RoomOptions(**options))
        self.identity = self.room.local_participant.identity

    async def disconnect(self) -> None:
        """See `Peer`."""
        await self.room.disconnect()
        for key in list(self._tasks):
            await self._end(key)

    def _on_event(self, name: str, args: tuple[Any, ...]) -> None:
        self._events.append(EventRecord(name, tuple(map(_describe, args))))
        if name == "data_received":
            packet: rtc.DataPacket = args[0]
            sender = packet.participant.identity if packet.participant else ""
            reliable = packet.kind == rtc.DataPacketKind.KIND_RELIABLE
            self._data.append(DataMessage(bytes(packet.data), packet.topic or "", reliable, sender))
        elif name == "track_subscribed":
            self._measure(args[0])
        elif name == "track_unsubscribed":
            self._tasks[args[0].sid].cancel()
        elif name == "data_track_published":
            published: rtc.RemoteDataTrack = args[0]
            self._remote_data_tracks[published.publisher_identity, published.info.name] = published
        self._tell_change()

    def _tell_change(self) -> None:
        self._changes += 1
        self._change.set()
        self._change = asyncio.Event()

    def _measure(self, track: rtc.RemoteTrack) -> None:
        if isinstance(track, rtc.RemoteVideoTrack):
            video = self._video[track.sid] = VideoMeter()
            self._begin(track.sid, video.run(rtc.VideoStream(track, format=rtc.VideoBufferType.I420)))
        else:
            audio = self._audio[track.sid] = AudioMeter()
            self._begin(track.sid, audio.run(rtc.AudioStream(track)))

    def _begin(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[key] = asyncio.create_task(work, name=f"rust peer {key}")

    async def _end(self, key: str) -> None:
        if task := self._tasks.pop(key, None):
            task.cancel()
            await asyncio.wait([task])

    def _publication(self, source: int) -> rtc.LocalTrackPublication | None:
        publications = self.room.local_participant.track_publications.values()
        return next((found for found in publications if found.source == source), None)

    async def _publish_video(
        self, source: rtc.TrackSource.ValueType, width: int = WIDTH, height: int = HEIGHT, **options: Any
    ) -> None:
        feed = rtc.VideoSource(width, height, is_screencast=source == _SHARE)
        track = rtc.LocalVideoTrack.create_video_track(_SOURCES[source], feed)
        self._begin(_SOURCES[source], feed_video(feed, width, height))
        await self.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=source, **options))

    async def set_camera(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are those of rtc.TrackPublishOptions, and width and height of the picture.

        Simulcast layers differ in size only from a width of 960 on.
        """
        if self._publication(_CAMERA):
            await self.mute("camera", not enabled)
        elif enabled:
            await self._publish_video(_CAMERA, **options)

    async def set_small_camera(self) -> None:
        """See `Peer`: it has no other."""
        await self.set_camera(True)

    async def set_microphone(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are rtc.TrackPublishOptions."""
        if self._publication(rtc.TrackSource.SOURCE_MICROPHONE):
            await self.mute("microphone", not enabled)
        elif enabled:
            feed = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=200)
            track = rtc.LocalAudioTrack.create_audio_track("microphone", feed)
            self._begin("microphone", feed_tone(feed))
            chosen = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, **options)
            await self.room.local_participant.publish_track(track, chosen)

    async def set_screen_share(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are rtc.TrackPublishOptions."""
        publication = self._publication(_SHARE)
        if enabled and publication is None:
            await self._publish_video(_SHARE, **options)
        elif not enabled and publication is not None:
            await self.room.local_participant.unpublish_track(publication.sid)
            await self._end("screen_share")

    async def mute(self, source: Source, muted: bool = True) -> None:
        """See `Peer`."""
        wanted = next(number for number, name in _SOURCES.items() if name == source)
        publication = self._publication(wanted)
        assert publication is not None and publication.track is not None, f"{source} is not published"
        if muted:
            publication.track.mute()
        else:
            publication.track.unmute()

    async def state(self) -> PeerState:
        """See `Peer`."""
        remotes = {
            participant.identity: _participant(participant) for participant in self.room.remote_participants.values()
        }
        state = _STATES[self.room.connection_state]
        return PeerState(state, self.room.name, self.room.metadata, _participant(self.room.local_participant), remotes)

    def _track_sid(self, identity: str, source: Source) -> str:
        participant = self.room.remote_participants.get(identity)
        publications = participant.track_publications.values() if participant else ()
        return next((found.sid for found in publications if _SOURCES.get(found.source) == source), "")

    async def video_stats(self, identity: str, source: Source = "camera") -> VideoStats:
        """See `Peer`."""
        meter = self._video.get(self._track_sid(identity, source), VideoMeter())
        return VideoStats(meter.frames, meter.width, meter.height, meter.contrast)

    async def arrived(self, identity: str, source: Source = "camera") -> str:
        """See `Peer`."""
        participant = self.room.remote_participants[identity]
        publication = participant.track_publications[self._track_sid(identity, source)]
        stats = await publication.track.get_stats() if publication.track else []
        return "\n".join(str(found.inbound_rtp) for found in stats if found.HasField("inbound_rtp"))

    async def audio_energy(self, identity: str, seconds: float = 1.0) -> float:
        """See `Peer`. From the decoded samples."""
        meter = self._audio.get(self._track_sid(identity, "microphone"), AudioMeter())
        energy, samples = meter.energy, meter.samples
        await asyncio.sleep(seconds)  # the window that is measured
        heard = meter.samples - samples
        return float(((meter.energy - energy) / heard) ** 0.5) if heard else 0.0

    async def publish_data(
        self, data: bytes, *, reliable: bool = True, topic: str = "", identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        await self.room.local_participant.publish_data(
            data, reliable=reliable, topic=topic, destination_identities=list(identities)
        )

    async def publish_numbers(self, count: int, *, topic: str) -> None:
        """See `Peer`."""
        for number in range(count):
            await self.room.local_participant.publish_data(str(number), topic=topic)

    async def data(self) -> list[DataMessage]:
        """See `Peer`."""
        return list(self._data)

    async def take_streams(self, topic: str) -> None:
        """See `Peer`."""
        if topic in self._topics:
            return
        self._topics.add(topic)

        def take(reader: rtc.TextStreamReader | rtc.ByteStreamReader, identity: str) -> None:
            self._begin(f"stream {reader.info.stream_id}", self._read(reader, identity))

        self.room.register_text_stream_handler(topic, take)
        self.room.register_byte_stream_handler(topic, take)

    async def _read(self, reader: rtc.TextStreamReader | rtc.ByteStreamReader, sender: str) -> None:
        data, failed = bytearray(), ""
        try:
            async for piece in reader:
                data += piece.encode() if isinstance(piece, str) else piece
        except ConnectionError as error:
            failed = str(error)
        info = reader.info
        text = info if isinstance(info, rtc.TextStreamInfo) else None
        self._streams.append(
            StreamMessage(
                kind="text" if text else "bytes",
                topic=info.topic,
                sender=sender,
                data=compact(data),
                id=info.stream_id,
                attributes=dict(info.attributes or {}),
                size=info.size,
                name=info.name if isinstance(info, rtc.ByteStreamInfo) else "",
                mime_type=info.mime_type,
                attachments=tuple(text.attachments) if text else (),
                failed=failed,
            )
        )
        self._tell_change()

    async def send_text(
        self, text: str, *, topic: str, attributes: Mapping[str, str] | None = None, identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        await self.room.local_participant.send_text(
            text, topic=topic, attributes=dict(attributes or {}), destination_identities=list(identities)
        )

    async def send_long_text(self, blocks: int, *, topic: str) -> None:
        """See `Peer`."""
        await self.room.local_participant.send_text(long_text(blocks), topic=topic)

    async def stream_text(
        self, pieces: Sequence[str], *, topic: str, attributes: Mapping[str, str] | None = None, reply_to: str = ""
    ) -> None:
        """See `Peer`."""
        me = self.room.local_participant
        writer = await me.stream_text(topic=topic, attributes=dict(attributes or {}), reply_to_id=reply_to or None)
        for piece in pieces:
            await writer.write(piece)
        await writer.aclose()

    async def begin_text(self, piece: str, *, topic: str) -> None:
        """See `Peer`."""
        self._unfinished = await self.room.local_participant.stream_text(topic=topic)
        await self._unfinished.write(piece)

    async def send_bytes(
        self,
        data: bytes,
        *,
        topic: str,
        name: str = "x.bin",
        mime_type: str = "application/x-test",
        attributes: Mapping[str, str] | None = None,
        identities: Sequence[str] = (),
    ) -> None:
        """See `Peer`."""
        await self.room.local_participant.send_bytes(
            data,
            topic=topic,
            name=name,
            mime_type=mime_type,
            attributes=dict(attributes or {}),
            destination_identities=list(identities),
        )

    async def stream_bytes(
        self, pieces: Sequence[bytes], *, topic: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """See `Peer`."""
        me = self.room.local_participant
        writer = await me.stream_bytes("unknown", topic=topic, attributes=dict(attributes or {}))
        for piece in pieces:
            await writer.write(piece)
        await writer.aclose()

    async def send_file(self, kind: FileKind, content: bytes, name: str, *, topic: str) -> None:
        """See `Peer`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            await self.room.local_participant.send_file(str(path), topic=topic)

    async def streams(self) -> list[StreamMessage]:
        """See `Peer`."""
        return list(self._streams)

    async def publish_data_track(self, name: str) -> None:
        """See `Peer`."""
        self._data_tracks[name] = await self.room.local_participant.publish_data_track(name=name)

    async def push_frame(self, name: str, frame: TrackFrame) -> None:
        """See `Peer`."""
        self._data_tracks[name].try_push(rtc.DataTrackFrame(frame.data or b"", frame.timestamp))

    async def unpublish_data_track(self, name: str) -> None:
        """See `Peer`."""
        await self._data_tracks.pop(name).unpublish()

    async def subscribe_data_track(self, identity: str, name: str) -> None:
        """See `Peer`."""
        key = identity, name
        await self.wait_for(lambda _state: key in self._remote_data_tracks, 10, f"data track {name} of {identity}")
        stream = self._remote_data_tracks[key].subscribe()
        frames = self._frames[key] = []
        self._begin(f"data track {identity} {name}", self._read_frames(stream, frames))

    async def _read_frames(self, stream: rtc.DataTrackStream, frames: list[TrackFrame]) -> None:
        async for frame in stream:
            frames.append(TrackFrame(frame.payload, frame.user_timestamp))
            self._tell_change()
        frames.append(END)
        self._tell_change()

    async def frames(self, identity: str, name: str) -> list[TrackFrame]:
        """See `Peer`."""
        return list(self._frames.get((identity, name), ()))

    async def register_rpc(self, method: RpcMethod) -> None:
        """See `Peer`."""
        self.room.local_participant.register_rpc_method(method, _answer)

    async def perform_rpc(
        self, identity: str, method: str, payload: str, *, response_timeout: float | None = None
    ) -> RpcOutcome:
        """See `Peer`."""
        me = self.room.local_participant
        try:
            answer = await me.perform_rpc(
                destination_identity=identity, method=method, payload=payload, response_timeout=response_timeout
            )
            return RpcOutcome(answer)
        except rtc.RpcError as error:
            return RpcOutcome(code=error.code, message=error.message, data=error.data or "")

    async def events(self) -> list[EventRecord]:
        """See `Peer`; names as in livekit.rtc."""
        return list(self._events)

    async def forget_records(self) -> None:
        """See `Peer`."""
        self._events.clear()
        self._data.clear()
        self._streams.clear()

    async def set_name(self, name: str) -> None:
        """See `Peer`."""
        await self.room.local_participant.set_name(name)

    async def set_metadata(self, metadata: str) -> None:
        """See `Peer`."""
        await self.room.local_participant.set_metadata(metadata)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """See `Peer`."""
        await self.room.local_participant.set_attributes(dict(attributes))

    async def _changed(self, since: int) -> int:
        if self._changes <= since:
            await asyncio.wait([waiting := asyncio.create_task(self._change.wait())], timeout=1)
            waiting.cancel()
        return self._changes


async def _answer(data: rtc.RpcInvocationData) -> str:
    match data.method:
        case "refuse":
            raise rtc.RpcError(REFUSED.code, REFUSED.message, REFUSED.data)
        case "crash":
            raise ValueError("secret")
        case "hang":
            await asyncio.Event().wait()
        case _:
            pass
    return data.payload * (2 if data.method == "twice" else 1)


def _participant(found: rtc.Participant) -> ParticipantState:
    return ParticipantState(
        identity=found.identity,
        sid=found.sid,
        name=found.name,
        metadata=found.metadata,
        attributes=dict(found.attributes),
        quality=_QUALITIES.get(found.connection_quality, "unknown"),
        tracks=tuple(map(_track, found.track_publications.values())),
    )


def _track(found: rtc.TrackPublication) -> TrackState:
    return TrackState(
        sid=found.sid,
        name=found.name,
        kind=_KINDS.get(found.kind, "unknown"),
        source=_SOURCES.get(found.source, "unknown"),
        muted=found.muted,
        subscribed=found.track is not None,
        mime_type=found.mime_type,
    )


def _describe(value: object) -> str:
    for name in ("identity", "sid"):
        if isinstance(text := getattr(value, name, None), str):
            return text
    return str(value)
