"""Where an element stands that a display shows: PyScript's ``display()`` puts a place on the page when it likes to."""

from __future__ import annotations

from collections.abc import Callable

from lk_pyodide.browser.ffi import Js, create_proxy, is_nothing, js, to_js_json


class Place:
    """A figure around an element, which stands in the newest node of a name (``web/agent/elements.js`` does the same).

    Args:
        native: the element.
        name: what the node has in ``data-lk-place``.
        caption: below the element.
        start: plays the element again, as whatever is moved stops playing.
    """

    def __init__(self, native: Js, name: str, caption: str, start: Callable[[], object]) -> None:
        self._name = name
        self._start = start
        self._figure: Js = js.document.createElement("figure")
        self._figure.style.cssText = "margin:0;max-width:min(100%,32rem)"
        native.style.maxWidth = "100%"
        self._figure.append(native)
        if caption:
            js_caption = js.document.createElement("figcaption")
            js_caption.textContent = caption
            self._figure.append(js_caption)
        self._proxy: Js = create_proxy(self._stand)
        self._observer: Js = js.MutationObserver.new(self._proxy)
        self._observer.observe(js.document.body, to_js_json({"childList": True, "subtree": True}))
        self._stand()

    def close(self) -> None:
        """Take the figure away."""
        self._observer.disconnect()
        self._proxy.destroy()
        place = self._figure.parentElement
        self._figure.remove()
        if not is_nothing(place):
            _tell_emptiness(place)

    def _stand(self, *_: Js) -> None:
        places = js.document.querySelectorAll(f'[data-lk-place="{js.CSS.escape(self._name)}"]')
        if not places.length:
            return
        place = places[places.length - 1]
        if not place.contains(self._figure):
            place.append(self._figure)
            _tell_emptiness(place)
            self._start()


def _tell_emptiness(place: Js) -> None:
    """The words in a place are for when nothing else is there."""
    words = place.querySelector("[data-lk-empty]")
    if not is_nothing(words):
        words.hidden = not is_nothing(place.querySelector("figure"))
