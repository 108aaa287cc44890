"""Small tests of the end-to-end harness itself."""
