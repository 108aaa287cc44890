"""What every implementation of the waist knows of an object: what an event said last (``browser/api.py``)."""

from __future__ import annotations

from lk_pyodide.browser.api import MediaKind


class TrackSnapshot:
    """Of a MediaStreamTrack. Whoever derives from this sets the attributes."""

    _id: str
    _kind: MediaKind
    _label: str
    _state: str

    @property
    def id(self) -> str:
        """The browser's id of the track."""
        return self._id

    @property
    def kind(self) -> MediaKind:
        """Audio or video."""
        return self._kind

    @property
    def label(self) -> str:
        """The device's name."""
        return self._label

    @property
    def ready_state(self) -> str:
        """``live`` or ``ended``."""
        return self._state


class ChannelSnapshot:
    """Of an RTCDataChannel. Whoever derives from this sets the attributes."""

    _label: str
    _id: int | None
    _state: str

    @property
    def label(self) -> str:
        """The channel's name."""
        return self._label

    @property
    def id(self) -> int | None:
        """Stream id, once it is negotiated."""
        return self._id

    @property
    def ready_state(self) -> str:
        """``connecting``, ``open`` or ``closed``."""
        return self._state


class ConnectionSnapshot:
    """Of an RTCPeerConnection. Whoever derives from this sets the attributes."""

    _connection_state: str
    _signaling_state: str

    @property
    def connection_state(self) -> str:
        """``RTCPeerConnectionState``."""
        return self._connection_state

    @property
    def signaling_state(self) -> str:
        """``RTCSignalingState``."""
        return self._signaling_state
