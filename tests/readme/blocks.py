"""The fenced code blocks of the README, each under a name made of its heading, and who tests which."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.harness.paths import REPO

README = REPO / "README.md"
_PIECE = re.compile(r"^#+ +(?P<heading>[^\n]+)$|^```(?P<language>\S*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_tested: dict[str, str] = {}

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True)
class Block:
    """A code block. Its name is `heading`, or `heading 2` for the second one under it; `line` is its first fence's."""

    name: str
    language: str
    code: str
    line: int


def read_blocks(text: str) -> dict[str, Block]:
    """All blocks of a Markdown text, by name."""
    blocks: dict[str, Block] = {}
    heading, count = "", 0
    for piece in _PIECE.finditer(text):
        if piece["heading"]:
            heading, count = piece["heading"].lower(), 0
        else:
            count += 1
            name = heading if count == 1 else f"{heading} {count}"
            blocks[name] = Block(name, piece["language"], piece["code"], text.count("\n", 0, piece.start()) + 1)
    return blocks


BLOCKS = read_blocks(README.read_text(encoding="utf-8"))


def covers(*names: str) -> Callable[[F], F]:
    """Say which blocks a test runs."""

    def add(test: F) -> F:
        _tested.update(dict.fromkeys(names, test.__name__))
        return test

    return add


def untested() -> set[str]:
    """Blocks of the README that no test covers."""
    return set(BLOCKS) - set(_tested)


def vanished() -> set[str]:
    """Blocks that a test covers and the README does not have."""
    return set(_tested) - set(BLOCKS)
