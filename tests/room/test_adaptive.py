"""Videos come in the size in which they are shown, and not at all while nobody can see them."""

import asyncio
from collections.abc import Callable

import pytest

from lk_pyodide import (
    AdaptiveStreamSettings,
    Reconnected,
    RemoteTrackPublication,
    RemoteVideoTrack,
    Room,
    RoomOptions,
    TrackSubscribed,
    TrackUnsubscribed,
    UsageError,
    VideoQuality,
)
from lk_pyodide.browser.fake.elements import FakeNode
from lk_pyodide.browser.fake.views import FakeViews
from lk_pyodide.core import messages as m
from lk_pyodide.core.adaptive import BACKGROUND_DELAY
from lk_pyodide.types import StreamState, TrackSource
from tests.room.clock import run
from tests.room.server import URL, Server, participant, track, until


def adaptive_room(server: Server, settings: bool | AdaptiveStreamSettings = True) -> Room:
    return Room(RoomOptions(adaptive_stream=settings), browser=server.browser)


async def subscribed(room: Room, server: Server) -> tuple[RemoteTrackPublication, RemoteVideoTrack]:
    """Join ada, whose camera comes."""
    server.others = [participant("ada", track("TR_ada"))]
    if not room.isconnected():
        await room.connect(URL, "token")
    waiting = asyncio.ensure_future(room.wait_for(TrackSubscribed))
    await server.send_media("ada", "TR_ada")
    await waiting
    publication = room.remote_participants["ada"].track_publications["TR_ada"]
    assert isinstance(publication.track, RemoteVideoTrack)
    return publication, publication.track


def told(server: Server) -> list[tuple[int, int] | None]:
    """The sizes that were asked for, None where nothing was."""
    messages = [message for message in server.received if isinstance(message, m.UpdateTrackSettings)]
    return [None if message.disabled else (message.width, message.height) for message in messages]


async def becomes(server: Server, *sizes: tuple[int, int] | None) -> None:
    """Wait until these are all that the server was told."""
    await server.heard(m.UpdateTrackSettings, len(sizes))
    assert told(server) == list(sizes)


class Canvas:
    """A place that an application fills by itself."""

    handle_resize: Callable[[], None] | None = None
    handle_visibility_changed: Callable[[], None] | None = None

    def __init__(self, width: float = 200, height: float = 100) -> None:
        self.visible = True
        self.picture_in_picture = False
        self.size = width, height
        self.calls: list[str] = []

    def width(self) -> float:
        return self.size[0]

    def height(self) -> float:
        return self.size[1]

    def observe(self) -> None:
        self.calls.append("observe")

    def stop_observing(self) -> None:
        self.calls.append("stop")


async def test_off_unless_it_is_wanted(room: Room, server: Server) -> None:
    publication, video = await subscribed(room, server)
    assert not server.asked.adaptive_stream
    assert not video.is_adaptive_stream
    video.attach("body")
    canvas = Canvas()
    video.observe_element_info(canvas)
    video.stop_observing_element_info(canvas)
    publication.set_priority(1)
    await server.heard(m.UpdateTrackSettings)
    assert told(server) == [(0, 0)], "a quality"
    assert not [thing for thing in server.browser.get_open() if isinstance(thing, FakeViews)]


async def test_what_is_shown_nowhere_does_not_come(server: Server) -> None:
    async with adaptive_room(server) as room:
        publication, video = await subscribed(room, server)
        assert server.asked.adaptive_stream
        assert video.is_adaptive_stream
        await becomes(server, None)
        enabled = [publication.is_enabled]
        node: FakeNode = video.attach()
        server.browser.page.find("body").append(node)
        server.browser.look_again()
        await becomes(server, None, (300, 150))
        enabled.append(publication.is_enabled)
        video.detach(node)
        await becomes(server, None, (300, 150), None)
        enabled.append(publication.is_enabled)
        assert enabled == [False, True, False]


async def test_what_is_attached_at_once_never_pauses(server: Server) -> None:
    """In the handler that tells of it, as everybody does: the server is told its size, and nothing else."""
    async with adaptive_room(server) as room:
        room.on(TrackSubscribed, lambda event: event.track.attach("body"))
        await subscribed(room, server)
        await becomes(server, (300, 150))


async def test_it_follows_its_elements(server: Server) -> None:
    async with adaptive_room(server) as room:
        _, video = await subscribed(room, server)
        node: FakeNode = video.attach("body")
        await becomes(server, (300, 150))
        server.browser.show_node(node, 160, 90.5)
        await becomes(server, (300, 150), (160, 91))
        server.browser.show_node(node, 160, 90, in_sight=False)
        await becomes(server, (300, 150), (160, 91), None)
        server.browser.show_node(node, 640, 360)
        await becomes(server, (300, 150), (160, 91), None, (640, 360))
        larger: FakeNode = video.attach("body")
        server.browser.show_node(larger, 1280, 720)
        await server.heard(m.UpdateTrackSettings, 5)
        video.detach(larger)
        await server.heard(m.UpdateTrackSettings, 6)
        assert told(server)[4:] == [(1280, 720), (640, 360)]


