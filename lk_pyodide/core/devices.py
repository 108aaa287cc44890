"""Which device is used when devices come and go, and which way a camera looks.

Sources: livekit-client ``src/room/Room.ts`` (``selectDefaultDevices``), ``src/room/DeviceManager.ts``,
``LocalParticipant.handleTrackEnded``, ``src/room/track/facingMode.ts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from lk_pyodide.core.capture import DEFAULT
from lk_pyodide.types import DeviceInfo, DevicePermission, FacingMode, FacingModeName, TrackSource


def real_id(devices: Sequence[DeviceInfo], kind: str, device_id: str, group_id: str = "") -> str | None:
    """Tell which device ``default`` stands for.

    Args:
        devices: all that there are.
        kind: the device's.
        device_id: returned as it is when it is another than ``default``.
        group_id: of the open track, where that is known.

    Returns:
        The id; None where the browser does not say.
    """
    if device_id != DEFAULT:
        return device_id
    named = _named_default(devices, kind)
    group = group_id or (named.group_id if named else "")
    if named is None or not group:
        return None
    same = (d.device_id for d in devices if d.kind == kind and d.device_id != DEFAULT and d.group_id == group)
    return next(same, None)


def _named_default(devices: Sequence[DeviceInfo], kind: str) -> DeviceInfo | None:
    return next((device for device in devices if device.kind == kind and device.device_id == DEFAULT), None)


# -- devices come and go -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """A device that is in use.

    Attributes:
        device_id: which.
        chosen: whether somebody wanted this one, and not whichever the system prefers.
    """

    device_id: str
    chosen: bool


def moves(
    before: Sequence[DeviceInfo], now: Sequence[DeviceInfo], uses: Mapping[str, Use], *, browser: str, os: str
) -> dict[str, str]:
    """Decide what is used instead, now that devices have come or gone.

    A microphone that nobody chose follows the system's choice; a speaker that is gone gives way to the first that
    there is. A camera is never exchanged unasked. What ends by itself is not decided here: see :func:`after_end`.

    Args:
        before: the devices as they were last listed; empty when they never were.
        now: the devices.
        uses: what we use, by kind.
        browser: lower case name.
        os: the system's name. On iOS nobody knows what is preferred.

    Returns:
        Kind → device to use; ``default`` may be told though it was in use, as it is another one now.
    """
    if os == "iOS":
        return {}
    found = {kind: _move(before, now, kind, use, browser) for kind, use in uses.items() if kind != "videoinput"}
    return {kind: device_id for kind, device_id in found.items() if device_id is not None}


def _move(before: Sequence[DeviceInfo], now: Sequence[DeviceInfo], kind: str, use: Use, browser: str) -> str | None:
    former = [device for device in before if device.kind == kind]
    listed = [device for device in now if device.kind == kind]
    if not listed:
        return None
    if use.device_id == DEFAULT:
        return DEFAULT if _default_moved(former, listed, kind) else None
    # Whoever has no `default` in the list has what the system prefers at its top.
    was_first = bool(former) and former[0].device_id == use.device_id
    if not use.chosen and was_first and listed[0].device_id != use.device_id:
        return DEFAULT if kind == "audioinput" else listed[0].device_id
    is_gone = all(device.device_id != use.device_id for device in listed)
    # In Safari a microphone that is gone does not end, and a speaker may only be changed by a click.
    if is_gone and kind == ("audioinput" if browser == "safari" else "audiooutput"):
        return DEFAULT if kind == "audioinput" else listed[0].device_id
    return None


def _default_moved(former: Sequence[DeviceInfo], listed: Sequence[DeviceInfo], kind: str) -> bool:
    old, new = _named_default(former, kind), _named_default(listed, kind)
    if old is None or new is None or not old.label:  # its name was not told: nothing can be compared
        return False
    return (old.label, old.group_id) != (new.label, new.group_id)


# -- a track ends ------------------------------------------------------------------------------------------------------


class Reaction(Enum):
    """What is done about a published track that has ended."""

    NOTHING = auto()
    UNPUBLISH = auto()
    MUTE = auto()
    """It was no device: the user's own track, or a file."""
    TURN_OFF = auto()
    """Mute, and say why."""
    REOPEN = auto()
    """Take what the system prefers now; turn off when that fails."""


def after_end(source: TrackSource, *, is_device: bool, muted: bool) -> Reaction:
    """Decide what becomes of a published track that the browser has ended.

    Sound goes on from another microphone. No other camera shows somebody who did not ask for it.
    """
    if source in (TrackSource.SCREENSHARE, TrackSource.SCREENSHARE_AUDIO):
        return Reaction.UNPUBLISH
    if muted:
        return Reaction.NOTHING
    if not is_device:
        return Reaction.MUTE
    return Reaction.REOPEN if source == TrackSource.MICROPHONE else Reaction.TURN_OFF


def why_ended(
    devices: Sequence[DeviceInfo] | None, kind: str, device_id: str, permission: DevicePermission
) -> tuple[str, str]:
    """Tell why a device is not there any more.

    Args:
        devices: what there is; None when that is not to be known.
        kind: of the device.
        device_id: of the device.
        permission: to use it.

    Returns:
        The name of the DOMException with which opening it would fail, and a text.
    """
    if permission is DevicePermission.DENIED:
        return "NotAllowedError", "the permission to use it was taken back"
    if devices is not None and all((device.kind, device.device_id) != (kind, device_id) for device in devices):
        return "NotFoundError", "the device is gone"
    return "NotReadableError", "the device stopped"


# -- which way it looks ------------------------------------------------------------------------------------------------

_LABELS = {"obs virtual camera": FacingMode("environment", "medium")}
_PARTS = {"iphone": FacingMode("environment", "medium"), "ipad": FacingMode("environment", "medium")}
_MODES: tuple[FacingModeName, ...] = ("user", "environment", "left", "right")


def facing_mode(told: str, label: str, default: FacingModeName) -> FacingMode:
    """Tell which way a camera looks: as the browser says, else as its name suggests, else ``default``."""
    for mode in _MODES:
        if told == mode:
            return FacingMode(mode, "high")
    return facing_mode_from_label(label) or FacingMode(default, "low")


def facing_mode_from_label(label: str) -> FacingMode | None:
    """Tell from a camera's name which way it looks; None for a name that says nothing."""
    name = label.strip().lower()
    parts = (mode for part, mode in _PARTS.items() if part in name)
    return _LABELS.get(name) or next(parts, None)
