"""Where the checkout keeps what the harness needs, and one clear sentence when something is missing."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).resolve().parent
BUILD = REPO / "build"


class MissingTool(RuntimeError):
    """Something that the tests need is not installed; the message says what and how to get it or to skip it."""


@dataclass(frozen=True)
class Tool:
    """A program the tests start: where to look for it and what to say when it is nowhere."""

    variable: str
    built: str
    names: tuple[str, ...]
    purpose: str

    @property
    def skip_variable(self) -> str:
        """The environment variable that turns the failure for a missing tool into a printed skip."""
        return f"LK_SKIP_{self.variable}"

    def skipped(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The reason to skip what needs this tool, if the user asked for that."""
        if environment.get(self.skip_variable) == "1":
            return f"{self.skip_variable}=1: no {self.purpose}"
        return None

    def find(self, environment: Mapping[str, str] = os.environ) -> Path:
        """The program's path: from the environment, else `build/bin`, else PATH."""
        if given := environment.get(self.variable):
            if not Path(given).is_file():
                raise MissingTool(f"{self.variable}={given}: no such file ({self.purpose})")
            return Path(given)
        if (built := BUILD / "bin" / self.built).is_file():
            return built
        for name in self.names:
            if found := shutil.which(name):
                return Path(found)
        raise MissingTool(
            f"no {self.purpose}: looked for ${self.variable}, build/bin/{self.built} "
            f"and {' or '.join(self.names) or 'nothing'} on PATH. "
            f"`make test` installs it; {self.skip_variable}=1 skips what needs it."
        )


CHROMIUM = Tool("CHROMIUM", "chromium", ("chromium", "chromium-browser", "google-chrome"), "Chromium")
FIREFOX = Tool("FIREFOX", "firefox", ("firefox-esr", "firefox"), "Firefox")
NODE = Tool("NODE", "node", ("node",), "Node.js (it drives Firefox)")
LIVEKIT_SERVER = Tool("LIVEKIT_SERVER", "livekit-server", ("livekit-server",), "livekit-server")
TEST_SERVER = Tool("TEST_SERVER", "test-server", (), "livekit test-server (cmd/test-server, the signal fault mock)")


def node_modules() -> Path:
    """The harness's npm packages."""
    folder = Path(os.environ.get("LK_NODE_MODULES", HARNESS / "node_modules"))
    if not (folder / "pyodide" / "pyodide.mjs").is_file():
        raise MissingTool(f"no npm packages in {folder}: run `npm ci` in tests/harness, or `make test`")
    return folder


def wheels() -> Path:
    """The folder with the wheels that pages load: protobuf, pyee, typing_extensions and, when built, lk_pyodide."""
    return Path(os.environ.get("LK_WHEELS", BUILD / "wheels"))


def find_wheel(name: str) -> Path:
    """The newest pure-Python wheel of a distribution in `wheels()`."""
    found = sorted(wheels().glob(f"{name}-*-none-any.whl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise MissingTool(f"no {name}-*-none-any.whl in {wheels()}: `make wheel` or `make test` puts it there")
    return found[-1]
