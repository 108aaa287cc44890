"""The README's page, as printed: on its own origin, with its CDN and package index answered from this machine."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.pages import Browser, Page, PageError
from tests.harness.paths import find_wheel
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.readme.blocks import BLOCKS, covers
from tests.readme.cdn import FILES, INDEX, PYODIDE, PYSCRIPT, Internet
from tests.readme.pages import assert_moves, errors, fill, until
from tools.demo import static_server

PAGE = "a page to copy"
BOOT = 60.0
EXPECTED = ("favicon", "401", "WebSocket connection to", "establish a connection to the server")
"""What browsers say of a missing icon and of the wrong token that is tried first."""


def older_tag(html: str) -> str:
    """The page with the tag that older pages have, as the text below the block says."""
    start = html.index('<script type="py"')
    head, python = html[:start], html[start:]
    changed = python.replace('<script type="py"', "<py-script", 1).replace("</script>", "</py-script>", 1)
    assert changed.count("py-script") == 2
    return head + changed


async def open_page(browser: Browser, address: str) -> tuple[Page, Internet]:
    """Open a page and wait until Python runs."""
    page, internet = await browser.new_page(), Internet()
    await internet.install(page)
    await page.goto(address)
    try:
        await until(page, "!document.querySelector('#join').disabled", BOOT)
    except PageError as error:
        console = "\n".join(line[:600] for line in page.console[-12:])
        raise AssertionError(f"{error}\nasked: {internet.asked}\nconsole: {console}") from error
    return page, internet


def as_printed(html: str) -> str:
    """The page as the README has it."""
    return html


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser:
    """The browser that the parameter names."""
    running: Browser = request.getfixturevalue(request.param)
    return running


@covers(PAGE)
@pytest.mark.browser
@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("browser", "change"),
    [("chromium", as_printed), ("firefox", as_printed), ("chromium", older_tag)],
    ids=["chromium", "firefox", "py-script"],
    indirect=["browser"],
)
async def test_the_page(
    browser: Browser,
    change: Callable[[str], str],
    tmp_path: Path,
    livekit: LiveKitServer,
    rust_peer: Callable[[], RustPeer],
    room_name: str,
) -> None:
    (tmp_path / "index.html").write_text(change(BLOCKS[PAGE].code), encoding="utf-8")
    shutil.copy(find_wheel("lk_pyodide"), tmp_path)
    async with static_server(tmp_path, 0) as address:
        page, internet = await open_page(browser, address)
        try:
            await _meet(page, rust_peer(), livekit, room_name)
            for place in (PYSCRIPT, PYODIDE, INDEX, FILES):
                assert any(url.startswith(place) for url in internet.asked), f"{place} was never asked"
            assert internet.missed == []
            assert errors(page, EXPECTED) == []
        finally:
            await page.close()


async def _meet(page: Page, ada: RustPeer, livekit: LiveKitServer, room: str) -> None:
    await ada.connect(livekit.url, livekit.token("ada", room))
    await ada.set_camera(True)
    await ada.set_microphone(True)
    await fill(page, "#url", livekit.url)
    await fill(page, "#token", "wrong")
    await page.click("#join")
    await until(page, "/token/.test(document.querySelector('#status').textContent)")
    await fill(page, "#token", livekit.token("grace", room))
    await page.click("#join")
    await ada.wait_remote("grace")
    await ada.wait_video("grace")
    await ada.wait_audio("grace")
    await until(page, "document.querySelectorAll('#stage video').length === 2")
    await until(page, "document.querySelectorAll('#stage audio').length === 1")
    await assert_moves(page, "#stage video:nth-of-type(1)")
    await assert_moves(page, "#stage video:nth-of-type(2)")
    await page.click("#leave")
    await ada.wait_gone("grace")
    await until(page, "document.querySelector('#stage').children.length === 0")
    await until(page, "!document.querySelector('#join').disabled")
