"""Assembles JupyterLite with the notebooks of `demo/notebooks`, for `build/site/lite`: nothing comes from a CDN.

    lite/{lab,notebooks,repl}/  the applications, from PyPI, without source maps
    lite/kernel/                the wheels that the kernel starts with, and a lock file that names exactly these
    lite/pypi/                  our wheel and what it needs, with the index that `%pip install lk_pyodide` reads
    lite/files/                 the notebooks

Pyodide itself is next door, in `pyodide/` (tools/site.py). Run by the Python of `build/venv`, which holds the builder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.console import BUILD, NODE_MODULES, ROOT, WHEELS, Stop, main, relative, run, say
from tools.lockfile import lockfile
from tools.wheels import PAGE_PYTHON, PURE

LITE = BUILD / "lite"
NOTEBOOKS = ROOT / "demo" / "notebooks"
APPLICATIONS = ("lab", "notebooks", "repl")
KERNEL_WHEELS = ROOT / "tools" / "kernel-wheels.txt"

_EPOCH = 1577836800  # files are as old as that, for builds that can be compared
_EPOCH_TEXT = "2020-01-01T00:00:00Z"
_CONFIG = {
    "contentsAllJsonFile": "all.json",
    "exposeAppInBrowser": True,  # `jupyterapp`, for tests and the curious
    "litePluginSettings": {
        "@jupyterlite/pyodide-kernel-extension:kernel": {
            # only what begins with a dot is taken relative to the site
            "pyodideUrl": "./../pyodide/pyodide.mjs",
            "disablePyPIFallback": True,
            "loadPyodideOptions": {"lockFileURL": "./kernel/pyodide-lock.json"},
        }
    },
}


def make_lite(wheels: Path = WHEELS, notebooks: Path = NOTEBOOKS, target: Path = LITE / "site") -> Path:
    """Builds the folder, unless it has been built from the same things, and returns it.

    Args:
        wheels: Our wheel and what it needs.
        notebooks: What the file browser shows.
        target: The folder to build; what it was built from is remembered beside it.

    Raises:
        Stop: Something is missing or does not work.
    """
    if not any(wheels.glob("lk_pyodide-*.whl")):
        raise Stop(f"our wheel is not in {relative(wheels)}: run `make wheel`")
    if not _lock().is_file():
        raise Stop(f"{relative(_lock())} is missing: run `make npm`")
    kernel, pages = kernel_wheels(), sorted(notebooks.glob("*.ipynb"))
    # micropip comes with the kernel
    offered = [wheel for wheel in sorted(wheels.glob("*.whl")) if not wheel.name.startswith("micropip-")]
    inputs = _fingerprint([*kernel, *offered, *pages, _lock(), Path(__file__), ROOT / "pyproject.toml"])
    stamp = target.with_suffix(".inputs")
    if target.is_dir() and stamp.is_file() and stamp.read_text() == inputs:
        say(f"  {relative(target)}: up to date")
        return target
    stamp.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    _build(offered, target)
    _add_kernel(kernel, target)
    _add_icons(target)
    _add_notebooks(pages, target)
    stamp.write_text(inputs)
    files = [path for path in target.rglob("*") if path.is_file()]
    say(f"  {relative(target)}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
    return target


def kernel_wheels(folder: Path = LITE / "wheels", pinned: Path = KERNEL_WHEELS) -> list[Path]:
    """The pinned wheels of the kernel, downloaded into `folder` unless they are there; pip verifies their hashes."""
    wanted = set(re.findall(r"--hash=sha256:(\w+)", pinned.read_text()))
    if {_sha256(wheel) for wheel in folder.glob("*.whl")} != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "--python-version", PAGE_PYTHON, *PURE]
        verified = ["--require-hashes", "--requirement", str(pinned), "--dest", str(folder)]
        run("download the kernel's wheels", [*download, *verified])
    return sorted(folder.glob("*.whl"))


def _lock() -> Path:
    return NODE_MODULES / "pyodide" / "pyodide-lock.json"


def _build(wheels: Iterable[Path], target: Path) -> None:
    """Lets JupyterLite's own builder write the applications, the kernel's extension and the index of wheels."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary)
        (source / "pypi").mkdir()
        for wheel in wheels:
            shutil.copyfile(wheel, source / "pypi" / wheel.name)
        config = {"jupyter-lite-schema-version": 0, "jupyter-config-data": _CONFIG}
        (source / "jupyter-lite.json").write_text(json.dumps(config))
        builder = [sys.executable, "-m", "jupyterlite_core", "build"]
        places = ["--lite-dir", str(source), "--output-dir", str(target)]
        smaller = ["--no-sourcemaps", "--no-unused-shared-packages"]
        chosen = [argument for name in APPLICATIONS for argument in ("--apps", name)]
        epoch = os.environ | {"SOURCE_DATE_EPOCH": str(_EPOCH)}
        run("build JupyterLite", [*builder, *places, *smaller, *chosen], env=epoch, cwd=source)
    for leftover in target.glob("rspack.config*.js"):
        leftover.unlink()


def _add_kernel(wheels: Iterable[Path], target: Path) -> None:
    folder = target / "kernel"
    folder.mkdir()
    listed = list(wheels)
    for wheel in listed:
        shutil.copyfile(wheel, folder / wheel.name)
    (folder / "pyodide-lock.json").write_text(lockfile(_lock(), listed))


def _add_icons(target: Path) -> None:
    """The icons that show in a tab what it is; Jupyter Server has a drawing of each, here they are all alike."""
    folder = target / "static" / "favicons"
    folder.mkdir(parents=True)
    for name in ("busy-1", "console", "file", "notebook"):
        shutil.copyfile(target / "lab" / "favicon.ico", folder / f"favicon-{name}.ico")


def _add_notebooks(notebooks: Iterable[Path], target: Path) -> None:
    """Copies the notebooks and writes the listing of them, which the builder can do only with all of Jupyter Server."""
    files, listings = target / "files", target / "api" / "contents"
    files.mkdir()
    listings.mkdir(parents=True)
    entries: list[dict[str, Any]] = []
    for notebook in notebooks:
        shutil.copyfile(notebook, files / notebook.name)
        entries.append(_entry(notebook.name, "notebook") | {"size": notebook.stat().st_size})
    listing = _entry("", "directory") | {"content": entries, "format": "json"}
    (listings / "all.json").write_text(json.dumps(listing, indent=1, sort_keys=True) + "\n")


def _entry(name: str, kind: str) -> dict[str, Any]:
    dates = {"created": _EPOCH_TEXT, "last_modified": _EPOCH_TEXT}
    empty = dict.fromkeys(("content", "format", "mimetype", "size"))
    return {"name": name, "path": name, "type": kind, "writable": True, **dates, **empty}


def _fingerprint(files: Iterable[Path]) -> str:
    return "".join(f"{_sha256(file)}  {file.name}\n" for file in files)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make() -> None:
    make_lite()


if __name__ == "__main__":
    main(_make)
