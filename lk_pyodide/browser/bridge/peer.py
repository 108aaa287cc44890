"""The page's RTCPeerConnection, from a worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lk_pyodide.browser.api import (
    DataChannelHandler,
    DataChannelInit,
    Encoding,
    Json,
    MediaKind,
    MediaTrack,
    PeerConnectionHandler,
    RtcConfig,
    SenderInit,
    SessionDescription,
    TrackArrival,
)
from lk_pyodide.browser.bridge.channel import BridgeChannel, RemoteChannel, TransferredChannel
from lk_pyodide.browser.bridge.media import BridgeTrack, get_handle
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, to_error
from lk_pyodide.browser.guard import closed_error, logger, with_fallback
from lk_pyodide.browser.snapshots import ConnectionSnapshot
from lk_pyodide.browser.w3c import channel_to_w3c, config_to_w3c, encoding_to_w3c


class BridgeConnection(ConnectionSnapshot, Remote):
    """A peer connection on the page."""

    def __init__(self, bridge: Bridge, config: RtcConfig, handler: PeerConnectionHandler) -> None:
        super().__init__(bridge)
        self._handler: PeerConnectionHandler | None = handler
        self._connection_state = "new"
        self._signaling_state = "stable"
        self._channels: list[BridgeChannel] = []
        self._senders: list[BridgeSender] = []
        self._arrivals: dict[str, tuple[BridgeTrack, BridgeReceiver]] = {}
        bridge.cast(0, "openConnection", self.handle, config_to_w3c(config))

    def set_configuration(self, config: RtcConfig, /) -> None:
        """Use other ICE servers from the next gathering on."""
        self._cast("configure", config_to_w3c(config))

    def create_data_channel(self, label: str, init: DataChannelInit, handler: DataChannelHandler, /) -> BridgeChannel:
        """Open a data channel."""
        self._check()
        channel = self._new_channel(label)
        channel.start(handler)
        self._cast("createChannel", channel.handle, label, channel_to_w3c(init))
        return channel

    def _new_channel(self, label: str, handle: int | None = None, stream: int | None = None) -> BridgeChannel:
        self._channels = [old for old in self._channels if old.ready_state != "closed"]
        channel: BridgeChannel
        if self._bridge.transfers:
            channel = TransferredChannel(self._bridge, label, handle)
        else:
            channel = RemoteChannel(self._bridge, label, handle, stream)
        self._channels.append(channel)
        return channel

    def add_receiver(self, kind: MediaKind, /) -> None:
        """Add a receive-only transceiver."""
        self._check()
        self._cast("addReceiver", kind)

    def add_sender(self, track: MediaTrack, init: SenderInit, /) -> BridgeSender:
        """Add a send-only transceiver."""
        self._check()
        handle = get_handle(track)
        sender = BridgeSender(self._bridge)
        self._senders = [old for old in self._senders if not old.is_removed]
        self._senders.append(sender)
        encodings = [encoding_to_w3c(encoding) for encoding in init.encodings]
        self._cast("addSender", sender.handle, handle, encodings, init.degradation_preference, init.codec)
        return sender

    def send_on(self, mid: str, track: MediaTrack | None, /) -> None:
        """Send in a section that the other side offered to receive."""
        self._check()
        self._cast("sendOn", mid, None if track is None else get_handle(track))

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """Make the text of an offer."""
        self._check()
        return str(await self._ask("createOffer", {"iceRestart": ice_restart}))

    async def create_answer(self) -> str:
        """Make the text of an answer."""
        self._check()
        return str(await self._ask("createAnswer"))

    async def set_local_description(self, description: SessionDescription, /) -> None:
        """Apply our description."""
        await self._describe("setLocalDescription", description)

    async def set_remote_description(self, description: SessionDescription, /) -> None:
        """Apply the other side's description."""
        await self._describe("setRemoteDescription", description)

    async def _describe(self, method: str, description: SessionDescription) -> None:
        async def apply(sdp: str) -> None:
            self._check()
            self._signaling_state = await self._ask(method, description.type, sdp)

        await with_fallback(apply, description.type, description.sdp, description.fallback, lambda: not self._is_open)

    def add_ice_candidate(self, candidate: str, /) -> None:
        """Add a candidate of the other side."""
        try:
            self._cast("addCandidate", json.loads(candidate))
        except ValueError:
            _on_bad_candidate("SyntaxError")

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of everything in this connection."""
        self._check()
        return await _read_stats(self)

    def close(self) -> None:
        """Close all, and let go of everything on the page."""
        if not self._is_open:
            return
        self._handler = None
        self._connection_state = self._signaling_state = "closed"
        self._close(closed_error("peer connection"))
        # The page lets go of the parts with it.
        for channel in self._channels:
            channel.close(free=False)
        for sender in self._senders:
            sender.forget()
        for track, receiver in self._arrivals.values():
            track.close(free=False)
            receiver.forget(free=False)
        self._channels.clear()
        self._senders.clear()
        self._arrivals.clear()

    def _check(self) -> None:
        if not self._is_open:
            raise closed_error("peer connection")

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened to the connection."""
        handler = self._handler
        if handler is None:
            return
        match event:
            case "connection":
                self._connection_state = values[0]
                handler.on_connection_state(values[0])
            case "signaling":
                self._signaling_state = values[0]
            case "candidate":
                handler.on_ice_candidate(values[0])
            case "track":
                self._on_track(handler, *values)
            case "channel":
                self._on_channel(handler, *values)
            case "bad candidate":
                _on_bad_candidate(values[0])
            case _:  # "broken"
                logger.error("the page could not make a peer connection (%s)", values[0])
                self._close(to_error(values), free=False)
                self._connection_state = "failed"
                handler.on_connection_state("failed")

    def _on_track(
        self, handler: PeerConnectionHandler, known: Mapping[str, Any], receiver: int, mid: str, streams: list[str]
    ) -> None:
        arrival = BridgeTrack(self._bridge, known), BridgeReceiver(self._bridge, receiver)
        if mid in self._arrivals:  # the transceiver is used again, for another track of the other side
            old_track, old_receiver = self._arrivals[mid]
            old_track.close()
            old_receiver.forget()
        self._arrivals[mid] = arrival
        handler.on_track(TrackArrival(*arrival, mid, tuple(streams)))

    def _on_channel(
        self, handler: PeerConnectionHandler, handle: int, label: str, stream: int | None, native: object | None
    ) -> None:
        channel = self._new_channel(label, handle, stream)
        if native is not None and isinstance(channel, TransferredChannel):
            channel.adopt(native)
        wanted = None
        try:
            wanted = handler.on_data_channel(channel)
        finally:
            if wanted is None or not self._is_open:
                channel.close()
            elif channel.ready_state != "closed":
                channel.start(wanted)


