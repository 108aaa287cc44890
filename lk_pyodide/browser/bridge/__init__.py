"""The waist from a worker: a page agent (``web/agent``) owns the native objects, and Python drives it by messages.

Imported only by :func:`lk_pyodide.browser.current.current`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
from lk_pyodide.browser.bridge.carrier import Hello, JsCarrier
from lk_pyodide.browser.bridge.elements import BridgeElement
from lk_pyodide.browser.bridge.media import BridgeMediaDevices
from lk_pyodide.browser.bridge.peer import BridgeConnection
from lk_pyodide.browser.bridge.protocol import Bridge, Remote, answered
from lk_pyodide.browser.bridge.socket import BridgeWebSocket
from lk_pyodide.browser.direct.blob import DirectBlob, adopt_blob
from lk_pyodide.browser.direct.page import fetch
from lk_pyodide.browser.direct.tabs import DirectBroadcastChannel, DirectLock, request_lock
from lk_pyodide.browser.guard import closed_error
from lk_pyodide.browser.useragent import parse_user_agent
from lk_pyodide.errors import TrackInvalidError, UnsupportedHostError, UsageError

if TYPE_CHECKING:
    from lk_pyodide.browser.api_processing import Processing
    from lk_pyodide.browser.api_sources import RecorderHandler
    from lk_pyodide.browser.api_views import ViewHandler, Views
    from lk_pyodide.browser.bridge.audio import BridgeAudioGraph
    from lk_pyodide.browser.bridge.sources import BridgeRecorder, BridgeSources

__all__ = ["BridgeBrowser"]


class BridgeBrowser:
    """The page, from a worker.

    Args:
        dial: finds the page's agent.
    """

    def __init__(self, dial: Callable[[], Awaitable[tuple[JsCarrier, Hello]]]) -> None:
        self._dial = dial
        self._dialling: asyncio.Task[None] | None = None
        self._bridge: Bridge | None = None
        self._info = BrowserInfo()

    async def ready(self) -> None:
        """Wait until the page's agent answers; a failure is tried again by the next call."""
        if self._bridge is not None:
            return
        if self._dialling is None:
            self._dialling = asyncio.ensure_future(self._connect())
        dialling = self._dialling
        try:
            await asyncio.shield(dialling)
        finally:
            if dialling.done():
                self._dialling = None

    async def _reach(self) -> Bridge:
        await self.ready()
        return self.bridge

    async def _connect(self) -> None:
        carrier, hello = await self._dial()
        bridge = Bridge(carrier)
        carrier.start(bridge.receive)
        self._info = _read_info(hello.page)
        self._bridge = bridge

    @property
    def bridge(self) -> Bridge:
        """The connection to the agent.

        Raises:
            UnsupportedHostError: nobody has awaited :meth:`ready`.
        """
        if self._bridge is None:
            raise UnsupportedHostError("the page has not been reached yet: connect a room, or open a device, first")
        return self._bridge

    @property
    def info(self) -> BrowserInfo:
        """What was known at the start."""
        return self._info

    @property
    def media_devices(self) -> BridgeMediaDevices:
        """Cameras, microphones, screens."""
        return BridgeMediaDevices(self._reach)

    @property
    def audio_graph(self) -> BridgeAudioGraph:
        """Web Audio."""
        from lk_pyodide.browser.bridge.audio import BridgeAudioGraph  # few need it

        return BridgeAudioGraph(self.bridge)

    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> BridgeWebSocket:
        """Open a WebSocket."""
        return BridgeWebSocket(self.bridge, url, handler)

    def new_peer_connection(self, config: RtcConfig, handler: PeerConnectionHandler, /) -> BridgeConnection:
        """Make a peer connection."""
        return BridgeConnection(self.bridge, config, handler)

    def adopt_track(self, native: object, /) -> Any:
        """There is none to adopt: a MediaStreamTrack cannot come to a worker."""
        raise TrackInvalidError(f"Python runs in a worker, which a MediaStreamTrack cannot come to: {native!r}")

    def adopt_blob(self, native: object, /) -> DirectBlob:
        """Wrap a Blob or a File of the worker's own: those of the page cannot come to it."""
        return adopt_blob(native, " (Python runs in a worker, which a File of the page cannot come to: read it there)")

    @property
    def sources(self) -> BridgeSources:
        """Tracks that are no device's."""
        from lk_pyodide.browser.bridge.sources import BridgeSources

        return BridgeSources(self._reach)

    def new_processing(self, processor: object, /) -> Processing:
        """There is none: it works with what cannot leave the page."""
        raise UsageError("Python runs in a worker, which the tracks that a processor works with cannot come to")

    def record(
        self, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler, /
    ) -> BridgeRecorder:
        """Record a track."""
        from lk_pyodide.browser.bridge.sources import BridgeRecorder

        return BridgeRecorder(self.bridge, track, mime_types, timeslice, handler)

    def new_element(self, kind: MediaKind, target: object | None, handler: MediaElementHandler, /) -> BridgeElement:
        """Make or find a media element."""
        return BridgeElement(self.bridge, kind, target, handler)

    def watch_views(self, handler: ViewHandler, /) -> Views:
        """Tell ``handler`` how much of elements is to be seen."""
        from lk_pyodide.browser.bridge.views import BridgeViews

        return BridgeViews(self.bridge, handler)

    def watch_page(self, handler: PageHandler, /) -> Subscription:
        """Tell ``handler`` what happens to the page."""
        return _Watch(self.bridge, handler)

    def open_broadcast_channel(self, name: str, handler: BroadcastHandler, /) -> DirectBroadcastChannel:
        """Speak with the other tabs: a worker can do so by itself."""
        return DirectBroadcastChannel(name, handler)

    async def request_lock(self, name: str, /, *, steal: bool = False) -> DirectLock:
        """Wait for a lock: a worker can do so by itself."""
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
        """Make an HTTP request: a worker can do so by itself."""
        return await fetch(url, method, headers or {}, body, timeout)

    async def count_objects(self) -> int:
        """How many objects we have on the page; for tests."""
        return int(await answered(self.bridge.start(0, "countObjects")))


class _Watch(Remote):
    """One handler's subscription to what happens to the page."""

    def __init__(self, bridge: Bridge, handler: PageHandler) -> None:
        super().__init__(bridge)
        self._handler = handler
        bridge.cast(0, "watch", self.handle)

    def on_event(self, event: str, *values: Any) -> None:
        """Something happened to the page."""
        if event == "hide":
            self._handler.on_page_hide()
        elif event == "network":
            self._handler.on_online(values[0])
        elif event == "devices":
            self._handler.on_device_change()

    def close(self) -> None:
        """Stop watching."""
        self._close(closed_error("page"))


def _read_info(page: Mapping[str, Any]) -> BrowserInfo:
    agent = parse_user_agent(page["user_agent"], max_touch_points=page["max_touch_points"])
    return BrowserInfo(
        name=agent.name,
        version=agent.version,
        os=agent.os,
        os_version=agent.os_version,
        device=agent.device,
        is_secure_context=page["is_secure_context"],
        video_codecs=tuple(page["video_codecs"]),
        page_url=page["page_url"],
    )
