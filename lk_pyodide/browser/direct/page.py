"""The life of the page, and HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping

from lk_pyodide.browser.api import FetchResult, PageHandler
from lk_pyodide.browser.ffi import (
    Js,
    JsException,
    Listeners,
    get_error_name,
    is_nothing,
    js,
    to_future,
    to_js_json,
    wait,
)
from lk_pyodide.browser.guard import call
from lk_pyodide.errors import BrowserError, DeadlineExceeded


class Page:
    """Knows when the page is left: first the last words are sent, then the handlers hear of it.

    There is one ``pagehide`` listener however many rooms there are, so that this order holds, and none when there is
    nobody to tell.
    """

    def __init__(self, browser_name: str) -> None:
        self._is_firefox = browser_name == "firefox"
        self._speakers: list[Callable[[], None]] = []
        self._watches: list[PageWatch] = []
        self._listeners: Listeners | None = None

    def add_speaker(self, speak: Callable[[], None]) -> None:
        """Call ``speak`` when the page is left, before any handler."""
        self._speakers.append(speak)
        self._listen()

    def remove_speaker(self, speak: Callable[[], None]) -> None:
        """Undo :meth:`add_speaker`."""
        if speak in self._speakers:
            self._speakers.remove(speak)
        self._listen()

    def watch(self, handler: PageHandler) -> PageWatch:
        """Tell ``handler`` what happens to the page."""
        watch = PageWatch(self, handler)
        self._watches.append(watch)
        self._listen()
        return watch

    def remove_watch(self, watch: PageWatch) -> None:
        """Undo :meth:`watch`."""
        if watch in self._watches:
            self._watches.remove(watch)
        self._listen()

    def _listen(self) -> None:
        wanted = bool(self._speakers or self._watches)
        if wanted and self._listeners is None:
            self._listeners = Listeners()
            self._listeners.add(js.window, self._on_page_hide, "pagehide")
            if self._is_firefox:
                self._listeners.add(js.window, self._on_before_unload, "beforeunload")
        elif not wanted and self._listeners is not None:
            self._listeners.close()
            self._listeners = None

    def _on_before_unload(self, event: Js) -> None:
        # Firefox closes WebSockets before pagehide: always when navigating, now and then when a tab is closed. Somebody
        # who has asked the user to stay is given the chance.
        if not event.defaultPrevented:
            for speak in tuple(self._speakers):
                call(speak)

    def _on_page_hide(self, _event: Js) -> None:
        for speak in tuple(self._speakers):
            call(speak)
        for watch in tuple(self._watches):
            watch.on_page_hide()


class PageWatch:
    """One handler's subscription to what happens to the page."""

    def __init__(self, page: Page, handler: PageHandler) -> None:
        self._page = page
        self._handler: PageHandler | None = handler
        self._listeners = Listeners()
        self._listeners.add(js.window, self._on_network, "online", "offline")
        js_devices: Js = getattr(js.navigator, "mediaDevices", None)
        if not is_nothing(js_devices):
            self._listeners.add(js_devices, self._on_device_change, "devicechange")

    def on_page_hide(self) -> None:
        """Called by :class:`Page`, when the last words are out."""
        if self._handler is not None:
            call(self._handler.on_page_hide)

    def _on_network(self, event: Js) -> None:
        if self._handler is not None:
            self._handler.on_online(event.type == "online")

    def _on_device_change(self, _event: Js) -> None:
        if self._handler is not None:
            self._handler.on_device_change()

    def close(self) -> None:
        """Stop watching."""
        self._handler = None
        self._listeners.close()
        self._page.remove_watch(self)


async def fetch(url: str, method: str, headers: Mapping[str, str], body: str | None, timeout: float) -> FetchResult:
    """Make an HTTP request and read its text, both within ``timeout``; cancelling aborts it."""
    js_controller = js.AbortController.new()
    js_init = to_js_json({"method": method, "headers": dict(headers), "body": body})
    js_init.signal = js_controller.signal
    try:
        async with asyncio.timeout(timeout):
            js_response = await to_future(js.fetch(url, js_init))
            text = await wait(js_response.text())
        return FetchResult(status=int(js_response.status), text=str(text))
    except TimeoutError:
        raise DeadlineExceeded(f"no answer within {timeout:g} s") from None
    except JsException as error:
        # Not chained: a browser repeats an address that it cannot use, and there may be a token in it.
        raise BrowserError(_without_query(str(error)), get_error_name(error)) from None
    finally:
        js_controller.abort()


def _without_query(text: str) -> str:
    return re.sub(r"\?[^\s'\"]*", "?…", text)
