"""Cases of the contract: tracks, senders, devices and elements."""

from __future__ import annotations

import asyncio
import re

from lk_pyodide.browser.api import DeviceName, Encoding, Json, MediaElement, MediaKind, SenderInit
from lk_pyodide.errors import (
    BrowserError,
    DeviceUnsupportedError,
    MediaDeviceError,
    PlaybackError,
    TrackInvalidError,
    UsageError,
)
from lk_pyodide.types import DevicePermission
from tests.inpage.contract_kit import (
    DEADLINE,
    Closer,
    ElementLog,
    Env,
    Stopper,
    TrackLog,
    call_off,
    raises,
    recorded_log,
    settle,
)

_DEVICE_NAMES: tuple[DeviceName, ...] = ("camera", "microphone")

# -- devices and tracks ------------------------------------------------------------------------------------------------


async def user_media(env: Env) -> None:
    """Camera and microphone give one track each, with settings; stopping is final and silent."""
    with Closer() as closer:
        constraints: dict[str, Json] = {"audio": True, "video": {"width": {"ideal": 320}, "height": {"ideal": 240}}}
        tracks = await env.browser.media_devices.get_user_media(constraints)
        closer.add(*(Stopper(track) for track in tracks))
        assert sorted(track.kind for track in tracks) == ["audio", "video"]
        assert len({track.id for track in tracks}) == 2
        for track in tracks:
            assert track.label
            assert track.settings.device_id
            assert track.ready_state == "live"
            if env.on_page:
                assert track.native is not None
        video = next(track for track in tracks if track.kind == "video")
        assert (video.settings.width, video.settings.height) == (320, 240)
        log = TrackLog()
        video.set_handler(log)
        video.set_enabled(False)
        video.set_enabled(True)
        video.set_content_hint("detail")
        video.stop()
        video.stop()
        video.set_enabled(False)
        video.set_handler(log)
        await settle()
        assert video.ready_state == "ended"
        assert video.settings.width == 320
        assert log.calls == []
        with raises(UsageError):
            _ = video.native


async def device_list(env: Env) -> None:
    """Devices have kinds and ids, and their ids can be asked for."""
    with Closer() as closer:
        await closer.capture(env, "audio", "video")
        devices = await env.browser.media_devices.enumerate_devices()
        assert {device.kind for device in devices} >= {"audioinput", "videoinput"}
        camera = next(device for device in devices if device.kind == "videoinput")
        assert camera.label
        exact: dict[str, Json] = {"video": {"deviceId": {"exact": camera.device_id}}}
        (track,) = await env.browser.media_devices.get_user_media(exact)
        closer.add(Stopper(track))
        assert track.settings.device_id == camera.device_id


async def permissions(env: Env) -> None:
    """What is told of a permission is one of four words, and nobody is asked."""
    for name in _DEVICE_NAMES:
        assert await env.browser.media_devices.query_permission(name) in DevicePermission


async def user_media_fails(env: Env) -> None:
    """What cannot be given is a typed error. (Chromium's is no Error, on which Pyodide would wait for ever.)"""
    async with asyncio.timeout(10):
        with raises(MediaDeviceError) as caught:
            await env.browser.media_devices.get_user_media({"audio": {"deviceId": {"exact": "no such device"}}})
        assert caught.value.name in ("OverconstrainedError", "NotFoundError")
        with raises(MediaDeviceError) as caught:
            await env.browser.media_devices.get_user_media({})
        assert caught.value.name == "TypeError"


async def user_media_cancelled(env: Env) -> None:
    """A device that comes when nobody waits for it any more is let go at once: the leak gate would tell."""
    both: dict[str, Json] = {"audio": True, "video": True}
    await call_off(lambda: env.browser.media_devices.get_user_media(both), 0, 1, 2, 5, 50)


async def display_media(env: Env) -> None:
    """A screen, or a typed error (there is no user and no screen here); it is asked for without waiting."""
    asked = env.browser.media_devices.get_display_media({"video": True})
    try:
        async with asyncio.timeout(10 if env.on_page else 2):
            tracks = await asked
    except MediaDeviceError as error:
        assert error.name, error
    except TimeoutError:
        assert not env.on_page  # from a worker it waits for a click, which nobody makes here: called off
    else:
        assert [track.kind for track in tracks] == ["video"]
        for track in tracks:
            track.stop()


async def adopted_track(env: Env) -> None:
    """A track that somebody else made can be wrapped, where it can be had; anything else cannot."""
    if env.on_page:
        track = env.browser.adopt_track(env.make_native_track())
        assert track.kind == "video"
        track.close()
        assert track.ready_state == "live"
        env.browser.adopt_track(env.make_native_track()).stop()
    for wrong in (None, 5, "track", object()):
        with raises(TrackInvalidError):
            env.browser.adopt_track(wrong)


