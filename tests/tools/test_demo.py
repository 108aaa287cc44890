"""The livekit-server of the demo, played by a stand-in: started, waited for, ended."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.process import heed_interrupts
from tools import demo
from tools.console import ROOT, Stop

LISTEN = """#!{python}
import os, pathlib, socket
server = socket.create_server(("127.0.0.1", {port}))
pathlib.Path({pid!r}).write_text(str(os.getpid()))
while True:
    server.accept()
"""

SERVE = """
import pathlib, sys
from tools import demo
demo.SITE, demo.LIVEKIT_PORT = pathlib.Path(sys.argv[1]), int(sys.argv[2])
demo.main(demo.serve)
"""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    monkeypatch.setattr(demo, "LIVEKIT_PORT", number)
    monkeypatch.delenv("SERVER", raising=False)
    return number


@pytest.fixture
def pid_file(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for livekit-server is in place; it will write its process id here."""
    file = tmp_path / "pid"
    stand_in(tmp_path, LISTEN.format(python=sys.executable, port=port, pid=str(file)), monkeypatch)
    return file


def stand_in(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "livekit-server"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("LIVEKIT_SERVER", str(program))


def assert_gone(pid_file: Path) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


async def test_it_runs_as_long_as_the_demo(pid_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with demo.livekit_server():
        os.kill(int(pid_file.read_text()), 0)
    assert_gone(pid_file)
    assert "key devkey, secret secret" in capsys.readouterr().out


async def test_a_server_that_ends_at_once_is_reported(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "#!/bin/sh\nexit 3\n", monkeypatch)
    with pytest.raises(Stop, match="exit status 3"):
        async with demo.livekit_server():
            pass


async def test_a_server_that_runs_already_is_used(
    pid_file: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        async with demo.livekit_server():
            assert "listens on" in capsys.readouterr().out
    assert not pid_file.exists()


async def test_without_a_livekit_server_there_is_none(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_livekit_program", lambda: None)
    with pytest.raises(Stop, match="make server"):
        async with demo.livekit_server():
            pass


def run_demo(site: Path, port: int, server: str, stop: signal.Signals = signal.SIGINT) -> str:
    """Serve a folder as `make demo` does, until it says that it does; what it said."""
    (site / "index.html").touch()
    command = [sys.executable, "-c", SERVE, str(site), str(port)]
    env = os.environ | {"PORT": "0", "SERVER": server}
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if "Open http://localhost:" in line:
                    process.send_signal(stop)
            assert process.wait(timeout=20) in (0, 130)
        finally:
            process.kill()
    return "".join(said)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(stop: signal.Signals, pid_file: Path, port: int, tmp_path: Path) -> None:
    assert "livekit-server on ws://127.0.0.1:" in run_demo(tmp_path, port, "livekit", stop)
    assert_gone(pid_file)


def test_rooms_live_in_the_browser_unless_a_server_is_asked_for(pid_file: Path, port: int, tmp_path: Path) -> None:
    assert "livekit-server" not in run_demo(tmp_path, port, "")
    assert not pid_file.exists()


def test_another_server_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(demo, "SITE", tmp_path)
    monkeypatch.setenv("SERVER", "none")
    with pytest.raises(Stop, match="SERVER=none: leave it out"):
        demo.serve()


@pytest.mark.parametrize(("server", "builds"), [("", False), ("livekit", True)])
def test_go_is_needed_for_a_livekit_server_alone(server: str, builds: bool) -> None:
    plan = ["make", "--dry-run", "--always-make", "demo", f"SERVER={server}"]
    steps = subprocess.run(plan, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tools.site" in steps and "-m tools.demo" in steps
    assert ("-m tools.server" in steps) == builds
