"""The import order: lower layers never import higher ones, JavaScript stays at the waist, protobuf in one file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.console import ROOT

PACKAGE = "lk_pyodide"
SOURCES = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / PACKAGE).rglob("*.py"))}

LAYERS: tuple[tuple[frozenset[str], ...], ...] = (
    (frozenset({"errors", "types", "options", "tokens", "logging", "stats", "_version"}),),
    (frozenset({"emitter"}), frozenset({"core"}), frozenset({"browser"})),
    (frozenset({"session"}),),
    (
        frozenset(
            {"ports", "track", "local_track", "publication", "participant", "local_participant", "devices"}
            | {"local_capture", "local_data", "local_devices", "local_permissions", "local_profile", "local_publishing"}
            | {"local_layers", "local_sending", "places", "audio_analyser", "bitrates", "microphone"}
            | {"data_track", "local_data_tracks", "remote_data_tracks", "viewing"}
            | {"incoming_streams", "outgoing_streams", "stream_sources", "rpc", "frames", "e2ee", "token_source"}
            | {"media_sources", "recorder", "preconnect"}
        ),
    ),
    (frozenset({"data_events", "events", "room_event"}),),
    (frozenset({"device_watch", "jupyter", "mix", "playback", "room_context", "room_data", "room_updates"}),),
    (frozenset({"room"}),),
    (frozenset({"__init__", "__main__", "conversation", "testing", "local", "ui"}),),
)
"""From low to high. The groups within a layer are blind to one another; within a group everyone may see everyone."""
NOUNS = 3
PLACES = {
    name: (level, group) for level, groups in enumerate(LAYERS) for group, names in enumerate(groups) for name in names
}

OUTSIDE = {
    # who may import what from outside the package: (path prefix, even while the module loads)
    "js": ("lk_pyodide/browser/", True),
    "pyodide": ("lk_pyodide/browser/", True),
    "pyodide_js": ("lk_pyodide/browser/", True),
    "_pyodide": ("lk_pyodide/browser/", True),
    "polyscript": ("lk_pyodide/browser/", False),
    "google": ("lk_pyodide/core/wire.py", False),
    "pyee": ("lk_pyodide/emitter.py", True),
    "IPython": ("lk_pyodide/browser/bridge/notebook.py", False),
    "numpy": ("lk_pyodide/", False),
    "PIL": ("lk_pyodide/", False),
}
IMPURE = {"asyncio", "time", "random", "secrets", "uuid", "threading", "socket", "datetime", "os", "logging"}
"""What the sans-I/O core does without."""


@dataclass(frozen=True)
class Import:
    """One import statement."""

    target: str
    line: int
    for_types: bool
    """Below ``if TYPE_CHECKING:``."""
    late: bool
    """Inside a function."""


def imports(source: str, path: str) -> Iterator[Import]:
    """All imports of a file, with ``import_module("…")`` and ``__import__("…")`` among them."""
    yield from _visit(ast.parse(source, path), path, for_types=False, late=False)


def _visit(node: ast.AST, path: str, *, for_types: bool, late: bool) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(name.name, node.lineno, for_types, late) for name in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = ".".join(filter(None, (_package(path, level) if level else "", module)))
            yield from (Import(f"{base}.{name.name}", node.lineno, for_types, late) for name in names)
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(target)), *_],
        ):
            yield Import(target, node.lineno, for_types, late)
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), body=body, orelse=orelse):
            for child in body:
                yield from _visit(child, path, for_types=True, late=late)
            for child in orelse:
                yield from _visit(child, path, for_types=for_types, late=late)
            return
        case _:
            pass
    late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for inner in ast.iter_child_nodes(node):
        yield from _visit(inner, path, for_types=for_types, late=late)


def _package(path: str, level: int) -> str:
    return ".".join(Path(path).parts[:-level])


def part(dotted: str) -> str:
    """The part of the package that a module is in: ``core`` for ``lk_pyodide.core.wire``."""
    names = dotted.split(".")
    return names[1] if len(names) > 1 and names[1] in PLACES else "__init__"


def complaints(sources: Mapping[str, str]) -> list[str]:
    """Everything that is against the order."""
    found: list[str] = []
    for path, source in sources.items():
        own = Path(path).with_suffix("").parts[1]
        if own not in PLACES:
            found.append(f"{path}: fits no layer; say in LAYERS where it belongs")
            continue
        for item in imports(source, path):
            root = item.target.split(".")[0]
            why = _inward(own, item) if root == PACKAGE else _outward(path, root, item)
            if why:
                found.append(f"{path}:{item.line}: imports {item.target}, {why}")
    return [*found, *_circles(sources)]


def _inward(own: str, item: Import) -> str:
    names = item.target.split(".")
    if len(names) == 2 and names[1] not in PLACES and own == "__init__":
        return ""
    level, group = PLACES[own]
    other_level, other_group = PLACES[part(item.target)]
    if other_level > level:
        return f"which is above {own}"
    if other_level == level and other_group != group:
        return f"to which {own} is blind"
    return ""


def _outward(path: str, root: str, item: Import) -> str:
    if path.startswith("lk_pyodide/core/") and root in IMPURE:
        return "but the core has no clock, no loop and no I/O"
    allowed, at_load = OUTSIDE.get(root, ("", True))
    if not path.startswith(allowed):
        return f"which only {allowed} may"
    if not (at_load or item.late or item.for_types):
        return "which must wait until it is needed"
    if root not in sys.stdlib_module_names and root not in OUTSIDE and not item.for_types:
        return "which nobody installs"
    return ""


def _circles(sources: Mapping[str, str]) -> Iterator[str]:
    """Nouns may name each other for type checkers; what they load must not go in a circle."""
    graph = {
        path: {
            f"{PACKAGE}/{part(item.target)}.py"
            for item in imports(source, path)
            if item.target.startswith(f"{PACKAGE}.") and not item.for_types and not item.late
        }
        for path, source in sources.items()
        if PLACES.get(Path(path).stem, (-1, 0))[0] == NOUNS and len(Path(path).parts) == 2
    }
    while leaves := [path for path, needs in graph.items() if not needs & graph.keys()]:
        for path in leaves:
            del graph[path]
    if graph:
        yield f"{', '.join(sorted(graph))}: import one another in a circle"


# -- the package -------------------------------------------------------------------------------------------------------


def test_the_package_keeps_the_order() -> None:
    assert len(SOURCES) > 30
    assert complaints(SOURCES) == []


def test_every_name_is_in_one_layer_only() -> None:
    names = [name for groups in LAYERS for group in groups for name in group]
    assert len(names) == len(set(names)) == len(PLACES)


# -- the test itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("lk_pyodide/errors.py", "import lk_pyodide.room", "above errors"),
        ("lk_pyodide/errors.py", "from lk_pyodide.emitter import Event", "above errors"),
        ("lk_pyodide/emitter.py", "from lk_pyodide.core import wire", "blind"),
        ("lk_pyodide/core/signal.py", "from lk_pyodide.browser.api import Browser", "blind"),
        ("lk_pyodide/core/signal.py", "from lk_pyodide import browser", "blind"),
        ("lk_pyodide/browser/api.py", "from lk_pyodide.core import sdp", "blind"),
        ("lk_pyodide/browser/fake/deep.py", "from ...core import sdp", "blind"),
        ("lk_pyodide/browser/api.py", "from lk_pyodide.emitter import Event", "blind"),
        ("lk_pyodide/core/signal.py", "from ..session import link", "above core"),
        ("lk_pyodide/session/link.py", "def f():\n    from lk_pyodide.room import Room", "above session"),
        ("lk_pyodide/session/link.py", "from lk_pyodide import Room", "above session"),
        ("lk_pyodide/session/link.py", "import lk_pyodide", "above session"),
        ("lk_pyodide/track.py", "from lk_pyodide.events import TrackMuted", "above track"),
        (
            "lk_pyodide/session/link.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lk_pyodide.track import Track",
            "above session",
        ),
        ("lk_pyodide/events.py", "from lk_pyodide.room_updates import x", "above events"),
        ("lk_pyodide/room_updates.py", "from lk_pyodide.room import Room", "above room_updates"),
        ("lk_pyodide/room.py", "from lk_pyodide import Room", "above room"),
        ("lk_pyodide/room.py", "from lk_pyodide.testing import x", "above room"),
        ("lk_pyodide/room.py", "from importlib import import_module\nimport_module('lk_pyodide.local')", "above room"),
        ("lk_pyodide/room.py", "import js", "only lk_pyodide/browser/"),
        ("lk_pyodide/room.py", "def f():\n    from pyodide.ffi import to_js", "only lk_pyodide/browser/"),
        ("lk_pyodide/room.py", "import importlib\nimportlib.import_module('js')", "only lk_pyodide/browser/"),
        ("lk_pyodide/room.py", "__import__('pyodide_js')", "only lk_pyodide/browser/"),
        ("lk_pyodide/core/signal.py", "import js", "only lk_pyodide/browser/"),
        ("lk_pyodide/core/signal.py", "from google.protobuf import message", "only lk_pyodide/core/wire.py"),
        ("lk_pyodide/core/wire.py", "from google.protobuf import message", "wait until it is needed"),
        ("lk_pyodide/room.py", "from pyee import EventEmitter", "only lk_pyodide/emitter.py"),
        ("lk_pyodide/frames.py", "import numpy as np", "wait until it is needed"),
        ("lk_pyodide/room.py", "import livekit.protocol", "nobody installs"),
        ("lk_pyodide/room.py", "class A:\n    async def f(self):\n        import requests", "nobody installs"),
        *[
            ("lk_pyodide/core/roster.py", f"def f():\n    import {name}", "no clock")
            for name in ("asyncio", "asyncio.events", "time", "random", "secrets", "uuid", "threading")
        ],
        ("lk_pyodide/core/roster.py", "from time import monotonic", "no clock"),
        ("lk_pyodide/novelty.py", "", "fits no layer"),
        ("lk_pyodide/novelty/deep.py", "", "fits no layer"),
    ],
)
def test_what_is_against_the_order_is_found(path: str, source: str, why: str) -> None:
    [complaint] = complaints({path: source})
    assert why in complaint
    assert complaint.startswith(path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("lk_pyodide/errors.py", "import dataclasses\nfrom lk_pyodide.types import x"),
        ("lk_pyodide/core/signal.py", "from lk_pyodide.core import wire\nfrom . import sdp\nfrom ..errors import x"),
        ("lk_pyodide/core/wire.py", "def f():\n    from google.protobuf import message"),
        ("lk_pyodide/session/link.py", "import asyncio\nfrom lk_pyodide.core import wire\nfrom ..browser import api"),
        ("lk_pyodide/browser/direct/a.py", "import js\nfrom pyodide.ffi import to_js\nfrom ..api import x"),
        ("lk_pyodide/room.py", "from lk_pyodide import devices\nfrom lk_pyodide.events import x"),
        ("lk_pyodide/frames.py", "def f():\n    import numpy"),
        ("lk_pyodide/options.py", "import typing\nif typing.TYPE_CHECKING:\n    from _typeshed import Self"),
        ("lk_pyodide/__init__.py", "from lk_pyodide import errors\nfrom lk_pyodide.room import Room"),
        ("lk_pyodide/testing.py", "from lk_pyodide import Room\nfrom lk_pyodide.browser.fake import FakeBrowser"),
    ],
)
def test_what_is_allowed_is_not_found(path: str, source: str) -> None:
    assert complaints({path: source}) == []


def test_circles_are_found_but_not_those_of_types() -> None:
    track = "from lk_pyodide.publication import TrackPublication"
    publication = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lk_pyodide.track import Track"
    sources = {"lk_pyodide/track.py": track, "lk_pyodide/publication.py": publication}
    assert complaints(sources) == []
    sources["lk_pyodide/publication.py"] = "from lk_pyodide.track import Track"
    assert complaints(sources) == ["lk_pyodide/publication.py, lk_pyodide/track.py: import one another in a circle"]


# -- what loading does -------------------------------------------------------------------------------------------------

GUARD = """
import sys

