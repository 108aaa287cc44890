"""How much of the page's elements is to be seen, from a worker."""

from __future__ import annotations

from typing import Any

from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.api_views import View, ViewHandler
from lk_pyodide.browser.bridge.protocol import Bridge, Remote
from lk_pyodide.browser.guard import call, closed_error


class BridgeViews(Remote):
    """Watches elements on the page."""

    def __init__(self, bridge: Bridge, handler: ViewHandler) -> None:
        super().__init__(bridge)
        self._handler: ViewHandler | None = handler
        self._watched: dict[int, MediaElement] = {}
        bridge.cast(0, "openViews", self.handle)

    def add(self, element: MediaElement, /) -> None:
        """Watch an element."""
        handle = _handle(element)
        if self._is_open and handle not in self._watched:
            self._watched[handle] = element
            self._cast("add", handle)

    def remove(self, element: MediaElement, /) -> None:
        """Watch it no more."""
        handle = _handle(element)
        if self._watched.pop(handle, None) is not None:
            self._cast("remove", handle)

    def close(self) -> None:
        """Watch nothing any more."""
        self._handler = None
        self._watched.clear()
        self._close(closed_error("page"))

    def on_event(self, event: str, *values: Any) -> None:
        """Something has changed."""
        if event == "screen" and self._handler is not None:
            self._handler.on_screen(*values)
        elif event == "views":
            for handle, *view in values[0]:
                element = self._watched.get(handle)
                if self._handler is not None and element is not None:
                    call(self._handler.on_view, element, View(*view))


def _handle(element: MediaElement) -> int:
    handle: int = getattr(element, "handle", 0)
    return handle
