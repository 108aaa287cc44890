"""The build hook: where the schema comes from in a checkout, in an sdist, and when livekit-protocol is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import schema
from tools.wheels import copy_sources

WHEEL_WITHOUT_PROTOCOL = """
import sys
sys.modules["livekit.protocol"] = None  # importing it raises ImportError, as if it were not installed
from hatchling.build import build_wheel
print(build_wheel(sys.argv[1]))
"""


def build_without_protocol(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WHEEL_WITHOUT_PROTOCOL, str(out)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return copy_sources(tmp_path / "source")


def test_without_livekit_protocol_a_checkout_says_what_to_install(source: Path, tmp_path: Path) -> None:
    result = build_without_protocol(source, tmp_path)
    assert result.returncode != 0
    assert "install livekit-protocol==" in result.stderr


def test_without_livekit_protocol_an_sdist_keeps_its_schema(source: Path, tmp_path: Path) -> None:
    (source / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: lk_pyodide\nVersion: 0.0.1\n")
    path = source / schema.SCHEMA
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"as it came")
    result = build_without_protocol(source, tmp_path)
    assert result.returncode == 0, result.stderr
    assert path.read_bytes() == b"as it came"


def test_a_checkout_is_never_built_with_an_old_schema(source: Path, tmp_path: Path) -> None:
    path = source / schema.SCHEMA
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"stale")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=source, check=True, capture_output=True)
    assert path.read_bytes() == schema.build()
