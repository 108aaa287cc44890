"""How much of the fake page's elements is to be seen: what tests say of its nodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.api_views import View, ViewHandler
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.browser.guard import call

if TYPE_CHECKING:
    from lk_pyodide.browser.fake import FakeBrowser


class FakeViews:
    """Watches elements."""

    def __init__(self, browser: FakeBrowser, handler: ViewHandler) -> None:
        self._browser = browser
        self._handler: ViewHandler | None = handler
        self._watched: dict[MediaElement, tuple[FakeNode, View | None]] = {}
        self._screen: tuple[bool, float] | None = None
        browser.opened(self)
        self._look_soon()

    def add(self, element: MediaElement, /) -> None:
        """Watch an element."""
        native = element.native
        assert isinstance(native, FakeNode)
        if self._handler is not None and element not in self._watched:
            self._watched[element] = native, None
            self._look_soon()

    def remove(self, element: MediaElement, /) -> None:
        """Watch it no more."""
        self._watched.pop(element, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._handler = None
        self._watched.clear()
        self._browser.closed(self)

    def _look_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.look)

    def look(self) -> None:
        """Tell what has changed."""
        page = self._browser.page
        screen = page.is_hidden, page.pixel_ratio
        if self._handler is not None and screen != self._screen:
            self._screen = screen
            call(self._handler.on_screen, *screen)
        for element, (native, told) in tuple(self._watched.items()):
            view = page.view(native)
            if self._handler is not None and element in self._watched and view != told:
                self._watched[element] = native, view
                call(self._handler.on_view, element, view)
