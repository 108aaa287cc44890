"""Child processes of the tests: started with their output in a file, stopped by their own id only."""

import asyncio
import atexit
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

HOST = "127.0.0.1"


def shorten(line: str, limit: int = 400) -> str:
    """A log line without its SDP."""
    return line if len(line) <= limit else f"{line[:limit]} ... ({len(line)} characters)"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def heed_interrupts() -> None:
    """For ``preexec_fn``: a shell that runs the tests in the background has its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ProcessFailed(RuntimeError):
    """A child process ended or stayed silent when it should have been serving; carries the end of its log."""


class LoggedProcess:
    """One child process whose stdout and stderr go to a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = list(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; what it prints is appended to the log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        # A test run that dies half-way must not leave servers behind.
        atexit.register(self.kill)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process (SIGSTOP and SIGCONT make a server hang and come back)."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once, without a goodbye."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            atexit.unregister(self.kill)

    async def stop(self, timeout: float = 5) -> None:
        """Ask it to end; insist when it does not."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, timeout)
        self.kill()

    async def until_ready(self, ready: Callable[[], Awaitable[bool]], timeout: float = 20) -> None:
        """Wait until `ready()` is true; a process that ends before that is an error with its log."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not await ready():
            if not self.running:
                raise ProcessFailed(f"{self.command[0]} ended before it was ready:\n{self.tail()}")
            if asyncio.get_running_loop().time() > deadline:
                raise ProcessFailed(f"{self.command[0]} was not ready within {timeout} s:\n{self.tail()}")
            await asyncio.sleep(0.05)  # another process's readiness: nothing to wait on but to ask again

    def log_size(self) -> int:
        """How long the log is now: remember it to show only what comes after."""
        return self.log.stat().st_size if self.log.exists() else 0

    def tail(self, lines: int = 40, since: int = 0) -> str:
        """The last lines of the log written after position `since`."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as output:
            output.seek(since)
            text = output.read().decode("utf-8", "replace")
        return "\n".join(shorten(line) for line in text.splitlines()[-lines:])
