"""How much of a track is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import messages as m
from lk_pyodide.core.track_settings import Shown, Size, Wishes, is_enabled, settings
from lk_pyodide.types import TrackKind, VideoQuality

VIDEO = m.TrackInfo(
    "TR_v",
    TrackKind.VIDEO,
    layers=(
        m.VideoLayer(VideoQuality.LOW, 320, 180),
        m.VideoLayer(VideoQuality.MEDIUM, 640, 360),
        m.VideoLayer(VideoQuality.HIGH, 1280, 720),
    ),
)
AUDIO = m.TrackInfo("TR_a", TrackKind.AUDIO)
LOW, MEDIUM, HIGH = VideoQuality
SMALL, LARGE = (160.0, 90.5), (1920.0, 1080.0)


def test_nothing_said_is_all_of_it() -> None:
    assert settings(VIDEO, Wishes()) == m.UpdateTrackSettings(("TR_v",), quality=HIGH)
    assert settings(AUDIO, Wishes()) == m.UpdateTrackSettings(("TR_a",))


@pytest.mark.parametrize(
    ("wishes", "shown", "expected"),
    [
        (Wishes(quality=LOW), None, LOW),
        (Wishes(size=(640, 360)), None, (640, 360)),
        (Wishes(), SMALL, (160, 91)),
        (Wishes(), LARGE, (1920, 1080)),
        # what is asked for, unless less is to be seen
        (Wishes(size=(640, 360)), SMALL, (160, 91)),
        (Wishes(size=(640, 360)), LARGE, (640, 360)),
        (Wishes(quality=MEDIUM), SMALL, (160, 91)),
        (Wishes(quality=MEDIUM), LARGE, MEDIUM),
        (Wishes(quality=MEDIUM), None, MEDIUM),
    ],
)
def test_size_or_quality(wishes: Wishes, shown: Size | None, expected: VideoQuality | tuple[int, int]) -> None:
    told = settings(VIDEO, wishes, Shown(visible=True, size=shown))
    if isinstance(expected, VideoQuality):
        assert (told.quality, told.width, told.height) == (expected, 0, 0)
    else:
        assert (told.width, told.height) == expected


def test_a_layer_that_is_not_known_cannot_be_compared() -> None:
    bare = m.TrackInfo("TR_v", TrackKind.VIDEO)
    assert settings(bare, Wishes(quality=LOW), Shown(visible=True, size=SMALL)).quality == LOW


@pytest.mark.parametrize(
    ("enabled", "visible", "expected"),
    [(None, None, True), (None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_whoever_says_it_decides_it(enabled: bool | None, visible: bool | None, expected: bool) -> None:
    shown = None if visible is None else Shown(visible)
    assert is_enabled(Wishes(enabled=enabled), shown) == expected
    assert settings(AUDIO, Wishes(enabled=enabled), shown).disabled != expected


def test_frames_and_priority() -> None:
    wishes = Wishes(fps=15, priority=2)
    assert settings(VIDEO, wishes) == m.UpdateTrackSettings(("TR_v",), quality=HIGH, fps=15, priority=2)
    assert settings(AUDIO, wishes).priority == 2


sizes = st.tuples(st.floats(1, 5000), st.floats(1, 5000))


@given(
    st.builds(Wishes, quality=st.none() | st.sampled_from(VideoQuality), size=st.none() | sizes),
    st.none() | sizes,
)
def test_never_more_than_is_seen_or_asked_for(wishes: Wishes, shown: Size | None) -> None:
    told = settings(VIDEO, wishes, Shown(visible=True, size=shown))
    limits = [size[0] * size[1] for size in (wishes.size, shown) if size is not None]
    if told.width:
        assert (told.width - 1) * (told.height - 1) <= min(limits)
    else:
        assert wishes.quality is not None or not limits
