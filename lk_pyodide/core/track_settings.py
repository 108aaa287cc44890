"""How much of somebody's track we get (livekit-client ``RemoteTrackPublication.ts``, ``emitTrackUpdate``)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lk_pyodide.core.messages import TrackInfo, UpdateTrackSettings
from lk_pyodide.types import TrackKind, VideoQuality

Size = tuple[float, float]
"""Width and height, in pixels."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the application asks for; None leaves it to others.

    Attributes:
        enabled: whether it is to come at all; once this is said, nothing else decides it.
        quality: the best layer that is wanted.
        size: of the largest picture that is wanted.
        fps: frames per second at most.
        priority: which tracks come first when there is not room for all; 1 is the highest.
    """

    enabled: bool | None = None
    quality: VideoQuality | None = None
    size: Size | None = None
    fps: int | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a picture is to be seen, when the room's streams are adaptive.

    Attributes:
        visible: whether anybody can see it.
        size: of its largest element, in the pixels of the screen; None until that is known.
    """

    visible: bool
    size: Size | None = None


def is_enabled(wishes: Wishes, shown: Shown | None) -> bool:
    """Whether it is to come: as the application says, or as long as it is seen."""
    if wishes.enabled is not None:
        return wishes.enabled
    return shown is None or shown.visible


def settings(track: TrackInfo, wishes: Wishes, shown: Shown | None = None) -> UpdateTrackSettings:
    """What to tell the server of a track.

    Args:
        track: what is published.
        wishes: what the application asks for.
        shown: where it is to be seen; None where streams are not adaptive.
    """
    basic = UpdateTrackSettings(
        (track.sid,), not is_enabled(wishes, shown), fps=wishes.fps or 0, priority=wishes.priority or 0
    )
    if track.type != TrackKind.VIDEO:
        return basic
    size = _size(track, wishes, shown.size if shown is not None else None)
    if size is None:
        return replace(basic, quality=VideoQuality.HIGH if wishes.quality is None else wishes.quality)
    return replace(basic, width=math.ceil(size[0]), height=math.ceil(size[1]))


def _size(track: TrackInfo, wishes: Wishes, shown: Size | None) -> Size | None:
    """The size to ask for; None asks for a quality."""
    if shown is None or (wishes.size is None and wishes.quality is None):
        return wishes.size or shown
    wanted = wishes.size or next(
        ((layer.width, layer.height) for layer in track.layers if layer.quality == wishes.quality), None
    )
    if wanted is not None and _area(shown) < _area(wanted):
        return shown
    return wishes.size


def _area(size: Size) -> float:
    return size[0] * size[1]
