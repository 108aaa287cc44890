"""When a picture counts as seen, and in which size."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.core.adaptive import BACKGROUND_DELAY, REACTION_DELAY, AdaptivePicture, Density, Place, Screen
from lk_pyodide.core.track_settings import Shown, Wishes, settings
from lk_pyodide.types import TrackKind

PAGE = Screen()
SMALL, LARGE = Place(160, 90, True), Place(640, 360, True)
OUT = Place(640, 360, False)
UNKNOWN = Place(0, 0, None)
SOON = pytest.approx(REACTION_DELAY)


def after(places: list[Place], screen: Screen = PAGE, density: Density = None) -> AdaptivePicture:
    """A picture that has long been like this."""
    picture = AdaptivePicture(density)
    picture.look(places, screen, 0)
    picture.look(places, screen, 60)
    return picture


def test_what_is_seen_is_told_at_once() -> None:
    picture = AdaptivePicture()
    assert picture.look([UNKNOWN], PAGE, 1) is None
    before = picture.shown
    assert before is None, "an element that nothing is known of yet decides nothing"
    assert picture.look([SMALL], PAGE, 1.01) is None
    assert picture.shown == Shown(True, (160, 90))


def test_what_is_shown_nowhere_is_not_seen() -> None:
    picture = AdaptivePicture()
    assert picture.look([], PAGE, 1) == SOON
    before = picture.shown
    assert before is None
    assert picture.look([], PAGE, 1.125) is None
    assert picture.shown == Shown(False)
    picture.look([LARGE], PAGE, 2)
    assert picture.shown == Shown(True, (640, 360))


def test_out_of_sight_for_a_moment_is_not_told() -> None:
    picture = after([SMALL])
    assert picture.look([OUT], PAGE, 70) == SOON
    assert picture.look([OUT], PAGE, 70.0625) == pytest.approx(0.0375)
    assert picture.look([SMALL], PAGE, 70.08) is None
    assert picture.look([OUT], PAGE, 70.09) == SOON, "it begins anew"
    assert picture.shown == Shown(True, (160, 90))
    assert picture.look([OUT], PAGE, 70.25) is None
    assert picture.shown == Shown(False, (160, 90)), "with its size: 0 by 0 is no size"
    assert picture.look([SMALL], PAGE, 70.26) is None
    assert picture.shown == Shown(True, (160, 90))


def test_a_size_is_told_when_it_stays() -> None:
    picture = after([SMALL])
    now = 70.0
    for width in range(200, 600, 100):  # somebody drags a corner
        now += 0.05
        assert picture.look([Place(width, 90, True)], PAGE, now) == SOON
    assert picture.shown == Shown(True, (160, 90))
    assert picture.look([Place(500, 90, True)], PAGE, now + 0.125) is None
    assert picture.shown == Shown(True, (500, 90))
    assert picture.look([SMALL], PAGE, now + 0.225) == SOON
    assert picture.look([Place(500, 90, True)], PAGE, now + 0.25) is None, "it is as it was"


def test_the_largest_that_is_seen_counts() -> None:
    assert after([SMALL, LARGE, Place(0, 0, True)]).shown == Shown(True, (640, 360))
    assert after([SMALL, Place(4000, 3000, False)]).shown == Shown(True, (160, 90))
    picture = after([SMALL, LARGE])
    assert picture.look([SMALL, OUT], PAGE, 70) == SOON
    picture.look([SMALL, OUT], PAGE, 70.125)
    assert picture.shown == Shown(True, (160, 90))


@pytest.mark.parametrize(
    ("density", "ratio", "width"),
    [
        (None, 1, 160),
        (None, 2, 160),
        (None, 2.5, 320),
        (None, 4, 320),
        (0, 3, 320),
        ("screen", 1.25, 200),
        ("screen", 4, 640),
        (1, 4, 160),
        (1.5, 1, 240),
    ],
)
def test_pixels(density: Density, ratio: float, width: float) -> None:
    picture = after([SMALL], Screen(pixel_ratio=ratio), density)
    assert picture.shown is not None
    assert picture.shown.size is not None
    assert picture.shown.size[0] == width


def test_another_screen() -> None:
    picture = after([SMALL], density="screen")
    assert picture.look([SMALL], Screen(pixel_ratio=2), 70) == SOON
    picture.look([SMALL], Screen(pixel_ratio=2), 70.125)
    assert picture.shown == Shown(True, (320, 180))


@pytest.mark.parametrize("length", [0, -5, nan, 1e9, inf])
def test_no_area_and_no_end_of_it(length: float) -> None:
    """What an application measures by itself may be anything; the server is told a size that fits."""
    shown = after([Place(length, length, True)]).shown
    assert shown is not None
    told = settings(m.TrackInfo("TR_v", TrackKind.VIDEO), Wishes(), shown)
    assert 1 <= told.width == told.height <= 16_384


def test_in_the_background() -> None:
    picture, hidden = after([SMALL]), Screen(hidden_since=70)
    assert picture.look([SMALL], hidden, 70) == BACKGROUND_DELAY
    assert picture.look([OUT], hidden, 71) == SOON, "whichever is first"
    assert picture.look([SMALL], hidden, 71.05) == pytest.approx(3.95)
    assert picture.look([SMALL], PAGE, 72) is None
    assert picture.look([SMALL], hidden, 75) is None
    assert picture.shown == Shown(False, (160, 90))
    assert picture.look([SMALL], PAGE, 80) is None
    assert picture.shown == Shown(True, (160, 90))


def test_what_begins_in_the_background() -> None:
    picture = AdaptivePicture()
    assert picture.look([UNKNOWN], Screen(hidden_since=-inf), 1) is None
    assert picture.shown == Shown(False)


def test_a_picture_that_goes_on_in_the_background() -> None:
    picture, hidden = AdaptivePicture(pauses_in_background=False), Screen(hidden_since=0)
    assert picture.look([SMALL], hidden, 60) is None
    assert picture.shown == Shown(True, (160, 90))


def test_a_picture_with_a_window_of_its_own() -> None:
    """It is seen however long the page is in the background, and wherever its element is."""
    for place in (Place(160, 90, True, True), Place(160, 90, False, True)):
        picture, hidden = after([SMALL]), Screen(hidden_since=70)
        assert picture.look([place], hidden, 80) is None
        assert picture.shown == Shown(True, (160, 90))
        picture.look([OUT], hidden, 81)
        assert picture.shown == Shown(False, (160, 90))
        picture.look([place], hidden, 82)
        assert picture.shown == Shown(True, (160, 90))


lengths = st.floats(0, 5000)
places = st.builds(Place, lengths, lengths, st.sampled_from([True, False, None]), st.booleans())
steps = st.tuples(st.floats(0, 7), st.lists(places, max_size=3), st.booleans())


@given(st.lists(steps, max_size=12), st.booleans())
def test_whoever_looks_when_told_to_ends_right(script: list[tuple[float, list[Place], bool]], pauses: bool) -> None:
    """Whatever happens: when it stays so, the server soon knows how it is, and there is an end of looking."""
    picture = AdaptivePicture("screen", pauses_in_background=pauses)
    now, hidden_since = 0.0, None
    last: list[Place] = []
    for seconds, last, is_hidden in script:
        now += seconds
        hidden_since = (now if hidden_since is None else hidden_since) if is_hidden else None
        delay = picture.look(last, Screen(hidden_since), now)
        assert delay is None or 0 < delay <= BACKGROUND_DELAY
    for _ in range(8):
        delay = picture.look(last, Screen(hidden_since), now)
        if delay is None:
            break
        now += delay
    else:
        raise AssertionError("it looks for ever")
    if any(place.picture_in_picture for place in last):
        expected: bool | None = True
    elif pauses and hidden_since is not None:
        expected = False
    else:
        expected = True if any(place.visible for place in last) else None
        if all(place.visible is False for place in last):
            expected = False
    if expected is not None:
        assert picture.shown is not None
        assert picture.shown.visible == expected
    if expected:
        assert picture.shown is not None
        seen = [place for place in last if place.is_seen]
        largest = max(max(1, place.width) * max(1, place.height) for place in seen)
        assert picture.shown.size is not None
        assert picture.shown.size[0] * picture.shown.size[1] == largest
