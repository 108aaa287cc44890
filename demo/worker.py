"""The meeting with Python in a worker: it decides what is to be seen, and `worker.js` shows it on the page.

The two talk by messages: what people do comes as `{"do": …}`, and `tell` sends what has changed. Pictures and sound
need no message: `track.attach("#selector")` works from here.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any
from urllib.parse import urljoin

from entrance import Entrance, find_entrance, own_entrance, room_link
from meeting import (
    CHANGES,
    CHAT,
    DEVICE_CHANGES,
    DEVICES,
    GOODBYES,
    choices,
    explain,
    is_alone,
    name_of,
    open_devices,
    pictures,
    status,
    switch,
    switches,
)
from polyscript import xworker

from lk_pyodide import (
    AttachedElement,
    ConnectionState,
    DisconnectReason,
    LiveKitError,
    Participant,
    Room,
    RoomEvent,
    TextStreamReader,
    Track,
    TrackKind,
    TrackSource,
)

# to the browser's console: what goes to stderr PyScript shows on the page
logging.basicConfig(stream=sys.stdout)

room = Room()
tile_ids: dict[tuple[str, TrackSource], str] = {}
attached: dict[str, tuple[Track, AttachedElement]] = {}
running: set[asyncio.Future[Any]] = set()


# -- what is on the page --


def tell(**changes: Any) -> None:
    """Send the page what has changed."""
    xworker.postMessage(json.dumps(changes))


def wanted_tracks() -> dict[str, Track]:
    """What is to be seen, by the id of its tile."""
    shown = pictures(room).items()
    return {tile_ids[key]: picture.track for key, picture in shown if picture.track is not None}


def refresh() -> None:
    """Make the page show what is in the room. Every event that matters comes here."""
    tiles: list[dict[str, Any]] = []
    for key, picture in pictures(room).items():
        tile_id = tile_ids.setdefault(key, f"tile-{len(tile_ids)}")
        tile = {"id": tile_id, "name": picture.name, "initial": picture.initial, "muted": picture.muted}
        tiles.append({**tile, "hue": picture.hue, "styles": picture.styles, "seen": picture.track is not None})
    wanted = wanted_tracks()
    for tile_id in [tile_id for tile_id, (track, _) in attached.items() if wanted.get(tile_id) is not track]:
        attached.pop(tile_id)[1].detach()
    tell(tiles=tiles, switches=switches(room), alone=is_alone(room))
    if text := status(room):
        tell(status=text)


def play() -> None:
    """The page has the tiles now: put the pictures into them."""
    for tile_id, track in wanted_tracks().items():
        if tile_id not in attached:
            attached[tile_id] = (track, track.attach(f"#{tile_id}"))


async def refresh_devices() -> None:
    """Make the menus show the devices that there are."""
    tell(menus={kind: [asdict(device) for device in devices] for kind, devices in (await choices(room)).items()})


# -- what happens in the room --

for event in CHANGES:
    room.on(event, refresh)
for event in DEVICE_CHANGES:
    room.on(event, refresh_devices)


@room.on("track_subscribed")
def play_sound(track: Any) -> None:
    if track.kind == TrackKind.AUDIO:
        track.attach("#sounds")


@room.on("participant_connected")
def came(participant: Participant) -> None:
    tell(line=f"{name_of(participant)} came")
    refresh()


@room.on("participant_disconnected")
def left(participant: Participant) -> None:
    tell(line=f"{name_of(participant)} left")
    refresh()


async def heard(reader: TextStreamReader, identity: str) -> None:
    sender = room.remote_participants[identity]
    tell(line=await reader.read_all(), sender=name_of(sender))


room.register_text_stream_handler(CHAT, heard)


@room.on(RoomEvent.AudioPlaybackStatusChanged)
def sound_changed(playing: bool) -> None:
    tell(silent=not playing)


@room.on("connection_state_changed")
def state_changed(state: ConnectionState) -> None:
    tell(state=state.name.lower(), inside=room.isconnected())
    refresh()


@room.on("disconnected")
def ended(reason: DisconnectReason) -> None:
    tell(status=GOODBYES.get(reason, "The connection was lost."), silent=False)


# -- what people do --


def in_background(work: Awaitable[Any]) -> None:
    """Do something that a click began; asyncio forgets a task that nobody holds."""
    task = asyncio.ensure_future(work)
    running.add(task)
    task.add_done_callback(running.discard)


async def attempt(work: Awaitable[Any], what: str = "") -> None:
    """Do what a button says; a failure goes onto the page."""
    tell(problem="")
    try:
        await work
    except LiveKitError as error:
        tell(problem=explain(error, what))
    refresh()


async def way_in(wish: dict[str, Any]) -> Entrance:
    """Where to go: what the user wrote, or what the site says."""
    if wish["url"] or wish["token"]:
        return own_entrance(wish["url"], wish["token"])
    try:
        return await find_entrance(urljoin(wish["page"], "./"), wish["room"], wish["name"])
    except LiveKitError:
        tell(own=True)
        raise


async def enter(wish: dict[str, Any]) -> None:
    """Join, and turn on what the user wants."""
    tell(problem="")
    try:
        entrance = await way_in(wish)
        await room.connect(entrance.source)
    except LiveKitError as error:
        tell(problem=str(error), status="", state="disconnected", inside=False)
        return
    link = room_link(wish["page"], room.name) if entrance.is_open else ""
    tell(invitation=entrance.invitation, link=link)
    tell(problem=await open_devices(room, wish["microphone"], wish["camera"]))
    await refresh_devices()


async def choose(kind: str, device_id: str) -> None:
    """Use another device; the menus then show which one is used in fact."""
    await attempt(room.switch_active_device(kind, device_id), f"chosen {DEVICES[kind]}")
    await refresh_devices()


def on_page(event: Any) -> None:
    """Somebody has done something on the page."""
    if not isinstance(event.data, str):
        return  # not ours
    message: dict[str, Any] = json.loads(event.data)
    match message["do"]:
        case "join":
            in_background(enter(message))
        case "switch":
            in_background(attempt(switch(room, message["button"]), message["button"]))
        case "choose":
            in_background(choose(message["kind"], message["device"]))
        case "look":
            in_background(refresh_devices())
        case "leave":
            in_background(room.disconnect())
        case "hear":
            in_background(attempt(room.start_audio()))
        case "say":
            tell(line=message["text"], sender=room.local_participant.name or "you")
            in_background(attempt(room.local_participant.send_text(message["text"], topic=CHAT)))
        case "play":
            play()
        case other:
            raise ValueError(f"the page wants what nobody knows: {other}")


xworker.onmessage = on_page
tell(state="disconnected", inside=False, status="Ready")
