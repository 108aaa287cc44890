"""Connecting, and what can go wrong with it."""

import asyncio
import time
from typing import Any

from lk_pyodide import (
    ConnectError,
    ConnectionState,
    LiveKitError,
    Room,
    RoomOptions,
    TokenSource,
    TokenSourceError,
    TokenSourceFetchOptions,
)
from tests.inpage import steps


async def attempt(url: str, token: str, single: bool = True) -> dict[str, Any]:
    """Try to connect; how it ended, and in which state the room is then."""
    room = Room(RoomOptions(single_peer_connection=single))
    states: list[str] = []
    room.on("connection_state_changed", lambda state: states.append(state.name))
    started = time.monotonic()
    try:
        await room.connect(url, token)
    except LiveKitError as error:
        ended: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
        if isinstance(error, ConnectError):
            ended |= {"reason": error.reason.name, "status": error.status, "leave": error.disconnect_reason}
    else:
        ended = {"error": None, "name": room.name, "identity": room.local_participant.identity}
        await room.disconnect()
    assert room.state is ConnectionState.DISCONNECTED
    assert not room.remote_participants
    return ended | {"seconds": time.monotonic() - started, "states": states}


async def disconnect_while_connecting(url: str, token: str, after: float) -> str:
    """Call disconnect() while connect() is under way; how connect() ended."""
    room = Room()
    connecting = asyncio.create_task(room.connect(url, token))
    await asyncio.sleep(after)
    await room.disconnect()
    assert room.state is ConnectionState.DISCONNECTED
    try:
        await connecting
    except ConnectError as error:
        return error.reason.name
    return "connected"


async def cancel_while_connecting(url: str, token: str, after: float) -> str:
    """Cancel connect() while it is under way; how it ended."""
    room = Room()
    connecting = asyncio.create_task(room.connect(url, token))
    await asyncio.sleep(after)
    connecting.cancel()
    try:
        await connecting
    except asyncio.CancelledError:
        assert room.state is ConnectionState.DISCONNECTED
        return "cancelled"
    await room.disconnect()
    return "connected"


async def connect_twice(url: str, token: str) -> dict[str, Any]:
    """Two calls at once, a third when connected, and again after leaving."""
    room = Room()
    connected = 0

    @room.on("connected")
    def count() -> None:
        nonlocal connected
        connected += 1

    await asyncio.gather(room.connect(url, token), room.connect(url, token))
    sid = room.local_participant.sid
    await room.connect(url, token)
    same = room.local_participant.sid == sid
    steps.reached("in")
    await steps.until("go on")
    await room.disconnect()
    await room.disconnect()
    await room.connect(url, token)
    fresh = room.local_participant.sid != sid
    await room.disconnect()
    return {"connected": connected, "same": same, "fresh": fresh}


async def one_of_two_gives_up(url: str, token: str) -> bool:
    """Of two that wait for one connect, one is cancelled: the other still gets in."""
    room = Room()
    first = asyncio.create_task(room.connect(url, token))
    second = asyncio.create_task(room.connect(url, token))
    await asyncio.sleep(0)
    first.cancel()
    await second
    connected = room.isconnected()
    await room.disconnect()
    return connected and first.cancelled()


async def by_endpoint(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Join by a token endpoint, twice; then ask it for what it refuses."""
    source = TokenSource.endpoint(
        url, headers={"Authorization": "Bearer secret"}, options=TokenSourceFetchOptions(**options)
    )
    room = Room()
    await room.prepare_connection(source)
    names: list[tuple[str, str]] = []
    for _ in range(2):
        await room.connect(source)
        names.append((room.name, room.local_participant.identity))
        await room.disconnect()
    await source.fetch(force=True)
    try:
        await source.fetch(TokenSourceFetchOptions(room_name="staff"))
    except TokenSourceError as error:
        return {"names": names, "reason": error.reason.name, "status": error.status, "message": str(error)}
    raise AssertionError("it was not refused")


async def without_leave(url: str) -> dict[str, Any]:
    """Ask an endpoint that does not let this page ask it."""
    room = Room()
    try:
        await room.connect(TokenSource.endpoint(url))
    except TokenSourceError as error:
        assert room.state is ConnectionState.DISCONNECTED
        return {"reason": error.reason.name, "message": str(error), "cause": type(error.__cause__).__name__}
    raise AssertionError("it was not refused")


async def stay(url: str, token: str) -> None:
    """Join and stay until the page is closed."""
    room = Room()
    await room.connect(url, token)
    await room.local_participant.set_microphone_enabled(True)
    steps.reached("in")
    await asyncio.sleep(3600)


async def used_too_early(url: str) -> list[str]:
    """What a room says that is not connected."""
    room = Room()
    said = []
    for call in (
        room.local_participant.publish_data(b"x"),
        room.local_participant.set_camera_enabled(True),
        room.local_participant.set_metadata("x"),
        room.wait_for("participant_connected", timeout=0.05),
        room.connect("javascript:alert(1)", "t"),
        room.connect("wss://user:secret@host", "t"),
        room.connect("", "t"),
    ):
        try:
            await call
        except LiveKitError as error:
            said.append(f"{type(error).__name__}: {error}")
    await room.disconnect()
    return said
