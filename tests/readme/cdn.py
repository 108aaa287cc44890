"""Stand-ins for the CDN and the package index that the README's page names, from local npm packages and wheels."""

import json
from urllib.parse import urlsplit

from tests.harness.pages import Page, Reply, folder_handler
from tests.harness.paths import find_wheel, node_modules, wheels
from tools.lockfile import lockfile

PYSCRIPT = "https://cdn.jsdelivr.net/npm/@pyscript/core@0.7.31/dist/"
PYODIDE = "https://cdn.jsdelivr.net/pyodide/"
INDEX = "https://pypi.org/simple/"
FILES = "https://files.pythonhosted.org/packages/"


class Internet:
    """Everything outside this machine, as far as the README's page needs it; `missed` lists what else was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.missed: list[str] = []

    async def install(self, page: Page) -> None:
        """Answer the page's requests to other machines."""
        await page.route("https://", self)

    def __call__(self, url: str) -> Reply:
        """See `tests.harness.pages.Handler`."""
        self.asked.append(url)
        reply = self._reply(url)
        if reply.status != 200:
            self.missed.append(url)
        return reply

    def _reply(self, url: str) -> Reply:
        if url.startswith(PYSCRIPT):
            return folder_handler(PYSCRIPT, node_modules() / "@pyscript" / "core" / "dist")(url)
        if url.startswith(PYODIDE):
            version, _, file = url.removeprefix(PYODIDE).partition("/full/")
            return self._pyodide(f"{PYODIDE}{version}/full/", file)
        if url.startswith(INDEX):
            return _index(url.removeprefix(INDEX).strip("/"))
        if url.startswith(FILES):
            return folder_handler(FILES, wheels())(url)
        return Reply(status=404)

    def _pyodide(self, prefix: str, file: str) -> Reply:
        # The page asks for PyScript's favourite release; the npm package of another patch release stands in for it.
        if file == "pyodide-lock.json":
            return Reply(_lock().encode(), "application/json")
        folder = wheels() if file.endswith(".whl") else node_modules() / "pyodide"
        return folder_handler(prefix, folder)(prefix + file)


def _lock() -> str:
    """Pyodide's own lock file, with the wheels that are here in the place of those of the same name."""
    original = node_modules() / "pyodide" / "pyodide-lock.json"
    lock = json.loads(original.read_text())
    # files.pythonhosted.org has what Pyodide does not carry
    here = [wheel for wheel in wheels().glob("*.whl") if not wheel.name.startswith(("lk_pyodide-", "pyee-"))]
    lock["packages"].update(json.loads(lockfile(original, here))["packages"])
    return json.dumps(lock)


def _index(project: str) -> Reply:
    """The package index's JSON (PEP 691) about a project that is here."""
    if project != "pyee":
        return Reply(status=404)
    wheel = find_wheel(project)
    version = wheel.name.split("-")[1]
    file = {"filename": wheel.name, "url": FILES + wheel.name, "hashes": {}, "size": wheel.stat().st_size}
    answer = {"meta": {"api-version": "1.1"}, "name": project, "versions": [version], "files": [file]}
    return Reply(json.dumps(answer).encode(), "application/vnd.pypi.simple.v1+json")


def host(url: str) -> str:
    """The host of an address."""
    return urlsplit(url).netloc
