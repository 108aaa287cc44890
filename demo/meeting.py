"""What the meeting is, wherever its Python runs: who is to be seen, what the buttons do, what to say."""

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lk_pyodide import (
    ConnectionState,
    DisconnectReason,
    EventName,
    LiveKitError,
    MediaDeviceError,
    MediaDeviceFailure,
    Participant,
    Room,
    TrackSource,
)

CHAT = "lk.chat"
"""The topic by which LiveKit's own applications chat: they understand one another."""
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
"""After these something else is to be seen."""
DEVICE_CHANGES: tuple[EventName, ...] = ("media_devices_changed", "active_device_changed")

FAILURES = {
    MediaDeviceFailure.PERMISSION_DENIED: "You did not allow the {}. Allow it beside the page's address and try again.",
    MediaDeviceFailure.NOT_FOUND: "There is no {} on this machine.",
    MediaDeviceFailure.DEVICE_IN_USE: "Another program uses the {}.",
    MediaDeviceFailure.OTHER: "The {} did not work.",
}
GOODBYES = {
    DisconnectReason.CLIENT_INITIATED: "You left.",
    DisconnectReason.DUPLICATE_IDENTITY: "You joined from somewhere else.",
    DisconnectReason.PARTICIPANT_REMOVED: "You were removed from the room.",
    DisconnectReason.ROOM_DELETED: "The room was closed.",
    DisconnectReason.SERVER_SHUTDOWN: "The server was shut down.",
}
BUSY = {
    ConnectionState.CONNECTING: "Joining …",
    ConnectionState.RECONNECTING: "The connection was lost. Reconnecting …",
    ConnectionState.SIGNAL_RECONNECTING: "Reconnecting …",
}


# -- who is to be seen --


@dataclass(frozen=True)
class Picture:
    """Someone's camera or screen, with a name under it, as it is now."""

    name: str
    initial: str
    hue: int
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
        hue=zlib.crc32(person.identity.encode()) % 360,
        muted=not (screen or person.is_microphone_enabled),
        styles=tuple(style for style, on in styles.items() if on),
        track=publication.track if publication is not None and not publication.muted else None,
    )


def name_of(person: Participant) -> str:
    """What to call them."""
    return person.name or person.identity


def status(room: Room) -> str:
    """Where we are, and with how many; nothing when we are nowhere."""
    if room.state != ConnectionState.CONNECTED:
        return BUSY.get(room.state, "")
    others = len(room.remote_participants)
    company = "only you" if not others else "you and 1 other" if others == 1 else f"you and {others} others"
    return f"{room.name}: {company}"


def is_alone(room: Room) -> bool:
    """Whether nobody else is there."""
    return room.state == ConnectionState.CONNECTED and not room.remote_participants


# -- what the buttons do --


async def open_devices(room: Room, microphone: bool, camera: bool) -> str:
    """Turn on what is wanted, both with one question; what can be had when not all can.

    Returns:
        What to say about the rest.
    """
    if microphone and camera:
        try:
            await room.local_participant.enable_camera_and_microphone()
            return ""
        except LiveKitError as error:
            if MediaDeviceFailure.get_failure(error) == MediaDeviceFailure.PERMISSION_DENIED:
                return explain(error, "camera and microphone")
    problems: list[str] = []
    for name, wanted in (("microphone", microphone), ("camera", camera)):
        try:
            if wanted and not switches(room)[name]:
                await switch(room, name)
        except LiveKitError as error:
            problems.append(explain(error, name))
    return " ".join(problems)


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


# -- which devices --


@dataclass(frozen=True)
class Choice:
    """A device that can be chosen."""

    device_id: str
    label: str
    chosen: bool


DEVICES = {"audioinput": "microphone", "videoinput": "camera", "audiooutput": "speaker"}
"""The kinds of devices, and what they are called."""


async def choices(room: Room) -> dict[str, list[Choice]]:
    """The devices of each kind, as far as the browser tells: not before the user has allowed one of that kind."""
    found = await Room.get_local_devices(request_permissions=False)
    return {
        kind: [
            Choice(device.device_id, device.label or name, device.device_id == room.get_active_device(kind))
            for device in found
            if device.kind == kind and device.device_id
        ]
        for kind, name in DEVICES.items()
    }


# -- what to say --


def explain(error: LiveKitError, what: str) -> str:
    """What to say when something failed that was done to `what`, a device or a screen."""
    if not isinstance(error, MediaDeviceError):
        return str(error)
    if what == "screen" and error.failure == MediaDeviceFailure.PERMISSION_DENIED:
        return "No screen is shared."
    return FAILURES[error.failure].format(what)
