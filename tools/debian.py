"""Installs Debian packages where that is possible: as root, or through sudo without a password."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from tools.console import Stop, run


def apt_install(packages: Sequence[str], instead: str) -> None:
    """Installs the packages.

    Args:
        packages: Names as apt knows them.
        instead: What the user can do otherwise; the end of the sentence when this machine does not let us install.

    Raises:
        Stop: There is no apt-get or no right to use it, or it failed.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise Stop(f"{names}: not installed, and this machine has no apt-get to install it with. {instead}")
    prefix = _privileges()
    if prefix is None:
        raise Stop(f"{names}: not installed, and only root may do it: `sudo apt-get install {names}`. {instead}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get update", [*prefix, "apt-get", "update"], env=env)
    # the variable is repeated because sudo drops the environment
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"]
    run(f"apt-get install {names}", [*prefix, *install, *packages], env=env)


def _privileges() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None
