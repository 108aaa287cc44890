"""What a contract case can do to the page, from a worker. Only imported in one."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from lk_pyodide.browser.api import Browser
from lk_pyodide.browser.bridge import BridgeBrowser
from lk_pyodide.browser.bridge.carrier import ask_for_port, wait_for_agent
from tests.inpage.native_files import make_native_file
from tests.inpage.page_actions import act


class WorkerEnv:
    """The page of this worker."""

    on_page = False

    def __init__(self, browser: BridgeBrowser, host: str, name: str, server: str) -> None:
        self.browser: Browser = browser
        self.name = name
        self.echo_url = f"ws://{server}/echo"
        self.refused_url = f"ws://{server}/refused"
        self.http_url = f"http://{server}/hello"
        self._bridge = browser
        self._host = host

    async def leave_page(self) -> None:
        """What the browser does to a page that is being left; but this one stays."""
        await self._act("leavePage")

    async def go_online(self, online: bool) -> None:
        """The network comes or goes."""
        await self._act("goOnline", online)

    async def change_devices(self) -> None:
        """A device comes or goes."""
        await self._act("changeDevices")

    async def add_node(self, tag: str, name: str) -> None:
        """Put an element on the page."""
        await self._act("addNode", tag, name)

    async def show_node(self, name: str, width: int, height: int, where: str) -> None:
        """Give it a size and a place."""
        await self._act("showNode", name, width, height, where)

    async def pin_node(self, name: str, pinned: bool) -> None:
        """Tell what the browser tells of picture-in-picture, which only a click can begin."""
        await self._act("pinNode", name, pinned)

    async def hide_page(self, hidden: bool) -> None:
        """Tell what the browser tells of a page in the background; but this one stays."""
        await self._act("hidePage", hidden)

    def make_native_track(self) -> object:
        """There is none in a worker."""
        raise AssertionError("this environment is not on the page")

    def make_native_file(self, content: bytes, name: str, mime_type: str) -> object:
        """A File or a Blob of the worker's own."""
        return make_native_file(content, name, mime_type)

    async def close(self) -> None:
        """Take away what was put on the page."""
        await self._act("cleanUp")

    async def _act(self, action: str, *args: object) -> None:
        await self._bridge.count_objects()  # what was asked of the page before has been done
        await act(self._host, action, *args)


@functools.cache
def _browser(carrier: str, host: str) -> BridgeBrowser:
    if carrier == "port":
        return BridgeBrowser(lambda: ask_for_port(2.0))
    return BridgeBrowser(lambda: wait_for_agent(functools.partial(_show, host), 10.0))


async def reach_page(carrier: str, host: str) -> BridgeBrowser:
    """The one browser of this worker for each carrier."""
    browser = _browser(carrier, host)
    await browser.ready()
    return browser


def _show(host: str, token: str) -> Callable[[], None]:
    """In place of a notebook's output, the page's script calls the agent."""
    serving = asyncio.ensure_future(act(host, "serve", token))
    return lambda: serving.add_done_callback(lambda done: done.result())
