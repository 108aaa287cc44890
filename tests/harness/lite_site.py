"""The web server of JupyterLite: the folder that `make site` builds, with our wheel as the checkout has it now.

Served below a path, as a project's site on a host of many is. A Content-Security-Policy forbids what is not on this
machine, for pages and workers alike, and the browsers report here what they refused: `outside` must stay empty.
"""

import asyncio
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.harness.archives import inpage_zip
from tests.harness.paths import HARNESS, find_wheel, wheels
from tests.harness.process import HOST
from tools.console import ROOT
from tools.lite import make_lite
from tools.site import copy_pyodide
from tools.wheels import build_wheel

PREFIX = "/some/where/"
_LOCAL = f"http://{HOST}:* ws://{HOST}:*"
_POLICY = (
    f"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob: {_LOCAL}; "
    "report-uri /outside"
)


class LiteSite:
    """`async with LiteSite(folder) as site: site.url("lite/lab/index.html")`; builds into the folder."""

    def __init__(self, folder: Path) -> None:
        self.outside: list[str] = []
        """Addresses on other machines that something here asked for."""
        self.address = ""
        self._folder = folder
        self._runner: web.AppRunner | None = None

    def url(self, path: str) -> str:
        """The address of a file of the site."""
        return self.address + path

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._build)
        app = web.Application()
        app.router.add_post("/outside", self._report)
        app.router.add_static(PREFIX, self._folder / "site")
        app.router.add_static("/harness", HARNESS)
        app.router.add_get("/tests.zip", _tests)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        port: int = self._runner.addresses[0][1]
        self.address = f"http://{HOST}:{port}{PREFIX}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _build(self) -> None:
        offered = self._folder / "wheels"
        shutil.copytree(wheels(), offered, ignore=shutil.ignore_patterns("lk_pyodide-*"))
        if os.environ.get("LK_TEST_WHEEL") == "1":
            shutil.copy(find_wheel("lk_pyodide"), offered)
        else:
            build_wheel(ROOT, offered)
        make_lite(wheels=offered, target=self._folder / "site" / "lite")
        copy_pyodide(self._folder / "site" / "pyodide")

    async def _report(self, request: web.Request) -> web.Response:
        report = json.loads(await request.text())["csp-report"]
        self.outside.append(f"{report['blocked-uri']} asked for by {report['document-uri']}")
        return web.Response(status=204)


async def _tests(_request: web.Request) -> web.Response:
    return web.Response(body=inpage_zip(), content_type="application/zip")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "public, max-age=3600"  # each session has a port of its own
