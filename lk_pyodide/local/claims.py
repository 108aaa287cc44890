"""What a token says, once its signature has been checked (RFC 7519, HS256; the claims are LiveKit's)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lk_pyodide.tokens import AccessToken, VideoGrants

LEEWAY = 60.0
"""Seconds by which clocks may differ."""

MAX_NAME, MAX_METADATA, MAX_ATTRIBUTES = 256, 512 * 1024, 64 * 1024
"""Bytes, as in livekit-server's configuration: of a name, an identity, metadata, all attributes together."""


class Refused(Exception):
    """A token lets nobody in; the message says why, and holds nothing of the token.

    Args:
        message: what livekit-server would say.
        status: its HTTP status.
    """

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Claims:
    """Who joins, which room, and what it may do there. ``can_publish_sources`` empty means all."""

    identity: str
    room: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: tuple[str, ...] = ()
    can_update_own_metadata: bool = False
    hidden: bool = False
    agent: bool = False


def renewed(claims: Claims, key: str, secret: str) -> str:
    """A token that says the same as the one that somebody came with, and what has been changed since.

    livekit-server sends such a token after each change, too (``roommanager.go``, ``OnClaimsChanged``).
    """
    grants = VideoGrants(
        room_join=True,
        room=claims.room,
        can_publish=claims.can_publish,
        can_subscribe=claims.can_subscribe,
        can_publish_data=claims.can_publish_data,
        can_publish_sources=claims.can_publish_sources or None,
        can_update_own_metadata=claims.can_update_own_metadata,
        hidden=claims.hidden,
        agent=claims.agent,
    )
    token = AccessToken(key, secret).with_identity(claims.identity).with_name(claims.name).with_grants(grants)
    return token.with_metadata(claims.metadata).with_attributes(claims.attributes).to_jwt()


def verify(token: str, secrets: Mapping[str, str], now: float) -> Claims:
    """Check a token to join a room.

    Args:
        token: the JWT.
        secrets: the known keys, with their secrets.
        now: seconds since 1970.

    Raises:
        Refused: it is malformed, signed by somebody else, expired, not valid yet, or not for joining a room.
    """
    try:
        signed, _, signature = token.rpartition(".")
        header, payload = (json.loads(_decode(part)) for part in signed.split("."))
        given = _decode(signature)
        algorithm, issuer = header["alg"], payload["iss"]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise Refused("invalid token") from error
    secret = secrets.get(issuer) if isinstance(issuer, str) else None
    if algorithm != "HS256" or secret is None:
        raise Refused("invalid API key")
    if not hmac.compare_digest(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest(), given):
        raise Refused("invalid token: the signature is not the key's")
    try:
        _check_times(payload, now)
        claims = _read(payload)
        _check_sizes(claims)
    except (ValueError, TypeError, OverflowError) as error:  # whoever has the key can sign anything
        raise Refused("invalid token") from error
    return claims


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_times(payload: Mapping[str, Any], now: float) -> None:
    expires, begins = payload.get("exp"), payload.get("nbf")
    if not isinstance(expires, int | float) or now > expires + LEEWAY:
        raise Refused("invalid token: it is expired")
    if isinstance(begins, int | float) and now < begins - LEEWAY:
        raise Refused("invalid token: it is not valid yet")


def _read(payload: Mapping[str, Any]) -> Claims:
    video = payload.get("video")
    if not isinstance(video, Mapping) or video.get("roomJoin") is not True:
        raise Refused("permissions denied")
    identity, room = payload.get("sub"), video.get("room")
    if not isinstance(identity, str) or not identity:
        raise Refused("identity cannot be empty", 400)
    if not isinstance(room, str) or not room:
        raise Refused("room name cannot be empty", 400)
    attributes = payload.get("attributes")
    can_publish, data = video.get("canPublish") is not False, video.get("canPublishData")
    return Claims(
        identity=identity,
        room=room,
        name=_text(payload.get("name")),
        metadata=_text(payload.get("metadata")),
        attributes={str(k): str(v) for k, v in attributes.items()} if isinstance(attributes, Mapping) else {},
        can_publish=can_publish,
        can_subscribe=video.get("canSubscribe") is not False,
        can_publish_data=can_publish if data is None else data is not False,
        can_publish_sources=tuple(map(str, video.get("canPublishSources") or ())),
        can_update_own_metadata=video.get("canUpdateOwnMetadata") is True,
        hidden=video.get("hidden") is True,
        agent=video.get("agent") is True,
    )


def _check_sizes(claims: Claims) -> None:
    for text, limit, what in (
        (claims.identity, MAX_NAME, "participant identity length"),
        (claims.room, MAX_NAME, "room name length"),
        (claims.name, MAX_NAME, "name length"),
        (claims.metadata, MAX_METADATA, "metadata size"),
        ("".join(part for pair in claims.attributes.items() for part in pair), MAX_ATTRIBUTES, "attribute size"),
    ):
        if len(text.encode()) > limit:
            raise Refused(f"{what} exceeds limits", 400)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
