"""Joining by a token source."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lk_pyodide import (
    AccessToken,
    ConnectError,
    ConnectErrorReason,
    ConnectionState,
    Room,
    RoomConnectOptions,
    RoomOptions,
    TokenSource,
    TokenSourceError,
    UnexpectedConnectionState,
    UsageError,
)
from lk_pyodide.browser.api import FetchResult
from lk_pyodide.core import wire
from lk_pyodide.testing import FakeServerSocket
from tests.room.server import URL, Server

ENDPOINT = "http://tokens.example/"


class Tokens:
    """Makes tokens one after the other: valid for an hour, each another one."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, options: object = None) -> tuple[str, str]:
        token = AccessToken().with_identity(f"me{len(self.given)}").with_ttl(timedelta(hours=1)).to_jwt()
        self.given.append(token)
        return URL, token


@pytest.fixture
def queries(server: Server) -> list[dict[str, list[str]]]:
    """What came with each attempt to join."""
    found: list[dict[str, list[str]]] = []

    async def serve(socket: FakeServerSocket) -> None:
        found.append(parse_qs(urlsplit(socket.url).query))
        await server._serve(socket)

    server.browser.serve(f"{URL}/rtc/v1", serve)
    return found


def used(queries: list[dict[str, list[str]]]) -> list[str]:
    return [query["access_token"][0] for query in queries]


async def test_an_endpoint_tells_where_and_with_what(
    room: Room, server: Server, queries: list[dict[str, list[str]]]
) -> None:
    """And nobody else gets to see the token."""
    _, token = Tokens()()
    answer = FetchResult(200, json.dumps({"server_url": URL, "participant_token": token}))
    server.browser.respond(ENDPOINT, answer)
    states: list[ConnectionState] = []
    room.on("connection_state_changed", states.append)
    await room.connect(TokenSource.endpoint(ENDPOINT, browser=server.browser))
    assert states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert used(queries) == [token]
    assert token not in repr(room)


@pytest.mark.parametrize(
    "connect",
    [
        lambda room, source, options: room.connect(source, options),
        lambda room, source, options: room.connect(source, options=options),
        lambda room, source, options: room.connect(*source._function(), options),
    ],
    ids=["second", "by name", "without a source"],
)
async def test_options_of_joining(room: Room, queries: list[dict[str, list[str]]], connect: Callable[..., Any]) -> None:
    """Come after the source, by name or not; or after the token, as ever."""
    await connect(room, TokenSource.literal(Tokens()), RoomConnectOptions(auto_subscribe=False))
    settings = wire.decode_join_request(queries[0]["join_request"][0]).connection_settings
    assert settings is not None and not settings.auto_subscribe


async def test_it_is_asked_again_for_each_connection(
    room: Room, server: Server, queries: list[dict[str, list[str]]]
) -> None:
    """What was kept is good for a second time; a literal's function is called each time."""
    tokens = Tokens()
    for _ in range(2):
        await room.connect(TokenSource.literal(tokens))
        await room.disconnect()
    assert used(queries) == tokens.given and len(set(tokens.given)) == 2
    kept = TokenSource.custom(tokens)
    await room.prepare_connection(kept)
    for _ in range(2):
        await room.connect(kept)
        await room.disconnect()
    assert len(tokens.given) == 3, "one for preparing and connecting twice"
    assert used(queries)[2:] == [tokens.given[2]] * 2
    await kept.fetch(force=True)
    await room.connect(kept)
    assert used(queries)[-1] == tokens.given[3]


async def test_a_token_that_was_refused_is_not_tried_again(room: Room, server: Server) -> None:
    """Of the server's clock, or its keys, the page knows nothing."""
    tokens = Tokens()
    source = TokenSource.custom(tokens)

    async def refuse(socket: FakeServerSocket) -> None:
        socket.refuse()

    server.browser.serve(f"{URL}/rtc/v1", refuse)
    for status, asked in ((500, 1), (500, 1), (401, 1), (401, 2), (401, 3)):
        server.browser.respond("http://fake/rtc/v1/validate", FetchResult(status, "no"))
        with pytest.raises(ConnectError) as caught:
            await room.connect(source)
        assert not isinstance(caught.value, TokenSourceError)
        assert len(tokens.given) == asked, status


async def test_a_source_that_fails(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Ends connect() with its error, leaves nothing behind, and shows no token."""
    caplog.set_level(logging.DEBUG, "lk_pyodide")
    _, token = Tokens()()
    server.browser.respond(ENDPOINT, FetchResult(403, f"go away, {token}"))
    source = TokenSource.endpoint(f"{ENDPOINT}?key=KEY", headers={"X-Key": "KEY"}, browser=server.browser)
    await room.prepare_connection(source)  # raises nothing
    with pytest.raises(TokenSourceError) as caught:
        await room.connect(source)
    assert (caught.value.reason, caught.value.status) == (ConnectErrorReason.NOT_ALLOWED, 403)
    assert room.state is ConnectionState.DISCONNECTED and server.joins == 0
    cause = ValueError("no")

    def fail() -> tuple[str, str]:
        raise cause

    with pytest.raises(ConnectError) as failed:
        await room.connect(TokenSource.literal(fail))
    assert failed.value.__cause__ is cause
    said = caplog.text + repr(caught.value) + str(failed.value)
    assert "could not warm up the connection" in caplog.text
    assert token not in said and "KEY" not in said
    await room.connect(URL, "token")
    assert room.isconnected()


async def test_leaving_while_the_source_is_asked(room: Room, server: Server) -> None:
    """connect() ends, and the source can be asked again."""
    asked = asyncio.Event()
    first = True

    async def ask(options: object) -> tuple[str, str]:
        nonlocal first
        if first:
            first = False
            asked.set()
            await asyncio.Event().wait()
        return URL, "token"

    source = TokenSource.custom(ask)
    connecting = asyncio.create_task(room.connect(source))
    await asked.wait()
    assert room.state is ConnectionState.CONNECTING
    await room.disconnect()
    with pytest.raises(ConnectError) as caught:
        await connecting
    assert caught.value.reason is ConnectErrorReason.CANCELLED
    await room.connect(source)
    assert room.isconnected()


async def test_preparing_asks_the_server_that_the_source_names(room: Room, server: Server) -> None:
    """A source that says nonsense, or whose server is not there, is no reason to raise: connecting will tell."""
    await room.prepare_connection(TokenSource.literal(URL, "token"))
    assert [(request.method, request.url) for request in server.browser.fetched] == [("HEAD", "http://fake/")]
    await room.prepare_connection(TokenSource.literal("nonsense", "token"))
    with pytest.raises(UsageError):
        await room.prepare_connection("nonsense")


@pytest.mark.parametrize("arguments", [(URL,), (URL, None), (URL, RoomOptions()), (None, "token"), ()])
async def test_other_ways_to_call_it(room: Room, arguments: Any) -> None:
    """Say what is missing."""
    with pytest.raises((UsageError, TypeError), match="a token source alone|missing 1 required"):
        await room.connect(*arguments)
    with pytest.raises(UsageError):
        await room.connect(TokenSource.literal(URL, "token"), "token")  # type: ignore[call-overload]


async def test_the_rooms_credentials(room: Room) -> None:
    """Are asked of the source anew, by whoever connects again."""
    with pytest.raises(UnexpectedConnectionState):
        async with room._context.credentials():
            pass
    tokens = Tokens()
    await room.connect(TokenSource.literal(tokens))
    async with room._context.credentials() as (url, token):
        assert (url, token) == (URL, tokens.given[1])
