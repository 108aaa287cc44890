"""Assembles `build/site`: the demo pages and everything they load, for any static host, under any path.

    site/*.html ...       what is in demo/
    site/lk-agent.js      what a page loads whose Python runs in a worker; out of our wheel
    site/pyscript/        @pyscript/core, from npm
    site/pyodide/         Pyodide, from npm; our wheel and what it needs; a lock file that names exactly these
    site/lite/            JupyterLite with the notebooks of demo/notebooks (tools/lite.py); it uses the same Pyodide

A page there says `<script type="module" src="./pyscript/core.js">` and configures
`{"interpreter": "./pyodide/pyodide.mjs", "packages": ["lk-pyodide"], "packages_cache": "passthrough"}`.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from tools.console import BUILD, NODE_MODULES, ROOT, WHEELS, Stop, main, relative, say
from tools.lite import NOTEBOOKS, make_lite
from tools.lockfile import lockfile

SITE = BUILD / "site"
DEMO = ROOT / "demo"
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")


def make_site(pages: Path = DEMO, site: Path = SITE, lite: Path | None = None) -> None:
    """Builds the site afresh.

    Args:
        pages: The pages, and the notebooks in a folder of that name.
        site: The folder to build.
        lite: A built JupyterLite; without one it is built as well.

    Raises:
        Stop: The pages, the npm packages or the wheels are missing.
    """
    if not any(pages.glob("*.html")):
        raise Stop(f"{relative(pages)}/ has no pages: there is nothing to build a site from")
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(pages, site, ignore=shutil.ignore_patterns("__pycache__", ".*", NOTEBOOKS.name))
    pyscript = NODE_MODULES / "@pyscript" / "core" / "dist"
    shutil.copytree(_there(pyscript, "make npm"), site / "pyscript", ignore=shutil.ignore_patterns("*.map"))
    copy_pyodide(site / "pyodide")
    _unpack_assets(site)
    shutil.copytree(lite or make_lite(notebooks=pages / NOTEBOOKS.name), site / "lite")
    files = [path for path in site.rglob("*") if path.is_file()]
    say(f"  {relative(site)}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")


def copy_pyodide(target: Path) -> None:
    """Puts Pyodide, the wheels and their lock file into one folder."""
    pyodide = _there(NODE_MODULES / "pyodide", "make npm")
    _our_wheel()
    wheels = sorted(WHEELS.glob("*.whl"))
    target.mkdir(parents=True)
    for source in [*(pyodide / name for name in PYODIDE_FILES), *wheels]:
        shutil.copyfile(source, target / source.name)
    (target / "pyodide-lock.json").write_text(lockfile(pyodide / "pyodide-lock.json", wheels))


def _unpack_assets(target: Path) -> None:
    """What `python -m lk_pyodide assets` writes: the agent must be as old as the Python that it serves."""
    with zipfile.ZipFile(_our_wheel()) as wheel:
        for name in wheel.namelist():
            if name.startswith("lk_pyodide/_web/"):
                (target / Path(name).name).write_bytes(wheel.read(name))


def _our_wheel() -> Path:
    found = sorted(_there(WHEELS, "make wheel").glob("lk_pyodide-*.whl"))
    if not found:
        raise Stop(f"our wheel is not in {relative(WHEELS)}: run `make wheel`")
    return found[-1]


def _there(path: Path, remedy: str) -> Path:
    if not path.exists():
        raise Stop(f"{relative(path)} is missing: run `{remedy}`")
    return path


if __name__ == "__main__":
    main(make_site)
