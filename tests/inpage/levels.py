"""How loud sound is here and there, and what is counted of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

from lk_pyodide import (
    LocalAudioSilenceDetected,
    LocalAudioTrack,
    LocalTrackPublication,
    RemoteAudioTrack,
    Room,
    RoomOptions,
    SpeakingWhileMuted,
    Track,
    TrackPublishOptions,
    TrackSource,
    TrackSubscribed,
    create_audio_analyser,
)

T = TypeVar("T")
Js: TypeAlias = Any


def _js() -> Js:
    """The page's global object: this module is imported where there is none, too."""
    return import_module("js")


async def _until(look: Callable[[], T], what: str, timeout: float = 20) -> T:
    """Wait until something is so that no event tells of."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not (found := look()):
        assert asyncio.get_running_loop().time() < deadline, f"no {what} within {timeout:g} s"
        await asyncio.sleep(0.05)
    return found


async def runs() -> bool:
    """Whether Web Audio runs: that of Firefox does not where the machine has no sound device."""
    context = _js().AudioContext.new()
    try:
        for _ in range(60):
            if context.state == "running":
                return True
            await asyncio.sleep(0.05)
        return False
    finally:
        await context.close()


class Voice:
    """A tone in place of somebody who speaks: what goes into the microphone."""

    def __init__(self) -> None:
        self._context: Js = _js().AudioContext.new()
        self._js_gain: Js = self._context.createGain()
        oscillator, destination = self._context.createOscillator(), self._context.createMediaStreamDestination()
        oscillator.connect(self._js_gain)
        self._js_gain.connect(destination)
        oscillator.start()
        self.native: Js = destination.stream.getAudioTracks()[0]

    def speak(self, loudness: float) -> None:
        """Go on so loud."""
        self._js_gain.gain.value = loudness

    async def close(self) -> None:
        """Be gone."""
        self.native.stop()
        await self._context.close()


async def counts(*, url: str, token: str, other: str, hears: bool) -> dict[str, Any]:
    """Publish the browser's microphone, play it elsewhere on the page, and count what goes and comes.

    Args:
        url: the server's.
        token: of who publishes.
        other: of who listens.
        hears: whether Web Audio runs.

    Returns:
        Volumes that were measured, and numbers of the statistics before and after.
    """
    found: dict[str, Any] = {}
    async with Room() as ada, Room() as bob:
        await asyncio.gather(ada.connect(url, token), bob.connect(url, other))
        identity = ada.local_participant.identity
        await _until(lambda: identity in bob.remote_participants, "participant")
        bob.remote_participants[identity].set_volume(0.25)
        track, sound = await _microphone(ada, bob)
        # So long a look holds one of the beeps of Chromium's microphone at any time; Firefox's is a tone.
        look = {"fft_size": 32768, "max_decibels": -30.0}
        async with create_audio_analyser(track, **look) as mine, create_audio_analyser(sound, **look) as theirs:  # type: ignore[arg-type]
            if hears:
                found["mine"] = await _until(mine.calculate_volume, "sound of the microphone")
                found["theirs"] = await _until(theirs.calculate_volume, "sound from the other side")
            assert len(await theirs.get_frequencies()) == 16384
        element = sound.attach()
        found["volume"] = element.volume
        sound.set_volume(0.75)
        found["louder"] = element.volume
        sound.set_playout_delay(0.3)
        found["delay"] = sound._receiver._native.jitterBufferTarget  # type: ignore[attr-defined]
        found["first"] = [await _counted(track), await _counted(sound)]
        found["bitrates"] = [
            await _until(lambda: track.current_bitrate, "bitrate"),
            await _until(lambda: sound.current_bitrate, "bitrate"),
        ]
        found["last"] = [await _counted(track), await _counted(sound)]
    assert not _js().document.querySelector("audio")
    return found


async def _microphone(ada: Room, bob: Room) -> tuple[LocalAudioTrack, RemoteAudioTrack]:
    arrived = asyncio.ensure_future(bob.wait_for(TrackSubscribed, timeout=20))
    publication = await ada.local_participant.set_microphone_enabled(True)
    assert publication is not None
    track, sound = publication.track, (await arrived).track
    assert isinstance(track, LocalAudioTrack) and isinstance(sound, RemoteAudioTrack)
    return track, sound


async def _counted(track: Track) -> dict[str, float]:
    for stats in await track.get_stats():
        if stats.inbound_rtp is not None:
            assert stats.inbound_rtp.stream.kind == "audio"
            return {
                "packets": stats.inbound_rtp.received.packets_received,
                "bytes": stats.inbound_rtp.inbound.bytes_received,
                "samples": stats.inbound_rtp.inbound.total_samples_received,
                "energy": stats.inbound_rtp.inbound.total_audio_energy,
            }
        if stats.outbound_rtp is not None:
            return {"packets": stats.outbound_rtp.sent.packets_sent, "bytes": stats.outbound_rtp.sent.bytes_sent}
    return {}


async def voices(*, url: str, token: str) -> dict[str, Any]:
    """Speak into a microphone that is muted, and publish one that gives nothing.

    Returns:
        What was told, and how many clones of the microphone were open meanwhile and afterwards.
    """
    found: dict[str, Any] = {"spoken": 0, "silent": 0}
    voice = Voice()
    try:
        with _clones() as clones:
            async with Room(RoomOptions(speaking_while_muted=True)) as room:
                room.on(SpeakingWhileMuted, lambda event: found.update(spoken=found["spoken"] + 1))
                room.on(LocalAudioSilenceDetected, lambda event: found.update(silent=found["silent"] + 1))
                await room.connect(url, token)
                voice.speak(0.3)
                publication = await _publish(room, voice)
                await asyncio.sleep(1.5)
                found["while unmuted"] = [found["spoken"], found["silent"], len(clones())]
                await publication.mute()
                async with asyncio.timeout(10):
                    await room.wait_for(SpeakingWhileMuted)
                found["while muted"] = [found["spoken"], len(clones()), voice.native.enabled]
                await publication.unmute()
                await _until(lambda: not clones(), "end of the clone")
                await asyncio.sleep(1)
                found["while unmuted again"] = [found["spoken"], found["silent"]]
                await publication.mute()
                await _until(clones, "clone")
                await room.local_participant.unpublish_track(publication.sid)
                await _until(lambda: not clones(), "end of the clone")
                voice.speak(0)
                await asyncio.sleep(0.2)  # until it is out of the graph
                silence = asyncio.ensure_future(room.wait_for(LocalAudioSilenceDetected, timeout=10))
                publication = await _publish(room, voice)
                await silence
                await publication.mute()
                await _until(clones, "clone")
            await _until(lambda: not clones(), "end of the clone")
    finally:
        await voice.close()
    return found


async def _publish(room: Room, voice: Voice) -> LocalTrackPublication:
    options = TrackPublishOptions(source=TrackSource.MICROPHONE)
    return await room.local_participant.publish_track(voice.native, options)


@contextmanager
def _clones() -> Iterator[Callable[[], list[Js]]]:
    """Those of all tracks that are made meanwhile, and are live."""
    made = _js().Array.new()
    prototype = _js().MediaStreamTrack.prototype
    _js().eval("""globalThis.spyOnClones = (prototype, made) => {
      const clone = prototype.clone;
      prototype.clone = function () {
        const other = clone.call(this);
        made.push(other);
        return other;
      };
      return () => { prototype.clone = clone; };
    }""")
    restore = _js().spyOnClones(prototype, made)
    try:
        yield lambda: [track for track in made if track.readyState == "live"]
    finally:
        restore()


async def mixed(*, url: str, token: str, other: str) -> dict[str, float]:
    """Play somebody through a mix.

    Returns:
        How loud it is after the mix, for each volume.
    """
    voice, found = Voice(), dict[str, float]()
    try:
        async with Room() as ada, Room(RoomOptions(web_audio_mix=True)) as bob:
            await asyncio.gather(ada.connect(url, token), bob.connect(url, other))
            voice.speak(0.1)
            arrived = asyncio.ensure_future(bob.wait_for(TrackSubscribed, timeout=20))
            await _publish(ada, voice)
            sound = (await arrived).track
            assert isinstance(sound, RemoteAudioTrack)
            element = sound.attach()
            assert element.muted and bob.can_playback_audio
            mix = bob._playback._mix
            assert mix is not None
            js_gain: Js = mix._voices[sound].output._js_gain  # type: ignore[attr-defined]
            ear: Js = _js().AnalyserNode.new(js_gain.context)
            js_gain.connect(ear)
            await _until(lambda: _loudness(ear) > 0.01, "sound after the mix")
            for volume in (1.0, 0.1, 3.0):
                sound.set_volume(volume)
                await asyncio.sleep(1)  # ten times as long as the gain takes for most of the way
                found[str(volume)] = _loudness(ear)
            sound.detach()
            assert not mix._voices
    finally:
        await voice.close()
    return found


def _loudness(ear: Js) -> float:
    samples = _js().Float32Array.new(ear.fftSize)
    ear.getFloatTimeDomainData(samples)
    return math.sqrt(sum(value * value for value in samples) / ear.fftSize)


async def device_voice(*, url: str, token: str) -> int:
    """Mute the browser's microphone, which gives a tone (Firefox).

    Returns:
        How often it was told.
    """
    told: list[object] = []
    async with Room(RoomOptions(speaking_while_muted=True)) as room:
        room.on(SpeakingWhileMuted, told.append)
        await room.connect(url, token)
        publication = await room.local_participant.set_microphone_enabled(True)
        assert publication is not None
        await publication.mute()
        await _until(lambda: told, "word of it")
        await asyncio.sleep(1)
    return len(told)
