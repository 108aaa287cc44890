"""What the tests of pages look at, in any browser."""

from collections.abc import Sequence

from tests.harness.pages import Page, js_call

_UNTIL = """async (expression, seconds) => {
  const condition = new Function(`return (${expression})`);
  const deadline = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`not true in ${seconds} s: ${expression}; page: ${document.body.innerText}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""
_FILL = """(selector, text) => {
  const field = document.querySelector(selector);
  field.value = text;
  field.dispatchEvent(new Event("input", {bubbles: true}));
}"""
# Frames that were shown since the call, and whether the picture is more than one colour.
_MOVES = """async (selector, count, seconds) => {
  const video = document.querySelector(selector);
  if (!video) throw new Error(`there is no ${selector}`);
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${selector} stands still`)), seconds * 1000);
  });
  for (let shown = 0; shown < count; shown++) {
    await Promise.race([late, new Promise((resolve) => video.requestVideoFrameCallback(resolve))]);
  }
  const context = new OffscreenCanvas(32, 18).getContext("2d");
  context.drawImage(video, 0, 0, 32, 18);
  const colours = new Set();
  const pixels = context.getImageData(0, 0, 32, 18).data;
  for (let i = 0; i < pixels.length; i += 4) colours.add(`${pixels.slice(i, i + 3)}`);
  return {width: video.videoWidth, colours: [...colours].slice(0, 4)};
}"""


async def until(page: Page, expression: str, timeout: float = 15) -> None:
    """Wait until a JavaScript expression is true."""
    await page.evaluate(js_call(_UNTIL, expression, timeout))


async def fill(page: Page, selector: str, text: str) -> None:
    """Write into a field."""
    await page.evaluate(js_call(_FILL, selector, text))


async def assert_moves(page: Page, selector: str, *, frames: int = 5, timeout: float = 15) -> None:
    """See new frames of a video, with a picture in them."""
    seen = await page.evaluate(js_call(_MOVES, selector, frames, timeout))
    assert seen["width"] > 0
    assert seen["colours"] != ["0,0,0"], f"{selector} is black"


def errors(page: Page, allowed: Sequence[str] = ()) -> list[str]:
    """The errors on a page's console."""
    return [
        line
        for line in page.console
        if line.startswith(("error:", "pageerror:")) and not any(text in line for text in allowed)
    ]
