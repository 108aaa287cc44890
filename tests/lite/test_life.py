"""A room in a notebook from its first cell to the end of its kernel: what others see, and what the page does then."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from tests.harness.js_peer import JsPeer
from tests.harness.jupyterlite import Cell, JupyterLite
from tests.harness.pages import js_call
from tests.harness.paths import BUILD, REPO
from tests.harness.peers import AT_ONCE, DataMessage
from tests.harness.servers import LiveKitServer
from tests.harness.tokens import API_KEY, API_SECRET
from tests.readme.pages import assert_moves, until

pytestmark = [pytest.mark.server, pytest.mark.timeout(150)]

SCREENSHOTS = BUILD / "screenshots"
AGENT = REPO / "lk_pyodide" / "_web" / "lk-agent.js"
BLOCKED = 20.0
"""Seconds for which a kernel is blocked: more than the server's ping timeout of 15 s."""
PINGS = 2
"""Frames that the page sends by itself meanwhile: one each 6 s."""
JOIN = """
%pip install -q lk_pyodide
import logging
from lk_pyodide import AccessToken, Room, VideoGrants

grants = VideoGrants(room_join=True, room={room!r})
token = AccessToken({key!r}, {secret!r}).with_identity({identity!r}).with_grants(grants).to_jwt()
room, said, packets = Room(), [], []
for name in ("reconnecting", "reconnected", "disconnected"):
    room.on(name, lambda *args, name=name: said.append(name))
room.on("data_received", lambda packet: packets.append(packet.data.decode()))
me = room.local_participant


class Warnings(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


logging.getLogger("lk_pyodide").addHandler(Warnings(logging.WARNING))


async def join():
    await room.connect({url!r}, token)
    await me.set_camera_enabled(True)


"""
JOIN_NOW = "await join()\n"
JOIN_BETWEEN_CELLS = """
import asyncio

async def join_later():
    await asyncio.sleep(1)
    await join()

joining = asyncio.create_task(join_later())
"""
# The user thinks about it, until `lkAllow()`.
_ASK_FOR_DEVICES = """() => {
  const allowed = Promise.withResolvers();
  globalThis.lkAsked = Promise.withResolvers();
  globalThis.lkAllow = async () => {
    delete navigator.mediaDevices.getUserMedia;
    allowed.resolve();
  };
  navigator.mediaDevices.getUserMedia = async (...args) => {
    lkAsked.resolve();
    await allowed.promise;
    return MediaDevices.prototype.getUserMedia.apply(navigator.mediaDevices, args);
  };
}"""
# Nothing of the worker runs meanwhile. `time.sleep` would not do: Pyodide's lets the event loop go on.
BLOCK = """
from pyodide.code import run_js
block = run_js('''(seconds) => {
  const memory = new WebAssembly.Memory({shared: true, initial: 1, maximum: 1});
  Atomics.wait(new Int32Array(memory.buffer), 0, 0, seconds * 1000);
}''')
"""
ALL_PACKETS = """
import asyncio
try:
    async with asyncio.timeout(5):
        while packets[-1:] != ["last"]:
            await room.wait_for("data_received")
except TimeoutError:
    pass
packets, said
"""
NOTHING = {"devices": 0, "tracks": 0, "sockets": 0, "connections": 0, "frames": 0}
TOKEN = "eyJ"
"""How every token begins."""


class Stage:
    """A real server's room, and a livekit-client in it that watches."""

    def __init__(self, url: str, room: str, watcher: JsPeer) -> None:
        self.watcher = watcher
        self._url = url
        self._room = room

    async def prepare(self, lite: JupyterLite) -> str:
        """Make ready to join with the camera on, in one cell: `await join()`; our identity."""
        identity = f"notebook-{lite.browser_name}"
        values = {"room": self._room, "url": self._url, "key": API_KEY, "secret": API_SECRET}
        await lite.run(JOIN.format(identity=identity, **values))
        return identity

    async def join(self, lite: JupyterLite, more: str = "", how: str = JOIN_NOW) -> str:
        """Join with the camera on, in a cell that may do more; our identity."""
        identity = await self.prepare(lite)
        await lite.run(how + more)
        await self.watcher.wait_video(identity)
        assert await lite.capturing() == 1
        return identity

    async def see_leave(self, identity: str, end: Awaitable[object]) -> None:
        """Do what ends a notebook's part in the room; the others see it within a second."""
        ending = asyncio.ensure_future(end)
        seconds = await self.watcher.wait_gone(identity)
        print(f"{identity}: seen after {seconds:.2f} s")
        await ending
        assert seconds < AT_ONCE


