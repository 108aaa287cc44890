"""What an endpoint is asked, what is read of its answers, and for how long they are good."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import room as theirs

from lk_pyodide import AccessToken, ConnectErrorReason, TokenSourceError, TokenSourceFetchOptions, UsageError
from lk_pyodide.core import token_source as core
from lk_pyodide.types import TokenSourceResponse

NOW = 1_800_000_000
EVERYTHING = TokenSourceFetchOptions(
    room_name="maths",
    participant_name="Ada Lovelace",
    participant_identity="ada",
    participant_metadata='{"a": 1}',
    participant_attributes={"mood": "curious 🎓"},
    agent_name="tutor",
    agent_metadata="be kind",
    deployment="blue",
)
texts = st.text(max_size=5)
said = st.builds(
    TokenSourceFetchOptions,
    **{
        entry.name: st.none() | (st.dictionaries(texts, texts) if entry.name == "participant_attributes" else texts)
        for entry in fields(TokenSourceFetchOptions)
    },
)


def message(name: str) -> Any:
    """A message of ``livekit_token_source.proto``, which livekit-protocol lacks."""
    file = descriptor_pb2.FileDescriptorProto(name="token_source", package="livekit", syntax="proto3")
    file.dependency.append(theirs.DESCRIPTOR.name)
    request, response = file.message_type.add(name="TokenSourceRequest"), file.message_type.add()
    names = ("room_name", "participant_name", "participant_identity", "participant_metadata")
    for number, field in enumerate(names, 1):
        request.field.add(name=field, number=number, type=9, label=1, proto3_optional=True, oneof_index=number - 1)
        request.oneof_decl.add(name=f"_{field}")
    entry = request.nested_type.add(name="ParticipantAttributesEntry")
    entry.options.map_entry = True
    for number, field in enumerate(("key", "value"), 1):
        entry.field.add(name=field, number=number, type=9, label=1)
    own = ".livekit.TokenSourceRequest.ParticipantAttributesEntry"
    request.field.add(name="participant_attributes", number=5, type=11, label=3, type_name=own)
    request.field.add(name="room_config", number=6, type=11, label=1, type_name=".livekit.RoomConfiguration")
    response.name = "TokenSourceResponse"
    for number, field in enumerate(("server_url", "participant_token"), 1):
        response.field.add(name=field, number=number, type=9, label=1)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"livekit.{name}"))()


# -- the question ------------------------------------------------------------------------------------------------------


def test_everything_that_can_be_asked() -> None:
    assert json.loads(core.request_body(EVERYTHING)) == {
        "room_name": "maths",
        "participant_name": "Ada Lovelace",
        "participant_identity": "ada",
        "participant_metadata": '{"a": 1}',
        "participant_attributes": {"mood": "curious 🎓"},
        "room_config": {"agents": [{"agent_name": "tutor", "metadata": "be kind", "deployment": "blue"}]},
    }
    assert all(getattr(EVERYTHING, entry.name) for entry in fields(EVERYTHING))


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {}),
        ({"room_name": "maths"}, {"room_name": "maths"}),
        ({"participant_name": ""}, {"participant_name": ""}),
        ({"participant_attributes": {}}, {}),
        ({"agent_metadata": "x"}, {"room_config": {"agents": [{"metadata": "x"}]}}),
    ],
)
def test_nothing_is_sent_that_was_not_said(options: dict[str, Any], body: dict[str, Any]) -> None:
    assert json.loads(core.request_body(TokenSourceFetchOptions(**options))) == body


@given(said)
def test_protobuf_reads_the_same(options: TokenSourceFetchOptions) -> None:
    request = json_format.Parse(core.request_body(options), message("TokenSourceRequest"))
    for name in ("room_name", "participant_name", "participant_identity", "participant_metadata"):
        asked = getattr(options, name)
        assert (getattr(request, name), request.HasField(name)) == (asked or "", asked is not None)
    assert dict(request.participant_attributes) == (options.participant_attributes or {})
    asked = [options.agent_name, options.agent_metadata, options.deployment]
    agents = [[agent.agent_name, agent.metadata, agent.deployment] for agent in request.room_config.agents]
    assert agents == ([] if asked == [None] * 3 else [[text or "" for text in asked]])


@pytest.mark.parametrize("wrong", [{"age": 12}, {12: "age"}, {"age": None}])
def test_attributes_are_strings(wrong: Any) -> None:
    with pytest.raises(UsageError, match="strings"):
        core.request_body(TokenSourceFetchOptions(participant_attributes=wrong))


def test_headers_of_ones_own() -> None:
    assert core.request_headers({}) == {"Content-Type": "application/json"}
    assert core.request_headers({"Authorization": "x"}) == {"Content-Type": "application/json", "Authorization": "x"}
    assert core.request_headers({"content-type": "text/plain"}) == {"content-type": "text/plain"}, "not two of them"


@pytest.mark.parametrize(
    "url", ["https://a.example/token?x=1", "http://[::1]:8080/", "//a.example/token", "/token", "token", "../token"]
)
def test_addresses_of_endpoints(url: str) -> None:
    core.check_endpoint(url, "POST", {"Authorization": "Bearer ÿ\t~"})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://secret.example",
        "secret.example:8080/token",
        "javascript:secret",
        "https://user:secret@a.example/",
        "//secret@a.example/",
        "https:/user:secret@a.example/",
        "https:\\\\user:secret@a.example/",
        "\\\\user:secret@a.example/",
        "https://[secret/",
    ],
)
def test_what_is_no_address_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="token endpoint") as caught:
        core.check_endpoint(url, "POST", {})
    assert "secret" not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("method", ["GET", "get", "HEAD"])
def test_methods_without_a_body(method: str) -> None:
    with pytest.raises(UsageError, match="has none"):
        core.check_endpoint("/token", method, {})


@pytest.mark.parametrize("value", ["secret\nX: y", "secret\0", "secret€"])
def test_headers_that_no_browser_sends_are_not_repeated(value: str) -> None:
    with pytest.raises(UsageError, match="header") as caught:
        core.check_endpoint("/token", "POST", {"Authorization": value})
    assert "secret" not in repr(caught.value)


def test_a_relative_address_is_the_pages() -> None:
    page = "https://a.example/course/page.html"
    assert core.absolute("/token", page) == "https://a.example/token"
    assert core.absolute("token?x=1", page) == "https://a.example/course/token?x=1"
    assert core.absolute("http://b.example/", page) == "http://b.example/"


# -- the answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {"server_url": "wss://a", "participant_token": "t"},
        {"serverUrl": "wss://a", "participantToken": "t"},
        {"server_url": "wss://a", "participantToken": "t", "room_name": "maths", "expires": {"in": [5]}},
        {"server_url": None, "serverUrl": "wss://a", "participant_token": "t"},
    ],
)
def test_answers(answer: dict[str, Any]) -> None:
    assert core.read_answer(200, json.dumps(answer)) == ("wss://a", "t")
    assert core.read_details(answer) == TokenSourceResponse("wss://a", "t")
    read = json_format.ParseDict(answer, message("TokenSourceResponse"), ignore_unknown_fields=True)
    assert (read.server_url, read.participant_token) == ("wss://a", "t"), "and protobuf reads the same"


def test_a_pair_is_an_answer_too() -> None:
    assert core.read_details(("local://", "t")).server_url == "local://"
    assert core.read_details(TokenSourceResponse("local://", "t")).participant_token == "t"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"server_url": "wss://a"}, "no participant_token"),
        ({"participant_token": "secret"}, "no server_url"),
        ({"server_url": "", "participant_token": "secret"}, "no server_url"),
        ({"server_url": "wss://a", "participant_token": ["secret"]}, "no participant_token"),
        ("secret", "type str"),
        (None, "type NoneType"),
        (["secret"], "type list"),
        (("wss://a", "secret", 1), "type tuple"),
    ],
)
def test_what_is_no_answer_is_not_repeated(answer: Any, words: str) -> None:
    with pytest.raises(TokenSourceError, match=words) as caught:
        core.read_details(answer)
    assert caught.value.reason is ConnectErrorReason.INTERNAL_ERROR
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("text", ["", "<!doctype html>secret", '{"participant_token": "secret"'])
def test_what_is_no_json_is_not_repeated(text: str) -> None:
    with pytest.raises(TokenSourceError, match="not JSON") as caught:
        core.read_answer(200, text)
    assert (caught.value.reason, caught.value.status) == (ConnectErrorReason.INTERNAL_ERROR, 200)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, ConnectErrorReason.NOT_ALLOWED),
        (403, ConnectErrorReason.NOT_ALLOWED),
        (404, ConnectErrorReason.SERVICE_NOT_FOUND),
        (400, ConnectErrorReason.INTERNAL_ERROR),
        (500, ConnectErrorReason.INTERNAL_ERROR),
        (302, ConnectErrorReason.INTERNAL_ERROR),
    ],
)
def test_refusals(status: int, reason: ConnectErrorReason) -> None:
    with pytest.raises(TokenSourceError, match=rf"^the token endpoint answered HTTP {status}: no room$") as caught:
        core.read_answer(status, " no room\n")
    assert (caught.value.reason, caught.value.status) == (reason, status)
    with pytest.raises(TokenSourceError, match=rf"HTTP {status}$"):
        core.read_answer(status, "")


def test_a_refusal_repeats_words_but_no_secrets() -> None:
    token = AccessToken().with_identity("ada").to_jwt()
    key = "0123456789abcdefghij"
    with pytest.raises(TokenSourceError) as caught:
        core.read_answer(500, f'{{"error": "bad header: Bearer {key}", "token": "{token}"}} {"x " * 500}')
    assert 'bad header: Bearer …", "token": "…"' in str(caught.value)
    assert len(str(caught.value)) < 300


# -- keeping it --------------------------------------------------------------------------------------------------------


def jwt(claims: object) -> str:
    """A token that says this; nobody here looks at its signature."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.x"


