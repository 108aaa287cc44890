"""`make lint`: ruff, mypy and pyright, all of them even when the first complains."""

from __future__ import annotations

import os
import subprocess
import time

from tools.console import BUILD, ROOT, VENV, VENV_PYTHON, Stop, main, say

CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format --check": ("ruff", "format", "--check", "."),
    "mypy --strict": ("mypy",),
    "pyright": ("pyright", "--pythonpath", str(VENV_PYTHON)),
}


def lint() -> None:
    """Runs the checks one after another.

    Raises:
        Stop: At least one has something to say.
    """
    # pyright's wrapper fetches the pinned pyright from npm on first use: into build/, not into the user's home
    env = os.environ | {
        "PYRIGHT_PYTHON_CACHE_DIR": str(BUILD / "cache" / "pyright"),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    unhappy: list[str] = []
    for label, (program, *arguments) in CHECKS.items():
        started = time.monotonic()
        command = [str(VENV / "bin" / program), *arguments]
        result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        say(f"  {label}: {'ok' if result.returncode == 0 else 'complains'} ({time.monotonic() - started:.1f} s)")
        if result.returncode:
            unhappy.append(label)
            say((result.stdout + result.stderr).rstrip())
    if unhappy:
        raise Stop(f"lint: {', '.join(unhappy)} not clean")


if __name__ == "__main__":
    main(lint)