@pytest_asyncio.fixture(loop_scope="session")
async def stage(livekit: LiveKitServer, room_name: str, js_peer: JsPeer) -> Stage:
    """A room of the test's own."""
    await js_peer.connect(livekit.url, livekit.token("watcher", room_name))
    return Stage(livekit.url, room_name, js_peer)


async def _restart(lite: JupyterLite) -> None:
    await lite.restart_kernel()


async def _shut_down(lite: JupyterLite) -> None:
    await lite.shut_down_kernel()


@pytest.mark.parametrize("end", [_restart, _shut_down])
async def test_a_kernel_that_ends_leaves(
    lite: JupyterLite, stage: Stage, end: Callable[[JupyterLite], Awaitable[None]]
) -> None:
    await lite.put_cells()
    identity = await stage.join(lite)

    async def see_camera() -> None:
        print(f"camera off after {await lite.camera_off():.2f} s")

    await asyncio.gather(stage.see_leave(identity, end(lite)), see_camera())
    if end is _shut_down:
        await lite.start_kernel()
    before = await lite.made()
    assert (await lite.run("'room' in globals()")).text == "False"
    assert await lite.made() == before, "nobody comes back by himself"


async def test_a_camera_that_is_allowed_too_late_goes_off_again(chromium_lite: JupyterLite, stage: Stage) -> None:
    lite = chromium_lite
    await lite.put_cells()
    identity = await stage.prepare(lite)
    await lite.page.evaluate(js_call(_ASK_FOR_DEVICES))
    await lite.start(JOIN_NOW)
    await lite.page.evaluate("lkAsked.promise")
    await stage.watcher.wait_remote(identity)
    before = (await lite.made())["tracks"]
    try:
        await lite.restart_kernel()
        await stage.watcher.wait_gone(identity)
    finally:
        await lite.page.evaluate("lkAllow()")
    await until(lite.page, f"lkLite.made().tracks === {before + 1}")
    print(f"camera off after {await lite.camera_off():.2f} s")
    assert not [line for line in lite.page.console if line.startswith("pageerror")]


async def test_a_room_may_be_joined_between_cells(lite: JupyterLite, stage: Stage) -> None:
    """And the page's agent be shown then, where the cell was that ran last."""
    await lite.put_cells()
    await lite.restart_kernel()
    await stage.join(lite, how=JOIN_BETWEEN_CELLS)
    assert "lkAgent" not in str((await lite.cells())[-1].outputs)
    await lite.run("await room.disconnect()")
    await lite.camera_off()


async def test_a_notebook_that_is_opened_again_starts_nothing(lite: JupyterLite, stage: Stage) -> None:
    await lite.put_cells()
    identity = await stage.join(lite, "room")
    await assert_moves(lite.page, ".jp-OutputArea figure video")
    await lite.save()
    try:
        saved = await lite.read_saved()
        assert "data-lk-place" in saved, "it is the notebook with its outputs"
        assert TOKEN not in saved and "lkAgent" not in saved
        await stage.see_leave(identity, lite.reload())
        await lite.kernel_ready()
        await lite.run("1")
        assert await lite.page.evaluate("document.querySelectorAll('[data-lk-place]').length") == 1
        assert await lite.made() == NOTHING
        assert not await lite.page.evaluate("'lkAgent' in globalThis || document.querySelector('video') !== null")
    finally:
        await lite.forget_saved()


async def test_of_two_tabs_one_acts(lite: JupyterLite, stage: Stage, request: pytest.FixtureRequest) -> None:
    """Also when the other has the agent, and the very line that this notebook showed: saved while it was shown."""
    await lite.reload()  # has nothing of ours in it
    other = await JupyterLite.open(request.getfixturevalue(lite.browser_name), lite.site, lite.notebook)
    try:
        identity = await stage.join(
            other, "from lk_pyodide.browser.current import current; current().bridge._carrier._token"
        )
        token = (await other.cells())[-1].text.strip("'")
        await lite.page.evaluate(f"void (0, eval)({js_call('String', AGENT.read_text())})")
        await lite.page.evaluate(js_call("lkAgent.serve", token))
        await stage.watcher.publish_data(b"to the notebook")
        result = await other.run(
            "if not packets:\n    await room.wait_for('data_received', timeout=5)\nprint(packets, said)"
        )
        assert result.text == "['to the notebook'] []\n"
        await other.run(
            "await me.publish_data('to all'); await me.set_camera_enabled(False); await me.set_camera_enabled(True)"
        )
        await stage.watcher.wait_data(lambda message: message.data == b"to all")
        assert [message.data for message in await stage.watcher.data()] == [b"to all"]
        assert await lite.made() == NOTHING
        await stage.see_leave(identity, other.close())
    finally:
        await other.close()


