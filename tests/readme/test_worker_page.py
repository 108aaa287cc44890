"""The README's page with Python in a worker, as printed but for the token; and what it says without its agent."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.pages import Browser, Page
from tests.harness.paths import find_wheel
from tests.harness.peers import AT_ONCE
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.readme.blocks import BLOCKS, covers
from tests.readme.cdn import Internet
from tests.readme.pages import assert_moves, errors, until
from tests.readme.test_pages import BOOT, browser
from tools.demo import static_server

PAGE = "in a worker"
AGENT = '<script type="module" src="./lk-agent.js"></script>'
__all__ = ["browser"]  # a fixture
_TELL_OF_FAILURE = """
    import time
    from js import BroadcastChannel, Array
    started = time.monotonic()
    try:
        await room.connect(url, token)
    except Exception as error:
        seconds = time.monotonic() - started
        BroadcastChannel.new("said").postMessage(Array.of(type(error).__name__, str(error), seconds))
        raise
"""
_LISTEN = "new BroadcastChannel('said').onmessage = ({data}) => { globalThis.said = data; };"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(150),
    pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What stands beside the page."""
    shutil.copy(find_wheel("lk_pyodide"), tmp_path)
    command = BLOCKS["in a worker 2"].code.split()
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    return tmp_path


@pytest.fixture
async def page(browser: Browser) -> Page:  # noqa: F811 - the fixture of that name
    """A page whose CDN and package index are on this machine."""
    page = await browser.new_page()
    await Internet().install(page)
    return page


@covers(PAGE, "in a worker 2")
async def test_the_page(
    page: Page, folder: Path, livekit: LiveKitServer, rust_peer: Callable[[], RustPeer], room_name: str
) -> None:
    ada = rust_peer()
    await ada.connect(livekit.url, livekit.token("ada", room_name))
    await ada.set_camera(True)
    await ada.set_microphone(True)
    html = BLOCKS[PAGE].code
    for printed, real in (("ws://localhost:7880", livekit.url), ("a token", livekit.token("grace", room_name))):
        assert html.count(f'"{printed}"') == 1
        html = html.replace(f'"{printed}"', f'"{real}"')
    (folder / "index.html").write_text(html, encoding="utf-8")
    async with static_server(folder, 0) as address:
        await page.goto(address)
        await ada.wait_remote("grace", timeout=BOOT)
        await ada.wait_video("grace")
        await ada.wait_audio("grace")
        await until(page, "document.querySelectorAll('#stage video').length === 2")
        await until(page, "document.querySelectorAll('#stage audio').length === 1")
        await assert_moves(page, "#stage video:nth-of-type(1)")
        await assert_moves(page, "#stage video:nth-of-type(2)")
        assert errors(page, ("favicon",)) == []
        await page.close()
        assert await ada.wait_gone("grace") < AT_ONCE


async def test_without_its_agent(page: Page, folder: Path) -> None:
    """Connecting says what is missing, soon, and with the very line to add."""
    html = BLOCKS[PAGE].code
    for printed, changed in ((AGENT, ""), ("    await room.connect(url, token)\n", _TELL_OF_FAILURE)):
        assert html.count(printed) == 1
        html = html.replace(printed, changed)
    (folder / "index.html").write_text(html, encoding="utf-8")
    await page.preload(_LISTEN)
    async with static_server(folder, 0) as address:
        await page.goto(address)
        await until(page, "globalThis.said", BOOT)
        name, text, seconds = await page.evaluate("said")
        assert (name, AGENT in text) == ("UnsupportedHostError", True)
        assert float(seconds) < 6  # three times what is promised
        await page.close()
