"""Which data tracks are whose: handles of those that we publish, and subscriptions to those of others."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lk_pyodide.core.data_track_frames import Depacketizer, Frame
from lk_pyodide.core.data_track_packets import MAX_HANDLE, Packet

R = TypeVar("R")


def next_handle(last: int, taken: Container[int]) -> int | None:
    """The first free handle after ``last``, so that one is not used again soon; None when all are taken."""
    for step in range(MAX_HANDLE):
        handle = (last + step) % MAX_HANDLE + 1
        if handle not in taken:
            return handle
    return None


@dataclass(frozen=True, slots=True)
class _Subscription(Generic[R]):
    readers: list[R]
    frames: Depacketizer


class Subscriptions(Generic[R]):
    """Who reads which track. The server is asked once for a track, and told when its last reader has gone.

    The server says which handles its packets carry, with each change all of them anew (livekit-server
    ``notifyDataTrackSubscriberHandles``); a track that has a handle is being sent to us.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, _Subscription[R]] = {}
        self._sids: dict[int, str] = {}  # by handle

    def add(self, sid: str, reader: R, max_partial_frames: int) -> bool:
        """Somebody wants to read a track.

        Returns:
            Whether the server is to be asked for it.
        """
        subscription = self._subscriptions.get(sid)
        if subscription is not None:
            subscription.readers.append(reader)
            return False
        self._subscriptions[sid] = _Subscription([reader], Depacketizer(max_partial_frames))
        return True

    def remove(self, sid: str, reader: R) -> bool:
        """Somebody reads a track no more.

        Returns:
            Whether the server is to be told that nobody does.
        """
        subscription = self._subscriptions.get(sid)
        if subscription is None or reader not in subscription.readers:
            return False
        subscription.readers.remove(reader)
        if subscription.readers:
            return False
        del self._subscriptions[sid]
        return True

    def configure(self, sid: str, max_partial_frames: int) -> None:
        """Let more, or fewer, frames of a track be incomplete at a time."""
        subscription = self._subscriptions.get(sid)
        if subscription is not None:
            subscription.frames.max_partial_frames = max_partial_frames

    def move(self, old: str, new: str) -> bool:
        """A track has another sid.

        Returns:
            Whether the server is to be asked for it again.
        """
        subscription = self._subscriptions.pop(old, None)
        if subscription is None:
            return False
        self._subscriptions[new] = subscription
        return True

    def end(self, sid: str) -> list[R]:
        """A track is not published any more.

        Returns:
            Who has been reading it.
        """
        subscription = self._subscriptions.pop(sid, None)
        return subscription.readers if subscription is not None else []

    def is_sent(self, sid: str) -> bool:
        """Whether the server sends us this track."""
        return sid in self._sids.values()

    def assign(self, sids: Mapping[int, str]) -> list[R]:
        """The server says what the handles mean.

        Returns:
            Who reads what is sent to us from now on.
        """
        before, self._sids = set(self._sids.values()), dict(sids)
        started = [sid for sid in dict.fromkeys(sids.values()) if sid not in before and sid in self._subscriptions]
        return [reader for sid in started for reader in self._subscriptions[sid].readers]

    def receive(self, data: bytes) -> tuple[list[R], Frame] | None:
        """A packet came.

        Returns:
            The frame that it completes, if it does, and who reads it.

        Raises:
            ProtocolError: it is no packet.
        """
        packet = Packet.decode(data)
        subscription = self._subscriptions.get(self._sids.get(packet.handle, ""))
        if subscription is None:
            return None
        frame = subscription.frames.push(packet)
        return (list(subscription.readers), frame) if frame is not None else None
