"""Cases of the contract: Web Audio, and how late what comes is played."""

from __future__ import annotations

import asyncio

from lk_pyodide.browser.api import MediaTrack, SenderInit
from lk_pyodide.browser.api_audio import AnalyserInit, AudioAnalyser
from lk_pyodide.errors import BrowserError, DeviceUnsupportedError, MediaDeviceError, UsageError
from tests.inpage.contract_kit import DEADLINE, Closer, Env, Log, raises, recorded_log, settle, until

# So long a look holds one of the beeps of Chromium's microphone at any time; Firefox's is a tone.
LONG_LOOK = AnalyserInit(fft_size=32768, smoothing_time_constant=0)


async def analyser(env: Env) -> None:
    """It hears the microphone, unless the track is disabled; a clone goes on hearing. Closed, it hears nothing."""
    with Closer() as closer:
        (track,) = await closer.capture(env, "audio")
        heard, clone = _opened(closer, env, track), _opened(closer, env, track, clone=True)
        if not await _runs(env, heard):
            assert (heard.level, heard.volume) == (0, 0)
            return
        for each in (heard, clone):
            await _sound(each)
            assert each.level <= 1 and each.volume <= 1
            if env.on_page:
                assert each.native is not None
            else:
                with raises(UsageError):
                    _ = each.native
        reading = await heard.read()
        assert reading.is_running and 0 < reading.level <= 1
        assert len(reading.frequencies) == LONG_LOOK.fft_size // 2 and any(reading.frequencies)
        track.set_enabled(False)
        await until(lambda: heard.level == 0, "silence")
        async with asyncio.timeout(DEADLINE):
            assert (await clone.read()).level > 0
        assert clone.level > 0
        late = _opened(closer, env, track, clone=True)
        await until(lambda: late.level > 0, "sound of a clone that was made of a disabled track")
        heard.close()
        heard.close()
        assert (heard.level, heard.volume) == (0, 0)
        with raises(BrowserError):
            await heard.read()
        with raises(UsageError):
            _ = heard.native
        assert (await clone.read()).level > 0
        clone.close()
        late.close()
        again = _opened(closer, env, track, clone=True)
        await until(lambda: again.level > 0, "sound after everything was closed")


async def _runs(env: Env, heard: AudioAnalyser) -> bool:
    """Whether Web Audio runs: that of Firefox does not where the machine has no sound device."""
    deadline = asyncio.get_running_loop().time() + (2 if env.name == "firefox" else DEADLINE)
    while not (await heard.read()).is_running:
        if asyncio.get_running_loop().time() > deadline:
            assert env.name == "firefox"
            print("what is heard is not tried: Firefox has no sound device here, and its Web Audio does not run")
            return False
        await asyncio.sleep(0.05)
    return True


async def _sound(heard: AudioAnalyser) -> None:
    await until(lambda: heard.level > 0 and heard.volume > 0, "sound")


def _opened(closer: Closer, env: Env, track: MediaTrack, *, clone: bool = False) -> AudioAnalyser:
    init = AnalyserInit(LONG_LOOK.fft_size, LONG_LOOK.smoothing_time_constant, clone=clone)
    made = env.browser.audio_graph.open_analyser(track, init)
    closer.add(made)
    return made


async def analyser_of_nothing(env: Env) -> None:
    """A track that has been let go cannot be heard; one that goes meanwhile falls silent."""
    with Closer() as closer:
        (track,) = await closer.capture(env, "audio")
        heard = _opened(closer, env, track)
        if await _runs(env, heard):
            await until(lambda: heard.level > 0, "sound")
        track.stop()
        await until(lambda: heard.level == 0, "silence")
        with raises(UsageError):
            env.browser.audio_graph.open_analyser(track, LONG_LOOK)


async def analyser_of_what_comes(env: Env) -> None:
    """It hears a track of the other side that no element plays, and how late that is played can be said."""
    with Closer() as closer, recorded_log() as log:
        first, second = closer.peers(env.browser)
        (track,) = await closer.capture(env, "audio")
        first.pc.add_sender(track, SenderInit())
        await first.negotiate()
        await second.wait("track")
        await first.until_connected()
        (arrival,) = second.arrivals
        heard = _opened(closer, env, arrival.track)
        if await _runs(env, heard):
            await until(lambda: heard.level > 0, "sound of the other side")
        arrival.receiver.set_playout_delay(0.4)
        await arrival.receiver.get_stats()
        arrival.receiver.set_playout_delay(0)
        await arrival.receiver.get_stats()
        assert log == []


class OutputLog(Log):
    """Handler of an output."""

    def on_running(self, running: bool, /) -> None:
        self.add("running", running)


async def output(env: Env) -> None:
    """It is heard; closed, it says nothing more. A speaker that is not there is an error, as is a browser's no."""
    with Closer() as closer:
        (track,) = await closer.capture(env, "audio")
        log = OutputLog()
        played = env.browser.audio_graph.open_output(track, 0.01, log)
        closer.add(played)
        if await _runs(env, _opened(closer, env, track)):
            await log.until(lambda: ("running", True) in log.calls, "sound")
            async with asyncio.timeout(DEADLINE):
                await env.browser.audio_graph.resume()
        else:
            assert await log.wait("running") == (False,)
        played.set_gain(0.02)
        with raises(BrowserError) as caught:
            await env.browser.audio_graph.set_sink_id("no such speaker")
        assert isinstance(caught.value, MediaDeviceError | DeviceUnsupportedError)
        count = len(log.calls)
        played.close()
        played.close()
        played.set_gain(1)
        await settle()
        assert len(log.calls) == count
        track.stop()
        with raises(UsageError):
            env.browser.audio_graph.open_output(track, 1, log)
    async with asyncio.timeout(DEADLINE):
        await env.browser.audio_graph.resume()  # nothing to play is no failure


CASES = (analyser, analyser_of_nothing, analyser_of_what_comes, output)
