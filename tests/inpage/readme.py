"""Runs a Python block of the README inside the page, and looks at what it did (tests/readme/test_readme.py)."""

import asyncio
import contextlib
import contextvars
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from lk_pyodide import LocalTrack, Room, TrackSource, get_logger, set_log_extension
from tests.inpage import steps

_PREPARED = """() => {
  const stage = document.createElement("div");
  const button = document.createElement("button");
  stage.id = "stage";
  button.hidden = true;
  document.body.append(stage, button);
  return [stage, button];
}"""
# A listener that Python gave stays alive until JavaScript's next collection, unless somebody destroys it.
_CLEARED = """(stage, button) => {
  button.onclick?.destroy?.();
  button.onclick = null;
  stage.remove();
  button.remove();
}"""
_REFUSING = """() => {
  const devices = MediaDevices.prototype;
  const original = devices.getUserMedia;
  devices.getUserMedia = async () => { throw new DOMException("the user said no", "NotAllowedError"); };
  return () => { devices.getUserMedia = original; };
}"""
_SILENT = """() => {
  const media = HTMLMediaElement.prototype;
  const original = media.play;
  let clicked = false;
  const allow = () => { clicked = true; };
  document.addEventListener("click", allow, {capture: true});
  media.play = function () {
    if (!clicked && this.tagName === "AUDIO") {
      return Promise.reject(new DOMException("a click is needed first", "NotAllowedError"));
    }
    return original.call(this);
  };
  return () => { media.play = original; document.removeEventListener("click", allow, {capture: true}); };
}"""
_ENDPOINT = """(answer) => {
  const original = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    if (!String(url).endsWith("/api/token")) return original(url, init);
    const asked = JSON.parse(init.body);
    const known = init.method === "POST" && asked.room_name === "maths" && asked.participant_name === "Ada";
    return new Response(answer, {status: known ? 201 : 400});
  };
  return () => { globalThis.fetch = original; };
}"""
WORLDS = {
    "": "() => () => {}",
    "the user refuses": _REFUSING,
    "sound needs a click": _SILENT,
    "a token endpoint": _ENDPOINT,
}

Scope = dict[str, Any]


def _run_js(code: str) -> Any:
    return import_module("pyodide.code").run_js(code)


async def play(
    code: str,
    url: str,
    token: str,
    world: str = "",
    look: str = "",
    connect: bool = True,
    have: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
) -> Any:
    """Run a block where `room`, `url`, `token`, `button` and `#stage` are at hand.

    `have` names what of ada's has to be here before, `given` is for the world. Steps: `ready` (in the room), then the
    test says `go`; `print 0`, `print 1` … as the block prints; `ran`; then the test says `look`, with a value for the
    function of that name.

    Returns:
        What that function saw.
    """
    restore = _run_js(WORLDS[world])(json.dumps(given))
    room = Room()
    with _stage() as button:
        scope: Scope = {"room": room, "url": url, "token": token, "button": button, "print": _Printer()}
        try:
            if connect:
                await room.connect(url, token)
                await _until_subscribed(room, sorted(have))
            steps.reached("ready")
            await steps.until("go")
            await import_module("pyodide.code").eval_code_async(code, scope)
            steps.reached("ran")
            given = await steps.until("look")
            return await LOOKS[look](scope, given)
        finally:
            await room.disconnect()
            await scope["room"].disconnect()
            for value in list(scope.values()):
                if isinstance(value, LocalTrack):
                    value.stop()
            _reset_logging()
            restore()


@contextlib.contextmanager
def _stage() -> Iterator[Any]:
    stage, button = _run_js(_PREPARED)()
    try:
        yield button
    finally:
        _run_js(_CLEARED)(stage, button)


def _reset_logging() -> None:
    set_log_extension(None)
    get_logger().setLevel(logging.NOTSET)
    for handler in list(get_logger().handlers):
        get_logger().removeHandler(handler)


class _Printer:
    """`print` of a block: tells the test."""

    def __init__(self) -> None:
        self.count = 0
        self.context = contextvars.copy_context()  # handlers run outside of the run's task

    def __call__(self, *values: object) -> None:
        self.context.run(steps.reached, f"print {self.count}", " ".join(map(str, values)))
        self.count += 1