# -- sending and receiving ---------------------------------------------------------------------------------------------


async def tracks_both_ways(env: Env) -> None:
    """Tracks arrive with mid and stream id, in both directions of one connection."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        audio, video = await closer.capture(env, "audio", "video")
        first.pc.add_sender(audio, SenderInit())
        second.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track")
        await second.negotiate()
        await first.wait("track")
        for receiver, kind, mid in ((second, "audio", "0"), (first, "video", "1")):
            (arrival,) = receiver.arrivals
            assert arrival.track.kind == kind
            assert arrival.track.ready_state == "live"
            assert arrival.mid == mid
            assert len(arrival.stream_ids) == 1
            assert arrival.stream_ids[0]
        await first.until_connected()
        second.pc.close()
        assert second.arrivals[0].track.ready_state in ("live", "ended")
        with raises(BrowserError):
            await second.arrivals[0].receiver.get_stats()


async def receive_slots(env: Env) -> None:
    """Receive-only transceivers are in the offer, in order."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        for kind in ("audio", "audio", "video"):
            first.pc.add_receiver("audio" if kind == "audio" else "video")
        offer = await first.pc.create_offer()
        assert re.findall(r"^m=(\w+)", offer, re.M) == ["audio", "audio", "video"]
        assert offer.count("a=recvonly") == 3
        assert re.findall(r"^a=mid:(\S+)", offer, re.M) == ["0", "1", "2"]
        await first.negotiate()
        assert first.get("track") == second.get("track") == []


async def transceiver_used_again(env: Env) -> None:
    """When the other side stops sending and begins anew, the track arrives anew under the same mid."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        (audio,) = await closer.capture(env, "audio")
        first.pc.add_sender(audio, SenderInit())
        await first.negotiate()
        await second.wait("track")
        log = TrackLog()
        second.arrivals[0].track.set_handler(log)
        await first.negotiate(lambda sdp: sdp.replace("a=sendonly", "a=inactive"))
        await first.negotiate()
        await second.wait("track", 2)
        assert second.arrivals[0].mid == second.arrivals[1].mid
        with raises(UsageError):
            _ = second.arrivals[0].track.native  # its place is taken
        second.arrivals[0].track.close()
        assert second.arrivals[1].track.ready_state == "live"


async def sender_removed(env: Env) -> None:
    """A removed sender sends no more; everything asked of it is refused."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        audio, video = await closer.capture(env, "audio", "video")
        sender = first.pc.add_sender(audio, SenderInit())
        first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        sender.remove()
        sender.remove()
        offer = await first.pc.create_offer()
        assert offer.count("a=inactive") == 1
        await first.negotiate()
        assert audio.ready_state == "live"
        with raises(BrowserError):
            await sender.replace_track(audio)
        with raises(BrowserError):
            await sender.get_stats()
        with raises(BrowserError):
            await sender.set_encodings([Encoding()])
        assert len(second.arrivals) == 2


async def sender_replaces_track(env: Env) -> None:
    """Another track, or none, takes a track's place without negotiating."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        (one,) = await closer.capture(env, "video")
        (two,) = await closer.capture(env, "video")
        sender = first.pc.add_sender(one, SenderInit())
        await first.negotiate()
        await sender.replace_track(two)
        await sender.replace_track(None)
        await sender.replace_track(two)
        await first.negotiate()
        two.stop()
        with raises(UsageError):
            await sender.replace_track(two)
        with raises(UsageError):
            first.pc.add_sender(two, SenderInit())


_LAYERS = (
    Encoding(rid="q", max_bitrate=100_000, scale_resolution_down_by=4.0),
    Encoding(rid="h", max_bitrate=300_000, max_framerate=15, scale_resolution_down_by=2.0),
    Encoding(rid="f", max_bitrate=900_000),
)


async def simulcast(env: Env) -> None:
    """Encodings go into the offer; fields of them can be overwritten, by several tasks at once."""
    with Closer() as closer, recorded_log() as lines:
        first, _ = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        sender = first.pc.add_sender(video, SenderInit(_LAYERS, "maintain-resolution"))
        offer = await first.pc.create_offer()
        assert re.findall(r"^a=rid:(\w+) send", offer, re.M) == ["q", "h", "f"]
        assert "a=simulcast:send q;h;f" in offer
        await asyncio.gather(
            *(sender.set_encodings([Encoding(rid=rid, max_bitrate=200_000)]) for rid in ("q", "h", "f")),
            sender.set_encodings([Encoding(active=False, scale_resolution_down_by=8.0), Encoding(max_framerate=10)]),
            sender.set_encodings([]),
        )
        assert lines == []
        await first.negotiate()
        await sender.set_encodings([Encoding(rid="x")])
        assert len(lines) == 1
        for _ in range(30):  # a cancelled change goes on in the browser, and the next one has to wait for it
            task = asyncio.ensure_future(sender.set_encodings([Encoding(rid="q", active=False)]))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await sender.set_encodings([Encoding(rid="q", active=False)])


async def statistics(env: Env) -> None:
    """Statistics are plain values, of the connection, a sender and a receiver."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        sender = first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track")
        await first.until_connected()
        deadline = asyncio.get_running_loop().time() + DEADLINE
        sent = await sender.get_stats()
        while not any(item["type"] == "outbound-rtp" for item in sent):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)  # Firefox says nothing of a sender before its first packet, and no event tells
            sent = await sender.get_stats()
        received = await second.arrivals[0].receiver.get_stats()
        everything = await first.pc.get_stats()
        for stats in (sent, received, everything):
            assert all(isinstance(item["id"], str) and isinstance(item["type"], str) for item in stats)
            assert all(isinstance(item["timestamp"], int | float) for item in stats)
        assert {str(item["type"]) for item in everything} >= {"outbound-rtp", "candidate-pair"}


