"""How a server is reached: by the browser's own means, unless its address has a scheme that brings others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from lk_pyodide.browser.api import Browser, FetchResult, WebSocket, WebSocketHandler
from lk_pyodide.core.urls import ServerUrl


class Network(Protocol):
    """What signalling needs. A :class:`Browser` is one."""

    def open_websocket(self, url: str, handler: WebSocketHandler, /) -> WebSocket: ...
    async def fetch(
        self,
        url: str,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        timeout: float = 5.0,
    ) -> FetchResult: ...


SCHEMES: dict[str, Callable[[Browser, str], Network]] = {}
"""Makes the network for a scheme, of the browser and the address's host. The package registers ``local`` here."""


def network_for(browser: Browser, server: ServerUrl) -> Network:
    """The network that reaches this server."""
    make = SCHEMES.get(server.scheme)
    return browser if make is None else make(browser, server.host)
