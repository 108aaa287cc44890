"""A page of JupyterLite with one notebook open in it, driven by the application's own interface, not by clicks."""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.lite_site import LiteSite
from tests.harness.pages import Browser, Page, PageError, js_call
from tests.harness.paths import HARNESS
from tests.harness.process import shorten

BOOT_TIMEOUT = 60.0
"""Seconds for a kernel to start: three times what it takes."""
RUN_TIMEOUT = 30.0
"""Seconds for a cell, or for a notebook."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Cell:
    """A cell as the notebook shows it now. `count` is the number in its brackets; outputs are as in a notebook file."""

    index: int
    kind: str
    source: str
    count: int | None
    running: bool
    outputs: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """What it printed, and its results and displays as plain text."""
        parts = (output.get("text") or _joined(output.get("data", {}).get("text/plain")) for output in self.outputs)
        return "".join(_joined(part) for part in parts)

    @property
    def error(self) -> str | None:
        """The traceback, if it raised; without colours."""
        for output in self.outputs:
            if output["output_type"] == "error":
                return _COLOURS.sub("", "\n".join(output["traceback"]))
        return None

    def data(self, mime_type: str) -> list[Any]:
        """What it displayed of a MIME type."""
        bundles = (output.get("data", {}) for output in self.outputs)
        return [bundle[mime_type] for bundle in bundles if mime_type in bundle]


def _joined(text: str | list[str] | None) -> str:
    return "".join(text or "")


class CellFailed(AssertionError):
    """A cell raised; the message is its traceback."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(f"cell {cell.index} raised:\n{cell.source}\n{cell.error}")
        self.cell = cell


class RunningCell:
    """A cell that was started and may still run."""

    def __init__(self, lite: "JupyterLite", index: int, run: int) -> None:
        self._lite = lite
        self._index = index
        self._run = run

    async def now(self) -> Cell:
        """What it has put out so far."""
        return (await self._lite.cells())[self._index]

    async def result(self, timeout: float = RUN_TIMEOUT) -> Cell:
        """Wait until it has run; `CellFailed` if it raised, `TimeoutError` with the state of all cells if it hangs."""
        await self._lite.within(timeout, f"cell {self._index}", js_call("lkLite.finish", self._run))
        return _checked(await self.now())


def _checked(cell: Cell) -> Cell:
    if cell.error is not None:
        raise CellFailed(cell)
    return cell


