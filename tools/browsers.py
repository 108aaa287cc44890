"""Finds or installs the two browsers of the end-to-end tests: Chromium and Firefox.

`CHROMIUM=` and `FIREFOX=` name other builds; `LK_SKIP_CHROMIUM=1` and `LK_SKIP_FIREFOX=1` go without one.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.console import Stop, main, say
from tools.debian import apt_install


@dataclass(frozen=True)
class Browser:
    """A browser and the names it goes by."""

    variable: str
    label: str
    programs: tuple[str, ...]
    package: str

    @property
    def skipped(self) -> bool:
        """Whether the user wants to do without it."""
        return os.environ.get(f"LK_SKIP_{self.variable}") == "1"

    def find(self) -> str | None:
        """Where it is: what the environment says, else what is on PATH.

        Raises:
            Stop: The environment names a file that is not there.
        """
        if given := os.environ.get(self.variable):
            if not Path(given).is_file():
                raise Stop(f"{self.variable}={given}: there is no such file")
            return given
        return next((path for program in self.programs if (path := shutil.which(program))), None)


BROWSERS = (
    Browser("CHROMIUM", "Chromium", ("chromium", "chromium-browser", "google-chrome"), "chromium"),
    Browser("FIREFOX", "Firefox", ("firefox-esr", "firefox"), "firefox-esr"),
)


def install_browsers() -> None:
    """Makes sure that every browser that is not skipped is there, and says where."""
    for browser in BROWSERS:
        if browser.skipped:
            say(f"  {browser.label}: left out, LK_SKIP_{browser.variable}=1")
            continue
        if browser.find() is None:
            way_out = f"Or set {browser.variable}=/path/to/it, or LK_SKIP_{browser.variable}=1 to test without it."
            apt_install([browser.package], way_out)
        found = browser.find()
        if found is None:
            raise Stop(f"{browser.label} was installed but is not on PATH: set {browser.variable}=/path/to/it")
        say(f"  {browser.label}: {found}")


if __name__ == "__main__":
    main(install_browsers)
