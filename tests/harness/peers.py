"""What every peer of the tests can do, whoever made it: one vocabulary over livekit-client and the Rust core."""

import asyncio
import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

Source = Literal["camera", "microphone", "screen_share", "screen_share_audio", "unknown"]
RpcMethod = Literal["echo", "twice", "refuse", "crash", "hang"]
"""What others can call: gives the payload, or that twice; raises an RpcError (`REFUSED`) or another; never ends."""
FileKind = Literal["path", "native"]
"""What is sent as a file: one that Python sees, or an object of the browser's."""

AT_ONCE = 3.0
"""Seconds after which what is seen at once has been seen: three times what users are promised."""


@dataclass(frozen=True)
class TrackState:
    """A publication as a peer sees it."""

    sid: str
    name: str
    kind: Literal["audio", "video", "unknown"]
    source: Source
    muted: bool
    subscribed: bool
    mime_type: str = ""


@dataclass(frozen=True)
class ParticipantState:
    """A participant as a peer sees it. `quality` is excellent, good, poor, lost or unknown."""

    identity: str
    sid: str
    name: str
    metadata: str
    attributes: dict[str, str]
    quality: str
    tracks: tuple[TrackState, ...] = ()

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """From what a page tells, in JSON."""
        return replace(cls(**found), tracks=tuple(TrackState(**track) for track in found["tracks"]))

    def track(self, source: Source) -> TrackState | None:
        """The publication of a source, if there is one."""
        return next((track for track in self.tracks if track.source == source), None)

    def subscribed(self, source: Source) -> bool:
        """Whether that source is published and its track has arrived."""
        return (track := self.track(source)) is not None and track.subscribed

    def muted(self, source: Source) -> bool | None:
        """Whether that source is muted; None when it is not published."""
        return None if (track := self.track(source)) is None else track.muted


@dataclass(frozen=True)
class PeerState:
    """A room as a peer sees it. `state` is connected, disconnected, connecting, reconnecting."""

    state: str
    room: str
    metadata: str
    local: ParticipantState
    remotes: dict[str, ParticipantState] = field(default_factory=dict[str, ParticipantState])

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """From what a page tells, in JSON."""
        remotes = {identity: ParticipantState.read(remote) for identity, remote in found["remotes"].items()}
        local = ParticipantState.read(found["local"])
        return cls(found["state"], found["room"], found["metadata"], local, remotes)

    def remote(self, identity: str) -> ParticipantState:
        """A remote participant; one that is not there has no sid and no tracks."""
        return self.remotes.get(identity) or ParticipantState(identity, "", "", "", {}, "unknown")


@dataclass(frozen=True)
class DataMessage:
    """A received data packet; `sender` is empty for the server's."""

    data: bytes
    topic: str
    reliable: bool
    sender: str


@dataclass(frozen=True)
class StreamMessage:
    """A text (its UTF-8) or byte stream that has been read to its end, or as far as it came: then `failed` says how.

    `kind` is text or bytes; `data` is a digest of what is long (`tests.inpage.texts.compact`); `id` and `attachments`
    are the stream's ids, and `reply_to` that of another text, which only ours tells.
    """

    kind: str
    topic: str
    sender: str
    data: bytes
    id: str
    attributes: dict[str, str]
    size: int | None = None
    name: str = ""
    mime_type: str = ""
    attachments: tuple[str, ...] = ()
    reply_to: str = ""
    failed: str = ""

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """From what a page tells, in JSON, its bytes as text in base64."""
        message = cls(**found)
        data = base64.b64decode(found["data"]) if isinstance(found["data"], str) else message.data
        return replace(message, data=data, attachments=tuple(message.attachments))


@dataclass(frozen=True)
class TrackFrame:
    """A frame of somebody's data track; one without anything is the track's end."""

    data: bytes | None
    timestamp: int | None = None

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """From what a page tells, in JSON, its bytes and its timestamp perhaps as text."""
        data, timestamp = found["data"], found["timestamp"]
        decoded = base64.b64decode(data) if isinstance(data, str) else data
        return cls(decoded, None if timestamp is None else int(timestamp))


END = TrackFrame(None)


@dataclass(frozen=True)
class EventRecord:
    """A room event, its arguments as text."""

    name: str
    args: tuple[str, ...]


