"""The system's Chromium, driven by Playwright."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, ConsoleMessage, Playwright, Route, async_playwright
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page as PlaywrightPage

from tests.harness.pages import Handler, PageError, as_json_promise, folder_handler
from tests.harness.paths import CHROMIUM

FLAGS = (
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",  # answers permission prompts
    "--auto-accept-this-tab-capture",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # there is no mDNS responder on loopback
)


class ChromiumPage:
    """`Page` over Playwright."""

    browser_name = "chromium"

    def __init__(self, page: PlaywrightPage) -> None:
        self.playwright = page
        self.console: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.console.append(f"pageerror: {error.stack or error.message}"))
        page.on("crash", lambda _page: self.console.append("pageerror: the page crashed"))

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    async def goto(self, url: str) -> None:
        """See `Page`."""
        await self.playwright.goto(url, wait_until="load")

    async def evaluate(self, expression: str) -> Any:
        """See `Page`."""
        try:
            return json.loads(await self.playwright.evaluate(as_json_promise(expression)))
        except PlaywrightError as error:
            raise PageError(error.message) from None

    async def preload(self, script: str) -> None:
        """See `Page`."""
        await self.playwright.add_init_script(script)

    async def click(self, selector: str) -> None:
        """See `Page`."""
        await self.playwright.click(selector)

    async def route(self, url_prefix: str, source: Path | Handler) -> None:
        """See `Page`."""
        answer = folder_handler(url_prefix, source) if isinstance(source, Path) else source

        async def fulfil(route: Route) -> None:
            reply = answer(route.request.url)
            await route.fulfill(status=reply.status, headers=reply.all_headers(), body=reply.body)

        await self.playwright.route(lambda url: url.startswith(url_prefix), fulfil)

    async def screenshot(self, path: Path) -> None:
        """See `Page`."""
        await self.playwright.screenshot(path=path)

    async def close(self) -> None:
        """See `Page`."""
        if not self.playwright.is_closed():
            # `run_before_unload` is the close a user makes; without it Chromium may skip `pagehide`.
            async with self.playwright.expect_event("close"):
                await self.playwright.close(run_before_unload=True)


class Chromium:
    """`Browser`: one headless Chromium process. Extra flags come after the usual ones."""

    name = "chromium"

    def __init__(self, *flags: str) -> None:
        self._flags = [*FLAGS, *flags]
        self._playwright: Playwright | None = None
        self._browser: PlaywrightBrowser | None = None
        self.context: BrowserContext | None = None

    async def __aenter__(self) -> Self:
        program = CHROMIUM.find()
        self._playwright = await async_playwright().start()
        self._browser = await self._playwright.chromium.launch(executable_path=program, args=self._flags, headless=True)
        self.context = await self._browser.new_context()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def new_page(self) -> ChromiumPage:
        """See `Browser`."""
        assert self.context is not None, "the browser has not been started"
        return ChromiumPage(await self.context.new_page())
