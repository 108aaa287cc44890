"""Browsers and systems are known by what they say."""

from __future__ import annotations

import pytest

from lk_pyodide.browser.useragent import UserAgent, parse_user_agent

_KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"

_KNOWN = [
    (f"{_WINDOWS} {_KHTML} Chrome/141.0.0.0 Safari/537.36", UserAgent("chrome", "141.0.0.0", "Windows", "10.0")),
    (f"{_MAC} {_KHTML} Chrome/141.0.0.0 Safari/537.36", UserAgent("chrome", "141.0.0.0", "macOS", "10.15.7")),
    (
        f"Mozilla/5.0 (X11; Linux x86_64) {_KHTML} HeadlessChrome/156.0.0.0 Safari/537.36",
        UserAgent("chrome", "156.0.0.0", "Linux"),
    ),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_KHTML} Chrome/141.0.0.0 Safari/537.36",
        UserAgent("chrome", "141.0.0.0", "Chrome OS", "14541.0.0"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 10; K) {_KHTML} Chrome/141.0.0.0 Mobile Safari/537.36",
        UserAgent("chrome", "141.0.0.0", "Android", "10"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 9; SM-G960F Build/PPR1.180610.011; wv) {_KHTML} Version/4.0 "
        "Chrome/74.0.3729.157 Mobile Safari/537.36",
        UserAgent("chrome", "74.0.3729.157", "Android", "9", "SM-G960F"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 13; SM-S908B) {_KHTML} SamsungBrowser/21.0 Chrome/110.0.5481.154 "
        "Mobile Safari/537.36",
        UserAgent("samsung internet", "21.0", "Android", "13", "SM-S908B"),
    ),
    (
        f"{_WINDOWS} {_KHTML} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.3537.57",
        UserAgent("edge", "141.0.3537.57", "Windows", "10.0"),
    ),
    (
        f"{_WINDOWS} {_KHTML} Chrome/141.0.0.0 Safari/537.36 OPR/122.0.0.0",
        UserAgent("opera", "122.0.0.0", "Windows", "10.0"),
    ),
    (
        f"{_WINDOWS[:-1]}; rv:143.0) Gecko/20100101 Firefox/143.0",
        UserAgent("firefox", "143.0", "Windows", "10.0"),
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
        UserAgent("firefox", "143.0", "macOS", "10.15"),
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
        UserAgent("firefox", "153.0", "Linux"),
    ),
    (
        "Mozilla/5.0 (Android 14; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
        UserAgent("firefox", "143.0", "Android", "14"),
    ),
    (f"{_MAC} {_WEBKIT} Version/18.5 Safari/605.1.15", UserAgent("safari", "18.5", "macOS", "10.15.7")),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Version/18.5 Mobile/15E148 Safari/604.1",
        UserAgent("safari", "18.5", "iOS", "18.5", "iPhone"),
    ),
    (
        f"Mozilla/5.0 (iPad; CPU OS 16_7_10 like Mac OS X) {_WEBKIT} CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1",
        UserAgent("safari", "16.7.10", "iOS", "16.7.10", "iPad"),
    ),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {_WEBKIT} FxiOS/143.0 Mobile/15E148 Safari/605.1.15",
        UserAgent("safari", "17.4", "iOS", "17.4", "iPhone"),
    ),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {_WEBKIT} Version/17.0 EdgiOS/141.0 Mobile/15E148 "
        "Safari/605.1.15",
        UserAgent("safari", "17.0", "iOS", "17.4", "iPhone"),
    ),
    ("", UserAgent()),
    ("curl/8.0", UserAgent()),
]


@pytest.mark.parametrize(("text", "expected"), _KNOWN)
def test_known(text: str, expected: UserAgent) -> None:
    """Real user agents."""
    assert parse_user_agent(text) == expected


def test_ipad_in_disguise() -> None:
    """An iPad says that it is a Mac; its touch screen gives it away, and Firefox on it is Safari."""
    safari = f"{_MAC} {_WEBKIT} Version/17.4 Safari/605.1.15"
    assert parse_user_agent(safari, max_touch_points=5) == UserAgent("safari", "17.4", "iOS", "17.4", "iPad")
    assert parse_user_agent(safari, max_touch_points=0).os == "macOS"
    firefox = f"{_MAC} {_WEBKIT} FxiOS/143 Safari/605.1.15"
    assert parse_user_agent(firefox, max_touch_points=5).name == "safari"
