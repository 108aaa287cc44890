"""Transceivers, senders and receivers of fake peer connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import Encoding, Json, MediaKind, MediaTrack, SenderInit
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack, FakeTrack
from lk_pyodide.browser.guard import closed_error, logger
from lk_pyodide.errors import TrackInvalidError

if TYPE_CHECKING:
    from lk_pyodide.browser.fake.peer import FakePeerConnection


def get_native(track: MediaTrack) -> FakeMediaStreamTrack:
    """The native track; raises UsageError when it is closed."""
    native = track.native
    if not isinstance(native, FakeMediaStreamTrack):
        raise TrackInvalidError("not a track of this browser")
    return native


class FakeSender:
    """A sender.

    Attributes:
        native: the track that is sent.
        encodings: as they are set at present.
        degradation_preference: as it was given last.
        codec: the mime type that is preferred.
    """

    def __init__(self, transceiver: Transceiver, native: FakeMediaStreamTrack, init: SenderInit) -> None:
        self._transceiver: Transceiver | None = transceiver
        self._lock = asyncio.Lock()
        self.native: FakeMediaStreamTrack | None = native
        self.encodings = list(init.encodings) or [Encoding()]
        self.degradation_preference = init.degradation_preference
        self.codec = init.codec

    async def replace_track(self, track: MediaTrack | None, /) -> None:
        """Send another track, or nothing."""
        self._check()
        native = None if track is None else get_native(track)
        await asyncio.sleep(0)
        self._check().sent(native)

    async def set_encodings(self, encodings: Sequence[Encoding], /) -> None:
        """Overwrite fields of the encodings."""
        async with self._lock:
            self._check()
            changed = list(self.encodings)
            places = {encoding.rid: place for place, encoding in enumerate(changed) if encoding.rid}
            for number, encoding in enumerate(encodings):
                place = places.get(encoding.rid) if encoding.rid is not None else number
                if place is None or place >= len(changed):
                    logger.warning("no encoding %s to set", encoding.rid or number)
                    continue
                given = {field.name: getattr(encoding, field.name) for field in fields(encoding)}
                changed[place] = replace(changed[place], **{k: v for k, v in given.items() if v is not None})
            await asyncio.sleep(0)
            self._check()
            self.encodings = changed

    async def set_degradation_preference(self, preference: str, /) -> None:
        """Tell what to give up first."""
        async with self._lock:
            self._check()
            await asyncio.sleep(0)
            self._check()
            self.degradation_preference = preference

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this sender."""
        await asyncio.sleep(0)
        return [self._check().get_stats("outbound-rtp")]

    def remove(self) -> None:
        """Stop sending."""
        if self._transceiver is not None:
            self._transceiver.stop_sending()

    def forget(self) -> None:
        """The connection is closed."""
        self._transceiver = None
        self.native = None

    def _check(self) -> Transceiver:
        if self._transceiver is None:
            raise closed_error("sender")
        return self._transceiver


class FakeReceiver:
    """A receiver.

    Attributes:
        playout_delay: seconds for which it holds what comes; None leaves it to the browser.
    """

    def __init__(self, transceiver: Transceiver) -> None:
        self._transceiver: Transceiver | None = transceiver
        self.playout_delay: float | None = None
        self._heard = 0  # the number of the packet that was heard last

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this receiver."""
        await asyncio.sleep(0)
        return [self._check().get_stats("inbound-rtp")]

    async def get_audio_level(self) -> float | None:
        """How loud the track is that the other side sends; it sends 50 packets a second."""
        await asyncio.sleep(0)
        remote, packet = self._check().remote, int(asyncio.get_running_loop().time() * 50)
        if packet == self._heard:
            return None
        self._heard = packet
        source = None if remote is None or remote.kind == "video" else remote.source
        return None if source is None else source.audio_level

    def set_playout_delay(self, seconds: float, /) -> None:
        """Hold what comes before it is played."""
        self.playout_delay = seconds

    def forget(self) -> None:
        """The connection is closed."""
        self._transceiver = None

    def _check(self) -> Transceiver:
        if self._transceiver is None:
            raise closed_error("receiver")
        return self._transceiver


@dataclass(eq=False)
class Transceiver:
    """One media section of a connection."""

    pc: FakePeerConnection
    kind: MediaKind
    direction: str
    mid: str = ""
    offered_mid: str = ""
    stream_id: str = ""
    track_id: str = ""
    sender: FakeSender | None = None
    is_receiving: bool = False
    remote: FakeMediaStreamTrack | None = None
    track: FakeTrack | None = None
    receiver: FakeReceiver | None = None

    def send(self, native: FakeMediaStreamTrack, init: SenderInit, stream_id: str, track_id: str = "") -> FakeSender:
        """Send a track here from the next description on."""
        self.sender = FakeSender(self, native, init)
        self.stream_id, self.track_id = stream_id, track_id or native.id
        return self.sender

    def sent(self, native: FakeMediaStreamTrack | None) -> None:
        """Another track is sent."""
        if self.sender is not None:
            self.sender.native = native
        partner = self.pc.find_partner_transceiver(self.mid)
        if partner is not None and partner.remote is not None:
            partner.remote.source = native

    def stop_sending(self) -> None:
        """Send nothing from now on."""
        if self.sender is not None:
            self.sent(None)
            self.sender.forget()
            self.sender = None
        self.direction = {"sendrecv": "recvonly", "sendonly": "inactive"}.get(self.direction, self.direction)

    def get_stats(self, kind: str) -> Mapping[str, Json]:
        """What a browser would tell, with nothing counted."""
        return {"id": f"{kind}-{self.mid}", "type": kind, "timestamp": 0.0, "kind": self.kind, "mid": self.mid}

    def close(self) -> None:
        """Forget all that belongs to the connection."""
        if self.sender is not None:
            self.sender.forget()
        if self.track is not None:
            self.track.close()
        if self.receiver is not None:
            self.receiver.forget()
