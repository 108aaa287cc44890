"""Finds the browser that this Python runs in."""

from __future__ import annotations

import sys
from functools import cache

from lk_pyodide.browser.api import Browser
from lk_pyodide.errors import UnsupportedHostError

__all__ = ["current"]


@cache
def current() -> Browser:
    """Give the page's one :class:`~lk_pyodide.browser.api.Browser`, found out at the first call.

    Raises:
        UnsupportedHostError: Python does not run in a page.
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
        raise UnsupportedHostError(
            "this Python runs in a worker, from which this version of lk_pyodide cannot reach the page: "
            'run it on the page itself (<script type="py"> without the worker attribute)'
        )
    raise UnsupportedHostError(
        "this Python runs in JavaScript, but not in a browser page; "
        "tests can use Room(browser=lk_pyodide.testing.FakeBrowser())"
    )