async def audio_level(env: Env) -> None:
    """How loud a received track is; a picture is not, nor is what has been asked of already."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        for track in await closer.capture(env, "audio", "video"):
            first.pc.add_sender(track, SenderInit())
        await first.negotiate()
        await second.wait("track", 2)
        sound, picture = second.arrivals
        element, _ = _element(env, closer, "audio")
        element.set_muted(True)
        element.attach(sound.track)
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while (level := await sound.receiver.get_audio_level()) is None:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)  # nothing tells of the first sound
        assert 0 <= level <= 1
        assert await picture.receiver.get_audio_level() is None
        levels = [await sound.receiver.get_audio_level() for _ in range(20)]
        assert None in levels, "the same sound is new once"
        second.pc.close()
        with raises(BrowserError):
            await sound.receiver.get_audio_level()


# -- elements ----------------------------------------------------------------------------------------------------------


_NOWHERE = ("#nowhere", "p[")


def _element(
    env: Env, closer: Closer, kind: MediaKind, target: object | None = None
) -> tuple[MediaElement, ElementLog]:
    log = ElementLog()
    element = env.browser.new_element(kind, target, log)
    closer.add(element)
    return element, log


async def element_plays(env: Env) -> None:
    """Tracks play in elements made here, on the page or not; detaching and closing are silent."""
    with Closer() as closer:
        audio, video = await closer.capture(env, "audio", "video")
        await env.add_node("div", "stage")
        sound, sound_log = _element(env, closer, "audio")
        picture, picture_log = _element(env, closer, "video", "#stage")
        sound.attach(audio)
        picture.attach(video)
        await sound_log.wait("playing")
        await picture_log.wait("playing")
        picture.attach(audio)  # a picture may have its own sound
        await picture_log.wait("playing", 2)
        await picture.play()
        sound.set_volume(0.5)
        sound.set_muted(True)
        picture.mount("#stage")
        picture.detach(video)
        picture.detach(video)
        sound.detach(video)
        sound.detach(audio)
        sound.attach(audio)
        await sound_log.wait("playing", 2)
        assert picture_log.get("play_failed") == sound_log.get("play_failed") == []


async def element_plays_remote(env: Env) -> None:
    """A track of the other side plays."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        audio, video = await closer.capture(env, "audio", "video")
        first.pc.add_sender(audio, SenderInit())
        first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track", 2)
        picture, log = _element(env, closer, "video")
        for arrival in second.arrivals:
            picture.attach(arrival.track)
        await log.wait("playing")
        await second.pc.get_stats()


async def element_of_the_page(env: Env) -> None:
    """An element that is on the page is used itself, by two users even, and stays there."""
    with Closer() as closer:
        audio, video = await closer.capture(env, "audio", "video")
        await env.add_node("video", "mine")
        picture, picture_log = _element(env, closer, "video", "#mine")
        sound, _ = _element(env, closer, "audio", "#mine")
        picture.attach(video)
        sound.attach(audio)
        await picture_log.wait("playing")
        sound.close()
        picture.close()
        again, again_log = _element(env, closer, "video", "#mine")
        again.attach(video)
        await again_log.wait("playing")


async def element_target_wrong(env: Env) -> None:
    """A target that is not there is the caller's error, and is named."""
    await env.add_node("audio", "speaker")
    with Closer() as closer:
        element, _ = _element(env, closer, "video")
        for target in (5, object(), *(_NOWHERE if env.on_page else ())):
            for action in (
                lambda target=target: _element(env, closer, "video", target),
                lambda t=target: element.mount(t),
            ):
                with raises(UsageError) as caught:
                    action()
                if isinstance(target, str):
                    assert target in str(caught.value)
        if env.on_page:
            with raises(UsageError):
                _element(env, closer, "video", "#speaker")


