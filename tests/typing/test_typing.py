"""good.py pleases mypy --strict and pyright; in bad.py both find the marked lines, all of them and no others."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.console import BUILD, ROOT, VENV

HERE = Path(__file__).parent
MARK = re.compile(r"  # type: ignore\[[\w,-]+\]$")

Checker = Callable[[Path], dict[int, str]]


def mypy(file: Path) -> dict[int, str]:
    """Line → what is wrong there."""
    options = ["--strict", "--config-file=", f"--cache-dir={BUILD / 'cache' / 'mypy-typing'}", "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, str(file)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1) and not result.stderr, result.stdout + result.stderr
    # by its name: mypy's cache may remember the folder of an earlier run
    found = re.findall(rf"(?m)^\S*{re.escape(file.name)}:(\d+): error: (.*)$", result.stdout)
    assert len(found) == result.stdout.count(": error: "), result.stdout
    return {int(line): text for line, text in found}


def pyright(file: Path) -> dict[int, str]:
    """Line → what is wrong there."""
    config = file.with_name("pyrightconfig.json")
    settings = {
        "include": [file.name],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        # our stubs are what is judged, not those of others
        "reportMissingTypeStubs": False,
        "reportUnusedExpression": False,
    }
    config.write_text(json.dumps(settings))
    environment = os.environ | {
        "PYRIGHT_PYTHON_CACHE_DIR": str(BUILD / "cache" / "pyright"),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    command = [str(VENV / "bin" / "pyright"), "--project", str(config), "--pythonpath", sys.executable, "--outputjson"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    return {
        item["range"]["start"]["line"] + 1: f"{item['message']} ({item.get('rule', 'syntax')})"
        for item in report["generalDiagnostics"]
        if item["severity"] == "error"
    }


CHECKERS = [mypy, pyright]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_right(checker: Checker, tmp_path: Path) -> None:
    file = tmp_path / "good.py"
    file.write_text((HERE / "good.py").read_text())
    assert checker(file) == {}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_wrong(checker: Checker, tmp_path: Path) -> None:
    lines = (HERE / "bad.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if MARK.search(line)}
    assert len(marked) > 30
    file = tmp_path / "bad.py"
    file.write_text("\n".join(MARK.sub("", line) for line in lines) + "\n")
    found = checker(file)
    assert {line: found.get(line, "not found") for line in marked - found.keys()} == {}, "mistakes that pass"
    assert {line: found[line] for line in found.keys() - marked} == {}, "complaints about what is right"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_mistake_in_what_is_right_would_be_found(checker: Checker, tmp_path: Path) -> None:
    """Neither checker takes our types for Any."""
    file = tmp_path / "mistake.py"
    mistakes = ("Room().no_such_thing", "x: int = Room().name", "Room().on('connectd', print)")
    file.write_text("\n".join(("from lk_pyodide import Room", *mistakes, "")))
    assert set(checker(file)) == {2, 3, 4}
