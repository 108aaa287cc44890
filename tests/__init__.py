"""Tests of lk_pyodide: a package, so that its in-page half can be imported under the same name in a browser."""
