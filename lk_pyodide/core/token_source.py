"""What to ask a token endpoint for, what its answer says, and for how long that is good.

Source: livekit-client ``src/room/token-source``, and ``livekit_token_source.proto`` of livekit/protocol.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

from lk_pyodide.errors import TokenSourceError, UsageError
from lk_pyodide.options import TokenSourceFetchOptions
from lk_pyodide.types import ConnectErrorReason, TokenSourceResponse

Details: TypeAlias = "tuple[str, str] | Mapping[str, Any]"
"""An address and a token as users give them: a pair, or what was read of a JSON answer."""

EXPIRY_MARGIN = 60.0
"""Seconds before a token's end from which on it is taken for ended."""

DEVELOPMENT_SERVER = "https://cloud-api.livekit.io"
DEVELOPMENT_PATH = "/api/v2/sandbox/connection-details"

_LOOKS_SECRET = re.compile(r"[\w.~+/=-]{20,}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


# -- the question ------------------------------------------------------------------------------------------------------


def check_endpoint(url: str, method: str, headers: Mapping[str, str]) -> None:
    """Refuse what no browser could ask, here, because the browser's own words would repeat it.

    Raises:
        UsageError: what is wrong, without the address and without the headers.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("not the address of a token endpoint: it is malformed") from None
    if not url or parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc) or "\\" in url:
        raise UsageError("the address of a token endpoint begins with https:// or http://, or is relative to the page")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the address of a token endpoint must not contain a user name or password")
    if method.upper() in ("GET", "HEAD"):
        raise UsageError(f"a token endpoint is told in the request's body what is wanted, and {method} has none")
    if not all(_HEADER_VALUE.fullmatch(value) for value in headers.values()):
        raise UsageError("a header's value has characters that HTTP does not allow")


def absolute(url: str, page_url: str) -> str:
    """The endpoint's address; a relative one means the page, also where Python runs in a worker."""
    return urljoin(page_url, url)


def request_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers, which may say another type of content than ours."""
    said = any(name.lower() == "content-type" for name in headers)
    return {**({} if said else {"Content-Type": "application/json"}), **headers}


def request_body(options: TokenSourceFetchOptions) -> str:
    """``livekit.TokenSourceRequest`` as JSON with the names of the protocol's fields.

    Raises:
        UsageError: an attribute is not a string.
    """
    attributes = options.participant_attributes or {}
    texts: list[object] = [*attributes, *attributes.values()]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError("attributes are strings, their names and their values")
    agent = {
        "agent_name": options.agent_name,
        "metadata": options.agent_metadata,
        "deployment": options.deployment,
    }
    wanted: dict[str, Any] = {
        "room_name": options.room_name,
        "participant_name": options.participant_name,
        "participant_identity": options.participant_identity,
        "participant_metadata": options.participant_metadata,
        "participant_attributes": attributes or None,
        "room_config": {"agents": [_said(agent)]} if _said(agent) else None,
    }
    return json.dumps(_said(wanted))


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


# -- the answer --------------------------------------------------------------------------------------------------------


def read_answer(status: int, text: str) -> TokenSourceResponse:
    """Read what an endpoint answered.

    Raises:
        TokenSourceError: it refused, or the answer is not ``livekit.TokenSourceResponse`` as JSON.
    """
    if not 200 <= status < 300:
        # What it says may repeat what it was asked with. Words are shorter than keys.
        words = _LOOKS_SECRET.sub("…", text.strip())[:200]
        raise TokenSourceError(
            f"the token endpoint answered HTTP {status}{words and ': '}{words}", _reason(status), status=status
        )
    try:
        answer = json.loads(text)
    except ValueError:
        # Not chained: the error holds the answer, and there may be a token in it.
        raise TokenSourceError(
            "the token endpoint's answer is not JSON", ConnectErrorReason.INTERNAL_ERROR, status=status
        ) from None
    return read_details(answer)


def _reason(status: int) -> ConnectErrorReason:
    match status:
        case 401 | 403:
            return ConnectErrorReason.NOT_ALLOWED
        case 404:
            return ConnectErrorReason.SERVICE_NOT_FOUND
        case _:
            return ConnectErrorReason.INTERNAL_ERROR


def read_details(details: object) -> TokenSourceResponse:
    """Read an address and a token from what a function gave, or an endpoint.

    Args:
        details: :data:`Details`. A mapping may have the names of the protocol's fields or of its JSON (``server_url``
            or ``serverUrl``), as protobuf accepts both, and others besides.

    Raises:
        TokenSourceError: it is something else, or incomplete.
    """
    match details:
        case (str(url), str(token)):
            return TokenSourceResponse(url, token)
        case Mapping():
            url = _text(details, "server_url", "serverUrl")
            return TokenSourceResponse(url, _text(details, "participant_token", "participantToken"))
        case _:
            raise TokenSourceError(
                f"the token source gave an object of type {type(details).__name__}, not an address and a token",
                ConnectErrorReason.INTERNAL_ERROR,
            )


def _text(details: Mapping[Any, Any], *names: str) -> str:
    for name in names:
        value = details.get(name)
        if isinstance(value, str) and value:
            return value
    raise TokenSourceError(f"the token source gave no {names[0]}", ConnectErrorReason.INTERNAL_ERROR)


# -- keeping it --------------------------------------------------------------------------------------------------------


class TokenCache:
    """The last answer, for as long as it is good."""

    def __init__(self) -> None:
        self._kept: tuple[TokenSourceFetchOptions, TokenSourceResponse] | None = None

    def get(self, options: TokenSourceFetchOptions, now: float) -> TokenSourceResponse | None:
        """The last answer, if the question was the same and its token can be joined with now (in seconds of Unix)."""
        if self._kept is None:
            return None
        asked, response = self._kept
        return response if asked == options and is_current(response.participant_token, now) else None

    def keep(self, options: TokenSourceFetchOptions, response: TokenSourceResponse) -> None:
        """Keep an answer in place of the last one."""
        self._kept = options, response

    def forget(self) -> None:
        """Keep nothing."""
        self._kept = None


def is_current(token: str, now: float) -> bool:
    """Whether a token is known to be valid now and for a minute more. One that cannot be read is not.

    Args:
        token: a JWT, which need not say from when or until when it is valid.
        now: seconds of Unix.
    """
    claims = _claims(token)
    if claims is None:
        return False
    begins, ends = claims.get("nbf", now), claims.get("exp", math.inf)
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        return False
    return begins <= now and now + EXPIRY_MARGIN < ends


def _claims(token: str) -> dict[str, Any] | None:
    _, _, rest = token.partition(".")
    payload = rest.partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None
