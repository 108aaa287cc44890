"""What the cases of the contract suite share: handlers that record, two peers that negotiate, and the environment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from lk_pyodide.browser.api import (
    Browser,
    DataChannel,
    DataChannelHandler,
    DataChannelInit,
    MediaElement,
    MediaTrack,
    PeerConnection,
    RtcConfig,
    SessionDescription,
    TrackArrival,
)
from lk_pyodide.browser.api_views import View

E = TypeVar("E", bound=BaseException)

DEADLINE = 20.0
"""Seconds after which something that should have happened has not. No case waits that long when all is well."""


class Env(Protocol):
    """A browser, and what a test can do to its page from outside."""

    browser: Browser
    name: str
    echo_url: str
    refused_url: str
    http_url: str

    on_page: bool
    """Whether native objects can be had."""

    async def leave_page(self) -> None: ...
    async def go_online(self, online: bool) -> None: ...
    async def change_devices(self) -> None: ...
    async def add_node(self, tag: str, name: str) -> None: ...
    async def show_node(self, name: str, width: int, height: int, where: str) -> None:
        """Give what ``add_node`` added a size, ``in sight``, scrolled ``away``, or displayed ``nowhere``."""
        ...

    async def pin_node(self, name: str, pinned: bool) -> None:
        """Give it a window of its own, or take that away."""
        ...

    async def hide_page(self, hidden: bool) -> None: ...
    def make_native_track(self) -> object: ...
    def make_native_file(self, content: bytes, name: str, mime_type: str) -> object: ...


class Log:
    """Records calls, and lets a test wait for them."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.on_call: Callable[[str], object] | None = None
        self._changed = asyncio.Event()

    def add(self, name: str, *values: object) -> None:
        """Record a call, then do what the test wants done inside of it."""
        self.calls.append((name, *values))
        self._changed.set()
        if self.on_call is not None:
            self.on_call(name)

    def get(self, name: str) -> list[tuple[object, ...]]:
        """Arguments of all calls of that name."""
        return [call[1:] for call in self.calls if call[0] == name]

    async def wait(self, name: str, count: int = 1) -> tuple[object, ...]:
        """Wait for the ``count``-th call of that name, and give its arguments."""
        await self.until(lambda: len(self.get(name)) >= count, f"{name} #{count}")
        return self.get(name)[count - 1]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until ``condition``, which only a call can make true."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {what} within {DEADLINE:g} s; there was: {str(self.calls)[:1500]}") from None


class SocketLog(Log):
    """Handler of a WebSocket or a data channel."""

    def on_open(self) -> None:
        self.add("open")

    def on_message(self, data: bytes | str, /) -> None:
        self.add("message", data)

    def on_buffered_amount_low(self) -> None:
        self.add("low")


class WebSocketLog(SocketLog):
    """Handler of a WebSocket."""

    def on_close(self, code: int, reason: str, /) -> None:
        self.add("close", code, reason)


class ChannelLog(SocketLog):
    """Handler of a data channel."""

    def on_close(self) -> None:
        self.add("close")


class TrackLog(Log):
    """Handler of a track."""

    def on_ended(self) -> None:
        self.add("ended")

    def on_mute(self) -> None:
        self.add("mute")

    def on_unmute(self) -> None:
        self.add("unmute")


class ElementLog(Log):
    """Handler of a media element."""

    def on_playing(self) -> None:
        self.add("playing")

    def on_play_failed(self, name: str, message: str, /) -> None:
        self.add("play_failed", name, message)


class PageLog(Log):
    """Handler of the page."""

    def on_page_hide(self) -> None:
        self.add("page_hide")

    def on_online(self, online: bool, /) -> None:
        self.add("online", online)

    def on_device_change(self) -> None:
        self.add("device_change")


class ViewLog(Log):
    """Handler of what is to be seen."""

    def on_view(self, element: MediaElement, view: View, /) -> None:
        self.add("view", element, view)

    def on_screen(self, is_hidden: bool, pixel_ratio: float, /) -> None:
        self.add("screen", is_hidden, pixel_ratio)

    def last(self, element: MediaElement) -> View | None:
        """How an element is to be seen."""
        return next((call[2] for call in reversed(self.calls) if call[:2] == ("view", element)), None)  # type: ignore[return-value]

    async def shows(self, element: MediaElement, view: View) -> None:
        """Wait until it is to be seen like this."""
        await self.until(lambda: self.last(element) == view, f"{view}")


