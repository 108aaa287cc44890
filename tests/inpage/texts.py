"""Long texts, made at both ends so that they need not travel between a page and its test, and what is told of them."""

import hashlib
from collections.abc import Iterator

LIMIT = 1 << 20
"""Bytes up to which content is told as it is."""
_STARTS = (0x21, 0xC0, 0x4E00, 0x1F300)
"""Where characters of one, two, three and four bytes of UTF-8 begin."""


def long_text(blocks: int) -> str:
    """So many blocks of 50 kB each, of characters of every length; more than compression can look back."""
    random = _random()
    block = "".join(chr(_STARTS[next(random) % 4] + next(random) % 90) for _ in range(20_000))
    return "".join(f"{number} {block}" for number in range(blocks))


def _random() -> Iterator[int]:
    """Park and Miller's numbers, which JavaScript reckons without loss too."""
    number = 1
    while True:
        number = number * 16_807 % 2_147_483_647
        yield number


def compact(content: bytes | bytearray) -> bytes:
    """The content, or the SHA-256 of what is long."""
    return bytes(content) if len(content) <= LIMIT else hashlib.sha256(content).digest()
