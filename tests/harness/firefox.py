"""A stock Firefox, driven over WebDriver BiDi by a small Node process (`firefox.mjs`)."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness.pages import Handler, PageError, as_json_promise, folder_handler
from tests.harness.paths import FIREFOX, HARNESS, NODE, node_modules

PREFERENCES: dict[str, str | int | bool] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.getusermedia.insecure.enabled": True,
    "media.getusermedia.browser.enabled": True,  # firefox.mjs makes it stand in for a screen
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    # BiDi tells a page of the gesture with its first script only, and five seconds later it would have run out.
    "dom.user_activation.transient.timeout": 2**31 - 1,
    "dom.disable_beforeunload": True,
    "dom.min_background_timeout_value": 4,
    "browser.tabs.unloadOnLowMemory": False,
    # No chatter: tests talk to loopback only.
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    # Else a window that is not in front, as others have opened since, waits for its devices until it is.
    "media.devices.unfocused.enabled": True,
    "network.prefetch-next": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}
_LINE_LIMIT = 64 * 1024 * 1024


class FirefoxPage:
    """`Page` over the sidecar."""

    browser_name = "firefox"

    def __init__(self, browser: "Firefox", key: int) -> None:
        self._browser = browser
        self._key = key
        self._open = True
        self.console: list[str] = []
        self.handlers: dict[str, Handler] = {}

    async def _call(self, method: str, **params: Any) -> Any:
        return await self._browser.call(method, self._key, **params)

    async def goto(self, url: str) -> None:
        """See `Page`."""
        await self._call("goto", url=url)

    async def evaluate(self, expression: str) -> Any:
        """See `Page`."""
        return json.loads(await self._call("evaluate", expression=as_json_promise(expression)))

    async def preload(self, script: str) -> None:
        """See `Page`."""
        await self._call("preload", script=script)

    async def click(self, selector: str) -> None:
        """See `Page`."""
        await self._call("click", selector=selector)

    async def route(self, url_prefix: str, source: Path | Handler) -> None:
        """See `Page`."""
        self.handlers[url_prefix] = folder_handler(url_prefix, source) if isinstance(source, Path) else source
        await self._call("route", prefix=url_prefix)

    async def screenshot(self, path: Path) -> None:
        """See `Page`."""
        await self._call("screenshot", path=str(path))

    async def close(self) -> None:
        """See `Page`."""
        if self._open:
            self._open = False
            await self._call("close")


class Firefox:
    """`Browser`: one headless Firefox process and its driver."""

    name = "firefox"

    def __init__(self, **preferences: str | int | bool) -> None:
        self._preferences = {**PREFERENCES, **preferences}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[int, FirefoxPage] = {}
        self._last_id = 0
        self._answering: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        arguments = [HARNESS / "firefox.mjs", node_modules(), FIREFOX.find(), json.dumps(self._preferences)]
        self._process = await asyncio.create_subprocess_exec(
            NODE.find(),
            *map(str, arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        self._ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name="firefox sidecar")
        await asyncio.wait_for(self._ready, 60)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()  # the sidecar closes the browser when nobody talks to it any more
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def new_page(self) -> FirefoxPage:
        """See `Browser`."""
        key: int = await self.call("open")
        self._pages[key] = FirefoxPage(self, key)
        return self._pages[key]

    async def call(self, method: str, page: int | None = None, **params: Any) -> Any:
        """One request to the sidecar and its answer."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if page is not None:
            message["page"] = page
        future = self._calls[self._last_id] = asyncio.get_running_loop().create_future()
        self._send(message)
        return await future

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None or self._process.stdin.is_closing():
            raise PageError("Firefox is not running")
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._on_message(json.loads(line))
        gone = PageError("Firefox or its driver ended")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(gone)
        for future in self._calls.values():
            if not future.done():
                future.set_exception(gone)
        self._calls.clear()

    def _on_message(self, message: dict[str, Any]) -> None:
        if (event := message.get("event")) is None:
            future = self._calls.pop(message["id"])
            if future.done():
                return  # whoever asked has given up
            if "error" in message:
                future.set_exception(PageError(message["error"]))
            else:
                future.set_result(message["result"])
        elif event == "ready" and self._ready is not None:
            self._ready.set_result(None)
        elif event == "console" and (page := self._pages.get(message["page"])):
            page.console.append(message["text"])
        elif event == "request":
            self._start(self._answer(message))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: dict[str, Any]) -> None:
        handler = self._pages[message["page"]].handlers[message["prefix"]]
        reply = await asyncio.to_thread(handler, message["url"])
        with contextlib.suppress(PageError):
            self._send(
                {
                    "reply": message["request"],
                    "status": reply.status,
                    "headers": reply.all_headers(),
                    "body": base64.b64encode(reply.body).decode(),
                }
            )
