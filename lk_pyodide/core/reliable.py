"""Order and uniqueness of reliable data packets (livekit-client ``ReliableDataChannel.ts``, ``RTCEngine.ts``)."""

from __future__ import annotations

from lk_pyodide.core.messages import DataPacket
from lk_pyodide.types import DataPacketKind

RELIABLE, LOSSY, DATA_TRACK = "_reliable", "_lossy", "_data_track"
"""Labels of a client's data channels, by what they carry."""

MAX_PACKET_SIZE = 64_000
"""Bytes of an encoded packet that every browser and the server pass on."""


SEQUENCE_SIZE = 7
"""Bytes that the number of a reliable packet takes of those, at most."""


class ReliableSequence:
    """Numbers outgoing reliable packets, from 1."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next number."""
        self._last += 1
        return self._last


class DuplicateFilter:
    """Drops reliable packets that came before; senders are told apart by sid, which a new join changes.

    Args:
        memory: seconds for which a silent sender is remembered.
    """

    def __init__(self, memory: float = 30.0) -> None:
        self._memory = memory
        self._seen: dict[str, tuple[int, float]] = {}

    def accepts(self, packet: DataPacket, now: float) -> bool:
        """Whether a packet is to be delivered. Packets without a number or a sender always are."""
        if packet.kind != DataPacketKind.RELIABLE or not packet.sequence or not packet.participant_sid:
            return True
        last, _ = self._seen.get(packet.participant_sid, (0, now))
        if packet.sequence <= last:
            return False
        self._seen.pop(packet.participant_sid, None)
        self._seen[packet.participant_sid] = (packet.sequence, now)
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        # Oldest first, so that each call looks at one entry in the usual case.
        while self._seen:
            sid, (_, when) = next(iter(self._seen.items()))
            if now - when <= self._memory:
                return
            del self._seen[sid]
