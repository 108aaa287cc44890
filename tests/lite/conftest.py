"""The tests of JupyterLite use the fixtures of tests/harness/fixtures.py."""

import pytest

from tests.harness import fixtures


def pytest_configure(config: pytest.Config) -> None:
    """Register the harness's fixtures once, however many folders of tests use them."""
    if not config.pluginmanager.is_registered(fixtures):
        config.pluginmanager.register(fixtures, "lk-harness")
