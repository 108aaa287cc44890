"""Cases for ``direct`` alone: what it does to the native objects. Only imported in a page."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lk_pyodide.browser.api import Encoding, SenderInit
from lk_pyodide.browser.current import current
from lk_pyodide.browser.ffi import Js, is_nothing, js
from lk_pyodide.errors import DeviceUnsupportedError, MediaDeviceError, PlaybackError
from tests.inpage.contract_kit import Closer, ElementLog, Env, PageLog, WebSocketLog, raises, settle, until
from tests.inpage.contract_processing import CASES as PROCESSING

run_js: Any = import_module("pyodide.code").run_js


def _native(thing: Any) -> Js:
    return thing.native


@contextmanager
def _patched(target: Js, name: str, replacement: Js) -> Iterator[None]:
    """Put another property over one of JavaScript's."""
    original = js.Object.getOwnPropertyDescriptor(target, name)
    define = run_js("(t, n, v) => Object.defineProperty(t, n, {value: v, configurable: true, writable: true})")
    define(target, name, replacement)
    try:
        yield
    finally:
        if is_nothing(original):
            js.Reflect.deleteProperty(target, name)
        else:
            js.Object.defineProperty(target, name, original)


async def one_browser(env: Env) -> None:
    """There is one browser, however often it is asked for."""
    assert current() is current() is env.browser


async def audio_element_recycled(env: Env) -> None:
    """An audio element that was closed is used again (iOS remembers the click that let it play)."""
    with Closer() as closer:
        (audio,) = await closer.capture(env, "audio")
        first = env.browser.new_element("audio", None, ElementLog())
        log = ElementLog()
        second = env.browser.new_element("audio", None, log)
        closer.add(first, second)
        assert _native(first) != _native(second)
        native = _native(first)
        first.attach(audio)
        first.set_volume(0.25)
        first.set_muted(True)
        first.mount("body")
        assert native.isConnected
        first.close()
        assert not native.isConnected
        hasty = env.browser.new_element("audio", None, ElementLog())
        closer.add(hasty)
        assert _native(hasty) != native  # the browser is about to pause what has just left the page
        await settle()
        again = env.browser.new_element("audio", None, log)
        closer.add(again)
        assert _native(again) == native
        assert (native.volume, native.muted, native.paused) == (1, False, True)
        assert is_nothing(native.srcObject)
        again.attach(audio)
        await log.wait("playing")


async def element_state(env: Env) -> None:
    """A picture without sound is muted so that it may start; with the last track the source goes."""
    with Closer() as closer:
        audio, video = await closer.capture(env, "audio", "video")
        await env.add_node("video", "mine")
        await env.add_node("div", "stage")
        made, made_log = env.browser.new_element("video", "#stage", ElementLog()), ElementLog()
        found = env.browser.new_element("video", js.document.querySelector("#mine"), made_log)
        closer.add(made, found)
        native = _native(made)
        assert native.parentNode.id == "stage"
        assert _native(found).id == "mine"
        made.attach(video)
        assert native.muted
        assert native.playsInline
        assert native.autoplay
        made.attach(audio)
        assert not native.muted
        made.set_muted(True)
        assert native.muted
        made.set_muted(False)
        made.detach(audio)
        assert native.srcObject.getTracks().length == 1
        made.detach(video)
        assert is_nothing(native.srcObject)
        found.attach(video)
        made.close()
        found.close()
        assert not native.isConnected
        mine = js.document.querySelector("#mine")
        assert mine.isConnected
        assert is_nothing(mine.srcObject)


async def element_blocked(env: Env) -> None:
    """A play() that the browser refuses is told once, by name; with a picture it goes on without sound."""
    refuse = run_js("""(function () {
        return this.muted ? Promise.resolve() : Promise.reject(new DOMException("click first", "NotAllowedError"));
    })""")
    with Closer() as closer, _patched(js.HTMLMediaElement.prototype, "play", refuse):
        audio, video = await closer.capture(env, "audio", "video")
        sound_log, picture_log = ElementLog(), ElementLog()
        sound, picture = (
            env.browser.new_element("audio", None, sound_log),
            env.browser.new_element("video", None, picture_log),
        )
        closer.add(sound, picture)
        sound.attach(audio)
        assert await sound_log.wait("play_failed") == ("NotAllowedError", "click first")
        picture.attach(video)
        await picture_log.wait("playing")
        picture.attach(audio)
        await picture_log.wait("play_failed")
        assert _native(picture).muted
        with raises(PlaybackError) as caught:
            await sound.play()
        assert caught.value.name == "NotAllowedError"
        _ = sound.play()  # not awaited: the handler hears of it, and asyncio has nothing to complain about
        await sound_log.wait("play_failed", 3)
        gc.collect()


async def late_device_let_go(env: Env) -> None:
    """A camera that the user allows after the waiting was cancelled is switched off at once."""
    with Closer() as closer:
        (video,) = await closer.capture(env, "video")
        js_stream = js.MediaStream.new(js.Array.of(_native(video).clone()))
        js_track = js_stream.getTracks()[0]
        held = run_js(
            "(() => { const d = Promise.withResolvers(); return {ask: () => d.promise, give: (v) => d.resolve(v)}; })()"
        )
        with _patched(js.navigator.mediaDevices, "getUserMedia", held.ask):
            task = asyncio.ensure_future(env.browser.media_devices.get_user_media({"video": True}))
            await settle()
            task.cancel()
            with raises(asyncio.CancelledError):
                await task
        assert js_track.readyState == "live"
        held.give(js_stream)
        await until(lambda: bool(js_track.readyState == "ended"), "end of the late track")


