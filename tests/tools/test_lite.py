"""What is added to JupyterLite's own builder: the kernel's wheels, the listing of notebooks, and not building twice."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.tools.test_site import make_wheel
from tools import lite
from tools.console import Stop


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wheels, notebooks, Pyodide's lock file, and a builder that writes no more than the tests look at."""
    for name in ("wheels", "kernel", "notebooks", "pyodide"):
        (tmp_path / name).mkdir()
    make_wheel(tmp_path / "wheels", "lk_pyodide", "0.1.0", "lk_pyodide", ["pyee"])
    make_wheel(tmp_path / "wheels", "micropip", "0.1", "micropip", [])
    make_wheel(tmp_path / "kernel", "ipython", "9.0", "IPython", ["traitlets", "pexpect; sys_platform != 'emscripten'"])
    make_wheel(tmp_path / "kernel", "traitlets", "5.0", "traitlets", [])
    (tmp_path / "notebooks" / "a.ipynb").write_text("{}")
    lock = {"info": {"python": "3.14.2"}, "packages": {"numpy": {}}}
    (tmp_path / "pyodide" / "pyodide-lock.json").write_text(json.dumps(lock))
    monkeypatch.setattr(lite, "NODE_MODULES", tmp_path)
    monkeypatch.setattr(lite, "kernel_wheels", lambda: sorted((tmp_path / "kernel").glob("*.whl")))

    def run(what: str, command: list[str | Path], **options: object) -> None:
        source = Path(command[command.index("--lite-dir") + 1])
        target = Path(command[command.index("--output-dir") + 1])
        (target / "lab").mkdir(parents=True)
        (target / "lab" / "favicon.ico").touch()
        (target / "offered").write_text("\n".join(sorted(path.name for path in (source / "pypi").iterdir())))
        (target / "config").write_text((source / "jupyter-lite.json").read_text())

    monkeypatch.setattr(lite, "run", run)
    return tmp_path


def make(place: Path) -> Path:
    return lite.make_lite(place / "wheels", place / "notebooks", place / "out")


def test_the_kernel_has_a_lock_file_for_its_own_wheels(place: Path) -> None:
    out = make(place)
    packages = json.loads((out / "kernel" / "pyodide-lock.json").read_text())["packages"]
    assert set(packages) == {"ipython", "traitlets"}
    assert packages["ipython"]["depends"] == ["traitlets"]
    for package in packages.values():
        assert hashlib.sha256((out / "kernel" / package["file_name"]).read_bytes()).hexdigest() == package["sha256"]


def test_our_wheel_is_offered_to_pip_and_nothing_is_looked_for_elsewhere(place: Path) -> None:
    out = make(place)
    assert (out / "offered").read_text() == "lk_pyodide-0.1.0-py3-none-any.whl"
    settings = json.loads((out / "config").read_text())["jupyter-config-data"]["litePluginSettings"]
    (kernel,) = settings.values()
    assert kernel["disablePyPIFallback"] is True
    assert "://" not in json.dumps(kernel)


def test_notebooks_are_listed(place: Path) -> None:
    out = make(place)
    listing = json.loads((out / "api" / "contents" / "all.json").read_text())
    assert [(entry["path"], entry["type"]) for entry in listing["content"]] == [("a.ipynb", "notebook")]
    assert (out / "files" / "a.ipynb").read_text() == "{}"


def test_it_is_built_again_only_when_something_has_changed(place: Path) -> None:
    mark = make(place) / "mark"
    mark.touch()
    assert make(place) == place / "out" and mark.exists()
    (place / "notebooks" / "a.ipynb").write_text('{"cells": []}')
    make(place)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("wheels/lk_pyodide-0.1.0-py3-none-any.whl", "make wheel"), ("pyodide/pyodide-lock.json", "make npm")],
)
def test_what_is_missing_is_named(place: Path, missing: str, message: str) -> None:
    (place / missing).unlink()
    with pytest.raises(Stop, match=message):
        make(place)


def test_wheels_are_downloaded_unless_their_hashes_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, pinned = tmp_path / "wheels", tmp_path / "pinned.txt"
    pinned.write_text(f"a==1 --hash=sha256:{hashlib.sha256(b'good').hexdigest()}\n")
    commands: list[list[str | Path]] = []

    def run(what: str, command: list[str | Path]) -> None:
        commands.append(command)
        folder.mkdir()
        (folder / "a-1-py3-none-any.whl").write_bytes(b"good")

    monkeypatch.setattr(lite, "run", run)
    assert lite.kernel_wheels(folder, pinned) == [folder / "a-1-py3-none-any.whl"]
    assert "--require-hashes" in commands[0]
    lite.kernel_wheels(folder, pinned)
    assert len(commands) == 1
    (folder / "a-1-py3-none-any.whl").write_bytes(b"bad")
    lite.kernel_wheels(folder, pinned)
    assert len(commands) == 2