async def test_it_follows_an_element_of_the_page(server: Server) -> None:
    mine = server.browser.add_node("#mine", "video")
    server.browser.show_node(mine, 320, 180)
    async with adaptive_room(server) as room:
        _, video = await subscribed(room, server)
        video.attach("#mine")
        video.attach(mine)
        await becomes(server, (320, 180))


async def test_pixels_of_the_screen(server: Server) -> None:
    server.browser.show_page(is_hidden=False, pixel_ratio=1.5)
    async with adaptive_room(server, AdaptiveStreamSettings(pixel_density="screen")) as room:
        _, video = await subscribed(room, server)
        video.attach("body")
        await becomes(server, (450, 225))


async def test_what_the_application_asks_for_holds_too(server: Server) -> None:
    """The smaller size; and whether it comes at all, once that has been said."""
    async with adaptive_room(server) as room:
        publication, video = await subscribed(room, server)
        node: FakeNode = video.attach("body")
        await becomes(server, (300, 150))
        publication.set_video_dimensions(160, 90)
        publication.set_video_dimensions(1280, 720)
        await becomes(server, (300, 150), (160, 90), (300, 150))
        server.browser.show_node(node, 1920, 1080)
        await becomes(server, (300, 150), (160, 90), (300, 150), (1280, 720))
        publication.set_video_quality(VideoQuality.HIGH)
        publication.set_enabled(True)
        assert (await server.heard(m.UpdateTrackSettings, 6)).quality == VideoQuality.HIGH
        server.browser.show_node(node, 1920, 1080, in_sight=False)
        assert not (await server.heard(m.UpdateTrackSettings, 7)).disabled, "the application has the last word"
        assert publication.is_enabled


async def test_an_application_that_shows_it_by_itself(server: Server) -> None:
    async with adaptive_room(server) as room:
        _, video = await subscribed(room, server)
        canvas = Canvas()
        video.observe_element_info(canvas)
        video.observe_element_info(canvas)
        assert canvas.calls == ["observe"]
        await becomes(server, (200, 100))
        canvas.size = 400, 200
        resized, hidden = canvas.handle_resize, canvas.handle_visibility_changed
        assert resized is not None and hidden is not None
        resized()
        await becomes(server, (200, 100), (400, 200))
        canvas.visible = False
        hidden()
        await becomes(server, (200, 100), (400, 200), None)
        canvas.visible = True  # and says nothing: it is looked at when the server goes on
        await server.say(m.StreamStateUpdate((m.StreamStateInfo("PA_ada", "TR_ada", StreamState.PAUSED),)))
        await server.say(m.StreamStateUpdate((m.StreamStateInfo("PA_ada", "TR_ada", StreamState.ACTIVE),)))
        await becomes(server, (200, 100), (400, 200), None, (400, 200))
        video.stop_observing_element_info(canvas)
        video.stop_observing_element_info(canvas)
        assert canvas.calls == ["observe", "stop"]
        assert canvas.handle_resize is None
        await becomes(server, (200, 100), (400, 200), None, (400, 200), None)


