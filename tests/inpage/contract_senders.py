"""Cases of the contract: how a track is sent, and tracks that are sent twice or have been switched off."""

from __future__ import annotations

import asyncio
import re

from lk_pyodide.browser.api import Encoding, MediaTrack, SenderInit
from lk_pyodide.errors import BrowserError
from tests.inpage.contract_kit import Closer, Env, Stopper, TrackLog, call_off, raises, recorded_log


def _first_codec(offer: str) -> str:
    """The codec that the last video section of an offer prefers."""
    section = re.split(r"^(?=m=)", offer, flags=re.M)[-1]
    found = re.search(r"^m=video \d+ \S+ (\d+)", section)
    assert found, section[:100]
    named = re.search(rf"^a=rtpmap:{found[1]} (\w+)/", section, re.M)
    assert named
    return named[1]


async def preferred_codec(env: Env) -> None:
    """It comes first in the offer, whatever its case; one that the browser does not know changes nothing."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        first.pc.add_sender(video, SenderInit(codec="video/vp9"))
        assert _first_codec(await first.pc.create_offer()) == "VP9"
        first.pc.add_sender(video, SenderInit((Encoding(rid="q"), Encoding(rid="f")), codec="VIDEO/VP8"))
        assert _first_codec(await first.pc.create_offer()) == "VP8"
        first.pc.add_sender(video, SenderInit(codec="video/theora"))
        assert _first_codec(await first.pc.create_offer()) == "VP8"
        await first.negotiate()


async def received_dependencies(env: Env) -> None:
    """A section that receives video asks which frames need which, as Chrome decodes no AV1 in layers otherwise."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        first.pc.add_receiver("audio")
        first.pc.add_receiver("video")
        audio, video = re.split(r"^(?=m=)", await first.pc.create_offer(), flags=re.M)[1:]
        assert "dependency-descriptor" not in audio
        assert ("dependency-descriptor" in video) or env.name == "firefox", video
        await first.negotiate()


async def preferred_degradation(env: Env) -> None:
    """What to give up first can be said later, too, by several tasks at once and beside other changes."""
    with Closer() as closer, recorded_log() as lines:
        first, _ = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        sender = first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await asyncio.gather(
            sender.set_degradation_preference("maintain-resolution"),
            sender.set_encodings([Encoding(max_bitrate=300_000)]),
            sender.set_degradation_preference("maintain-framerate"),
        )
        assert lines == []
        sender.remove()
        with raises(BrowserError):
            await sender.set_degradation_preference("balanced")


async def cloned_track(env: Env) -> None:
    """A clone has an id of its own and the same source; each ends by itself, and both can be sent."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        clone = await video.clone()
        closer.add(Stopper(clone))
        assert clone.id and clone.id != video.id
        assert (clone.kind, clone.label, clone.ready_state) == (video.kind, video.label, "live")
        assert clone.settings.device_id == video.settings.device_id
        for track in (video, clone):
            first.pc.add_sender(track, SenderInit())
        await first.negotiate()
        await second.wait("track", 2)
        video.stop()
        assert (video.ready_state, clone.ready_state) == ("ended", "live")
        with raises(BrowserError):
            await video.clone()
        # a clone that nobody waits for any more is not left on

        async def ask() -> list[MediaTrack]:
            return [await clone.clone()]

        await call_off(ask, 0, 1, 2)


async def track_that_is_off(env: Env) -> None:
    """It has ended, keeps its settings, and can be sent all the same until it is closed; it is told nothing."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        log = TrackLog()
        video.set_handler(log)
        before = video.settings
        assert before.width
        sender = first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track")
        video.end()
        video.end()
        video.set_enabled(False)
        assert video.ready_state == "ended"
        assert video.settings == before
        clone = await video.clone()
        closer.add(Stopper(clone))
        assert clone.ready_state == "ended"
        await sender.replace_track(None)
        await sender.replace_track(video)
        first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track", 2)
        assert log.calls == []


CASES = (preferred_codec, received_dependencies, preferred_degradation, cloned_track, track_that_is_off)
