"""The demo's pages elsewhere, and where things are not as they should be: other servers, no camera, no sound."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import ConsoleMessage

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.pages import Reply
from tests.harness.paths import FIREFOX
from tests.harness.process import HOST
from tests.harness.rust_peer import RustPeer
from tests.readme.pages import errors, fill
from tests.readme.visitor import BOOT, PATIENCE, Visitor
from tools.console import BUILD
from tools.site import DEMO

SCREENSHOTS = BUILD / "screenshots"
NOT_THERE = Reply(b"not found", "text/plain", 404)
DENY = "--use-fake-ui-for-media-stream=deny"
DENIED: dict[str, str | int | bool] = {
    "media.navigator.permission.disabled": False,
    "permissions.default.camera": 2,
    "permissions.default.microphone": 2,
}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.mark.server
@pytest.mark.parametrize("browser", [Chromium, Firefox])
async def test_the_worker_page_sees_and_is_seen(browser: type[Chromium | Firefox], livekit_demo: str) -> None:
    """Beside somebody else's client, at a livekit-server."""
    if browser is Firefox and (reason := FIREFOX.skipped()):
        pytest.skip(reason)
    rust = RustPeer()
    async with browser() as running:
        room = f"workshop-{running.name}"
        ada = Visitor(await running.new_page())
        await ada.come(f"{livekit_demo}worker.html?name=Ada&room={room}")
        await ada.page.click("#enter")
        await ada.until("!document.querySelector('#meeting').hidden")
        await rust.connect(*await _invitation(livekit_demo, room, "grace"))
        try:
            await rust.set_camera(True)
            await rust.wait_video(next(iter((await rust.state()).remotes)))
            for name in ("Ada (you)", "grace"):
                await ada.sees(name)
        finally:
            await rust.disconnect()
        await ada.sees_tiles(1)
        assert errors(ada.page) == []


async def _invitation(demo: str, room: str, name: str) -> tuple[str, str]:
    """The address and the token that the demo's server gives to somebody who asks."""
    wanted = {"room_name": room, "participant_identity": name}
    async with aiohttp.ClientSession() as session, session.post(f"{demo}token", json=wanted) as answer:
        found: dict[str, str] = await answer.json()
        return found["server_url"], found["participant_token"]


@pytest.mark.parametrize("page", ["", "worker.html"])
async def test_the_demos_lead_to_each_other(page: str, local_demo: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(local_demo + page) as answer:
            links = re.findall(r'<a href="\./([^"]*)">', await answer.text())
        assert set(links) == {"", "worker.html", "lite/"} - {page}
        for link in links:
            async with session.get(local_demo + link) as answer:
                assert answer.status == 200, link


def test_both_pages_show_the_same() -> None:
    """They differ in where their Python is, and in what they say of that."""
    page, worker = (re.split("</?main>", (DEMO / name).read_text())[1] for name in ("index.html", "worker.html"))
    differing = [line for line in page.splitlines() if line not in worker.splitlines()]
    assert [line.strip()[:3] for line in differing] == ["<p>"]


@pytest.mark.parametrize(("browser", "where"), [("chromium", ""), ("chromium", "worker.html"), ("firefox", "")])
async def test_a_refused_camera_is_told_in_words(browser: str, where: str, local_demo: str) -> None:
    if browser == "firefox" and (reason := FIREFOX.skipped()):
        pytest.skip(reason)
    async with Chromium(DENY) if browser == "chromium" else Firefox(**DENIED) as running:
        eve = Visitor(await running.new_page())
        await eve.come(local_demo + where)
        await eve.join("Eve", f"refused-{where[:6]}-{browser}")
        await eve.until(_problem("You did not allow the camera and microphone. Allow it beside the page's address"))
        await eve.sees_initial("Eve (you)")
        await eve.page.click("#camera")
        await eve.until(_problem("You did not allow the camera. "))
        assert await eve.page.evaluate("document.querySelector('#camera').ariaPressed") == "false"
        await eve.page.click("[popovertarget=devices]")
        await eve.until("document.querySelector('#no-devices').checkVisibility()")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await eve.page.screenshot(SCREENSHOTS / f"refused_{where.partition('.')[0] or 'page'}_{browser}.png")
        assert errors(eve.page) == []


def _problem(beginning: str) -> str:
    return f"document.querySelector('#problem').innerText.startsWith({beginning!r})"


async def test_a_machine_without_a_camera(local_demo: str) -> None:
    """The microphone is on, and what is missing is said."""
    async with Chromium("--use-fake-device-for-media-stream=device-count=0") as browser:
        eve = Visitor(await browser.new_page())
        await eve.page.preload(_NO_CAMERA)
        await eve.come(local_demo)
        await eve.join("Eve", "no-camera")
        await eve.until(_problem("There is no camera on this machine."))
        await eve.sees_muted("Eve (you)", False)
        await eve.sees_initial("Eve (you)")


_NO_CAMERA = """{
  const ask = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (constraints) {
    if (constraints.video) return Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
    return ask.call(this, constraints);
  };
}"""


@pytest.mark.parametrize("where", ["", "worker.html"])
async def test_a_site_that_does_not_tell_where_to_meet(where: str, local_demo: str) -> None:
    """The form asks for an address and a token, and takes them."""
    async with Chromium() as browser:
        ada = Visitor(await browser.new_page())
        await ada.page.route(local_demo + "server.json", lambda _url: NOT_THERE)
        await ada.come(local_demo + where)
        await fill(ada.page, "#name", "Ada")
        await ada.page.click("#enter")
        await ada.until("document.querySelector('#own').open")
        assert "the address of a server, and a token" in await ada.page.evaluate(
            "document.querySelector('#problem').innerText"
        )
        await fill(ada.page, "#url", "ws://127.0.0.1:1")
        await fill(ada.page, "#token", "none")
        await ada.page.click("#enter")
        await ada.until("/could not be reached/.test(document.querySelector('#problem').innerText)")
        await ada.until("!document.querySelector('#enter').disabled")


@pytest.mark.server
async def test_another_server_by_its_address_and_a_token(local_demo: str, livekit_demo: str) -> None:
    """All that it takes is in the form; no link is offered there, and the token is shown nowhere."""
    url, token = await _invitation(livekit_demo, "elsewhere", "Ada")
    async with Chromium() as browser:
        ada = Visitor(await browser.new_page())
        await ada.come(local_demo)
        await fill(ada.page, "#url", url)
        await fill(ada.page, "#token", token)
        await ada.join("not me")
        await ada.sees("Ada (you)")
        await ada.reads("#status", "elsewhere: only you")
        assert not await ada.is_shown("#second-tab")
        await ada.page.click("[popovertarget=invite]")
        await ada.reads("#invitation", "Others need a token of their own for this room.")
        assert token not in await ada.page.evaluate("document.body.innerText + document.querySelector('#link').href")


@asynccontextmanager
async def _static_host(folder: Path, prefix: str) -> AsyncIterator[str]:
    """A host that does nothing but hand out files, below a path."""
    application = web.Application()
    application.router.add_static(prefix, folder)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}{prefix}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("page", ["index.html", "worker.html"])
