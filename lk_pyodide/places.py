"""Places on the page for what is live: a notebook shows the place, and elements go and stand in it."""

from __future__ import annotations

import os


def new_place() -> str:
    """A name for a place on the page that nothing else has."""
    return f"lk-{os.urandom(6).hex()}"


def mimebundle(place: str, text: str) -> dict[str, str]:
    """What a notebook shows for something live.

    Args:
        place: where its elements will stand.
        text: for where nothing is live.
    """
    words = "Live pictures are here while the notebook runs."
    style = "display:flex;flex-wrap:wrap;gap:.5rem"
    html = f'<div data-lk-place="{place}" style="{style}"><span data-lk-empty>{words}</span></div>'
    return {"text/html": html, "text/plain": text}
