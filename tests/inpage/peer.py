"""Our client as a peer: a room in the page that does what the test process tells it (tests/harness/py_peer.py)."""

import asyncio
import math
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lk_pyodide import (
    ByteStreamInfo,
    ByteStreamReader,
    DataReceived,
    DataStreamError,
    DataTrackFrame,
    DataTrackStream,
    Event,
    LocalDataTrack,
    RemoteDataTrack,
    Room,
    RoomConnectOptions,
    RoomOptions,
    RpcError,
    RpcInvocationData,
    TextStreamInfo,
    TextStreamReader,
    TrackSource,
    TrackSubscribed,
    VideoCaptureOptions,
    VideoPresets,
)
from lk_pyodide.browser.current import current
from lk_pyodide.participant import Participant
from lk_pyodide.publication import LocalTrackPublication, RemoteTrackPublication, TrackPublication
from lk_pyodide.session import connecting
from lk_pyodide.track import RemoteTrack
from tests.inpage import steps
from tests.inpage.texts import compact, long_text

SOURCES = {
    "unknown": TrackSource.UNKNOWN,
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREENSHARE,
    "screen_share_audio": TrackSource.SCREENSHARE_AUDIO,
}
NAMES = {source: name for name, source in SOURCES.items()}


async def reach_page() -> None:
    """What every room of this Python shares is there from now on: no run has left it behind."""
    await current().ready()


async def serve(host: str = "page") -> None:
    """Do one command after another, each as a task of its own, until the command None."""
    peer = PagePeer(host)
    running: set[asyncio.Task[None]] = set()
    number = 0
    while True:
        command = await steps.until(f"command {number}", timeout=3600)
        if command is None:
            break
        task = asyncio.create_task(_answer(peer, number, command))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
    await peer.disconnect()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _answer(peer: "PagePeer", number: int, command: dict[str, Any]) -> None:
    try:
        answer = {"value": await getattr(peer, command["name"])(**command["arguments"])}
    except Exception as error:
        answer = {"failure": type(error).__name__, "traceback": traceback.format_exc()}
    steps.reached(f"answer {number}", answer)