async def test_any_static_host_will_do(page: str, built: Path) -> None:
    """Below any path, with nothing asked of any other machine."""
    async with _static_host(built, "/some/where/") as address, Chromium() as browser:
        ada = Visitor(await browser.new_page())
        asked: list[str] = []
        ada.page.playwright.on("request", lambda request: asked.append(request.url))  # type: ignore[attr-defined]
        await ada.come(address + page)
        await ada.join("Ada")
        await ada.sees("Ada (you)")
        await ada.reads("#status", "python: only you")
        link = await ada.page.evaluate("document.querySelector('#link').href")
        assert link == f"{address}{page}?room=python"
        assert errors(ada.page) == []
        assert {url for url in asked if not url.startswith((address, "blob:", "data:"))} == set()
        assert f"{address}server.json" in asked


# Joins by itself, with nothing on, and tells when the others cannot be heard: nobody has clicked anything.
_JOIN_UNTOUCHED = """addEventListener("load", async () => {
  const find = (id) => document.getElementById(id);
  const until = async (condition) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await until(() => find("enter") && !find("enter").disabled);
  find("name").value = "Eve";
  find("with-microphone").checked = find("with-camera").checked = false;
  find("join").requestSubmit();
  await until(() => !find("sound").hidden);
  console.log("Eve hears nothing");
});"""


def _is_silent(message: ConsoleMessage) -> bool:
    return message.text == "Eve hears nothing"


_SOUNDING = "[...document.querySelectorAll('#sounds audio')].some((audio) => !audio.paused)"


@pytest.mark.parametrize("page", ["", "worker.html"])
async def test_a_click_starts_the_sound_where_the_browser_wants_one(page: str, local_demo: str) -> None:
    async with Chromium("--autoplay-policy=document-user-activation-required") as browser:
        ada = Visitor(await browser.new_page())
        await ada.come(local_demo)
        await ada.join("Ada", "sound")
        await ada.sees("Ada (you)")
        eve = await browser.new_page()
        await eve.preload(_JOIN_UNTOUCHED)
        async with eve.playwright.expect_console_message(_is_silent, timeout=1000 * (BOOT + PATIENCE)):
            await eve.goto(f"{local_demo}{page}?room=sound")
        await eve.click("#sound")
        visitor = Visitor(eve)
        await visitor.until(_SOUNDING)
        assert not await visitor.is_shown("#sound")
        await visitor.sees("Ada")
