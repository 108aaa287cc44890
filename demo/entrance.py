"""How to get into a room: which server, and who gives the token that it wants."""

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin

from pyscript import fetch

from lk_pyodide import AccessToken, LiveKitError, TokenSource, TokenSourceFetchOptions, VideoGrants


@dataclass(frozen=True)
class Entrance:
    """A way into a room.

    Attributes:
        source: gives the server's address and a token whenever `room.connect` wants them.
        invitation: what to say to somebody who wants others to come.
        is_open: whether a link to this page leads others there, too.
    """

    source: TokenSource
    invitation: str
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
    where = await _read(f"{site}server.json")
    for_all = "Send this link to whom you want to meet, or open it in another tab:"
    if "token_endpoint" in where:
        wanted = TokenSourceFetchOptions(room_name=room, participant_identity=identity, participant_name=name)
        return Entrance(TokenSource.endpoint(urljoin(site, where["token_endpoint"]), options=wanted), for_all)
    in_browser = "This room lives in your browser. Open this link in another tab or window of it:"
    source = TokenSource.literal(lambda: (where["url"], make_token(room, identity, name)))
    return Entrance(source, in_browser if where["url"].startswith("local:") else for_all)


def make_token(room: str, identity: str, name: str) -> str:
    """A token by the development key, which everybody knows: good for rooms in the browser, and for trying things."""
    grants = VideoGrants(room_join=True, room=room)
    return AccessToken().with_identity(identity).with_name(name).with_grants(grants).to_jwt()


def own_entrance(url: str, token: str) -> Entrance:
    """The way that somebody has written down."""
    invitation = "Others need a token of their own for this room."
    return Entrance(TokenSource.literal(url, token), invitation, is_open=False)


def room_link(page: str, room: str) -> str:
    """The address of a page with a room in it."""
    return f"{page.partition('#')[0].partition('?')[0]}?{urlencode({'room': room})}"


async def _read(address: str) -> dict[str, Any]:
    try:
        answer = await fetch(address)
        found: dict[str, Any] = json.loads(await answer.text())
    except Exception as error:
        text = "This page does not tell where to meet: give the address of a server, and a token for it."
        raise LiveKitError(text) from error
    return found