async def element_target_wrong_elsewhere(env: Env) -> None:
    """From a worker a selector can only be tried: the handler hears of it, or the log."""
    if env.on_page:
        return
    await env.add_node("audio", "speaker")
    with Closer() as closer, recorded_log() as lines:
        for target in (*_NOWHERE, "#speaker"):
            _, log = _element(env, closer, "video", target)
            _name, message = await log.wait("play_failed")
            assert target in str(message) or target == "#speaker"
        element, log = _element(env, closer, "video")
        for target in _NOWHERE:
            element.mount(target)
        await element.play()
        assert [target for target, line in zip(_NOWHERE, lines, strict=True) if target not in line] == []


async def element_replaces_track(env: Env) -> None:
    """A second track of a kind takes the first one's place; detaching the first then changes nothing."""
    with Closer() as closer:
        (one,) = await closer.capture(env, "video")
        (two,) = await closer.capture(env, "video")
        element, log = _element(env, closer, "video")
        element.attach(one)
        element.attach(two)
        await log.wait("playing")
        element.detach(one)
        count = len(log.calls)
        await element.play()
        await log.wait("playing", count + 1)
        one.stop()
        with raises(UsageError):
            element.attach(one)


async def element_closed(env: Env) -> None:
    """After ``close()``, be it from inside a handler, nothing is heard and nothing can be done."""
    with Closer() as closer:
        (video,) = await closer.capture(env, "video")
        element, log = _element(env, closer, "video")
        log.on_call = lambda _: element.close()
        await element.play()  # nothing to play is no error
        element.attach(video)
        await log.wait("playing")
        element.close()
        element.attach(video)
        element.detach(video)
        element.set_muted(True)
        element.set_volume(1)
        await settle()
        assert log.calls == [("playing",)]
        with raises(PlaybackError):
            await element.play()
        with raises(BrowserError):
            await element.set_sink_id("")
        with raises(UsageError):
            _ = element.native
        hasty, hasty_log = _element(env, closer, "video")
        hasty.attach(video)
        waiting = hasty.play()
        hasty.close()
        with raises(PlaybackError) as caught:
            await waiting
        assert caught.value.name == "AbortError"
        await settle()
        assert hasty_log.calls == []


async def element_handler_raises(env: Env) -> None:
    """A handler that raises is logged, and playing goes on."""

    def fail(name: str) -> None:
        raise ValueError(name)

    with Closer() as closer, recorded_log() as lines:
        (video,) = await closer.capture(env, "video")
        element, log = _element(env, closer, "video")
        log.on_call = fail
        element.attach(video)
        await log.wait("playing")
        await element.play()
        await log.wait("playing", 2)
        assert "ValueError: playing" in lines[0]


async def element_settings(env: Env) -> None:
    """Loudness has limits; a loudspeaker that is not there is a typed error."""
    with Closer() as closer:
        element, _ = _element(env, closer, "audio")
        for volume in (-0.1, 1.1):
            with raises(UsageError):
                element.set_volume(volume)
        try:
            await element.set_sink_id("no such loudspeaker")
        except (MediaDeviceError, DeviceUnsupportedError) as error:
            assert error.name in ("NotFoundError", "NotAllowedError", "NotSupportedError", "AbortError"), error.name
        else:
            raise AssertionError("there is no such loudspeaker")


async def remote_track_ends_with_peer(env: Env) -> None:
    """Received tracks belong to their connection: closing it is silent for them too."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        (video,) = await closer.capture(env, "video")
        sender = first.pc.add_sender(video, SenderInit())
        await first.negotiate()
        await second.wait("track")
        log = TrackLog()
        track = second.arrivals[0].track
        track.set_handler(log)
        second.pc.close()
        count = len(log.calls)
        with raises(UsageError):
            _ = track.native
        first.pc.close()
        with raises(BrowserError):
            await sender.get_stats()
        sender.remove()
        await settle()
        assert len(log.calls) == count
        assert video.ready_state == "live"


CASES = (
    user_media,
    device_list,
    permissions,
    user_media_fails,
    user_media_cancelled,
    display_media,
    adopted_track,
    tracks_both_ways,
    receive_slots,
    transceiver_used_again,
    sender_removed,
    sender_replaces_track,
    simulcast,
    statistics,
    audio_level,
    element_plays,
    element_plays_remote,
    element_of_the_page,
    element_target_wrong,
    element_target_wrong_elsewhere,
    element_replaces_track,
    element_closed,
    element_handler_raises,
    element_settings,
    remote_track_ends_with_peer,
)
