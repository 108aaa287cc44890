"""A storm of toggles and switches, in a time of its own: the last request holds, and no device stays on unseen."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lk_pyodide import LiveKitError, Room
from lk_pyodide.browser.fake.media import FakeMediaStreamTrack
from lk_pyodide.browser.fake.peer import FakePeerConnection
from lk_pyodide.browser.fake.transceiver import FakeSender
from lk_pyodide.core import messages as m
from lk_pyodide.types import TrackSource
from tests.room.clock import run
from tests.room.server import URL, Server
from tests.room.test_devices import CAMERAS, MICROPHONES, live
from tests.room.test_reconnect import BREAKS

storm = settings(max_examples=200, deadline=None, derandomize=True, database=None)

DEVICES = {TrackSource.CAMERA: CAMERAS, TrackSource.MICROPHONE: MICROPHONES}
KINDS = {TrackSource.CAMERA: "videoinput", TrackSource.MICROPHONE: "audioinput"}
sources = st.sampled_from(list(DEVICES))
requests = st.one_of(
    st.tuples(st.just("toggle"), st.tuples(sources, st.booleans())),
    st.tuples(st.just("switch"), st.tuples(sources, st.sampled_from([0, 1]))),
)
gaps = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.001, 0.03, 1.0])),
    st.tuples(st.just("turns"), st.integers(1, 12)),
)
cancels = st.tuples(st.just("cancel"), st.integers(1, 3))
mutes = st.tuples(st.just("mute"), st.tuples(sources, st.booleans()))
prompts = st.tuples(st.sampled_from(["hold", "release"]), st.none())
ends = st.tuples(st.just("unplug"), sources)
breaks = st.tuples(st.just("break"), st.sampled_from(sorted(BREAKS)))
leaves = st.tuples(st.just("leave"), st.none())
amid = st.tuples(
    st.just("amid"), st.tuples(requests, st.integers(0, 8), st.one_of(cancels, mutes, ends, breaks, leaves))
)
"""Something that happens while the user is asked, or while what was asked for goes on."""


@dataclass
class Wishes:
    """What was asked for last, of one source; None where that was given up or overtaken by something else."""

    is_on: bool | None = False
    device: str | None = None
    requests: list[asyncio.Task[Any]] = field(default_factory=list[asyncio.Task[Any]])


class Storm:
    """A room to which everything happens at once."""

    def __init__(self) -> None:
        self.server = Server()
        self.room = Room(browser=self.server.browser)
        self.wishes = {source: Wishes() for source in DEVICES}
        self.asked: list[tuple[asyncio.Task[Any], TrackSource, str]] = []

    async def do(self, what: str, value: Any) -> None:
        """One thing after the other, without waiting for its end."""
        media = self.server.browser.media_devices
        match what, value:
            case "toggle", (source, is_on):
                me = self.room.local_participant
                turn = me.set_camera_enabled if source == TrackSource.CAMERA else me.set_microphone_enabled
                self.wishes[source].is_on = is_on
                self._ask(turn(is_on), source, "toggle")
            case "switch", (source, number):
                self.wishes[source].device = DEVICES[source][number]
                self._ask(self.room.switch_active_device(KINDS[source], DEVICES[source][number]), source, "switch")
            case "cancel", number if number <= len(self.asked):
                task, source, what = self.asked[-number]
                if task.cancel():  # it may have come to that before, or not
                    self.wishes[source].is_on = self.wishes[source].is_on if what == "switch" else None
                    self.wishes[source].device = None
            case "mute", (source, is_muted):
                if publication := self.room.local_participant.get_track_publication(source):
                    self.wishes[source].is_on = None  # it acts at once, and those before it may come later
                    self._ask(publication.mute() if is_muted else publication.unmute(), source, "mute")
            case "amid", ((request, argument), turns, (disturbance, detail)):
                media.hold()
                await self.do(request, argument)
                await self.do("turns", turns)
                await self.do(disturbance, detail)
                media.release()
            case "hold", _:
                media.hold()
            case "release", _:
                media.release()
            case "unplug", source:
                for native in media.captured:
                    if native.kind == ("video" if source == TrackSource.CAMERA else "audio"):
                        native.end()
                        self.wishes[source] = Wishes(None)
            case "break", kind:
                BREAKS[kind](self.server)
            case "leave", _:
                media.release()
                await self.room.disconnect()
                self.wishes = {source: Wishes(None) for source in DEVICES}
                await self.room.connect(URL, "token")
            case "turns", number:
                for _ in range(number):
                    await asyncio.sleep(0)
            case "wait", seconds:
                await asyncio.sleep(seconds)
            case _:
                pass

    def _ask(self, work: Awaitable[Any], source: TrackSource, what: str) -> None:
        self.asked.append((asyncio.ensure_future(work), source, what))

    async def calm(self) -> None:
        """All that was asked for has come to an end, of a kind that is promised."""
        self.server.browser.media_devices.release()
        outcomes = await asyncio.gather(*(task for task, _, _ in self.asked), return_exceptions=True)
        for outcome in outcomes:
            assert not isinstance(outcome, BaseException) or isinstance(
                outcome, LiveKitError | asyncio.CancelledError
            ), repr(outcome)
        await asyncio.sleep(60)
        await self.room._context.wait_connected()

    def check(self) -> None:
        """One publication a source, sent live where it is on; nothing else is open; the server knows."""
        publications = list(self.room.local_participant.track_publications.values())
        assert len({publication.source for publication in publications}) == len(publications)
        open_tracks = [native for native in self._captured if native.ready_state == "live"]
        wanted: list[FakeMediaStreamTrack] = []
        for publication in publications:
            native = publication.track._media
            sender = publication.track._sender
            assert isinstance(sender, FakeSender)
            if publication.source == TrackSource.MICROPHONE or not publication.muted:
                if native.ready_state == "live":
                    wanted.append(publication.track.media_stream_track)
                    assert sender.native is wanted[-1], "it is not what is sent"
                else:
                    assert publication.muted, "it is dead, and nobody knows"
            self._check_told(publication.sid, publication.muted)
        assert open_tracks == sorted(wanted, key=self._captured.index)
        for source, wish in self.wishes.items():
            found = self.room.local_participant.get_track_publication(source)
            if wish.is_on is not None:
                assert (found is not None and not found.muted) == wish.is_on
            if wish.device is not None and found is not None and not found.muted:
                assert found.track.device_id == wish.device

    @property
    def _captured(self) -> list[FakeMediaStreamTrack]:
        return self.server.browser.media_devices.captured

    def _check_told(self, sid: str, muted: bool) -> None:
        told = [said.muted for said in self.server.received if isinstance(said, m.MuteTrackRequest) and said.sid == sid]
        begun = [said for said in self.server.received if isinstance(said, m.AddTrackRequest)]
        assert (told[-1] if told else any(said.muted for said in begun) and muted) == muted

    async def end(self) -> None:
        """Leave, and let nothing be open."""
        await self.room.disconnect()
        assert live(self.server) == []
        await self.server.browser.aclose()
        left = self.server.browser.get_open()
        assert not [thing for thing in left if not isinstance(thing, FakePeerConnection) or thing._handler]


@storm
@given(
    st.booleans(),
    st.lists(st.one_of(requests, gaps, gaps, amid, amid, cancels, mutes, prompts, ends, breaks, leaves), max_size=25),
)
@example(True, [("toggle", (TrackSource.CAMERA, False)), ("wait", 1.0), ("break", "leave reconnect"), ("wait", 1.0)])
def test_the_last_request_holds(is_on: bool, script: list[tuple[str, Any]]) -> None:
    """Whatever is asked for, given up, broken, unplugged and left in between."""

    async def main() -> None:
        weather = Storm()
        await weather.room.connect(URL, "token")
        begin = [("toggle", (source, True)) for source in DEVICES if is_on]
        for what, value in [*begin, ("wait", 1.0), *script]:
            await weather.do(what, value)
        await weather.calm()
        weather.check()
        await weather.end()

    run(main())


@storm
@given(st.lists(st.one_of(requests, requests, gaps), min_size=1, max_size=100))
def test_a_storm_alone(script: list[tuple[str, Any]]) -> None:
    """A hundred requests: none fails, and the last of each kind holds."""

    async def main() -> None:
        weather = Storm()
        await weather.room.connect(URL, "token")
        for what, value in script:
            await weather.do(what, value)
        await weather.calm()
        assert all(task.exception() is None for task, _, _ in weather.asked)
        weather.check()
        await weather.end()

    run(main())
