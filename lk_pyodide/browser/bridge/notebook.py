"""Shows the page's agent in a notebook."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module, resources
from typing import Any


def read_agent() -> str:
    """The JavaScript of the page's agent."""
    return resources.files("lk_pyodide").joinpath("_web", "lk-agent.js").read_text()


def show_agent(token: str) -> Callable[[], None]:
    """Run the agent on the page, by the way of the running cell's output.

    Returns:
        Empties that output, so that nothing of it is saved with the notebook.
    """
    ipython: Any = import_module("IPython.display")
    script = f"{read_agent()}\nlkAgent.serve({json.dumps(token)});"
    output = ipython.display(ipython.Javascript(script), display_id=True)
    return lambda: output.update({"text/plain": ""}, raw=True)
