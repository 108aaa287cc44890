"""The web server of the tests: Pyodide, PyScript, livekit-client and our own sources on one loopback origin."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.harness import pyscript_site
from tests.harness.archives import inpage_zip, package_zip
from tests.harness.paths import HARNESS, REPO, find_wheel, node_modules, wheels
from tests.harness.process import HOST

# Runtimes do not change while a test session runs; our own files do, and a stale one costs an hour of wondering.
_RUNTIME_AGE = "public, max-age=3600"
_RUNTIMES = ("/pyodide/", "/pyscript/", "/pyscript-page/runtime/", "/livekit-client/", "/wheels/")
_AGENT = REPO / "lk_pyodide" / "_web" / "lk-agent.js"
_NEEDED_WHEELS = ("protobuf", "pyee", "typing_extensions")


class Site:
    """A static server with a few generated files; `async with Site() as site: site.url("/harness/x.html")`."""

    def __init__(self, *, use_wheel: bool = False) -> None:
        self.use_wheel = use_wheel
        self.origin = ""
        self._runner: web.AppRunner | None = None
        self._app = web.Application(middlewares=[_cache_headers])
        self._app.router.add_get("/tests.zip", _generated(inpage_zip))
        self._app.router.add_get("/lk_pyodide.zip", _generated(package_zip))
        self._app.router.add_get("/blank.html", _blank)
        self._app.router.add_get("/favicon.ico", _nothing)
        self.serve("/lk-agent.js", _agent)
        self.serve("/pyscript-page/index.html", pyscript_site.page)
        self.serve("/pyscript-page/config.json", pyscript_site.config)
        self.serve("/pyscript-page/runtime/{name}", pyscript_site.runtime)

    def url(self, path: str) -> str:
        """The absolute address of a path on this site."""
        return self.origin + path

    def archives(self) -> list[tuple[str, str]]:
        """What a Python page unpacks, in order: (path on this site, Pyodide's archive format)."""
        names = [*_NEEDED_WHEELS, *(["lk_pyodide"] if self.use_wheel else [])]
        found = [(f"/wheels/{find_wheel(name).name}", "wheel") for name in names]
        if not self.use_wheel:
            found.append(("/lk_pyodide.zip", "zip"))
        return [*found, ("/tests.zip", "zip")]

    def serve_folder(self, prefix: str, folder: Path) -> None:
        """Serve a folder below a prefix; only before the site starts."""
        self._app.router.add_static(prefix, folder, follow_symlinks=True)

    def serve(self, path: str, handler: Callable[[web.Request], web.StreamResponse]) -> None:
        """Serve one generated answer; only before the site starts."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return handler(request)

        self._app.router.add_get(path, answer)

    async def __aenter__(self) -> Self:
        modules = node_modules()
        self.serve_folder("/pyodide", modules / "pyodide")
        self.serve_folder("/pyscript", modules / "@pyscript" / "core" / "dist")
        self.serve_folder("/livekit-client", modules / "livekit-client" / "dist")
        self.serve_folder("/harness", HARNESS)
        if wheels().is_dir():
            self.serve_folder("/wheels", wheels())
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        listener = web.TCPSite(self._runner, HOST, 0)
        await listener.start()
        port: int = self._runner.addresses[0][1]
        self.origin = f"http://{HOST}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


@web.middleware
async def _cache_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    cached = request.path.startswith(_RUNTIMES)
    response.headers["Cache-Control"] = _RUNTIME_AGE if cached else "no-store"
    return response


def _generated(make: Callable[[], bytes]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=make(), content_type="application/zip")

    return answer


async def _blank(_request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>blank</title>", content_type="text/html")


def _agent(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(_AGENT) if _AGENT.is_file() else web.Response(status=404)


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(status=204)
