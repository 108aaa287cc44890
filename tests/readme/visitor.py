"""Somebody at a page of the demo, in any browser: looks, clicks and writes as people do."""

import asyncio

from tests.harness.pages import Page, js_call
from tests.readme.pages import assert_moves, fill, until

BOOT = 60.0
"""Seconds for Python to be there: three times what it takes."""
PATIENCE = 15.0

# The place of somebody's tile among the others, from 1 on; 0 when there is none.
_PLACE = """(name) => {
  const names = [...document.querySelectorAll(".tile .name")].map((element) => element.textContent);
  return names.indexOf(name) + 1;
}"""
# What stands in the middle of an element, if it is not the element itself.
_COVER = """(selector) => {
  const element = document.querySelector(selector);
  const {left, top, width, height} = element.getBoundingClientRect();
  const found = document.elementFromPoint(left + width / 2, top + height / 2);
  return element.contains(found) ? "" : `${found?.outerHTML.slice(0, 200)} at ${[left, top, width, height]}`;
}"""
_IS_SHOWN = "(selector) => Boolean(document.querySelector(selector)?.checkVisibility())"
# Everything that the status line says, from the beginning.
_REMEMBER = """document.addEventListener("DOMContentLoaded", () => {
  globalThis.statuses = [];
  const look = () => statuses.push(document.querySelector("#status").textContent);
  new MutationObserver(look).observe(document.querySelector("#status"), {childList: true, characterData: true});
});"""


class Visitor:
    """Somebody at a page of the demo.

    Args:
        page: a page that has not been anywhere yet.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = ""

    async def come(self, address: str) -> None:
        """Open the page, and wait for Python."""
        await self.page.preload(_REMEMBER)
        await self.page.goto(address)
        await self.until("!document.querySelector('#enter').disabled", BOOT)

    async def join(self, name: str, room: str = "") -> None:
        """Fill in the form and send it; without a room it is the one that stands there."""
        self.name = name
        await fill(self.page, "#name", name)
        if room:
            await fill(self.page, "#room", room)
        await self.page.click("#enter")
        await self.until("!document.querySelector('#meeting').hidden")

    async def until(self, expression: str, timeout: float = PATIENCE) -> None:
        """Wait until a JavaScript expression is true."""
        await until(self.page, expression, timeout)

    async def reads(self, selector: str, text: str, timeout: float = PATIENCE) -> None:
        """Wait until there stands this text somewhere."""
        await self.until(
            f"{js_call('(s) => document.querySelector(s).innerText.trim()', selector)} === {text!r}", timeout
        )

    async def is_shown(self, selector: str) -> bool:
        """Whether something can be seen."""
        return bool(await self.page.evaluate(js_call(_IS_SHOWN, selector)))

    async def tile(self, name: str) -> str:
        """The selector of somebody's tile, when it is there."""
        place = js_call(_PLACE, name)
        await self.until(place)
        return f".tile:nth-of-type({await self.page.evaluate(place)})"

    async def sees(self, name: str) -> None:
        """See somebody's picture move, with the name on it."""
        tile = await self.tile(name)
        await self.until(f"document.querySelector('{tile} video')")
        await assert_moves(self.page, f"{tile} video")
        cover = await self.page.evaluate(js_call(_COVER, f"{tile} .name"))
        assert not cover, f"{name} is hidden under {cover}"

    async def sees_initial(self, name: str) -> None:
        """See that somebody shows no picture."""
        tile = await self.tile(name)
        await self.until(f"!document.querySelector('{tile} video')")
        await self.until(js_call(_IS_SHOWN, f"{tile} .initial"))

    async def sees_muted(self, name: str, muted: bool) -> None:
        """See whether somebody's microphone is off."""
        shown = js_call(_IS_SHOWN, f"{await self.tile(name)} .muted")
        await self.until(shown if muted else f"!{shown}")

    async def sees_tiles(self, count: int, timeout: float = PATIENCE) -> None:
        """Wait until there are so many tiles."""
        await self.until(f"document.querySelectorAll('.tile').length === {count}", timeout)

    async def says(self, text: str) -> None:
        """Write something to everyone."""
        await fill(self.page, "#text", text)
        await self.page.click("#say button")

    async def statuses(self) -> list[str]:
        """All that the status line has said."""
        said: list[str] = await self.page.evaluate("statuses")
        return said

    async def leave(self) -> None:
        """Leave the room."""
        await self.page.click("#leave")
        await self.reads("#status", "You left.")
        assert await self.page.evaluate("document.querySelectorAll('.tile').length") == 0


async def meet(first: Visitor, second: Visitor) -> None:
    """See each other's pictures, and one's own."""
    pairs = [(first, second), (second, first)]
    for looker, other in pairs:
        await looker.sees(f"{looker.name} (you)")
        await looker.sees(other.name)
    await asyncio.gather(*(looker.sees_tiles(2) for looker, _ in pairs))