class PagePeer:
    """A room, and what has happened in it. `host` is where Python is: on the `page`, or in which worker."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.room = Room()
        self.log: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.read: list[dict[str, Any]] = []
        self.data_tracks: dict[str, LocalDataTrack] = {}
        self.track_frames: dict[str, list[dict[str, Any]]] = {}
        self.reading: set[asyncio.Task[None]] = set()
        self.topics: set[str] = set()
        self.changes = 0
        self.change = asyncio.Event()

    async def connect(self, url: str, token: str, options: Mapping[str, Any], auto_subscribe: bool) -> str:
        self.room = Room(RoomOptions(**options))
        self.topics.clear()
        for event in self.room._known.values():
            self.room.on(event, self._happened)
        await self.room.connect(url, token, RoomConnectOptions(auto_subscribe=auto_subscribe))
        return self.room.local_participant.identity

    async def connect_as_older(self, url: str, token: str) -> str:
        module: dict[str, Any] = connecting.__dict__
        known, module["CLIENT_PROTOCOL"] = module["CLIENT_PROTOCOL"], 0
        try:
            return await self.connect(url, token, {}, True)
        finally:
            module["CLIENT_PROTOCOL"] = known

    async def disconnect(self) -> None:
        await self.room.disconnect()

    async def serves(self) -> bool:
        """Whether this tab is the server of a room without a backend."""
        from lk_pyodide.local import network  # where it is used

        known = network._candidates.values()
        return any(candidate._host is not None for candidates in known for candidate in candidates.values())

    def _happened(self, event: Event) -> None:
        self.log.append({"name": event.event_name, "args": [_described(value) for value in event.arguments()]})
        match event:
            case DataReceived(packet):
                sender = packet.participant.identity if packet.participant is not None else ""
                reliable = packet.kind.name == "RELIABLE"
                self.received.append(
                    {"data": packet.data, "topic": packet.topic or "", "reliable": reliable, "sender": sender}
                )
            case TrackSubscribed(track, _, _):
                track.attach("body")
            case _:
                pass
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        self.change.set()
        self.change = asyncio.Event()

    async def next_change(self, since: int) -> int:
        if self.changes <= since:
            try:
                await asyncio.wait_for(self.change.wait(), 1)
            except TimeoutError:
                pass  # some state changes without an event
        return self.changes

    async def events(self) -> list[dict[str, Any]]:
        return self.log

    async def forget_records(self) -> None:
        for records in (self.log, self.received, self.read):
            records.clear()

    async def data(self) -> list[dict[str, Any]]:
        return self.received

    async def state(self) -> dict[str, Any]:
        room = self.room
        return {
            "state": room.state.name.lower(),
            "room": room.name,
            "metadata": room.metadata,
            "local": _participant(room.local_participant),
            "remotes": {identity: _participant(remote) for identity, remote in room.remote_participants.items()},
        }

    async def set_camera(self, enabled: bool) -> None:
        await self.room.local_participant.set_camera_enabled(enabled)

    async def set_small_camera(self) -> None:
        small = VideoCaptureOptions(resolution=VideoPresets.H180.resolution)
        await self.room.local_participant.set_camera_enabled(True, small)

    async def set_microphone(self, enabled: bool) -> None:
        await self.room.local_participant.set_microphone_enabled(enabled)

    async def set_screen_share(self, enabled: bool) -> None:
        await self.room.local_participant.set_screen_share_enabled(enabled)

    async def mute(self, source: str, muted: bool) -> None:
        publication = self.room.local_participant.get_track_publication(SOURCES[source])
        assert publication is not None
        await (publication.mute() if muted else publication.unmute())

    async def devices(self, kind: str) -> list[str]:
        return [device.device_id for device in await Room.get_local_devices(kind)]

    async def switch_device(self, kind: str, device_id: str) -> str | None:
        await self.room.switch_active_device(kind, device_id)
        return self.room.get_active_device(kind)

    async def publish_data(self, data: bytes, reliable: bool, topic: str, identities: Sequence[str]) -> None:
        await self.room.local_participant.publish_data(
            data, reliable=reliable, topic=topic, destination_identities=identities
        )

    async def publish_numbers(self, count: int, topic: str) -> None:
        for number in range(count):
            await self.room.local_participant.publish_data(str(number), topic=topic)

    async def take_streams(self, topic: str) -> None:
        if topic in self.topics:
            return
        self.topics.add(topic)
        self.room.register_text_stream_handler(topic, self._read)
        self.room.register_byte_stream_handler(topic, self._read)

    async def _read(self, reader: TextStreamReader | ByteStreamReader, sender: str) -> None:
        data, failed = bytearray(), ""
        try:
            async for piece in reader:
                data += piece.encode() if isinstance(piece, str) else piece
        except DataStreamError as error:
            failed = error.reason.name
        info = reader.info
        found: dict[str, Any] = {"topic": info.topic, "sender": sender, "data": compact(data), "failed": failed}
        found |= {"id": info.stream_id, "size": info.size, "mime_type": info.mime_type}
        found["attributes"] = dict(info.attributes)
        match info:
            case TextStreamInfo():
                found |= {"kind": "text", "attachments": list(info.attachments), "reply_to": info.reply_to_id}
            case ByteStreamInfo():
                found |= {"kind": "bytes", "name": info.name}
        self.read.append(found)
        self._changed()

    async def streams(self) -> list[dict[str, Any]]:
        return self.read

    async def send_text(self, text: str, options: Mapping[str, Any]) -> None:
        await self.room.local_participant.send_text(text, **options)

    async def send_long_text(self, blocks: int, topic: str) -> None:
        await self.room.local_participant.send_text(long_text(blocks), topic=topic)

    async def send_attached(self, text: str, files: Mapping[str, bytes], topic: str) -> list[float]:
        from tests.inpage.native_files import make_native_file  # where there is JavaScript

        progress: list[float] = []
        native = [make_native_file(content, name, "text/x-test") for name, content in files.items()]
        await self.room.local_participant.send_text(text, topic=topic, attachments=native, on_progress=progress.append)
        return progress

    async def stream_text(self, pieces: Sequence[str], options: Mapping[str, Any]) -> None:
        async with await self.room.local_participant.stream_text(**options) as writer:
            for piece in pieces:
                await writer.write(piece)

    async def begin_text(self, piece: str, topic: str) -> None:
        writer = await self.room.local_participant.stream_text(topic=topic)
        await writer.write(piece)

    async def send_file(self, kind: str, content: bytes, name: str, topic: str) -> None:
        from tests.inpage.native_files import make_native_file  # where there is JavaScript

        path = Path(tempfile.gettempdir()) / name
        path.write_bytes(content)
        file = path if kind == "path" else make_native_file(content, name, "text/x-test")
        await self.room.local_participant.send_file(file, topic=topic)

    async def send_bytes(self, content: bytes, options: Mapping[str, Any]) -> None:
        await self.room.local_participant.send_bytes(content, **options)

    async def stream_bytes(self, pieces: Sequence[bytes], topic: str, attributes: Mapping[str, str]) -> None:
        me = self.room.local_participant
        async with await me.stream_bytes("unknown", topic=topic, attributes=attributes) as writer:
            for piece in pieces:
                await writer.write(piece)

    async def publish_data_track(self, name: str) -> None:
        self.data_tracks[name] = await self.room.local_participant.publish_data_track(name=name)

    async def push_frame(self, name: str, payload: bytes, timestamp: int | None) -> None:
        self.data_tracks[name].try_push(DataTrackFrame(payload, timestamp))

    async def unpublish_data_track(self, name: str) -> None:
        await self.data_tracks.pop(name).unpublish()

    async def subscribe_data_track(self, identity: str, name: str) -> None:
        track = await self.room.remote_participants[identity].data_tracks.get_deferred(name, timeout=10)
        frames = self.track_frames[f"{identity} {name}"] = []
        task = asyncio.create_task(self._read_frames(track.subscribe(), frames))
        self.reading.add(task)
        task.add_done_callback(self.reading.discard)

    async def _read_frames(self, stream: DataTrackStream, frames: list[dict[str, Any]]) -> None:
        async for frame in stream:
            frames.append({"data": frame.payload, "timestamp": frame.user_timestamp})
            self._changed()
        frames.append({"data": None, "timestamp": None})
        self._changed()

    async def frames(self, identity: str, name: str) -> list[dict[str, Any]]:
        return self.track_frames.get(f"{identity} {name}", [])

    async def register_rpc(self, method: str, refused: tuple[int, str, str]) -> None:
        @self.room.local_participant.register_rpc_method(method)
        async def answer(data: RpcInvocationData) -> str:
            match method:
                case "refuse":
                    raise RpcError(*refused)
                case "crash":
                    raise ValueError("secret")
                case "hang":
                    await asyncio.Event().wait()
                case _:
                    pass
            return data.payload * (2 if method == "twice" else 1)

    async def perform_rpc(
        self, identity: str, method: str, payload: str, response_timeout: float | None
    ) -> dict[str, Any]:
        me = self.room.local_participant
        try:
            answer = await me.perform_rpc(
                destination_identity=identity, method=method, payload=payload, response_timeout=response_timeout
            )
            return {"payload": answer}
        except RpcError as error:
            return {"code": error.code, "message": error.message, "data": error.data}

    async def set_name(self, name: str) -> None:
        await self.room.local_participant.set_name(name)

    async def set_metadata(self, metadata: str) -> None:
        await self.room.local_participant.set_metadata(metadata)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        await self.room.local_participant.set_attributes(attributes)

    async def video_stats(self, identity: str, source: str) -> dict[str, Any]:
        from tests.inpage.page_actions import look  # where there is JavaScript

        track = self._track(identity, source)
        stats = await _inbound(track)
        seen = await look(self.host, track._media.id) if track is not None else None
        if not stats or seen is None:
            return {"frames": 0, "width": 0, "height": 0, "contrast": 0.0}
        return {"frames": stats.get("framesDecoded", 0), **seen}

    async def audio_energy(self, identity: str, seconds: float) -> float:
        track = self._track(identity, "microphone")
        first = await _inbound(track)
        await asyncio.sleep(seconds)
        last = await _inbound(track)
        if not first or not last:
            return 0.0
        duration = last["totalSamplesDuration"] - first["totalSamplesDuration"]
        return math.sqrt((last["totalAudioEnergy"] - first["totalAudioEnergy"]) / duration) if duration > 0 else 0.0

    def _track(self, identity: str, source: str) -> RemoteTrack | None:
        participant = self.room.remote_participants.get(identity)
        publication = participant.get_track_publication(SOURCES[source]) if participant is not None else None
        return publication.track if publication is not None else None


async def _inbound(track: RemoteTrack | None) -> Any:
    if track is None:
        return None
    return next((entry for entry in await track.get_rtc_stats_report() if entry["type"] == "inbound-rtp"), None)


def _track_state(publication: TrackPublication) -> dict[str, Any]:
    subscribed = publication.track is not None
    if isinstance(publication, RemoteTrackPublication):
        subscribed = publication.subscribed
    return {
        "sid": publication.sid,
        "name": publication.name,
        "kind": publication.kind.name.lower(),
        "source": NAMES[publication.source],
        "muted": publication.muted,
        "subscribed": subscribed,
        "mime_type": publication.mime_type,
    }


def _participant(participant: Participant) -> dict[str, Any]:
    return {
        "identity": participant.identity,
        "sid": participant.sid,
        "name": participant.name,
        "metadata": participant.metadata,
        "attributes": dict(participant.attributes),
        "quality": participant.connection_quality.name.lower(),
        "tracks": [_track_state(publication) for publication in participant.track_publications.values()],
    }


def _described(value: object) -> str:
    match value:
        case Participant():
            return value.identity
        case LocalTrackPublication() | RemoteTrackPublication():
            return f"{NAMES[value.source]} {value.sid}"
        case LocalDataTrack() | RemoteDataTrack():
            return value.info.name
        case list():
            return " ".join(map(_described, value))
        case _:
            return str(value)