@dataclass(frozen=True)
class VideoStats:
    """Received video so far. `contrast` is the spread of brightness in the last picture (0 when it is one colour)."""

    frames: int
    width: int
    height: int
    contrast: float = 0.0


@dataclass(frozen=True)
class RpcOutcome:
    """What came of a call: a payload, or an error, which has a code."""

    payload: str = ""
    code: int = 0
    message: str = ""
    data: str = ""


REFUSED = RpcOutcome(code=101, message="nö", data="because 🦊")


class PeerTimeout(AssertionError):
    """Something did not become true in time; says what was seen instead."""


class Peer(ABC):
    """A participant of another make. Everything awaits; times are seconds."""

    make: str
    file_kinds: tuple[FileKind, ...]
    identity: str

    @abstractmethod
    async def connect(self, url: str, token: str, **options: Any) -> None:
        """Join; options are the peer's own."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Leave; harmless when not connected."""

    @abstractmethod
    async def set_camera(self, enabled: bool, **options: Any) -> None:
        """Publish (or unmute), or mute, a moving picture as a camera."""

    @abstractmethod
    async def set_small_camera(self) -> None:
        """Publish a moving picture as a camera that is small, so that several of them leave the machine at ease."""

    @abstractmethod
    async def set_microphone(self, enabled: bool, **options: Any) -> None:
        """Publish (or unmute), or mute, a sounding tone as a microphone."""

    @abstractmethod
    async def set_screen_share(self, enabled: bool, **options: Any) -> None:
        """Publish or unpublish a screen."""

    @abstractmethod
    async def mute(self, source: Source, muted: bool = True) -> None:
        """Mute or unmute an own publication."""

    @abstractmethod
    async def state(self) -> PeerState:
        """The room as it looks now."""

    @abstractmethod
    async def video_stats(self, identity: str, source: Source = "camera") -> VideoStats:
        """What has arrived of somebody's video; zeros when nothing."""

    async def arrived(self, identity: str, source: Source = "camera") -> str:
        """The peer's own account of what has arrived of somebody's video, for the message of a failure."""
        return f"{self.make} keeps no account of {identity}'s {source}"

    @abstractmethod
    async def audio_energy(self, identity: str, seconds: float = 1.0) -> float:
        """The RMS (0 to 1) of somebody's microphone over the next seconds."""

    @abstractmethod
    async def publish_data(
        self, data: bytes, *, reliable: bool = True, topic: str = "", identities: Sequence[str] = ()
    ) -> None:
        """Send a data packet to all, or to some."""

    @abstractmethod
    async def publish_numbers(self, count: int, *, topic: str) -> None:
        """Send so many reliable data packets to all, as fast as it goes: 0, 1, 2..."""

    @abstractmethod
    async def data(self) -> list[DataMessage]:
        """The data packets received so far."""

    @abstractmethod
    async def take_streams(self, topic: str) -> None:
        """Read the text and byte streams of a topic; twice is once."""

    @abstractmethod
    async def send_text(
        self, text: str, *, topic: str, attributes: Mapping[str, str] | None = None, identities: Sequence[str] = ()
    ) -> None:
        """Send a text in one call."""

    @abstractmethod
    async def send_long_text(self, blocks: int, *, topic: str) -> None:
        """Send `tests.inpage.texts.long_text`, made where it is sent, in one call to all."""

    @abstractmethod
    async def stream_text(
        self, pieces: Sequence[str], *, topic: str, attributes: Mapping[str, str] | None = None, reply_to: str = ""
    ) -> None:
        """Send a text to all, piece by piece."""

    @abstractmethod
    async def begin_text(self, piece: str, *, topic: str) -> None:
        """Send a piece of a text to all, and never the end."""

    @abstractmethod
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
        """Send bytes in one call."""

    @abstractmethod
    async def stream_bytes(
        self, pieces: Sequence[bytes], *, topic: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Send bytes to all, piece by piece."""

    @abstractmethod
    async def send_file(self, kind: FileKind, content: bytes, name: str, *, topic: str) -> None:
        """Send a file of one of `file_kinds` to all."""

    @abstractmethod
    async def streams(self) -> list[StreamMessage]:
        """The streams that have been read so far."""

    @abstractmethod
    async def publish_data_track(self, name: str) -> None:
        """Publish a data track."""

    @abstractmethod
    async def push_frame(self, name: str, frame: TrackFrame) -> None:
        """Send a frame on an own data track."""

    @abstractmethod
    async def unpublish_data_track(self, name: str) -> None:
        """Publish a data track no more."""

    @abstractmethod
    async def subscribe_data_track(self, identity: str, name: str) -> None:
        """Read somebody's data track from now on, once it is published."""

    @abstractmethod
    async def frames(self, identity: str, name: str) -> list[TrackFrame]:
        """The frames of somebody's data track so far, and its end if it has ended."""

    @abstractmethod
    async def register_rpc(self, method: RpcMethod) -> None:
        """Let others call a method."""

    @abstractmethod
    async def perform_rpc(
        self, identity: str, method: str, payload: str, *, response_timeout: float | None = None
    ) -> RpcOutcome:
        """Call somebody's method."""

    @abstractmethod
    async def events(self) -> list[EventRecord]:
        """The room events so far."""

    @abstractmethod
    async def forget_records(self) -> None:
        """Begin the lists of events, data and streams anew."""

    @abstractmethod
    async def set_name(self, name: str) -> None:
        """Change the own name."""

    @abstractmethod
    async def set_metadata(self, metadata: str) -> None:
        """Change the own metadata."""

    @abstractmethod
    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Change own attributes."""

    @abstractmethod
    async def _changed(self, since: int) -> int:
        """Return the number of changes seen, once it is above `since` or after a second at most."""

    def _timeout(self, text: str) -> PeerTimeout:
        return PeerTimeout(f"{self.make} peer {self.identity!r}: {text}")

    async def wait_for(
        self, condition: Callable[[PeerState], object], timeout: float = 10, what: str = "the condition"
    ) -> PeerState:
        """Wait until a condition on the state holds; looked at again after every event."""
        deadline = time.monotonic() + timeout
        seen = -1
        while not condition(state := await self.state()):
            if time.monotonic() > deadline:
                events = [event.name for event in (await self.events())[-12:]]
                raise self._timeout(f"{what} did not hold within {timeout} s\nlast: {state}\n{events}")
            seen = await self._changed(seen)
        return state

    async def wait_remote(
        self,
        identity: str,
        condition: Callable[[ParticipantState], object] = lambda _participant: True,
        timeout: float = 10,
        what: str = "presence",
    ) -> ParticipantState:
        """Wait until a remote participant is there and fulfils a condition."""
        state = await self.wait_for(
            lambda state: identity in state.remotes and condition(state.remotes[identity]),
            timeout,
            f"{identity}: {what}",
        )
        return state.remotes[identity]

    async def wait_gone(self, identity: str, timeout: float = 10) -> float:
        """Wait until a remote participant has left; the seconds it took."""
        started = time.monotonic()
        await self.wait_for(lambda state: identity not in state.remotes, timeout, f"{identity} gone")
        seconds = time.monotonic() - started
        print(f"{identity} was gone after {seconds:.2f} s")
        return seconds

    async def wait_data(
        self, condition: Callable[[DataMessage], bool] = lambda _message: True, timeout: float = 10
    ) -> DataMessage:
        """Wait for a data packet, or find one that has come."""
        deadline = time.monotonic() + timeout
        seen = -1
        while True:
            received = await self.data()
            if found := next(filter(condition, received), None):
                return found
            if time.monotonic() > deadline:
                raise self._timeout(f"no such data in {timeout} s; got {received[-5:]}")
            seen = await self._changed(seen)

    async def wait_stream(
        self, condition: Callable[[StreamMessage], bool] = lambda _message: True, timeout: float = 20
    ) -> StreamMessage:
        """Wait for a stream that has been read, or find one."""
        deadline = time.monotonic() + timeout
        seen = -1
        while True:
            received = await self.streams()
            if found := next(filter(condition, received), None):
                return found
            if time.monotonic() > deadline:
                seen_so_far = [replace(message, data=message.data[:20]) for message in received[-5:]]
                raise self._timeout(f"no such stream in {timeout} s; got {seen_so_far}")
            seen = await self._changed(seen)

    async def wait_frame(
        self, identity: str, name: str, condition: Callable[[TrackFrame], bool], timeout: float = 10
    ) -> TrackFrame:
        """Wait for a frame of somebody's data track, or find one that has come."""
        deadline = time.monotonic() + timeout
        seen = -1
        while True:
            received = await self.frames(identity, name)
            if found := next(filter(condition, received), None):
                return found
            if time.monotonic() > deadline:
                seen_so_far = [replace(frame, data=frame.data and frame.data[:20]) for frame in received[-5:]]
                raise self._timeout(f"no such frame of {identity}'s {name} in {timeout} s; got {seen_so_far}")
            seen = await self._changed(seen)

    async def push_to(self, readers: "Sequence[Peer]", name: str, frame: TrackFrame, timeout: float = 10) -> None:
        """Push a frame until all have it: what is lost on the way, or sent before a subscription stands, is gone."""
        deadline = time.monotonic() + timeout
        missing = list(readers)
        while missing:
            await self.push_frame(name, frame)
            for reader in list(missing):
                try:
                    await reader.wait_frame(self.identity, name, lambda found: found == frame, timeout=0.5)
                    missing.remove(reader)
                except PeerTimeout:
                    if time.monotonic() > deadline:
                        raise

    async def wait_event(self, name: str, timeout: float = 10) -> EventRecord:
        """Wait for a room event, or find one that has come. Names are the peer's own."""
        deadline = time.monotonic() + timeout
        seen = -1
        while True:
            if found := next((event for event in await self.events() if event.name == name), None):
                return found
            if time.monotonic() > deadline:
                raise self._timeout(f"no {name} in {timeout} s: {await self.events()}")
            seen = await self._changed(seen)

    async def wait_latest(self, name: str, args: Sequence[str], timeout: float = 15) -> None:
        """Wait until the newest room event of a name has these arguments."""
        deadline = time.monotonic() + timeout
        seen = -1
        while True:
            events = [event for event in await self.events() if event.name == name]
            if events and events[-1].args == tuple(args):
                return
            if time.monotonic() > deadline:
                raise self._timeout(f"the newest {name} has not {args} in {timeout} s: {events[-5:]}")
            seen = await self._changed(seen)

    async def wait_video(
        self, identity: str, source: Source = "camera", *, more: int = 5, timeout: float = 15
    ) -> VideoStats:
        """Wait until so many more frames of somebody's video have been decoded and the picture is not one colour."""
        first = (await self.video_stats(identity, source)).frames
        deadline = time.monotonic() + timeout
        while True:
            stats = await self.video_stats(identity, source)
            if stats.frames < first:
                first = 0  # the track was replaced
            if stats.frames >= first + more and stats.contrast > 0:
                return stats
            if time.monotonic() > deadline:
                arrived = await self.arrived(identity, source)
                raise self._timeout(f"{identity}'s {source} went from {first} to {stats} in {timeout} s\n{arrived}")
            await asyncio.sleep(0.1)  # statistics have no event to wait for

    async def wait_dark(self, identity: str, source: Source = "camera", *, timeout: float = 15) -> VideoStats:
        """Wait until frames of somebody's video have been decoded, whatever they show."""
        deadline = time.monotonic() + timeout
        while not (stats := await self.video_stats(identity, source)).frames:
            if time.monotonic() > deadline:
                raise self._timeout(f"nothing of {identity}'s {source} came in {timeout} s")
            await asyncio.sleep(0.1)  # statistics have no event to wait for
        return stats

    async def wait_audio(self, identity: str, *, above: float = 0.005, timeout: float = 15) -> float:
        """Wait until somebody's microphone can be heard; the RMS measured."""
        deadline = time.monotonic() + timeout
        while (energy := await self.audio_energy(identity, 1.0)) <= above:
            if time.monotonic() > deadline:
                raise self._timeout(f"{identity} is silent (RMS {energy:.5f}) after {timeout} s")
        return energy

    async def wait_silence(self, identity: str, *, below: float = 0.001, timeout: float = 10) -> float:
        """Wait until somebody's microphone has gone silent (what is in the jitter buffer plays on for a moment)."""
        deadline = time.monotonic() + timeout
        while (energy := await self.audio_energy(identity, 0.5)) >= below:
            if time.monotonic() > deadline:
                raise self._timeout(f"{identity} still sounds (RMS {energy:.5f}) after {timeout} s")
        return energy
