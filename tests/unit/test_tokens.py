"""Access tokens say what LiveKit's own package says for the same input, and it accepts them."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
import time
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from livekit import api

from lk_pyodide import AccessToken, UsageError, VideoGrants

KEY, SECRET = "key", "a secret of more than thirty-two bytes"
JOIN = {"room_join": True, "room": "maths"}
ALL = {
    **JOIN,
    "room_create": True,
    "room_list": False,
    "room_record": True,
    "room_admin": True,
    "destination_room": "physics",
    "can_publish": False,
    "can_subscribe": False,
    "can_publish_data": False,
    "can_publish_sources": ["camera", "screen_share"],
    "can_update_own_metadata": True,
    "ingress_admin": True,
    "hidden": True,
    "recorder": True,
    "agent": True,
    "can_manage_agent_session": True,
    "can_subscribe_metrics": True,
}
SAID: list[dict[str, Any]] = [
    {"identity": "ada", "grants": JOIN},
    {
        "identity": "ada",
        "name": "Ada Lovelace",
        "metadata": '{"a": 1}',
        "attributes": {"mood": "curious"},
        "grants": ALL,
    },
    {"identity": "Zoë 🎓", "name": "", "metadata": "", "attributes": {"Ä": "", "snake_case": "kept"}, "grants": JOIN},
    {"identity": "ada", "grants": {**JOIN, "can_publish_sources": []}, "ttl": timedelta(minutes=5)},
    {"attributes": {}, "grants": {"room_list": True}},
    {"identity": "ada", "grants": {}},
    {"identity": "ada", "ttl": timedelta(days=-1)},
]


@pytest.fixture(autouse=True)
def weak_secrets() -> Iterator[None]:
    """The well-known secret is shorter than secrets should be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The HMAC key is")
        yield


def say(token: Any, grants: type, what: dict[str, Any]) -> str:
    for name, value in what.items():
        said = getattr(token, f"with_{name}")(grants(**value) if name == "grants" else value)
        assert said is token
    text: str = token.to_jwt()
    return text


def parts(token: str) -> list[Any]:
    """Header and claims."""
    assert "=" not in token
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


@pytest.mark.parametrize("what", SAID)
def test_it_says_what_livekit_api_says(what: dict[str, Any]) -> None:
    header, claims = parts(say(AccessToken(KEY, SECRET), VideoGrants, what))
    their_header, theirs = parts(say(api.AccessToken(KEY, SECRET), api.VideoGrants, what))
    assert header == their_header == {"alg": "HS256", "typ": "JWT"}
    for moment in ("nbf", "exp"):
        assert abs(claims.pop(moment) - theirs.pop(moment)) <= 2, moment
    assert claims == theirs


@pytest.mark.parametrize("what", [what for what in SAID if what.get("ttl", timedelta(1)) > timedelta(0)])
def test_livekit_api_accepts_it_and_reads_all_of_it(what: dict[str, Any]) -> None:
    claims = api.TokenVerifier(KEY, SECRET).verify(say(AccessToken(KEY, SECRET), VideoGrants, what))
    assert claims.identity == what.get("identity", "")
    assert claims.name == what.get("name", "")
    assert claims.metadata == what.get("metadata", "")
    assert claims.attributes == what.get("attributes", {})
    assert claims.video == api.VideoGrants(**what["grants"])


def test_who_by_whom_and_when() -> None:
    token = AccessToken(KEY, SECRET).with_identity("ada").with_ttl(timedelta(hours=1)).to_jwt()
    before = time.time()
    claims = parts(token)[1]
    assert (claims["sub"], claims["iss"]) == ("ada", KEY)
    assert claims["exp"] - claims["nbf"] == 3600
    assert -2 < claims["nbf"] - before < 2
    claims = parts(AccessToken(KEY, SECRET).with_identity("ada").to_jwt())[1]
    assert claims["exp"] - claims["nbf"] == 6 * 3600, "unless said otherwise"


@pytest.mark.parametrize(("key", "secret"), [(KEY, "another secret, as long as the first"), ("other", SECRET)])
def test_another_key_or_secret_does_not_accept_it(key: str, secret: str) -> None:
    token = AccessToken(KEY, SECRET).with_identity("ada").to_jwt()
    with pytest.raises(Exception, match="Signature|issuer"):
        api.TokenVerifier(key, secret).verify(token)


def test_without_a_key_it_is_the_development_key() -> None:
    token = AccessToken().with_identity("ada").with_grants(VideoGrants(room_join=True, room="maths")).to_jwt()
    assert api.TokenVerifier("devkey", "secret").verify(token).identity == "ada"


@pytest.mark.parametrize("given", [("key",), (None, "secret"), ("key", ""), ("", "secret"), ("", "")])
def test_half_a_key_is_refused(given: tuple[str | None, ...]) -> None:
    with pytest.raises(UsageError, match="key and its secret"):
        AccessToken(*given)


@pytest.mark.parametrize(("identity", "room"), [("", "maths"), ("ada", ""), ("", "")])
def test_to_join_one_has_to_say_who_and_where(identity: str, room: str) -> None:
    token = AccessToken().with_identity(identity).with_grants(VideoGrants(room_join=True, room=room))
    with pytest.raises(UsageError, match=r"with_identity.*VideoGrants\(room="):
        token.to_jwt()


@pytest.mark.parametrize("wrong", [{"age": 12}, {12: "age"}, {"age": None}])
def test_attributes_are_strings(wrong: Any) -> None:
    with pytest.raises(UsageError, match="strings"):
        AccessToken().with_attributes(wrong)


def test_what_is_changed_later_has_no_effect() -> None:
    grants, attributes = VideoGrants(room_join=True, room="maths"), {"mood": "curious"}
    token = AccessToken().with_identity("ada").with_grants(grants).with_attributes(attributes)
    grants.room, attributes["mood"] = "staff", "bored"
    claims = parts(token.to_jwt())[1]
    assert (claims["video"]["room"], claims["attributes"]["mood"]) == ("maths", "curious")


def test_no_secret_and_no_token_in_a_repr() -> None:
    token = AccessToken("the-key", SECRET).with_identity("ada").with_grants(VideoGrants(room_join=True, room="maths"))
    text = token.to_jwt()
    for shown in (repr(token), str(token), f"{token!r}"):
        assert shown == "<AccessToken of 'ada' for 'maths'>"
        assert SECRET not in shown and text not in shown
    assert repr(AccessToken()) == "<AccessToken of ''>"


def test_the_grants_are_those_of_livekit_api() -> None:
    theirs = {field.name: field.default for field in dataclasses.fields(api.VideoGrants)}
    assert {field.name: field.default for field in dataclasses.fields(VideoGrants)} == theirs
    assert pickle.loads(pickle.dumps(VideoGrants(room="maths"))) == VideoGrants(room="maths")
