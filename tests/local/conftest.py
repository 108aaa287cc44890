"""Tabs of one origin, each with a room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from lk_pyodide import AccessToken, Room, VideoGrants
from lk_pyodide.browser.fake import FakeNetwork
from lk_pyodide.testing import FakeBrowser


def token(identity: str, **grants: object) -> str:
    """For the room that all meet in."""
    allowed = VideoGrants(room_join=True, room="lesson", can_update_own_metadata=True, **grants)  # type: ignore[arg-type]
    return AccessToken().with_identity(identity).with_name(identity.title()).with_grants(allowed).to_jwt()


class Tabs:
    """Makes rooms, each in a tab of its own."""

    def __init__(self) -> None:
        self.browsers: dict[Room, FakeBrowser] = {}
        self._network = FakeNetwork()

    def __call__(self) -> Room:
        browser = FakeBrowser(network=self._network)
        room = Room(browser=browser)
        self.browsers[room] = browser
        return room

    async def join(self, *identities: str) -> list[Room]:
        """Rooms that see one another; the first is in the tab that is the server."""
        rooms = [self() for _ in identities]
        for room, identity in zip(rooms, identities, strict=True):
            await room.connect("local://", token(identity))
        return rooms

    def crash(self, room: Room) -> None:
        """The room's tab is gone."""
        self.browsers.pop(room).crash()


@pytest_asyncio.fixture(loop_scope="session")
async def tab() -> AsyncIterator[Tabs]:
    """Makes rooms, each in a tab of its own; what a tab leaves open is an error."""
    tabs = Tabs()
    yield tabs
    for room in tabs.browsers:
        await room.disconnect()
    await asyncio.sleep(0.05)  # whoever was the host closes what it had
    for browser in tabs.browsers.values():
        assert browser.get_open() == []
        await browser.aclose()
