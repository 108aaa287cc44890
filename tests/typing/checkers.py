"""mypy and pyright, told to judge one file; both find modules beside it, and lk_pyodide."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.console import BUILD, ROOT, VENV

Checker = Callable[[Path], dict[int, str]]


def mypy(file: Path) -> dict[int, str]:
    """Line → what `mypy --strict` has to say there."""
    options = ["--strict", "--config-file=", f"--cache-dir={BUILD / 'cache' / 'mypy-typing'}", "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, str(file)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1) and not result.stderr, result.stdout + result.stderr
    # by its name: mypy's cache may remember the folder of an earlier run
    found = re.findall(rf"(?m)^\S*{re.escape(file.name)}:(\d+): error: (.*)$", result.stdout)
    assert len(found) == result.stdout.count(": error: "), result.stdout
    return {int(line): text for line, text in found}


def pyright(file: Path, mode: str = "strict") -> dict[int, str]:
    """Line → what pyright has to say there, in one of its `typeCheckingMode`s."""
    config = file.with_name("pyrightconfig.json")
    settings = {
        "include": [file.name],
        "typeCheckingMode": mode,
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
