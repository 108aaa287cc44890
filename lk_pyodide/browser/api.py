"""What lk_pyodide needs from a browser, as small Protocols.

Implementations: ``direct`` (Python on the page's thread), ``fake`` (CPython, for tests), ``bridge`` (from a worker).

The rules that let all of them exist:

* A call is either ``async def`` (a handshake with the page) or a plain ``def`` that acts in the order of calls and
  returns None or a handle at once. What a plain call cannot know yet arrives later through the handler.
* A property is the last snapshot that an event pushed, never a question to the page.
* Whoever creates an object gives it a handler (as asyncio's Transport and Protocol) and calls ``close()``; after
  ``close()`` no handler method is called and nothing native is held.
* Only plain values cross: str, bytes, numbers, the frozen dataclasses below, and JSON for W3C dictionaries.
* Foreign exceptions become :class:`lk_pyodide.errors.BrowserError`.

Names are W3C's in snake_case: https://www.w3.org/TR/webrtc/, https://www.w3.org/TR/mediacapture-streams/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from lk_pyodide.types import DeviceInfo, DevicePermission

if TYPE_CHECKING:
    from lk_pyodide.browser.api_audio import AudioGraph
    from lk_pyodide.browser.api_processing import Processing
    from lk_pyodide.browser.api_sources import MediaSources, Recorder, RecorderHandler
    from lk_pyodide.browser.api_views import ViewHandler, Views

Json: TypeAlias = "str | int | float | bool | None | Sequence[Json] | Mapping[str, Json]"
MediaKind: TypeAlias = Literal["audio", "video"]
DeviceName: TypeAlias = Literal["camera", "microphone"]
SdpType: TypeAlias = Literal["offer", "answer", "rollback"]


# -- values ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrowserInfo:
    """What is known about the browser when Python starts.

    ``name`` is ``chrome``, ``firefox``, ``safari`` or what the user agent calls itself, in lower case. ``video_codecs``
    are the mime types that a sender can encode, in the browser's order (``video/VP8`` …).
    """

    name: str = ""
    version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""
    is_secure_context: bool = True
    video_codecs: tuple[str, ...] = ()
    page_url: str = ""


@dataclass(frozen=True, slots=True)
class IceServer:
    """``RTCIceServer``."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RtcConfig:
    """The part of ``RTCConfiguration`` that LiveKit uses."""

    ice_servers: tuple[IceServer, ...] = ()
    ice_transport_policy: Literal["all", "relay"] = "all"


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """``RTCSessionDescriptionInit``, with the text to fall back to when the browser refuses ``sdp``."""

    type: SdpType
    sdp: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class DataChannelInit:
    """The part of ``RTCDataChannelInit`` that LiveKit uses."""

    ordered: bool = True
    max_retransmits: int | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """``RTCRtpEncodingParameters``; None leaves the browser's default. Bitrates are bit/s."""

    rid: str | None = None
    active: bool = True
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None
    priority: str | None = None
    scalability_mode: str | None = None


