"""The pictures on the page: one tile for each camera and each screen.

What others send (names, messages) goes into the page as text only, never as HTML.
"""

from typing import Any

from meeting import Picture, pictures
from pyscript import document

from lk_pyodide import Room, TrackSource


def at(name: str) -> Any:
    """The element with this id."""
    return document.getElementById(name)


def make(tag: str, name: str = "", text: str = "") -> Any:
    """A new element."""
    element = document.createElement(tag)
    element.className = name
    element.textContent = text
    return element


class Tile:
    """Where somebody's camera or screen is shown."""

    def __init__(self) -> None:
        self.track: Any = None
        self.figure = make("figure", "tile")
        self.initial = make("span", "initial")
        self.initial.setAttribute("aria-hidden", "true")
        self.name = make("span", "name")
        self.muted = make("span", "muted", "muted")
        caption = make("figcaption")
        caption.append(self.name, self.muted)
        self.figure.append(self.initial, caption)
        at("tiles").append(self.figure)

    def update(self, picture: Picture) -> None:
        """Show it as it is now."""
        self.initial.textContent = picture.initial
        self.name.textContent = picture.name
        self.muted.hidden = not picture.muted
        self.figure.className = " ".join(("tile", *picture.styles))
        self.figure.style.setProperty("--hue", str(picture.hue))
        self._play(picture.track)

    def _play(self, track: Any) -> None:
        if track is not self.track:
            if self.track is not None:
                self.track.detach()
            self.track = track
            if track is not None:
                track.attach(self.figure)
        self.initial.hidden = track is not None

    def remove(self) -> None:
        """Take the tile away."""
        self._play(None)
        self.figure.remove()


tiles: dict[tuple[str, TrackSource], Tile] = {}


def show_pictures(room: Room) -> None:
    """Have a tile for everything that is to be seen now."""
    wanted = pictures(room)
    for key in [key for key in tiles if key not in wanted]:
        tiles.pop(key).remove()
    for key, picture in wanted.items():
        if key not in tiles:
            tiles[key] = Tile()
        tiles[key].update(picture)
