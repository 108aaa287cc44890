"""`make test`: installs what is missing, lints, runs every test, and says what it is doing and what it leaves out.

The exit status is 0 only when all of it went well. A step that fails does not stop the tests that can run without it;
pytest comes last, so that its closing line is the last one. Needs the standard library only.

    LOCAL=1             no livekit-server, hence no Go
    LK_SKIP_CHROMIUM=1  LK_SKIP_FIREFOX=1  LK_SKIP_LIVEKIT_SERVER=1  LK_SKIP_TEST_SERVER=1      go without one of them
    PYTEST_ARGS=...     more arguments for pytest
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time

from tools.console import ROOT, VENV_PYTHON, Stop, main, say

SERVERS = ("LIVEKIT_SERVER", "TEST_SERVER")
OPTIONAL = ("CHROMIUM", "FIREFOX", *SERVERS)
INSTALL = ("venv", "npm", "browsers", "server", "wheel", "lite")
NEEDED = ("venv", "npm", "wheel")
"""Without these there is nothing that pytest could run."""


def check() -> None:
    """Runs the steps, then ends this process with the right status."""
    started = time.monotonic()
    if os.environ.get("LOCAL") == "1":
        os.environ.update({f"LK_SKIP_{name}": "1" for name in SERVERS})
    for name in OPTIONAL:
        if os.environ.get(f"LK_SKIP_{name}") == "1":
            reason = "LOCAL=1" if os.environ.get("LOCAL") == "1" and name in SERVERS else f"LK_SKIP_{name}=1"
            say(f"left out: what needs {name.lower().replace('_', '-')} ({reason})")
    failed: list[str] = []
    for step in (*INSTALL, "lint"):
        if not _step(step, started):
            failed.append(step)
            if step in NEEDED:
                raise Stop(f"`make {step}` failed, for the reason above: without it there is nothing to test with.")
    if failed:
        say(f"\n`make {' '.join(failed)}` failed; the tests run all the same, but this will not count as passed.")
    _say_step("pytest", started)
    tests = [str(VENV_PYTHON), "-m", "pytest", "tests/", *shlex.split(os.environ.get("PYTEST_ARGS", ""))]
    status = subprocess.run(tests, cwd=ROOT, check=False).returncode
    sys.exit(status or bool(failed))


def _step(name: str, started: float) -> bool:
    _say_step(name, started)
    make = os.environ.get("MAKE") or shutil.which("make") or "make"
    return subprocess.run([make, "--no-print-directory", name], cwd=ROOT, check=False).returncode == 0


def _say_step(name: str, started: float) -> None:
    say(f"== {time.monotonic() - started:5.0f} s  {name}")


if __name__ == "__main__":
    main(check)