# -- looks: what there is to see afterwards ----------------------------------------------------------------------------


async def _nothing(scope: Scope, given: Any) -> None:
    pass


async def _video(scope: Scope, given: Any) -> dict[str, Any]:
    """Wait until the video on the stage moves."""
    js: Any = import_module("js")
    async with asyncio.timeout(15):
        while True:
            elements = js.document.querySelectorAll("#stage video")
            if elements.length:
                frames = elements[0].getVideoPlaybackQuality().totalVideoFrames
                contrast = js.lkActions.contrast(elements[0])
                if frames > 5 and contrast > 0:
                    return {"videos": elements.length, "audios": js.document.querySelectorAll("#stage audio").length}
            await asyncio.sleep(0.1)  # frames have no event that both browsers have


async def _elements(scope: Scope, given: Any) -> int:
    """How many elements are left on the stage."""
    js: Any = import_module("js")
    return int(js.document.querySelectorAll("#stage *").length)


async def _refused(scope: Scope, given: Any) -> str:
    """Try the camera; the name of the error."""
    try:
        await scope["room"].local_participant.set_camera_enabled(True)
    except Exception as error:
        return type(error).__name__
    return "no error"


async def _playback(scope: Scope, given: Any) -> list[Any]:
    """Have sound blocked, click the button."""
    room, button = scope["room"], scope["button"]
    publication = room.remote_participants["ada"].get_track_publication(TrackSource.MICROPHONE)
    blocked = asyncio.ensure_future(room.wait_for("audio_playback_changed", timeout=10))
    await asyncio.sleep(0)
    publication.track.attach("#stage")
    seen = [(await blocked).playing, room.can_playback_audio, button.hidden]
    allowed = asyncio.ensure_future(room.wait_for("audio_playback_changed", timeout=10))
    await asyncio.sleep(0)
    button.click()
    return [*seen, (await allowed).playing, room.can_playback_audio, button.hidden]


async def _room(scope: Scope, given: Any) -> dict[str, Any]:
    """The block's room."""
    room = scope["room"]
    settings = room.options.video_capture_defaults
    return {
        "name": room.name,
        "state": room.state.name,
        "capture": settings and [settings.resolution.width, settings.resolution.height],
    }


async def _broken(scope: Scope, given: Any) -> str:
    """Break the connection, and wait until there is another; the room's state then."""
    room = scope["room"]
    back = asyncio.ensure_future(room.wait_for("reconnected", timeout=20))
    await asyncio.sleep(0)
    room._context.session._require_connection().on_link_lost("the test cut it")
    await back
    return str(room.state.name)


async def _subscribed(scope: Scope, given: Any) -> list[str]:
    """What has been subscribed of ada, once it is `given`."""
    return await _until_subscribed(scope["room"], given)


async def _until_subscribed(room: Room, sources: Sequence[str]) -> list[str]:
    async with asyncio.timeout(10):
        while True:
            publications = room.remote_participants["ada"].track_publications.values() if sources else ()
            found = sorted(p.source.name for p in publications if p.subscribed)
            if found == list(sources):
                return found
            await asyncio.sleep(0.05)  # unsubscribing has no event when media was not here yet


async def _devices(scope: Scope, given: Any) -> dict[str, Any]:
    """What was listed, and which camera is open."""
    publication = scope["room"].local_participant.get_track_publication(TrackSource.CAMERA)
    return {
        "microphones": sorted({device.kind for device in scope["microphones"]}),
        "cameras": sorted({device.kind for device in scope["cameras"]}),
        "chosen": scope["cameras"][-1].device_id,
        "open": publication.track.media_stream_track.getSettings().deviceId,
    }


async def _logged(scope: Scope, given: Any) -> int:
    """Log a line; the logger's level."""
    get_logger("test").info("not shown by the extension")
    get_logger("test").warning("shown by the extension")
    return get_logger("test").getEffectiveLevel()


LOOKS: dict[str, Callable[[Scope, Any], Awaitable[Any]]] = {
    "": _nothing,
    "video": _video,
    "elements": _elements,
    "refused": _refused,
    "playback": _playback,
    "room": _room,
    "broken": _broken,
    "subscribed": _subscribed,
    "devices": _devices,
    "logged": _logged,
}
