"""What type checkers say of code that uses lk_pyodide."""
