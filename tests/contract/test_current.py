"""Outside of a page there is no browser, and the error says what to do."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from lk_pyodide.browser.current import current
from lk_pyodide.errors import UnsupportedHostError


def test_cpython() -> None:
    """Plain CPython is told of the fake."""
    with pytest.raises(UnsupportedHostError, match=r"Room\(browser=lk_pyodide\.testing\.FakeBrowser\(\)\)"):
        current()


@pytest.mark.parametrize(
    ("names", "message"),
    [(("WorkerGlobalScope", "self"), "runs in a worker"), (("process",), "not in a browser page")],
)
def test_javascript_without_page(names: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker and Node are told what is missing, in one sentence."""
    js, ffi = ModuleType("js"), ModuleType("pyodide.ffi")
    for name in names:
        setattr(js, name, object())
    for name in ("JsException", "JsProxy"):
        setattr(ffi, name, type(name, (Exception,), {}))
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setitem(sys.modules, "js", js)
    monkeypatch.setitem(sys.modules, "pyodide", ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)
    monkeypatch.delitem(sys.modules, "lk_pyodide.browser.ffi", raising=False)
    try:
        with pytest.raises(UnsupportedHostError, match=message) as caught:
            current()
        assert "\n" not in str(caught.value)
    finally:
        sys.modules.pop("lk_pyodide.browser.ffi", None)


def test_import_touches_nothing() -> None:
    """Importing the waist imports neither JavaScript's modules nor an implementation."""
    code = (
        "import sys, lk_pyodide.browser, lk_pyodide.browser.api, lk_pyodide.browser.current\n"
        "bad = [m for m in sys.modules if m in ('js', 'pyodide') or m.startswith('lk_pyodide.browser.')]\n"
        "assert sorted(bad) == ['lk_pyodide.browser.api', 'lk_pyodide.browser.current'], bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
