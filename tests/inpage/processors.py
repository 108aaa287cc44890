"""A camera that a processor of Python paints over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lk_pyodide import LocalVideoTrack, ProcessorOptions, Room, VideoCaptureOptions, VideoPresets
from tests.inpage import steps

if TYPE_CHECKING:
    from lk_pyodide.browser.ffi import Js

_SIZE = 200, 100
_MIRROR = """(element, width, height) => {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  const timer = setInterval(() => {
    context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(element, 0, 0, width, height);
  }, 50);
  return {stop: () => clearInterval(timer), track: canvas.captureStream(20).getVideoTracks()[0]};
}"""


class Mirror:
    """Turns the picture round, and makes it small."""

    name = "mirror"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.processed_track: Js = None
        self._js_work: Js = None

    async def init(self, options: ProcessorOptions) -> None:
        """Begin to paint what the element shows."""
        from lk_pyodide.browser.ffi import js  # where there is JavaScript

        self.calls.append("init")
        self._js_work = js.eval(_MIRROR)(options.element, *_SIZE)
        self.processed_track = self._js_work.track

    async def restart(self, options: ProcessorOptions) -> None:
        """Go on: the element shows the other track already."""
        self.calls.append("restart")

    async def destroy(self) -> None:
        """Stop painting."""
        self.calls.append("destroy")
        self._js_work.stop()


async def publish(*, url: str, token: str) -> dict[str, Any]:
    """Publish a camera; have it processed, muted and unmuted, processed no more."""
    mirror = Mirror()
    async with Room() as room:
        await room.connect(url, token)
        me = room.local_participant
        camera = await me.set_camera_enabled(True, VideoCaptureOptions(resolution=VideoPresets.H360.resolution))
        assert camera is not None
        assert isinstance(camera.track, LocalVideoTrack)
        steps.reached("published")
        await steps.until("process", 60)
        await camera.track.set_processor(mirror)
        assert camera.track.get_processor() is mirror
        steps.reached("processed", camera.track.dimensions)
        await steps.until("mute", 60)
        await camera.mute()
        await camera.unmute()
        steps.reached("unmuted")
        await steps.until("plain", 60)
        await camera.track.stop_processor()
        assert camera.track.get_processor() is None
        steps.reached("plain", camera.track.dimensions)
        await steps.until("leave", 60)
    return {"calls": mirror.calls}
