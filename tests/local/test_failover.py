"""The tab that is the server goes: another one is, and the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lk_pyodide import ConnectionState, DataReceived, Room, TrackSubscribed, TrackUnsubscribed
from lk_pyodide.local import engine, socket
from lk_pyodide.session.tasks import TaskSet
from tests.local.conftest import Tabs, token
from tests.room.server import until


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds that several events may lead to."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _sees(room: Room, *identities: str) -> None:
    """Wait until somebody is connected, with exactly these others."""
    await eventually(
        lambda: room.state is ConnectionState.CONNECTED and set(room.remote_participants) == set(identities)
    )


async def test_the_server_crashes(tab: Tabs) -> None:
    """The others meet again at the next tab, with their pictures, names, metadata and data."""
    ada, ben, eve = await tab.join("ada", "ben", "eve")
    first = asyncio.ensure_future(eve.wait_for(TrackSubscribed, timeout=5))
    await ben.local_participant.set_camera_enabled(True)
    await first
    await ben.local_participant.set_metadata("of ben")
    await eve.local_participant.set_attributes({"hand": "up"})
    await until(lambda: eve.remote_participants["ben"].metadata)
    publication = next(iter(ben.local_participant.track_publications.values()))
    seen, gone = list[TrackSubscribed](), list[TrackUnsubscribed]()
    eve.on(TrackSubscribed, seen.append)
    eve.on(TrackUnsubscribed, gone.append)
    tab.crash(ada)
    await _sees(ben, "eve")
    await _sees(eve, "ben")
    await eventually(lambda: bool(seen) and seen[-1].publication.sid == publication.sid)
    assert gone
    assert next(iter(ben.local_participant.track_publications.values())) is publication
    other = eve.remote_participants["ben"]
    assert (other.name, other.metadata) == ("Ben", "of ben")
    assert dict(ben.remote_participants["eve"].attributes) == {"hand": "up"}
    heard = asyncio.ensure_future(eve.wait_for(DataReceived, timeout=5))
    await asyncio.sleep(0)
    await ben.local_participant.publish_data(b"still here")
    assert (await heard).packet.data == b"still here"


async def test_the_server_leaves_the_page(tab: Tabs) -> None:
    """Nobody has to wait for a timeout, however many tabs there are."""
    rooms = await tab.join("ada", "ben", "eve", "joe")
    loop = asyncio.get_running_loop()
    for _ in range(3):
        started = loop.time()
        tab.crash(rooms.pop(0))
        for room in rooms:
            others = {other.local_participant.identity for other in rooms} - {room.local_participant.identity}
            await _sees(room, *others)
        assert loop.time() - started < 3


async def test_the_server_leaves_the_room(tab: Tabs) -> None:
    """Its tab serves on, and nobody notices."""
    ada, ben, _eve = await tab.join("ada", "ben", "eve")
    names = list[str]()
    ben.on("reconnecting", lambda: names.append("reconnecting"))
    await ada.disconnect()
    await _sees(ben, "eve")
    await ben.local_participant.publish_data(b"x")
    assert names == []


async def test_the_last_one_ends_the_room(tab: Tabs) -> None:
    """Who comes after that is in a new room."""
    (ada,) = await tab.join("ada")
    first = await ada.get_sid()
    await ada.disconnect()
    (ben,) = await tab.join("ben")
    assert await ben.get_sid() != first


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    monkeypatch.setattr(socket, "PATIENCE", 0.3)
    monkeypatch.setattr(engine, "PING_INTERVAL", 1)
    monkeypatch.setattr(engine, "PING_TIMEOUT", 2)


@pytest.mark.usefixtures("hasty")
async def test_the_server_freezes(tab: Tabs) -> None:
    """It is taken for dead; when it wakes it is one of the others."""
    ada, ben, eve = await tab.join("ada", "ben", "eve")
    tab.browsers[ada].freeze()
    await _sees(ben, "eve")
    await _sees(eve, "ben")
    names = list[str]()
    for room in (ben, eve):
        room.on("reconnecting", lambda: names.append("reconnecting"))
    tab.browsers[ada].thaw()
    await _sees(ada, "ben", "eve")
    await _sees(ben, "ada", "eve")
    assert names == []


@pytest.mark.usefixtures("hasty")
async def test_someone_comes_while_the_server_is_frozen(tab: Tabs) -> None:
    """He does not have to wait for it."""
    (ada,) = await tab.join("ada")
    tab.browsers[ada].freeze()
    ben = tab()
    await asyncio.wait_for(ben.connect("local://", token("ben")), 5)
    tab.browsers[ada].thaw()
    await _sees(ada, "ben")
    await _sees(ben, "ada")


async def test_many_come_at_once_while_the_server_crashes(tab: Tabs) -> None:
    """All of them are in the same room in the end."""
    (ada,) = await tab.join("ada")
    names = [f"p{number}" for number in range(6)]
    rooms = [tab() for _ in names]
    tasks = TaskSet()
    joining = [tasks.spawn(room.connect("local://", token(name))) for room, name in zip(rooms, names, strict=True)]
    await asyncio.sleep(0)
    tab.crash(ada)
    await asyncio.gather(*joining)
    for room, name in zip(rooms, names, strict=True):
        await _sees(room, *(set(names) - {name}))