async def test_a_kernel_that_is_busy_stays_in_the_room(
    chromium_lite: JupyterLite, firefox_lite: JupyterLite, stage: Stage
) -> None:
    notebooks = (chromium_lite, firefox_lite)
    identities = []
    for lite in notebooks:
        await lite.put_cells()
        identities.append(await stage.join(lite, BLOCK))
    blocked = [
        await lite.start(f"import time\nstart = time.monotonic()\nblock({BLOCKED})\nprint(time.monotonic() - start)")
        for lite in notebooks
    ]
    frames = [(await lite.made())["frames"] for lite in notebooks]
    sent: list[str] = []
    started = time.monotonic()
    while time.monotonic() - started < BLOCKED - 2:
        sent.append(f"message {len(sent)}")
        await stage.watcher.publish_data(sent[-1].encode())
        for identity in identities:
            await stage.watcher.wait_video(identity, more=1)  # the page goes on
        await asyncio.sleep(1)
    for lite, cell, before in zip(notebooks, blocked, frames, strict=True):
        assert (await cell.now()).running
        kept_alive = (await lite.made())["frames"] - before
        print(f"{lite.browser_name}: {kept_alive} frames in {BLOCKED - 2:.0f} s")
        assert kept_alive >= PINGS
    for cell in blocked:
        assert float((await cell.result()).text) >= BLOCKED
    await stage.watcher.publish_data(b"last")
    for lite in notebooks:
        assert eval((await lite.run(ALL_PACKETS)).text) == ([*sent, "last"], [])
    for lite, identity in zip(notebooks, identities, strict=True):
        await lite.run("await me.publish_data(room.state.name)")
        await stage.watcher.wait_data(functools.partial(_is, b"CONNECTED", identity))
    names = [event.name for event in await stage.watcher.events()]
    assert "participantDisconnected" not in names and names.count("participantConnected") <= 2
    for lite in notebooks:
        await lite.run("await room.disconnect()")
        await lite.camera_off()


def _is(data: bytes, sender: str, message: DataMessage) -> bool:
    return (message.data, message.sender) == (data, sender)


async def test_live_values(lite: JupyterLite, stage: Stage) -> None:
    """A room, a participant, a track, an attached element as the value of a cell: a picture that moves."""
    await lite.put_cells()
    await stage.join(lite)
    await lite.run("watcher = room.remote_participants['watcher']")
    await stage.watcher.set_camera(True)
    await lite.run("if not watcher.track_publications: await room.wait_for('track_subscribed', timeout=5)")
    shown = {
        "watcher": 1,
        "[track] = [publication.track for publication in me.track_publications.values()]\ntrack": 1,
        "element = track.attach()\nelement": 1,
        "from IPython.display import HTML\nHTML('<div id=place></div>')": 0,
        "room": 2,
    }
    cells = [await lite.run(source) for source in shown]
    await lite.run("mounted = track.attach().mount('#place')")
    await _see(lite, "#place > video")
    for cell, count in zip(cells, shown.values(), strict=True):
        assert TOKEN not in str((await lite.cells())[cell.index].outputs)
        for number in range(1, count + 1):
            await _see(lite, f"{_output(cell)} figure:nth-of-type({number}) video")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await lite.screenshot(SCREENSHOTS / f"live_values_{lite.browser_name}.png")

    await lite.run("element.detach()\nmounted.detach()")
    await until(lite.page, f"!document.querySelector('#place > video, {_output(cells[2])} video')")
    await lite.run("for sid in [*me.track_publications]: await me.unpublish_track(sid)")
    await until(lite.page, f"document.querySelectorAll('{_output(cells[-1])} video').length === 1")
    await lite.run("await room.disconnect()")
    await until(lite.page, "!document.querySelector('.jp-OutputArea video')")
    assert await lite.capturing() == 0


async def _see(lite: JupyterLite, selector: str) -> None:
    """A picture moves; Chromium hardly draws what is out of sight."""
    await lite.page.evaluate(js_call("(selector) => document.querySelector(selector)?.scrollIntoView()", selector))
    await assert_moves(lite.page, selector, frames=2)


def _output(cell: Cell) -> str:
    return f'.jp-Cell[data-windowed-list-index="{cell.index}"] .jp-OutputArea'
