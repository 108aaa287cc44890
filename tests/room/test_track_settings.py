"""What we say of how much of somebody's tracks we want."""

from collections.abc import Callable

import pytest

from lk_pyodide import RemoteTrackPublication, Room, UnexpectedConnectionState, UsageError, VideoQuality
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource
from tests.room.server import URL, Server, participant, track


async def published(room: Room, server: Server, source: TrackSource = TrackSource.CAMERA) -> RemoteTrackPublication:
    """Join ada, who publishes a track."""
    server.others = [participant("ada", track("TR_ada", source))]
    await room.connect(URL, "token")
    return room.remote_participants["ada"].track_publications["TR_ada"]


async def said(server: Server, count: int) -> m.UpdateTrackSettings:
    """The last of so many settings."""
    told = await server.heard(m.UpdateTrackSettings, count)
    assert len([message for message in server.received if isinstance(message, m.UpdateTrackSettings)]) == count
    return told


async def test_all_of_them(room: Room, server: Server) -> None:
    """Each is said with all that has been said before; what is not new is not said again."""
    video = await published(room, server)
    assert (video.is_enabled, video.video_quality) == (True, VideoQuality.HIGH)
    video.set_enabled(False)
    assert await said(server, 1) == m.UpdateTrackSettings(("TR_ada",), disabled=True, quality=VideoQuality.HIGH)
    video.set_enabled(False)
    video.set_video_quality(VideoQuality.LOW)
    assert await said(server, 2) == m.UpdateTrackSettings(("TR_ada",), disabled=True, quality=VideoQuality.LOW)
    assert (video.is_enabled, video.video_quality) == (False, VideoQuality.LOW)
    video.set_enabled(True)
    video.set_video_dimensions(319.5, 180)
    assert await said(server, 4) == m.UpdateTrackSettings(("TR_ada",), width=320, height=180)
    video.set_video_fps(15)
    video.set_priority(1)
    assert await said(server, 6) == m.UpdateTrackSettings(("TR_ada",), width=320, height=180, fps=15, priority=1)
    video.set_video_quality(VideoQuality.MEDIUM)
    assert await said(server, 7) == m.UpdateTrackSettings(("TR_ada",), quality=VideoQuality.MEDIUM, fps=15, priority=1)


async def test_what_is_said_while_nothing_comes_is_said_with_the_subscription(room: Room, server: Server) -> None:
    video = await published(room, server)
    video.set_subscribed(False)
    video.set_video_quality(VideoQuality.LOW)
    await server.heard(m.UpdateSubscription)
    assert not [message for message in server.received if isinstance(message, m.UpdateTrackSettings)]
    video.set_subscribed(True)
    assert (await said(server, 1)).quality == VideoQuality.LOW
    assert isinstance(server.received[-2], m.UpdateSubscription)


async def test_sound_has_no_picture(room: Room, server: Server) -> None:
    audio = await published(room, server, TrackSource.MICROPHONE)
    pictures: list[Callable[[], None]] = [
        lambda: audio.set_video_quality(VideoQuality.LOW),
        lambda: audio.set_video_dimensions(1, 1),
        lambda: audio.set_video_fps(1),
    ]
    for attempt in pictures:
        with pytest.raises(UsageError, match="is no video"):
            attempt()
    audio.set_enabled(False)
    audio.set_priority(2)
    assert await said(server, 2) == m.UpdateTrackSettings(("TR_ada",), disabled=True, priority=2)


async def test_what_cannot_be(room: Room, server: Server) -> None:
    video = await published(room, server)
    for width, height in ((0, 1), (1, 0), (-1, 5), (float("nan"), 1), (float("inf"), 1), (2.0**31, 1)):
        with pytest.raises(UsageError, match="pixels"):
            video.set_video_dimensions(width, height)
    for number in (0, -1, 2**31):
        with pytest.raises(UsageError, match="frames"):
            video.set_video_fps(number)
        with pytest.raises(UsageError, match="priority"):
            video.set_priority(number)
    await room.disconnect()
    with pytest.raises(UnexpectedConnectionState):
        video.set_enabled(False)
    assert video.is_enabled, "what was not said does not hold"
