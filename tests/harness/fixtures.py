"""The fixtures of the end-to-end tests: one plugin, registered once by whichever conftest comes first.

Servers, browsers and the page with Python live as long as the session; rooms and peers as long as a test.
"""

import itertools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest
import pytest_asyncio

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.js_peer import JsPeer
from tests.harness.jupyterlite import JupyterLite
from tests.harness.lite_site import LiteSite
from tests.harness.pages import Browser, Page
from tests.harness.paths import CHROMIUM, FIREFOX, LIVEKIT_SERVER, TEST_SERVER, Tool
from tests.harness.process import shorten
from tests.harness.python_page import PythonPage
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import FaultServer, LiveKitServer
from tests.harness.site import Site
from tests.harness.venues import LocalJsPeer

_BROWSERS = {
    "chromium",
    "firefox",
    "chromium_python",
    "firefox_python",
    "python_page",
    "chromium_worker",
    "firefox_worker",
    "worker_python",
    "chromium_pyscript",
    "firefox_pyscript",
    "pyscript_python",
    "chromium_jupyterlite",
    "firefox_jupyterlite",
    "chromium_lite",
    "firefox_lite",
    "lite",
    "python",
    "pythons",
    "browser",
    "js_page",
    "chromium_second",
    "firefox_second",
    "chromium_local_js",
    "firefox_local_js",
    "venue",
    "livekit_venue",
    "standing_party",
    "pages",
    "js_peer",
    "open_js_peer",
}
_SERVERS = {"livekit", "fault_server", "rust_peer"}
_servers: dict[str, LiveKitServer | FaultServer] = {}
_pages: dict[str, Page] = {}
_marks = pytest.StashKey[dict[str, int]]()
_failed = pytest.StashKey[bool]()
_room_numbers = itertools.count(1)


def _skip_if_asked(tool: Tool) -> None:
    if reason := tool.skipped():
        pytest.skip(reason)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def livekit() -> AsyncIterator[LiveKitServer]:
    """A real livekit-server: `.url`, `.token(identity, room, ...)`, `.api`."""
    _skip_if_asked(LIVEKIT_SERVER)
    async with LiveKitServer() as server:
        _servers["livekit-server"] = server
        yield server
    _servers.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fault_server() -> AsyncIterator[FaultServer]:
    """LiveKit's signal fault mock: `.url`, `.token(identity, fault)`."""
    _skip_if_asked(TEST_SERVER)
    async with FaultServer() as server:
        _servers["test-server"] = server
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """The web server of the pages. LK_TEST_WHEEL=1 makes Python pages load the built wheel, not the checkout."""
    async with Site(use_wheel=os.environ.get("LK_TEST_WHEEL") == "1") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    _skip_if_asked(CHROMIUM)
    async with Chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox() -> AsyncIterator[Browser]:
    """The system's Firefox."""
    _skip_if_asked(FIREFOX)
    async with Firefox() as browser:
        yield browser


