"""A LiveKit client in Python that runs inside the browser.

Everything that users need is here: ``from lk_pyodide import Room, RoomOptions, …``.
"""

from lk_pyodide import errors, events, local, options, types
from lk_pyodide._version import __version__
from lk_pyodide.conversation import Chat, Transcripts
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
from lk_pyodide.track import AttachedElement, RemoteAudioTrack, RemoteTrack, RemoteVideoTrack, Track
from lk_pyodide.types import *  # noqa: F403

__all__ = [
    "AccessToken",
    "AttachedElement",
    "ByteStreamHandler",
    "ByteStreamReader",
    "ByteStreamWriter",
    "Chat",
    "DataTrackFrame",
    "DataTrackInfo",
    "DataTrackStream",
    "DeferrableMap",
    "Event",
    "EventSource",
    "EventStream",
    "LocalAudioTrack",
    "LocalDataTrack",
    "LocalParticipant",
    "LocalTrack",
    "LocalTrackPublication",
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
    "create_local_audio_track",
    "create_local_screen_tracks",
    "create_local_tracks",
    "create_local_video_track",
    "facing_mode_from_device_label",
    "facing_mode_from_local_track",
    "get_logger",
    "set_log_extension",
    "set_log_level",
]
local.register()
__all__ += errors.__all__
__all__ += events.__all__
__all__ += options.__all__
__all__ += types.__all__
