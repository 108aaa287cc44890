"""Finds the browser that this Python runs in: on the page's thread, or in a worker of it."""

from __future__ import annotations

import sys
from functools import cache

from lk_pyodide.browser.api import Browser
from lk_pyodide.errors import UnsupportedHostError

__all__ = ["current"]

_PORT_TIMEOUT = 2.0
"""Seconds for a page's agent to answer a worker: it is there, or it is not."""

_NOTEBOOK_TIMEOUT = 10.0
"""Seconds for a notebook to show the agent: it may have much else to show."""


@cache
def current() -> Browser:
    """Give the page's one :class:`~lk_pyodide.browser.api.Browser`, found out at the first call.

    Raises:
        UnsupportedHostError: Python does not run in a browser.
    """
    platform: str = sys.platform  # a str, or type checkers take what follows for unreachable
    if platform != "emscripten":
        raise UnsupportedHostError(
            "this Python does not run in a browser; tests can use Room(browser=lk_pyodide.testing.FakeBrowser())"
        )
    from lk_pyodide.browser.ffi import js

    if hasattr(js, "document") and hasattr(js, "window"):
        from lk_pyodide.browser.direct import DirectBrowser

        return DirectBrowser()
    if hasattr(js, "WorkerGlobalScope"):
        from lk_pyodide.browser.bridge import BridgeBrowser
        from lk_pyodide.browser.bridge.carrier import ask_for_port, wait_for_agent

        if "pyodide_kernel" in sys.modules:  # JupyterLite's
            from lk_pyodide.browser.bridge.notebook import show_agent

            return BridgeBrowser(lambda: wait_for_agent(show_agent, _NOTEBOOK_TIMEOUT))
        return BridgeBrowser(lambda: ask_for_port(_PORT_TIMEOUT))
    raise UnsupportedHostError(
        "this Python runs in JavaScript, but not in a browser page; "
        "tests can use Room(browser=lk_pyodide.testing.FakeBrowser())"
    )
