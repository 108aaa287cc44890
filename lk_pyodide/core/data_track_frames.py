"""Frames of data tracks into packets, and packets into frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from lk_pyodide.core.data_track_packets import Encryption, Marker, Packet, overhead

MTU = 16_000
"""Bytes of the largest packet that is sent (livekit-client ``outgoing/pipeline.ts``)."""

MAX_PACKETS = 128
"""Packets of the largest frame that anybody puts together (livekit-client ``depacketizer.ts``)."""

MAX_PARTIAL_FRAMES = 1
"""How many frames may be incomplete at a time, unless somebody says otherwise."""

CLOCK_RATE = 90_000
"""Ticks per second of a packet's timestamp."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What arrives."""

    payload: bytes
    user_timestamp: int | None = None
    e2ee: Encryption | None = None


class Packetizer:
    """Cuts the frames of one track into packets.

    Args:
        handle: the track's, between us and the server.
        first_timestamp: any 32 bits; random ones make it hard to tell who is who.
        mtu: bytes of the largest packet.
    """

    def __init__(self, handle: int, first_timestamp: int = 0, mtu: int = MTU) -> None:
        self.handle = handle
        self._first_timestamp = first_timestamp
        self._mtu = mtu
        self._sequence = 0
        self._frame = 0
        self._epoch: float | None = None

    def packets(
        self, payload: bytes, now: float, user_timestamp: int | None = None, e2ee: Encryption | None = None
    ) -> list[bytes] | None:
        """The packets of a frame.

        One without payload is a packet, too. (livekit-client sends none then.)

        Args:
            payload: what is pushed.
            now: seconds of any clock that never goes back.
            user_timestamp: the application's; 64 bits.
            e2ee: how the payload is encrypted, if it is.

        Returns:
            None for a frame that is so large that nobody would put it together again.
        """
        size = self._mtu - overhead(user_timestamp, e2ee)
        count = max(1, -(-len(payload) // size))
        if count > MAX_PACKETS:
            return None
        timestamp = self._timestamp(now)
        packets = []
        for index in range(count):
            packet = Packet(
                self.handle,
                _marker(index, count),
                self._sequence,
                self._frame,
                timestamp,
                payload[index * size : (index + 1) * size],
                user_timestamp,
                e2ee,
            )
            packets.append(packet.encode())
            self._sequence = (self._sequence + 1) & 0xFFFF
        self._frame = (self._frame + 1) & 0xFFFF
        return packets

    def _timestamp(self, now: float) -> int:
        if self._epoch is None:
            self._epoch = now
        return (self._first_timestamp + round((now - self._epoch) * CLOCK_RATE)) & 0xFFFFFFFF


def _marker(index: int, count: int) -> Marker:
    if count == 1:
        return Marker.SINGLE
    if index == 0:
        return Marker.START
    return Marker.FINAL if index == count - 1 else Marker.INTER


@dataclass(frozen=True, slots=True)
class _Partial:
    """A frame of which not everything has come."""

    start: Packet
    payloads: dict[int, bytes] = field(default_factory=dict)


class Depacketizer:
    """Puts the frames of one track together. What is missing is not waited for longer than until the last packet.

    Attributes:
        max_partial_frames: how many frames may be incomplete at a time; the oldest makes room for a new one.
        dropped: how many frames were not put together.
    """

    def __init__(self, max_partial_frames: int = MAX_PARTIAL_FRAMES) -> None:
        self.max_partial_frames = max_partial_frames
        self.dropped = 0
        self._partials: dict[int, _Partial] = {}  # by frame, oldest first

    def push(self, packet: Packet) -> Frame | None:
        """Take a packet.

        Returns:
            The frame that it completes, if any.
        """
        match packet.marker:
            case Marker.SINGLE:
                # It needs no room, but says that what was begun long before it will not be finished.
                self._make_room()
                return Frame(packet.payload, packet.user_timestamp, packet.e2ee)
            case Marker.START:
                self._forget(packet.frame)
                self._make_room()
                self._partials[packet.frame] = _Partial(packet, {packet.sequence: packet.payload})
                return None
            case Marker.INTER | Marker.FINAL:
                return self._add(packet)

    def _make_room(self) -> None:
        while len(self._partials) >= self.max_partial_frames:
            self._forget(next(iter(self._partials)))

    def _forget(self, frame: int) -> None:
        if self._partials.pop(frame, None) is not None:
            self.dropped += 1

    def _add(self, packet: Packet) -> Frame | None:
        partial = self._partials.get(packet.frame)
        if partial is None:
            # Its first packet is lost or late, or it was given up; it is counted once, by its last packet.
            self.dropped += packet.marker is Marker.FINAL
            return None
        if len(partial.payloads) >= MAX_PACKETS:
            self._forget(packet.frame)
            return None
        partial.payloads[packet.sequence] = packet.payload  # the last one wins
        if packet.marker is Marker.INTER:
            return None
        count = ((packet.sequence - partial.start.sequence) & 0xFFFF) + 1
        sequences = [(partial.start.sequence + index) & 0xFFFF for index in range(min(count, MAX_PACKETS + 1))]
        if not all(sequence in partial.payloads for sequence in sequences):
            self._forget(packet.frame)
            return None
        del self._partials[packet.frame]
        payload = b"".join(partial.payloads[sequence] for sequence in sequences)
        return Frame(payload, partial.start.user_timestamp, partial.start.e2ee)
