"""Browsers that let nothing sound, or play at all, before somebody clicks: the listener's page drives itself.

Whatever a test evaluates in a page counts as a gesture there, so the page is only loaded, and read by its console.
"""

import asyncio
import json
from typing import Any

import pytest

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.pages import Page
from tests.harness.paths import CHROMIUM, FIREFOX
from tests.harness.python_page import PythonPage
from tests.harness.site import Site
from tests.harness.venues import LocalServer
from tests.inpage import playback
from tests.inpage.runner import encode

LOCAL = LocalServer()
_DRIVE = """addEventListener("load", async () => {
  while (!globalThis.lkPage) await new Promise((resolve) => setTimeout(resolve, 20));
  await lkPage.boot(%s);
  lkPage.begin(1, "tests.inpage.playback", "listen", %s);
});"""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


async def _said(page: Page, what: str, timeout: float = 100) -> dict[str, Any]:
    """Wait until the page has said something; the details."""
    try:
        async with asyncio.timeout(timeout):
            while True:
                for line in page.console:
                    _, mark, text = line.partition(playback.MARK)
                    found = json.loads(text) if mark else {"what": ""}
                    assert found["what"] != "failed", found["details"]
                    if found["what"] == what:
                        return dict(found)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"the page did not say {what!r}; it said {page.console[-20:]}") from None


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_nothing_sounds_before_a_click(name: str, site: Site, room_name: str) -> None:
    """It is told, start_audio() outside of a click is refused, and one click starts all that is there.

    Chromium lets pictures without sound play; Firefox, set so, lets none.
    """
    if reason := (CHROMIUM if name == "chromium" else FIREFOX).skipped():
        pytest.skip(reason)
    browser = (
        Chromium("--autoplay-policy=document-user-activation-required")
        if name == "chromium"
        else Firefox(**{"media.autoplay.default": 5, "media.autoplay.blocking_policy": 0})
    )
    async with browser as running:
        speakers = await PythonPage.open(running, site)
        tokens = [LOCAL.token(identity, room_name) for identity in ("ada", "ben")]
        speaking = await speakers.start(playback.speak, url=LOCAL.url, tokens=tokens)
        await speaking.reached("speaking")
        page = await running.new_page()
        arguments = encode({"url": LOCAL.url, "token": LOCAL.token("eve", room_name)})
        await page.preload(_DRIVE % (json.dumps(site.archives()), json.dumps(arguments)))
        await page.goto(site.url("/harness/python_page.html"))
        blocked = await _said(page, "blocked")
        plays = name == "chromium"
        assert blocked["allowed"] == {"audio": False, "video": plays}
        assert blocked["paused"] == {"unknown": [], "audio": [True, True], "video": [not plays] * 2}
        assert sorted(blocked["details"]) == [["audio", False], *([] if plays else [["video", False]])]
        refused = await _said(page, "refused")
        assert refused["details"] == ["NotAllowedError", "" if plays else "NotAllowedError"]
        assert refused["allowed"] == blocked["allowed"]
        await page.click("#start")
        started = await _said(page, "started")
        told, outcomes, louder = started["details"]
        assert sorted(told) == [["audio", True], *([] if plays else [["video", True]])]
        assert outcomes == ["", ""] and all(louder)
        assert started["paused"] == {"unknown": [], "audio": [False, False], "video": [False, False]}
        assert started["allowed"] == {"audio": True, "video": True}
        await _said(page, "over")
        await speaking.signal("enough")
        await speaking.result()
