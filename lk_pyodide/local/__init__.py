"""A LiveKit-compatible server that runs inside the browser, for rooms without a backend (``local://``)."""

from __future__ import annotations

from lk_pyodide.browser.api import Browser
from lk_pyodide.session.schemes import SCHEMES, Network


def register() -> None:
    """Have ``local://`` addresses reach the server here, which is loaded when it is first used."""
    SCHEMES["local"] = _network


def _network(browser: Browser, address: str) -> Network:
    from lk_pyodide.local.network import LocalNetwork

    return LocalNetwork(browser, address)
