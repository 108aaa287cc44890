"""How large somebody's picture is to be seen, and whether at all (livekit-client ``RemoteVideoTrack.ts``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from lk_pyodide.core.track_settings import Shown, Size

REACTION_DELAY = 0.1
"""Seconds for which a picture is out of sight, or has another size, before anybody is told."""

BACKGROUND_DELAY = 5.0
"""Seconds for which a page is in the background before its pictures are not to be seen."""

_DENSE = 2.0
"""Pixels that a CSS pixel is taken for where there are more of them, unless somebody wants them all."""

_SIZES = (1.0, 16_384.0)
"""Of a picture: what has no area yet gets the least, as 0 would mean that no size is given."""

Density: TypeAlias = "float | Literal['screen'] | None"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places where a picture is.

    Attributes:
        width: CSS pixels.
        height: CSS pixels.
        visible: whether it is to be seen there; None while that is not known.
        picture_in_picture: whether it has a window of its own, which a page in the background leaves open.
    """

    width: float
    height: float
    visible: bool | None
    picture_in_picture: bool = False

    @property
    def is_seen(self) -> bool:
        """Whether it is known to be seen."""
        return bool(self.visible) or self.picture_in_picture


@dataclass(frozen=True, slots=True)
class Screen:
    """What all pictures of a page have in common.

    Attributes:
        hidden_since: when the page went into the background; None while it is to be seen.
        pixel_ratio: pixels of the screen in a CSS pixel.
    """

    hidden_since: float | None = None
    pixel_ratio: float = 1.0


class AdaptivePicture:
    """Follows one picture. Times are seconds of one clock.

    Args:
        density: pixels for each CSS pixel; ``screen`` takes as many as there are, None at most two.
        pauses_in_background: whether nothing is to be seen on a page in the background.
    """

    def __init__(self, density: Density = None, *, pauses_in_background: bool = True) -> None:
        self.shown: Shown | None = None
        """What the server has to know; None until anything is known."""
        self._density: Density = density
        self._pauses = pauses_in_background
        self._unseen_since: float | None = None
        self._size: Size | None = None
        self._sized_at = 0.0

    def look(self, places: Iterable[Place], screen: Screen, now: float) -> float | None:
        """Take what is so at present, and decide on ``shown``.

        Returns:
            Seconds after which to look again though nothing changes; None if that is not needed.
        """
        known = tuple(places)
        self._measure(known, screen, now)
        hides_at = self._hides_at(known, screen, now)
        was_visible = self.shown is not None and self.shown.visible
        if hides_at <= now:
            self.shown = Shown(False, self.shown.size if self.shown is not None else None)
            return None
        if not was_visible and any(place.is_seen for place in known):
            self.shown = Shown(True, self._size)
        waits = [] if hides_at == inf or (self.shown is not None and not self.shown.visible) else [hides_at - now]
        if self.shown is not None and self.shown.visible and self.shown.size != self._size:
            settled_at = self._sized_at + REACTION_DELAY
            if settled_at <= now:
                self.shown = Shown(True, self._size)
            else:
                waits.append(settled_at - now)
        return min(waits, default=None)

    def _measure(self, places: Iterable[Place], screen: Screen, now: float) -> None:
        """The size of the largest that is to be seen; while there is none the last one is kept."""
        density = _density(self._density, screen.pixel_ratio)
        sizes = [(_pixels(place.width, density), _pixels(place.height, density)) for place in places if place.is_seen]
        size = max(sizes, key=lambda each: each[0] * each[1], default=self._size)
        if size != self._size:
            self._size, self._sized_at = size, now

    def _hides_at(self, places: tuple[Place, ...], screen: Screen, now: float) -> float:
        """When it is not to be seen any more, if nothing changes."""
        seen_or_unknown = any(place.visible is not False for place in places)
        self._unseen_since = None if seen_or_unknown else now if self._unseen_since is None else self._unseen_since
        if any(place.picture_in_picture for place in places):
            return inf
        hides_at = inf if self._unseen_since is None else self._unseen_since + REACTION_DELAY
        if self._pauses and screen.hidden_since is not None:
            hides_at = min(hides_at, screen.hidden_since + BACKGROUND_DELAY)
        return hides_at


def _density(wanted: Density, pixel_ratio: float) -> float:
    if wanted == "screen":
        return pixel_ratio
    return wanted or (_DENSE if pixel_ratio > _DENSE else 1.0)


def _pixels(length: float, density: float) -> float:
    least, most = _SIZES
    return min(max(least, length * density), most)
