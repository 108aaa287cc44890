"""What the core hands out are values: nobody changes them, and nobody can give them a misspelt field."""

from __future__ import annotations

import dataclasses
import importlib
import inspect

import pytest

from tools.console import ROOT

CORE = [
    importlib.import_module(f"lk_pyodide.core.{path.stem}")
    for path in sorted((ROOT / "lk_pyodide" / "core").glob("*.py"))
    if path.stem != "__init__"
]
VALUES = [
    pytest.param(cls, id=f"{module.__name__}.{name}")
    for module in CORE
    for name, cls in vars(module).items()
    if dataclasses.is_dataclass(cls) and inspect.isclass(cls) and cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", VALUES)
def test_values_are_frozen_and_have_slots(cls: type) -> None:
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]  # what @dataclass was told
    assert "__slots__" in vars(cls)


def test_there_are_values() -> None:
    assert len(VALUES) > 60


@pytest.mark.parametrize("module", CORE)
def test_every_module_of_the_core_has_a_test_file(module: object) -> None:
    name = str(getattr(module, "__name__", "")).rpartition(".")[2]
    tests = "test_wire" if name in ("fields", "messages", "models", "packets", "stream_messages") else f"test_{name}"
    assert (ROOT / "tests" / "core" / f"{tests}.py").is_file()
