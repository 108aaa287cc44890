"""Where Python may be: on a page itself, or in a worker of it. A host loads a page until its `lkPage` can take runs."""

import os
import secrets
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tests.harness.archives import package_files
from tests.harness.jupyterlite import JupyterLite
from tests.harness.lite_site import LiteSite
from tests.harness.pages import Page, js_call
from tests.harness.paths import REPO, MissingTool, find_wheel
from tests.harness.site import Site

Boot = Callable[[Page, Any], Awaitable[None]]
"""Takes the site that the host's files are on."""


async def boot_page(page: Page, site: Site) -> None:
    """Pyodide on the page."""
    await page.goto(site.url("/harness/python_page.html"))
    await page.evaluate(js_call("lkPage.boot", site.archives()))


async def boot_worker(page: Page, site: Site) -> None:
    """Pyodide in a module worker, with nothing around it."""
    await page.goto(site.url("/harness/worker_page.html"))
    await page.evaluate(js_call("lkPage.boot", site.archives()))


async def boot_pyscript(page: Page, site: Site) -> None:
    """PyScript's `<script type="py" worker>`, with the built wheel."""
    if "LK_WHEELS" not in os.environ:  # who names wheels wants these
        check_wheel(find_wheel("lk_pyodide"))
    await page.goto(site.url("/pyscript-page/index.html"))
    await page.evaluate("lkPage.boot()")


# The page and its application were there before the books that the gate keeps: of these only connections and the like
# can be told from a notebook's own.
_ENTER = """async (token) => {
  document.documentElement.dataset.host = "jupyterlite";
  await import("/harness/gate.js");
  await import("/harness/page_actions.js");
  const {connect} = await import("/harness/remote_page.js");
  globalThis.lkPage = connect(token, ["natives"]);
}"""
_SERVE = """
%pip install -q lk_pyodide
import sys
from pyodide.http import pyfetch
await (await pyfetch("/tests.zip")).unpack_archive(extract_dir="/lk-source", format="zip")
sys.path.insert(0, "/lk-source")
from tests.inpage import remote
remote.serve("{token}")
"""


async def boot_jupyterlite(page: Page, site: LiteSite) -> None:
    """A kernel of JupyterLite, with the package installed from its site."""
    lite = await JupyterLite.enter(page, site, "first_room.ipynb")
    await lite.put_cells()
    token = secrets.token_hex(8)
    await page.evaluate(js_call(_ENTER, token))
    await lite.run(_SERVE.format(token=token))
    await page.evaluate("lkPage.boot()")


HOSTS: Mapping[str, Boot] = {
    "page": boot_page,
    "worker": boot_worker,
    "pyscript": boot_pyscript,
    "jupyterlite": boot_jupyterlite,
}


def check_wheel(wheel: Path) -> None:
    """Complain about a wheel that has other Python in it than the checkout: a stale one costs an hour of wondering."""
    sources = {path.relative_to(REPO).as_posix(): path.read_bytes() for path in package_files() if path.suffix == ".py"}
    with zipfile.ZipFile(wheel) as archive:
        built = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    differing = sorted(name for name in sources.keys() | built.keys() if sources.get(name) != built.get(name))
    if differing:
        raise MissingTool(f"{wheel.name} is not made of the sources as they are ({differing[0]}): `make wheel`")
