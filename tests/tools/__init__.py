"""Tests of the build tooling."""
