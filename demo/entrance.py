"""How to get into a room: which server, and the token that it wants."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from pyscript import fetch

from lk_pyodide import AccessToken, LiveKitError, VideoGrants


@dataclass(frozen=True)
class Entrance:
    """Where to go, and what lets us in; and whether a link to this page leads others there, too."""

    url: str
    token: str = field(repr=False)
    is_open: bool = True


async def find_entrance(site: str, room: str, name: str) -> Entrance:
    """The way into a room, as `server.json` beside the pages tells it.

    Args:
        site: the folder of the pages.
        room: which room.
        name: who we are.

    Raises:
        LiveKitError: nothing tells it.
    """
    # two people may have one name, but not one identity
    identity = f"{name}-{secrets.token_hex(3)}"
    told = await _read(f"{site}server.json")
    if "tokens" not in told:
        return Entrance(told["url"], make_token(room, identity, name))
    question = urlencode({"room": room, "identity": identity, "name": name})
    told = await _read(f"{site}{told['tokens']}?{question}")
    return Entrance(told["url"], told["token"])


def make_token(room: str, identity: str, name: str) -> str:
    """A token by the development key, which everybody knows: good for rooms in the browser, and for trying things."""
    grants = VideoGrants(room_join=True, room=room)
    return AccessToken().with_identity(identity).with_name(name).with_grants(grants).to_jwt()


async def _read(address: str) -> dict[str, Any]:
    try:
        answer = await fetch(address)
        found: dict[str, Any] = json.loads(await answer.text())
    except Exception as error:
        raise LiveKitError(
            "This page does not tell where to meet: give the address of a server, and a token for it."
        ) from error
    return found


def invitation(entrance: Entrance) -> str:
    """What to say to somebody who wants others to come."""
    if not entrance.is_open:
        return "Others need a token of their own for this room."
    if entrance.url.startswith("local:"):
        return "This room lives in your browser. Open this link in another tab or window of it:"
    return "Send this link to whom you want to meet, or open it in another tab:"


def room_link(page: str, room: str) -> str:
    """The address of a page with a room in it."""
    return f"{page.partition('#')[0].partition('?')[0]}?{urlencode({'room': room})}"
