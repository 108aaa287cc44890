"""Access tokens for the tests, minted with LiveKit's own library (never with ours: it is what is being tested)."""

import datetime
import json
from collections.abc import Mapping, Sequence

from livekit import api

API_KEY = "devkey"
API_SECRET = "loopback-tests-only-0123456789abcdef"


def mint_token(
    identity: str,
    room: str,
    *,
    name: str | None = None,
    ttl_seconds: float = 600,
    metadata: str | None = None,
    attributes: Mapping[str, str] | None = None,
    can_publish: bool = True,
    can_subscribe: bool = True,
    can_publish_data: bool = True,
    can_publish_sources: Sequence[str] | None = None,
    can_update_own_metadata: bool = True,
    hidden: bool = False,
    agent: bool = False,
    room_join: bool = True,
    key: str = API_KEY,
    secret: str = API_SECRET,
) -> str:
    """A token for one participant in one room; a negative `ttl_seconds` gives one that has expired."""
    grants = api.VideoGrants(
        room_join=room_join,
        room=room,
        can_publish=can_publish,
        can_subscribe=can_subscribe,
        can_publish_data=can_publish_data,
        can_publish_sources=None if can_publish_sources is None else list(can_publish_sources),
        can_update_own_metadata=can_update_own_metadata,
        hidden=hidden,
        agent=agent,
    )
    token = (
        api.AccessToken(key, secret)
        .with_identity(identity)
        .with_grants(grants)
        .with_ttl(datetime.timedelta(seconds=ttl_seconds))
    )
    if name is not None:
        token = token.with_name(name)
    if metadata is not None:
        token = token.with_metadata(metadata)
    if attributes:
        token = token.with_attributes(dict(attributes))
    return token.to_jwt()


def fault_attributes(signal: str, *, leave_action: str | int | None = None) -> dict[str, str]:
    """The token attribute by which `cmd/test-server` is told how to misbehave."""
    control: dict[str, str | int] = {"signal": signal}
    if leave_action is not None:
        control["leaveAction"] = leave_action
    return {"lk.mock": json.dumps(control)}
