"""Where Python may be: on a page itself, or in a worker of it. A host loads a page until its `lkPage` can take runs."""

import os
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.harness.archives import package_files
from tests.harness.pages import Page, js_call
from tests.harness.paths import REPO, MissingTool, find_wheel
from tests.harness.site import Site

Boot = Callable[[Page, Site], Awaitable[None]]


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


HOSTS: Mapping[str, Boot] = {"page": boot_page, "worker": boot_worker, "pyscript": boot_pyscript}


def check_wheel(wheel: Path) -> None:
    """Complain about a wheel that has other Python in it than the checkout: a stale one costs an hour of wondering."""
    sources = {path.relative_to(REPO).as_posix(): path.read_bytes() for path in package_files() if path.suffix == ".py"}
    with zipfile.ZipFile(wheel) as archive:
        built = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    differing = sorted(name for name in sources.keys() | built.keys() if sources.get(name) != built.get(name))
    if differing:
        raise MissingTool(f"{wheel.name} is not made of the sources as they are ({differing[0]}): `make wheel`")