@pytest.mark.parametrize(
    ("claims", "current"),
    [
        ({"nbf": NOW, "exp": NOW + 61}, True),
        ({"nbf": NOW, "exp": NOW + 60}, False),
        ({"nbf": NOW + 1, "exp": NOW + 600}, False),
        ({"nbf": NOW - 600, "exp": NOW - 1}, False),
        ({"exp": NOW + 61}, True),
        ({"exp": NOW + 60}, False),
        ({"nbf": NOW + 0.5}, False),
        ({"nbf": NOW}, True),
        ({}, True),
        ({"exp": 10**400}, True),
        ({"exp": str(NOW + 600)}, False),
        ({"nbf": None, "exp": NOW + 600}, False),
        ([NOW], False),
    ],
)
def test_until_when_a_token_is_good(claims: object, current: bool) -> None:
    assert core.is_current(jwt(claims), NOW) is current


@pytest.mark.parametrize("token", ["", "token", "a.b", "a.e30", "é.é.é", "..", f"x.{'A' * 5}.x"])
def test_a_token_that_cannot_be_read_is_asked_for_anew(token: str) -> None:
    assert core.is_current(token, NOW) is (token == "a.e30")


def test_a_token_of_our_own_is_good_for_its_time() -> None:
    token = AccessToken().with_identity("ada").with_ttl(timedelta(hours=1)).to_jwt()
    begins = core._claims(token)
    assert begins is not None
    assert core.is_current(token, begins["nbf"])
    assert core.is_current(token, begins["nbf"] + 3539)
    assert not core.is_current(token, begins["nbf"] + 3540)


