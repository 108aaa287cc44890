"""The waist on the page's own thread: native objects, one foreign call for each of ours.

Imported only by :func:`lk_pyodide.browser.current.current`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from lk_pyodide.browser.api import (
    BroadcastHandler,
    BrowserInfo,
    FetchResult,
    MediaElementHandler,
    MediaKind,
    MediaTrack,
    PageHandler,
    PeerConnectionHandler,
    RtcConfig,
    Subscription,
    WebSocketHandler,
)
from lk_pyodide.browser.direct.blob import DirectBlob, adopt_blob
from lk_pyodide.browser.direct.elements import DirectElement, Elements
from lk_pyodide.browser.direct.media import DirectMediaDevices, DirectTrack, adopt_track
from lk_pyodide.browser.direct.page import Page, fetch
from lk_pyodide.browser.direct.peer import DirectPeerConnection
from lk_pyodide.browser.direct.tabs import DirectBroadcastChannel, DirectLock, request_lock
from lk_pyodide.browser.direct.websocket import DirectWebSocket
from lk_pyodide.browser.ffi import Js, from_js_json, is_nothing, js
from lk_pyodide.browser.useragent import parse_user_agent
from lk_pyodide.errors import DeviceUnsupportedError

if TYPE_CHECKING:
    from lk_pyodide.browser.api_sources import RecorderHandler
    from lk_pyodide.browser.api_views import ViewHandler, Views
    from lk_pyodide.browser.direct.audio import DirectAudioGraph
    from lk_pyodide.browser.direct.processing import DirectProcessing
    from lk_pyodide.browser.direct.recorder import DirectRecorder
    from lk_pyodide.browser.direct.sources import DirectSources

__all__ = ["DirectBrowser"]


class DirectBrowser:
    """The page that Python runs in."""

    def __init__(self) -> None:
        self._info = _read_info()
        self._page = Page(self._info.name)
        self._media_devices = DirectMediaDevices()
        self._audio_graph: DirectAudioGraph | None = None
        is_safari = self._info.name == "safari"
        self._elements = Elements(is_safari=is_safari, is_late=is_safari or self._info.name == "firefox")

    async def ready(self) -> None:
        """Nothing to wait for: Python is on the page."""

    @property
    def info(self) -> BrowserInfo:
        """What was known at the start."""
        return self._info

    @property
    def media_devices(self) -> DirectMediaDevices:
        """Cameras, microphones, screens."""
        return self._media_devices

    @property
    def audio_graph(self) -> DirectAudioGraph:
        """Web Audio."""
        if self._audio_graph is None:
            from lk_pyodide.browser.direct.audio import DirectAudioGraph  # few need it

            self._audio_graph = DirectAudioGraph()
        return self._audio_graph

    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> DirectWebSocket:
        """Open a WebSocket."""
        return DirectWebSocket(url, handler, self._page)

    def new_peer_connection(self, config: RtcConfig, handler: PeerConnectionHandler, /) -> DirectPeerConnection:
        """Make a peer connection."""
        if not hasattr(js, "RTCPeerConnection"):
            raise DeviceUnsupportedError("this browser has no WebRTC, or it is switched off", "NotSupportedError")
        return DirectPeerConnection(config, handler, is_firefox=self._info.name == "firefox")

    def adopt_track(self, native: object, /) -> DirectTrack:
        """Wrap a MediaStreamTrack that the user made."""
        return adopt_track(native)

    def adopt_blob(self, native: object, /) -> DirectBlob:
        """Wrap a Blob or a File that the user has."""
        return adopt_blob(native)

    @property
    def sources(self) -> DirectSources:
        """Tracks that are no device's."""
        from lk_pyodide.browser.direct.sources import DirectSources

        return DirectSources()

    def new_processing(self, processor: object, /) -> DirectProcessing:
        """Have a processor work."""
        from lk_pyodide.browser.direct.processing import DirectProcessing

        return DirectProcessing(processor)

    def record(
        self, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler, /
    ) -> DirectRecorder:
        """Record a track."""
        from lk_pyodide.browser.direct.recorder import DirectRecorder

        return DirectRecorder(track, mime_types, timeslice, handler)

    def new_element(self, kind: MediaKind, target: object | None, handler: MediaElementHandler, /) -> DirectElement:
        """Make or find a media element."""
        return self._elements.open(kind, target, handler)

    def watch_views(self, handler: ViewHandler, /) -> Views:
        """Tell ``handler`` how much of elements is to be seen."""
        from lk_pyodide.browser.direct.views import DirectViews

        return DirectViews(handler)

    def watch_page(self, handler: PageHandler, /) -> Subscription:
        """Tell ``handler`` what happens to the page."""
        return self._page.watch(handler)

    def open_broadcast_channel(self, name: str, handler: BroadcastHandler, /) -> DirectBroadcastChannel:
        """Speak with the other tabs."""
        return DirectBroadcastChannel(name, handler)

    async def request_lock(self, name: str, /, *, steal: bool = False) -> DirectLock:
        """Wait for a lock."""
        return await request_lock(name, steal=steal)

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
        """Make an HTTP request."""
        return await fetch(url, method, headers or {}, body, timeout)


_NOT_CODECS = ("rtx", "red", "ulpfec", "flexfec-03", "flexfec")


def _read_info() -> BrowserInfo:
    agent = parse_user_agent(
        str(js.navigator.userAgent), max_touch_points=int(getattr(js.navigator, "maxTouchPoints", None) or 0)
    )
    location = js.location
    return BrowserInfo(
        name=agent.name,
        version=agent.version,
        os=agent.os,
        os_version=agent.os_version,
        device=agent.device,
        is_secure_context=bool(getattr(js, "isSecureContext", True)),
        video_codecs=_read_video_codecs(),
        page_url=f"{location.origin}{location.pathname}",  # what follows is the application's business
    )


def _read_video_codecs() -> tuple[str, ...]:
    sender: Js = getattr(js, "RTCRtpSender", None)
    if is_nothing(sender) or not hasattr(sender, "getCapabilities"):
        return ()
    js_capabilities = sender.getCapabilities("video")
    if is_nothing(js_capabilities):
        return ()
    codecs = cast("list[dict[str, object]]", from_js_json(js_capabilities.codecs))
    names = (str(codec["mimeType"]) for codec in codecs)
    return tuple(dict.fromkeys(name for name in names if name.partition("/")[2].lower() not in _NOT_CODECS))
