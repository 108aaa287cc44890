"""A LiveKit client in Python that runs inside the browser.

Everything that users need is here: ``from lk_pyodide import Room, RoomOptions, …``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lk_pyodide import errors, events, local, options, types
from lk_pyodide._version import __version__
from lk_pyodide.data_track import (
    DataTrackFrame,
    DataTrackInfo,
    DataTrackStream,
    DeferrableMap,
    LocalDataTrack,
    RemoteDataTrack,
)
from lk_pyodide.devices import (
    create_local_audio_track,
    create_local_screen_tracks,
    create_local_tracks,
    create_local_video_track,
    facing_mode_from_device_label,
    facing_mode_from_local_track,
)
from lk_pyodide.emitter import Event, EventSource, EventStream
from lk_pyodide.errors import *  # noqa: F403
from lk_pyodide.events import *  # noqa: F403
from lk_pyodide.incoming_streams import ByteStreamHandler, ByteStreamReader, TextStreamHandler, TextStreamReader
from lk_pyodide.local_participant import LocalParticipant
from lk_pyodide.local_track import LocalAudioTrack, LocalTrack, LocalVideoTrack
from lk_pyodide.logging import LogLevel, get_logger, set_log_extension, set_log_level
from lk_pyodide.options import *  # noqa: F403
from lk_pyodide.outgoing_streams import ByteStreamWriter, TextStreamWriter
from lk_pyodide.participant import Participant, RemoteParticipant
from lk_pyodide.publication import LocalTrackPublication, RemoteTrackPublication, TrackPublication
from lk_pyodide.room import Room
from lk_pyodide.rpc import RpcHandler, RpcInvocationData
from lk_pyodide.token_source import TokenSource, TokenSourceConfigurable, TokenSourceFixed
from lk_pyodide.tokens import AccessToken, VideoGrants
from lk_pyodide.track import AttachedElement, ElementInfo, RemoteAudioTrack, RemoteTrack, RemoteVideoTrack, Track
from lk_pyodide.types import *  # noqa: F403

if TYPE_CHECKING:
    from lk_pyodide.audio_analyser import AudioAnalyser, create_audio_analyser
    from lk_pyodide.conversation import Chat, Transcripts
    from lk_pyodide.media_sources import (
        create_local_element_tracks,
        create_local_file_tracks,
        get_empty_audio_stream_track,
        get_empty_video_stream_track,
    )
    from lk_pyodide.recorder import LocalTrackRecorder

__all__ = [
    "AccessToken",
    "AttachedElement",
    "AudioAnalyser",
    "ByteStreamHandler",
    "ByteStreamReader",
    "ByteStreamWriter",
    "Chat",
    "DataTrackFrame",
    "DataTrackInfo",
    "DataTrackStream",
    "DeferrableMap",
    "ElementInfo",
    "Event",
    "EventSource",
    "EventStream",
    "LocalAudioTrack",
    "LocalDataTrack",
    "LocalParticipant",
    "LocalTrack",
    "LocalTrackPublication",
    "LocalTrackRecorder",
    "LocalVideoTrack",
    "LogLevel",
    "Participant",
    "RemoteAudioTrack",
    "RemoteDataTrack",
    "RemoteParticipant",
    "RemoteTrack",
    "RemoteTrackPublication",
    "RemoteVideoTrack",
    "Room",
    "RpcHandler",
    "RpcInvocationData",
    "TokenSource",
    "TokenSourceConfigurable",
    "TokenSourceFixed",
    "TextStreamHandler",
    "TextStreamReader",
    "TextStreamWriter",
    "Track",
    "TrackPublication",
    "Transcripts",
    "VideoGrants",
    "__version__",
    "create_audio_analyser",
    "create_local_audio_track",
    "create_local_element_tracks",
    "create_local_file_tracks",
    "create_local_screen_tracks",
    "create_local_tracks",
    "create_local_video_track",
    "facing_mode_from_device_label",
    "facing_mode_from_local_track",
    "get_empty_audio_stream_track",
    "get_empty_video_stream_track",
    "get_logger",
    "set_log_extension",
    "set_log_level",
]
_LATE = {
    "AudioAnalyser": "audio_analyser",
    "Chat": "conversation",
    "LocalTrackRecorder": "recorder",
    "Transcripts": "conversation",
    "create_audio_analyser": "audio_analyser",
    "create_local_element_tracks": "media_sources",
    "create_local_file_tracks": "media_sources",
    "get_empty_audio_stream_track": "media_sources",
    "get_empty_video_stream_track": "media_sources",
}
"""What few pages need is loaded when it is first asked for: a page waits for every module."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


local.register()
__all__ += errors.__all__
__all__ += events.__all__
__all__ += options.__all__
__all__ += types.__all__