def test_the_cache_answers_the_same_question_while_the_token_is_good() -> None:
    cache, options = core.TokenCache(), TokenSourceFetchOptions(participant_attributes={"a": "1"})
    response = TokenSourceResponse("wss://a", jwt({"exp": NOW + 600}))
    assert cache.get(options, NOW) is None
    cache.keep(options, response)
    same = TokenSourceFetchOptions(participant_attributes={"a": "1"})
    assert cache.get(same, NOW) is cache.get(same, NOW + 539) is response
    assert cache.get(same, NOW + 540) is None
    assert cache.get(same, NOW) is response, "a clock may be set"
    cache.forget()
    assert cache.get(same, NOW) is None


@pytest.mark.parametrize("name", [entry.name for entry in fields(TokenSourceFetchOptions)])
def test_another_question_is_another_question(name: str) -> None:
    cache = core.TokenCache()
    cache.keep(EVERYTHING, TokenSourceResponse("wss://a", jwt({})))
    other = {entry.name: getattr(EVERYTHING, entry.name) for entry in fields(EVERYTHING)}
    other[name] = {"mood": "bored"} if name == "participant_attributes" else "other"
    assert cache.get(TokenSourceFetchOptions(**other), NOW) is None
    assert cache.get(TokenSourceFetchOptions(), NOW) is None
