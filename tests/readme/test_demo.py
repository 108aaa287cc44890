"""`make demo`, whole: the site is built, the demo's own server runs it, and two people meet in it by real clicks."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.harness.chromium import Chromium, ChromiumPage
from tests.harness.firefox import Firefox
from tests.harness.pages import Reply
from tests.harness.paths import CHROMIUM, FIREFOX, LIVEKIT_SERVER, REPO
from tests.harness.process import HOST
from tests.harness.rust_peer import RustPeer
from tests.readme.pages import assert_moves, errors, until
from tools.console import BUILD
from tools.site import make_site

BOOT = 60.0
SCREENSHOTS = BUILD / "screenshots"
NOT_THERE = Reply(b"not found", "text/plain", 404)
RUN = """
import pathlib, sys
from tools import demo
demo.SITE = pathlib.Path(sys.argv[1])
demo.main(demo.serve)
"""

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(180)]


def _three_free_ports() -> int:
    """The first of three: livekit-server's own, and its TCP and UDP ports for media."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second, socket.socket(type=socket.SOCK_DGRAM) as third:
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            try:
                second.bind((HOST, port + 1))
                third.bind((HOST, port + 2))
            except OSError:
                continue
            return port
    raise RuntimeError("no three free ports in a row")


@asynccontextmanager
async def demo_server(site: Path) -> AsyncIterator[str]:
    """`make demo` after everything is built; its address. It must end by Ctrl-C and take livekit-server with it."""
    port = _three_free_ports()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, str(site)),
        cwd=REPO,
        env=os.environ | {"PORT": "0", "LIVEKIT_PORT": str(port), "SERVER": ""},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = await process.stdout.readuntil(b"Ctrl-C")
        address = re.search(rb"Open (http://localhost:\d+/)", said)
        assert address, said
        for page in (b"worker.html", b"lite/"):
            assert address[1] + page in said
        yield address[1].decode()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) in (0, 130)
        with socket.socket() as gone:
            assert gone.connect_ex((HOST, port)) != 0, "livekit-server was left behind"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    for tool in (CHROMIUM, LIVEKIT_SERVER):
        if reason := tool.skipped():
            pytest.skip(reason)
    site = tmp_path_factory.mktemp("demo") / "site"
    make_site(site=site)
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(built: Path) -> AsyncIterator[str]:
    """The address of the running demo."""
    async with demo_server(built) as address:
        yield address


async def _arrive(browser: Chromium, address: str, name: str, room: str) -> ChromiumPage:
    """Open the page and join, as a user does: by keyboard and mouse."""
    page = await browser.new_page()
    await page.goto(address)
    await until(page, "!document.querySelector('#enter').disabled", BOOT)
    await page.playwright.fill("#name", name)
    await page.playwright.fill("#room", room)
    await page.click("#enter")
    await until(page, "!document.querySelector('#meeting').hidden")
    return page


def _tile(name: str) -> str:
    return f".tile:has(.name:text-is('{name}'))"


async def _see(page: ChromiumPage, name: str) -> None:
    """See somebody's picture move."""
    await page.playwright.wait_for_selector(f"{_tile(name)} video", timeout=15000)
    number = await page.playwright.eval_on_selector(
        _tile(name), "(tile) => [...document.querySelectorAll('.tile')].indexOf(tile) + 1"
    )
    await assert_moves(page, f".tile:nth-of-type({number}) video")
    await page.playwright.hover(f"{_tile(name)} .name", timeout=3000)  # refuses what is hidden under something else


@pytest.mark.parametrize("page", ["", "worker.html"])
async def test_two_people_meet(page: str, demo: str) -> None:
    async with Chromium() as browser:
        room = f"analytical-{page[:6]}"
        ada = await _arrive(browser, demo + page, "Ada", room)
        await _see(ada, "Ada (you)")
        assert await ada.evaluate("document.activeElement.id") == "microphone"
        title = await ada.evaluate("document.title")
        html = "<img src=x onerror='document.title=1'>"
        bob = await _arrive(browser, demo + page, html, room)
        await _see(bob, "Ada")
        await ada.playwright.wait_for_selector(f".tile:has-text({html!r}) video", timeout=15000)
        await assert_moves(ada, ".tile:nth-of-type(2) video")
        await until(ada, f"document.querySelector('#status').textContent === '{room}: you and 1 other'")
        await _mute(ada, bob)
        await _turn_the_camera_off(ada, bob)
        await _share_the_screen(ada, bob)
        await bob.playwright.fill("#text", "<b>hello</b> Ada")
        await bob.playwright.press("#text", "Enter")
        await until(ada, "/<b>hello<.b> Ada$/.test(document.querySelector('#lines').innerText.trim())")
        assert await ada.evaluate("document.querySelectorAll('#lines b, .tile img').length") == 0
        assert await ada.evaluate("document.title") == title
        await bob.click("#leave")
        await until(ada, "document.querySelectorAll('.tile').length === 1")
        await until(bob, "document.querySelector('#status').textContent === 'You left.'")
        assert await bob.evaluate("document.querySelectorAll('.tile').length") == 0
        await bob.click("#enter")  # and back again
        await _see(bob, "Ada")
        await bob.close()
        await until(ada, "document.querySelectorAll('.tile').length === 1", 3)
        assert errors(ada) + errors(bob) == []


