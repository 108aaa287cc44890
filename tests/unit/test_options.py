"""Options: merged once, from the first that says something, into a copy."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lk_pyodide import options as o
from lk_pyodide.options import (
    AUDIO_CAPTURE_DEFAULTS,
    CONNECT_DEFAULTS,
    PUBLISH_DEFAULTS,
    VIDEO_CAPTURE_DEFAULTS,
    AudioCaptureOptions,
    AudioEncoding,
    AudioPresets,
    IceServerOptions,
    RoomConnectOptions,
    RoomOptions,
    RtcConfiguration,
    ScreenSharePresets,
    TrackPublishOptions,
    VideoEncoding,
    VideoPreset,
    VideoPresets,
    VideoPresets43,
    VideoResolution,
    merged,
)

CLASSES = [
    value for name in o.__all__ if isinstance(value := getattr(o, name), type) and dataclasses.is_dataclass(value)
]


def test_the_first_that_says_something_wins() -> None:
    call = TrackPublishOptions(name="call")
    room = TrackPublishOptions(name="room", simulcast=False)
    result = merged(call, room, PUBLISH_DEFAULTS)
    assert (result.name, result.simulcast, result.video_codec) == ("call", False, "vp8")
    assert result.red is None, "nobody said anything"


def test_false_and_zero_and_nothing_are_said() -> None:
    result = merged(AudioCaptureOptions(echo_cancellation=False, latency=0.0, device_id=""), AUDIO_CAPTURE_DEFAULTS)
    assert (result.echo_cancellation, result.latency, result.device_id) == (False, 0.0, "")
    assert merged(TrackPublishOptions(video_simulcast_layers=[]), PUBLISH_DEFAULTS).video_simulcast_layers == []


def test_layers_that_are_not_there_are_passed_over() -> None:
    assert merged(None, CONNECT_DEFAULTS) == CONNECT_DEFAULTS
    assert merged(None, None, RoomConnectOptions(max_retries=3), None, CONNECT_DEFAULTS).max_retries == 3


def test_what_is_changed_later_has_no_effect() -> None:
    encoding = VideoEncoding(1_000_000)
    layers = [VideoPresets.H180]
    publish = TrackPublishOptions(simulcast=False, video_encoding=encoding, video_simulcast_layers=layers)
    server = IceServerOptions(urls=["stun:a.example"])
    given = RoomOptions(publish_defaults=publish, rtc_config=RtcConfiguration(ice_servers=[server]))
    result, before = merged(given, RoomOptions()), merged(given, RoomOptions())
    given.adaptive_stream = True
    publish.simulcast = True
    encoding.max_bitrate = 1
    layers.append(VideoPresets.H360)
    server.urls.append("stun:b.example")
    assert result == before
    assert given != before


def test_the_defaults_cannot_be_changed_through_a_result() -> None:
    result = merged(TrackPublishOptions(), PUBLISH_DEFAULTS)
    assert result.audio_encoding == AudioPresets.MUSIC
    assert result.audio_encoding is not None
    assert result.screen_share_encoding is not None
    result.audio_encoding.max_bitrate = 1
    result.screen_share_encoding.max_bitrate = 1
    assert AudioPresets.MUSIC.max_bitrate == 48_000
    assert PUBLISH_DEFAULTS.screen_share_encoding == ScreenSharePresets.H1080_FPS15.encoding


def test_a_preset_gives_a_new_encoding_each_time() -> None:
    encoding = VideoPresets.H720.encoding
    assert encoding == VideoEncoding(1_700_000, 30)
    encoding.max_bitrate = 1
    assert VideoPresets.H720.encoding.max_bitrate == 1_700_000


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls.__name__.endswith(("Options", "Configuration"))])
def test_options_are_keyword_only_and_can_be_filled_in(cls: Any) -> None:
    options = cls()
    for entry in dataclasses.fields(cls):
        assert entry.kw_only
        setattr(options, entry.name, getattr(options, entry.name))
    with pytest.raises(AttributeError):
        options.misspelt = 1
    with pytest.raises(TypeError):
        cls("positional")


def test_a_room_takes_the_options_of_connect_too() -> None:
    assert {entry.name for entry in dataclasses.fields(RoomConnectOptions)} <= {
        entry.name for entry in dataclasses.fields(RoomOptions)
    }


def test_secrets_are_not_printed() -> None:
    server = IceServerOptions(urls=["turn:a.example"], username="u", credential="SECRET")
    assert "SECRET" not in repr(RoomOptions(rtc_config=RtcConfiguration(ice_servers=[server])))


# Facts of livekit-client 2.23.0: src/room/defaults.ts and src/room/track/options.ts.


def test_the_defaults_are_livekit_clients() -> None:
    assert CONNECT_DEFAULTS == RoomConnectOptions(
        auto_subscribe=True, max_retries=1, websocket_timeout=15, peer_connection_timeout=15
    )
    assert VIDEO_CAPTURE_DEFAULTS.resolution == VideoResolution(1280, 720, 30, 1280 / 720)
    assert (PUBLISH_DEFAULTS.simulcast, PUBLISH_DEFAULTS.video_codec) == (True, "vp8")
    assert PUBLISH_DEFAULTS.audio_encoding == AudioEncoding(48_000)
    assert PUBLISH_DEFAULTS.screen_share_encoding == VideoEncoding(2_500_000, 15, "medium")
    options = RoomOptions()
    assert options.stop_local_track_on_unpublish and options.disconnect_on_page_leave
    assert not options.adaptive_stream and not options.dynacast


@pytest.mark.parametrize("group", [VideoPresets, VideoPresets43])
def test_presets_go_from_small_to_large(group: type) -> None:
    presets = [preset for preset in vars(group).values() if isinstance(preset, VideoPreset)]
    assert len(presets) == 9
    assert presets == sorted(presets, key=lambda preset: (preset.width, preset.max_bitrate))
    ratio = 16 / 9 if group is VideoPresets else 4 / 3
    assert all(preset.width / preset.height == pytest.approx(ratio, abs=0.01) for preset in presets)


def test_a_screen_may_have_the_size_that_it_has() -> None:
    assert ScreenSharePresets.ORIGINAL.resolution == VideoResolution(0, 0, 30, None)
    assert ScreenSharePresets.ORIGINAL.encoding == VideoEncoding(7_000_000, 30, "medium")
