"""However many pictures there are, and whatever the window: all are in the stage, none covers another."""

from itertools import combinations, pairwise

import pytest

from tests.harness.chromium import Chromium, ChromiumPage
from tests.harness.pages import Reply, js_call
from tests.harness.paths import CHROMIUM
from tools.demo import static_server
from tools.site import DEMO

WINDOWS = {"desk": (1280, 720), "wide": (1900, 700), "tablet": (820, 1180), "phone": (390, 844), "small": (320, 568)}
NO_PYTHON = Reply(b"", "text/javascript")

# Tiles without anybody in them; where they stand, and where the stage does.
_LAY_OUT = """(count, screens) => {
  document.querySelector("#join").hidden = true;
  document.querySelector("#meeting").hidden = false;
  const stage = document.querySelector("#tiles");
  stage.replaceChildren(...Array.from({length: count}, (_, number) => {
    const className = number < screens ? "tile screen" : "tile";
    return Object.assign(document.createElement("figure"), {className});
  }));
  const box = (element) => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  return {stage: box(stage), tiles: [...stage.children].map(box), width: document.documentElement.scrollWidth};
}"""

Box = tuple[float, float, float, float]

pytestmark = [pytest.mark.browser]


async def _lay_out(page: ChromiumPage, count: int, screens: int = 0) -> list[Box]:
    """The boxes of so many tiles, once they are known to be where they should be."""
    found = await page.evaluate(js_call(_LAY_OUT, count, screens))
    left, top, right, bottom = found["stage"]
    boxes: list[Box] = [(*box,) for box in found["tiles"]]
    assert len(boxes) == count
    for box in boxes:
        assert left - 1 < box[0] < box[2] < right + 1 and top - 1 < box[1] < box[3] < bottom + 1, (box, found["stage"])
        assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(16 / 9, rel=0.03)
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)
    assert found["width"] <= await page.evaluate("innerWidth"), "nothing is cut off"
    return boxes


@pytest.mark.parametrize("page_name", ["index.html", "worker.html"])
async def test_tiles_fill_the_stage(page_name: str) -> None:
    if reason := CHROMIUM.skipped():
        pytest.skip(reason)
    async with static_server(DEMO, 0) as address, Chromium() as browser:
        page = await browser.new_page()
        await page.route(f"{address}pyscript/", lambda _url: NO_PYTHON)
        await page.goto(address + page_name)
        for name, (width, height) in WINDOWS.items():
            await page.playwright.set_viewport_size({"width": width, "height": height})
            sizes = [(await _lay_out(page, count))[0] for count in range(1, 17)]
            widths = [box[2] - box[0] for box in sizes]
            print(name, [round(each) for each in widths])
            assert all(more >= fewer - 1 for fewer, more in pairwise(reversed(widths))), "more people, smaller tiles"
            assert widths[0] > 0.7 * min(width, 940) or height < 720, "one fills the stage"
            screen, *others = await _lay_out(page, 5, 1)
            assert all(screen[2] - screen[0] > 2 * (other[2] - other[0]) for other in others)
