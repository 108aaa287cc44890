"""What a room of ours believes of a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest

from lk_pyodide import AccessToken, VideoGrants
from lk_pyodide.local.claims import LEEWAY, Claims, Refused, renewed, verify

SECRETS = {"devkey": "secret"}


def token(**grants: object) -> AccessToken:
    return AccessToken().with_identity("ada").with_grants(VideoGrants(room_join=True, room="lesson", **grants))  # type: ignore[arg-type]


def read(jwt: str, *, later: float = 0) -> Claims:
    return verify(jwt, SECRETS, time.time() + later)


def test_a_token_says_who_and_what() -> None:
    made = token(can_publish=False, can_publish_sources=["camera"], can_update_own_metadata=True)
    jwt = made.with_name("Ada").with_metadata("m").with_attributes({"a": "b"}).to_jwt()
    assert read(jwt) == Claims(
        identity="ada",
        room="lesson",
        name="Ada",
        metadata="m",
        attributes={"a": "b"},
        can_publish=False,
        can_publish_sources=("camera",),
        can_update_own_metadata=True,
    )


def test_time_counts() -> None:
    jwt = token().with_ttl(timedelta(seconds=100)).to_jwt()
    assert read(jwt, later=100 + LEEWAY / 2).identity == "ada"
    with pytest.raises(Refused, match="expired"):
        read(jwt, later=101 + LEEWAY)
    with pytest.raises(Refused, match="not valid yet"):
        read(jwt, later=-1 - LEEWAY - 1)


def test_another_ones_signature() -> None:
    jwt = AccessToken("devkey", "another").with_identity("ada").with_grants(VideoGrants(room_join=True, room="r"))
    with pytest.raises(Refused, match="signature") as caught:
        read(jwt.to_jwt())
    assert jwt.to_jwt() not in str(caught.value)
    with pytest.raises(Refused, match="API key"):
        read(AccessToken("unknown", "secret").with_identity("ada").to_jwt())


def test_no_algorithm_is_no_signature() -> None:
    _, payload, _ = token().to_jwt().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    with pytest.raises(Refused):
        read(f"{header}.{payload}.")


@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "a.b", "a.b.c", "ü.ü.ü", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA", "W10.W10.W10"]
)
def test_what_is_no_token(wrong: str) -> None:
    with pytest.raises(Refused):
        read(wrong)


def test_every_change_of_a_token_is_noticed() -> None:
    jwt = token().to_jwt()
    for place in range(len(jwt)):
        changed = jwt[:place] + ("A" if jwt[place] != "A" else "B") + jwt[place + 1 :]
        try:
            claims = read(changed)
        except Refused:
            continue
        assert place == len(jwt) - 1, place  # the last character has bits that say nothing
        assert claims == read(jwt)


def test_not_for_joining() -> None:
    with pytest.raises(Refused, match="permissions denied"):
        read(AccessToken().with_identity("ada").with_grants(VideoGrants(room="r")).to_jwt())


def test_data_goes_with_publishing() -> None:
    """Unless the token says otherwise, as in livekit-server."""
    assert not read(token(can_publish=False, can_publish_data=None).to_jwt()).can_publish_data
    assert read(token(can_publish=False, can_publish_data=True).to_jwt()).can_publish_data
    assert not read(token(can_publish_data=False).to_jwt()).can_publish_data


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (AccessToken().with_identity("a" * 257).with_grants(VideoGrants(room_join=True, room="r")), "identity"),
        (AccessToken().with_identity("a").with_grants(VideoGrants(room_join=True, room="r" * 257)), "room name"),
        (token().with_name("ü" * 129), "name length"),
        (token().with_metadata("x" * (512 * 1024 + 1)), "metadata"),
        (token().with_attributes({"a": "x" * 40_000, "b": "x" * 30_000}), "attribute"),
    ],
)
def test_too_large(made: AccessToken, what: str) -> None:
    with pytest.raises(Refused, match=what) as caught:
        read(made.to_jwt())
    assert caught.value.status == 400


def signed(payload: str, header: str = '{"alg": "HS256"}') -> str:
    """A token of any content, by the known key."""
    parts = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload)]
    digest = hmac.new(b"secret", ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(digest).decode().rstrip("=")])


GOOD = '{"iss": "devkey", "sub": "ada", "exp": 9999999999, "video": {"roomJoin": true, "room": "r"}}'


def test_the_tokens_of_the_next_test_are_good_but_for_one_thing() -> None:
    assert read(signed(GOOD)) == Claims("ada", "r")


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("9999999999", "1" + "0" * 400),
        ("9999999999", '"tomorrow"'),
        ("9999999999", '9999999999, "nbf": 1' + "0" * 400),
        ('"r"', '"r", "canPublishSources": 5'),
        ('"r"', '"r\\ud800"'),
        ('"ada"', "[]"),
        ('{"roomJoin": true, "room": "r"}', "null"),
        ('"ada"', "[" * 100_000),
    ],
)
def test_signed_nonsense(part: str, wrong: str) -> None:
    with pytest.raises(Refused):
        read(signed(GOOD.replace(part, wrong)))


@pytest.mark.parametrize(
    "claims",
    [
        Claims("ada", "lesson"),
        Claims(
            "ada",
            "lesson",
            name="Ada",
            metadata="changed",
            attributes={"hand": "up"},
            can_publish=False,
            can_subscribe=False,
            can_publish_data=False,
            can_publish_sources=("camera", "microphone"),
            can_update_own_metadata=True,
            hidden=True,
            agent=True,
        ),
    ],
)
def test_a_renewed_token_says_the_same(claims: Claims) -> None:
    assert read(renewed(claims, "devkey", "secret")) == claims
