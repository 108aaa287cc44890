"""Runs `npm ci` in tests/harness and web: exactly what the lock files say. Needs the standard library only."""

from __future__ import annotations

import re
import shutil
import subprocess

from tools import web
from tools.console import NODE_MODULES, ROOT, Stop, main, relative, run, say

NODE = 20


def install() -> None:
    """Installs the npm packages.

    Raises:
        Stop: Node or npm is missing or too old.
    """
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Stop(f"{program} is not on PATH: Node.js {NODE} or newer is needed (https://nodejs.org)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if not major or int(major[1]) < NODE:
        raise Stop(f"Node.js {NODE} or newer is needed, this is {version}")
    # no install scripts: nothing here needs one (esbuild's only replaces a launcher); no warnings: they are about
    # versions of Node that packages for browsers were built with
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for folder in (NODE_MODULES.parent, ROOT / "web"):
        run(f"npm ci in {relative(folder)}", command, cwd=folder)
    say(f"  {relative(NODE_MODULES)}: Node.js {version}")
    try:
        for path in web.write(ROOT):
            say(f"  {relative(path)}: {path.stat().st_size / 1000:.0f} kB")
    except web.WebError as error:
        raise Stop(str(error)) from error


if __name__ == "__main__":
    main(install)
