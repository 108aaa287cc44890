"""Fixtures of the tests of plain modules."""

import pytest

from tests.unit.door import Door


@pytest.fixture
def door() -> Door:
    """Something with events."""
    return Door()
