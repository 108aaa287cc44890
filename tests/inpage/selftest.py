"""Test bodies for the harness itself: an answer, an error, and one leak of each kind."""

import asyncio
import importlib.util
import sys
import time
from typing import Any

from tests.inpage import steps

_kept: list[Any] = []


def _js() -> Any:
    import js  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    return js


def _create_proxy(function: Any) -> Any:
    from pyodide.ffi import (  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
        create_proxy,
    )

    return create_proxy(function)


def _ignore(*_args: Any) -> None:
    pass


async def add(left: int, right: int) -> dict[str, Any]:
    """An answer, after a turn of the event loop."""
    await asyncio.sleep(0)
    return {"sum": left + right, "platform": sys.platform}


async def reverse(data: bytes) -> bytes:
    """Bytes in, bytes out."""
    return data[::-1]


async def fail() -> None:
    """An error with a traceback."""
    await asyncio.sleep(0)
    raise ValueError("the reason")


async def tidy() -> bool:
    """Everything the gate watches, used and given back."""
    js = _js()
    proxy = _create_proxy(_ignore)
    js.document.addEventListener("click", proxy)
    connection = js.RTCPeerConnection.new()
    connection.addEventListener("negotiationneeded", proxy)
    task = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(60):  # its timer is cancelled: not a leak
        await asyncio.sleep(0)
    js.document.removeEventListener("click", proxy)
    connection.removeEventListener("negotiationneeded", proxy)
    connection.close()
    proxy.destroy()
    return True


async def leak_proxy() -> None:
    """A proxy that is never destroyed."""
    _kept.append(_create_proxy(leak_proxy))


async def leak_task() -> None:
    """A task that nobody ends."""
    _kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten"))


async def leak_timer() -> None:
    """A timer that has not fired."""
    asyncio.get_running_loop().call_later(60, print)


async def leak_listener() -> None:
    """A listener that stays on the document."""
    proxy = _create_proxy(_ignore)
    _js().document.addEventListener("visibilitychange", proxy)
    _kept.append(proxy)


async def leak_connection() -> None:
    """A peer connection that is not closed."""
    _kept.append(_js().RTCPeerConnection.new())


async def leak_camera() -> None:
    """A camera that keeps running."""
    js = _js()
    _kept.append(await js.navigator.mediaDevices.getUserMedia(js.JSON.parse('{"video": true}')))


async def where() -> dict[str, Any]:
    """Which kind of global scope Python has, and where the package came from."""
    import lk_pyodide

    return {"scope": _js().self.constructor.name, "package": lk_pyodide.__file__}


async def tidy_worker() -> bool:
    """What the gate watches in a worker, used and given back."""
    js = _js()
    proxy = _create_proxy(_ignore)
    js.self.addEventListener("online", proxy)
    channel, pair = js.BroadcastChannel.new("lk-selftest"), js.MessageChannel.new()
    for end in (channel, pair.port1):
        end.addEventListener("message", proxy)
    pair.port1.start()
    interval = js.setInterval(proxy, 1000)
    await asyncio.sleep(0.01)
    js.clearInterval(interval)
    for end in (channel, pair.port1):
        end.removeEventListener("message", proxy)
        end.close()
    js.self.removeEventListener("online", proxy)
    proxy.destroy()
    return True


async def leak_global_listener() -> None:
    """A listener that stays on the worker itself."""
    proxy = _create_proxy(_ignore)
    _js().self.addEventListener("online", proxy)
    _kept.append(proxy)


async def leak_interval() -> None:
    """A timer of JavaScript that never ends."""
    _js().setInterval(_js().Function.new(), 60_000)


async def leak_channel() -> None:
    """A channel that is not closed."""
    _kept.append(_js().BroadcastChannel.new("lk-selftest"))


async def leak_port() -> None:
    """A port that listens for ever."""
    _kept.append(_js().MessageChannel.new().port1)
    _kept[-1].start()


async def reject() -> None:
    """A promise of JavaScript that fails with nobody looking."""
    _js().eval("void Promise.reject(new Error('nobody listens'))")


async def forget_to_await() -> None:
    """A coroutine that never runs."""
    asyncio.sleep(1)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]


async def fail_in_finaliser() -> None:
    """An error that Python can only print."""

    class Bad:
        def __del__(self) -> None:
            raise RuntimeError("in a finaliser")

    Bad()


def _give_pyscript_its_global() -> None:
    # PyScript hands each message of the worker to `xworker.onmessage` of Python's globals, too, and fails without it.
    if importlib.util.find_spec("polyscript"):
        vars(sys.modules["__main__"])["xworker"] = importlib.import_module("polyscript").xworker


async def get_port() -> Any:
    """Take a port that the page posts to the worker, and answer on it."""
    js = _js()
    got: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def on_message(event: Any) -> None:
        if getattr(event.data, "lkSelftest", None):
            got.set_result(event.data.port)

    proxy = _create_proxy(on_message)
    js.self.addEventListener("message", proxy)
    _give_pyscript_its_global()
    steps.reached("listening")
    port = await asyncio.wait_for(got, 10)
    port.postMessage("from Python")
    port.close()
    js.self.removeEventListener("message", proxy)
    proxy.destroy()


async def block(seconds: float) -> None:
    """Keep the thread busy, as a notebook's cell may."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass


async def lose_exception() -> None:
    """A task that fails with nobody looking."""

    async def failing() -> None:
        raise RuntimeError("nobody looks")

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    del task


async def look_late() -> str:
    """A task that has failed long before someone looks: no fault."""

    async def failing() -> None:
        raise RuntimeError("seen late")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0.01)
    try:
        await task
    except RuntimeError as error:
        return str(error)
    return "no error"


async def dance() -> Any:
    """Keep step with the test."""
    steps.reached("ready", {"state": "waiting"})
    return await steps.until("go")


async def hang() -> None:
    """Never come back."""
    await asyncio.Event().wait()


async def share_screen() -> list[int]:
    """Width and height of a captured screen, which needs the gesture that `run` carries."""
    js = _js()
    stream = await js.navigator.mediaDevices.getDisplayMedia(js.JSON.parse('{"video": true}'))
    track = stream.getVideoTracks()[0]
    settings = track.getSettings()
    track.stop()
    return [settings.width, settings.height]
