"""Test bodies that run inside Pyodide: plain async functions, called by name from the tests in CPython."""
