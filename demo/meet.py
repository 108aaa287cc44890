"""A small video meeting: everyone's tile, microphone, camera, screen, and a line of chat.

What others send (names, messages) goes into the page as text only, never as HTML.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlencode

from pyscript import document, fetch, when

from lk_pyodide import (
    ConnectionState,
    DataPacket,
    DisconnectReason,
    LiveKitError,
    MediaDeviceError,
    MediaDeviceFailure,
    Participant,
    Room,
    RoomEvent,
    TrackKind,
    TrackSource,
)

CHAT = "chat"
FAILURES = {
    MediaDeviceFailure.PERMISSION_DENIED: "You did not allow the {}. Allow it beside the page's address and try again.",
    MediaDeviceFailure.NOT_FOUND: "There is no {} on this machine.",
    MediaDeviceFailure.DEVICE_IN_USE: "Another program uses the {}.",
    MediaDeviceFailure.OTHER: "The {} did not work.",
}
DEVICES = {"videoinput": "camera", "audioinput": "microphone", None: "camera and microphone, or the screen"}
GOODBYES = {
    DisconnectReason.CLIENT_INITIATED: "You left.",
    DisconnectReason.DUPLICATE_IDENTITY: "You joined from somewhere else.",
    DisconnectReason.PARTICIPANT_REMOVED: "You were removed from the room.",
    DisconnectReason.ROOM_DELETED: "The room was closed.",
    DisconnectReason.SERVER_SHUTDOWN: "The server was shut down.",
}

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
    """Someone's camera or screen, with a name under it."""

    def __init__(self, participant: Participant, source: TrackSource) -> None:
        self.track: Any = None
        self.source = source
        self.figure = make("figure", "tile")
        self.initial = make("span", "initial")
        self.initial.setAttribute("aria-hidden", "true")
        self.name = make("span", "name")
        self.muted = make("span", "muted", "muted")
        caption = document.createElement("figcaption")
        caption.append(self.name, self.muted)
        self.figure.append(self.initial, caption)
        at("tiles").append(self.figure)

    def update(self, participant: Participant) -> None:
        """Show the participant as it is now."""
        mine = participant is room.local_participant
        screen = self.source == TrackSource.SCREENSHARE
        name = participant.name or participant.identity
        self.initial.textContent = name[:1].upper()
        self.name.textContent = f"{name}{' (you)' if mine else ''}{': screen' if screen else ''}"
        self.muted.hidden = screen or participant.is_microphone_enabled
        for style, on in {
            "screen": screen,
            "mirrored": mine and not screen,
            "speaking": participant.is_speaking and not screen,
        }.items():
            self.figure.classList.toggle(style, on)
        publication = participant.get_track_publication(self.source)
        self._play(publication.track if publication is not None and not publication.muted else None)

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
    people: list[Participant] = (
        [room.local_participant, *room.remote_participants.values()] if room.isconnected() else []
    )
    wanted = {(person.identity, TrackSource.CAMERA): person for person in people}
    wanted |= {
        (person.identity, TrackSource.SCREENSHARE): person for person in people if person.is_screen_share_enabled
    }
    for key in [key for key in tiles if key not in wanted]:
        tiles.pop(key).remove()
    for key, person in wanted.items():
        if key not in tiles:
            tiles[key] = Tile(person, key[1])
        tiles[key].update(person)
    me = room.local_participant
    for name, on in {
        "microphone": me.is_microphone_enabled,
        "camera": me.is_camera_enabled,
        "screen": me.is_screen_share_enabled,
    }.items():
        at(name).setAttribute("aria-pressed", str(on).lower())
    others = len(room.remote_participants)
    if room.isconnected():
        at("status").textContent = f"{room.name}: you and {others} other{'' if others == 1 else 's'}"


def write(text: str, sender: str = "") -> None:
    """Add a line to the chat."""
    line = make("p", "" if sender else "note")
    if sender:
        line.append(make("strong", "", sender), ": ")
    line.append(text)
    at("lines").append(line)
    at("lines").scrollTop = at("lines").scrollHeight


for event in (
    "track_published",
    "track_unpublished",
    "track_subscribed",
    "track_unsubscribed",
    "track_muted",
    "track_unmuted",
    "local_track_published",
    "local_track_unpublished",
    "participant_name_changed",
    "active_speakers_changed",
):
    room.on(event, refresh)


@room.on("track_subscribed")
def play_sound(track: Any) -> None:
    if track.kind == TrackKind.AUDIO:
        track.attach("#sounds")


@room.on("participant_connected")
def came(participant: Participant) -> None:
    write(f"{participant.name or participant.identity} came")
    refresh()


@room.on("participant_disconnected")
def left(participant: Participant) -> None:
    write(f"{participant.name or participant.identity} left")
    refresh()


@room.on("data_received")
def heard(packet: DataPacket) -> None:
    if packet.topic == CHAT and packet.participant is not None:
        write(packet.data.decode(errors="replace"), packet.participant.name or packet.participant.identity)


@room.on("media_devices_error")
def device_failed(error: Exception, kind: str | None) -> None:
    show_problem(FAILURES[MediaDeviceFailure.get_failure(error)].format(DEVICES[kind]))


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


async def get_server_and_token() -> tuple[str, str]:
    """Where to go: what the user wrote, or what the server of `make demo` says."""
    if at("url").value or at("token").value:
        return at("url").value, at("token").value
    name = at("name").value
    # two people may have one name, but not one identity
    asked = {"room": at("room").value, "name": name, "identity": f"{name}-{secrets.token_hex(3)}"}
    answer = await fetch(f"./token?{urlencode(asked)}")
    if not answer.ok:
        at("own").open = True
        raise LiveKitError(
            "This page came without a server of its own: give the address of a server, and a token for it."
        )
    found = json.loads(await answer.text())
    return found["url"], found["token"]


async def enter() -> None:
    """Join, and turn on what the user wants."""
    show_problem("")
    at("enter").disabled = True
    try:
        await room.connect(*await get_server_and_token())
        await open_devices(at("with-microphone").checked, at("with-camera").checked)
    except MediaDeviceError:
        pass  # device_failed has told it
    except LiveKitError as error:
        show_problem(str(error))
        at("status").textContent = ""
    finally:
        at("enter").disabled = room.isconnected()


async def open_devices(microphone: bool, camera: bool) -> None:
    """Both with one question if both are wanted; the microphone alone when there is no camera."""
    me = room.local_participant
    try:
        if microphone and camera:
            await me.enable_camera_and_microphone()
            return
    except MediaDeviceError as error:
        if error.failure != MediaDeviceFailure.NOT_FOUND:
            raise
        camera = False
    if microphone:
        await me.set_microphone_enabled(True)
    if camera:
        await me.set_camera_enabled(True)


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


@when("click", "#microphone")
def on_microphone(event: Any) -> None:
    me = room.local_participant
    in_background(attempt(me.set_microphone_enabled(not me.is_microphone_enabled)))


@when("click", "#camera")
def on_camera(event: Any) -> None:
    me = room.local_participant
    in_background(attempt(me.set_camera_enabled(not me.is_camera_enabled)))


@when("click", "#screen")
def on_screen(event: Any) -> None:
    me = room.local_participant
    in_background(attempt(me.set_screen_share_enabled(not me.is_screen_share_enabled)))


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
