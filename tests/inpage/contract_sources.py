"""Cases of the contract: tracks that are no device's, and recording."""

from __future__ import annotations

import io
import math
import struct
import wave

from lk_pyodide.browser.api import MediaTrack
from lk_pyodide.errors import BrowserError, UsageError
from tests.inpage.contract_kit import Closer, Env, Log, Stopper, TrackLog, call_off, raises

EBML = b"\x1a\x45\xdf\xa3"
"""How a file of Matroska or WebM begins (RFC 8794)."""


class RecorderLog(Log):
    """Handler of a recorder."""

    def on_start(self, mime_type: str, /) -> None:
        self.add("start", mime_type)

    def on_data(self, data: bytes, /) -> None:
        self.add("data", data)

    def on_stop(self, error: BrowserError | None, /) -> None:
        self.add("stop", error)


def tone(seconds: float, rate: int = 8000) -> bytes:
    """A WAV file in which 440 Hz are heard."""
    samples = [round(20_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate))]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


async def silence_and_darkness(env: Env) -> None:
    """One track each, live until it is stopped."""
    with Closer() as closer:
        silence = await env.browser.sources.make_silence()
        darkness = await env.browser.sources.make_darkness(64, 36)
        closer.add(Stopper(silence), Stopper(darkness))
        assert (silence.kind, darkness.kind) == ("audio", "video")
        assert silence.ready_state == darkness.ready_state == "live"
        silence.stop()
        silence.stop()
        assert silence.ready_state == "ended"


async def file_is_played(env: Env) -> None:
    """A file gives tracks, which end with it; in a loop they do not."""
    with Closer() as closer:
        endless = await _play(env, closer, tone(0.3), loop=True)
        tracks = await _play(env, closer, tone(0.5), loop=False)
        assert "audio" in [track.kind for track in tracks]
        log = TrackLog()
        tracks[0].set_handler(log)
        if not hasattr(env, "fake"):
            await log.wait("ended")
            assert tracks[0].ready_state == "ended"
            assert endless[0].ready_state == "live"


async def _play(env: Env, closer: Closer, source: str | bytes, *, loop: bool) -> list[MediaTrack]:
    tracks = list(await env.browser.sources.play(source, "audio/wav", loop))
    closer.add(*(Stopper(track) for track in tracks))
    return tracks


async def what_cannot_be_played(env: Env) -> None:
    """Is an error, and leaves nothing behind."""
    with raises(BrowserError):
        await env.browser.sources.play(b"", "video/webm", False)


async def file_cancelled(env: Env) -> None:
    """Nobody waits for it any more: it is let go."""
    await call_off(lambda: env.browser.sources.play(tone(0.1), "audio/wav", True), 0, 1, 3, 10)


async def canvas_is_captured(env: Env) -> None:
    """Its picture, and it may be captured twice."""
    await env.add_node("canvas", "painting")
    with Closer() as closer:
        for rate in (None, 5.0):
            (track,) = await env.browser.sources.capture("#painting", rate)
            closer.add(Stopper(track))
            assert (track.kind, track.ready_state) == ("video", "live")


async def what_cannot_be_captured(env: Env) -> None:
    """Another element, or none."""
    await env.add_node("p", "words")
    for target in ("#words", "#nowhere"):
        with raises(BrowserError if not env.on_page else UsageError):
            await env.browser.sources.capture(target, None)


async def track_is_recorded(env: Env) -> None:
    """Its start, its bytes, its end: in this order, and nothing after it."""
    with Closer() as closer:
        (track,) = await closer.capture(env, "video")
        log = RecorderLog()
        recorder = env.browser.record(track, ("video/nonsense", "video/webm;codecs=vp8", "video/webm"), 0.1, log)
        closer.add(recorder)
        (mime_type,) = await log.wait("start")
        is_real = not hasattr(env, "fake")
        if is_real:
            await log.wait("data", 3)
        recorder.stop()
        recorder.stop()
        assert await log.wait("stop") == (None,)
        if is_real:
            assert str(mime_type).startswith("video/webm")
            # Chromium's pieces may end anywhere, after the first byte too.
            assert b"".join(data for (data,) in log.get("data") if isinstance(data, bytes))[:4] == EBML
        assert log.calls[0][0] == "start"
        assert log.calls[-1][0] == "stop"


async def recorder_forgotten(env: Env) -> None:
    """Nothing is heard of it any more."""
    with Closer() as closer:
        (track,) = await closer.capture(env, "audio")
        log = RecorderLog()
        env.browser.record(track, ("audio/webm;codecs=opus",), 0.05, log).close()
        other = RecorderLog()
        recorder = env.browser.record(track, ("audio/webm;codecs=opus",), 0.05, other)
        await other.wait("start")
        recorder.close()
        recorder.stop()
        assert log.calls == []
        assert not other.get("stop")


CASES = (
    silence_and_darkness,
    file_is_played,
    what_cannot_be_played,
    file_cancelled,
    canvas_is_captured,
    what_cannot_be_captured,
    track_is_recorded,
    recorder_forgotten,
)
