"""Tracks that are no device's, on a fake page."""

from pathlib import Path

import pytest

from lk_pyodide import (
    BrowserError,
    LocalTrack,
    Room,
    TrackPublishOptions,
    TrackSource,
    UsageError,
    create_local_element_tracks,
    create_local_file_tracks,
    get_empty_audio_stream_track,
    get_empty_video_stream_track,
)
from lk_pyodide.testing import FakeFile
from tests.inpage.contract_kit import call_off
from tests.room.server import URL, Server, until


async def test_what_is_published_by_default(room: Room, server: Server) -> None:
    """Sound counts as the microphone and a picture as the camera; muting does not end them, unpublishing does."""
    await room.connect(URL, "token")
    me = room.local_participant
    for track, source in (
        (await get_empty_audio_stream_track(browser=server.browser), TrackSource.MICROPHONE),
        (await get_empty_video_stream_track(browser=server.browser), TrackSource.CAMERA),
    ):
        publication = await me.publish_track(track)
        assert publication.source == source
        await publication.mute()
        assert track._media.ready_state == "live"
        await publication.unmute()
        await me.unpublish_track(publication.sid)
        assert track._media.ready_state == "ended"


async def test_a_silent_microphone_is_not_closed_by_muting(room: Room, server: Server) -> None:
    """Which could not be opened again."""
    await room.connect(URL, "token")
    track = await get_empty_audio_stream_track(browser=server.browser)
    await room.local_participant.publish_track(track, TrackPublishOptions(stop_mic_track_on_mute=True))
    await track.mute()
    await track.unmute()
    assert track._media.ready_state == "live"
    assert server.browser.media_devices.asked == []


async def test_leaving_ends_them(room: Room, server: Server) -> None:
    await room.connect(URL, "token")
    tracks = await create_local_file_tracks(b"film", browser=server.browser)
    for track in tracks:
        await room.local_participant.publish_track(track)
    await room.disconnect()
    assert [track._media.ready_state for track in tracks] == ["ended", "ended"]


async def test_the_end_of_a_file(room: Room, server: Server) -> None:
    """Is told: what was published of it is muted, and no device is opened in its place."""
    await room.connect(URL, "token")
    (sound, _) = tracks = await create_local_file_tracks(b"film", browser=server.browser)
    publications = [await room.local_participant.publish_track(track) for track in tracks]
    native = sound.media_stream_track
    native.end()
    await until(lambda: publications[0].muted)
    assert not publications[1].muted
    assert server.browser.media_devices.asked == []


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5), (5000, 5)])
async def test_sizes_that_are_none(server: Server, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="cannot be made"):
        await get_empty_video_stream_track(*size, browser=server.browser)


async def test_where_files_come_from(server: Server, tmp_path: Path) -> None:
    """An address stays one; everything else is read."""
    path = tmp_path / "talk.webm"
    path.write_bytes(b"from a path")
    sources: list[object] = [
        "https://example.org/talk.webm",
        "blob:https://example.org/1",
        str(path),
        path,
        b"bytes",
        bytearray(b"more"),
        FakeFile(b"from a file", "x.webm", "video/webm"),
    ]
    tracks: list[LocalTrack] = []
    for source in sources:
        tracks += await create_local_file_tracks(source, browser=server.browser)
    assert server.browser.sources.played == [
        "https://example.org/talk.webm",
        "blob:https://example.org/1",
        b"from a path",
        b"from a path",
        b"bytes",
        b"more",
        b"from a file",
    ]
    for track in tracks:
        track.stop()


async def test_what_is_no_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await create_local_file_tracks(tmp_path / "nowhere", browser=server.browser)
    for wrong in (5, None, object()):
        with pytest.raises(UsageError):
            await create_local_file_tracks(wrong, browser=server.browser)
    with pytest.raises(BrowserError):
        await create_local_file_tracks(b"", browser=server.browser)


async def test_an_element(server: Server) -> None:
    """A canvas has a picture; what plays nothing is waited for, and then it is an error."""
    server.browser.add_node("#painting", "canvas")
    (track,) = await create_local_element_tracks("#painting", frame_rate=5, browser=server.browser)
    assert track.kind.name == "VIDEO"
    track.stop()
    server.browser.add_node("#film", "video").tracks["audio"] = server.browser.make_track("audio")
    (track,) = await create_local_element_tracks("#film", browser=server.browser)
    assert track.kind.name == "AUDIO"
    track.stop()
    server.browser.add_node("#empty", "audio")
    with pytest.raises(BrowserError, match="nothing to play"):
        await create_local_element_tracks("#empty", browser=server.browser)
    server.browser.add_node("#words", "p")
    for wrong in ("#words", "#nowhere"):
        with pytest.raises(UsageError):
            await create_local_element_tracks(wrong, browser=server.browser)


async def test_cancelled(server: Server) -> None:
    """Nothing stays open: the fixture looks."""
    await call_off(lambda: create_local_file_tracks(b"film", browser=server.browser), 0, 1, 2, 3)
