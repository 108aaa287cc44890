"""Sans-I/O: every decision, and no asyncio, no browser, no clock, no randomness."""
