"""How frames travel between Python's worker and the page, and how the two find one another.

A ``MessagePort`` in a PyScript worker, which the page's agent sends when it is asked; a ``BroadcastChannel`` in a
notebook's kernel, whose worker the page cannot reach.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lk_pyodide.browser.bridge.protocol import VERSION
from lk_pyodide.browser.ffi import Js, Listeners, call_once, is_nothing, js, to_js_bytes
from lk_pyodide.errors import UnsupportedHostError

Receive = Callable[[str, Sequence[Any]], object]

_GREETING = "lk_pyodide"
"""Name of the BroadcastChannel on which a worker asks for an agent."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What the agent says first."""

    version: int
    name: str
    page: Mapping[str, Any]


class JsCarrier:
    """A ``MessagePort`` or a ``BroadcastChannel``.

    Args:
        js_port: either.
        token: whom frames from the page are for.
        transfers: whether it can carry data channels.
    """

    def __init__(self, js_port: Js, token: str, *, transfers: bool) -> None:
        self.transfers = transfers
        self._js_port = js_port
        self._token = token
        self._to = ""
        self._listeners = Listeners()
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._receive: Receive | None = None
        self._listeners.add(js_port, self._on_frame, "message")

    async def hello(self) -> Hello:
        """Wait for the agent's first frame; its name is where ours go from now on."""
        hello = await self._hello
        self._to = hello.name
        return hello

    def start(self, receive: Receive) -> None:
        """Hand frames to ``receive``, from now on."""
        self._receive = receive

    def post(self, text: str, extras: Sequence[bytes], /) -> None:
        """Send a frame."""
        self._js_port.postMessage(js.Array.of(self._to, text, *map(to_js_bytes, extras)))

    def close(self) -> None:
        """Send and hear nothing more."""
        self._listeners.close()
        self._js_port.close()

    def _on_frame(self, event: Js) -> None:
        js_frame = event.data
        if js_frame[0] != self._token:
            return
        text = str(js_frame[1])
        if self._receive is not None:
            self._receive(text, [_from_js(js_frame[place]) for place in range(2, int(js_frame.length))])
        elif not self._hello.done():  # the first agent to say hello is ours: a notebook may be open in two tabs
            _, _, _, version, name, page = json.loads(text)
            self._hello.set_result(Hello(version, name, page))


def _from_js(value: Js) -> Any:
    return value.to_bytes() if hasattr(value, "byteLength") else value


async def hold_lock(token: str) -> None:
    """Hold a lock for as long as this Python lives: the agent waits for it, to notice our end.

    Insecure pages have no locks, and no cameras either: there a closed page is all that the agent notices.
    """
    js_locks: Js = getattr(js.navigator, "locks", None)
    if is_nothing(js_locks):
        return
    held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    js_for_ever = js.Promise.race(js.Array.new())

    def hold(_lock: Js) -> Js:
        held.set_result(None)
        return js_for_ever

    js_locks.request(f"lk_pyodide {token}", call_once(hold))
    await held


async def ask_for_port(timeout: float) -> tuple[JsCarrier, Hello]:
    """Have the page's agent send a port.

    Raises:
        UnsupportedHostError: there is no agent on the page.
    """
    token = secrets.token_hex(16)
    await hold_lock(token)
    _quiet_pyscript()
    arrived: asyncio.Future[Js] = asyncio.get_running_loop().create_future()

    def on_message(event: Js) -> None:
        js_data = event.data
        if js.Array.isArray(js_data) and js_data.length == 3 and js_data[0] == _GREETING and js_data[1] == token:
            if not arrived.done():
                arrived.set_result(js_data[2])

    listeners = Listeners()
    listeners.add(js.self, on_message, "message")
    js_greeting = js.BroadcastChannel.new(_GREETING)
    try:
        js_greeting.postMessage(token)
        async with asyncio.timeout(timeout):
            js_port = await arrived
            carrier = JsCarrier(js_port, token, transfers=True)
            js_port.start()
            return carrier, _checked(await carrier.hello())
    except TimeoutError as error:
        raise UnsupportedHostError(
            "this Python runs in a worker, and the page has no agent for it: add "
            '<script type="module" src="./lk-agent.js"></script> to the page '
            "(`python -m lk_pyodide assets DIR` writes that file)"
        ) from error
    finally:
        listeners.close()
        js_greeting.close()


def _quiet_pyscript() -> None:
    """PyScript hands whatever is posted to its worker to ``xworker.onmessage`` of the user's script too.

    Where the script has no such name, that is an error on the console.
    """
    try:
        polyscript: Any = import_module("polyscript")
    except ImportError:
        return
    vars(sys.modules["__main__"]).setdefault("xworker", polyscript.xworker)


async def wait_for_agent(show: Callable[[str], Callable[[], object]], timeout: float) -> tuple[JsCarrier, Hello]:
    """Have a notebook show the agent, and wait for its hello.

    Args:
        show: shows what serves this token; what it gives is called when that has happened.
        timeout: seconds to wait.

    Raises:
        UnsupportedHostError: nothing was shown.
    """
    token = secrets.token_hex(16)
    await hold_lock(token)
    carrier = JsCarrier(js.BroadcastChannel.new(f"lk_pyodide {token}"), token, transfers=False)
    try:
        shown = show(token)
        async with asyncio.timeout(timeout):
            hello = await carrier.hello()
        shown()
        return carrier, _checked(hello)
    except TimeoutError as error:
        carrier.close()
        raise UnsupportedHostError(
            "this Python runs in a notebook's kernel, and the notebook has not shown the agent that lk_pyodide needs "
            "on the page: run the cell in an open notebook"
        ) from error
    except BaseException:
        carrier.close()
        raise


def _checked(hello: Hello) -> Hello:
    if hello.version != VERSION:
        raise UnsupportedHostError(
            f"the page's lk-agent.js speaks version {hello.version}, this lk_pyodide version {VERSION}: "
            "write it anew with `python -m lk_pyodide assets DIR`"
        )
    return hello
