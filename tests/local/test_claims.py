"""What a room of ours believes of a token."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta

import pytest

from lk_pyodide import AccessToken, VideoGrants
from lk_pyodide.local.claims import LEEWAY, Claims, Refused, verify

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