class BridgeSender(Remote):
    """An RTCRtpSender on the page."""

    @property
    def is_removed(self) -> bool:
        """Whether it sends no more."""
        return not self._is_open

    async def replace_track(self, track: MediaTrack | None, /) -> None:
        """Send another track, or nothing, without negotiating."""
        self._check()
        await self._ask("replaceTrack", None if track is None else get_handle(track))

    async def set_encodings(self, encodings: Sequence[Encoding], /) -> None:
        """Overwrite fields of the encodings."""
        self._check()
        for missing in await self._ask("setEncodings", [encoding_to_w3c(encoding) for encoding in encodings]):
            logger.warning("no encoding %s to set", missing)

    async def set_degradation_preference(self, preference: str, /) -> None:
        """Tell what to give up first; a browser that does not know of it ignores it."""
        self._check()
        await self._ask("prefer", preference)

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this sender."""
        self._check()
        return await _read_stats(self)

    def remove(self) -> None:
        """Stop sending."""
        self._cast("remove")
        self.forget()

    def forget(self) -> None:
        """The page has let go of it."""
        self._close(closed_error("sender"), free=False)

    def _check(self) -> None:
        if not self._is_open:
            raise closed_error("sender")


class BridgeReceiver(Remote):
    """An RTCRtpReceiver on the page."""

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this receiver."""
        self._check()
        return await _read_stats(self)

    async def get_audio_level(self) -> float | None:
        """How loud the newest sound is."""
        self._check()
        level: float | None = await self._ask("getAudioLevel")
        return level

    def set_playout_delay(self, seconds: float, /) -> None:
        """Hold what comes before it is played."""
        self._cast("setPlayoutDelay", seconds)

    def on_event(self, event: str, *values: Any) -> None:
        """It has something to say, which is always the same."""
        logger.warning("this browser cannot delay what it plays")

    def forget(self, *, free: bool = True) -> None:
        """Its place is taken, or its connection closed."""
        self._close(closed_error("receiver"), free=free)

    def _check(self) -> None:
        if not self._is_open:
            raise closed_error("receiver")


async def _read_stats(remote: Remote) -> Sequence[Mapping[str, Json]]:
    stats: list[Mapping[str, Json]] = await remote._ask("getStats")
    return stats


def _on_bad_candidate(name: str) -> None:
    logger.warning("the browser refused a remote ICE candidate (%s)", name)
