"""`python -m tests.bench`: prints the table and exits with 1 when a bar is missed."""

import asyncio
import statistics
import sys

from tests.bench import importing
from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.site import Site

ROUNDS = 5
IMPORT_BAR = 0.15
"""`import lk_pyodide` may take this share of Pyodide's own boot."""


async def main() -> int:
    """Measure, print, judge."""
    missed = False
    print(f"import, {ROUNDS} rounds a browser; medians")
    print(f"{'':10} {'Pyodide':>10} {'lk_pyodide':>12} {'schema':>12} {'import / Pyodide':>16}")
    async with Site() as site:
        for engine in (Chromium, Firefox):
            async with engine() as browser:
                print(f"{browser.name} ...", end="\r", flush=True)
                costs = await importing.measure(browser, site, ROUNDS)
            print(importing.row(browser.name, costs))
            if browser.name == "chromium":
                missed = statistics.median(cost.share for cost in costs) > IMPORT_BAR
    print(f"bar: import / Pyodide at most {IMPORT_BAR:.0%} in Chromium: {'missed' if missed else 'kept'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
