"""The static site and its server, with small stand-ins for Pyodide, PyScript and the wheels."""

import hashlib
import json
import socket
import time
import zipfile
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from lk_pyodide.local.claims import verify
from tools import demo, site
from tools.console import Stop
from tools.lockfile import lockfile


def make_wheel(folder: Path, name: str, version: str, top: str, requires: list[str]) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {requirement}" for requirement in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{top}/__init__.py", "")
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(metadata) + "\n\n")
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    modules, wheels = tmp_path / "modules", tmp_path / "wheels"
    (modules / "pyodide").mkdir(parents=True)
    for name in site.PYODIDE_FILES:
        (modules / "pyodide" / name).write_text(name)
    original = {"info": {"python": "3.14.2"}, "packages": {"numpy": {}}}
    (modules / "pyodide" / "pyodide-lock.json").write_text(json.dumps(original))
    dist = modules / "@pyscript" / "core" / "dist"
    dist.mkdir(parents=True)
    (dist / "core.js").write_text("export {}")
    (dist / "core.js.map").write_text("{}")
    wheels.mkdir()
    ours = make_wheel(wheels, "lk_pyodide", "0.1.0", "lk_pyodide", ["protobuf>=6", "pyee", "numpy; extra == 'frames'"])
    with zipfile.ZipFile(ours, "a") as archive:
        archive.writestr("lk_pyodide/_web/lk-agent.js", "the agent")
    make_wheel(wheels, "protobuf", "7.0", "google", [])
    make_wheel(wheels, "pyee", "16.0", "pyee", ["typing-extensions"])
    make_wheel(wheels, "typing_extensions", "4.0", "typing_extensions", [])
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "index.html").write_text("<!doctype html>hello")
    (tmp_path / "demo" / "notebooks").mkdir()
    (tmp_path / "demo" / "notebooks" / "a.ipynb").write_text("{}")
    (tmp_path / "lite").mkdir()
    (tmp_path / "lite" / "index.html").write_text("JupyterLite")
    monkeypatch.setattr(site, "NODE_MODULES", modules)
    monkeypatch.setattr(site, "WHEELS", wheels)
    return tmp_path


def test_the_lock_file_names_the_wheels_with_their_hashes_and_dependencies(place: Path) -> None:
    wheels = sorted((place / "wheels").glob("*.whl"))
    lock = json.loads(lockfile(place / "modules" / "pyodide" / "pyodide-lock.json", wheels))
    assert lock["info"] == {"python": "3.14.2"}
    packages = lock["packages"]
    assert set(packages) == {"lk-pyodide", "protobuf", "pyee", "typing-extensions"}
    assert packages["lk-pyodide"]["depends"] == ["protobuf", "pyee"]
    assert packages["pyee"]["depends"] == ["typing-extensions"]
    assert packages["protobuf"]["imports"] == ["google"]
    assert packages["protobuf"]["sha256"] == hashlib.sha256(wheels[1].read_bytes()).hexdigest()


def test_the_site_holds_pages_runtime_and_wheels(place: Path) -> None:
    out = place / "site"
    (out / "left").mkdir(parents=True)
    site.make_site(place / "demo", out, place / "lite")
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    wheels = {f"pyodide/{path.name}" for path in (place / "wheels").iterdir()}
    runtime = {f"pyodide/{name}" for name in site.PYODIDE_FILES}
    pages = {"index.html", "lk-agent.js", "pyscript/core.js", "pyodide/pyodide-lock.json", "lite/index.html"}
    assert files == pages | wheels | runtime
    assert (out / "lk-agent.js").read_text() == "the agent"
    assert not (out / "left").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("demo/index.html", "has no pages"),
        ("wheels/lk_pyodide-0.1.0-py3-none-any.whl", "make wheel"),
        ("modules/@pyscript/core/dist", "make npm"),
    ],
)
def test_what_is_missing_is_named(place: Path, missing: str, message: str) -> None:
    (place / missing).rename(place / "away")
    with pytest.raises(Stop, match=message):
        site.make_site(place / "demo", place / "site", place / "lite")


async def test_the_server_answers_with_types_that_browsers_insist_on(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>hello")
    for name in ("a.wasm", "b.mjs"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "lite").mkdir()
    (tmp_path / "lite" / "index.html").write_text("<!doctype html>notebooks")
    async with demo.static_server(tmp_path, 0) as address, aiohttp.ClientSession() as session:
        kinds = {"": "text/html", "lite/": "text/html", "a.wasm": "application/wasm", "b.mjs": "/javascript"}
        for path, kind in kinds.items():
            async with session.get(address + path) as response:
                assert response.status == 200
                assert kind in response.content_type
                assert response.headers["Cache-Control"] == "no-cache"
        for missing in ("nothing", "nothing/", "%2e%2e/"):
            async with session.get(URL(address + missing, encoded=True)) as response:
                assert response.status == 404


async def test_the_page_learns_where_to_go(tmp_path: Path) -> None:
    where = {"url": "local://"}
    (tmp_path / "server.json").write_text(json.dumps(where))
    async with aiohttp.ClientSession() as session:
        async with demo.static_server(tmp_path, 0) as address:
            async with session.get(address + "server.json") as response:
                assert await response.json() == where
            async with session.post(address + "token", json={}) as response:
                assert response.status == 405
        async with demo.static_server(tmp_path, 0, "ws://there") as address:
            async with session.get(address + "server.json") as response:
                assert await response.json() == {"token_endpoint": "token"}
            wanted = {"room_name": "r", "participant_identity": "i", "participant_name": "n"}
            async with session.post(address + "token", json=wanted) as response:
                given = await response.json()
            assert given["server_url"] == "ws://there"
            claims = verify(given["participant_token"], {"devkey": "secret"}, time.time())
            assert (claims.identity, claims.name, claims.room) == ("i", "n", "r")
            for wrong in (b"{}", b"[]", b"no JSON"):
                async with session.post(address + "token", data=wrong) as response:
                    assert response.status == 400


async def test_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(Stop, match="is taken: `make demo PORT="):
            async with demo.static_server(tmp_path, taken.getsockname()[1]):
                pass
