"""`python -m tests.bench [import] [data] [streams] [hosts]`: prints the table; exits with 1 when a bar is missed."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import data, hosts, importing, streams
from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.lite_site import LiteSite
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site

ROUNDS = 5
HOST_ROUNDS = 3
IMPORT_BAR = 0.15
"""`import lk_pyodide` may take this share of Pyodide's own boot."""


async def main() -> int:
    """Measure, print, judge."""
    parts = {"import": _import, "data": _data, "streams": _streams, "hosts": _hosts}
    chosen = sys.argv[1:] or list(parts)
    missed = [await parts[name]() for name in chosen]
    return int(any(missed))


async def _data() -> bool:
    """Connecting, data and calls, beside livekit-client; whether a bar is missed."""
    missed: list[str] = []
    print(f"\n100 B of reliable data through livekit-server, {ROUNDS} rounds, interleaved; medians of the rounds")
    print(f"{'':33}{'connect':>12} {'':>5}{'one way':>12} {'':>5}{'messages':>12} {'':>5}{'call':>12}")
    async with Site() as site, LiveKitServer() as server:
        for engine in (Chromium, Firefox):
            async with engine() as browser:
                print(f"{browser.name} ...", end="\r", flush=True)
                cost = await data.measure(browser, site, server, ROUNDS)
            print("\n".join(data.rows(browser.name, cost)))
            missed += [f"{what} in {browser.name}" for what in cost.missed()]
    bars = ", ".join(f"{what} {bar:g}" for what, bar in data.BARS.items())
    print(f"bars: {bars}: {'missed by ' + ', '.join(missed) if missed else 'kept'}")
    return bool(missed)


async def _streams() -> bool:
    """Long texts, beside livekit-client; whether their bar is missed."""
    missed: list[str] = []
    print(f"\n{streams.SIZE / 1e6:g} MB texts that compress little, {HOST_ROUNDS} rounds, interleaved; medians")
    print(f"{'':10} {'lk_pyodide':>15} {'livekit-client':>15} {'ratio':>10}")
    async with Site() as site, LiveKitServer() as server:
        for engine in (Chromium, Firefox):
            async with engine() as browser:
                print(f"{browser.name} ...", end="\r", flush=True)
                cost = await streams.measure(browser, site, server, HOST_ROUNDS)
            print(streams.row(browser.name, cost))
            if cost.ratio < streams.RATIO_BAR:
                missed.append(browser.name)
    print(f"bar: ratio at least {streams.RATIO_BAR:g}: {'missed in ' + ', '.join(missed) if missed else 'kept'}")
    return bool(missed)


async def _hosts() -> bool:
    """The same Python in three places; whether a bar is missed."""
    missed: list[str] = []
    print(f"\nhosts, {HOST_ROUNDS} rounds, interleaved; medians, one way through livekit-server")
    print(f"{'':10} {'':16} {'connect':>11} {'data':>11} {'95 %':>11} {'100 B':>13}")
    with tempfile.TemporaryDirectory() as folder:
        async with Site() as site, LiteSite(Path(folder)) as lite, LiveKitServer() as server:
            for engine in (Chromium, Firefox):
                async with engine() as browser:
                    print(f"{browser.name} ...", end="\r", flush=True)
                    costs = await hosts.measure(browser, site, lite, server, HOST_ROUNDS)
                for host, cost in costs.items():
                    print(hosts.row(browser.name, host, cost))
                if costs["pyscript"].latency > hosts.WORKER_BAR * costs["page"].latency:
                    missed.append(f"{browser.name}: PyScript worker")
                if costs["jupyterlite"].latency > hosts.LITE_BAR:
                    missed.append(f"{browser.name}: JupyterLite")
    bars = f"data in a PyScript worker at most {hosts.WORKER_BAR:g} x the main thread, in JupyterLite at most "
    print(f"bar: {bars}{hosts.LITE_BAR * 1000:g} ms: {'missed by ' + ', '.join(missed) if missed else 'kept'}")
    return bool(missed)


async def _import() -> bool:
    """What importing costs; whether its bar is missed."""
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
    return missed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
