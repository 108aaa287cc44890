"""Access tokens, made by Python alone: who may join which room, signed with the server's secret.

The names are those of ``livekit-api``, LiveKit's package for servers. A secret belongs on a server of yours: in a page
everyone who opens it has it. That is right for the development key, and for one that somebody types in.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

from lk_pyodide.errors import UsageError

__all__ = ["AccessToken", "VideoGrants"]

_DEV_KEY, _DEV_SECRET = "devkey", "secret"
_TTL = timedelta(hours=6)


@dataclass(kw_only=True)
class VideoGrants:
    """What a token allows. None leaves it to the server, which says no to most.

    Source: ``VideoGrant`` of livekit/protocol, with the fields and defaults of ``livekit-api``.

    Args:
        room_create: make rooms.
        room_list: list rooms.
        room_record: record rooms.
        room_admin: manage ``room``.
        room_join: join ``room``.
        room: the room's name.
        destination_room: the room to which the participant may be forwarded.
        can_publish: publish tracks.
        can_subscribe: receive the tracks of others.
        can_publish_data: send data.
        can_publish_sources: publish these sources alone, such as ``"camera"``, whatever ``can_publish`` says.
        can_update_own_metadata: change one's own name, metadata and attributes.
        ingress_admin: manage ingresses.
        hidden: be invisible to the others.
        recorder: be shown as a recorder.
        agent: register as a worker of the agents framework.
        can_manage_agent_session: manage an agent's session.
        can_subscribe_metrics: receive the metrics of others.
    """

    room_create: bool | None = None
    room_list: bool | None = None
    room_record: bool | None = None
    room_admin: bool | None = None
    room_join: bool | None = None
    room: str = ""
    destination_room: str | None = None
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: Sequence[str] | None = None
    can_update_own_metadata: bool | None = None
    ingress_admin: bool | None = None
    hidden: bool | None = None
    recorder: bool | None = None
    agent: bool | None = None
    can_manage_agent_session: bool | None = None
    can_subscribe_metrics: bool | None = None


class AccessToken:
    """A token in the making: say who and what by its ``with_`` methods, which return it, then :meth:`to_jwt`.

    Args:
        api_key: the server's key.
        api_secret: its secret. Without both they are those of ``livekit-server --dev``.

    Raises:
        UsageError: one of the two is missing, or empty.
    """

    def __init__(self, api_key: str | None = None, api_secret: str | None = None) -> None:
        if api_key is None and api_secret is None:
            api_key, api_secret = _DEV_KEY, _DEV_SECRET
        if not api_key or not api_secret:
            raise UsageError("a token needs the server's key and its secret; with neither, it is the development key's")
        self._key = api_key
        self._secret = api_secret
        self._identity = ""
        self._ttl = _TTL
        self._grants: VideoGrants | None = None
        self._claims: dict[str, object] = {}

    def with_identity(self, identity: str) -> AccessToken:
        """Who it is for; see :attr:`Participant.identity`. Nobody else in the room may have the same."""
        self._identity = identity
        return self

    def with_name(self, name: str) -> AccessToken:
        """The name that others see; see :attr:`Participant.name`."""
        return self._claim("name", name)

    def with_metadata(self, metadata: str) -> AccessToken:
        """Anything that others may see; see :attr:`Participant.metadata`."""
        return self._claim("metadata", metadata)

    def with_attributes(self, attributes: Mapping[str, str]) -> AccessToken:
        """The same by name; see :attr:`Participant.attributes`.

        Raises:
            UsageError: a name or a value is not a string.
        """
        texts: list[object] = [*attributes, *attributes.values()]
        if not all(isinstance(text, str) for text in texts):
            raise UsageError("attributes are strings, their names and their values")
        return self._claim("attributes", dict(attributes))

    def with_grants(self, grants: VideoGrants) -> AccessToken:
        """What it allows; see :class:`VideoGrants`."""
        self._grants = replace(grants)
        return self

    def with_ttl(self, ttl: timedelta) -> AccessToken:
        """How long from now on one can join with it; six hours unless said otherwise. See :meth:`to_jwt`."""
        self._ttl = ttl
        return self

    def to_jwt(self) -> str:
        """The token as text, valid from now on.

        Returns:
            What :meth:`Room.connect` takes: a JWT, signed with HS256.

        Raises:
            UsageError: it would allow to join a room, and does not say who, or which.
        """
        grants = self._grants
        if grants is not None and grants.room_join and not (self._identity and grants.room):
            raise UsageError("a token to join a room needs with_identity(…), and VideoGrants(room=…)")
        now = time.time()
        claims = {
            **{name: value for name, value in self._claims.items() if value != ""},
            **({} if grants is None else {"video": _camel_case(grants)}),
            "sub": self._identity,
            "iss": self._key,
            "nbf": int(now),
            "exp": int(now + self._ttl.total_seconds()),
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{_base64(_sign(self._secret, signed))}"

    def _claim(self, name: str, value: object) -> AccessToken:
        self._claims[name] = value
        return self

    def __repr__(self) -> str:
        room = f" for {self._grants.room!r}" if self._grants is not None and self._grants.room else ""
        return f"<{type(self).__name__} of {self._identity!r}{room}>"


def _camel_case(grants: VideoGrants) -> dict[str, object]:
    """The grants as the server reads them, without those that say nothing."""
    said = {field.name: getattr(grants, field.name) for field in fields(grants)}
    return {_camel(name): value for name, value in said.items() if value is not None and value != ""}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _sign(secret: str, text: str) -> bytes:
    import hashlib  # a page that is given its tokens need not load these
    import hmac

    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()


def _encode(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
