"""A small video meeting: everyone's tile, microphone, camera and screen, which devices, and a line of chat.

`entrance.py` finds the way into a room, `meeting.py` tells what is to be seen and said, `tiles.py` shows the pictures;
here is the page: what happens in the room changes it, and what people do on it changes the room.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable
from typing import Any

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
    status,
    switch,
    switches,
)
from pyscript import document, when, window
from tiles import at, make, show_pictures

from lk_pyodide import (
    ConnectionState,
    DisconnectReason,
    LiveKitError,
    Participant,
    Room,
    RoomEvent,
    TextStreamReader,
    TrackKind,
)

# to the browser's console: what goes to stderr PyScript shows on the page
logging.basicConfig(stream=sys.stdout)

room = Room()
running: set[asyncio.Future[Any]] = set()


# -- what is on the page --


def refresh() -> None:
    """Make the page show what is in the room. Every event that matters comes here."""
    show_pictures(room)
    for name, on in switches(room).items():
        at(name).setAttribute("aria-pressed", str(on).lower())
    at("alone").hidden = not is_alone(room)
    if text := status(room):
        at("status").textContent = text


async def refresh_devices() -> None:
    """Make the menus show the devices that there are."""
    for kind, devices in (await choices(room)).items():
        menu = at(kind)
        menu.parentElement.hidden = not devices
        menu.replaceChildren()
        for device in devices:
            option = make("option", text=device.label)
            option.value, option.selected = device.device_id, device.chosen
            menu.append(option)
    at("no-devices").hidden = bool(document.querySelector("#devices label:not([hidden])"))


def show_problem(text: str) -> None:
    """Tell the user what went wrong, or that nothing did."""
    at("problem").textContent = text
    at("problem").hidden = not text


def show_invitation(entrance: Entrance) -> None:
    """Offer a link to this room."""
    link = room_link(window.location.href, room.name)
    at("invitation").textContent = entrance.invitation
    for name in ("link", "second-tab"):
        at(name).href = link
        at(name).hidden = not entrance.is_open
    at("link").textContent = link
    at("copy").hidden = not entrance.is_open


def write(text: str, sender: str = "") -> None:
    """Add a line to the chat."""
    line = make("p", "" if sender else "note")
    if sender:
        line.append(make("strong", "", sender), ": ")
    line.append(text)
    at("lines").append(line)
    at("lines").scrollTop = at("lines").scrollHeight


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
    write(f"{name_of(participant)} came")
    refresh()


@room.on("participant_disconnected")
def left(participant: Participant) -> None:
    write(f"{name_of(participant)} left")
    refresh()


async def heard(reader: TextStreamReader, identity: str) -> None:
    sender = room.remote_participants[identity]
    write(await reader.read_all(), name_of(sender))


room.register_text_stream_handler(CHAT, heard)


@room.on(RoomEvent.AudioPlaybackStatusChanged)
def sound_changed(playing: bool) -> None:
    at("sound").hidden = playing


@room.on("connection_state_changed")
def state_changed(state: ConnectionState) -> None:
    was_in = not at("meeting").hidden
    document.body.dataset.state = state.name.lower()
    at("join").hidden = room.isconnected()
    at("meeting").hidden = not room.isconnected()
    at("enter").disabled = state != ConnectionState.DISCONNECTED
    refresh()
    if was_in != room.isconnected():
        at("name" if was_in else "microphone").focus()  # the button that had the focus has just gone


@room.on("disconnected")
def ended(reason: DisconnectReason) -> None:
    at("status").textContent = GOODBYES.get(reason, "The connection was lost.")
    at("lines").replaceChildren()
    at("sound").hidden = True


# -- what people do --


def in_background(work: Awaitable[Any]) -> None:
    """Do something that a click began; asyncio forgets a task that nobody holds."""
    task = asyncio.ensure_future(work)
    running.add(task)
    task.add_done_callback(running.discard)


async def attempt(work: Awaitable[Any], what: str = "") -> None:
    """Do what a button says; a failure goes onto the page."""
    show_problem("")
    try:
        await work
    except LiveKitError as error:
        show_problem(explain(error, what))
    refresh()


async def way_in() -> Entrance:
    """Where to go: what the user wrote, or what this site says."""
    if at("url").value or at("token").value:
        return own_entrance(at("url").value, at("token").value)
    try:
        return await find_entrance("./", at("room").value, at("name").value)
    except LiveKitError:
        at("own").open = True
        raise


async def enter() -> None:
    """Join, and turn on what the user wants."""
    show_problem("")
    at("enter").disabled = True
    try:
        entrance = await way_in()
        await room.connect(entrance.source)
    except LiveKitError as error:
        show_problem(str(error))
        at("status").textContent = ""
        at("enter").disabled = False
        return
    show_invitation(entrance)
    show_problem(await open_devices(room, at("with-microphone").checked, at("with-camera").checked))
    await refresh_devices()


async def choose(kind: str, device_id: str) -> None:
    """Use another device; the menus then show which one is used in fact."""
    await attempt(room.switch_active_device(kind, device_id), f"chosen {DEVICES[kind]}")
    await refresh_devices()


@when("submit", "#join")
def on_join(event: Any) -> None:
    event.preventDefault()
    in_background(enter())


@when("click", "#controls [aria-pressed]")
def on_switch(event: Any) -> None:
    button = event.currentTarget.id
    in_background(attempt(switch(room, button), button))


@when("change", "#devices select")
def on_choice(event: Any) -> None:
    in_background(choose(event.target.id, event.target.value))


@when("toggle", "#devices")
def on_menus(event: Any) -> None:
    in_background(refresh_devices())


@when("click", "#leave")
def on_leave(event: Any) -> None:
    in_background(room.disconnect())


@when("click", "#sound")
def on_sound(event: Any) -> None:
    in_background(attempt(room.start_audio()))


@when("click", "#copy")
async def on_copy(event: Any) -> None:
    await window.navigator.clipboard.writeText(at("link").href)
    at("copy").textContent = "Copied"


@when("submit", "#say")
def on_say(event: Any) -> None:
    event.preventDefault()
    text = at("text").value.strip()
    if text:
        at("text").value = ""
        write(text, room.local_participant.name or "you")
        in_background(attempt(room.local_participant.send_text(text, topic=CHAT)))


query = window.URLSearchParams.new(window.location.search)
for name in ("name", "room"):
    if query.has(name):
        at(name).value = query.get(name)
at("enter").disabled = False
at("status").textContent = "Ready"
