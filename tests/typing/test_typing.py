"""good.py pleases mypy --strict and pyright; in bad.py both find the marked lines, all of them and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.typing.checkers import Checker, mypy, pyright

HERE = Path(__file__).parent
MARK = re.compile(r"  # type: ignore\[[\w,-]+\]$")

CHECKERS = [mypy, pyright]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_right(checker: Checker, tmp_path: Path) -> None:
    file = tmp_path / "good.py"
    file.write_text((HERE / "good.py").read_text())
    assert checker(file) == {}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_wrong(checker: Checker, tmp_path: Path) -> None:
    lines = (HERE / "bad.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if MARK.search(line)}
    assert len(marked) > 30
    file = tmp_path / "bad.py"
    file.write_text("\n".join(MARK.sub("", line) for line in lines) + "\n")
    found = checker(file)
    assert {line: found.get(line, "not found") for line in marked - found.keys()} == {}, "mistakes that pass"
    assert {line: found[line] for line in found.keys() - marked} == {}, "complaints about what is right"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_mistake_in_what_is_right_would_be_found(checker: Checker, tmp_path: Path) -> None:
    """Neither checker takes our types for Any."""
    file = tmp_path / "mistake.py"
    mistakes = ("Room().no_such_thing", "x: int = Room().name", "Room().on('connectd', print)")
    file.write_text("\n".join(("from lk_pyodide import Room", *mistakes, "")))
    assert set(checker(file)) == {2, 3, 4}
