"""The events of a room: names, the order of arguments, and the three lists that must say the same."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from lk_pyodide import events
from lk_pyodide.emitter import Event
from lk_pyodide.events import ROOM_EVENTS, EventName, RoomEvent

# What a handler by name is given, in order: livekit.rtc's order where it has the event, else livekit-client's.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "connected": (),
    "reconnecting": (),
    "signal_reconnecting": (),
    "reconnected": (),
    "disconnected": ("reason",),
    "connection_state_changed": ("state",),
    "media_devices_changed": (),
    "active_device_changed": ("kind", "device_id"),
    "media_devices_error": ("error", "kind"),
    "participant_connected": ("participant",),
    "participant_disconnected": ("participant",),
    "participant_active": ("participant",),
    "track_published": ("publication", "participant"),
    "track_unpublished": ("publication", "participant"),
    "track_subscribed": ("track", "publication", "participant"),
    "track_unsubscribed": ("track", "publication", "participant"),
    "track_subscription_failed": ("participant", "track_sid", "error"),
    "track_muted": ("participant", "publication"),
    "track_unmuted": ("participant", "publication"),
    "local_track_published": ("publication", "track"),
    "local_track_republished": ("publication", "previous_sid"),
    "local_track_unpublished": ("publication",),
    "local_track_subscribed": ("track",),
    "local_audio_silence_detected": ("publication",),
    "speaking_while_muted": ("publication",),
    "local_track_cpu_constrained": ("track", "publication"),
    "data_track_published": ("track",),
    "data_track_unpublished": ("sid",),
    "local_data_track_published": ("track",),
    "local_data_track_unpublished": ("sid",),
    "participant_metadata_changed": ("participant", "old_metadata", "new_metadata"),
    "participant_name_changed": ("participant", "old_name", "new_name"),
    "participant_attributes_changed": ("changed_attributes", "participant"),
    "participant_permissions_changed": ("participant", "permissions"),
    "active_speakers_changed": ("speakers",),
    "room_metadata_changed": ("old_metadata", "new_metadata"),
    "recording_status_changed": ("recording",),
    "room_updated": (),
    "data_received": ("packet",),
    "connection_quality_changed": ("participant", "quality"),
    "track_stream_state_changed": ("publication", "state", "participant"),
    "audio_playback_changed": ("playing",),
    "video_playback_changed": ("playing",),
    "token_refreshed": (),
    "chat_message": ("message", "participant"),
    "dc_buffer_status_changed": ("is_low", "kind"),
    "metrics_received": ("metrics", "participant"),
    "sip_dtmf_received": ("sip_dtmf",),
    "track_subscription_status_changed": ("publication", "status", "participant"),
    "track_subscription_permission_changed": ("publication", "status", "participant"),
    "transcription_received": ("segments", "participant", "publication"),
}
# Where livekit-client's name is not the class's: parity.md calls these by the change, livekit-client by the status.
RENAMED = {
    "AudioPlaybackStatusChanged": "AudioPlaybackChanged",
    "VideoPlaybackStatusChanged": "VideoPlaybackChanged",
    "ChatMessage": "ChatMessageReceived",
}
OURS_ALONE = {"room_updated", "speaking_while_muted", "token_refreshed"}
"""livekit.rtc's, or nobody's: livekit-client has no such event, hence no constant."""


@pytest.mark.parametrize("name", ROOM_EVENTS)
def test_the_fields_are_the_documented_arguments(name: str) -> None:
    assert tuple(entry.name for entry in dataclasses.fields(ROOM_EVENTS[name])) == ARGUMENTS[name]


def test_no_event_is_missing_anywhere() -> None:
    assert set(ROOM_EVENTS) == set(ARGUMENTS) == set(typing.get_args(EventName))
    assert list(typing.get_args(EventName)) == sorted(ROOM_EVENTS)
    assert {event.__name__ for event in ROOM_EVENTS.values()} <= set(events.__all__)


def test_the_constants_are_livekit_clients_names() -> None:
    constants = {name: value for name, value in vars(RoomEvent).items() if not name.startswith("_")}
    for name, value in constants.items():
        assert ROOM_EVENTS[value].__name__ == RENAMED.get(name, name)
    assert set(constants.values()) == set(ROOM_EVENTS) - OURS_ALONE
    assert list(constants) == sorted(constants)


@pytest.mark.parametrize("event", ROOM_EVENTS.values())
def test_events_are_small_frozen_values(event: type[Event]) -> None:
    assert event.event_name in ROOM_EVENTS
    parameters = event.__dataclass_params__  # type: ignore[attr-defined]  # what @dataclass was told
    assert parameters.frozen
    assert "__slots__" in vars(event)
    made = event(*range(len(dataclasses.fields(event))))
    assert made.arguments() == tuple(range(len(dataclasses.fields(event))))
    assert made == event(*made.arguments())
    assert inspect.getdoc(event)
    assert typing.get_type_hints(event), "the hints can be resolved at run time"
