"""The page's AudioContext."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from operator import mul

from lk_pyodide.browser.api import Json, MediaTrack
from lk_pyodide.browser.api_audio import (
    GAIN_TIME,
    START_PATIENCE,
    AnalyserInit,
    AudioOutputHandler,
    AudioReading,
)
from lk_pyodide.browser.direct.media import get_native
from lk_pyodide.browser.ffi import Js, Listeners, forget, js, jsnull, to_js_json, translate, wait
from lk_pyodide.browser.guard import call, closed_error
from lk_pyodide.errors import DeviceUnsupportedError, MediaDeviceError, PlaybackError, UsageError


class DirectAudioGraph:
    """One AudioContext, open while somebody uses it."""

    def __init__(self) -> None:
        self._context: Js = None
        self._users: set[object] = set()

    def open_analyser(self, track: MediaTrack, init: AnalyserInit, /) -> DirectAnalyser:
        """Hear a track."""
        js_track = get_native(track)
        analyser = DirectAnalyser(self)
        with translate():
            try:
                analyser.start(self.join(analyser), js_track, init)
            except BaseException:
                analyser.close()
                raise
        return analyser

    def open_output(self, track: MediaTrack, gain: float, handler: AudioOutputHandler, /) -> DirectOutput:
        """Play a track."""
        js_track = get_native(track)
        output = DirectOutput(self, handler)
        with translate():
            try:
                output.start(self.join(output), js_track, gain)
            except BaseException:
                output.close()
                raise
        return output

    def resume(self) -> Awaitable[None]:
        """Begin to play, now."""
        running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running.add_done_callback(lambda future: future.cancelled() or future.exception())  # nobody has to await it
        if self._context is None:
            running.set_result(None)
            return running
        context = self._context
        forget(context.resume())

        def look(deadline: float) -> None:
            if running.done():
                return
            loop = asyncio.get_running_loop()
            if context.state != "suspended":
                running.set_result(None)
            elif loop.time() > deadline:  # the promise is never settled
                running.set_exception(PlaybackError("the browser wants a click first", "NotAllowedError"))
            else:
                loop.call_later(0.05, look, deadline)

        look(asyncio.get_running_loop().time() + START_PATIENCE)
        return running

    async def set_sink_id(self, device_id: str, /) -> None:
        """Play on another speaker."""
        user = object()
        context = self.join(user)
        try:
            if not hasattr(context, "setSinkId"):
                raise DeviceUnsupportedError("this browser cannot choose a loudspeaker for a mix", "NotSupportedError")
            await wait(context.setSinkId(device_id), MediaDeviceError)
        finally:
            self.leave(user)

    def join(self, user: object) -> Js:
        """Give the context to somebody who uses it until :meth:`leave`."""
        if self._context is None:
            if not hasattr(js, "AudioContext"):
                raise DeviceUnsupportedError("this browser has no Web Audio", "NotSupportedError")
            self._context = js.AudioContext.new(to_js_json({"latencyHint": "interactive"}))
        self._users.add(user)
        if self._context.state == "suspended":
            forget(self._context.resume())  # it goes on when the browser lets it, which may take a click
        return self._context

    def leave(self, user: object) -> None:
        """Somebody does not use it any more."""
        self._users.discard(user)
        if self._context is not None and not self._users:
            context, self._context = self._context, None
            forget(context.close())


class DirectAnalyser:
    """An AnalyserNode."""

    def __init__(self, graph: DirectAudioGraph) -> None:
        self._graph = graph
        self._context: Js = None
        self._native: Js = None
        self._js_source: Js = None
        self._js_clone: Js = None
        self._js_pump: Js = None

    def start(self, context: Js, js_track: Js, init: AnalyserInit) -> None:
        """Begin to hear the track."""
        self._context = context
        if init.clone:
            self._js_clone = js_track = js_track.clone()
            js_track.enabled = True
        js_stream = js.MediaStream.new(js.Array.of(js_track))
        self._js_pump = pump(js_stream)
        self._js_source = context.createMediaStreamSource(js_stream)
        options: dict[str, Json] = {
            "fftSize": init.fft_size,
            "smoothingTimeConstant": init.smoothing_time_constant,
            "minDecibels": init.min_decibels,
            "maxDecibels": init.max_decibels,
        }
        self._native = js.AnalyserNode.new(context, to_js_json(options))
        self._js_source.connect(self._native)

    @property
    def native(self) -> object:
        """The AnalyserNode."""
        if self._native is None:
            raise UsageError("the analyser is closed")
        return self._native

    @property
    def level(self) -> float:
        """How loud the newest samples are."""
        if self._native is None:
            return 0.0
        js_samples = js.Float32Array.new(self._native.fftSize)
        self._native.getFloatTimeDomainData(js_samples)
        return _rms(memoryview(js_samples.to_bytes()).cast("f"))

    @property
    def volume(self) -> float:
        """How loud the frequencies are."""
        return 0.0 if self._native is None else _rms(self._read_frequencies()) / 255

    async def read(self) -> AudioReading:
        """Look once."""
        if self._native is None:
            raise closed_error("analyser")
        return AudioReading(self._context.state == "running", self.level, self._read_frequencies())

    def _read_frequencies(self) -> bytes:
        js_bytes = js.Uint8Array.new(self._native.frequencyBinCount)
        self._native.getByteFrequencyData(js_bytes)
        frequencies: bytes = js_bytes.to_bytes()
        return frequencies

    def close(self) -> None:
        """Hear no more."""
        if self._js_clone is not None:
            self._js_clone.stop()
        if self._js_source is not None:
            self._js_source.disconnect()
        if self._js_pump is not None:
            self._js_pump.srcObject = jsnull
        self._native = self._js_source = self._js_clone = self._js_pump = self._context = None
        self._graph.leave(self)


class DirectOutput:
    """A GainNode before the speakers."""

    def __init__(self, graph: DirectAudioGraph, handler: AudioOutputHandler) -> None:
        self._graph = graph
        self._handler: AudioOutputHandler | None = handler
        self._context: Js = None
        self._js_source: Js = None
        self._js_gain: Js = None
        self._listeners = Listeners()
        self._timer: asyncio.Handle | None = None

    def start(self, context: Js, js_track: Js, gain: float) -> None:
        """Begin to play."""
        self._context = context
        self._js_source = context.createMediaStreamSource(js.MediaStream.new(js.Array.of(js_track)))
        self._js_gain = context.createGain()
        self._js_gain.gain.value = gain
        self._js_source.connect(self._js_gain)
        self._js_gain.connect(context.destination)
        self._listeners.add(context, self._on_state, "statechange")
        self._timer = asyncio.get_running_loop().call_later(START_PATIENCE, self._tell)
        if context.state == "running":
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_soon(self._tell)

    def _on_state(self, _event: Js) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._tell()

    def _tell(self) -> None:
        if self._handler is not None:
            call(self._handler.on_running, self._context.state == "running")

    def set_gain(self, gain: float, /) -> None:
        """Play it louder or softer."""
        if self._js_gain is not None:
            self._js_gain.gain.setTargetAtTime(gain, 0, GAIN_TIME)

    def close(self) -> None:
        """Play it no more."""
        self._handler = None
        self._listeners.close()
        if self._timer is not None:
            self._timer.cancel()
        for js_node in (self._js_source, self._js_gain):
            if js_node is not None:
                js_node.disconnect()
        self._js_source = self._js_gain = self._context = None
        self._graph.leave(self)


def pump(js_stream: Js) -> Js:
    """Have a stream flow: Chromium gives nothing of a received track to Web Audio that no element plays."""
    js_element = js.Audio.new()
    js_element.muted = True
    js_element.srcObject = js_stream
    return js_element


def _rms(values: Sequence[float]) -> float:
    return math.sqrt(sum(map(mul, values, values)) / len(values))