async def test_a_place_that_raises_is_passed_over(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with adaptive_room(server) as room:
        _, video = await subscribed(room, server)
        broken = Canvas()
        del broken.size
        video.observe_element_info(broken)
        video.observe_element_info(Canvas())
        await becomes(server, (200, 100))
    assert "an ElementInfo raised" in caplog.text
    caplog.clear()


async def test_it_ends_with_the_subscription(server: Server) -> None:
    """Whoever is gone is not spoken of, even by elements that are seen as he goes."""
    async with adaptive_room(server) as room:
        publication, video = await subscribed(room, server)
        canvas = Canvas()
        canvas.visible = False
        video.observe_element_info(canvas)
        node: FakeNode = video.attach("body")
        await becomes(server, (300, 150))
        server.browser.show_node(node, 0, 0, in_sight=False)
        await becomes(server, (300, 150), None)
        enabled = [publication.is_enabled]
        room.on(TrackUnsubscribed, lambda _: server.browser.show_node(node, 160, 90))
        waiting = asyncio.ensure_future(room.wait_for(TrackUnsubscribed))
        await server.say(m.ParticipantUpdate((participant("ada", version=2),)))
        await waiting
        await until(lambda: not video.is_adaptive_stream)
        assert canvas.calls == ["observe", "stop"]
        assert canvas.handle_resize is None and canvas.handle_visibility_changed is None
        assert not video.attached_elements
        enabled.append(publication.is_enabled)
        assert enabled == [False, True]
        video.attach("body")
        video.detach()
        await asyncio.sleep(0.15)  # longer than anything is held back
        assert told(server) == [(300, 150), None]


async def test_what_is_not_wanted_is_not_spoken_of(server: Server) -> None:
    """Until it is wanted again, before the server has even taken it away."""
    async with adaptive_room(server) as room:
        publication, video = await subscribed(room, server)
        canvas = Canvas()
        video.observe_element_info(canvas)
        await becomes(server, (200, 100))
        publication.set_subscribed(False)
        video.stop_observing_element_info(canvas)
        await asyncio.sleep(0.15)  # longer than anything is held back
        assert told(server) == [(200, 100)]
        publication.set_subscribed(True)
        await becomes(server, (200, 100), None)


async def test_sound_is_not_looked_at(server: Server) -> None:
    async with adaptive_room(server) as room:
        server.others = [participant("ada", track("TR_ada", TrackSource.MICROPHONE))]
        await room.connect(URL, "token")
        waiting = asyncio.ensure_future(room.wait_for(TrackSubscribed))
        await server.send_media("ada", "TR_ada", "audio")
        await waiting
        assert not [thing for thing in server.browser.get_open() if isinstance(thing, FakeViews)]


async def test_another_connection_is_told_anew(server: Server) -> None:
    async with adaptive_room(server) as room:
        room.on(TrackSubscribed, lambda event: event.track.attach("body"))
        await subscribed(room, server)
        await becomes(server, (300, 150))
        again = asyncio.ensure_future(room.wait_for(Reconnected, timeout=10))
        await asyncio.sleep(0)
        server.break_connection()
        await again
        await subscribed(room, server)
        await becomes(server, (300, 150), (300, 150))
        assert server.asked.adaptive_stream


async def test_what_changes_while_we_leave(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be told any more, and that is nobody's error."""
    async with adaptive_room(server) as room:
        server.others = [participant("ada", track("TR_ada")), participant("bob", track("TR_bob"))]
        await room.connect(URL, "token")
        for name in ("ada", "bob"):
            waiting = asyncio.ensure_future(room.wait_for(TrackSubscribed))
            await server.send_media(name, f"TR_{name}")
            await waiting
        bob = room.remote_participants["bob"].track_publications["TR_bob"]
        assert bob.track is not None
        node: FakeNode = bob.track.attach()
        await server.heard(m.UpdateTrackSettings, 2)
        assert not bob.is_enabled
        server.browser.page.find("body").append(node)
        enabled: list[bool] = []

        def look(event: TrackUnsubscribed) -> None:
            server.browser.look_again()
            enabled.append(bob.is_enabled)

        room.once(TrackUnsubscribed, look)
        await room.disconnect()
    assert enabled == [True], "he was seen before he was gone"
    assert told(server) == [None, None]
    assert not caplog.records


async def test_what_comes_while_the_page_is_in_the_background(server: Server) -> None:
    """Nobody is waited for five seconds who was not there in the first place."""
    server.browser.show_page(is_hidden=True)
    async with adaptive_room(server) as room:
        room.on(TrackSubscribed, lambda event: event.track.attach("body"))
        await subscribed(room, server)
        await becomes(server, None)
        server.browser.show_page(is_hidden=False)
        await becomes(server, None, (300, 150))


def test_in_the_background() -> None:
    """After five seconds, in a time of its own."""

    async def script(settings: AdaptiveStreamSettings, expected: list[tuple[int, int] | None]) -> None:
        server = Server()
        loop = asyncio.get_running_loop()
        async with adaptive_room(server, settings) as room:
            room.on(TrackSubscribed, lambda event: event.track.attach("body"))
            await subscribed(room, server)
            await becomes(server, (300, 150))
            server.browser.show_page(is_hidden=True)
            began = loop.time()
            await asyncio.sleep(BACKGROUND_DELAY - 0.01)
            assert told(server) == [(300, 150)]
            await asyncio.sleep(0.02)
            assert told(server) == expected[:2]
            await asyncio.sleep(60)
            server.browser.show_page(is_hidden=False)
            await until(lambda: told(server) == expected)
            assert loop.time() - began < 66
        await server.browser.aclose()

    run(script(AdaptiveStreamSettings(), [(300, 150), None, (300, 150)]))
    run(script(AdaptiveStreamSettings(pause_video_in_background=False), [(300, 150)]))


@pytest.mark.parametrize("density", [-1, float("nan"), "retina"])
def test_a_density_that_is_none(density: float) -> None:
    with pytest.raises(UsageError, match="pixel density"):
        Room(RoomOptions(adaptive_stream=AdaptiveStreamSettings(pixel_density=density)))