class Guard:
    forbidden = {"js", "pyodide", "pyodide_js", "_pyodide", "IPython", "numpy", "PIL", "google", "livekit"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.forbidden:
            raise RuntimeError("loaded too early: " + name)

for name in [name for name in sys.modules if name.partition(".")[0] in Guard.forbidden]:
    del sys.modules[name]  # a .pth file of the environment may have made namespace packages
sys.meta_path.insert(0, Guard())
"""


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", GUARD + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_loading_the_package_loads_nothing_of_the_page_and_no_protobuf() -> None:
    everything = [
        path.removesuffix(".py").replace("/", ".")
        for path in SOURCES
        if not path.startswith("lk_pyodide/browser/") and not path.endswith("__init__.py")
    ]
    assert "lk_pyodide.core.wire" in everything
    modules = ["lk_pyodide", *everything, "lk_pyodide.browser.current"]
    result = _python("\n".join(f"import {module}" for module in modules))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from lk_pyodide.core import wire; wire.decode_response(b'')", "google"),
        ("import lk_pyodide.browser.ffi", "js"),
        ("import lk_pyodide, numpy", "numpy"),
    ],
)
def test_the_guard_would_notice(code: str, name: str) -> None:
    result = _python(code)
    assert result.returncode != 0
    assert f"loaded too early: {name}" in result.stderr
