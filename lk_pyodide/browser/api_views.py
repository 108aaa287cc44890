"""What lk_pyodide needs from a browser to know how its elements are to be seen; the rules are those of ``api``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lk_pyodide.browser.api import MediaElement


@dataclass(frozen=True, slots=True)
class View:
    """How an element is to be seen.

    Attributes:
        width: of the element, in CSS pixels; 0 while it is not displayed.
        height: the same.
        is_visible: whether some of it is in sight: displayed, and not scrolled away. What lies above it does not count.
        in_picture: whether it is shown in a window of its own, as picture-in-picture.
    """

    width: float = 0
    height: float = 0
    is_visible: bool = False
    in_picture: bool = False


class ViewHandler(Protocol):
    """What changes of the elements that are watched, and of the page around them."""

    def on_view(self, element: MediaElement, view: View, /) -> None:
        """An element is to be seen like this now."""
        ...

    def on_screen(self, is_hidden: bool, pixel_ratio: float, /) -> None:
        """The page went into the background or came back, or a CSS pixel has another size.

        Args:
            is_hidden: ``document.visibilityState``.
            pixel_ratio: ``devicePixelRatio``.
        """
        ...


class Views(Protocol):
    """Tells how elements are to be seen: once each, soon after they are added, and again whenever it changes.

    ``on_screen`` is called once before the first ``on_view``, too.
    """

    def add(self, element: MediaElement, /) -> None:
        """Watch an element; twice is once."""
        ...

    def remove(self, element: MediaElement, /) -> None:
        """Watch it no more. Before it is closed."""
        ...

    def close(self) -> None: ...
