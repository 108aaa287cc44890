"""Into a room and out again, many times, from a worker: what is left of it there and on the page."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, cast

from lk_pyodide import Room
from lk_pyodide.browser.current import current

if TYPE_CHECKING:
    from lk_pyodide.browser.bridge import BridgeBrowser  # can be imported in a worker only


async def _count(browser: BridgeBrowser) -> dict[str, int]:
    gc.collect()
    on_page = await browser.count_objects()  # whatever was asked of the page before has been done
    bridge = browser.bridge
    return {"on the page": on_page, "remotes": len(bridge._remotes), "pending": len(bridge._pending)}


async def cycle(url: str, token: str, times: int) -> dict[str, Any]:
    """Connect, publish a camera, disconnect, over and over; what there is before and after it."""
    browser = cast("BridgeBrowser", current())
    before = await _count(browser)
    started = time.monotonic()
    for _ in range(times):
        await _once(url, token)
    seconds = time.monotonic() - started
    return {"seconds": seconds, "before": before, "after": await _count(browser)}


async def _once(url: str, token: str) -> None:
    room = Room()
    await room.connect(url, token)
    await room.local_participant.set_camera_enabled(True)
    await room.disconnect()
