"""Runs `npm ci` in tests/harness: exactly what package-lock.json says. Needs the standard library only."""

from __future__ import annotations

import re
import shutil
import subprocess

from tools.console import NODE_MODULES, Stop, main, relative, run, say

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
    run("npm ci", command, cwd=NODE_MODULES.parent)
    say(f"  {relative(NODE_MODULES)}: Node.js {version}")


if __name__ == "__main__":
    main(install)
