"""Connecting: every way it can end, on both paths of the protocol, in both browsers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from tests.harness.pages import Browser
from tests.harness.peers import AT_ONCE
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import FaultServer, LiveKitServer
from tests.harness.site import Site
from tests.inpage import connecting

both_paths = pytest.mark.parametrize("single", [True, False], ids=["v1", "v0"])


@both_paths
async def test_connects(python_page: PythonPage, livekit: LiveKitServer, room_name: str, single: bool) -> None:
    """And leaves nothing behind, neither in the page nor at the server."""
    token = livekit.token("ada", room_name)
    ended = await python_page.run(connecting.attempt, url=livekit.url, token=token, single=single)
    assert ended["error"] is None, ended
    assert (ended["name"], ended["identity"]) == (room_name, "ada")
    assert ended["states"] == ["CONNECTING", "CONNECTED", "DISCONNECTED"]
    assert await _ghosts(livekit, room_name) == {}


@both_paths
@pytest.mark.parametrize("fault", ["wrong key", "expired", "no grant", "rubbish"])
async def test_tokens_that_are_refused(
    python_page: PythonPage, livekit: LiveKitServer, room_name: str, single: bool, fault: str
) -> None:
    """NOT_ALLOWED, at once, with the server's words and without the token."""
    token = {
        "wrong key": livekit.token("ada", room_name, secret="x" * 40),
        "expired": livekit.token("ada", room_name, ttl_seconds=-3600),
        "no grant": livekit.token("ada", room_name, room_join=False),
        "rubbish": "rubbish",
    }[fault]
    ended = await python_page.run(connecting.attempt, url=livekit.url, token=token, single=single)
    assert (ended["error"], ended["reason"], ended["status"]) == ("ConnectError", "NOT_ALLOWED", 401)
    assert ended["message"]
    assert token not in ended["message"] or fault == "rubbish"
    assert ended["states"] == ["CONNECTING", "DISCONNECTED"]


async def test_nobody_listens(python_page: PythonPage) -> None:
    """SERVER_UNREACHABLE, after one attempt."""
    ended = await python_page.run(connecting.attempt, url=f"ws://127.0.0.1:{_closed_port()}", token="t")
    assert (ended["error"], ended["reason"]) == ("ConnectError", "SERVER_UNREACHABLE")


