"""Facts that are written down in more than one place agree, and everything that is installed is pinned."""

import json
import re
import subprocess
import tomllib
from typing import Any

import pytest

from tools.console import NODE_MODULES, ROOT
from tools.lockfile import normalise


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_tool_is_pinned(pyproject: dict[str, Any]) -> None:
    groups = pyproject["dependency-groups"]
    constraints = [line for line in (ROOT / "tools/constraints.txt").read_text().splitlines() if line[0] != "#"]
    for requirement in [*groups["dev"], *groups["page"], *constraints, *pyproject["build-system"]["requires"]]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", requirement), requirement


def test_the_tests_use_the_build_tools_that_a_build_uses(pyproject: dict[str, Any]) -> None:
    assert set(pyproject["build-system"]["requires"]) <= set(pyproject["dependency-groups"]["dev"])


def test_npm_packages_are_pinned_exactly_and_locked() -> None:
    harness = ROOT / "tests" / "harness"
    wanted: dict[str, str] = json.loads((harness / "package.json").read_text())["dependencies"]
    locked: dict[str, Any] = json.loads((harness / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, entry in locked.items():
        assert not name or entry["integrity"].startswith("sha512-"), name


def test_the_kernel_of_jupyterlite_starts_with_the_versions_that_pyodide_names() -> None:
    pinned = (ROOT / "tools" / "kernel-wheels.txt").read_text()
    versions = dict(re.findall(r"^([\w.]+)==([\w.]+) --hash=sha256:[0-9a-f]{64}$", pinned, re.MULTILINE))
    assert len(versions) == len([line for line in pinned.splitlines() if line[0] != "#"])
    named = json.loads((NODE_MODULES / "pyodide" / "pyodide-lock.json").read_text())["packages"]
    unknown = {name for name in versions if normalise(name) not in named}
    assert unknown == {"comm", "ipython_pygments_lexers"}
    for name in versions.keys() - unknown:
        assert versions[name] == named[normalise(name)]["version"], name


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    targets = set(phony[1].split()) - {"python"}
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make (\S+)  ", shown, re.MULTILINE)) == targets
