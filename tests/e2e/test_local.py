"""Rooms without a backend in real browsers: two tabs of one browser, one of which is the server."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.pages import Browser
from tests.harness.peers import AT_ONCE, EventRecord, Peer, RpcOutcome
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.site import Site
from tests.harness.venues import UNTIL_NO_LOCAL_SERVER, LocalJsPeer, LocalServer
from tests.inpage import connecting

URL = LocalServer.url
_token = LocalServer().token


async def _server_gone(tab: PythonPage) -> None:
    async with asyncio.timeout(10):
        await tab.page.evaluate(UNTIL_NO_LOCAL_SERVER)


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(browser: Browser, site: Site, room_name: str) -> AsyncIterator[tuple[PyPeer, PyPeer]]:
    """Two tabs, in one room."""
    pages = [await PythonPage.open(browser, site) for _ in range(2)]
    peers = (PyPeer(pages[0]), PyPeer(pages[1]))
    for peer, name in zip(peers, ("ada", "ben"), strict=True):
        await peer.connect(URL, _token(name, room_name))
    yield peers
    for peer in reversed(peers):
        await peer.disconnect()
    await _server_gone(pages[0])
    for peer in peers:
        await peer.end()
    for page in pages:
        await page.close()


_TONE = """navigator.mediaDevices.getUserMedia = async () => {
  globalThis.audio = new AudioContext();
  const tone = new OscillatorNode(audio);
  const {stream} = tone.connect(new GainNode(audio, {gain: 0.5})).connect(new MediaStreamAudioDestinationNode(audio));
  tone.start();
  return stream;
}"""
"""A microphone whose sound does not stop, as Firefox's: Chromium's own only beeps."""


@pytest.mark.timeout(240)
async def test_who_speaks(browser: Browser, site: Site, room_name: str) -> None:
    """Two talk by way of a tab that does not listen to either; that, too, is told only of whom it hears."""
    pages = [await browser.new_page() for _ in range(3)]
    tabs = [PythonPage(page, site) for page in pages]
    if browser.name == "chromium":
        await pages[1].preload(_TONE)
    for tab in tabs:
        await tab.boot()
    ada, ben, eve = map(PyPeer, tabs)
    await ada.connect(URL, _token("ada", room_name), auto_subscribe=False)
    await ben.connect(URL, _token("ben", room_name))
    await eve.connect(URL, _token("eve", room_name))
    await ben.set_microphone(True)
    await eve.wait_audio("ben")
    for peer in (ben, eve):
        await peer.wait_latest("active_speakers_changed", ["ben"])
    await eve.wait_remote("ben", lambda remote: remote.quality == "excellent", 15, "quality")
    await ben.mute("microphone")
    for peer in (ben, eve):
        await peer.wait_latest("active_speakers_changed", [""])
    assert "active_speakers_changed" not in [event.name for event in await ada.events()]
    for peer in (eve, ben, ada):
        await peer.disconnect()
    await _server_gone(tabs[0])
    await pages[1].evaluate("globalThis.audio?.close()")
    for peer, page in zip((ada, ben, eve), pages, strict=True):
        await peer.end()
        await page.close()


async def _large(looker: Peer, identity: str) -> None:
    """Wait until the picture is larger than a small layer: it grows to the published size as the machine lets it."""
    async with asyncio.timeout(60):
        while True:
            if (width := (await looker.video_stats(identity)).width) >= 640:
                print(f"the picture is {width} pixels wide")
                return
            await asyncio.sleep(1)  # sizes have no event


@pytest.mark.timeout(240)
async def test_two_tabs_are_a_call(tabs: tuple[PyPeer, PyPeer]) -> None:
    """Presence, data both ways, pictures and sound both ways, mute, leaving."""
    pairs: list[tuple[Peer, Peer]] = [tabs, (tabs[1], tabs[0])]
    for looker, other in pairs:
        await looker.wait_remote(other.identity)
        await other.publish_data(other.identity.encode(), topic="t")
        message = await looker.wait_data(lambda got: got.topic == "t")
        assert (message.data, message.sender) == (other.identity.encode(), other.identity)
    for peer in tabs:
        await peer.set_camera(True)
        await peer.set_microphone(True)
    for looker, other in pairs:
        await looker.wait_remote(
            other.identity, lambda remote: remote.subscribed("camera") and remote.subscribed("microphone"), 20, "media"
        )
    await asyncio.gather(*(looker.wait_video(other.identity) for looker, other in pairs))
    await asyncio.gather(*(looker.wait_audio(other.identity) for looker, other in pairs))
    for looker, other in pairs:
        await _large(looker, other.identity)
    await tabs[1].mute("camera")
    await tabs[0].wait_remote("ben", lambda remote: remote.muted("camera") is True, 10, "muted")
    await tabs[1].disconnect()
    assert await tabs[0].wait_gone("ben") < AT_ONCE


_NONSENSE = """(async () => {
  const channel = new BroadcastChannel("lk_pyodide local ");
  const encoder = new TextEncoder();
  const frame = (head, payload = "") => encoder.encode(JSON.stringify(head) + "\\n" + payload);
  const messages = [
    "text", 1, null, undefined, {byteLength: 1}, [1], new Date(), new ArrayBuffer(0), new Float64Array(3),
    crypto.getRandomValues(new Uint8Array(999)), encoder.encode("[".repeat(200000) + "\\n"), new Uint8Array(3 << 20),
    frame("host"), frame(["a", "*", 1]), frame(["a", "*", "host", "more"]), frame(["*", "*", "open"]),
    frame(["a", "*", "unknown"]), frame(["a", "*", "open"]), frame(["b", "*", "open"], "http://["),
    frame(["c", "*", "open"], "/rtc/v1?access_token=e30.e30.e30&join_request=AAAA"),
    frame(["d", "*", "open"], "/rtc/v1?access_token=" + ".".repeat(1000)),
    frame(["e", "*", "data"], "nobody has let me in"), frame(["f", "*", "close"], "1000 "),
    frame(["g", "*", "opened"]), frame(["h", "*", "refused"], "401 no"), frame(["i", "*", "close"]),
  ];
  for (const message of messages) channel.postMessage(message);
  channel.close();
})()"""


@pytest.mark.timeout(240)
async def test_another_tab_talks_nonsense(tabs: tuple[PyPeer, PyPeer], browser: Browser, site: Site) -> None:
    """Whatever it says on the channel: nothing happens to the others, nor goes wrong unseen in their pages."""
    await tabs[0].wait_event("participant_active")
    before = [len(_but_quality(await peer.events())) for peer in tabs]
    page = await browser.new_page()
    await page.goto(site.url("/blank.html"))
    for _ in range(3):
        await page.evaluate(_NONSENSE)
    for number, (one, other) in enumerate([tabs, tabs[::-1]]):
        await one.publish_data(b"%d" % number, topic="after")
        await other.wait_data(lambda got: got.topic == "after")
    for peer, seen in zip(tabs, before, strict=True):
        events = _but_quality(await peer.events())[seen:]
        assert [event.name for event in events] == ["data_received"], events
        assert [line for line in peer.page.page.console if "a handler raised" in line] == []
    await page.close()


def _but_quality(events: list[EventRecord]) -> list[EventRecord]:
    return [event for event in events if event.name != "connection_quality_changed"]


@pytest.mark.parametrize(
    "browser_without",
    [
        pytest.param(lambda: Chromium("--webrtc-ip-handling-policy=disable_non_proxied_udp"), id="chromium"),
        pytest.param(lambda: Firefox(**{"media.peerconnection.ice.no_host": True}), id="firefox"),
    ],
)
@pytest.mark.browser
@pytest.mark.timeout(150)
async def test_no_network_interface(browser_without: Callable[[], Chromium | Firefox], site: Site) -> None:
    """A browser that finds no address of its own says so within 5 s."""
    async with browser_without() as browser:
        page = await PythonPage.open(browser, site)
        ended = await page.run(connecting.attempt, url=URL, token=_token("ada", "nowhere"))
        print(f"{browser.name}: said after {ended['seconds']:.1f} s")
        assert (ended["error"], ended["reason"]) == ("ConnectError", "TIMEOUT")
        assert "no network interface" in ended["message"]
        assert ended["seconds"] < 15
        await page.close()


@pytest.mark.timeout(240)
async def test_livekit_client_joins_too(browser: Browser, site: Site, room_name: str) -> None:
    """The other client, pointed at a local:// room by a WebSocket of ours, sees and is seen, as at any server."""
    tab = await PythonPage.open(browser, site)
    page = await LocalJsPeer.open_page(browser, site)
    ours, js = PyPeer(tab), LocalJsPeer(page)
    await ours.connect(URL, _token("ada", room_name))
    await js.connect(URL, _token("js", room_name))
    pairs: list[tuple[Peer, Peer]] = [(ours, js), (js, ours)]
    for looker, other in pairs:
        await looker.wait_remote(other.identity)
        await other.publish_data(other.identity.encode(), topic="t")
        assert (await looker.wait_data(lambda got: got.topic == "t")).sender == other.identity
    for caller, callee in pairs:
        await callee.register_rpc("echo")
        assert await caller.perform_rpc(callee.identity, "echo", "hello") == RpcOutcome("hello")
    for _, other in pairs:
        await other.set_camera(True)
        await other.set_microphone(True)
    for looker, other in pairs:
        await looker.wait_remote(
            other.identity, lambda remote: remote.subscribed("camera") and remote.subscribed("microphone"), 20, "media"
        )
        await looker.wait_video(other.identity)
        await looker.wait_audio(other.identity)
        await _large(looker, other.identity)
    for looker, other in pairs:
        await other.mute("microphone")
        await looker.wait_remote(other.identity, lambda remote: remote.muted("microphone") is True, 10, "muted")
    await js.disconnect()
    assert await ours.wait_gone("js") < AT_ONCE
    await ours.disconnect()
    await _server_gone(tab)
    await ours.end()
    await tab.close()
    await js.page.close()