@pytest_asyncio.fixture(loop_scope="session")
async def silent_server() -> AsyncIterator[str]:
    """A server that accepts connections and never says a word."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in held:
        writer.transport.abort()


@pytest.mark.timeout(100)
async def test_a_server_that_never_answers(python_page: PythonPage, silent_server: str) -> None:
    """TIMEOUT, after the 15 s that the WebSocket has."""
    run = await python_page.start(connecting.attempt, url=silent_server, token="t")
    ended = await run.result(timeout=60)
    assert (ended["error"], ended["reason"]) == ("ConnectError", "TIMEOUT")
    print(f"gave up after {ended['seconds']:.1f} s")
    assert 14 < ended["seconds"] < 45


async def test_a_page_that_is_no_livekit_server(python_page: PythonPage, site: Site) -> None:
    """A web server without /rtc: both paths are tried, then SERVICE_NOT_FOUND."""
    ended = await python_page.run(connecting.attempt, url=site.url("/nothing"), token="t")
    assert (ended["error"], ended["reason"], ended["status"]) == ("ConnectError", "SERVICE_NOT_FOUND", 404)


@pytest.mark.parametrize("after", [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4])
@pytest.mark.parametrize(
    ("give_up", "said"),
    [(connecting.disconnect_while_connecting, "CANCELLED"), (connecting.cancel_while_connecting, "cancelled")],
    ids=["disconnect", "cancel"],
)
async def test_giving_up_while_connecting(
    python_page: PythonPage,
    livekit: LiveKitServer,
    room_name: str,
    give_up: Callable[..., Coroutine[Any, Any, str]],
    said: str,
    after: float,
) -> None:
    """connect() ends with what was asked for (or it was quicker), and nobody is left at the server."""
    ended = await python_page.run(give_up, url=livekit.url, token=livekit.token("ada", room_name), after=after)
    assert ended in (said, "connected")
    assert ended == said or after > 0.01
    assert await _ghosts(livekit, room_name) == {}


async def test_connect_twice(python_page: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """Two calls share one connection; after leaving, a room can be joined anew."""
    run = await python_page.start(connecting.connect_twice, url=livekit.url, token=livekit.token("ada", room_name))
    await run.reached("in")
    assert set(await livekit.api.participants(room_name)) == {"ada"}
    await run.signal("go on")
    assert await run.result() == {"connected": 2, "same": True, "fresh": True}
    assert await _ghosts(livekit, room_name) == {}


async def test_one_of_two_gives_up(python_page: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """The other one gets in."""
    token = livekit.token("ada", room_name)
    assert await python_page.run(connecting.one_of_two_gives_up, url=livekit.url, token=token)


async def test_a_room_that_is_not_connected(python_page: PythonPage) -> None:
    """Says so, whatever is asked of it."""
    said = await python_page.run(connecting.used_too_early, url="")
    assert [text.split(":")[0] for text in said] == [
        "UnexpectedConnectionState",
        "UnexpectedConnectionState",
        "UnexpectedConnectionState",
        "DeadlineExceeded",
        "UsageError",
        "UsageError",
        "UsageError",
    ]
    assert "secret" not in "".join(said)


async def test_closing_the_page_is_leaving(
    browser: Browser,
    site: Site,
    livekit: LiveKitServer,
    rust_peer: Callable[[], RustPeer],
    room_name: str,
) -> None:
    """The others see it within a second: the goodbye leaves with the page."""
    page = await PythonPage.open(browser, site)
    watcher = rust_peer()
    await watcher.connect(livekit.url, livekit.token("watcher", room_name))
    run = await page.start(connecting.stay, url=livekit.url, token=livekit.token("leaver", room_name))
    await run.reached("in")
    await watcher.wait_remote("leaver", lambda remote: remote.subscribed("microphone"))
    closing = asyncio.create_task(page.close())
    seconds = await watcher.wait_gone("leaver")
    print(f"seen after {seconds:.2f} s")
    assert seconds < AT_ONCE
    await closing
    await run.forget()


# -- livekit-server's cmd/test-server ----------------------------------------------------------------------------------

FAULTS = {
    "rubbish token": "NOT_ALLOWED",
    "room_not_found": "NOT_ALLOWED",
    "validate_service_not_found": "SERVICE_NOT_FOUND",
    "validate_500": "WEBSOCKET",
    "no_first_message": "TIMEOUT",
    "close_before_join": "INTERNAL_ERROR",
    "leave_first_message": "LEAVE_REQUEST",
}


@both_paths
@pytest.mark.parametrize("fault", FAULTS)
async def test_faults(chromium_python: PythonPage, fault_server: FaultServer, single: bool, fault: str) -> None:
    """Each mode of LiveKit's own fault mock ends in the error that livekit-client gives it."""
    token = fault_server.token("ada", fault) if fault != "rubbish token" else "rubbish"
    ended = await chromium_python.run(connecting.attempt, url=fault_server.url, token=token, single=single)
    assert (ended["error"], ended["reason"]) == ("ConnectError", FAULTS[fault])
    assert ended["seconds"] < 15


async def _ghosts(livekit: LiveKitServer, room: str) -> dict[str, object]:
    """Who is at the server that should not be; leaving takes it a moment."""
    left = await livekit.api.participants(room)
    for _ in range(20):
        if not left:
            break
        await asyncio.sleep(0.1)  # the server has no event for this
        left = await livekit.api.participants(room)
    return dict(left)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
