"""What a page of PyScript with a worker loads: itself, its configuration, and Pyodide with wheels and their lock."""

import json
import secrets

from aiohttp import web

from tests.harness.paths import HARNESS, node_modules, wheels
from tools.lockfile import lockfile

CONFIG = {
    "interpreter": "/pyscript-page/runtime/pyodide.mjs",
    "packages": ["lk-pyodide"],
    "packages_cache": "passthrough",  # by Pyodide and its lock file, without micropip
    "files": {"/tests.zip": "./*"},
}


def page(_request: web.Request) -> web.StreamResponse:
    """The page, with a token of its own for the channel between it and its worker."""
    text = (HARNESS / "pyscript_page.html").read_text(encoding="utf-8")
    return web.Response(text=text.replace("{{token}}", secrets.token_hex(8)), content_type="text/html")


def config(_request: web.Request) -> web.StreamResponse:
    """The page's configuration."""
    return web.Response(text=json.dumps(CONFIG), content_type="application/json")


def runtime(request: web.Request) -> web.StreamResponse:
    """Pyodide's files, our wheel and what it needs, and a lock file for these."""
    name = request.match_info["name"]
    pyodide = node_modules() / "pyodide"
    if name == "pyodide-lock.json":
        return web.Response(text=lockfile(pyodide / name, wheels().glob("*.whl")), content_type="application/json")
    for folder in (pyodide, wheels()):
        if (folder / name).is_file():
            return web.FileResponse(folder / name)
    return web.Response(status=404)
