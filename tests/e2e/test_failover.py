"""Rooms without a backend whose server goes, in real browsers: its tab is frozen, crashes, is closed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.page_process import process_of
from tests.harness.peers import END, TrackFrame
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.site import Site
from tests.harness.venues import UNTIL_NO_LOCAL_SERVER, LocalServer


@dataclass
class Call:
    """The tabs of a room, in a browser of their own."""

    peers: list[PyPeer]

    async def host(self) -> PyPeer:
        """Whose tab is the server."""
        serving = [peer for peer in self.peers if await peer.command("serves")]
        assert len(serving) == 1, [peer.identity for peer in serving]
        return serving[0]

    async def others(self, host: PyPeer) -> tuple[PyPeer, PyPeer]:
        """Two who look at each other."""
        one, other = [peer for peer in self.peers if peer is not host][:2]
        for peer in (one, other):
            await peer.set_camera(True)
        await _look(one, other)
        return one, other


@pytest_asyncio.fixture(loop_scope="session", params=[Chromium, Firefox])
async def call(request: pytest.FixtureRequest, site: Site, room_name: str) -> AsyncIterator[Call]:
    """Four tabs in a room."""
    async with request.param() as browser:
        call = Call([])
        for name in ("ada", "ben", "eve", "joe"):
            call.peers.append(PyPeer(await PythonPage.open(browser, site)))
            await call.peers[-1].connect("local://", LocalServer().token(name, room_name))
        yield call
        for peer in call.peers:
            await peer.disconnect()
        async with asyncio.timeout(10):
            await call.peers[0].page.page.evaluate(UNTIL_NO_LOCAL_SERVER)
        for peer in call.peers:
            await peer.end()


async def _look(*lookers: PyPeer) -> None:
    """Wait until pictures of each move at the others."""
    pairs = [(looker, other) for looker in lookers for other in lookers if other is not looker]
    for looker, other in pairs:
        await looker.wait_remote(other.identity, lambda remote: remote.subscribed("camera"), 30, "camera")
    await asyncio.gather(*(looker.wait_video(other.identity) for looker, other in pairs))


async def _longest_still(looker: PyPeer, identity: str) -> float:
    """Seconds for which no picture of somebody came, at most; until it is cancelled."""
    loop = asyncio.get_running_loop()
    frames, since, longest = -1, loop.time(), 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            seen = (await looker.video_stats(identity)).frames
            longest = max(longest, loop.time() - since)
            if seen not in (frames, 0):
                frames, since = seen, loop.time()
            await asyncio.sleep(0.1)  # statistics have no event to wait for
    return longest


async def _gone(call: Call, host: PyPeer, lookers: Sequence[PyPeer], how: str) -> None:
    """The others meet again at the next server, their pictures move, and what is known of them is known still."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    call.peers.remove(host)
    await host.forget()
    for looker in lookers:
        await looker.wait_gone(host.identity)
    await _look(*lookers)
    seconds = loop.time() - started
    print(f"{host.page.browser_name}: {how}, pictures again after {seconds:.2f} s")
    assert seconds < 9
    for looker in lookers:
        remotes = (await looker.state()).remotes
        assert {identity: remote.metadata for identity, remote in remotes.items()} == {
            other.identity: f"of {other.identity}" for other in call.peers if other is not looker
        }


@pytest.mark.browser
@pytest.mark.timeout(300)
async def test_the_server_goes(call: Call) -> None:
    """In the middle of a call: the others see each other's pictures move again within 3 s.

    Data tracks are published again, too; whoever read them is told of the end, and may read them again.
    """
    for peer in call.peers:
        await peer.set_metadata(f"of {peer.identity}")
    host = await call.host()
    one, other = lookers = await call.others(host)
    await one.publish_data_track("t")
    await other.subscribe_data_track(one.identity, "t")
    await one.push_to([other], "t", TrackFrame(b"before"))
    await host.page.close()
    await _gone(call, host, lookers, "closed")
    await other.wait_frame(one.identity, "t", lambda frame: frame == END, 5)
    await other.subscribe_data_track(one.identity, "t")
    await one.push_to([other], "t", TrackFrame(b"after"))
    host = await call.host()
    lookers = await call.others(host)
    os.kill(await process_of(host.page.page), signal.SIGKILL)
    await _gone(call, host, lookers, "crashed")


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    os.environ.get("LK_SOAK") != "1", reason="a minute a browser, in which hardly anything is done: LK_SOAK=1"
)
async def test_the_server_freezes(call: Call) -> None:
    """The server's tab hangs with all its threads: it is taken for dead in the end; when it wakes it is one of them."""
    for peer in call.peers:
        await peer.set_metadata(f"of {peer.identity}")
    await _frozen(call)


async def _frozen(call: Call) -> None:
    host = await call.host()
    one, other = lookers = await call.others(host)
    watching = [asyncio.create_task(_longest_still(*pair)) for pair in ((one, other.identity), (other, one.identity))]
    process = await process_of(host.page.page)
    started = asyncio.get_running_loop().time()
    os.kill(process, signal.SIGSTOP)
    try:
        for looker in lookers:
            await looker.wait_event("reconnected", 60)
        await _look(*lookers)
    finally:
        os.kill(process, signal.SIGCONT)
    seconds = asyncio.get_running_loop().time() - started
    for task in watching:
        task.cancel()
    still = max([await task for task in watching])
    print(
        f"{host.page.browser_name}: frozen, pictures again after {seconds:.2f} s, of which they stood for {still:.2f} s"
    )
    assert seconds < 60
    for peer in call.peers:
        await peer.wait_for(lambda state: len(state.remotes) == len(call.peers) - 1, 30, "everybody there")
    assert await call.host() is not host
