"""Zips of Python source made on the fly, so that pages run what is in the checkout right now."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.harness.paths import REPO


def zip_files(files: Iterable[Path], root: Path = REPO) -> bytes:
    """A zip of files, named relative to `root`. Stored, not compressed: it never leaves the machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(files):
            archive.write(file, file.relative_to(root).as_posix())
    return buffer.getvalue()


def package_files() -> list[Path]:
    """The package as the checkout has it: sources, schema and built page assets."""
    skipped = {"__pycache__", "node_modules"}
    found = (REPO / "lk_pyodide").rglob("*")
    return [path for path in found if path.is_file() and not skipped & {part.name for part in path.parents}]


def package_zip() -> bytes:
    """A zip of the package."""
    return zip_files(package_files())


def inpage_zip() -> bytes:
    """The half of the tests that runs inside Pyodide: `tests.inpage`, what it loads, and the package's marker."""
    tests = REPO / "tests"
    return zip_files([tests / "__init__.py", tests / "harness" / "gate.js", *(tests / "inpage").rglob("*.py")])