class Peer(Log):
    """One end of a connection: handler, connection, and what came from the other side."""

    def __init__(self, browser: Browser, name: str) -> None:
        super().__init__()
        self.name = name
        self.other: Peer | None = None
        self.arrivals: list[TrackArrival] = []
        self.channels: dict[str, tuple[DataChannel, ChannelLog]] = {}
        self.refuse_channels = False
        self._candidates: list[str] = []
        self._is_described = False
        self.pc: PeerConnection = browser.new_peer_connection(RtcConfig(), self)

    def on_connection_state(self, state: str, /) -> None:
        self.add("state", state)

    def on_ice_candidate(self, candidate: str, /) -> None:
        assert self.other is not None
        self.other.take_candidate(candidate)
        self.add("candidate", candidate)

    def on_track(self, arrival: TrackArrival, /) -> None:
        self.arrivals.append(arrival)
        self.add("track", arrival.track.kind)

    def on_data_channel(self, channel: DataChannel, /) -> DataChannelHandler | None:
        log = ChannelLog()
        if not self.refuse_channels:
            self.channels[channel.label] = (channel, log)
        self.add("channel", channel.label)
        return None if self.refuse_channels else log

    def take_candidate(self, candidate: str) -> None:
        """Add a candidate as soon as there is a description that it belongs to."""
        if self._is_described:
            self.pc.add_ice_candidate(candidate)
        else:
            self._candidates.append(candidate)

    async def describe(self, kind: str, sdp: str, fallback: str | None = None) -> None:
        """Apply the other side's description."""
        await self.pc.set_remote_description(
            SessionDescription("answer" if kind == "answer" else "offer", sdp, fallback)
        )
        self._is_described = True
        candidates, self._candidates = self._candidates, []
        for candidate in candidates:
            self.pc.add_ice_candidate(candidate)

    async def negotiate(self, edit: Callable[[str], str] = str) -> None:
        """Make an offer to the other side, and take its answer."""
        assert self.other is not None
        offer = await self.pc.create_offer()
        await self.pc.set_local_description(SessionDescription("offer", offer))
        await self.other.describe("offer", edit(offer))
        answer = await self.other.pc.create_answer()
        await self.other.pc.set_local_description(SessionDescription("answer", answer))
        await self.describe("answer", answer)

    async def until_connected(self) -> None:
        """Wait for the connection."""
        await self.until(lambda: ("state", "connected") in self.calls, f"connection of {self.name}")


class Closable(Protocol):
    """What a case made, and has to close."""

    def close(self) -> None: ...


class Closer:
    """Closes at the end of a case whatever it made."""

    def __init__(self) -> None:
        self._things: list[Closable] = []

    def __enter__(self) -> Closer:
        return self

    def __exit__(self, *_: object) -> None:
        for thing in reversed(self._things):
            thing.close()

    def add(self, *things: Closable) -> None:
        """Close these later."""
        self._things.extend(things)

    def peers(self, browser: Browser) -> tuple[Peer, Peer]:
        """Two ends that know each other."""
        first, second = Peer(browser, "first"), Peer(browser, "second")
        first.other, second.other = second, first
        self.add(first.pc, second.pc)
        return first, second

    async def capture(self, env: Env, *kinds: str) -> Sequence[MediaTrack]:
        """Tracks of the (fake) devices, which are stopped later."""
        tracks = await env.browser.media_devices.get_user_media(dict.fromkeys(kinds, True))
        self.add(*(Stopper(track) for track in tracks))
        by_kind = {track.kind: track for track in tracks}
        return [by_kind["audio" if kind == "audio" else "video"] for kind in kinds]


class Stopper:
    """Stops a track on ``close()``."""

    def __init__(self, track: MediaTrack) -> None:
        self._track = track

    def close(self) -> None:
        """Let the device go."""
        self._track.stop()


class Stoppable(Protocol):
    """A track, ours or the waist's."""

    def stop(self) -> None: ...


async def call_off(ask: Callable[[], Coroutine[Any, Any, Sequence[Stoppable]]], *turns: int) -> None:
    """Ask for tracks, and cancel that after so many turns of the loop; those that came anyway are stopped."""
    for count in turns:
        task = asyncio.ensure_future(ask())
        for _ in range(count):
            await asyncio.sleep(0)
        task.cancel()
        try:
            tracks = await task
        except asyncio.CancelledError:
            continue
        for track in tracks:
            track.stop()


async def open_channel(
    first: Peer, second: Peer, label: str = "x"
) -> tuple[DataChannel, ChannelLog, DataChannel, ChannelLog]:
    """A data channel that is open at both ends."""
    log = ChannelLog()
    channel = first.pc.create_data_channel(label, DataChannelInit(), log)
    await first.negotiate()
    await second.until(lambda: label in second.channels, f"channel {label}")
    other, other_log = second.channels[label]
    await log.wait("open")
    await other_log.wait("open")
    return channel, log, other, other_log


@contextmanager
def recorded_log() -> Iterator[list[str]]:
    """What the waist logs meanwhile, and nowhere else."""
    lines: list[str] = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    logger, handler = logging.getLogger("lk_pyodide.browser"), Recorder()
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


async def settle(turns: int = 20) -> None:
    """Let everything happen that is due. Only for showing that something does *not* happen."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Caught(Generic[E]):
    """Holds the exception that :func:`raises` saw."""

    value: E


@contextmanager
def raises(kind: type[E]) -> Iterator[Caught[E]]:
    """Like ``pytest.raises``, where there is no pytest."""
    caught: Caught[E] = Caught()
    try:
        yield caught
    except kind as error:
        caught.value = error
    else:
        raise AssertionError(f"no {kind.__name__} was raised")


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that no handler tells of."""
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"no {what} within {DEADLINE:g} s"
        await asyncio.sleep(0.01)
