"""What the nouns need of their room; ``room_context`` has it. The nouns never import the room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lk_pyodide.browser.api import Browser, MediaElement, MediaTrack
from lk_pyodide.core.messages import ParticipantInfo
from lk_pyodide.options import RoomOptions
from lk_pyodide.types import ChatMessage

if TYPE_CHECKING:
    from lk_pyodide.data_track import LocalDataTrack
    from lk_pyodide.incoming_streams import IncomingStreams
    from lk_pyodide.local_track import LocalTrack
    from lk_pyodide.participant import Participant
    from lk_pyodide.publication import LocalTrackPublication, RemoteTrackPublication, TrackPublication
    from lk_pyodide.session.session import Session
    from lk_pyodide.track import RemoteAudioTrack, Track


class RoomPort(Protocol):
    """The room, as its participants, publications and tracks see it."""

    @property
    def browser(self) -> Browser:
        """The page; raises UnsupportedHostError where there is none."""
        ...

    @property
    def options(self) -> RoomOptions: ...
    @property
    def session(self) -> Session:
        """The connection; raises UnexpectedConnectionState where there is none."""
        ...

    @property
    def streams(self) -> IncomingStreams:
        """What others send us as streams."""
        ...

    @property
    def is_connected(self) -> bool: ...
    def current_bitrate(self, track: Track, /) -> int:
        """How much a track takes: see ``BitratePort``."""
        ...

    def check_volume(self, volume: float, /) -> None:
        """Refuse what nothing can be played at: raises UsageError."""
        ...

    @property
    def server_version(self) -> str:
        """The server's version; empty while there is no connection."""
        ...

    def recipients(self, identities: Sequence[str], /) -> Sequence[ParticipantInfo | None]:
        """Who gets something sent to these, None for somebody who is not here; to nobody named is to all others."""
        ...

    async def active_agent(self) -> Participant:
        """Wait until an agent is there whose media is connected."""
        ...

    async def wait_connected(self) -> None:
        """Wait for a connect or reconnect that is under way; raises UnexpectedConnectionState when there is none."""
        ...

    def local_track_published(self, publication: LocalTrackPublication, track: LocalTrack, /) -> None: ...
    def local_track_republished(
        self, publication: LocalTrackPublication, track: LocalTrack, previous_sid: str, /
    ) -> None: ...
    def local_track_cpu_constrained(self, publication: LocalTrackPublication, /) -> None: ...
    def local_track_subscribed(self, track: LocalTrack, /) -> None: ...
    def local_audio_silence_detected(self, publication: LocalTrackPublication, /) -> None: ...
    def speaking_while_muted(self, publication: LocalTrackPublication, /) -> None: ...
    def local_track_unpublished(self, publication: LocalTrackPublication, /) -> None: ...
    def local_data_track_published(self, track: LocalDataTrack, /) -> None: ...
    def local_data_track_unpublished(self, sid: str, /) -> None: ...
    def subscription_status_changed(self, publication: RemoteTrackPublication, /) -> None: ...
    def permission_status_changed(self, publication: RemoteTrackPublication, /) -> None: ...
    def track_mute_changed(self, participant: Participant, publication: TrackPublication, /) -> None: ...
    def chat_message_sent(self, participant: Participant, message: ChatMessage, /) -> None: ...
    def mimebundle(self, participant: Participant, /) -> dict[str, str]:
        """What a notebook displays of a participant."""
        ...

    def local_track_reopened(self, track: LocalTrack, /) -> None:
        """The device of a published track was opened, perhaps another one."""
        ...

    def media_devices_error(self, error: Exception, kind: str | None, /) -> None: ...
    def device_changed(self, kind: str, device_id: str, /) -> None:
        """A device is in use now."""
        ...


class MediaFollower(Protocol):
    """Who uses the browser's track of a track of ours, and has to know when it is another one."""

    def _media_changed(self, media: MediaTrack | None, /) -> None:
        """It is another one; None while its device is off."""
        ...

    def _media_gone(self) -> None:
        """There will be none any more."""
        ...


class BitratePort(Protocol):
    """Who measures how much tracks take."""

    def current_bitrate(self, track: Track, /) -> int:
        """Bits a second, as last measured; 0 before."""
        ...


class PlaybackPort(Protocol):
    """Who hears whether elements play, and says where."""

    def attached(self, track: RemoteAudioTrack, element: MediaElement, /) -> None:
        """Sound has a new element."""
        ...

    def detached(self, track: RemoteAudioTrack, /) -> None:
        """No element plays it any more."""
        ...

    def set_volume(self, track: RemoteAudioTrack, volume: float, /) -> None:
        """Play it louder or softer; raises UsageError."""
        ...

    async def switch_sink(self, track: RemoteAudioTrack, device_id: str, /) -> None:
        """Play one track on a speaker of its own; empty is that of all."""
        ...

    def playback_changed(self, kind: str, allowed: bool, who: object, /) -> None:
        """An element plays, or was not allowed to; ``who`` is always the same for one element."""
        ...
