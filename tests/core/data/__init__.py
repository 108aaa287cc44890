"""Test data, and what makes it."""
