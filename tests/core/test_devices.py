"""Which device is used when devices come and go, what becomes of a track that ends, which way a camera looks."""

import pytest

from lk_pyodide.core.capture import DEFAULT
from lk_pyodide.core.devices import (
    Reaction,
    Use,
    after_end,
    facing_mode,
    facing_mode_from_label,
    moves,
    real_id,
    why_ended,
)
from lk_pyodide.types import DeviceInfo, DevicePermission, TrackSource


def device(device_id: str, kind: str = "audioinput", label: str = "", group: str = "") -> DeviceInfo:
    return DeviceInfo(device_id, kind, label or f"the {device_id}", group or f"group of {device_id}")


DESK, HEADSET = device("desk"), device("headset")
SPEAKER, EAR = device("speaker", "audiooutput"), device("ear", "audiooutput")


def default(of: DeviceInfo) -> DeviceInfo:
    """Chromium's second entry of a device."""
    return DeviceInfo(DEFAULT, of.kind, f"Default - {of.label}", of.group_id)


# -- default -----------------------------------------------------------------------------------------------------------


def test_which_device_the_default_is() -> None:
    """The one of its group and its kind; the group of an open track says more than the list."""
    devices = [default(HEADSET), device("ear", "audiooutput", group=HEADSET.group_id), DESK, HEADSET]
    assert real_id(devices, "audioinput", DEFAULT) == "headset"
    assert real_id(devices, "audioinput", DEFAULT, DESK.group_id) == "desk"
    assert real_id(devices, "audioinput", "desk") == "desk"


@pytest.mark.parametrize(
    "devices",
    [[], [DESK, HEADSET], [default(HEADSET), DESK], [DeviceInfo(DEFAULT, "audioinput"), DeviceInfo("", "audioinput")]],
)
def test_a_default_that_cannot_be_told(devices: list[DeviceInfo]) -> None:
    assert real_id(devices, "audioinput", DEFAULT) is None


# -- devices come and go -----------------------------------------------------------------------------------------------


def moved(
    before: list[DeviceInfo],
    now: list[DeviceInfo],
    use: str,
    *,
    kind: str = "audioinput",
    chosen: bool = False,
    browser: str = "chrome",
    os: str = "Linux",
) -> str | None:
    return moves(before, now, {kind: Use(use, chosen)}, browser=browser, os=os).get(kind)


def test_another_default_where_it_has_a_name() -> None:
    """Chromium's `default` keeps its id."""
    before, now = [default(DESK), DESK, HEADSET], [default(HEADSET), DESK, HEADSET]
    assert moved(before, now, DEFAULT) == DEFAULT
    assert moved(before, before, DEFAULT) is None
    assert moved(before, now, "desk", chosen=True) is None
    assert moved(before, now, DEFAULT, os="iOS") is None
    assert moved([], now, DEFAULT) is None, "nobody knows what it was"
    nameless = [DeviceInfo(DEFAULT, "audioinput"), DeviceInfo("", "audioinput")]
    assert moved(nameless, now, DEFAULT) is None, "a permission tells the names, and changes nothing"
    twins = [DeviceInfo(DEFAULT, "audioinput", "Default - USB", group) for group in ("one", "two")]
    assert moved(twins[:1], twins[1:], DEFAULT) == DEFAULT


def test_another_default_where_it_is_the_first() -> None:
    """Firefox and Safari: only who did not choose follows."""
    before, now = [DESK], [HEADSET, DESK]
    assert moved(before, now, "desk", browser="firefox") == DEFAULT
    assert moved(before, now, "desk", browser="firefox", chosen=True) is None
    assert moved([HEADSET, DESK], [DESK, HEADSET], "desk", browser="firefox") is None, "it was not the first"
    assert moved([SPEAKER], [EAR, SPEAKER], "speaker", kind="audiooutput") == "ear"


def test_a_speaker_that_is_gone() -> None:
    """The first of the others; a microphone tells by itself, except in Safari, where speakers wait for a click."""
    before, now = [SPEAKER, EAR], [SPEAKER]
    assert moved(before, now, "ear", kind="audiooutput", chosen=True) == "speaker"
    assert moved([], now, "ear", kind="audiooutput", chosen=True) == "speaker"
    assert moved(before, now, "speaker", kind="audiooutput", chosen=True) is None
    assert moved(before, [], "ear", kind="audiooutput", chosen=True) is None
    assert moved(before, now, "ear", kind="audiooutput", chosen=True, browser="safari") is None
    assert moved([DESK, HEADSET], [DESK], "headset", chosen=True) is None
    assert moved([DESK, HEADSET], [DESK], "headset", chosen=True, browser="safari") == DEFAULT


def test_a_camera_is_never_exchanged() -> None:
    """Nobody is shown who did not ask for it."""
    old, new = device("old", "videoinput"), device("new", "videoinput")
    assert moved([old], [new, old], "old", kind="videoinput", browser="firefox") is None
    assert moved([old], [new], "old", kind="videoinput", browser="safari") is None


# -- a track ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "provided", "muted", "reaction"),
    [
        (TrackSource.SCREENSHARE, False, False, Reaction.UNPUBLISH),
        (TrackSource.SCREENSHARE_AUDIO, True, True, Reaction.UNPUBLISH),
        (TrackSource.CAMERA, False, True, Reaction.NOTHING),
        (TrackSource.CAMERA, False, False, Reaction.TURN_OFF),
        (TrackSource.CAMERA, True, False, Reaction.MUTE),
        (TrackSource.MICROPHONE, True, False, Reaction.MUTE),
        (TrackSource.MICROPHONE, False, False, Reaction.REOPEN),
        (TrackSource.MICROPHONE, False, True, Reaction.NOTHING),
        (TrackSource.UNKNOWN, False, False, Reaction.TURN_OFF),
    ],
)
def test_a_track_ends(source: TrackSource, provided: bool, muted: bool, reaction: Reaction) -> None:
    assert after_end(source, is_device=not provided, muted=muted) is reaction


def test_why_it_ended() -> None:
    granted = DevicePermission.GRANTED
    assert why_ended([DESK], "audioinput", "desk", DevicePermission.DENIED)[0] == "NotAllowedError"
    assert why_ended([DESK], "audioinput", "headset", granted)[0] == "NotFoundError"
    assert why_ended([DESK], "videoinput", "desk", granted)[0] == "NotFoundError"
    assert why_ended([DESK], "audioinput", "desk", DevicePermission.UNKNOWN)[0] == "NotReadableError"
    assert why_ended(None, "audioinput", "desk", granted)[0] == "NotReadableError", "nobody knows what there is"


# -- which way it looks ------------------------------------------------------------------------------------------------


def test_which_way_a_camera_looks() -> None:
    """The browser knows it, the name may suggest it, else it is a guess."""
    assert facing_mode("left", "iPhone", "user") == ("left", "high")
    assert facing_mode("", "Ada's iPhone Camera", "user") == ("environment", "medium")
    assert facing_mode("upwards", "FaceTime HD Camera", "environment") == ("environment", "low")


def test_what_a_name_tells() -> None:
    assert facing_mode_from_label("  OBS Virtual Camera ") == ("environment", "medium")
    assert facing_mode_from_label("iPad") == ("environment", "medium")
    assert facing_mode_from_label("OBS Virtual Camera 2") is None
    assert facing_mode_from_label(" ") is None
