"""Makes `build/venv`: the package in editable form (which generates the message schema) and every tool the tests use.

Run by the machine's own Python, so it needs the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tools.console import VENV, VENV_PYTHON, Stop, main, relative, run, say
from tools.debian import apt_install

PIP = "pip==26.3"
"""The first thing installed: `--group` is younger than the pip that Python 3.11 brings along."""


def make_venv() -> None:
    """Creates or updates the virtual environment."""
    if not _usable():
        _create()
    # a user's pip configuration may ask for --user, which a virtual environment refuses
    env = os.environ | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    pip = [str(VENV_PYTHON), "-m", "pip", "install"]
    run("install pip", [*pip, PIP], env=env)
    run("install Python packages", [*pip, "-c", "tools/constraints.txt", "--group", "dev", "-e", "."], env=env)
    say(f"  {relative(VENV)}: Python {'.'.join(map(str, sys.version_info[:3]))}")


def _usable() -> bool:
    if not VENV_PYTHON.exists():
        return False
    question = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    return subprocess.run([VENV_PYTHON, "-c", question], capture_output=True, check=False).returncode == 0


def _create() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    create = [sys.executable, "-m", "venv", str(VENV)]
    try:
        run("create the virtual environment", create)
    except Stop as stop:
        if "ensurepip" not in str(stop):
            raise
        # Debian keeps this part of Python in a package of its own
        apt_install(["python3-venv"], "Or name another Python: `make PYTHON=/path/to/python3.11`.")
        shutil.rmtree(VENV, ignore_errors=True)
        run("create the virtual environment", create)


if __name__ == "__main__":
    main(make_venv)
