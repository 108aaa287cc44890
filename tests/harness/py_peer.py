"""Our own client as a peer: Python in a page, told what to do from here."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

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
from tests.harness.python_page import PythonPage, RemoteFailure, RunHandle
from tests.inpage import peer as inpage

_ASKED_FOR_A_CLICK = """new Promise((resolve) => {
  const look = () => document.querySelector(".lk-agent-hint") ? resolve(true) : requestAnimationFrame(look);
  look();
})"""


class PyPeer(Peer):
    """A room of ours, in a page that boots Python once a session. Options are RoomOptions, by name."""

    make = "lk_pyodide"
    file_kinds = ("path", "native")

    def __init__(self, page: PythonPage, identity: str = "") -> None:
        self.page = page
        self.identity = identity
        self._run: RunHandle[None] | None = None
        self._number = 0
        self._numbering = asyncio.Lock()

    async def command(self, command: str, /, timeout: float = 30, **arguments: Any) -> Any:
        """Have the page do something; its answer."""
        async with self._numbering:
            if self._run is None:
                await self.page.prepare(inpage.reach_page)
                self._run = await self.page.start(inpage.serve, host=self.page.host)
            run, number = self._run, self._number
            self._number += 1
            await run.signal(f"command {number}", {"name": command, "arguments": arguments})
        answer = await run.reached(f"answer {number}", timeout)
        if "failure" in answer:
            text = answer["traceback"]
            raise RemoteFailure(answer["failure"], text.strip().splitlines()[-1], text)
        return answer["value"]

    async def end(self) -> None:
        """Leave, and let the leak gate judge."""
        run, self._run = self._run, None
        if run is not None:
            await run.signal(f"command {self._number}", None)
            self._number = 0
            await run.result()

    async def forget(self) -> None:
        """The worker or the page was ended under the room."""
        run, self._run = self._run, None
        if run is not None:
            await run.forget()
            self._number = 0

    async def connect(self, url: str, token: str, *, auto_subscribe: bool = True, **options: Any) -> None:
        """See `Peer`."""
        self.identity = await self.command(
            "connect", url=url, token=token, options=options, auto_subscribe=auto_subscribe
        )

    async def connect_as_older(self, url: str, token: str) -> None:
        """Join as a client that knows the first version of streams and of calls only."""
        self.identity = await self.command("connect_as_older", url=url, token=token)

    async def disconnect(self) -> None:
        """See `Peer`."""
        if self._run is not None:
            await self.command("disconnect")

    async def set_camera(self, enabled: bool, **options: Any) -> None:
        """See `Peer`."""
        await self.command("set_camera", enabled=enabled)

    async def set_small_camera(self) -> None:
        """See `Peer`."""
        await self.command("set_small_camera")

    async def set_microphone(self, enabled: bool, **options: Any) -> None:
        """See `Peer`."""
        await self.command("set_microphone", enabled=enabled)

    async def set_screen_share(self, enabled: bool, **options: Any) -> None:
        """See `Peer`. From a worker it may want a click on the page."""
        sharing = asyncio.ensure_future(self.command("set_screen_share", enabled=enabled))
        if self.page.host != "page" and enabled:
            asked = asyncio.ensure_future(self.page.page.evaluate(_ASKED_FOR_A_CLICK))
            await asyncio.wait([sharing, asked], return_when=asyncio.FIRST_COMPLETED)
            if not sharing.done():
                await self.page.page.click(".lk-agent-hint")
            asked.cancel()
        await sharing

    async def mute(self, source: Source, muted: bool = True) -> None:
        """See `Peer`."""
        await self.command("mute", source=source, muted=muted)

    async def state(self) -> PeerState:
        """See `Peer`."""
        return PeerState.read(await self.command("state"))

    async def video_stats(self, identity: str, source: Source = "camera") -> VideoStats:
        """See `Peer`. Width and height are the element's."""
        return VideoStats(**await self.command("video_stats", identity=identity, source=source))

    async def audio_energy(self, identity: str, seconds: float = 1.0) -> float:
        """See `Peer`. From the receiver's `totalAudioEnergy`, so the sound has gone through the jitter buffer."""
        return float(await self.command("audio_energy", identity=identity, seconds=seconds))

    async def publish_data(
        self, data: bytes, *, reliable: bool = True, topic: str = "", identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        await self.command("publish_data", data=data, reliable=reliable, topic=topic, identities=list(identities))

    async def publish_numbers(self, count: int, *, topic: str) -> None:
        """See `Peer`."""
        await self.command("publish_numbers", count=count, topic=topic)

    async def data(self) -> list[DataMessage]:
        """See `Peer`."""
        return [DataMessage(**message) for message in await self.command("data")]

    async def take_streams(self, topic: str) -> None:
        """See `Peer`."""
        await self.command("take_streams", topic=topic)

    async def send_text(
        self, text: str, *, topic: str, attributes: Mapping[str, str] | None = None, identities: Sequence[str] = ()
    ) -> None:
        """See `Peer`."""
        options = {"topic": topic, "attributes": dict(attributes or {}), "destination_identities": list(identities)}
        await self.command("send_text", text=text, options=options)

    async def send_long_text(self, blocks: int, *, topic: str) -> None:
        """See `Peer`."""
        await self.command("send_long_text", timeout=60, blocks=blocks, topic=topic)

    async def send_attached(self, text: str, files: Mapping[str, bytes], *, topic: str) -> list[float]:
        """Send a text with files, as the browser has them, to all; the progress that is told of it."""
        progress: list[float] = await self.command("send_attached", text=text, files=dict(files), topic=topic)
        return progress

    async def stream_text(
        self, pieces: Sequence[str], *, topic: str, attributes: Mapping[str, str] | None = None, reply_to: str = ""
    ) -> None:
        """See `Peer`."""
        options = {"topic": topic, "attributes": dict(attributes or {}), "reply_to_id": reply_to}
        await self.command("stream_text", pieces=list(pieces), options=options)

    async def begin_text(self, piece: str, *, topic: str) -> None:
        """See `Peer`."""
        await self.command("begin_text", piece=piece, topic=topic)

    async def send_file(self, kind: FileKind, content: bytes, name: str, *, topic: str) -> None:
        """See `Peer`."""
        await self.command("send_file", kind=kind, content=content, name=name, topic=topic)

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
        options = {"topic": topic, "name": name, "mime_type": mime_type, "attributes": dict(attributes or {})}
        await self.command("send_bytes", content=data, options={**options, "destination_identities": list(identities)})

    async def stream_bytes(
        self, pieces: Sequence[bytes], *, topic: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """See `Peer`."""
        await self.command("stream_bytes", pieces=list(pieces), topic=topic, attributes=dict(attributes or {}))

    async def streams(self) -> list[StreamMessage]:
        """See `Peer`."""
        return [StreamMessage.read(found) for found in await self.command("streams")]

    async def publish_data_track(self, name: str) -> None:
        """See `Peer`."""
        await self.command("publish_data_track", name=name)

    async def push_frame(self, name: str, frame: TrackFrame) -> None:
        """See `Peer`."""
        await self.command("push_frame", name=name, payload=frame.data, timestamp=frame.timestamp)

    async def unpublish_data_track(self, name: str) -> None:
        """See `Peer`."""
        await self.command("unpublish_data_track", name=name)

    async def subscribe_data_track(self, identity: str, name: str) -> None:
        """See `Peer`."""
        await self.command("subscribe_data_track", identity=identity, name=name)

    async def frames(self, identity: str, name: str) -> list[TrackFrame]:
        """See `Peer`."""
        return [TrackFrame.read(found) for found in await self.command("frames", identity=identity, name=name)]

    async def register_rpc(self, method: RpcMethod) -> None:
        """See `Peer`."""
        refused = [REFUSED.code, REFUSED.message, REFUSED.data]
        await self.command("register_rpc", method=method, refused=refused)

    async def perform_rpc(
        self, identity: str, method: str, payload: str, *, response_timeout: float | None = None
    ) -> RpcOutcome:
        """See `Peer`."""
        outcome = await self.command(
            "perform_rpc", identity=identity, method=method, payload=payload, response_timeout=response_timeout
        )
        return RpcOutcome(**outcome)

    async def events(self) -> list[EventRecord]:
        """See `Peer`; names as in lk_pyodide.events."""
        return [EventRecord(event["name"], tuple(event["args"])) for event in await self.command("events")]

    async def forget_records(self) -> None:
        """See `Peer`."""
        await self.command("forget_records")

    async def set_name(self, name: str) -> None:
        """See `Peer`."""
        await self.command("set_name", name=name)

    async def set_metadata(self, metadata: str) -> None:
        """See `Peer`."""
        await self.command("set_metadata", metadata=metadata)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """See `Peer`."""
        await self.command("set_attributes", attributes=dict(attributes))

    async def _changed(self, since: int) -> int:
        return int(await self.command("next_change", since=since))
