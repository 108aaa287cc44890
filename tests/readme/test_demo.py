"""`make demo`, whole: the site is built, the demo's own server runs it, and two people meet in it by real clicks."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.chromium import Chromium, ChromiumPage
from tests.harness.firefox import Firefox
from tests.harness.pages import Browser, Page
from tests.harness.paths import FIREFOX, LIVEKIT_SERVER
from tests.readme.demo_server import demo_server
from tests.readme.pages import errors
from tests.readme.visitor import Visitor, meet
from tools.console import BUILD

SCREENSHOTS = BUILD / "screenshots"
DEVICES = "--use-fake-device-for-media-stream=device-count=3"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Place:
    """Where people meet."""

    address: str
    page: str
    browser: str
    is_local: bool

    @property
    def name(self) -> str:
        """A name for a room or a picture."""
        server = "local" if self.is_local else "livekit"
        return f"{self.page.partition('.')[0] or 'page'}_{self.browser}_{server}"

    def start_browser(self) -> Browser:
        """The browser, not yet started."""
        return Chromium(DEVICES) if self.browser == "chromium" else Firefox()


def _places(*given: tuple[str, str, str]) -> pytest.MarkDecorator:
    """Run a test in these places: which server, which browser, which page."""
    marks = {"livekit": [pytest.mark.server], "local": []}
    return pytest.mark.parametrize(
        "place",
        [pytest.param(place, id="-".join(filter(None, place)), marks=marks[place[0]]) for place in given],
        indirect=True,
    )


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The place that the parameter names."""
    server, browser, page = request.param
    if browser == "firefox" and (reason := FIREFOX.skipped()):
        pytest.skip(reason)
    return Place(request.getfixturevalue(f"{server}_demo"), page, browser, server == "local")


