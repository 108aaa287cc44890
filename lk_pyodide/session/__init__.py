"""The core driven over a browser: asyncio, and no JavaScript."""