@dataclass(frozen=True, slots=True)
class SenderInit:
    """How a track is sent; ``codec`` is the mime type that is preferred, compared without case."""

    encodings: tuple[Encoding, ...] = ()
    degradation_preference: str | None = None
    codec: str | None = None


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """``MediaTrackSettings``, as far as used; 0, "" or None is unknown."""

    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    device_id: str = ""
    group_id: str = ""
    facing_mode: str = ""
    channel_count: int = 0
    sample_rate: int = 0
    auto_gain_control: bool = False
    echo_cancellation: bool = False
    noise_suppression: bool = False


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Status and body of an HTTP answer."""

    status: int
    text: str


# -- WebSocket ---------------------------------------------------------------------------------------------------------


class WebSocketHandler(Protocol):
    """What happens on a WebSocket. Nothing comes after ``on_close``."""

    def on_open(self) -> None: ...
    def on_message(self, data: bytes | str, /) -> None: ...
    def on_close(self, code: int, reason: str, /) -> None: ...


class WebSocket(Protocol):
    """A binary WebSocket (https://websockets.spec.whatwg.org/)."""

    def send(self, data: bytes, /) -> None:
        """Queue one binary frame; ignored when closed."""
        ...

    def set_last_words(self, data: bytes | None, /) -> None:
        """Keep a frame that the page sends by itself, synchronously, when it is being left; then it closes."""
        ...

    def set_keep_alive(self, data: bytes | None, interval: float, /) -> None:
        """Keep a frame that the page sends by itself whenever nothing was sent for ``interval`` seconds.

        For a worker's Python that is busy. On the page itself nothing can, while Python keeps its thread busy.
        """
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and forget: no handler method is called any more."""
        ...


# -- WebRTC ------------------------------------------------------------------------------------------------------------


class DataChannelHandler(Protocol):
    """What happens on a data channel. Nothing comes after ``on_close``."""

    def on_open(self) -> None: ...
    def on_message(self, data: bytes | str, /) -> None: ...
    def on_buffered_amount_low(self) -> None: ...
    def on_close(self) -> None: ...


class DataChannel(Protocol):
    """``RTCDataChannel``."""

    @property
    def label(self) -> str: ...
    @property
    def id(self) -> int | None: ...
    @property
    def ready_state(self) -> str: ...
    @property
    def buffered_amount(self) -> int:
        """Bytes handed to ``send`` and not yet known to have left."""
        ...

    def send(self, data: bytes, /) -> None:
        """Queue one binary message; raises BrowserError where it is known at once that it cannot go."""
        ...

    def set_buffered_amount_low_threshold(self, size: int, /) -> None: ...
    def close(self) -> None: ...


class MediaTrackHandler(Protocol):
    """What the browser does to a track."""

    def on_ended(self) -> None: ...
    def on_mute(self) -> None: ...
    def on_unmute(self) -> None: ...


class MediaTrack(Protocol):
    """``MediaStreamTrack``."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> MediaKind: ...
    @property
    def label(self) -> str: ...
    @property
    def settings(self) -> TrackSettings: ...
    @property
    def ready_state(self) -> str: ...
    @property
    def native(self) -> object:
        """The browser's own object, for users who ask for it; raises UsageError where Python is not on the page."""
        ...

    def set_handler(self, handler: MediaTrackHandler | None, /) -> None: ...
    def set_enabled(self, enabled: bool, /) -> None: ...
    def set_content_hint(self, hint: str, /) -> None: ...
    async def clone(self) -> MediaTrack:
        """Make another track of the same source, with an id of its own. Each is ended by itself."""
        ...

    def end(self) -> None:
        """End the track and let the device go, but know the track: a connection may still get it, as one that is off.

        No handler hears of it.
        """
        ...

    def stop(self) -> None:
        """End the track and let the device go; implies ``close``."""
        ...

    def close(self) -> None:
        """Forget the track without ending it."""
        ...


class Sender(Protocol):
    """``RTCRtpSender`` with its transceiver."""

    async def replace_track(self, track: MediaTrack | None, /) -> None: ...
    async def set_encodings(self, encodings: Sequence[Encoding], /) -> None:
        """Overwrite the given fields of the encodings, matched by rid, or by place where there is none."""
        ...

    async def set_degradation_preference(self, preference: str, /) -> None:
        """Tell what to give up first; a browser that does not know of it ignores it."""
        ...

    async def get_stats(self) -> Sequence[Mapping[str, Json]]: ...
    def remove(self) -> None:
        """Stop sending: no track, transceiver inactive. The next offer tells the other side."""
        ...


class Receiver(Protocol):
    """``RTCRtpReceiver``."""

    async def get_stats(self) -> Sequence[Mapping[str, Json]]: ...
    async def get_audio_level(self) -> float | None:
        """How loud the newest sound is, 0 to 1, as its sender measured it; None when nothing new was heard.

        From ``getSynchronizationSources()``: the volume of elements does not count.
        """
        ...

    def set_playout_delay(self, seconds: float, /) -> None:
        """Hold what comes for about this long before it is played (``jitterBufferTarget``), at most 4 seconds.

        0 leaves it to the browser. With one that cannot nothing happens but a line in the log.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrackArrival:
    """``RTCTrackEvent``: a track of the other side, with its transceiver's mid and its streams' ids."""

    track: MediaTrack
    receiver: Receiver
    mid: str
    stream_ids: tuple[str, ...]


class PeerConnectionHandler(Protocol):
    """What happens on a peer connection."""

    def on_connection_state(self, state: str, /) -> None: ...
    def on_ice_candidate(self, candidate: str, /) -> None:
        """A local candidate as the JSON of ``RTCIceCandidateInit``."""
        ...

    def on_track(self, arrival: TrackArrival, /) -> None: ...
    def on_data_channel(self, channel: DataChannel, /) -> DataChannelHandler | None:
        """The other side opened a channel; without a handler it is closed."""
        ...


class PeerConnection(Protocol):
    """``RTCPeerConnection``."""

    @property
    def connection_state(self) -> str: ...
    @property
    def signaling_state(self) -> str: ...
    def set_configuration(self, config: RtcConfig, /) -> None: ...
    def create_data_channel(self, label: str, init: DataChannelInit, handler: DataChannelHandler, /) -> DataChannel: ...
    def add_receiver(self, kind: MediaKind, /) -> None:
        """Add a receive-only transceiver."""
        ...

    def add_sender(self, track: MediaTrack, init: SenderInit, /) -> Sender:
        """Add a send-only transceiver for ``track``."""
        ...

    def send_on(self, mid: str, track: MediaTrack | None, /) -> None:
        """Send a track in a section that the other side offered to receive, or nothing in it any more.

        For between its offer and our answer. Several connections may send one track.
        """
        ...

    async def create_offer(self, *, ice_restart: bool = False) -> str: ...
    async def create_answer(self) -> str: ...
    async def set_local_description(self, description: SessionDescription, /) -> None: ...
    async def set_remote_description(self, description: SessionDescription, /) -> None: ...
    def add_ice_candidate(self, candidate: str, /) -> None:
        """Add a remote candidate given as JSON; a bad one is logged, as it can only make the connection slower."""
        ...

    async def get_stats(self) -> Sequence[Mapping[str, Json]]: ...
    def close(self) -> None:
        """Close, with its channels, senders and received tracks."""
        ...


# -- other tabs --------------------------------------------------------------------------------------------------------


class BroadcastHandler(Protocol):
    """What others say on a BroadcastChannel."""

    def on_broadcast(self, data: bytes, /) -> None: ...


class BroadcastChannel(Protocol):
    """``BroadcastChannel``: everyone of this origin hears what is posted, except who posts it."""

    def post(self, data: bytes, /) -> None:
        """Say something; ignored when closed."""
        ...

    def close(self) -> None: ...


class Lock(Protocol):
    """A Web Lock that is held (https://w3c.github.io/web-locks/). It goes when this Python goes."""

    async def lost(self) -> None:
        """Wait until somebody has stolen it. That may never be: cancel it."""
        ...

    def release(self) -> None: ...


# -- files -------------------------------------------------------------------------------------------------------------


class Blob(Protocol):
    """``Blob``, or ``File``, which is one with a name."""

    @property
    def name(self) -> str:
        """Empty for a Blob."""
        ...

    @property
    def mime_type(self) -> str: ...
    @property
    def size(self) -> int: ...
    async def read(self, start: int, end: int, /) -> bytes:
        """Read a part. Raises BrowserError when the file is gone, or has changed."""
        ...


# -- media -------------------------------------------------------------------------------------------------------------


class MediaDevices(Protocol):
    """``navigator.mediaDevices``."""

    async def get_user_media(self, constraints: Mapping[str, Json], /) -> Sequence[MediaTrack]:
        """Ask for camera and microphone. Raises MediaDeviceError, DeviceUnsupportedError."""
        ...

    def get_display_media(self, constraints: Mapping[str, Json], /) -> Awaitable[Sequence[MediaTrack]]:
        """Ask for a screen. Acts at call time, because the user's click is forgotten at the first ``await``."""
        ...

    async def enumerate_devices(self) -> Sequence[DeviceInfo]: ...
    async def query_permission(self, name: DeviceName, /) -> DevicePermission:
        """Tell whether the page may open such a device. Never raises: some browsers do not know the question."""
        ...


class MediaElementHandler(Protocol):
    """What a media element has to say."""

    def on_playing(self) -> None: ...
    def on_play_failed(self, name: str, message: str, /) -> None:
        """``play()`` was refused; ``NotAllowedError`` means that a click is needed first."""
        ...


class MediaElement(Protocol):
    """An ``<audio>`` or ``<video>`` element on the page."""

    @property
    def native(self) -> object:
        """The browser's own element; raises UsageError where Python is not on the page."""
        ...

    def attach(self, track: MediaTrack, /) -> None:
        """Play ``track``, in place of another of its kind, and start playing."""
        ...

    def detach(self, track: MediaTrack, /) -> None: ...
    def play(self) -> Awaitable[None]:
        """Start at call time (in a click). Raises PlaybackError."""
        ...

    def set_muted(self, muted: bool, /) -> None: ...
    def set_volume(self, volume: float, /) -> None: ...
    async def set_sink_id(self, device_id: str, /) -> None: ...
    def mount(self, target: object, /) -> None:
        """Append the element to a CSS selector's first match, or to a native node."""
        ...

    def show(self, place: str, caption: str = "") -> None:
        """Let the element stand, with a caption, in the newest node with this name in ``data-lk-place``.

        The node may come later, as the output of a notebook does, and may come again. Words in it that are marked with
        ``data-lk-empty`` are hidden meanwhile.
        """
        ...

    def close(self) -> None:
        """Forget the element; one that was made here leaves the page."""
        ...


# -- the page ----------------------------------------------------------------------------------------------------------


class PageHandler(Protocol):
    """What happens to the page."""

    def on_page_hide(self) -> None:
        """The page is being left; last words have been sent already."""
        ...

    def on_online(self, online: bool, /) -> None: ...
    def on_device_change(self) -> None: ...


class Subscription(Protocol):
    """Something that goes on until it is closed."""

    def close(self) -> None: ...


class Browser(Protocol):
    """One browser page, as seen from Python. Whoever uses it awaits ``ready()`` first."""

    async def ready(self) -> None:
        """Reach the page. Raises UnsupportedHostError, which says what is missing."""
        ...

    @property
    def info(self) -> BrowserInfo: ...
    @property
    def media_devices(self) -> MediaDevices: ...
    @property
    def audio_graph(self) -> AudioGraph: ...
    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> WebSocket: ...
    def new_peer_connection(self, config: RtcConfig, handler: PeerConnectionHandler, /) -> PeerConnection: ...
    def adopt_track(self, native: object, /) -> MediaTrack:
        """Wrap a MediaStreamTrack that the user made."""
        ...

    def adopt_blob(self, native: object, /) -> Blob:
        """Wrap a Blob or a File that the user has. Raises UsageError for anything else.

        From a worker it must be one of the worker's own: those of the page cannot come to it.
        """
        ...

    def new_element(self, kind: MediaKind, target: object | None, handler: MediaElementHandler, /) -> MediaElement:
        """Make or find an element.

        Args:
            kind: which element to make.
            target: None makes an element that is on no page yet (audio plays anyway); a CSS selector or a native
                node that is a media element is used itself; any other gets a new element appended.
            handler: hears of playback.

        Raises:
            UsageError: where it is known at once that the target does not exist.
        """
        ...

    @property
    def sources(self) -> MediaSources: ...
    def new_processing(self, processor: object, /) -> Processing:
        """Have a processor of the user's work; raises UsageError where Python is not on the page."""
        ...

    def record(
        self, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler, /
    ) -> Recorder:
        """Record a track from now on.

        Args:
            track: what to record.
            mime_types: the first that the browser can record is taken, or its own choice.
            timeslice: seconds of each piece.
            handler: gets the pieces.
        """
        ...

    def watch_views(self, handler: ViewHandler, /) -> Views:
        """Watch how much of elements is to be seen; none at first."""
        ...

    def watch_page(self, handler: PageHandler, /) -> Subscription: ...
    def open_broadcast_channel(self, name: str, handler: BroadcastHandler, /) -> BroadcastChannel: ...
    async def request_lock(self, name: str, /, *, steal: bool = False) -> Lock:
        """Wait for a lock that one holder has at a time, in the order of asking.

        Args:
            name: the lock's, among all tabs of this origin.
            steal: take it from who has it, at once: for a tab that is frozen and cannot let go.

        Raises:
            DeviceUnsupportedError: the page has no locks, as it is not secure.
        """
        ...

    async def fetch(
        self,
        url: str,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        timeout: float = 5.0,
    ) -> FetchResult:
        """Make an HTTP request and read the answer's text.

        Args:
            url: an absolute address.
            method: ``GET`` and ``HEAD`` have no body.
            headers: a body without a ``Content-Type`` here is ``text/plain``.
            body: what to send, as UTF-8.
            timeout: seconds for all of it.

        Raises:
            BrowserError: the server was not reached, or does not let this page read its answers.
            DeadlineExceeded: it took longer.
        """
        ...