async def _shoot(page: Page, name: str) -> None:
    """Take a picture for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(SCREENSHOTS / f"{name}.png")


@_places(
    ("local", "chromium", ""),
    ("local", "firefox", ""),
    ("local", "chromium", "worker.html"),
    ("livekit", "chromium", ""),
    ("livekit", "chromium", "worker.html"),
)
async def test_two_people_meet(place: Place) -> None:
    async with place.start_browser() as browser:
        ada = Visitor(await browser.new_page())
        await ada.come(place.address + place.page)
        await ada.join("Ada", place.name)
        await ada.sees("Ada (you)")
        assert await ada.page.evaluate("document.activeElement.id") == "microphone"
        assert await ada.is_shown("#alone")
        await ada.reads("#status", f"{place.name}: only you")
        title = await ada.page.evaluate("document.title")
        bob = Visitor(await browser.new_page())
        await bob.come(await ada.page.evaluate("document.querySelector('#link').href"))
        assert await bob.page.evaluate("document.querySelector('#room').value") == place.name
        await bob.join("<img src=x onerror='document.title=1'>")
        await meet(ada, bob)
        assert not await ada.is_shown("#alone")
        await ada.reads("#status", f"{place.name}: you and 1 other")
        await _shoot(ada.page, place.name)
        await _turn_things_off(ada, bob)
        await _chat(ada, bob)
        await _choose_devices(ada, bob)
        assert await ada.page.evaluate("document.querySelectorAll('#lines b, .tile img').length") == 0
        assert await ada.page.evaluate("document.title") == title
        await bob.leave()
        await ada.sees_tiles(1)
        await bob.join("Bob")  # and back again
        await meet(ada, bob)
        await ada.page.close()
        await bob.sees_tiles(1, 10)
        await bob.reads("#status", f"{place.name}: only you")
        lost = [status for status in await bob.statuses() if "Reconnecting" in status]
        assert bool(lost) == place.is_local, "the room has lived in the tab that was closed"
        await bob.sees("Bob (you)")
        assert errors(ada.page) + errors(bob.page) == []
        assert not [line for visitor in (ada, bob) for line in visitor.page.console if "ERROR:lk_pyodide" in line]
        assert await bob.page.evaluate("document.querySelector('.py-error')") is None


async def _turn_things_off(ada: Visitor, bob: Visitor) -> None:
    for on in (False, True):
        await ada.page.click("#microphone")
        await bob.sees_muted("Ada", not on)
        assert await ada.page.evaluate("document.querySelector('#microphone').ariaPressed") == str(on).lower()
    await ada.page.click("#camera")
    await bob.sees_initial("Ada")
    await ada.page.click("#camera")
    await bob.sees("Ada")
    await ada.page.click("#screen")
    await bob.sees("Ada: screen")
    await ada.page.click("#screen")
    await bob.sees_tiles(2)


async def _chat(ada: Visitor, bob: Visitor) -> None:
    await bob.says("<b>hello</b> Ada")
    await ada.until("/<b>hello<.b> Ada$/.test(document.querySelector('#lines').innerText.trim())")
    assert (await bob.page.evaluate("document.querySelector('#lines').innerText")).endswith("<b>hello</b> Ada")


_MENU = """(kind) => [...document.getElementById(kind).options].map((option) => option.value)"""
_CHOOSE = """(kind, value) => {
  document.getElementById(kind).value = value;
  document.getElementById(kind).dispatchEvent(new Event("change", {bubbles: true}));
}"""
_CAMERA = "document.querySelector('.mirrored video').srcObject.getVideoTracks()[0].getSettings().deviceId"


async def _choose_devices(ada: Visitor, bob: Visitor) -> None:
    """The menus show what there is; another camera is seen, another speaker plays."""
    await ada.page.click("[popovertarget=devices]")
    await ada.until("document.querySelector('#devices').matches(':popover-open')")
    several = ada.page.browser_name == "chromium"
    for kind, count in {"videoinput": 3, "audioinput": 3, "audiooutput": 3}.items():
        offered = await ada.page.evaluate(f"({_MENU})('{kind}')")
        assert len(offered) == (count if several else len(offered))
        assert await ada.is_shown(f"#{kind}") == bool(offered)
    assert await ada.is_shown("#videoinput") and not await ada.is_shown("#no-devices")
    first, *_, last = [*await ada.page.evaluate(f"({_MENU})('videoinput')")] * 2
    assert (
        await ada.page.evaluate(_CAMERA)
        == await ada.page.evaluate("document.querySelector('#videoinput').value")
        == first
    )
    await _shoot(ada.page, f"devices_{ada.page.browser_name}")
    await ada.page.evaluate(f"({_CHOOSE})('videoinput', '{last}')")
    await ada.until(f"{_CAMERA} === '{last}'")
    await bob.sees("Ada")
    if several:
        speaker = (await ada.page.evaluate(f"({_MENU})('audiooutput')"))[-1]
        await ada.page.evaluate(f"({_CHOOSE})('audiooutput', '{speaker}')")
        await ada.until(f"document.querySelector('#sounds audio').sinkId === '{speaker}'")
    assert not await ada.is_shown("#problem")
    await ada.page.click("[popovertarget=devices]")
    await ada.until("!document.querySelector('#devices').matches(':popover-open')")


async def test_with_a_keyboard_alone(local_demo: str) -> None:
    """Join, mute, choose a camera, write and leave, and open the second tab: no mouse."""
    async with Chromium(DEVICES) as browser:
        page = await browser.new_page()
        keyboard, ada = page.playwright.keyboard, Visitor(page)
        await ada.come(local_demo)
        await keyboard.type("Ada")  # the field has the focus
        await keyboard.press("Tab")
        await keyboard.press("Control+a")
        await keyboard.type("keyboard")
        await keyboard.press("Enter")
        await ada.sees("Ada (you)")
        await keyboard.press("Space")  # the microphone
        await ada.until("document.querySelector('#microphone').ariaPressed === 'false'")
        await _tab_to(page, "[popovertarget=devices]")
        await keyboard.press("Enter")
        await ada.until("document.querySelector('#videoinput').options.length === 3")
        await _tab_to(page, "#videoinput")
        await keyboard.press("End")
        last = await page.evaluate("document.querySelector('#videoinput').options[2].value")
        await ada.until(f"{_CAMERA} === '{last}'")
        await keyboard.press("Escape")
        assert not await ada.is_shown("#devices")
        assert await page.evaluate("document.activeElement.getAttribute('popovertarget')") == "devices"
        await _tab_to(page, "#text", back=True)
        await keyboard.type("all by keys")
        await keyboard.press("Enter")
        await ada.until("/Ada: all by keys/.test(document.querySelector('#lines').innerText)")
        await _tab_to(page, "#second-tab", back=True)
        async with page.playwright.context.expect_page() as opening:
            await keyboard.press("Enter")
        assert (await opening.value).url == f"{local_demo}?room=keyboard"
        await (await opening.value).close()
        await _tab_to(page, "#leave")
        await keyboard.press("Enter")
        await ada.reads("#status", "You left.")
        assert await page.evaluate("document.activeElement.id") == "name"


async def _tab_to(page: ChromiumPage, selector: str, *, back: bool = False) -> None:
    """Press Tab until something has the focus, and can be seen to have it."""
    for _ in range(20):
        await page.playwright.keyboard.press("Shift+Tab" if back else "Tab")
        if await page.evaluate(f"document.activeElement.matches('{selector}')"):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"Tab does not lead to {selector}")


@pytest.mark.server
async def test_ctrl_c_ends_it_while_someone_is_in_the_room(built: Path) -> None:
    if reason := LIVEKIT_SERVER.skipped():
        pytest.skip(reason)
    async with Chromium() as browser:
        async with demo_server(built, "livekit") as address:
            ada = Visitor(await browser.new_page())
            await ada.come(address)
            await ada.join("Ada", "closing")
        await ada.until("document.querySelector('#meeting').hidden", 60)
        said = await ada.page.evaluate("document.querySelector('#status').innerText")
        assert said in ("The server was shut down.", "The connection was lost.")