@pytest.mark.timeout(240)
async def test_what_only_livekit_client_can(browser: Browser, site: Site, room_name: str) -> None:
    """Saying who may have which track: ours is the server, and looks on."""
    tab = await PythonPage.open(browser, site)
    ours = PyPeer(tab)
    await ours.connect(URL, _token("ada", room_name))
    ben, eve = [LocalJsPeer(await LocalJsPeer.open_page(browser, site)) for _ in range(2)]
    for peer, name in ((ben, "ben"), (eve, "eve")):
        await peer.connect(URL, _token(name, room_name))
    await eve.wait_remote("ben")
    await ben.set_microphone(True)
    for looker in (ours, eve):
        await looker.wait_remote("ben", lambda remote: remote.subscribed("microphone"), 20, "sound")
    allow = "(peer, ...args) => peer.room.localParticipant.setTrackSubscriptionPermissions(...args)"
    await ben.call(allow, False, [{"participantIdentity": "ada", "allowAll": True}])
    await eve.wait_remote("ben", lambda remote: not remote.subscribed("microphone"), 10, "no more sound")
    await eve.wait_event("trackSubscriptionPermissionChanged")
    await ben.call(allow, True)
    await eve.wait_remote("ben", lambda remote: remote.subscribed("microphone"), 10, "sound again")
    assert (await ours.state()).remotes["ben"].subscribed("microphone"), "all along"
    for js in (eve, ben):
        await js.disconnect()
        await js.page.close()
    await ours.disconnect()
    await _server_gone(tab)
    await ours.end()
    await tab.close()