async def _mute(ada: ChromiumPage, bob: ChromiumPage) -> None:
    muted = f"{_tile('Ada')} .muted"
    await bob.playwright.wait_for_selector(muted, state="hidden")
    await ada.click("#microphone")
    await bob.playwright.wait_for_selector(muted, state="visible")
    assert await ada.evaluate("document.querySelector('#microphone').ariaPressed") == "false"
    await ada.click("#microphone")
    await bob.playwright.wait_for_selector(muted, state="hidden")


async def _turn_the_camera_off(ada: ChromiumPage, bob: ChromiumPage) -> None:
    await ada.click("#camera")
    await bob.playwright.wait_for_selector(f"{_tile('Ada')} video", state="detached")
    await bob.playwright.wait_for_selector(f"{_tile('Ada')} .initial", state="visible")
    await ada.click("#camera")
    await _see(bob, "Ada")


async def _share_the_screen(ada: ChromiumPage, bob: ChromiumPage) -> None:
    await ada.click("#screen")
    await bob.playwright.wait_for_selector(f"{_tile('Ada: screen')} video", timeout=15000)
    await ada.click("#screen")
    await bob.playwright.wait_for_selector(_tile("Ada: screen"), state="detached")


@pytest.mark.parametrize("browser", [Chromium, Firefox])
async def test_the_worker_page_sees_and_is_seen(browser: type[Chromium | Firefox], demo: str) -> None:
    if browser is Firefox and (reason := FIREFOX.skipped()):
        pytest.skip(reason)
    rust = RustPeer()
    async with browser() as running:
        room = f"workshop-{running.name}"
        page = await running.new_page()
        await page.goto(f"{demo}worker.html?name=Ada&room={room}")
        await until(page, "!document.querySelector('#enter').disabled", BOOT)
        await page.click("#enter")
        await until(page, "!document.querySelector('#meeting').hidden")
        await rust.connect(**await _invitation(demo, room, "grace"))
        try:
            await rust.set_camera(True)
            await rust.wait_video(next(iter((await rust.state()).remotes)))
            await until(page, "document.querySelectorAll('.tile video').length === 2")
            for number in (1, 2):
                await assert_moves(page, f".tile:nth-of-type({number}) video")
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            await page.screenshot(SCREENSHOTS / f"worker_page_{running.name}.png")
            names = await page.evaluate("[...document.querySelectorAll('.tile .name')].map((name) => name.textContent)")
            assert names == ["Ada (you)", "grace"]
        finally:
            await rust.disconnect()
        await until(page, "document.querySelectorAll('.tile').length === 1")
        assert errors(page) == []


async def _invitation(demo: str, room: str, name: str) -> dict[str, str]:
    """What the demo's server says to somebody who asks."""
    query = {"room": room, "identity": name, "name": name}
    async with aiohttp.ClientSession() as session, session.get(f"{demo}token", params=query) as answer:
        found: dict[str, str] = await answer.json()
        return found


@pytest.mark.parametrize("page", ["", "worker.html"])
async def test_the_demos_lead_to_each_other(page: str, demo: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(demo + page) as answer:
            links = re.findall(r'<a href="\./([^"]*)">', await answer.text())
        assert set(links) == {"", "worker.html", "lite/"} - {page}
        for link in links:
            async with session.get(demo + link) as answer:
                assert answer.status == 200, link


@pytest.mark.parametrize("where", ["", "worker.html"])
async def test_a_refused_camera_is_told_in_words(where: str, demo: str) -> None:
    async with Chromium("--use-fake-ui-for-media-stream=deny") as browser:
        page = await _arrive(browser, demo + where, "Eve", f"refused-{where[:6]}")
        await until(
            page, "/^You did not allow the camera and microphone/.test(document.querySelector('#problem').innerText)"
        )
        assert await page.evaluate("document.querySelectorAll('.tile').length") == 1
        await page.click("#camera")
        await until(page, "/^You did not allow the camera\\./.test(document.querySelector('#problem').innerText)")
        assert await page.evaluate("document.querySelector('#camera').ariaPressed") == "false"
        assert errors(page) == []


@pytest.mark.parametrize("where", ["", "worker.html"])
async def test_without_a_token_server_it_asks_for_one(where: str, demo: str) -> None:
    async with Chromium() as browser:
        page = await browser.new_page()
        await page.route(demo + "token", lambda _url: NOT_THERE)
        await page.goto(demo + where)
        await until(page, "!document.querySelector('#enter').disabled", BOOT)
        await page.playwright.fill("#name", "Ada")
        await page.click("#enter")
        await until(page, "document.querySelector('#own').open")
        assert "without a server" in await page.playwright.inner_text("#problem")
        await page.playwright.fill("#url", "ws://127.0.0.1:1")
        await page.playwright.fill("#token", "none")
        await page.click("#enter")
        await until(page, "/could not be reached/.test(document.querySelector('#problem').innerText)")
        await until(page, "!document.querySelector('#enter').disabled")


async def test_ctrl_c_ends_it_while_someone_is_in_the_room(built: Path) -> None:
    async with Chromium() as browser:
        async with demo_server(built) as address:
            page = await _arrive(browser, address, "Ada", "closing")
        await until(page, "document.querySelector('#meeting').hidden", 30)
        assert await page.playwright.inner_text("#status") in ("The server was shut down.", "The connection was lost.")
