"""Other tabs of this origin: what a worker can do by itself, just as the page."""

from __future__ import annotations

import asyncio

from lk_pyodide.browser.api import BroadcastHandler
from lk_pyodide.browser.ffi import Js, JsBuffer, Listeners, call_once, forget, is_nothing, js, to_js_bytes, to_js_json
from lk_pyodide.errors import DeviceUnsupportedError


class DirectBroadcastChannel:
    """A BroadcastChannel on Python's own thread."""

    def __init__(self, name: str, handler: BroadcastHandler) -> None:
        self._handler: BroadcastHandler | None = handler
        self._native: Js = js.BroadcastChannel.new(name)
        self._listeners = Listeners()
        self._listeners.add(self._native, self._on_message, "message")

    def post(self, data: bytes, /) -> None:
        """Say something."""
        if self._native is not None:
            self._native.postMessage(to_js_bytes(data))

    def close(self) -> None:
        """Say and hear nothing more."""
        native, self._native = self._native, None
        self._handler = None
        self._listeners.close()
        if native is not None:
            native.close()

    def _on_message(self, event: Js) -> None:
        data = event.data
        # Anybody of this origin may say anything here.
        if self._handler is not None and isinstance(data, JsBuffer):
            self._handler.on_broadcast(data.to_bytes())


class DirectLock:
    """A lock that is held."""

    def __init__(self, js_release: Js, stolen: asyncio.Event) -> None:
        self._js_release: Js = js_release
        self._stolen = stolen

    async def lost(self) -> None:
        """Wait until somebody has stolen it."""
        await self._stolen.wait()

    def release(self) -> None:
        """Let the next one have it."""
        release, self._js_release = self._js_release, None
        if release is not None:
            release()


async def request_lock(name: str, *, steal: bool = False) -> DirectLock:
    """Wait for a lock; whoever stops waiting gives up the place in the queue."""
    js_locks: Js = getattr(js.navigator, "locks", None)
    if is_nothing(js_locks):
        raise DeviceUnsupportedError("locks need a secure context: serve the page from https or localhost")
    held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    js_until = js.Promise.withResolvers()
    js_controller = js.AbortController.new()
    js_options = to_js_json({"steal": steal})
    if not steal:  # the standard allows one or the other
        js_options.signal = js_controller.signal
    stolen = asyncio.Event()

    is_called = False

    def hold(_lock: Js) -> Js:
        nonlocal is_called
        is_called = True
        if held.done():
            js_until.resolve()
        else:
            held.set_result(None)
        return js_until.promise

    callback = call_once(hold)
    forget(js_locks.request(name, js_options, callback), lambda _error: stolen.set())
    try:
        await held
    except asyncio.CancelledError:
        js_until.resolve()
        if not is_called:  # it may have been, since the waiting was cancelled
            js_controller.abort()
            callback.destroy()
        raise
    return DirectLock(js_until.resolve, stolen)
