"""Cases of the contract: files that the user has as the browser's own objects."""

from __future__ import annotations

import asyncio

from lk_pyodide.errors import UsageError
from tests.inpage.contract_kit import Env, raises

CONTENT = bytes(range(256)) * 1000


async def file_is_read(env: Env) -> None:
    """What it is called, what it holds, how large it is; any part of it, in any order, several at a time."""
    file = env.browser.adopt_blob(env.make_native_file(CONTENT, "ä b.png", "image/png"))
    assert (file.name, file.mime_type, file.size) == ("ä b.png", "image/png", 256_000)
    assert await file.read(0, 256_000) == CONTENT
    assert await file.read(255_990, 300_000) == CONTENT[-10:]
    assert await file.read(7, 7) == await file.read(300_000, 300_001) == b""
    places = [(start, start + 60_000) for start in range(0, 256_000, 60_000)]
    parts = await asyncio.gather(*(file.read(start, stop) for start, stop in places))
    assert b"".join(parts) == CONTENT
    again = env.browser.adopt_blob(env.make_native_file(b"", "x", ""))
    assert (again.name, again.mime_type, again.size, await again.read(0, 10)) == ("x", "", 0, b"")


async def blob_is_read(env: Env) -> None:
    """It has no name."""
    blob = env.browser.adopt_blob(env.make_native_file(b"\x00\xff", "", "a/b"))
    assert (blob.name, blob.mime_type, blob.size) == ("", "a/b", 2)
    assert await blob.read(1, 2) == b"\xff"


async def what_is_no_file(env: Env) -> None:
    """Is refused at once."""
    for wrong in (None, 5, object(), {"size": 1, "type": "x"}, [b"x"]):
        with raises(UsageError):
            env.browser.adopt_blob(wrong)


CASES = (file_is_read, blob_is_read, what_is_no_file)
