"""``python -m lk_pyodide assets DIR``: write the files that a page needs beside its Python."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lk_pyodide", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    assets = commands.add_parser("assets", help="write lk-agent.js, which a page with a Python worker loads")
    assets.add_argument("dir", type=Path, metavar="DIR", help="where to; made if it is not there")
    options = parser.parse_args(arguments)
    try:
        for path in write_assets(options.dir):
            print(path)
    except OSError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def write_assets(folder: Path) -> list[Path]:
    """Write what a page loads by itself into ``folder``.

    Returns:
        The files written.

    Raises:
        OSError: it cannot be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for source in resources.files("lk_pyodide").joinpath("_web").iterdir():
        path = folder / source.name
        path.write_bytes(source.read_bytes())
        written.append(path)
    return sorted(written)


if __name__ == "__main__":
    sys.exit(main())
