"""Cases for ``direct`` alone: processors of tracks, written in JavaScript and in Python. Only imported in a page."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.browser.ffi import Js
from lk_pyodide.errors import BrowserError, UsageError
from lk_pyodide.types import ProcessorOptions
from tests.inpage.contract_kit import Closer, Env, TrackLog, raises

run_js: Any = import_module("pyodide.code").run_js

_COPIES = """({
  name: "copies",
  calls: [],
  async init(options) {
    this.note("init", options);
  },
  async restart(options) {
    this.note("restart", options);
  },
  note(call, {kind, track, element, audioContext}) {
    if (kind === "video" && !(element instanceof HTMLVideoElement)) throw new TypeError("no element");
    if (kind === "audio" && !(audioContext instanceof AudioContext)) throw new TypeError("no graph");
    if (!(track instanceof MediaStreamTrack)) throw new TypeError("no track");
    this.calls.push(call);
    this.processedTrack = track.clone();
  },
  async destroy() {
    this.calls.push("destroy");
  },
})"""


class Copies:
    """The same in Python."""

    name = "copies"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.processed_track: Js = None

    async def init(self, options: ProcessorOptions) -> None:
        self._note("init", options)

    async def restart(self, options: ProcessorOptions) -> None:
        self._note("restart", options)

    def _note(self, call: str, options: ProcessorOptions) -> None:
        assert (options.element is None) == (options.kind == "audio")
        assert (options.audio_context is None) == (options.kind == "video")
        self.calls.append(call)
        self.processed_track = options.track.clone()

    async def destroy(self) -> None:
        self.calls.append("destroy")


async def _works(env: Env, closer: Closer, kind: str, processor: Any) -> None:
    (track,) = await closer.capture(env, kind)
    device = track.settings.device_id
    processing = env.browser.new_processing(processor)
    processed = await processing.run(track)
    assert processing.has(processed)
    assert not processing.has(track)
    assert processed.id != track.id
    assert (processed.kind, processed.label, processed.settings.device_id) == (kind, track.label, device)
    log = TrackLog()
    processed.set_handler(log)
    processed.set_enabled(False)
    native: Js = track.native
    assert not native.enabled
    with raises(UsageError):
        await processing.run(processed)
    assert processing.unwrap(processed) is track
    assert track.ready_state == "live"
    again = await processing.run(track)
    made: Js = again.native
    again.end()
    assert again.ready_state == "ended"
    assert native.readyState == "ended"
    again.close()
    assert made.readyState == "live", "the processor's own"
    await processing.close()
    assert made.readyState == "ended"
    assert list(processor.calls) == ["init", "restart", "destroy"]
    assert log.calls == []


async def processor_of_javascript(env: Env) -> None:
    """It gets what those of livekit-client get."""
    with Closer() as closer:
        for kind in ("video", "audio"):
            await _works(env, closer, kind, run_js(_COPIES))


async def processor_of_python(env: Env) -> None:
    """It gets the same in Python."""
    with Closer() as closer:
        for kind in ("video", "audio"):
            await _works(env, closer, kind, Copies())


async def processor_that_fails(env: Env) -> None:
    """Is an error with its words, whatever it is written in; so is one that makes nothing."""
    failing = '({async init() { throw new RangeError("too much"); }, async destroy() {}})'
    empty = "({async init() {}, async destroy() {}})"

    class Failing(Copies):
        async def init(self, options: ProcessorOptions) -> None:
            raise ValueError("too little")

    with Closer() as closer:
        (track,) = await closer.capture(env, "video")
        for processor, words in ((run_js(failing), "too much"), (run_js(empty), "no track"), (Failing(), "too little")):
            await _fails(env, track, processor, words)
        assert track.ready_state == "live"


async def _fails(env: Env, track: MediaTrack, processor: Any, words: str) -> None:
    processing = env.browser.new_processing(processor)
    with raises(BrowserError) as caught:
        await processing.run(track)
    assert words in str(caught.value)
    await processing.close()


CASES = (processor_of_javascript, processor_of_python, processor_that_fails)
