"""What the build tools share: progress, long commands with a sign of life, an end with one clear sentence."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
VENV = BUILD / "venv"
VENV_PYTHON = VENV / "bin" / "python"
NODE_MODULES = ROOT / "tests" / "harness" / "node_modules"
WHEELS = BUILD / "wheels"

HEARTBEAT = 15.0
"""Seconds of silence after which a running command is reported to be alive."""

_TAIL = 30


class Stop(Exception):
    """Something is missing or failed; the message is all that the user should see of it."""


def say(text: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def main(tool: Callable[[], None]) -> None:
    """Runs a tool as a command: `Stop` becomes its message on stderr and exit status 1."""
    try:
        tool()
    except Stop as stop:
        print(f"\n{stop}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run(what: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Runs a command that may take long.

    Its output goes to `build/logs`; the console sees that it lives, and its last lines if it fails.

    Raises:
        Stop: The program is not there or failed.
    """
    log = BUILD / "logs" / f"{what.replace(' ', '-').replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"  {what} ...")
    started = time.monotonic()
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
            )
        except OSError as error:
            raise Stop(f"{what}: cannot start {command[0]}: {error.strerror}") from error
        try:
            status = _wait(process, what, started, log)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    seconds = time.monotonic() - started
    if status:
        tail = "\n".join(f"    {line}" for line in _lines(log)[-_TAIL:])
        raise Stop(f"{what} failed after {seconds:.0f} s (exit status {status}). The end of {relative(log)}:\n{tail}")
    say(f"  {what}: done in {seconds:.1f} s")


def relative(path: Path) -> Path:
    """The path as seen from the checkout, for messages."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _wait(process: subprocess.Popen[bytes], what: str, started: float, log: Path) -> int:
    while True:
        try:
            return process.wait(timeout=HEARTBEAT)
        except subprocess.TimeoutExpired:
            lines = _lines(log)
            last = f": {lines[-1][:100]}" if lines else ""
            say(f"  {what}: still running after {time.monotonic() - started:.0f} s{last}")


def _lines(log: Path) -> list[str]:
    return [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
