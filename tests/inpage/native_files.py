"""Files as the browser's own objects. Only imported where there is JavaScript."""

from __future__ import annotations

from lk_pyodide.browser.ffi import js, to_js_bytes, to_js_json


def make_native_file(content: bytes, name: str, mime_type: str) -> object:
    """A File, or a Blob if it is to have no name."""
    parts, options = js.Array.of(to_js_bytes(content)), to_js_json({"type": mime_type})
    made: object = js.File.new(parts, name, options) if name else js.Blob.new(parts, options)
    return made
