"""Where the pictures of a room are to be seen, for adaptive streams. Only loaded where there are some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from math import inf
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import Browser, MediaElement
from lk_pyodide.browser.api_views import View
from lk_pyodide.browser.guard import call
from lk_pyodide.core.adaptive import AdaptivePicture, Place, Screen
from lk_pyodide.core.track_settings import Shown
from lk_pyodide.logging import get_logger
from lk_pyodide.options import AdaptiveStreamSettings

if TYPE_CHECKING:
    from lk_pyodide.track import ElementInfo

_log = get_logger("track")


class Viewing:
    """Watches the elements of a room's videos, and the page around them: the ``ViewHandler`` of both.

    Args:
        browser: the page.
        settings: how videos follow their elements.
    """

    def __init__(self, browser: Browser, settings: AdaptiveStreamSettings) -> None:
        self.settings = settings
        self.screen = Screen()
        self.views = browser.watch_views(self)
        self._is_told = False
        self._pictures: set[PictureViewing] = set()
        self._owners: dict[MediaElement, PictureViewing] = {}

    def open(self, tell: Callable[[Shown], object]) -> PictureViewing:
        """Follow another video."""
        picture = PictureViewing(self, tell)
        self._pictures.add(picture)
        picture.look()
        return picture

    def add(self, element: MediaElement, picture: PictureViewing) -> None:
        """A video has another element."""
        self._owners[element] = picture
        self.views.add(element)

    def remove(self, element: MediaElement) -> None:
        """It has it no more."""
        if self._owners.pop(element, None) is not None:
            self.views.remove(element)

    def closed(self, picture: PictureViewing) -> None:
        """A video is gone."""
        self._pictures.discard(picture)

    def close(self) -> None:
        """Watch nothing any more."""
        for picture in tuple(self._pictures):
            picture.close()
        self.views.close()

    # -- from the page --

    def on_screen(self, is_hidden: bool, pixel_ratio: float) -> None:
        """The page is to be seen or not, or has another resolution."""
        hidden_since = self.screen.hidden_since if is_hidden else None
        if is_hidden and hidden_since is None:
            hidden_since = asyncio.get_running_loop().time() if self._is_told else -inf  # from before we came
        self._is_told = True
        self.screen = Screen(hidden_since, pixel_ratio)
        for picture in tuple(self._pictures):
            picture.look()

    def on_view(self, element: MediaElement, view: View) -> None:
        """An element is to be seen otherwise."""
        if element in self._owners:
            self._owners[element].on_view(element, view)


class PictureViewing:
    """Where one video is to be seen; tells what the server has to know of it.

    Args:
        room: of whose videos it is one.
        tell: called with it, whenever it changes.
    """

    def __init__(self, room: Viewing, tell: Callable[[Shown], object]) -> None:
        self._room = room
        self._tell = tell
        settings = room.settings
        self._picture = AdaptivePicture(settings.pixel_density, pauses_in_background=settings.pause_video_in_background)
        self._places: dict[MediaElement, View | None] = {}
        self._infos: list[ElementInfo] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, element: MediaElement) -> None:
        """It is shown in another element; twice is once."""
        if element not in self._places:
            self._places[element] = None
            self._room.add(element, self)
            self.look()

    def remove(self, element: MediaElement) -> None:
        """It is not shown there any more."""
        if element in self._places:
            del self._places[element]
            self._room.remove(element)
            self.look()

    def observe(self, info: ElementInfo) -> None:
        """Somebody shows it in a way of his own; twice is once."""
        if not any(known is info for known in self._infos):
            self._infos.append(info)
            info.handle_resize = info.handle_visibility_changed = self.look
            info.observe()
            self.look()

    def stop_observing(self, info: ElementInfo) -> None:
        """He does not any more."""
        if any(known is info for known in self._infos):
            self._infos = [known for known in self._infos if known is not info]
            info.handle_resize = info.handle_visibility_changed = None
            info.stop_observing()
            self.look()

    def on_view(self, element: MediaElement, view: View) -> None:
        """An element of it is to be seen otherwise."""
        self._places[element] = view
        self.look()

    def look(self) -> None:
        """Tell how it is to be seen, if that is not known; and look again when it is time to."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        before = self._picture.shown
        delay = self._picture.look(self._all_places(), self._room.screen, loop.time())
        if delay is not None:
            self._timer = loop.call_later(delay, self.look)
        shown = self._picture.shown
        if shown is not None and shown != before:
            self._tell(shown)

    def _all_places(self) -> Iterator[Place]:
        for view in self._places.values():
            known = view or View()
            yield Place(known.width, known.height, None if view is None else view.is_visible, known.in_picture)
        for info in self._infos:
            try:
                place = Place(info.width(), info.height(), info.visible, info.picture_in_picture)
            except Exception:
                _log.exception("an ElementInfo raised an exception")
            else:
                yield place

    def close(self) -> None:
        """The video is gone."""
        for element in tuple(self._places):
            self._room.remove(element)
        self._places.clear()
        for info in self._infos:
            info.handle_resize = info.handle_visibility_changed = None
            call(info.stop_observing)
        self._infos = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._room.closed(self)
