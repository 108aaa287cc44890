"""A browser made of plain Python: in memory, without network, without clock, in a fixed order.

Public as ``lk_pyodide.testing.FakeBrowser``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

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
    TrackSettings,
    WebSocketHandler,
)
from lk_pyodide.browser.api_sources import RecorderHandler
from lk_pyodide.browser.api_views import ViewHandler
from lk_pyodide.browser.fake.audio import FakeAudioGraph, FakeOutput
from lk_pyodide.browser.fake.blob import FakeBlob, FakeFile
from lk_pyodide.browser.fake.elements import FakeElement, FakeNode, FakePage
from lk_pyodide.browser.fake.media import FakeMediaDevices, FakeMediaStreamTrack, FakeTrack
from lk_pyodide.browser.fake.network import FakeNetwork
from lk_pyodide.browser.fake.peer import FakePeerConnection
from lk_pyodide.browser.fake.processing import FakeProcessing
from lk_pyodide.browser.fake.sources import FakeRecorder, FakeSources
from lk_pyodide.browser.fake.tabs import FakeBroadcastChannel, FakeLock
from lk_pyodide.browser.fake.views import FakeViews
from lk_pyodide.browser.fake.websocket import Endpoint, FakeServerSocket, FakeSocketClosed, FakeWebSocket
from lk_pyodide.browser.guard import call
from lk_pyodide.errors import BrowserError, DeadlineExceeded, TrackInvalidError, UsageError
from lk_pyodide.types import DeviceInfo

__all__ = [
    "FakeBrowser",
    "FakeElement",
    "FakeFile",
    "FakeMediaDevices",
    "FakeMediaStreamTrack",
    "FakeNetwork",
    "FakeNode",
    "FakePeerConnection",
    "FakeServerSocket",
    "FakeSocketClosed",
    "FakeTrack",
    "FakeWebSocket",
]

_T = TypeVar("_T")

FakeAnswer: TypeAlias = "FetchResult | BrowserError | Callable[[FakeRequest], FetchResult | Awaitable[FetchResult]]"


class FakeRequest:
    """What ``fetch`` was asked for."""

    def __init__(self, url: str, method: str, headers: Mapping[str, str], body: str | None) -> None:
        self.url = url
        self.method = method
        self.headers = dict(headers)
        self.body = body


class FakePageWatch:
    """One handler's subscription to what happens to the page."""

    def __init__(self, browser: FakeBrowser, handler: PageHandler) -> None:
        self._browser = browser
        self.handler: PageHandler | None = handler
        browser.opened(self)

    def close(self) -> None:
        """Stop watching."""
        self.handler = None
        self._browser.closed(self)


INFO = BrowserInfo(
    name="chrome",
    version="156.0.0.0",
    os="Linux",
    video_codecs=("video/VP8", "video/VP9", "video/H264", "video/AV1"),
    page_url="http://localhost/index.html",
)


