"""Tests of the modules beside the core, in plain Python."""
