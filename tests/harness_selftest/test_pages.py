"""The page interface means the same in both browsers."""

from pathlib import Path

import pytest

from tests.harness.pages import Browser, Page, PageError, Reply
from tests.harness.site import Site


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each browser in turn."""
    found: Browser = request.getfixturevalue(request.param)
    return found


async def _blank(browser: Browser, site: Site) -> Page:
    page = await browser.new_page()
    await page.goto(site.url("/blank.html"))
    return page


async def test_values_errors_and_console(browser: Browser, site: Site) -> None:
    """JSON comes back, promises are awaited, errors raise, the console is kept."""
    page = await _blank(browser, site)
    assert await page.evaluate("Promise.resolve({a: [1, 'x', null]})") == {"a": [1, "x", None]}
    assert await page.evaluate("undefined") is None
    assert await page.evaluate("document.visibilityState") == "visible"
    with pytest.raises(PageError, match="nope"):
        await page.evaluate("nope.x")
    await page.evaluate(
        "(console.warn('careful'), Promise.reject(new Error('unseen')), new Promise(r => setTimeout(r, 50)))"
    )
    assert "warning: careful" in page.console
    assert any(line.startswith("pageerror: ") and "unseen" in line for line in page.console)
    await page.close()


async def test_clicks_are_trusted(browser: Browser, site: Site) -> None:
    """A click goes through the browser's input pipeline."""
    page = await _blank(browser, site)
    await page.evaluate(
        "(document.body.innerHTML = '<button>press</button>', onclick = (e) => { globalThis.trusted = e.isTrusted })"
    )
    await page.click("button")
    assert await page.evaluate("trusted") is True
    await page.close()


async def test_requests_are_answered_from_here(browser: Browser, site: Site, tmp_path: Path) -> None:
    """Another origin's URLs are served from a folder or a function; nothing leaves the machine."""
    (tmp_path / "module.mjs").write_text("export const answer = 42;")
    page = await browser.new_page()
    await page.route("https://cdn.example/lib/", tmp_path)
    await page.route("https://api.example/", lambda url: Reply(url.encode(), "text/plain"))
    await page.goto(site.url("/blank.html"))
    assert await page.evaluate("import('https://cdn.example/lib/module.mjs').then((m) => m.answer)") == 42
    assert await page.evaluate("fetch('https://cdn.example/lib/none').then((r) => r.status)") == 404
    assert (
        await page.evaluate("fetch('https://api.example/x?y=1').then((r) => r.text())") == "https://api.example/x?y=1"
    )
    assert await page.evaluate("fetch('/tests.zip').then((r) => r.ok)") is True
    await page.close()


async def test_closing_fires_pagehide(browser: Browser, site: Site) -> None:
    """A close by the harness is a close by a user."""
    watcher, page = await _blank(browser, site), await _blank(browser, site)
    await watcher.evaluate(
        "(globalThis.heard = new Promise((r) => { new BroadcastChannel('bye').onmessage = (e) => r(e.data) }), 0)"
    )
    await page.evaluate(
        "(globalThis.channel = new BroadcastChannel('bye'), "
        "addEventListener('pagehide', () => channel.postMessage('gone')))"
    )
    await page.close()
    assert await watcher.evaluate("heard") == "gone"
    await watcher.close()


async def test_scripts_can_run_first(browser: Browser, site: Site, tmp_path: Path) -> None:
    """`preload` runs before the document's own scripts; a screenshot is a PNG."""
    page = await browser.new_page()
    await page.preload("globalThis.early = 5")
    await page.goto(site.url("/blank.html"))
    assert await page.evaluate("early") == 5
    await page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    await page.close()
