"""livekit-client 2.23.0 as a peer: a page of rooms, each a `Peer`."""

import base64
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

from tests.harness.pages import Browser, Page, js_call
from tests.harness.peers import (
    REFUSED,
    DataMessage,
    EventRecord,
    FileKind,
    Peer,
    PeerState,
    RpcMethod,
    RpcOutcome,
    Source,
    StreamMessage,
    TrackFrame,
    VideoStats,
)
from tests.harness.site import Site

_keys = itertools.count(1)


class JsPeer(Peer):
    """A room of livekit-client in a page that shows `js_peer.html`. Options keep livekit-client's camelCase names."""

    make = "livekit-client"
    file_kinds = ("native",)

    def __init__(self, page: Page, identity: str = "") -> None:
        self.page = page
        self.identity = identity
        self._key = 0

    @staticmethod
    async def open_page(browser: Browser, site: Site) -> Page:
        """A page in which JsPeers can live."""
        page = await browser.new_page()
        await page.goto(site.url("/harness/js_peer.html"))
        return page

    @classmethod
    async def open(cls, browser: Browser, site: Site) -> Self:
        """A peer in a page of its own."""
        return cls(await cls.open_page(browser, site))

    async def call(self, function: str, *args: Any) -> Any:
        """Call a JavaScript function of (peer, ...args), where `peer.room` is the livekit-client Room."""
        wrapper = f"(key, ...args) => ({function})(lkPeers.get(key), ...args)"
        return await self.page.evaluate(js_call(wrapper, self._key, *args))

    async def connect(
        self,
        url: str,
        token: str,
        *,
        room_options: Mapping[str, Any] | None = None,
        connect_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """See `Peer`. `room_options` and `options` together are RoomOptions; `connect_options` is its namesake."""
        if not self._key:
            self._key = next(_keys)
            await self.page.evaluate(js_call("lkPeers.create", self._key))
        merged = {**(room_options or {}), **options}
        await self.call("(peer, ...args) => peer.connect(...args)", url, token, merged, dict(connect_options or {}))
        self.identity = await self.call("(peer) => peer.room.localParticipant.identity")

    async def disconnect(self) -> None:
        """See `Peer`."""
        if self._key:
            await self.call("(peer) => peer.disconnect()")

    async def drop(self) -> None:
        """Disconnect and forget the room, so that a session's page does not fill up."""
        await self.disconnect()
        if self._key:
            await self.page.evaluate(js_call("lkPeers.drop", self._key))
            self._key = 0

    async def _local(self, method: str, *args: Any) -> None:
        await self.call(
            "async (peer, name, ...args) => { await peer.room.localParticipant[name](...args) }", method, *args
        )

    async def set_camera(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are VideoCaptureOptions."""
        await self._local("setCameraEnabled", enabled, options)

    async def set_small_camera(self) -> None:
        """See `Peer`."""
        await self.set_camera(True, resolution={"width": 320, "height": 180, "frameRate": 20})

    async def set_microphone(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are AudioCaptureOptions."""
        await self._local("setMicrophoneEnabled", enabled, options)

    async def set_screen_share(self, enabled: bool, **options: Any) -> None:
        """See `Peer`; options are ScreenShareCaptureOptions."""
        await self._local("setScreenShareEnabled", enabled, options)

    async def mute(self, source: Source, muted: bool = True) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.mute(...args)", source, muted)

    async def state(self) -> PeerState:
        """See `Peer`."""
        return PeerState.read(await self.call("(peer) => peer.state()"))

    async def video_stats(self, identity: str, source: Source = "camera") -> VideoStats:
        """See `Peer`. Width and height are the element's."""
        return VideoStats(**await self.call("(peer, ...args) => peer.video(...args)", identity, source))

    async def audio_energy(self, identity: str, seconds: float = 1.0) -> float:
        """See `Peer`. From the receiver's `totalAudioEnergy`, so the sound has gone through the jitter buffer."""
        return float(await self.call("(peer, ...args) => peer.audio(...args)", identity, seconds))

    async def publish_data(
        self, data: bytes, *, reliable: bool = True, topic: str = "", identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        payload = base64.b64encode(data).decode()
        await self.call("(peer, ...args) => peer.publish(...args)", payload, reliable, topic, list(identities))

    async def publish_numbers(self, count: int, *, topic: str) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.publishNumbers(...args)", count, topic)

    async def data(self) -> list[DataMessage]:
        """See `Peer`."""
        received = await self.call("(peer) => peer.data")
        return [DataMessage(base64.b64decode(message.pop("data")), **message) for message in received]

    async def take_streams(self, topic: str) -> None:
        """See `Peer`."""
        await self.call("(peer, topic) => peer.takeStreams(topic)", topic)

    async def _send(self, method: str, kind: str, content: str | list[str], **options: Any) -> None:
        await self.call("(peer, method, ...args) => peer[method](...args)", method, kind, content, options)

    async def send_text(
        self, text: str, *, topic: str, attributes: Mapping[str, str] | None = None, identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        options = {"topic": topic, "attributes": dict(attributes or {}), "identities": list(identities)}
        await self._send("sendStream", "text", text, **options)

    async def send_long_text(self, blocks: int, *, topic: str) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.sendLongText(...args)", blocks, topic)

    async def send_attached(self, text: str, files: Mapping[str, bytes], *, topic: str) -> list[float]:
        """Send a text with files to all; the progress that is told of it."""
        content = {name: base64.b64encode(data).decode() for name, data in files.items()}
        progress: list[float] = await self.call("(peer, ...args) => peer.sendAttached(...args)", text, content, topic)
        return progress

    async def stream_text(
        self, pieces: Sequence[str], *, topic: str, attributes: Mapping[str, str] | None = None, reply_to: str = ""
    ) -> None:
        """See `Peer`."""
        options: dict[str, Any] = {"topic": topic, "attributes": dict(attributes or {})}
        if reply_to:
            options["replyToStreamId"] = reply_to
        await self._send("writeStream", "text", list(pieces), **options)

    async def begin_text(self, piece: str, *, topic: str) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.beginText(...args)", piece, {"topic": topic})

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
        options = {"topic": topic, "name": name, "mimeType": mime_type, "attributes": dict(attributes or {})}
        content = base64.b64encode(data).decode()
        await self._send("sendStream", "bytes", content, **options, identities=list(identities))

    async def stream_bytes(
        self, pieces: Sequence[bytes], *, topic: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """See `Peer`."""
        content = [base64.b64encode(piece).decode() for piece in pieces]
        await self._send("writeStream", "bytes", content, topic=topic, attributes=dict(attributes or {}))

    async def send_file(self, kind: FileKind, content: bytes, name: str, *, topic: str) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.sendFile(...args)", base64.b64encode(content).decode(), name, topic)

    async def streams(self) -> list[StreamMessage]:
        """See `Peer`."""
        return [StreamMessage.read(found) for found in await self.call("(peer) => peer.streams")]

    async def publish_data_track(self, name: str) -> None:
        """See `Peer`."""
        await self.call("(peer, name) => peer.publishDataTrack(name)", name)

    async def push_frame(self, name: str, frame: TrackFrame) -> None:
        """See `Peer`."""
        payload = base64.b64encode(frame.data or b"").decode()
        timestamp = None if frame.timestamp is None else str(frame.timestamp)
        await self.call("(peer, ...args) => peer.pushFrame(...args)", name, payload, timestamp)

    async def unpublish_data_track(self, name: str) -> None:
        """See `Peer`."""
        await self.call("(peer, name) => peer.unpublishDataTrack(name)", name)

    async def subscribe_data_track(self, identity: str, name: str) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.subscribeDataTrack(...args)", identity, name)

    async def frames(self, identity: str, name: str) -> list[TrackFrame]:
        """See `Peer`."""
        found = await self.call("(peer, key) => peer.frames.get(key) ?? []", f"{identity} {name}")
        return [TrackFrame.read(frame) for frame in found]

    async def register_rpc(self, method: RpcMethod) -> None:
        """See `Peer`."""
        await self.call("(peer, ...args) => peer.registerRpc(...args)", method, dataclasses.asdict(REFUSED))

    async def perform_rpc(
        self, identity: str, method: str, payload: str, *, response_timeout: float | None = None
    ) -> RpcOutcome:
        """See `Peer`."""
        arguments = (identity, method, payload, response_timeout)
        return RpcOutcome(**await self.call("(peer, ...args) => peer.performRpc(...args)", *arguments))

    @contextlib.asynccontextmanager
    async def explains(self, source: Source = "camera") -> AsyncIterator[None]:
        """If the block fails, print what this peer sends of its video: its browser may have left out a layer."""
        try:
            yield
        except BaseException:
            print(await self.call("(peer, ...args) => peer.sends(...args)", source))
            raise

    @contextlib.asynccontextmanager
    async def deaf(self) -> AsyncIterator[None]:
        """Hear none of the others' packets, for the time of the block."""
        await self.call("(peer) => peer.setDeaf(true)")
        yield
        await self.call("(peer) => peer.setDeaf(false)")

    async def events(self) -> list[EventRecord]:
        """See `Peer`; names as in livekit-client's RoomEvent."""
        return [EventRecord(event["name"], tuple(event["args"])) for event in await self.call("(peer) => peer.events")]

    async def forget_records(self) -> None:
        """See `Peer`."""
        await self.call("(peer) => peer.forgetRecords()")

    async def set_name(self, name: str) -> None:
        """See `Peer`."""
        await self._local("setName", name)

    async def set_metadata(self, metadata: str) -> None:
        """See `Peer`."""
        await self._local("setMetadata", metadata)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """See `Peer`."""
        await self._local("setAttributes", dict(attributes))

    async def _changed(self, since: int) -> int:
        return int(await self.call("(peer, since) => peer.nextChange(since)", since))

    async def wait_js(self, predicate: str, timeout: float = 10) -> Any:
        """Wait until a JavaScript function of (peer) gives something truthy, looked at after every event."""
        return await self.call(
            f"""async (peer, seconds) => {{
                const deadline = performance.now() + seconds * 1000;
                for (let seen = -1; ; seen = await peer.nextChange(seen)) {{
                    const value = await ({predicate})(peer);
                    if (value) return value === true ? true : JSON.parse(JSON.stringify(value));
                    if (performance.now() > deadline) throw new Error("not within " + seconds + " s");
                }}
            }}""",
            timeout,
        )
