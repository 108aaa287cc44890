"""Fills `build/wheels`: our wheel, and pure-Python wheels of what it needs at run time, as a page loads them.

With `--check` it proves instead that the wheel is reproducible: built from the checkout, from a copy with other time
stamps and from the sdist, it must have the same bytes. hatchling sees to the time stamps inside (SOURCE_DATE_EPOCH, or
its own constant).

Run by the Python of `build/venv`, which holds the pinned build tools: a build needs no network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from tools.console import ROOT, WHEELS, Stop, main, relative, run, say

PAGE_PYTHON = "3.14"
"""The Python of Pyodide 314."""
# `any` and `none`: protobuf also has wheels with native code, and pip would prefer one that fits this machine
PURE = ("--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none")
"""What makes `pip download` take pure-Python wheels."""

_SOURCES = (
    ".gitignore",
    "lk_pyodide",
    "tools",
    "web",
    "hatch_build.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "NOTICE",
)


def make_wheels() -> None:
    """Builds our wheel and fetches the others, unless they are there already."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        built = build_wheel(ROOT, Path(temporary))
        remove_other_versions(WHEELS, built.name)
        ours = Path(shutil.move(built, WHEELS / built.name))
    _download(_page_requirements())
    for wheel in sorted(WHEELS.glob("*.whl")):
        say(f"  {relative(wheel)}: {wheel.stat().st_size / 1000:.0f} kB")
    say(f"  sha256 {_sha256(ours)}  {ours.name}")


def check_wheels() -> None:
    """Builds the wheel in three ways, and the sdist in two, and compares the bytes.

    Raises:
        Stop: They differ.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        copy = copy_sources(place / "copy")
        sdists = {
            "sdist of this checkout": build(ROOT, place / "out1", "--sdist"),
            "sdist of a copy": build(copy, place / "out2", "--sdist"),
        }
        unpacked = _unpack(sdists["sdist of a copy"], place / "unpacked")
        wheels = {
            "wheel of this checkout": build_wheel(ROOT, place / "out1"),
            "wheel of a copy": build_wheel(copy, place / "out2"),
            "wheel of the sdist": build_wheel(unpacked, place / "out3"),
        }
        compare(sdists)
        compare(wheels)


def compare(made: dict[str, Path]) -> None:
    """Prints the hashes of the files, which must be the same.

    Raises:
        Stop: They are not.
    """
    hashes = {label: _sha256(path) for label, path in made.items()}
    for label, digest in hashes.items():
        say(f"  {digest}  {label}")
    if len(set(hashes.values())) != 1:
        raise Stop(f"not reproducible: {' and '.join(hashes)} differ")


def build_wheel(source: Path, out: Path) -> Path:
    """Builds the wheel of the checkout or unpacked sdist in `source` and returns it."""
    return build(source, out, "--wheel")


def build(source: Path, out: Path, kind: str) -> Path:
    """Runs the build front end in this environment; returns the one file that it made in `out`."""
    before = set(out.glob("*"))
    run(
        f"build {kind.removeprefix('--')}",
        [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", out, source],
    )
    (made,) = set(out.glob("*")) - before
    return made


def copy_sources(target: Path) -> Path:
    """Copies what a build needs, with new time stamps and without anything generated."""
    target.mkdir()
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.binpb", "_web")
            # copy, not copy2: time stamps must not matter
            shutil.copytree(source, target / name, ignore=ignored, copy_function=shutil.copy)
        else:
            shutil.copy(source, target / name)
    return target


def _unpack(sdist: Path, target: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    (inner,) = target.iterdir()
    return inner


def _page_requirements() -> list[str]:
    groups: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return groups["page"]


def _download(requirements: list[str]) -> None:
    missing: list[str] = []
    for requirement in requirements:
        name, version = requirement.split("==")
        wheel = f"{name}-{version}-py3-none-any.whl"
        remove_other_versions(WHEELS, wheel)
        if not (WHEELS / wheel).is_file():
            missing.append(requirement)
    if not missing:
        return
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--python-version", PAGE_PYTHON, *PURE]
    run("download wheels", [*download, "--dest", WHEELS, *missing])


def remove_other_versions(folder: Path, wheel: str) -> None:
    """Removes older and newer wheels of the distribution that `wheel` is of."""
    name = wheel.split("-")[0]
    for other in folder.glob(f"{name}-*.whl"):
        if other.name != wheel and re.fullmatch(rf"{re.escape(name)}-[^-]+-.*\.whl", other.name):
            other.unlink()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(check_wheels if sys.argv[1:] == ["--check"] else make_wheels)
