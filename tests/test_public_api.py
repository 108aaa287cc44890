"""What `from lk_pyodide import …` gives: complete, documented, and cheap to import."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

import pytest

import lk_pyodide
from lk_pyodide.events import ROOM_EVENTS
from tools.console import ROOT

MODULES = [
    f"lk_pyodide.{path.stem}"
    for path in sorted((ROOT / "lk_pyodide").glob("*.py"))
    if path.stem not in ("__init__", "__main__", "_version")
]
INTERNAL = {
    f"lk_pyodide.{name}"
    for name in (
        "bitrates device_watch jupyter local_capture local_data local_data_tracks local_devices local_layers "
        "local_permissions local_profile local_publishing local_sending microphone mix places playback ports "
        "preconnect remote_data_tracks room_context room_data room_updates stream_sources viewing"
    ).split()
}
"""Modules that users have no business with."""
REACHED_OTHERWISE = {"lk_pyodide.testing", "lk_pyodide.events", "lk_pyodide.stats"}
"""Modules with names that are not all in the package itself: test doubles; see test_events; what is rarely needed."""

# The public API of the design, as far as it is built. Methods: of Room unless a class is named.
CONTRACT = {
    "": """Room RoomOptions RoomConnectOptions TrackPublishOptions VideoCaptureOptions AudioCaptureOptions
        ScreenShareCaptureOptions VideoPresets VideoPresets43 ScreenSharePresets AudioPresets TrackSource TrackKind
        ConnectionState DisconnectReason MediaDeviceFailure RpcError LiveKitError ConnectError RoomEvent
        LocalParticipant RemoteParticipant Participant LocalTrack LocalAudioTrack LocalVideoTrack RemoteTrack
        RemoteAudioTrack RemoteVideoTrack TrackPublication LocalTrackPublication RemoteTrackPublication AttachedElement
        TrackSubscribed ParticipantConnected Disconnected DataPacket create_local_tracks set_log_level
        RpcInvocationData TokenSource TokenSourceFetchOptions TokenSourceResponse TokenSourceError TextStreamReader
        TextStreamWriter ByteStreamReader ByteStreamWriter TextStreamInfo ByteStreamInfo DataStreamError
        DataStreamErrorReason DataStreamOptions ChatMessage Transcription TranscriptionSegment SipDTMF
        PublishDTMFError PublishTranscriptionError Chat Transcripts LocalDataTrack RemoteDataTrack DataTrackStream
        DataTrackFrame DataTrackInfo DeferrableMap PublishDataTrackError PushFrameError SubscribeDataTrackError
        AdaptiveStreamSettings ElementInfo DevicePermission FacingMode facing_mode_from_local_track
        facing_mode_from_device_label""",
    "Room": """on once off wait_for events connect disconnect prepare_connection name state connection_state isconnected
        sid get_sid metadata local_participant remote_participants get_local_devices get_active_device
        get_permission_state switch_active_device can_playback_audio
        can_playback_video start_audio start_video get_participant_by_identity active_speakers num_participants
        num_publishers is_recording server_info __aenter__ __aexit__ register_text_stream_handler
        unregister_text_stream_handler register_byte_stream_handler unregister_byte_stream_handler""",
    "LocalParticipant": """enable_camera_and_microphone set_camera_enabled set_microphone_enabled
        set_screen_share_enabled publish_track unpublish_track unpublish_tracks republish_all_tracks
        publish_data publish_dtmf publish_transcription
        send_chat_message edit_chat_message set_name set_metadata set_attributes
        register_rpc_method unregister_rpc_method perform_rpc send_text stream_text send_bytes stream_bytes
        send_file publish_data_track""",
    "RemoteParticipant": "data_tracks get_volume set_volume",
    "LocalDataTrack": "info is_published try_push flush unpublish",
    "RemoteDataTrack": "info is_published publisher_identity subscribe set_pipeline_options",
    "DataTrackStream": "read close aclose dropped __aiter__ __anext__",
    "DataTrackFrame": "with_user_timestamp_now duration_since_timestamp",
    "DeferrableMap": "get_deferred __getitem__ __iter__ __len__",
    "TextStreamReader": "info read_all progress close aclose __aiter__ __anext__",
    "ByteStreamReader": "info read_all progress close aclose __aiter__ __anext__",
    "TextStreamWriter": "info write aclose __aenter__ __aexit__",
    "ByteStreamWriter": "info write aclose __aenter__ __aexit__",
    "Participant": """identity sid name metadata attributes kind permissions track_publications get_track_publication
        is_camera_enabled is_microphone_enabled is_screen_share_enabled is_speaking audio_level connection_quality""",
    "Track": """attach detach sid kind source name muted media_stream_track attached_elements get_stats
        get_rtc_stats_report current_bitrate""",
    "LocalTrack": """mute unmute stop dimensions set_device_id device_id get_device_id replace_track restart_track
        pause_upstream resume_upstream is_upstream_paused set_processor get_processor stop_processor""",
    "LocalVideoTrack": "set_publishing_quality set_degradation_preference prioritize_performance",
    "RemoteTrack": "set_playout_delay get_playout_delay stream_state",
    "RemoteAudioTrack": "set_volume get_volume set_sink_id",
    "LocalAudioTrack": "audio_level check_for_silence",
    "AudioAnalyser": "calculate_volume analyser cleanup __aenter__",
    "TrackPublication": "sid name kind source muted mime_type simulcasted dimensions track",
    "RemoteTrackPublication": """set_subscribed subscribed track set_enabled set_video_quality set_video_dimensions
        set_video_fps set_priority""",
    "RemoteVideoTrack": "is_adaptive_stream observe_element_info stop_observing_element_info",
    "AttachedElement": "mount detach",
    "TokenSource": "literal custom endpoint development_token_server fetch",
}
PROMISED = [
    pytest.param(owner, name, id=f"{owner}.{name}") for owner, names in CONTRACT.items() for name in names.split()
]

# All that users see of the nouns, in completion say. A class has what its bases have, too.
VISIBLE = {
    "Chat": "close messages send",
    "Transcripts": "close segments send",
    "EventSource": "on once off wait_for events",
    "Room": """active_speakers can_playback_audio can_playback_video connect connection_state disconnect
        get_active_device get_local_devices get_participant_by_identity get_permission_state get_sid is_recording
        isconnected
        local_participant metadata name num_participants num_publishers options prepare_connection
        register_byte_stream_handler register_text_stream_handler remote_participants server_info sid signal_rtt
        start_audio start_video state switch_active_device unregister_byte_stream_handler
        unregister_text_stream_handler""",
    "Participant": """agent_state attributes audio_level connection_quality disconnect_reason get_track_publication
        get_track_publication_by_name identity is_active is_agent is_camera_enabled is_microphone_enabled
        is_screen_share_enabled is_speaking joined_at kind last_spoke_at metadata name permissions sid state
        track_publications""",
    "Publishing": "audio_track_publications video_track_publications",
    "LocalParticipant": """create_tracks edit_chat_message enable_camera_and_microphone last_camera_error
        last_microphone_error perform_rpc publish_data
        publish_data_track publish_dtmf publish_track publish_transcription register_rpc_method send_bytes
        send_chat_message send_file send_text set_attributes set_camera_enabled set_metadata set_microphone_enabled
        set_name set_screen_share_enabled set_track_subscription_permissions
        republish_all_tracks stream_bytes stream_text unpublish_track unpublish_tracks unregister_rpc_method""",
    "RemoteParticipant": "data_tracks get_volume set_volume",
    "LocalDataTrack": "flush info is_published try_push unpublish",
    "RemoteDataTrack": "info is_published publisher_identity set_pipeline_options subscribe",
    "DataTrackStream": "aclose close dropped read",
    "DeferrableMap": "get get_deferred items keys values",
    "TrackPublication": """dimensions encryption_type height is_muted kind mime_type muted name sid simulcasted source
        track track_info track_sid width""",
    "LocalTrackPublication": "audio_track is_subscribed mute options unmute video_track",
    "RemoteTrackPublication": """audio_track is_desired is_enabled is_subscribed set_enabled set_priority set_subscribed
        permission_status set_video_dimensions set_video_fps set_video_quality subscribed subscription_status
        video_quality video_track""",
    "Track": """attach attached_elements current_bitrate detach get_rtc_stats_report get_stats is_muted kind
        media_stream_track muted name sid source""",
    "LocalTrack": """device_id dimensions get_device_id get_processor is_upstream_paused is_user_provided mute
        pause_upstream replace_track restart_track resume_upstream set_device_id set_processor stop stop_processor
        unmute""",
    "LocalAudioTrack": "audio_level check_for_silence",
    "AudioAnalyser": "analyser calculate_volume cleanup get_frequencies level",
    "LocalVideoTrack": "prioritize_performance set_degradation_preference set_publishing_quality",
    "RemoteTrack": "get_playout_delay set_playout_delay stream_state",
    "RemoteAudioTrack": "get_volume set_sink_id set_volume",
    "RemoteVideoTrack": "is_adaptive_stream observe_element_info stop_observing_element_info",
    "AttachedElement": "detach element mount",
    "TokenSource": "custom development_token_server endpoint fetch literal",
    "TokenSourceConfigurable": "",
    "TokenSourceFixed": "",
    "StreamReader": "aclose close info on_progress progress",
    "TextStreamReader": "read_all",
    "ByteStreamReader": "read_all",
    "StreamWriter": "aclose info write",
    "TextStreamWriter": "",
    "ByteStreamWriter": "",
}


def public_names(module: ModuleType) -> set[str]:
    """What a module defines without an underscore."""
    tree = ast.parse(inspect.getsource(module))
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case _:
                pass
    return {name for name in names if not name.startswith("_")}


def public_classes() -> Iterator[type]:
    for name in lk_pyodide.__all__:
        value = getattr(lk_pyodide, name)
        if inspect.isclass(value):
            yield value


def own_members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class of ours defines itself, for users."""
    generated = {entry.name for entry in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set[str]()
    for name, value in vars(cls).items():
        if not name.startswith("_") and name not in generated:
            yield name, value


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("owner", "name"), PROMISED)
def test_what_the_design_promises_is_there(owner: str, name: str) -> None:
    holder = getattr(lk_pyodide, owner) if owner else lk_pyodide
    assert hasattr(holder, name)
    assert owner or name in lk_pyodide.__all__


