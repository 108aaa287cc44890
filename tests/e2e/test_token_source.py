"""Joining by a token endpoint, in real browsers and as livekit-client does it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.harness.pages import Page, js_call
from tests.harness.process import HOST
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import connecting
from tests.inpage.peer import reach_page

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization, content-type"}
OPTIONS = {
    "participant_name": "Ada Lovelace",
    "participant_identity": "ada",
    "participant_metadata": '{"a": 1}',
    "participant_attributes": {"mood": "curious 🎓"},
    "agent_name": "tutor",
    "agent_metadata": "be kind",
    "deployment": "blue",
}
_FETCH = """(url, options) => LivekitClient.TokenSource.endpoint(url, {headers: {Authorization: 'Bearer secret'}})
  .fetch(options).then(({serverUrl}) => serverUrl)"""


class Endpoint:
    """A token endpoint on an origin of its own.

    Attributes:
        url: its address, which lets every page ask.
        closed_url: one that lets none.
        asked: the requests, as (content type, authorization, body).
    """

    def __init__(self, livekit: LiveKitServer) -> None:
        self.url = self.closed_url = ""
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []
        self._livekit = livekit

    async def answer(self, request: web.Request) -> web.Response:
        """Make a token for whoever asks, except for the staff's room."""
        body = await request.json()
        self.asked.append((request.content_type, request.headers.get("Authorization"), body))
        if body["room_name"] == "staff":
            return web.json_response({"error": "not for you"}, status=403, headers=CORS)
        token = self._livekit.token(body["participant_identity"], body["room_name"])
        answer = {"server_url": self._livekit.url, "participant_token": token, "room_name": body["room_name"]}
        return web.json_response(answer, headers=CORS)


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint(livekit: LiveKitServer) -> AsyncIterator[Endpoint]:
    """The endpoint, while a test runs."""
    endpoint = Endpoint(livekit)

    async def allow(_request: web.Request) -> web.Response:
        return web.Response(headers=CORS)

    app = web.Application()
    app.add_routes([web.post("/token", endpoint.answer), web.options("/token", allow)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    origin = f"http://{HOST}:{runner.addresses[0][1]}"
    endpoint.url, endpoint.closed_url = f"{origin}/token", f"{origin}/closed"
    yield endpoint
    await runner.cleanup()


@pytest.fixture(params=["chromium_python", "firefox_python", "chromium_worker", "firefox_worker"])
def python(request: pytest.FixtureRequest) -> PythonPage:
    """Python on the page and in a worker, in each browser."""
    page: PythonPage = request.getfixturevalue(request.param)
    return page


async def test_an_endpoint_of_another_origin(python: PythonPage, endpoint: Endpoint, room_name: str) -> None:
    """Its token is good for preparing and for connecting twice; it is asked again when told to, or for another room."""
    await python.prepare(reach_page)
    ended = await python.run(connecting.by_endpoint, url=endpoint.url, options={**OPTIONS, "room_name": room_name})
    assert [tuple(names) for names in ended["names"]] == [(room_name, "ada")] * 2
    assert (ended["reason"], ended["status"]) == ("NOT_ALLOWED", 403)
    assert "not for you" in ended["message"]
    assert [body["room_name"] for *_, body in endpoint.asked] == [room_name, room_name, "staff"]


async def test_an_endpoint_that_does_not_allow_the_page(python: PythonPage, endpoint: Endpoint) -> None:
    """The browser does not tell why, the error tells what it may be."""
    await python.prepare(reach_page)
    ended = await python.run(connecting.without_leave, url=endpoint.closed_url)
    assert (ended["reason"], ended["cause"]) == ("SERVER_UNREACHABLE", "BrowserError")
    assert "CORS" in ended["message"] and endpoint.closed_url not in ended["message"]


async def test_we_ask_as_livekit_client_does(
    chromium_python: PythonPage, js_page: Page, endpoint: Endpoint, livekit: LiveKitServer, room_name: str
) -> None:
    """The same request for the same options, and livekit-client takes the same answers."""
    options = {**OPTIONS, "room_name": room_name}
    theirs = {_camel_case(name): value for name, value in options.items()}
    assert await js_page.evaluate(js_call(_FETCH, endpoint.url, theirs)) == livekit.url
    await chromium_python.run(connecting.by_endpoint, url=endpoint.url, options=options)
    print(json.dumps(endpoint.asked[0]))
    assert endpoint.asked[1] == endpoint.asked[0]


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
