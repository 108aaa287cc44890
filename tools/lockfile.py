"""Writes a `pyodide-lock.json` of our own, so that a page installs wheels by name from the site that serves it.

Pyodide's npm package has a lock file but no wheels, and its hashes are those of Pyodide's rebuilt packages: the wheels
of the package index do not match it.
"""

from __future__ import annotations

import email
import email.message
import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def lockfile(original: Path, wheels: Iterable[Path]) -> str:
    """The text of a lock file for exactly these wheels.

    Args:
        original: The lock file that came with Pyodide: says which Python and which ABI it is for.
        wheels: Pure-Python wheels; they must be served beside the lock file.
    """
    listed = sorted(wheels)
    names = {_name(wheel) for wheel in listed}
    packages = {_name(wheel): _entry(wheel, names) for wheel in listed}
    lock = {"info": json.loads(original.read_text())["info"], "packages": packages}
    return json.dumps(lock, indent=1, sort_keys=True) + "\n"


def _entry(wheel: Path, available: set[str]) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        metadata = _metadata(archive)
        imports = _imports(archive)
    requirements = metadata.get_all("Requires-Dist") or []
    needed = {normalise(re.split(r"[^\w.-]", r, maxsplit=1)[0]) for r in requirements if "extra ==" not in r}
    return {
        # what is not here cannot be installed; markers of other platforms end up here, too
        "depends": sorted(needed & available),
        "file_name": wheel.name,
        "imports": imports,
        "install_dir": "site",
        "name": _name(wheel),
        "package_type": "package",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "tool": {},
        "unvendored_tests": False,
        "version": metadata["Version"],
    }


def _metadata(archive: zipfile.ZipFile) -> email.message.Message:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(archive.read(name))


def _imports(archive: zipfile.ZipFile) -> list[str]:
    tops = {n.split("/")[0] for n in archive.namelist() if n.endswith(".py")}
    return sorted(top.removesuffix(".py") for top in tops if not top.endswith(".dist-info"))


def _name(wheel: Path) -> str:
    return normalise(wheel.name.split("-")[0])


def normalise(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
