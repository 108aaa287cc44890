"""Data tracks: who publishes which, who gets it, and packets on their way.

The rules are livekit-server's (``participant_data_track.go``, ``datadowntrack.go``, ``subscriptionmanager.go`` in
``pkg/rtc``). A publisher numbers its tracks with handles, which its packets carry; each subscriber gets handles of its
own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from lk_pyodide.core import messages as m
from lk_pyodide.core.data_track_packets import MAX_HANDLE
from lk_pyodide.core.data_tracks import next_handle
from lk_pyodide.core.reliable import DATA_TRACK
from lk_pyodide.local.effects import Carry, Effect, Tell
from lk_pyodide.local.members import Member, Members
from lk_pyodide.local.subscriptions import Permits

MAX_NAME = 256
"""Bytes."""

_HEADER = 12  # bytes: flags, reserved, handle, sequence, frame, timestamp
_HANDLE = struct.Struct(">H")
_HANDLE_AT = 2
_EXTENDED = 1 << 2


class DataTracks:
    """Takes data tracks, and sends them to those who are to have them.

    Args:
        members: everybody.
        ids: unique texts.
    """

    def __init__(self, members: Members, ids: Iterator[str]) -> None:
        self._members = members
        self._ids = ids
        self._permits = Permits()
        self._handles: dict[str, dict[str, int]] = {}  # subscriber's key → sid → its handle of it
        self._last: dict[str, int] = {}  # subscriber's key → the newest handle

    # -- publishers --

    def publish(self, sender: Member, request: m.PublishDataTrackRequest) -> list[Effect]:
        """Somebody publishes a track."""
        reason, text = _refusal(sender, request)
        if text:
            return [Tell(sender.key, m.RequestResponse(0, reason, text, publish_data_track=request))]
        info = m.DataTrackInfo(request.pub_handle, f"DTR_{next(self._ids)}", request.name, request.encryption)
        sender.data_tracks[info.pub_handle] = info
        sender.change()
        response = Tell(sender.key, m.PublishDataTrackResponse(info))
        return [response, *self._members.tell_others(sender), *self.offer(sender)]

    def unpublish(self, sender: Member, request: m.UnpublishDataTrackRequest) -> list[Effect]:
        """Somebody does not publish a track any more."""
        info = sender.data_tracks.pop(request.pub_handle, None)
        if info is None:
            refusal = m.RequestResponse(reason=m.RequestReason.NOT_FOUND, unpublish_data_track=request)
            return [Tell(sender.key, refusal)]
        sender.change()
        response = Tell(sender.key, m.UnpublishDataTrackResponse(info))
        return [response, *self._ended(info.sid), *self._members.tell_others(sender)]

    def offer(self, publisher: Member) -> list[Effect]:
        """Somebody has published something, or lets others have it: all others get what is new to them."""
        return [effect for other in self._members.others(publisher) for effect in self._settle(other, [publisher])]

    # -- subscribers --

    def request(self, sender: Member, request: m.UpdateDataSubscription) -> list[Effect]:
        """Somebody asks for tracks, or does not want them any more."""
        for update in request.updates:
            sender.data_wishes.ask(update.track_sid, wants=update.subscribe)
        return self.catch_up(sender)

    def catch_up(self, subscriber: Member) -> list[Effect]:
        """Somebody gets what there is for it."""
        return self._settle(subscriber, self._members.others(subscriber))

    def left(self, old: Member) -> list[Effect]:
        """Somebody has gone, and its tracks with it."""
        self._handles.pop(old.key, None)
        self._last.pop(old.key, None)
        self._permits.forget(key=old.key)
        return self._ended(*(info.sid for info in old.data_tracks.values()))

    # -- packets --

    def packet(self, sender: Member, data: bytes) -> list[Effect]:
        """Pass a packet on, with each subscriber's handle in place of the publisher's; what is none is dropped."""
        info = sender.data_tracks.get(_HANDLE.unpack_from(data, _HANDLE_AT)[0]) if _is_whole(data) else None
        if info is None:
            return []
        before, after = data[:_HANDLE_AT], data[_HANDLE_AT + _HANDLE.size :]
        return [
            Carry(key, DATA_TRACK, before + _HANDLE.pack(handles[info.sid]) + after)
            for key, handles in self._handles.items()
            if info.sid in handles
        ]

    def _settle(self, subscriber: Member, publishers: list[Member]) -> list[Effect]:
        """Begin or stop sending tracks to one subscriber, as things are."""
        handles = dict(self._handles.get(subscriber.key, {}))
        told: list[Effect] = []
        for publisher in publishers:
            for info in publisher.data_tracks.values():
                allowed = subscriber.is_active and subscriber.wants_data(info.sid) and not publisher.permission.hidden
                if allowed:
                    allowed, news = self._permits.look(subscriber, publisher, info.sid)
                    told += news
                if not allowed:
                    handles.pop(info.sid, None)
                elif info.sid not in handles:
                    handle = next_handle(self._last.get(subscriber.key, 0), handles.values())
                    if handle is not None:
                        self._last[subscriber.key] = handles[info.sid] = handle
        return [*told, *self._hand_out(subscriber.key, handles)]

    def _ended(self, *sids: str) -> list[Effect]:
        for sid in sids:
            self._permits.forget(sid=sid)
        effects: list[Effect] = []
        for key, handles in list(self._handles.items()):
            effects += self._hand_out(key, {other: handle for other, handle in handles.items() if other not in sids})
        return effects

    def _hand_out(self, key: str, handles: dict[str, int]) -> list[Effect]:
        """Tell a subscriber which handles mean what, when that is new to it."""
        if handles == self._handles.get(key, {}):
            return []
        self._handles[key] = handles
        publishers = {info.sid: member.info for member in self._members for info in member.data_tracks.values()}
        meanings = {
            handle: m.DataTrackSubscriberHandles.PublishedDataTrack(publishers[sid].identity, publishers[sid].sid, sid)
            for sid, handle in handles.items()
        }
        return [Tell(key, m.DataTrackSubscriberHandles(meanings))]


def _refusal(sender: Member, request: m.PublishDataTrackRequest) -> tuple[m.RequestReason, str]:
    """Why somebody may not publish a track; the text is empty when it may."""
    known = sender.data_tracks
    if not sender.permission.can_publish_data:
        return m.RequestReason.NOT_ALLOWED, "does not have permission to publish data"
    if not 0 < request.pub_handle <= MAX_HANDLE:
        return m.RequestReason.INVALID_HANDLE, "handle should be > 0 AND < 65536"
    if not 0 < len(request.name.encode()) <= MAX_NAME:
        return m.RequestReason.INVALID_NAME, "name should not be empty and should not exceed 256 characters"
    if request.pub_handle in known:
        return m.RequestReason.DUPLICATE_HANDLE, "a data track with same handle already exists"
    if request.name in [info.name for info in known.values()]:
        return m.RequestReason.DUPLICATE_NAME, "a data track with same name already exists"
    return m.RequestReason.OK, ""


def _is_whole(data: bytes) -> bool:
    """Whether there is a packet's whole header, with the extensions that it says it has."""
    if len(data) < _HEADER:
        return False
    if not data[0] & _EXTENDED:
        return True
    return len(data) >= _HEADER + 2 and len(data) >= _HEADER + (struct.unpack_from(">H", data, _HEADER)[0] + 1) * 4
