"""Token sources: what they are asked for, what they keep, and how they fail."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lk_pyodide import (
    AccessToken,
    BrowserError,
    ConnectError,
    ConnectErrorReason,
    TokenSource,
    TokenSourceConfigurable,
    TokenSourceError,
    TokenSourceFetchOptions,
    TokenSourceResponse,
    UnsupportedHostError,
    UsageError,
)
from lk_pyodide.browser.api import FetchResult
from lk_pyodide.testing import FakeBrowser

URL = "wss://a.example"
ENDPOINT = "https://a.example/token"
MATHS = TokenSourceFetchOptions(room_name="maths")


def token(ttl: float = 3600, identity: str = "ada") -> str:
    """A token for so many seconds."""
    return AccessToken().with_identity(identity).with_ttl(timedelta(seconds=ttl)).to_jwt()


class Asked:
    """A function for ``TokenSource.custom``: what it was asked for, and what it answers, the last one again."""

    def __init__(self, *answers: Any) -> None:
        self.options: list[TokenSourceFetchOptions] = []
        self._answers = list(answers) or [(URL, token())]

    async def __call__(self, options: TokenSourceFetchOptions) -> Any:
        self.options.append(options)
        await asyncio.sleep(0)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


# -- literal -----------------------------------------------------------------------------------------------------------


async def test_a_pair_that_is_known() -> None:
    for source in (TokenSource.literal(URL, "t"), TokenSource.literal(server_url=URL, participant_token="t")):
        response = await source.fetch()
        assert response == TokenSourceResponse(URL, "t")
        assert (response.server_url, response.participant_token) == (URL, "t")


@pytest.mark.parametrize(
    "answer", [(URL, "t"), TokenSourceResponse(URL, "t"), {"serverUrl": URL, "participantToken": "t"}]
)
async def test_a_function_that_is_called_each_time(answer: Any) -> None:
    calls = 0

    def say() -> Any:
        nonlocal calls
        calls += 1
        return answer

    async def say_later() -> Any:
        return say()

    for function in (say, say_later):
        source = TokenSource.literal(function)
        assert await source.fetch() == await source.fetch() == (URL, "t")
    assert calls == 4


# -- custom ------------------------------------------------------------------------------------------------------------


async def test_a_function_of_what_is_wanted() -> None:
    plain = TokenSource.custom(lambda options: (URL, f"{options.room_name} {options.participant_name}"))
    assert (await plain.fetch(MATHS)).participant_token == "maths None"
    defaults = TokenSource.custom(Asked(), options=TokenSourceFetchOptions(room_name="art", participant_name="Ada"))
    await defaults.fetch()
    await defaults.fetch(MATHS)
    asked = defaults._function
    assert isinstance(asked, Asked)
    assert [(options.room_name, options.participant_name) for options in asked.options] == [
        ("art", "Ada"),
        ("maths", "Ada"),
    ]


async def test_an_answer_is_kept_while_it_is_good() -> None:
    function = Asked((URL, token(59)), (URL, token(120)))
    source = TokenSource.custom(function)
    first = await source.fetch(MATHS)
    second = await source.fetch(MATHS)
    assert first != second, "the first ended within a minute"
    assert await source.fetch(MATHS) is second
    assert await source.fetch(TokenSourceFetchOptions(room_name="maths")) is second
    assert len(function.options) == 2
    await source.fetch()
    await source.fetch(MATHS)
    assert len(function.options) == 4, "only the last question is known"
    await source.fetch(MATHS, force=True)
    assert len(function.options) == 5


async def test_what_is_changed_later_has_no_effect() -> None:
    given = TokenSourceFetchOptions(participant_attributes={"mood": "curious"})
    function = Asked()
    source = TokenSource.custom(function, options=given)
    assert given.participant_attributes is not None
    given.participant_attributes["mood"] = "bored"
    await source.fetch()
    [asked] = function.options
    assert asked.participant_attributes == {"mood": "curious"}
    assert asked.participant_attributes is not None
    asked.participant_attributes["mood"] = "tired"
    await source.fetch()
    assert len(function.options) == 1


async def test_several_at_once_ask_one_after_the_other() -> None:
    running = most = 0
    asked: list[str | None] = []

    async def ask(options: TokenSourceFetchOptions) -> tuple[str, str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asked.append(options.room_name)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return URL, token()

    source = TokenSource.custom(ask)
    art = TokenSourceFetchOptions(room_name="art")
    responses = await asyncio.gather(source.fetch(MATHS), source.fetch(MATHS), source.fetch(art))
    assert (most, asked) == (1, ["maths", "art"])
    assert responses[0] is responses[1]


async def test_one_that_gives_up_leaves_the_way_free() -> None:
    asked = asyncio.Event()
    function = Asked()

    async def ask(options: TokenSourceFetchOptions) -> Any:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return await function(options)

    source = TokenSource.custom(ask)
    first, second = (asyncio.create_task(source.fetch()) for _ in range(2))
    await asked.wait()
    first.cancel()
    assert (await second).server_url == URL
    assert first.cancelled() and len(function.options) == 1


async def test_after_a_failure_nothing_old_is_given() -> None:
    function = Asked((URL, token()), ValueError("no"), (URL, token(120)))
    source = TokenSource.custom(function)
    first = await source.fetch(MATHS)
    with pytest.raises(TokenSourceError):
        await source.fetch()
    assert await source.fetch(MATHS) is first, "a failure for something else changes nothing"
    function = Asked((URL, token()), ValueError("no"), (URL, token(120)))
    source = TokenSource.custom(function)
    first = await source.fetch()
    with pytest.raises(TokenSourceError):
        await source.fetch(force=True)
    assert await source.fetch() != first


# -- how they fail -----------------------------------------------------------------------------------------------------

MAKE: list[Callable[[Any], TokenSource]] = [
    TokenSource.custom,
    lambda function: TokenSource.literal(lambda: function(0)),
]


@pytest.mark.parametrize("make", MAKE)
async def test_a_function_that_raises(make: Callable[[Any], TokenSource]) -> None:
    cause = ValueError("secret")
    with pytest.raises(TokenSourceError) as caught:
        await make(Asked(cause)).fetch()
    error = caught.value
    assert isinstance(error, ConnectError)
    assert (str(error), error.reason) == ("the token source failed (ValueError)", ConnectErrorReason.INTERNAL_ERROR)
    assert error.__cause__ is cause


@pytest.mark.parametrize("error", [UsageError("how"), TokenSourceError("why", ConnectErrorReason.NOT_ALLOWED)])
async def test_errors_that_say_enough_come_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await TokenSource.custom(Asked(error)).fetch()
    assert caught.value is error


@pytest.mark.parametrize("make", [TokenSource.custom, TokenSource.literal])
async def test_a_function_that_takes_too_long(make: Any) -> None:
    async def wait(*options: object) -> Any:
        await asyncio.Event().wait()

    with pytest.raises(TokenSourceError, match="in time") as caught:
        await make(wait, timeout=0.01).fetch()
    assert caught.value.reason is ConnectErrorReason.TIMEOUT
    assert isinstance(caught.value.__cause__, TimeoutError)


async def test_a_function_that_gives_something_else() -> None:
    with pytest.raises(TokenSourceError, match="no participant_token"):
        await TokenSource.custom(Asked({"server_url": URL})).fetch()


async def test_no_token_in_a_repr() -> None:
    response = TokenSourceResponse(f"{URL}/path?key=SECRET", "TOKEN")
    for shown in (repr(response), str(response), f"{response}", repr([response]), repr(copy.copy(response))):
        assert "wss://a.example/path" in shown
        assert "TOKEN" not in shown and "SECRET" not in shown
    sources = (
        TokenSource.literal(URL, "TOKEN"),
        TokenSource.endpoint("/x?key=TOKEN", headers={"Authorization": "TOKEN"}),
    )
    assert "TOKEN" not in repr(sources)


# -- endpoints ---------------------------------------------------------------------------------------------------------


def answer(**more: object) -> FetchResult:
    """What an endpoint says."""
    return FetchResult(200, json.dumps({"server_url": URL, "participant_token": token(), **more}))


async def test_an_endpoint_is_asked_as_livekit_says() -> None:
    browser = FakeBrowser()
    browser.respond(ENDPOINT, answer(room_name="maths"))
    source = TokenSource.endpoint(ENDPOINT, headers={"Authorization": "Bearer x"}, options=MATHS, browser=browser)
    response = await source.fetch(TokenSourceFetchOptions(participant_name="Zoë 🎓", agent_name="tutor"))
    assert response.server_url == URL
    [request] = browser.fetched
    assert (request.method, request.url) == ("POST", ENDPOINT)
    assert request.headers == {"Content-Type": "application/json", "Authorization": "Bearer x"}
    assert json.loads(request.body or "") == {
        "room_name": "maths",
        "participant_name": "Zoë 🎓",
        "room_config": {"agents": [{"agent_name": "tutor"}]},
    }
    assert await source.fetch(TokenSourceFetchOptions(participant_name="Zoë 🎓", agent_name="tutor")) is response
    assert len(browser.fetched) == 1


async def test_an_endpoint_of_the_page_itself_with_a_method_of_its_own() -> None:
    browser = FakeBrowser()
    browser.respond("http://localhost/token", answer())
    await TokenSource.endpoint("/token", method="PUT", browser=browser).fetch()
    [request] = browser.fetched
    assert (request.method, request.url, request.body) == ("PUT", "http://localhost/token", "{}")


async def test_the_development_token_server() -> None:
    browser = FakeBrowser()
    browser.respond("https://", answer())
    await TokenSource.development_token_server("id-1", options=MATHS, browser=browser).fetch()
    await TokenSource.development_token_server("id-1", base_url="https://b.example/", browser=browser).fetch()
    assert [request.url for request in browser.fetched] == [
        "https://cloud-api.livekit.io/api/v2/sandbox/connection-details",
        "https://b.example/api/v2/sandbox/connection-details",
    ]
    assert browser.fetched[0].headers == {"Content-Type": "application/json", "X-Sandbox-ID": "id-1"}
    assert browser.fetched[0].body == '{"room_name": "maths"}'


@pytest.mark.parametrize(
    ("said", "reason", "status", "cause"),
    [
        (FetchResult(403, "not you"), ConnectErrorReason.NOT_ALLOWED, 403, None),
        (FetchResult(503, ""), ConnectErrorReason.INTERNAL_ERROR, 503, None),
        (FetchResult(200, "<html>"), ConnectErrorReason.INTERNAL_ERROR, 200, None),
        (FetchResult(200, "{}"), ConnectErrorReason.INTERNAL_ERROR, None, None),
        (BrowserError("Failed to fetch", "TypeError"), ConnectErrorReason.SERVER_UNREACHABLE, None, BrowserError),
    ],
)
async def test_endpoints_that_fail(
    said: FetchResult | BrowserError, reason: ConnectErrorReason, status: int | None, cause: type | None
) -> None:
    browser = FakeBrowser()
    browser.respond(ENDPOINT, said)
    source = TokenSource.endpoint(ENDPOINT, browser=browser)
    with pytest.raises(TokenSourceError) as caught:
        await source.fetch()
    assert (caught.value.reason, caught.value.status) == (reason, status)
    assert type(caught.value.__cause__) is (cause or type(None))
    browser.respond(ENDPOINT, answer())
    assert (await source.fetch()).server_url == URL, "and the next may succeed"


async def test_an_endpoint_that_never_answers() -> None:
    browser = FakeBrowser()

    async def never(request: object) -> FetchResult:
        await asyncio.Event().wait()
        raise AssertionError

    browser.respond(ENDPOINT, never)
    with pytest.raises(TokenSourceError, match="in time") as caught:
        await TokenSource.endpoint(ENDPOINT, timeout=0.01, browser=browser).fetch()
    assert caught.value.reason is ConnectErrorReason.TIMEOUT


async def test_what_cannot_be_asked_is_refused_at_once() -> None:
    for url, method, headers in (
        ("ftp://a", "POST", None),
        (ENDPOINT, "GET", None),
        (ENDPOINT, "POST", {"Authorization": "a\nb"}),
    ):
        with pytest.raises(UsageError):
            TokenSource.endpoint(url, method=method, headers=headers)
    with pytest.raises(UsageError):
        TokenSource.development_token_server("a\nb")


async def test_without_a_browser_an_endpoint_says_so() -> None:
    source: TokenSourceConfigurable = TokenSource.endpoint(ENDPOINT)
    with pytest.raises(UnsupportedHostError):
        await source.fetch()