class FakeBrowser:
    """A browser for tests: ``Room(browser=FakeBrowser())``.

    Args:
        info: which browser it says it is.
        network: share one with another FakeBrowser to let their peer connections meet.

    Attributes:
        refuse_sdp: told the text of every description; True makes the browser refuse it.
        playback_blocked: whether ``play()`` with sound needs a click that has not come.
        fetched: all requests that were made.
    """

    def __init__(self, info: BrowserInfo = INFO, network: FakeNetwork | None = None) -> None:
        self.network = network or FakeNetwork()
        self.page = FakePage()
        self.refuse_sdp: Callable[[str], bool] = lambda _: False
        self.playback_blocked = False
        self.fetched: list[FakeRequest] = []
        self.awake = asyncio.Event()
        self.awake.set()
        self._info = info
        self._media_devices = FakeMediaDevices(self)
        self._sources = FakeSources(self)
        self._audio_graph = FakeAudioGraph(self)
        self._endpoints: dict[str, Endpoint] = {}
        self._answers: dict[str, FakeAnswer] = {}
        self._open: dict[int, object] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- the waist

    async def ready(self) -> None:
        """Nothing to wait for."""

    @property
    def info(self) -> BrowserInfo:
        """Which browser it says it is."""
        return self._info

    @property
    def media_devices(self) -> FakeMediaDevices:
        """Cameras, microphones, screens."""
        return self._media_devices

    @property
    def audio_graph(self) -> FakeAudioGraph:
        """Web Audio."""
        return self._audio_graph

    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> FakeWebSocket:
        """Open a WebSocket to what :meth:`serve` registered."""
        return FakeWebSocket(self, url, handler)

    def new_peer_connection(self, config: RtcConfig, handler: PeerConnectionHandler, /) -> FakePeerConnection:
        """Make a peer connection."""
        return FakePeerConnection(self, config, handler)

    def adopt_track(self, native: object, /) -> FakeTrack:
        """Wrap a track."""
        if not isinstance(native, FakeMediaStreamTrack):
            raise TrackInvalidError("this is not a MediaStreamTrack")
        return FakeTrack(self, native)

    def adopt_blob(self, native: object, /) -> FakeBlob:
        """Wrap a file."""
        if not isinstance(native, FakeFile):
            raise UsageError(f"this is not a file: {type(native).__name__}")
        return FakeBlob(native)

    @property
    def sources(self) -> FakeSources:
        """Tracks that are no device's."""
        return self._sources

    def new_processing(self, processor: object, /) -> FakeProcessing:
        """Have a processor work."""
        return FakeProcessing(self, processor)

    def record(
        self, track: MediaTrack, mime_types: Sequence[str], timeslice: float, handler: RecorderHandler, /
    ) -> FakeRecorder:
        """Record a track: tests say what is heard."""
        return FakeRecorder(self, track, mime_types, handler)

    def new_element(self, kind: MediaKind, target: object | None, handler: MediaElementHandler, /) -> FakeElement:
        """Make or find a media element."""
        return self.page.open(self, kind, target, handler)

    def watch_views(self, handler: ViewHandler, /) -> FakeViews:
        """Tell ``handler`` how much of elements is to be seen."""
        return FakeViews(self, handler)

    def watch_page(self, handler: PageHandler, /) -> FakePageWatch:
        """Tell ``handler`` what happens to the page."""
        return FakePageWatch(self, handler)

    def open_broadcast_channel(self, name: str, handler: BroadcastHandler, /) -> FakeBroadcastChannel:
        """Speak with the other browsers of the network."""
        return FakeBroadcastChannel(self, name, handler)

    async def request_lock(self, name: str, /, *, steal: bool = False) -> FakeLock:
        """Wait for a lock."""
        await self.awake.wait()
        return FakeLock(self, name, await self.network.tabs.request(name, steal=steal))

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
        """Make an HTTP request to what :meth:`respond` registered."""
        request = FakeRequest(url, method, headers or {}, body)
        self.fetched.append(request)
        await asyncio.sleep(0)
        if body is not None and method in ("GET", "HEAD"):
            raise BrowserError("Request with GET/HEAD method cannot have body.", "TypeError")
        answer = _find(self._answers, url)
        if answer is None:
            raise BrowserError("Failed to fetch", "TypeError")
        if isinstance(answer, BrowserError):
            raise answer
        if isinstance(answer, FetchResult):
            return answer
        result = answer(request)
        if isinstance(result, FetchResult):
            return result
        try:
            async with asyncio.timeout(timeout):
                return await result
        except TimeoutError:
            raise DeadlineExceeded(f"no answer within {timeout:g} s") from None

    # -- what tests can do

    def serve(self, url_prefix: str, endpoint: Endpoint) -> None:
        """Let ``endpoint`` be the server of all WebSockets whose address begins like this (the longest wins)."""
        self._endpoints[url_prefix] = endpoint

    def respond(self, url_prefix: str, answer: FakeAnswer) -> None:
        """Answer requests whose address begins like this: with a result, an error, or what a function says."""
        self._answers[url_prefix] = answer

    def add_node(self, selector: str, tag: str = "div") -> FakeNode:
        """Put an element on the page, which this very text selects."""
        node = self.page.nodes[selector] = FakeNode(tag)
        return node

    def show_node(
        self, node: FakeNode, width: float, height: float, *, in_sight: bool = True, in_picture: bool = False
    ) -> None:
        """Let a node have this size in CSS pixels, be scrolled away or not, and have a window of its own or not."""
        node.width, node.height, node.in_sight, node.in_picture = width, height, in_sight, in_picture
        self.look_again()

    def show_page(self, *, is_hidden: bool, pixel_ratio: float = 1.0) -> None:
        """The page goes into the background, or comes back, or to another screen."""
        self.page.is_hidden, self.page.pixel_ratio = is_hidden, pixel_ratio
        self.look_again()

    def look_again(self) -> None:
        """Whoever watches elements is told what has changed."""
        for views in self._get(FakeViews):
            views.look()

    def make_track(self, kind: MediaKind, label: str = "") -> FakeMediaStreamTrack:
        """Make a native track that is no device's, for ``adopt_track``."""
        return FakeMediaStreamTrack(kind, self.network.make_id("track"), label, TrackSettings())

    def leave_page(self) -> None:
        """What happens when the page is left: last words, then the handlers."""
        for socket in self._get(FakeWebSocket):
            socket.say_last_words()
        self._tell(lambda handler: handler.on_page_hide())

    def freeze(self) -> None:
        """The tab is suspended: it says nothing to other tabs and hears nothing of them. It keeps its locks."""
        self.awake.clear()

    def thaw(self) -> None:
        """It goes on, and hears what has been said meanwhile."""
        self.awake.set()
        for channel in self._get(FakeBroadcastChannel):
            channel.catch_up()

    def crash(self) -> None:
        """The tab is gone, with its locks and its connections, and without a word."""
        self.awake.clear()
        for lock in self._get(FakeLock):
            lock.release()
        for pc in self._get(FakePeerConnection):
            pc.close()

    def set_online(self, online: bool) -> None:
        """The network comes or goes (but nothing breaks by that)."""
        self._tell(lambda handler: handler.on_online(online))

    def set_devices(self, devices: list[DeviceInfo]) -> None:
        """Devices come and go. Their tracks do not end by that."""
        self._media_devices.devices = devices
        self._tell(lambda handler: handler.on_device_change())

    def get_open(self) -> list[object]:
        """All that was opened and not closed: sockets, connections, tracks, elements, watches."""
        return list(self._open.values())

    def get_outputs(self) -> list[FakeOutput]:
        """The tracks that Web Audio plays."""
        return self._get(FakeOutput)

    async def aclose(self) -> None:
        """End the servers that still run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- for the objects of this browser

    def opened(self, thing: object) -> None:
        """Something has to be closed."""
        self._open[id(thing)] = thing

    def closed(self, thing: object) -> None:
        """It is closed."""
        self._open.pop(id(thing), None)

    def find_endpoint(self, url: str) -> Endpoint | None:
        """The server of an address."""
        return _find(self._endpoints, url)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a server."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _get(self, kind: type[_T]) -> list[_T]:
        return [thing for thing in self._open.values() if isinstance(thing, kind)]

    def _tell(self, what: Callable[[PageHandler], None]) -> None:
        for watch in self._get(FakePageWatch):
            if watch.handler is not None:
                call(what, watch.handler)


def _find(table: Mapping[str, _T], url: str) -> _T | None:
    matching = [prefix for prefix in table if url.startswith(prefix)]
    return table[max(matching, key=len)] if matching else None
