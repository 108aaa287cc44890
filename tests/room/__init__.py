"""A whole room in CPython: the real client over the fake browser, with a server that does as the test says."""
