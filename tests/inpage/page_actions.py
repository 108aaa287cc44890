"""What a test body in Python has done on its page by ``tests/harness/page_actions.js``."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from lk_pyodide.browser.ffi import Js, Listeners, js


async def act(host: str, action: str, *args: object) -> Any:
    """Have the page do something, from a worker of it, and wait until it has; what that gives."""
    call = secrets.token_hex(8)
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    js_channel = js.BroadcastChannel.new(f"lk-actions-{host}")

    def on_message(event: Js) -> None:
        message = json.loads(event.data)
        if message.get("done") == call and not answer.done():
            answer.set_result(message.get("value"))

    listeners = Listeners()
    listeners.add(js_channel, on_message, "message")
    try:
        js_channel.postMessage(json.dumps({"call": call, "action": action, "args": args}))
        async with asyncio.timeout(10):
            return await answer
    finally:
        listeners.close()
        js_channel.close()


async def look(host: str, track: str) -> dict[str, Any] | None:
    """The picture of a track, by the browser's id of it, in whatever element shows it: width, height, contrast."""
    if host != "page":
        seen: dict[str, Any] | None = await act(host, "look", track)
        return seen
    return json.loads(js.JSON.stringify(js.lkActions.look(track)))  # type: ignore[no-any-return]
