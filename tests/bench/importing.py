"""What `import lk_pyodide` costs, beside Pyodide's own boot in the same page."""

import statistics
from dataclasses import dataclass

from tests.harness.pages import Browser, Page, js_call
from tests.harness.site import Site

# Packages are unpacked between the two measurements: they are downloads, which the boot of Pyodide is not charged with.
_MEASURE = """async (archives) => {
  const {loadPyodide} = await import("/pyodide/pyodide.mjs");
  const started = performance.now();
  const pyodide = await loadPyodide({indexURL: "/pyodide/"});
  const booted = performance.now();
  for (const [path, format] of archives) {
    const buffer = await (await fetch(path)).arrayBuffer();
    pyodide.unpackArchive(buffer, format, format === "zip" ? {extractDir: "/source"} : undefined);
  }
  pyodide.runPython("import sys; sys.path.insert(0, '/source'); import asyncio, json, logging");
  const before = performance.now();
  pyodide.runPython("import lk_pyodide");
  const imported = performance.now();
  pyodide.runPython("from lk_pyodide.core import wire; wire.load()");
  return {boot: booted - started, import: imported - before, schema: performance.now() - imported};
}"""


@dataclass(frozen=True)
class ImportCost:
    """Seconds: Pyodide's boot, `import lk_pyodide`, and the schema that connecting needs."""

    boot: float
    importing: float
    schema: float

    @property
    def share(self) -> float:
        """The import as a share of the boot."""
        return self.importing / self.boot


async def measure(browser: Browser, site: Site, rounds: int) -> list[ImportCost]:
    """Boot a fresh page so many times."""
    return [await _once(browser, site) for _ in range(rounds)]


async def _once(browser: Browser, site: Site) -> ImportCost:
    page: Page = await browser.new_page()
    try:
        await page.goto(site.url("/harness/js_peer.html"))  # any page of this origin
        found = await page.evaluate(js_call(_MEASURE, site.archives()))
    finally:
        await page.close()
    return ImportCost(found["boot"] / 1000, found["import"] / 1000, found["schema"] / 1000)


def row(name: str, costs: list[ImportCost]) -> str:
    """One line of the table: medians, with the range of the share."""
    shares = sorted(cost.share for cost in costs)
    return (
        f"{name:10} {statistics.median(cost.boot for cost in costs):8.2f} s"
        f" {statistics.median(cost.importing for cost in costs):10.3f} s"
        f" {statistics.median(cost.schema for cost in costs):10.3f} s"
        f" {statistics.median(shares):8.1%} ({shares[0]:.1%} to {shares[-1]:.1%})"
    )
