"""The same Python on the page's thread, in a PyScript worker and in JupyterLite's kernel: connecting, and data."""

import contextlib
import secrets
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.harness.lite_site import LiteSite
from tests.harness.pages import Browser
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.inpage import bench_hosts
from tests.inpage import peer as inpage

HOSTS = {"page": "main thread", "pyscript": "PyScript worker", "jupyterlite": "JupyterLite"}
WORKER_BAR = 1.5
"""How many times the main thread's latency data may take in a PyScript worker."""
LITE_BAR = 0.008
"""Seconds of latency that data may have in JupyterLite."""


@dataclass(frozen=True)
class HostCost:
    """Medians: seconds to connect, seconds from a call to the handler; reliable messages of 100 bytes per second."""

    connect: float
    latency: float
    p95: float
    rate: float


async def measure(
    browser: Browser, site: Site, lite: LiteSite, server: LiveKitServer, rounds: int
) -> dict[str, HostCost]:
    """Every host in turn, so many times over; medians of all."""
    found: dict[str, list[dict[str, list[float]]]] = {host: [] for host in HOSTS}
    async with _pages(browser, site, lite) as pages:
        for _ in range(rounds):
            for host, page in pages.items():
                found[host].append(await _once(page, server))
    return {host: _summed(runs) for host, runs in found.items()}


@contextlib.asynccontextmanager
async def _pages(browser: Browser, site: Site, lite: LiteSite) -> AsyncIterator[dict[str, PythonPage]]:
    pages: dict[str, PythonPage] = {}
    try:
        for host in HOSTS:
            pages[host] = await PythonPage.open(browser, lite if host == "jupyterlite" else site, host)
            await pages[host].prepare(inpage.reach_page)
        yield pages
    finally:
        for page in pages.values():
            await page.close()


async def _once(page: PythonPage, server: LiveKitServer) -> dict[str, list[float]]:
    room = f"bench-{secrets.token_hex(4)}"
    tokens = [server.token(identity, room) for identity in ("receiver", "sender")]
    run = await page.start(bench_hosts.measure, url=server.url, tokens=tokens, connects=5, messages=200, burst=1000)
    found = await run.result(120)
    return {**found, "rate": [found["rate"]]}


def _summed(runs: list[dict[str, list[float]]]) -> HostCost:
    def all_of(name: str) -> list[float]:
        return sorted(value for run in runs for value in run[name])

    latencies = all_of("latency")
    return HostCost(
        statistics.median(all_of("connect")),
        statistics.median(latencies),
        latencies[int(len(latencies) * 0.95)],
        statistics.median(all_of("rate")),
    )


def row(browser: str, host: str, cost: HostCost) -> str:
    """One line of the table."""
    return (
        f"{browser:10} {HOSTS[host]:16} {cost.connect * 1000:8.0f} ms {cost.latency * 1000:8.2f} ms"
        f" {cost.p95 * 1000:8.2f} ms {cost.rate:10.0f} /s"
    )
