"""The wheel: the same bytes however it is built, with everything in it and nothing else."""

import email
import re
import zipfile
from pathlib import Path

import pytest

from tools import wheels
from tools.console import ROOT, Stop


def test_the_wheel_is_the_same_from_a_checkout_a_copy_and_an_sdist(capfd: pytest.CaptureFixture[str]) -> None:
    wheels.check_wheels()
    assert len(re.findall(r"^  [0-9a-f]{64}  ", capfd.readouterr().out, re.MULTILINE)) == 5


def test_a_difference_is_reported(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    with pytest.raises(Stop, match="wheel one and wheel two differ"):
        wheels.compare({"wheel one": one, "wheel two": two})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_what_is_in_the_wheel(wheel: Path) -> None:
    assert re.fullmatch(r"lk_pyodide-[^-]+-py3-none-any\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = next(name.split("/")[0] for name in names if name.endswith("/METADATA"))
    expected = {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE", "lk_pyodide/core/_schema.binpb"}
    assert expected <= names
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lk_pyodide").rglob("*.py")}
    assert ours <= names
    assert {name.split("/")[0] for name in names} == {"lk_pyodide", info}


def test_what_the_wheel_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata.get_all("Requires-Dist") == ["protobuf>=6", "pyee"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"


def test_other_versions_of_a_wheel_are_removed(tmp_path: Path) -> None:
    for name in ("pyee-1.0-py3-none-any.whl", "pyee-2.0-py3-none-any.whl", "pyee_x-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    wheels.remove_other_versions(tmp_path, "pyee-2.0-py3-none-any.whl")
    assert {path.name for path in tmp_path.iterdir()} == {"pyee-2.0-py3-none-any.whl", "pyee_x-1.0-py3-none-any.whl"}