async def asked_at_once(env: Env) -> None:
    """Screens are asked for and playing starts before anything is awaited: a click is forgotten at the first turn."""
    spy = run_js("""(() => {
        const asked = [];
        const refuse = (name) => function () {
            asked.push(name);
            return Promise.reject(new DOMException("no", "NotAllowedError"));
        };
        return {asked, screen: refuse("screen"), play: refuse("play")};
    })()""")
    with Closer() as closer:
        (audio,) = await closer.capture(env, "audio")
        element = env.browser.new_element("audio", None, ElementLog())
        closer.add(element)
        with (
            _patched(js.navigator.mediaDevices, "getDisplayMedia", spy.screen),
            _patched(js.HTMLMediaElement.prototype, "play", spy.play),
        ):
            screen = env.browser.media_devices.get_display_media({"video": True})
            element.attach(audio)
            playing = element.play()
            assert list(spy.asked) == ["screen", "play", "play"]
            with raises(MediaDeviceError) as caught:
                await screen
            assert (caught.value.name, caught.value.failure) == ("NotAllowedError", "PermissionDenied")
            with raises(PlaybackError):
                await playing


async def no_devices(env: Env) -> None:
    """Without ``navigator.mediaDevices`` the error says what to do; watching the page still works."""
    devices = env.browser.media_devices
    with _patched(js.navigator, "mediaDevices", None):
        for asked in (
            devices.get_user_media({"audio": True}),
            devices.get_display_media({}),
            devices.enumerate_devices(),
        ):
            with raises(DeviceUnsupportedError):
                await asked
        env.browser.watch_page(PageLog()).close()
        with _patched(js.globalThis, "isSecureContext", False), raises(DeviceUnsupportedError) as caught:
            await devices.get_user_media({"audio": True})
        assert "https or localhost" in str(caught.value)
    without = run_js("Object.create(MediaDevices.prototype, {getDisplayMedia: {value: undefined}})")
    with _patched(js.navigator, "mediaDevices", without), raises(MediaDeviceError):
        await devices.get_user_media(
            {"audio": {"deviceId": {"exact": "x"}}}
        )  # an illegal receiver is an error, not a hang


async def last_words_at_once(env: Env) -> None:
    """When ``on_page_hide`` is called, the words are with the browser already."""
    with Closer() as closer:
        log, page = WebSocketLog(), PageLog()
        watch = env.browser.watch_page(page)
        socket: Any = env.browser.open_websocket(env.echo_url, log)
        closer.add(socket)
        await log.wait("open")
        socket.set_last_words(b"goodbye")
        states: list[int] = []
        page.on_call = lambda _: states.append(socket._native.readyState)
        await env.leave_page()
        assert states == [2]  # CLOSING
        watch.close()


async def inactive_encodings(env: Env) -> None:
    """What is inactive sends next to nothing, also in Firefox, which does not know how to stop; and comes back."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        layers = (Encoding(rid="q", max_bitrate=100_000, scale_resolution_down_by=2.0), Encoding(rid="f"))
        sender: Any = first.pc.add_sender(video, SenderInit(layers, "maintain-resolution"))

        def read() -> list[tuple[object, ...]]:
            names = ("rid", "active", "maxBitrate", "maxFramerate", "scaleResolutionDownBy")
            found = sender._native.getParameters().encodings
            return [tuple(getattr(item, name, None) for name in names) for item in found]

        before = read()
        assert before[0] == ("q", True, 100_000, None, 2)
        await sender.set_encodings([Encoding(rid="q", active=False)])
        await sender.set_encodings([Encoding(rid="q", active=False, max_framerate=20)])
        if env.name == "firefox":
            assert read()[0] == ("q", False, 10, 2, 4)
        else:
            assert read()[0] == ("q", False, 100_000, 20, 2)
        await sender.set_encodings([Encoding(rid="q", max_bitrate=90_000)])
        assert read() == [("q", True, 90_000, 20, 2), before[1]]
        preference = sender._native.getParameters()
        assert getattr(preference, "degradationPreference", None) == "maintain-resolution"


async def remote_candidate_null(env: Env) -> None:
    """The end of gathering, which the browser tells by null, is not told as a candidate."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        first.pc.add_receiver("audio")
        await first.negotiate()
        native = _pc(first.pc)
        await until(lambda: bool(native.iceGatheringState == "complete"), "end of gathering")
        assert all(str(values[0]).startswith("{") for values in first.get("candidate") + second.get("candidate"))


def _pc(pc: Any) -> Js:
    return pc._native


CASES = (
    one_browser,
    audio_element_recycled,
    element_state,
    element_blocked,
    late_device_let_go,
    asked_at_once,
    no_devices,
    last_words_at_once,
    inactive_encodings,
    remote_candidate_null,
    *PROCESSING,
)