def test_the_package_says_all_that_it_has() -> None:
    everything = lk_pyodide.__all__
    assert len(everything) == len(set(everything))
    namespace: dict[str, Any] = {}
    exec("from lk_pyodide import *", namespace)
    assert set(everything) <= namespace.keys()
    modules = {name.rpartition(".")[2] for name in MODULES} | {"browser", "core", "session", "local", "annotations"}
    loading = {"TYPE_CHECKING", "Any", "import_module"}  # of what comes late
    visible = {name for name in vars(lk_pyodide) if not name.startswith("_")} - modules - loading
    assert visible == set(everything) - {"__version__"}
    assert not [name for name in everything if name.startswith("_") and name != "__version__"]


@pytest.mark.parametrize("name", MODULES)
def test_the_list_of_a_module_is_sorted_and_true(name: str) -> None:
    module = importlib.import_module(name)
    if name in INTERNAL:
        assert not hasattr(module, "__all__")
        return
    listed: list[str] = module.__all__
    assert listed == sorted(listed)
    assert len(listed) == len(set(listed))
    assert all(hasattr(module, each) for each in listed)
    assert not [each for each in listed if each.startswith("_")]
    if name not in REACHED_OTHERWISE:
        foreign = [each for each in listed if getattr(getattr(module, each), "__module__", name) != name]
        assert foreign == [], "a module lists what it defines"