async def _python(browser: Browser, site: Site | LiteSite, host: str = "page", tab: str = "first") -> PythonPage:
    page = await PythonPage.open(browser, site, host)
    _pages[f"{browser.name} Python page ({host}, {tab} tab)"] = page.page
    return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_python(chromium: Browser, site: Site) -> PythonPage:
    """Python in a page of Chromium, booted once a session."""
    return await _python(chromium, site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_python(firefox: Browser, site: Site) -> PythonPage:
    """Python in a page of Firefox, booted once a session."""
    return await _python(firefox, site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_second(chromium: Browser, site: Site) -> PythonPage:
    """A second tab of Chromium with Python, booted once a session."""
    return await _python(chromium, site, tab="second")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_second(firefox: Browser, site: Site) -> PythonPage:
    """A second tab of Firefox with Python, booted once a session."""
    return await _python(firefox, site, tab="second")


@pytest.fixture(params=["chromium", "firefox"])
def python_page(request: pytest.FixtureRequest) -> PythonPage:
    """Python in a page of each browser in turn."""
    page: PythonPage = request.getfixturevalue(f"{request.param}_python")
    return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_worker(chromium: Browser, site: Site) -> PythonPage:
    """Python in a bare worker of a page of Chromium, booted once a session."""
    return await _python(chromium, site, "worker")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_worker(firefox: Browser, site: Site) -> PythonPage:
    """Python in a bare worker of a page of Firefox, booted once a session."""
    return await _python(firefox, site, "worker")


@pytest.fixture(params=["chromium", "firefox"])
def worker_python(request: pytest.FixtureRequest) -> PythonPage:
    """Python in a bare worker of each browser in turn."""
    page: PythonPage = request.getfixturevalue(f"{request.param}_worker")
    return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_pyscript(chromium: Browser, site: Site) -> PythonPage:
    """Python in a worker of PyScript in Chromium, booted once a session, with the built wheel."""
    return await _python(chromium, site, "pyscript")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_pyscript(firefox: Browser, site: Site) -> PythonPage:
    """Python in a worker of PyScript in Firefox, booted once a session, with the built wheel."""
    return await _python(firefox, site, "pyscript")


@pytest.fixture(params=["chromium", "firefox"])
def pyscript_python(request: pytest.FixtureRequest) -> PythonPage:
    """Python in a worker of PyScript in each browser in turn."""
    page: PythonPage = request.getfixturevalue(f"{request.param}_pyscript")
    return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lite_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiteSite]:
    """JupyterLite as `make site` builds it, with a wheel of the checkout (LK_TEST_WHEEL=1: the built one)."""
    async with LiteSite(tmp_path_factory.mktemp("lite")) as running:
        yield running


async def _lite(browser: Browser, site: LiteSite) -> JupyterLite:
    lite = await JupyterLite.open(browser, site, "first_room.ipynb")
    _pages[f"{browser.name} JupyterLite"] = lite.page
    return lite


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_lite(chromium: Browser, lite_site: LiteSite) -> JupyterLite:
    """A notebook in a page of Chromium, booted once a session."""
    return await _lite(chromium, lite_site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_lite(firefox: Browser, lite_site: LiteSite) -> JupyterLite:
    """A notebook in a page of Firefox, booted once a session."""
    return await _lite(firefox, lite_site)


@pytest.fixture(params=["chromium", "firefox"])
def lite(request: pytest.FixtureRequest) -> JupyterLite:
    """A notebook in a page of each browser in turn: cells as the last test left them, a kernel that may be starting."""
    lite: JupyterLite = request.getfixturevalue(f"{request.param}_lite")
    return lite


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_jupyterlite(chromium: Browser, lite_site: LiteSite) -> PythonPage:
    """Python in a kernel of JupyterLite in Chromium, booted once a session."""
    return await _python(chromium, lite_site, "jupyterlite")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_jupyterlite(firefox: Browser, lite_site: LiteSite) -> PythonPage:
    """Python in a kernel of JupyterLite in Firefox, booted once a session."""
    return await _python(firefox, lite_site, "jupyterlite")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def js_page(chromium: Browser, site: Site) -> Page:
    """A page of Chromium in which livekit-client peers live."""
    page = _pages["livekit-client page"] = await JsPeer.open_page(chromium, site)
    return page


async def _local_js(browser: Browser, site: Site) -> Page:
    page = _pages[f"livekit-client page on local:// in {browser.name}"] = await LocalJsPeer.open_page(browser, site)
    return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_local_js(chromium: Browser, site: Site) -> Page:
    """A page of Chromium in which livekit-client reaches `local://`."""
    return await _local_js(chromium, site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_local_js(firefox: Browser, site: Site) -> Page:
    """A page of Firefox in which livekit-client reaches `local://`."""
    return await _local_js(firefox, site)


@pytest_asyncio.fixture(loop_scope="session")
async def js_peer(js_page: Page) -> AsyncIterator[JsPeer]:
    """One livekit-client peer, not yet connected."""
    peer = JsPeer(js_page)
    yield peer
    await peer.drop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_js_peer(site: Site) -> AsyncIterator[Callable[[Browser], Awaitable[JsPeer]]]:
    """Makes livekit-client peers in pages of their own, in any browser, that a test may close."""
    opened: list[JsPeer] = []

    async def make(browser: Browser) -> JsPeer:
        opened.append(await JsPeer.open(browser, site))
        return opened[-1]

    yield make
    for peer in opened:
        await peer.page.close()


@pytest_asyncio.fixture(loop_scope="session")
async def rust_peer() -> AsyncIterator[Callable[[], RustPeer]]:
    """Makes Rust-core peers, not yet connected."""
    made: list[RustPeer] = []

    def make() -> RustPeer:
        made.append(RustPeer())
        return made[-1]

    yield make
    for peer in made:
        await peer.disconnect()


@pytest.fixture
def room_name(request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{readable[:60]}-{next(_room_numbers)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser or a server, so that `-m "not browser and not server"` finds the rest."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & _BROWSERS:
            item.add_marker(pytest.mark.browser)
        if names & _SERVERS:
            item.add_marker(pytest.mark.server)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember how long logs and consoles are, to show only this test's part of them."""
    logs = {name: server.process.log_size() for name, server in _servers.items()}
    item.stash[_marks] = logs | {name: len(page.console) for name, page in _pages.items()}


def has_failed(item: pytest.Item) -> bool:
    """Whether a test has failed that is being taken down."""
    return item.stash.get(_failed, False)


def _tell(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    reporter = item.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter) and call.excinfo is not None:
        reporter.ensure_newline()
        reporter.write_line(f"{item.nodeid}: {shorten(call.excinfo.exconly())}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers and the pages said during a failed test, and at once why it failed: a run is long."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
        _tell(item, call)
        since = item.stash.get(_marks, {})
        for name, server in _servers.items():
            if text := server.process.tail(40, since.get(name, 0)):
                report.sections.append((f"{name} log", text))
        for name, page in _pages.items():
            if lines := page.console[since.get(name, 0) :]:
                report.sections.append((f"console of the {name}", "\n".join(map(shorten, lines[-40:]))))
    return report
