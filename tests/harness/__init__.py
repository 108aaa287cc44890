"""The end-to-end test harness: servers, browsers, pages that run Python, and peers of other makes.

It knows nothing of lk_pyodide beyond its folder name and never imports it in CPython, so that a broken package
fails its own tests and not the harness.
"""
