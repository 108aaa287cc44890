"""Which browser is this: a pure function of ``navigator.userAgent``.

LiveKit's server keeps lists of what certain browsers cannot do, and goes by these names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["UserAgent", "parse_user_agent"]


@dataclass(frozen=True, slots=True)
class UserAgent:
    """Names and versions; what is not told is empty."""

    name: str = ""
    version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""


# The first that matches: everything that is built on Chromium also says Chrome and Safari.
_BROWSERS = (
    ("edge", r"\bEdg(?:e|A|iOS)?/([\d.]+)"),
    ("opera", r"\bOP(?:R|T|X)/([\d.]+)"),
    ("samsung internet", r"\bSamsungBrowser/([\d.]+)"),
    ("vivaldi", r"\bVivaldi/([\d.]+)"),
    ("firefox", r"\bFirefox/([\d.]+)"),
    ("chrome", r"\b(?:Headless)?Chrom(?:e|ium)/([\d.]+)"),
    ("safari", r"\bVersion/([\d.]+).*\bSafari/"),
)
_SYSTEMS = (
    ("iOS", r"\b(?:iPhone|iPad|iPod)\b(?:.*?\bOS ([\d_]+))?"),
    ("Android", r"\bAndroid(?: ([\d.]+))?"),
    ("Windows", r"\bWindows(?: NT ([\d.]+))?"),
    ("macOS", r"\bMac OS X(?: ([\d_.]+))?"),
    ("Chrome OS", r"\bCrOS \S+ ([\d.]+)"),
    ("Linux", r"\bLinux\b()"),
)


def parse_user_agent(text: str, *, max_touch_points: int = 0) -> UserAgent:
    """Tell browser and system.

    Args:
        text: ``navigator.userAgent``.
        max_touch_points: ``navigator.maxTouchPoints``; an iPad says that it is a Mac, but Macs have no touch screen.

    Returns:
        Names as in :class:`lk_pyodide.browser.api.BrowserInfo`. On iOS every browser is Safari in other clothes and has
        Safari's abilities, so that is what it is called, with the system's version.
    """
    name, version = _search(_BROWSERS, text)
    system, system_version = _search(_SYSTEMS, text)
    device = _get_device(text, system)
    if system == "macOS" and max_touch_points > 1:
        system, system_version, device = "iOS", version if name == "safari" else "", "iPad"
    if system == "iOS":
        own_version = _search(_BROWSERS[-1:], text)[1]
        name, version = "safari", own_version or system_version
    return UserAgent(name, version, system, system_version, device)


def _search(table: tuple[tuple[str, str], ...], text: str) -> tuple[str, str]:
    for name, pattern in table:
        match = re.search(pattern, text)
        if match:
            return name, (match.group(1) or "").replace("_", ".")
    return "", ""


def _get_device(text: str, system: str) -> str:
    if system == "iOS":
        match = re.search(r"\b(iPhone|iPad|iPod)\b", text)
    elif system == "Android":
        match = re.search(r"\bAndroid [\d.]+; ([^;)]+?)(?: Build/[^;)]*)?[;)]", text)
    else:
        match = None
    device = match.group(1) if match else ""
    return "" if device in ("K", "Mobile", "Tablet") else device  # what browsers say instead of a model
