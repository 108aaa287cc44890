"""Conversions between Python and JavaScript: the only module that knows ``js`` and ``pyodide.ffi``.

It can be imported only where there is JavaScript: nothing does so before ``current()`` has seen that it is there.
JavaScript values are of type :data:`Js`, and are named ``js_…`` or ``native``.

Facts about Pyodide that this module is built on:

* ``bytes``, ``dict`` and ``list`` must be converted: passed as they are they arrive as a PyProxy.
* ``null`` is ``jsnull``: falsy, but not None.
* A call that returns a promise gives an ``asyncio.Future``. Its result may come late, when the waiting was cancelled.
* A promise rejected with something that is no ``Error`` never ends that future (see :func:`call_settled`).
* An object that JavaScript keeps, such as a listener, has to be a proxy that somebody destroys.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, TypeAlias

from lk_pyodide.browser.api import Json
from lk_pyodide.browser.guard import logger
from lk_pyodide.errors import BrowserError

Js: TypeAlias = Any

js: Js = import_module("js")
_ffi: Js = import_module("pyodide.ffi")
JsException: type[Exception] = _ffi.JsException
JsProxy: type[object] = _ffi.JsProxy
JsBuffer: type[Any] = _ffi.JsBuffer
jsnull: Js = getattr(_ffi, "jsnull", None)

_SMALL = 16_384
"""Up to here ``to_js`` is as quick as an allocation and a copy."""


# -- values ------------------------------------------------------------------------------------------------------------


def is_nothing(value: Js) -> bool:
    """Tell whether a JavaScript value is ``undefined`` or ``null``."""
    return value is None or value is jsnull


def to_js_json(value: Json) -> Js:
    """Make a JavaScript object; through text, which is twice as quick as ``to_js``."""
    return js.JSON.parse(json.dumps(value))


def from_js_json(value: Js) -> Any:
    """Copy a JavaScript value that JSON can hold (or that has ``toJSON``)."""
    return json.loads(js.JSON.stringify(value))


def to_js_object(values: Mapping[str, object]) -> Js:
    """Make a JavaScript object that holds JavaScript's own values."""
    return _ffi.to_js(values, dict_converter=js.Object.fromEntries)


def to_js_bytes(data: bytes) -> Js:
    """Copy bytes to a ``Uint8Array``."""
    if len(data) <= _SMALL:
        return _ffi.to_js(data)
    array = js.Uint8Array.new(len(data))
    array.assign(data)
    return array


def from_js_message(data: Js) -> bytes | str:
    """Copy ``event.data`` of a message whose ``binaryType`` is ``arraybuffer``."""
    if isinstance(data, str):
        return data
    result: bytes = data.to_bytes()
    return result


# -- errors ------------------------------------------------------------------------------------------------------------


def get_error_name(reason: object) -> str:
    """Name of a DOMException or Error, such as ``NotAllowedError``."""
    return str(getattr(reason, "name", "") or "Error")


def to_error(reason: object, kind: type[BrowserError] = BrowserError) -> BrowserError:
    """Make an error of ours from what JavaScript threw, which need not be an Error."""
    error = kind(str(getattr(reason, "message", "") or reason), get_error_name(reason))
    error.__cause__ = reason if isinstance(reason, BaseException) else None
    return error


def translate(kind: type[BrowserError] = BrowserError) -> _Translation:
    """Turn JavaScript's exceptions into ours: ``with translate(): native.close()``."""
    return _Translation(kind)


class _Translation:
    __slots__ = ("_kind",)

    def __init__(self, kind: type[BrowserError]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, JsException):
            raise to_error(error, self._kind) from error


# -- promises ----------------------------------------------------------------------------------------------------------


def to_future(promise: Js) -> asyncio.Future[Js]:
    """The future of a promise: what a call gave is one already."""
    return asyncio.ensure_future(promise)


def forget(promise: Js, on_error: Callable[[BaseException], object] | None = None) -> None:
    """Let a promise run by itself; a failure is handed to ``on_error`` or ignored."""

    def settle(future: asyncio.Future[Js]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and on_error is not None:
            on_error(error)

    to_future(promise).add_done_callback(settle)


def call_settled(target: Js, method: Js, argument: Js) -> asyncio.Future[Js]:
    """Call ``target.method(argument)``, now, and wait for how it ends: ``status`` with ``value`` or ``reason``.

    Chromium rejects getUserMedia with an OverconstrainedError, which is no Error: Pyodide cannot store it in a future,
    and whoever waited would wait for ever. So the promise must not come into Python's hands; ``Array.from`` makes the
    call and keeps it in JavaScript's, without needing ``eval``.
    """
    js_promises = js.Array.from_(js.Array.of(argument), method, target)
    return to_future(js.Promise.allSettled(js_promises))


class Waiting:
    """The promises of one object that are being awaited.

    Many promises of a closed peer connection are never settled (the W3C says so). Closing this ends the waiting.
    """

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[Js]] = set()

    async def wait(self, promise: Js, kind: type[BrowserError] = BrowserError) -> Js:
        """Await a promise; its failure is raised as ``kind``."""
        future = to_future(promise)
        self.add(future)
        with translate(kind):
            return await future

    def add(self, future: asyncio.Future[Any]) -> None:
        """Let ``close()`` end this future too."""
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    def close(self, error: BrowserError) -> None:
        """End all waiting with ``error``."""
        for future in tuple(self._futures):
            if not future.done():
                future.set_exception(error)
        self._futures.clear()


async def wait(promise: Awaitable[Js], kind: type[BrowserError] = BrowserError) -> Js:
    """Await a promise that is sure to be settled."""
    with translate(kind):
        return await promise


def create_proxy(function: Callable[..., object]) -> Js:
    """Make a function that JavaScript may keep, until its owner destroys it."""
    return _ffi.create_proxy(function)


def call_once(function: Callable[[Js], Js]) -> Js:
    """Make a function that JavaScript calls once, and that is gone then."""
    return _ffi.create_once_callable(function)


# -- events ------------------------------------------------------------------------------------------------------------


class Listeners:
    """The event listeners of one object. Each is a proxy, removed and destroyed by :meth:`close`.

    Only ``addEventListener`` will do: Firefox never calls a Python function that was assigned to ``pc.onX``.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[Js, tuple[str, ...], Js]] = []

    def add(self, target: Js, callback: Callable[[Js], object], *types: str) -> None:
        """Call ``callback`` with each event of these types. It may raise (that is logged) and may close this object."""

        def listen(event: Js) -> None:
            # A function, not a bound method: its frame keeps it alive when close() destroys the proxy meanwhile.
            try:
                callback(event)
            except Exception:
                logger.exception("a handler raised an exception")

        proxy = _ffi.create_proxy(listen)
        for kind in types:
            target.addEventListener(kind, proxy)
        self._entries.append((target, types, proxy))

    def close(self) -> None:
        """Remove all listeners. A second call does nothing."""
        entries, self._entries = self._entries, []
        for target, types, proxy in entries:
            for kind in types:
                target.removeEventListener(kind, proxy)
            proxy.destroy()
