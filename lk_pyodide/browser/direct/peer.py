"""The page's RTCPeerConnection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from lk_pyodide.browser.api import (
    DataChannelHandler,
    DataChannelInit,
    Json,
    MediaKind,
    MediaTrack,
    PeerConnectionHandler,
    RtcConfig,
    SenderInit,
    SessionDescription,
    TrackArrival,
)
from lk_pyodide.browser.direct.channel import DirectDataChannel
from lk_pyodide.browser.direct.media import DirectTrack, get_native
from lk_pyodide.browser.direct.sender import (
    DirectReceiver,
    DirectSender,
    prefer_codec,
    read_stats,
    receive_dependencies,
)
from lk_pyodide.browser.ffi import (
    Js,
    JsException,
    Listeners,
    Waiting,
    forget,
    get_error_name,
    is_nothing,
    js,
    jsnull,
    to_js_json,
    translate,
)
from lk_pyodide.browser.guard import closed_error, logger, with_fallback
from lk_pyodide.browser.snapshots import ConnectionSnapshot
from lk_pyodide.browser.w3c import channel_to_w3c, config_to_w3c, encoding_to_w3c
from lk_pyodide.errors import BrowserError


class DirectPeerConnection(ConnectionSnapshot):
    """A peer connection on the page's thread."""

    def __init__(self, config: RtcConfig, handler: PeerConnectionHandler, *, is_firefox: bool = False) -> None:
        self._is_firefox = is_firefox
        self._handler: PeerConnectionHandler | None = handler
        with translate():
            self._native: Js = js.RTCPeerConnection.new(to_js_json(config_to_w3c(config)))
        self._connection_state = "new"
        self._signaling_state = "stable"
        self._channels: list[DirectDataChannel] = []
        self._senders: list[DirectSender] = []
        self._arrivals: dict[str, tuple[DirectTrack, DirectReceiver]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = Waiting()
        self._listeners = Listeners()
        self._listeners.add(self._native, self._on_connection_state, "connectionstatechange")
        self._listeners.add(self._native, self._on_signaling_state, "signalingstatechange")
        self._listeners.add(self._native, self._on_ice_candidate, "icecandidate")
        self._listeners.add(self._native, self._on_track, "track")
        self._listeners.add(self._native, self._on_data_channel, "datachannel")

    def set_configuration(self, config: RtcConfig, /) -> None:
        """Use other ICE servers from the next gathering on."""
        if self._native is not None:
            with translate():
                self._native.setConfiguration(to_js_json(config_to_w3c(config)))

    def create_data_channel(
        self, label: str, init: DataChannelInit, handler: DataChannelHandler, /
    ) -> DirectDataChannel:
        """Open a data channel."""
        with translate():
            native = self._get_native().createDataChannel(label, to_js_json(channel_to_w3c(init)))
        channel = DirectDataChannel(native)
        channel.start(handler)
        self._keep(channel)
        return channel

    def add_receiver(self, kind: MediaKind, /) -> None:
        """Add a receive-only transceiver."""
        with translate():
            js_transceiver = self._get_native().addTransceiver(kind, to_js_json({"direction": "recvonly"}))
        if kind == "video":
            receive_dependencies(js_transceiver)

    def add_sender(self, track: MediaTrack, init: SenderInit, /) -> DirectSender:
        """Add a send-only transceiver."""
        native, js_track = self._get_native(), get_native(track)
        options: dict[str, Json] = {"direction": "sendonly"}
        if init.encodings:
            options["sendEncodings"] = [encoding_to_w3c(encoding) for encoding in init.encodings]
        js_options = to_js_json(options)
        js_options.streams = js.Array.of(js.MediaStream.new(js.Array.of(js_track)))
        with translate():
            js_transceiver = native.addTransceiver(js_track, js_options)
        if init.codec is not None:
            prefer_codec(js_transceiver, init.codec)
        sender = DirectSender(native, js_transceiver.sender, self._waiting, stops_inactive=not self._is_firefox)
        self._senders.append(sender)
        if init.degradation_preference is not None:
            task = asyncio.ensure_future(_prefer(sender, init.degradation_preference))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return sender

    def send_on(self, mid: str, track: MediaTrack | None, /) -> None:
        """Send in a section that the other side offered to receive."""
        native = self._get_native()
        js_transceiver = next((known for known in native.getTransceivers() if known.mid == mid), None)
        if js_transceiver is None:
            raise BrowserError(f"there is no section {mid}", "InvalidAccessError")
        js_transceiver.direction = "inactive" if track is None else "sendonly"
        forget(js_transceiver.sender.replaceTrack(jsnull if track is None else get_native(track)))

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """Make the text of an offer."""
        native = self._get_native()
        return str((await self._waiting.wait(native.createOffer(to_js_json({"iceRestart": ice_restart})))).sdp)

    async def create_answer(self) -> str:
        """Make the text of an answer."""
        native = self._get_native()
        return str((await self._waiting.wait(native.createAnswer())).sdp)

    async def set_local_description(self, description: SessionDescription, /) -> None:
        """Apply our description."""
        native = self._get_native()
        await self._describe(native.setLocalDescription, description)

    async def set_remote_description(self, description: SessionDescription, /) -> None:
        """Apply the other side's description."""
        native = self._get_native()
        await self._describe(native.setRemoteDescription, description)

    def add_ice_candidate(self, candidate: str, /) -> None:
        """Add a candidate of the other side."""
        if self._native is None:
            return
        try:
            forget(self._native.addIceCandidate(js.JSON.parse(candidate)), _on_bad_candidate)
        except JsException as error:
            _on_bad_candidate(error)

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of everything in this connection."""
        return await read_stats(self._get_native(), self._waiting)

    def close(self) -> None:
        """Close all, and let go of everything native."""
        native, self._native = self._native, None
        if native is None:
            return
        self._handler = None
        self._connection_state = self._signaling_state = "closed"
        self._listeners.close()
        for channel in self._channels:
            channel.close()
        for sender in self._senders:
            sender.forget()
        for track, receiver in self._arrivals.values():
            track.close()
            receiver.forget()
        self._channels.clear()
        self._senders.clear()
        self._arrivals.clear()
        native.close()
        self._waiting.close(closed_error("peer connection"))

    def _get_native(self) -> Js:
        if self._native is None:
            raise closed_error("peer connection")
        return self._native

    def _keep(self, channel: DirectDataChannel) -> None:
        self._channels = [old for old in self._channels if old.ready_state != "closed"]
        self._channels.append(channel)

    async def _describe(self, method: Js, description: SessionDescription) -> None:
        async def apply(sdp: str) -> None:
            await self._waiting.wait(method(to_js_json({"type": description.type, "sdp": sdp})))

        await with_fallback(
            apply, description.type, description.sdp, description.fallback, lambda: self._native is None
        )
        self._read_signaling()

    def _read_signaling(self) -> None:
        if self._native is not None:
            self._signaling_state = str(self._native.signalingState)
            self._senders = [sender for sender in self._senders if not sender.is_removed]

    def _on_signaling_state(self, _event: Js) -> None:
        self._read_signaling()

    def _on_connection_state(self, _event: Js) -> None:
        self._connection_state = str(self._native.connectionState)
        if self._handler is not None:
            self._handler.on_connection_state(self._connection_state)

    def _on_ice_candidate(self, event: Js) -> None:
        if self._handler is not None and not is_nothing(event.candidate):
            self._handler.on_ice_candidate(str(js.JSON.stringify(event.candidate)))

    def _on_track(self, event: Js) -> None:
        if self._handler is None:
            return
        mid = str(event.transceiver.mid)
        track, receiver = DirectTrack(event.track), DirectReceiver(event.receiver, self._waiting)
        if mid in self._arrivals:  # the transceiver is used again, for another track of the other side
            self._arrivals[mid][0].close()
        self._arrivals[mid] = (track, receiver)
        stream_ids = tuple(str(js_stream.id) for js_stream in event.streams)
        self._handler.on_track(TrackArrival(track, receiver, mid, stream_ids))

    def _on_data_channel(self, event: Js) -> None:
        if self._handler is None:
            return
        channel = DirectDataChannel(event.channel)
        handler = None
        try:
            handler = self._handler.on_data_channel(channel)
        finally:
            if handler is None or self._native is None:
                channel.close()
            elif channel.ready_state != "closed":
                channel.start(handler)
                self._keep(channel)


async def _prefer(sender: DirectSender, preference: str) -> None:
    try:
        await sender.set_degradation_preference(preference)
    except BrowserError as error:
        logger.debug("the browser refused degradation preference %s (%s)", preference, error.name)


def _on_bad_candidate(error: BaseException) -> None:
    logger.warning("the browser refused a remote ICE candidate (%s)", get_error_name(error))
