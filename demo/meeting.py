"""What the meeting is, wherever its Python runs: who is to be seen, how to get in, what to say when something fails."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pyscript import fetch

from lk_pyodide import (
    DisconnectReason,
    EventName,
    LiveKitError,
    MediaDeviceError,
    MediaDeviceFailure,
    Participant,
    Room,
    TrackSource,
)

CHAT = "chat"
CHANGES: tuple[EventName, ...] = (
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
)
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


@dataclass(frozen=True)
class Picture:
    """Someone's camera or screen, with a name under it, as it is now."""

    name: str
    initial: str
    muted: bool
    styles: tuple[str, ...]
    track: Any


def pictures(room: Room) -> dict[tuple[str, TrackSource], Picture]:
    """What is to be seen: everyone, and the screens that are shared."""
    if not room.isconnected():
        return {}
    people: list[Participant] = [room.local_participant, *room.remote_participants.values()]
    wanted = [(person, TrackSource.CAMERA) for person in people]
    wanted += [(person, TrackSource.SCREENSHARE) for person in people if person.is_screen_share_enabled]
    return {(person.identity, source): _picture(room, person, source) for person, source in wanted}


def _picture(room: Room, person: Participant, source: TrackSource) -> Picture:
    mine = person is room.local_participant
    screen = source == TrackSource.SCREENSHARE
    name = name_of(person)
    styles = {"screen": screen, "mirrored": mine and not screen, "speaking": person.is_speaking and not screen}
    publication = person.get_track_publication(source)
    return Picture(
        name=f"{name}{' (you)' if mine else ''}{': screen' if screen else ''}",
        initial=name[:1].upper(),
        muted=not (screen or person.is_microphone_enabled),
        styles=tuple(style for style, on in styles.items() if on),
        track=publication.track if publication is not None and not publication.muted else None,
    )


def name_of(person: Participant) -> str:
    """What to call them."""
    return person.name or person.identity


def switches(room: Room) -> dict[str, bool]:
    """The buttons, and whether each is on."""
    me = room.local_participant
    return {
        "microphone": me.is_microphone_enabled,
        "camera": me.is_camera_enabled,
        "screen": me.is_screen_share_enabled,
    }


def switch(room: Room, button: str) -> Awaitable[Any]:
    """Turn on what is off, or off what is on.

    To be called in the click itself: browsers want that before they share the screen.
    """
    me = room.local_participant
    turn: dict[str, Callable[[bool], Awaitable[Any]]] = {
        "microphone": me.set_microphone_enabled,
        "camera": me.set_camera_enabled,
        "screen": me.set_screen_share_enabled,
    }
    return turn[button](not switches(room)[button])


def company(room: Room) -> str:
    """Where we are, and with how many."""
    others = len(room.remote_participants)
    return f"{room.name}: you and {others} other{'' if others == 1 else 's'}"


def failure(error: Exception, kind: str | None) -> str:
    """What to say about a device that failed."""
    return FAILURES[MediaDeviceFailure.get_failure(error)].format(DEVICES[kind])


async def get_server_and_token(site: str, room: str, name: str) -> tuple[str, str]:
    """Where to go, as the server of `make demo` says it.

    Raises:
        LiveKitError: the site has no such server.
    """
    # two people may have one name, but not one identity
    asked = {"room": room, "name": name, "identity": f"{name}-{secrets.token_hex(3)}"}
    answer = await fetch(f"{site}token?{urlencode(asked)}")
    if not answer.ok:
        raise LiveKitError(
            "This page came without a server of its own: give the address of a server, and a token for it."
        )
    found = json.loads(await answer.text())
    return found["url"], found["token"]


async def open_devices(room: Room, microphone: bool, camera: bool) -> None:
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
