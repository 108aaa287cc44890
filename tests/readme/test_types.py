"""`mypy --strict` and pyright accept the README's Python as it is printed.

All blocks are judged in one go, each as the body of a function whose parameters are what the text says is at hand. A
block keeps its place, so that a line that is complained about is that line of the README.
"""

import textwrap
from pathlib import Path

import pytest

from tests.readme.blocks import BLOCKS, README, Block
from tests.typing.checkers import Checker, mypy, pyright

AT_HAND = "room: Room, url: str, token: str"
OTHERS = {
    "a page to copy 3": "api_key: str, api_secret: str",
    "audio playback": f"{AT_HAND}, button: Any",
}
JS = "from typing import Any\ndef __getattr__(name: str) -> Any: ...\n"  # what Pyodide's window onto the page gives
MISTAKE = """
await room.connect(url)
room.name = no_such_name
"""


def as_module(blocks: list[Block]) -> str:
    """The blocks, each at its own lines."""
    lines = ["from typing import Any; from lk_pyodide import Room"]
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines))
        assert len(lines) == block.line - 1, "blocks in the order of their lines"
        lines.append(f"async def block_{block.line}({OTHERS.get(block.name, AT_HAND)}) -> None:")
        lines += textwrap.indent(block.code, "    ").splitlines()
    return "\n".join(lines) + "\n"


def lenient_pyright(file: Path) -> dict[int, str]:
    """Pyright as users have it: its strict mode complains of variables that an example makes and does not use."""
    return pyright(file, "standard")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", [mypy, lenient_pyright])
def test_the_types_of_the_readme(checker: Checker, tmp_path: Path) -> None:
    blocks = [block for block in BLOCKS.values() if block.language == "python"]
    assert len(blocks) > 15
    end = len(README.read_text(encoding="utf-8").splitlines()) + 1
    (tmp_path / "js.pyi").write_text(JS)
    file = tmp_path / "readme.py"
    file.write_text(as_module([*blocks, Block("a mistake", "python", MISTAKE, end)]), encoding="utf-8")
    found = checker(file)
    assert {line: text for line, text in found.items() if line < end} == {}, "lines of README.md"
    assert found.keys() == {end + 2, end + 3}, "a mistake would be found"
