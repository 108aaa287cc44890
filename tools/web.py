"""Makes `lk_pyodide/_web`: the JavaScript of `web/`, bundled by esbuild.

The build hook (`hatch_build.py`) calls `write`; `python -m tools.web` does the same in a checkout. This file imports
nothing of the project, because a build runs it from an unpacked sdist.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

WEB = Path("web")
OUT = Path("lk_pyodide/_web")
BUNDLES = {"agent/index.js": "lk-agent.js"}
"""Entry points below `web/`, and what each becomes."""

# A classic script that declares nothing: it can be a module in a page and an output of a notebook.
_OPTIONS = ("--bundle", "--format=iife", "--minify", "--target=es2022", "--charset=utf8", "--log-level=warning")


class WebError(Exception):
    """The bundles cannot be made here."""


def write(root: Path) -> list[Path]:
    """Writes the bundles below `root` (the checkout) and returns their paths.

    Raises:
        WebError: Node.js is missing, or it failed.
    """
    node = find_node()
    launcher = root / WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
    if not launcher.is_file():
        install(root)
    made: list[Path] = []
    for entry, name in BUNDLES.items():
        made.append(root / OUT / name)
        _run([node, str(launcher), str(WEB / entry), *_OPTIONS, f"--outfile={OUT / name}"], root)
    return made


def install(root: Path) -> None:
    """Installs what `web/package-lock.json` says.

    Raises:
        WebError: npm is missing, or it failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise WebError(
            "npm is not on PATH: Node.js 20 or newer is needed to build from a checkout (https://nodejs.org)"
        )
    # no install scripts: esbuild's only replaces a launcher
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], root / WEB)


def find_node() -> str:
    """Where Node.js is.

    Raises:
        WebError: nowhere.
    """
    node = shutil.which("node")
    if node is None:
        raise WebError(
            "node is not on PATH: Node.js 20 or newer is needed to build from a checkout (https://nodejs.org)"
        )
    return node


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise WebError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    for path in write(Path(__file__).resolve().parents[1]):
        print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size} bytes")
