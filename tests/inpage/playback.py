"""Sound and pictures in a page that nobody has clicked: it drives itself, and says in the console what it sees."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

from lk_pyodide import PlaybackError, RemoteTrack, Room, TrackKind
from tests.inpage import steps

MARK = "playback: "
"""What a line for the test begins with."""


async def speak(*, url: str, tokens: list[str]) -> None:
    """Two people with camera and microphone, until the test has seen enough."""
    rooms = [Room() for _ in tokens]
    try:
        for room, token in zip(rooms, tokens, strict=True):
            await room.connect(url, token)
            await room.local_participant.enable_camera_and_microphone()
        steps.reached("speaking")
        await steps.until("enough", timeout=120)
    finally:
        for room in rooms:
            await room.disconnect()


async def listen(*, url: str, token: str) -> None:
    """Join them, untouched; try to start the sound without a click, then with one on ``#start``."""
    try:
        await _listen(url, token)
    except Exception:
        print(MARK + json.dumps({"what": "failed", "details": traceback.format_exc()}))
        raise


async def _listen(url: str, token: str) -> None:
    from lk_pyodide.browser.ffi import Listeners, js  # where there is JavaScript

    room, told = Room(), list[list[Any]]()
    tracks: list[RemoteTrack] = []
    clicked = asyncio.Event()
    started: list[asyncio.Future[None]] = []

    @room.on("track_subscribed")
    def attach(track: RemoteTrack) -> None:
        tracks.append(track)
        track.attach("body")

    room.on("audio_playback_changed", lambda playing: told.append(["audio", playing]))
    room.on("video_playback_changed", lambda playing: told.append(["video", playing]))

    def start(_event: object) -> None:
        started.extend(asyncio.ensure_future(work) for work in (room.start_audio(), room.start_video()))
        clicked.set()

    js_button = js.document.createElement("button")
    js_button.id, js_button.innerText = "start", "Start"
    js.document.body.prepend(js_button)
    listeners = Listeners()
    listeners.add(js_button, start, "click")
    await room.connect(url, token)
    await _until(lambda: len(tracks) == 4, lambda: f"{tracks}")
    await _until(lambda: _all_tried(room, tracks), lambda: f"{[(t, _element(t).paused) for t in tracks]} {told}")
    _say("blocked", told, room, tracks)
    told.clear()
    refused = [await _outcome(room.start_audio()), await _outcome(room.start_video())]
    _say("refused", refused, room, tracks)
    await clicked.wait()
    outcomes = [await _outcome(work) for work in started]
    before = [await _heard(track) for track in tracks]
    await _until(lambda: all(not _element(track).paused for track in tracks))
    await asyncio.sleep(0.5)
    louder = [await _heard(track) > first for track, first in zip(tracks, before, strict=True)]
    _say("started", [told, outcomes, louder], room, tracks)
    listeners.close()
    await room.disconnect()
    _say("over", [], room, [])


def _all_tried(room: Room, tracks: list[RemoteTrack]) -> bool:
    """Whether every element has either begun or been refused."""
    audio = [track for track in tracks if track.kind == TrackKind.AUDIO]
    pictures = [track for track in tracks if track.kind == TrackKind.VIDEO]
    silent = room._playback._silent["audio"]
    playing = all(not _element(track).paused for track in pictures)
    return len(silent) == len(audio) and (playing or len(room._playback._silent["video"]) == len(pictures))


def _element(track: RemoteTrack) -> Any:
    return track.attached_elements[0]


def _say(what: str, details: object, room: Room, tracks: list[RemoteTrack]) -> None:
    paused = {kind.name.lower(): [bool(_element(t).paused) for t in tracks if t.kind == kind] for kind in TrackKind}
    allowed = {"audio": room.can_playback_audio, "video": room.can_playback_video}
    print(MARK + json.dumps({"what": what, "details": details, "allowed": allowed, "paused": paused}))


async def _outcome(work: Any) -> str:
    try:
        await work
    except PlaybackError as error:
        return error.name
    return ""


async def _heard(track: RemoteTrack) -> float:
    """How much sound, or how many pictures, have come out of a track."""
    report = await track.get_rtc_stats_report()
    inbound = next((entry for entry in report if entry["type"] == "inbound-rtp"), {})
    found: Any = inbound.get("totalAudioEnergy" if track.kind == TrackKind.AUDIO else "framesDecoded", 0)
    return float(found)


async def _until(condition: Callable[[], object], state: Callable[[], str] = str) -> None:
    try:
        async with asyncio.timeout(30):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(state()) from None