class JupyterLite:
    """One page, and the notebook that it shows."""

    def __init__(self, page: Page, site: LiteSite) -> None:
        self.page = page
        self.site = site
        self.notebook = ""
        self.boot_seconds = 0.0
        """From the page's address to a kernel that can run code."""

    @classmethod
    async def open(cls, browser: Browser, site: LiteSite, notebook: str) -> "JupyterLite":
        """Open a notebook in a page of its own and wait for its kernel."""
        return await cls.enter(await browser.new_page(), site, notebook)

    @classmethod
    async def enter(cls, page: Page, site: LiteSite, notebook: str) -> "JupyterLite":
        """Open a notebook in a page that may have shown one before, and wait for its kernel."""
        started = time.monotonic()
        lite = cls(page, site)
        if not await page.evaluate("'lkLite' in globalThis"):
            await page.preload((HARNESS / "jupyterlite.js").read_text())
        await lite.open_notebook(notebook)
        await lite.kernel_ready()
        lite.boot_seconds = time.monotonic() - started
        return lite

    @property
    def browser_name(self) -> str:
        """`chromium` or `firefox`."""
        return self.page.browser_name

    async def open_notebook(self, name: str) -> None:
        """Load the page anew with this notebook, shipped or saved, and wait until it shows; its kernel starts then."""
        self.notebook = name
        await self.page.goto(self.site.url(f"lite/notebooks/index.html?path={name}"))
        await self.within(BOOT_TIMEOUT, f"opening {name}", js_call("lkLite.opened", name))

    async def reload(self) -> None:
        """Load the page anew, as a user's reload does: the kernel is gone, and so is what was not saved."""
        await self.open_notebook(self.notebook)

    async def close(self) -> None:
        """Close the page as a user does."""
        await self.page.close()

    async def screenshot(self, path: Path) -> None:
        """Write a PNG."""
        await self.page.screenshot(path)

    async def save(self) -> None:
        """Save the notebook, outputs and all, in the browser's storage: it hides the shipped one of the same name."""
        await self.within(RUN_TIMEOUT, "saving", "lkLite.save()")

    async def read_saved(self) -> str:
        """The notebook as it was last saved, as JSON."""
        return str(await self.page.evaluate(js_call("lkLite.read", self.notebook)))

    async def made(self) -> dict[str, int]:
        """How often the page, since its load, asked for `devices`, got `tracks`, made `sockets` and so on."""
        counts: dict[str, int] = await self.page.evaluate("lkLite.made()")
        return counts

    async def capturing(self) -> int:
        """How many tracks of cameras and microphones are live on the page."""
        return int(await self.page.evaluate("lkLite.capturing()"))

    async def camera_off(self, timeout: float = 3.0) -> float:
        """Wait until no camera and no microphone is in use by the page; the seconds it took."""
        started = time.monotonic()
        await self.within(timeout, "turning devices off", "lkLite.uncaptured()")
        return time.monotonic() - started

    async def forget_saved(self) -> None:
        """Remove the saved copy: the next opening shows the notebook as shipped."""
        await self.within(RUN_TIMEOUT, "removing the saved copy", js_call("lkLite.forget", self.notebook))

    async def kernel_ready(self, timeout: float = BOOT_TIMEOUT) -> None:
        """Wait until the kernel can run code."""
        await self.within(timeout, "starting the kernel", "lkLite.kernelReady()")

    async def kernel_status(self) -> str:
        """`idle`, `busy`, `no kernel` and so on."""
        return str(await self.page.evaluate("lkLite.kernelStatus()"))

    async def restart_kernel(self) -> None:
        """Restart the kernel: the worker is terminated, and a new one started and waited for."""
        await self.within(BOOT_TIMEOUT, "restarting the kernel", "lkLite.restart()")

    async def shut_down_kernel(self) -> None:
        """End the kernel: the worker is terminated."""
        await self.within(RUN_TIMEOUT, "shutting the kernel down", "lkLite.shutDown()")

    async def start_kernel(self) -> None:
        """Start a kernel after `shut_down_kernel` and wait for it."""
        await self.within(BOOT_TIMEOUT, "starting the kernel again", "lkLite.start()")

    async def cells(self) -> list[Cell]:
        """All cells, as they are now."""
        return [Cell(index, **cell) for index, cell in enumerate(await self.page.evaluate("lkLite.cells()"))]

    async def put_cells(self, *sources: str) -> None:
        """Replace all cells with these, not yet run."""
        await self.page.evaluate(js_call("lkLite.putCells", sources))

    async def run_all(self, timeout: float = RUN_TIMEOUT) -> list[Cell]:
        """Run every cell and wait until all have; `CellFailed` for the first that raised."""
        run = await self.page.evaluate("lkLite.beginAll()")
        await self.within(timeout, "running all cells", js_call("lkLite.finish", run))
        return [_checked(cell) for cell in await self.cells()]

    async def start(self, source: str) -> RunningCell:
        """Append a cell and start it, without waiting for it."""
        begun = await self.page.evaluate(js_call("lkLite.beginCell", source))
        return RunningCell(self, begun["index"], begun["run"])

    async def run(self, source: str, timeout: float = RUN_TIMEOUT) -> Cell:
        """Append a cell and run it; see `RunningCell.result`."""
        return await (await self.start(source)).result(timeout)

    async def within(self, timeout: float, what: str, expression: str) -> None:
        """Await an expression in the page; when that takes too long, say how far the notebook has got."""
        try:
            async with asyncio.timeout(timeout):
                await self.page.evaluate(expression)
        except TimeoutError:
            raise TimeoutError(f"{what} took more than {timeout} s; {await self._progress()}") from None

    async def _progress(self) -> str:
        try:
            async with asyncio.timeout(5):
                status = await self.kernel_status()
                cells = await self.cells() if status != "no kernel" else []
        except (PageError, TimeoutError) as error:
            status, cells = f"not known: {error}", []
        return "\n  ".join(
            [
                f"kernel: {status}; cells:",
                *(f"[{'*' if cell.running else cell.count or ' '}] {_brief(cell)}" for cell in cells),
                "end of the console:",
                *(shorten(line) for line in self.page.console[-10:]),
            ]
        )


def _brief(cell: Cell) -> str:
    return shorten(f"{cell.source!r} -> {(cell.error or cell.text)[-200:]!r}")
