"""Test bodies for the harness itself: an answer, an error, and one leak of each kind."""

import asyncio
import sys
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
