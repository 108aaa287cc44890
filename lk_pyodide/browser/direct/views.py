"""How much of the page's elements is to be seen (``web/agent/views.js`` does the same)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lk_pyodide.browser.api import MediaElement
from lk_pyodide.browser.api_views import View, ViewHandler
from lk_pyodide.browser.ffi import Js, Listeners, create_proxy, js
from lk_pyodide.browser.guard import call


@dataclass(slots=True)
class _Watched:
    element: MediaElement
    native: Js
    listeners: Listeners
    intersects: bool | None = None
    """Whether it is in the window; None until the browser has said so."""
    told: View | None = None


class DirectViews:
    """Watches elements with one observer of a kind: whatever changes in a frame, Python is called once for it."""

    def __init__(self, handler: ViewHandler) -> None:
        self._handler: ViewHandler | None = handler
        self._watched: dict[MediaElement, _Watched] = {}
        self._screen: tuple[bool, float] | None = None
        self._later: asyncio.Handle | None = None
        self._listeners = Listeners()
        self._listeners.add(js.document, lambda _: self._tell_all(), "visibilitychange")
        self._proxies: list[Js] = []
        self._observers = (
            self._new_observer(js.IntersectionObserver, self._on_intersections),
            self._new_observer(js.ResizeObserver, lambda _: self._tell_all()),
        )
        self._look_soon()

    def _new_observer(self, js_kind: Js, look: Callable[[Js], None]) -> Js:
        def observe(js_entries: Js, _js_observer: Js) -> None:  # no bound method, as in Listeners
            call(look, js_entries)

        self._proxies.append(create_proxy(observe))
        return js_kind.new(self._proxies[-1])

    def add(self, element: MediaElement, /) -> None:
        """Watch an element."""
        if self._handler is None or element in self._watched:
            return
        native: Js = element.native
        # What is observed already is not told again.
        known = next((other.intersects for other in self._watched.values() if other.native == native), None)
        self._watched[element] = watched = _Watched(element, native, Listeners(), known)
        events = ("enterpictureinpicture", "leavepictureinpicture")
        watched.listeners.add(native, lambda _: self._tell(watched), *events)
        for observer in self._observers:
            observer.observe(native)
        self._look_soon()

    def remove(self, element: MediaElement, /) -> None:
        """Watch it no more."""
        watched = self._watched.pop(element, None)
        if watched is None:
            return
        watched.listeners.close()
        if all(other.native != watched.native for other in self._watched.values()):
            for observer in self._observers:
                observer.unobserve(watched.native)

    def close(self) -> None:
        """Watch nothing any more."""
        if self._handler is None:
            return
        self._handler = None
        if self._later is not None:
            self._later.cancel()
        for element in list(self._watched):
            self.remove(element)
        self._listeners.close()
        for observer in self._observers:
            observer.disconnect()
        for proxy in self._proxies:
            proxy.destroy()

    def _look_soon(self) -> None:
        """Look when the running task has put the elements where they are to be."""
        if self._later is None:
            self._later = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._later = None
        if js.document.visibilityState == "hidden":
            for watched in self._watched.values():
                if watched.intersects is None:  # nothing is drawn in the background, so no observer tells
                    watched.intersects = watched.native.getClientRects().length > 0
        self._tell_all()

    def _on_intersections(self, js_entries: Js) -> None:
        for js_entry in js_entries:
            native, intersects = js_entry.target, bool(js_entry.isIntersecting)
            for watched in self._watched.values():
                if watched.native == native:
                    watched.intersects = intersects
        self._tell_all()

    def _tell_all(self) -> None:
        screen = (js.document.visibilityState == "hidden", float(js.devicePixelRatio))
        if self._handler is not None and screen != self._screen:
            self._screen = screen
            call(self._handler.on_screen, *screen)
        for watched in list(self._watched.values()):
            self._tell(watched)

    def _tell(self, watched: _Watched) -> None:
        if self._handler is None or watched.intersects is None or watched.element not in self._watched:
            return
        native = watched.native
        in_picture = bool(getattr(js.document, "pictureInPictureElement", None) == native)
        view = View(native.clientWidth, native.clientHeight, watched.intersects or in_picture, in_picture)
        if view != watched.told:
            watched.told = view
            call(self._handler.on_view, watched.element, view)
