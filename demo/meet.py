"""A small video meeting: everyone's tile, microphone, camera, screen, and a line of chat.

What others send (names, messages) goes into the page as text only, never as HTML.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from meeting import (
    CHANGES,
    CHAT,
    GOODBYES,
    Picture,
    company,
    failure,
    get_server_and_token,
    name_of,
    open_devices,
    pictures,
    switch,
    switches,
)
from pyscript import document, when

from lk_pyodide import (
    ConnectionState,
    DataPacket,
    DisconnectReason,
    LiveKitError,
    MediaDeviceError,
    Participant,
    Room,
    RoomEvent,
    TrackKind,
    TrackSource,
)

room = Room()
tiles: dict[tuple[str, TrackSource], "Tile"] = {}
running: set[asyncio.Future[Any]] = set()


def at(name: str) -> Any:
    """The element with this id."""
    return document.getElementById(name)


def in_background(work: Awaitable[Any]) -> None:
    """Do something that a click began; asyncio forgets a task that nobody holds."""
    task = asyncio.ensure_future(work)
    running.add(task)
    task.add_done_callback(running.discard)


def make(tag: str, name: str, text: str = "") -> Any:
    """A new element."""
    element = document.createElement(tag)
    element.className = name
    element.textContent = text
    return element


def show_problem(text: str) -> None:
    """Tell the user what went wrong, or that nothing did."""
    at("problem").textContent = text
    at("problem").hidden = not text


class Tile:
    """Where somebody's camera or screen is shown."""

    def __init__(self) -> None:
        self.track: Any = None
        self.figure = make("figure", "tile")
        self.initial = make("span", "initial")
        self.initial.setAttribute("aria-hidden", "true")
        self.name = make("span", "name")
        self.muted = make("span", "muted", "muted")
        caption = document.createElement("figcaption")
        caption.append(self.name, self.muted)
        self.figure.append(self.initial, caption)
        at("tiles").append(self.figure)

    def update(self, picture: Picture) -> None:
        """Show it as it is now."""
        self.initial.textContent = picture.initial
        self.name.textContent = picture.name
        self.muted.hidden = not picture.muted
        self.figure.className = " ".join(("tile", *picture.styles))
        self._play(picture.track)

    def _play(self, track: Any) -> None:
        if track is not self.track:
            if self.track is not None:
                self.track.detach()
            self.track = track
            if track is not None:
                track.attach(self.figure)
        self.initial.hidden = track is not None

    def remove(self) -> None:
        """Take the tile away."""
        self._play(None)
        self.figure.remove()


def refresh() -> None:
    """Make the page show what is in the room. Every event that matters comes here."""
    wanted = pictures(room)
    for key in [key for key in tiles if key not in wanted]:
        tiles.pop(key).remove()
    for key, picture in wanted.items():
        if key not in tiles:
            tiles[key] = Tile()
        tiles[key].update(picture)
    for name, on in switches(room).items():
        at(name).setAttribute("aria-pressed", str(on).lower())
    if room.isconnected():
        at("status").textContent = company(room)


def write(text: str, sender: str = "") -> None:
    """Add a line to the chat."""
    line = make("p", "" if sender else "note")
    if sender:
        line.append(make("strong", "", sender), ": ")
    line.append(text)
    at("lines").append(line)
    at("lines").scrollTop = at("lines").scrollHeight


for event in CHANGES:
    room.on(event, refresh)


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


@room.on("data_received")
def heard(packet: DataPacket) -> None:
    if packet.topic == CHAT and packet.participant is not None:
        write(packet.data.decode(errors="replace"), name_of(packet.participant))


@room.on("media_devices_error")
def device_failed(error: Exception, kind: str | None) -> None:
    show_problem(failure(error, kind))


@room.on(RoomEvent.AudioPlaybackStatusChanged)
def sound_changed(playing: bool) -> None:
    at("sound").hidden = playing


@room.on("connection_state_changed")
def state_changed(state: ConnectionState) -> None:
    connected = state == ConnectionState.CONNECTED
    at("join").hidden = connected
    at("meeting").hidden = not connected
    at("enter").disabled = state != ConnectionState.DISCONNECTED
    if state == ConnectionState.CONNECTING:
        at("status").textContent = "Joining …"
    refresh()
    if connected or state == ConnectionState.DISCONNECTED:
        at("microphone" if connected else "name").focus()  # the button that had the focus has just gone


@room.on("disconnected")
def ended(reason: DisconnectReason) -> None:
    at("status").textContent = GOODBYES.get(reason, "The connection was lost.")
    at("lines").replaceChildren()
    at("sound").hidden = True


async def find_server() -> tuple[str, str]:
    """Where to go: what the user wrote, or what the page's own server says."""
    if at("url").value or at("token").value:
        return at("url").value, at("token").value
    try:
        return await get_server_and_token("./", at("room").value, at("name").value)
    except LiveKitError:
        at("own").open = True
        raise


async def enter() -> None:
    """Join, and turn on what the user wants."""
    show_problem("")
    at("enter").disabled = True
    try:
        await room.connect(*await find_server())
        await open_devices(room, at("with-microphone").checked, at("with-camera").checked)
    except MediaDeviceError:
        pass  # device_failed has told it
    except LiveKitError as error:
        show_problem(str(error))
        at("status").textContent = ""
    finally:
        at("enter").disabled = room.isconnected()


async def attempt(work: Awaitable[Any]) -> None:
    """Do what a button says; a failure goes onto the page."""
    show_problem("")
    try:
        await work
    except MediaDeviceError:
        pass  # device_failed has told it
    except LiveKitError as error:
        show_problem(str(error))
    refresh()


@when("submit", "#join")
def on_join(event: Any) -> None:
    event.preventDefault()
    in_background(enter())


@when("click", "#controls [aria-pressed]")
def on_switch(event: Any) -> None:
    in_background(attempt(switch(room, event.currentTarget.id)))


@when("click", "#leave")
def on_leave(event: Any) -> None:
    in_background(room.disconnect())


@when("click", "#sound")
def on_sound(event: Any) -> None:
    in_background(attempt(room.start_audio()))


@when("submit", "#say")
def on_say(event: Any) -> None:
    event.preventDefault()
    text = at("text").value.strip()
    if text:
        at("text").value = ""
        write(text, room.local_participant.name or "you")
        in_background(attempt(room.local_participant.publish_data(text, topic=CHAT)))


at("enter").disabled = False
at("status").textContent = "Ready"
