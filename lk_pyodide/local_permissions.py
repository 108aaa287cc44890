"""Whom we let have our tracks, for :class:`LocalParticipant`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lk_pyodide.core.messages import SubscriptionPermission, TrackPermission
from lk_pyodide.ports import RoomPort
from lk_pyodide.types import ParticipantTrackPermission


class LocalPermissions:
    """Tells the server who may have what, on each connection anew: it forgets it with the last one.

    Args:
        room: our room.
    """

    def __init__(self, room: RoomPort) -> None:
        self._room = room
        self._rules: SubscriptionPermission | None = None

    def set(self, *, everybody: bool, permissions: Sequence[ParticipantTrackPermission]) -> None:
        """See :meth:`LocalParticipant.set_track_subscription_permissions`."""
        self._rules = SubscriptionPermission(
            everybody,
            tuple(
                TrackPermission("", rule.allow_all, tuple(rule.allowed_track_sids), rule.participant_identity)
                for rule in permissions
            ),
        )
        if self._room.is_connected:
            self.tell()

    def tell(self) -> None:
        """Say it, if there is anything to say."""
        if self._rules is not None:
            self._room.session.send_request(self._rules)

    def moved(self, sids: dict[str, str]) -> None:
        """Tracks of ours have other sids: the same people may have them.

        Args:
            sids: the new ones by the old ones.
        """
        if self._rules is None or not sids:
            return
        rules = tuple(
            replace(rule, track_sids=tuple(sids.get(sid, sid) for sid in rule.track_sids))
            for rule in self._rules.track_permissions
        )
        if rules != self._rules.track_permissions:
            self._rules = replace(self._rules, track_permissions=rules)
            self.tell()
