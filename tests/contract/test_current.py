"""Outside of a page there is no browser, and the error says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

import pytest

from lk_pyodide.browser.api import RtcConfig
from lk_pyodide.browser.current import current
from lk_pyodide.errors import UnsupportedHostError


def test_cpython() -> None:
    """Plain CPython is told of the fake."""
    with pytest.raises(UnsupportedHostError, match=r"Room\(browser=lk_pyodide\.testing\.FakeBrowser\(\)\)"):
        current()


def _pretend(names: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have JavaScript whose globals have these names."""
    js, ffi = ModuleType("js"), ModuleType("pyodide.ffi")
    for name in names:
        setattr(js, name, object())
    for name in ("JsBuffer", "JsException", "JsProxy"):
        setattr(ffi, name, type(name, (Exception,), {}))
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setitem(sys.modules, "js", js)
    monkeypatch.setitem(sys.modules, "pyodide", ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)
    current.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lk_pyodide.browser.")]:
        if name.rpartition(".")[2] in ("ffi", "direct", "bridge") or ".direct." in name or ".bridge." in name:
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def real_modules() -> Iterator[None]:
    """What was imported with the pretended JavaScript is forgotten afterwards."""
    before = set(sys.modules)
    yield
    current.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("lk_pyodide.browser."):
            del sys.modules[name]


@pytest.mark.usefixtures("real_modules")
def test_javascript_without_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Node is told what is missing, in one sentence."""
    _pretend(["process"], monkeypatch)
    with pytest.raises(UnsupportedHostError, match="not in a browser page") as caught:
        current()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("real_modules")
def test_a_worker_has_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reached later: the contract suite runs there."""
    _pretend(["WorkerGlobalScope", "self"], monkeypatch)
    browser = current()
    assert type(browser).__name__ == "BridgeBrowser"
    with pytest.raises(UnsupportedHostError, match="not been reached yet"):
        browser.new_peer_connection(RtcConfig(), None)  # type: ignore[arg-type]


def test_import_touches_nothing() -> None:
    """Importing the package imports neither JavaScript's modules nor an implementation of the waist."""
    code = (
        "import sys, lk_pyodide.browser, lk_pyodide.browser.api, lk_pyodide.browser.current\n"
        "names = {'js', 'pyodide', *(f'lk_pyodide.browser.{n}' for n in ('ffi', 'direct', 'bridge', 'fake'))}\n"
        "assert not names & set(sys.modules), names & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
