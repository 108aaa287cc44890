"""Which media goes to whom: what somebody wants, and what its publisher lets it have.

The rules are livekit-server's (``pkg/rtc/subscriptionmanager.go``, ``pkg/rtc/uptrackmanager.go``).
"""

from __future__ import annotations

from lk_pyodide.core import messages as m
from lk_pyodide.local.effects import Effect, Forward, Halt, Tell
from lk_pyodide.local.members import Member, Members


class Permits:
    """What subscribers have been told of the tracks that they want: whether they may have them."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], bool] = {}

    def look(self, subscriber: Member, publisher: Member, sid: str) -> tuple[bool, list[Tell]]:
        """Whether somebody may have a track that it wants; it is told when that is new to it."""
        allowed = publisher.admits(subscriber, sid)
        if self._told.get((subscriber.key, sid)) == allowed:
            return allowed, []
        self._told[subscriber.key, sid] = allowed
        return allowed, [Tell(subscriber.key, m.SubscriptionPermissionUpdate(publisher.info.sid, sid, allowed))]

    def forget(self, *, key: str | None = None, sid: str | None = None) -> None:
        """A subscriber, or a track, has gone."""
        self._told = {pair: told for pair, told in self._told.items() if pair[0] != key and pair[1] != sid}


def admitted(request: m.SubscriptionPermission, members: Members) -> dict[str, m.TrackPermission] | None:
    """Read whom a publisher lets have what, by identity; None lets everybody have all.

    Raises:
        ValueError: it does not say whom.
    """
    if request.all_participants:
        return None
    rules: dict[str, m.TrackPermission] = {}
    identities = {member.info.sid: member.info.identity for member in members}
    for rule in request.track_permissions:
        if not rule.participant_identity and not rule.participant_sid:
            raise ValueError("a permission is for somebody")
        identity = rule.participant_identity or identities.get(rule.participant_sid)
        if identity is not None:
            rules[identity] = rule
    return rules


class Subscriptions:
    """Sends media to those who are to have it.

    Args:
        members: everybody.
    """

    def __init__(self, members: Members) -> None:
        self._members = members
        self._going: set[tuple[str, str]] = set()  # subscriber's key, sid
        self._ever: set[str] = set()  # tracks that somebody has had
        self._permits = Permits()

    def follows(self, subscriber: Member, publisher: Member) -> bool:
        """Whether anything of one goes to the other."""
        return any((subscriber.key, track.sid) in self._going for track in publisher.published.values())

    def request(self, sender: Member, request: m.UpdateSubscription) -> list[Effect]:
        """Somebody asks for tracks, or does not want them any more."""
        listed = {sid for tracks in request.participant_tracks for sid in tracks.track_sids}
        effects: list[Effect] = []
        for sid in sorted({*request.track_sids, *listed}):
            sender.wishes.ask(sid, wants=request.subscribe)
            for publisher in self._members.others(sender):
                if any(track.sid == sid for track in publisher.published.values()):
                    effects += self._settle(sender, publisher, sid)
        return effects

    def offer(self, publisher: Member) -> list[Effect]:
        """Somebody has published something, or lets others have it: all others get what is new to them."""
        return [
            effect
            for track in publisher.published.values()
            for other in self._members.others(publisher)
            for effect in self._settle(other, publisher, track.sid)
        ]

    def catch_up(self, new: Member) -> list[Effect]:
        """Somebody is here now, and gets what there is."""
        return [
            effect
            for publisher in self._members.others(new)
            for track in publisher.published.values()
            for effect in self._settle(new, publisher, track.sid)
        ]

    def ended(self, sid: str) -> list[Effect]:
        """A track has gone."""
        self._permits.forget(sid=sid)
        self._ever.discard(sid)
        halts = [Halt(sid, key) for key, going in sorted(self._going) if going == sid]
        self._going -= {(halt.subscriber, sid) for halt in halts}
        return list(halts)

    def left(self, old: Member) -> list[Effect]:
        """Somebody has gone, and its tracks with it."""
        self._going = {pair for pair in self._going if pair[0] != old.key}
        self._permits.forget(key=old.key)
        return [effect for track in old.published.values() for effect in self.ended(track.sid)]

    def _settle(self, subscriber: Member, publisher: Member, sid: str) -> list[Effect]:
        """Begin or stop sending one track to one subscriber, as things are.

        Nothing of a hidden publisher goes out: nobody knows of it, and could say whose it is.
        """
        told: list[Tell] = []
        allowed = subscriber.is_active and subscriber.wants(sid) and not publisher.permission.hidden
        if allowed:
            allowed, told = self._permits.look(subscriber, publisher, sid)
        pair = subscriber.key, sid
        if allowed == (pair in self._going):
            return list(told)
        if not allowed:
            self._going.discard(pair)
            return [*told, Halt(sid, subscriber.key)]
        self._going.add(pair)
        forward = Forward(sid, publisher.key, subscriber.key, publisher.info.sid, publisher.find(sid) or "")
        return [*told, forward, *self._first_time(publisher, sid)]

    def _first_time(self, publisher: Member, sid: str) -> list[Tell]:
        if sid in self._ever:
            return []
        self._ever.add(sid)
        return [Tell(publisher.key, m.TrackSubscribed(sid))]
