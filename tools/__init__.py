"""Build tooling: run from the root of a checkout, as `python -m tools.NAME`."""
