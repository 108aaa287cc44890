"""How a test body in a page and its test in CPython keep step with one another.

# in the page                              # in the test
steps.reached("joined", room.name)         name = await handle.reached("joined")
reason = await steps.until("leave")        await handle.signal("leave", "bored")
"""

import asyncio
from typing import Any

from tests.inpage import runner


def reached(name: str, value: object = None) -> None:
    """Tell the test that this run has got here. Each name once a run."""
    runner.tell(name, value)


async def until(name: str, timeout: float = 30) -> Any:
    """Wait until the test sends this signal; its value."""
    return await asyncio.wait_for(asyncio.shield(runner.current_letter(name)), timeout)