@pytest.mark.parametrize(
    "name", [name for name in MODULES if name not in INTERNAL | {"lk_pyodide.testing", "lk_pyodide.stats"}]
)
def test_what_a_module_lists_the_package_has(name: str) -> None:
    module = importlib.import_module(name)
    for each in module.__all__:
        assert each in lk_pyodide.__all__, f"{name}.{each}"
        assert getattr(lk_pyodide, each) is getattr(module, each)


FOR_OUR_OWN_USE = {
    # module → what it defines without an underscore and does not list
    "lk_pyodide.audio_analyser": {"Level", "is_silent"},
    "lk_pyodide.data_track": {"FrameBuffer", "LocalDataTrackOwner", "RemoteDataTrackOwner"},
    "lk_pyodide.devices": {"get_local_devices", "get_permission_state", "is_missing", "start_screen_capture"},
    "lk_pyodide.incoming_streams": {"IncomingStreams", "StreamReader", "Topics"},
    "lk_pyodide.local_track": {"wrap"},
    "lk_pyodide.logging": {"Tally"},
    "lk_pyodide.options": {"merged"},
    "lk_pyodide.outgoing_streams": {"OutgoingStreams", "StreamWriter", "byte_info", "bytes_of"}
    | {"check_may_send", "destinations", "text_info"},
    "lk_pyodide.participant": {"Publishing"},
    "lk_pyodide.rpc": {"Rpc"},
    "lk_pyodide.types": {"member"},
}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in INTERNAL])
def test_what_is_not_listed_is_known_to_be_for_our_own_use(name: str) -> None:
    module = importlib.import_module(name)
    unlisted = public_names(module) - set(module.__all__)
    assert unlisted <= FOR_OUR_OWN_USE.get(name, set()), "list it, or give it an underscore"


