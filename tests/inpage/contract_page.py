"""What a contract case can do to the page, and cases for what only a page has. Only imported in a page."""

from __future__ import annotations

from lk_pyodide.browser.current import current
from lk_pyodide.browser.ffi import Js, js
from tests.inpage.native_files import make_native_file


class PageEnv:
    """The page that this runs in."""

    on_page = True

    def __init__(self, name: str, server: str) -> None:
        self.browser = current()
        self.name = name
        self.echo_url = f"ws://{server}/echo"
        self.refused_url = f"ws://{server}/refused"
        self.http_url = f"http://{server}/hello"
        self._nodes: list[Js] = []
        self._tracks: list[Js] = []

    async def leave_page(self) -> None:
        """What the browser does to a page that is being left; but this one stays."""
        js.window.dispatchEvent(js.PageTransitionEvent.new("pagehide"))

    async def go_online(self, online: bool) -> None:
        """The network comes or goes."""
        js.window.dispatchEvent(js.Event.new("online" if online else "offline"))

    async def change_devices(self) -> None:
        """A device comes or goes."""
        js.navigator.mediaDevices.dispatchEvent(js.Event.new("devicechange"))

    def make_native_track(self) -> object:
        """A MediaStreamTrack that is not ours."""
        track = js.document.createElement("canvas").captureStream().getVideoTracks()[0]
        self._tracks.append(track)
        return track

    def make_native_file(self, content: bytes, name: str, mime_type: str) -> object:
        """A File or a Blob that is not ours."""
        return make_native_file(content, name, mime_type)

    async def add_node(self, tag: str, name: str) -> None:
        """Put an element on the page."""
        node = js.document.createElement(tag)
        node.id = name
        js.document.body.appendChild(node)
        self._nodes.append(node)

    async def show_node(self, name: str, width: int, height: int, where: str) -> None:
        """Give it a size and a place."""
        js.lkActions.showNode(name, width, height, where)

    async def pin_node(self, name: str, pinned: bool) -> None:
        """Tell what the browser tells of picture-in-picture, which only a click can begin."""
        js.lkActions.pinNode(name, pinned)

    async def hide_page(self, hidden: bool) -> None:
        """Tell what the browser tells of a page in the background; but this one stays."""
        js.lkActions.hidePage(hidden)

    def close(self) -> None:
        """Take away what was put on the page."""
        for node in self._nodes:
            node.remove()
        js.lkActions.cleanUp()
        for track in self._tracks:
            track.stop()
