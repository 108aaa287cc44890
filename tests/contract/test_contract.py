"""One suite for all implementations of the waist: ``fake`` in this process, ``direct`` and ``bridge`` in browsers."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from lk_pyodide.browser.api import Browser, FetchResult
from lk_pyodide.browser.fake import FakeBrowser, FakeFile, FakeRequest, FakeServerSocket
from tests.contract.echo import Echo
from tests.harness.python_page import PythonPage
from tests.inpage.contract import CASES, NATIVE_CASES, reach_page, run_case, run_case_over_bridge
from tests.inpage.contract_kit import settle

_NAMES = {"chromium": "chrome", "firefox": "firefox"}


class FakeEnv:
    """A fake browser, with the echo server inside."""

    on_page = True
    name = "chrome"
    echo_url = "ws://fake/echo"
    refused_url = "ws://fake/refused"
    http_url = "http://fake/hello"

    def __init__(self) -> None:
        self.fake = FakeBrowser()
        self.browser: Browser = self.fake
        self.fake.serve(self.echo_url, Echo().serve)
        self.fake.serve(self.refused_url, _refuse)
        self.fake.respond(self.http_url, _say_hello)

    async def leave_page(self) -> None:
        """The page is left."""
        self.fake.leave_page()

    async def go_online(self, online: bool) -> None:
        """The network comes or goes."""
        self.fake.set_online(online)

    async def change_devices(self) -> None:
        """A device goes."""
        self.fake.set_devices(self.fake.media_devices.devices[:-1])

    def make_native_track(self) -> object:
        """A track that is not ours."""
        return self.fake.make_track("video")

    def make_native_file(self, content: bytes, name: str, mime_type: str) -> object:
        """A file that is not ours."""
        return FakeFile(content, name, mime_type)

    async def add_node(self, tag: str, name: str) -> None:
        """Put an element on the page."""
        self.fake.add_node(f"#{name}", tag)

    async def show_node(self, name: str, width: int, height: int, where: str) -> None:
        """Give it a size and a place."""
        size = (0, 0) if where == "nowhere" else (width, height)
        self.fake.show_node(self.fake.page.find(f"#{name}"), *size, in_sight=where == "in sight")

    async def pin_node(self, name: str, pinned: bool) -> None:
        """Give it a window of its own, or take that away."""
        node = self.fake.page.find(f"#{name}")
        self.fake.show_node(node, node.width, node.height, in_sight=node.in_sight, in_picture=pinned)

    async def hide_page(self, hidden: bool) -> None:
        """The page goes into the background, or comes back."""
        self.fake.show_page(is_hidden=hidden)


async def _refuse(socket: FakeServerSocket) -> None:
    socket.refuse()


async def _say_hello(request: FakeRequest) -> FetchResult:
    query = parse_qs(urlsplit(request.url).query)
    if "slow" in query:
        await asyncio.Event().wait()
    text = f"hello {request.method} {request.headers.get('x-test', '')}"
    if request.body is not None:
        text += f" {request.headers.get('content-type')} {request.body}"
    return FetchResult(int(query.get("status", ["200"])[0]), text)


@pytest.mark.parametrize("case", CASES)
async def test_fake(case: str) -> None:
    """The case holds for the fake, and nothing stays open."""
    env = FakeEnv()
    await CASES[case](env)
    await settle()
    assert env.fake.get_open() == []
    captured = env.fake.media_devices.captured
    assert [track.ready_state for track in captured] == ["ended"] * len(captured)
    await env.fake.aclose()


@pytest.mark.parametrize("case", CASES)
async def test_direct(case: str, python_page: PythonPage, echo_server: str) -> None:
    """The case holds in a real browser, whose page keeps nothing of it."""
    await python_page.run(run_case, case=case, browser_name=_NAMES[python_page.browser_name], server=echo_server)


@pytest.mark.parametrize("case", NATIVE_CASES)
async def test_native(case: str, python_page: PythonPage, echo_server: str) -> None:
    """What only native objects can show."""
    await python_page.run(run_case, case=case, browser_name=_NAMES[python_page.browser_name], server=echo_server)


@pytest.mark.parametrize("carrier", ["port", "broadcast"])
@pytest.mark.parametrize("case", CASES)
async def test_bridge(case: str, carrier: str, worker_python: PythonPage, echo_server: str) -> None:
    """The case holds from a worker, over both carriers, and neither side keeps anything of it."""
    name = _NAMES[worker_python.browser_name]
    await worker_python.prepare(reach_page, carrier=carrier, host="worker")
    await worker_python.run(
        run_case_over_bridge, case=case, carrier=carrier, host="worker", browser_name=name, server=echo_server
    )