def test_every_event_can_be_imported() -> None:
    for event in ROOM_EVENTS.values():
        assert getattr(lk_pyodide, event.__name__) is event


def visible(cls: type) -> set[str]:
    """The names without an underscore of a class of ours, and of what it sets on its objects."""
    names = set(dir(cls))
    for base in inspect.getmro(cls):
        if base.__module__.startswith("lk_pyodide"):
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
                match node:
                    case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                        names.add(name)
                    case _:
                        pass
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", [name for name in VISIBLE if name in lk_pyodide.__all__])
def test_users_see_of_a_noun_what_is_theirs(name: str) -> None:
    cls: type = getattr(lk_pyodide, name)
    listed = {word for base in inspect.getmro(cls) for word in VISIBLE.get(base.__name__, "").split()}
    assert visible(cls) == listed, "what only our own code calls gets an underscore, or an object of its own"


# -- docstrings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(lk_pyodide.__all__) - {"__version__", "EventName"}))
def test_each_public_thing_says_what_it_is(name: str) -> None:
    value = getattr(lk_pyodide, name)
    text = value.__doc__ or ""
    assert text.strip(), name
    assert not text.startswith(f"{name}("), "written by a person, not by @dataclass"
    first = text.strip().splitlines()[0]
    assert first.endswith((".", ":", ";")) or len(text.strip().splitlines()) > 1, first


MEMBERS = [
    pytest.param(cls, name, value, id=f"{cls.__name__}.{name}")
    for cls in public_classes()
    if not issubclass(cls, Enum)
    for name, value in own_members(cls)
    if callable(value) or isinstance(value, property | staticmethod | classmethod)
]


@pytest.mark.parametrize(("cls", "name", "value"), MEMBERS)
def test_each_public_method_and_property_is_documented(cls: type, name: str, value: Any) -> None:
    text = inspect.getdoc(getattr(cls, name) if not isinstance(value, property) else value)
    assert text, f"{cls.__name__}.{name}"


AWAITABLE = [
    pytest.param(cls, name, value, id=f"{cls.__name__}.{name}")
    for cls in public_classes()
    for name, value in own_members(cls)
    if inspect.iscoroutinefunction(getattr(value, "__func__", value))
    or str(getattr(value, "__annotations__", {}).get("return", "")).startswith("Awaitable")
]


@pytest.mark.parametrize(("cls", "name", "value"), AWAITABLE)
def test_what_can_be_awaited_says_how_it_can_end(cls: type, name: str, value: Any) -> None:
    text = inspect.getdoc(value) or ""
    assert text[0].isupper() and "." in text
    if inspect.signature(getattr(value, "__func__", value)).parameters.keys() - {"self"}:
        told = any(word in text.lower() for word in ("args:", "raises:", "returns:", "otherwise as", "see "))
        assert told, f"{cls.__name__}.{name} takes arguments: {text}"


def test_there_is_something_to_await() -> None:
    assert len(AWAITABLE) > 20 and len(MEMBERS) > 100


# -- what importing costs ----------------------------------------------------------------------------------------------

MEASURE = """
import sys, time, json, asyncio, dataclasses, inspect, logging
before, start = set(sys.modules), time.process_time()
import lk_pyodide
print(json.dumps([time.process_time() - start, sorted(set(sys.modules) - before)]))
"""
CHEAP = {"lk_pyodide", "pyee", "typing_extensions"}
NEVER = {"google", "ssl", "http", "urllib.request", "email", "ctypes", "multiprocessing", "sqlite3", "xml", "unittest"}


def test_importing_is_cheap() -> None:
    result = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, loaded = json.loads(result.stdout)
    roots = {name.partition(".")[0] for name in loaded}
    assert roots - set(sys.stdlib_module_names) <= CHEAP
    assert not [name for name in loaded if name in NEVER or name.partition(".")[0] in NEVER]
    assert len([name for name in loaded if name.startswith("lk_pyodide")]) < 70
    assert seconds < 2, f"{seconds:.2f} s of CPU; a tenth is usual"
