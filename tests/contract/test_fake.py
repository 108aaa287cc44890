"""What only the fake can do: play a server, fail on demand, and always in the same way."""

from __future__ import annotations

import asyncio

import pytest

from lk_pyodide.browser.api import (
    BrowserInfo,
    DataChannelInit,
    Encoding,
    FetchResult,
    SenderInit,
    SessionDescription,
)
from lk_pyodide.browser.fake import FakeBrowser, FakeNetwork, FakePeerConnection, FakeServerSocket, FakeSocketClosed
from lk_pyodide.browser.fake import sdp as fake_sdp
from lk_pyodide.errors import BrowserError, MediaDeviceError, PlaybackError, UsageError
from lk_pyodide.types import DeviceInfo
from tests.inpage.contract_kit import (
    ChannelLog,
    Closer,
    ElementLog,
    PageLog,
    Peer,
    TrackLog,
    WebSocketLog,
    open_channel,
    recorded_log,
    settle,
)

_SERVERS = ("silent", "drops", "breaks")

# -- WebSockets --------------------------------------------------------------------------------------------------------


async def test_longest_prefix_serves() -> None:
    """Of two servers the more exact one answers; what nobody serves is refused."""
    browser = FakeBrowser()

    async def name(socket: FakeServerSocket) -> None:
        await socket.send(f"exact {socket.url}")

    async def other(socket: FakeServerSocket) -> None:
        await socket.send("other")

    browser.serve("ws://host", other)
    browser.serve("ws://host/rtc/v1", name)
    logs = {url: WebSocketLog() for url in ("ws://host/rtc/v1?x=1", "ws://host/rtc", "ws://elsewhere")}
    for url, log in logs.items():
        browser.open_websocket(url, log)
        await log.wait("close")
    assert logs["ws://host/rtc/v1?x=1"].calls == [
        ("open",),
        ("message", "exact ws://host/rtc/v1?x=1"),
        ("close", 1000, ""),
    ]
    assert ("message", "other") in logs["ws://host/rtc"].calls
    assert logs["ws://elsewhere"].calls == [("close", 1006, "")]
    assert browser.get_open() == []


async def test_server_sees_the_client_leave() -> None:
    """``recv`` ends with the client's code, ``async for`` simply ends, and a message before it is not lost."""
    browser, ends, heard = FakeBrowser(), [], []

    async def server(socket: FakeServerSocket) -> None:
        heard.extend([message async for message in socket])
        try:
            await socket.recv()
        except FakeSocketClosed as end:
            ends.append((end.code, end.reason, str(end)))

    browser.serve("ws://host", server)
    log = WebSocketLog()
    socket = browser.open_websocket("ws://host", log)
    await log.wait("open")
    socket.send(b"last")
    socket.close(3001, "bye")
    await settle()
    assert heard == [b"last"]
    assert ends == [(3001, "bye", "3001")]


async def test_server_never_answers_drops_and_breaks() -> None:
    """A server that does nothing, one that breaks the line, and one that raises."""
    browser = FakeBrowser()

    async def silent(socket: FakeServerSocket) -> None:
        await asyncio.Event().wait()

    async def drops(socket: FakeServerSocket) -> None:
        await socket.recv()
        socket.drop()
        await socket.send(b"too late")

    async def breaks(socket: FakeServerSocket) -> None:
        await socket.recv()
        raise ValueError("server")

    browser.serve("ws://silent", silent)
    browser.serve("ws://drops", drops)
    browser.serve("ws://breaks", breaks)
    logs = [WebSocketLog() for _ in range(3)]
    sockets = [browser.open_websocket(f"ws://{name}", log) for name, log in zip(_SERVERS, logs, strict=True)]
    with recorded_log() as lines:
        for socket in sockets:
            socket.send(b"x")
        await settle()
    assert logs[0].calls == []
    assert logs[1].calls == [("open",), ("close", 1006, "")]
    assert logs[2].calls == [("open",), ("close", 1011, "server error")]
    assert "ValueError: server" in lines[0]
    sockets[0].close()
    await browser.aclose()


# -- peer connections --------------------------------------------------------------------------------------------------


def test_sdp_looks_real() -> None:
    """What is written can be read, and has what edits look for."""
    sections = (
        fake_sdp.Section("audio", "0", "sendonly", "stream-1", "track-1"),
        fake_sdp.Section("video", "1", "sendrecv", "PA_x|TR_y", "TR_y", ("q", "h", "f")),
        fake_sdp.Section("application", "2"),
    )
    text = fake_sdp.write(fake_sdp.Description("abcd", sections), "offer", 1)
    assert fake_sdp.read(text) == fake_sdp.Description("abcd", sections)
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    for line in (
        "a=group:BUNDLE 0 1 2",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:96 VP8/90000",
        "a=msid:PA_x|TR_y TR_y",
        "a=simulcast:send q;h;f",
        "a=setup:actpass",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    ):
        assert line in text.split("\r\n")


async def test_plays_livekit_server() -> None:
    """A fake server in another browser sends on slots that the client offered, under ids of its choice."""
    network = FakeNetwork()
    client, server = FakeBrowser(network=network), FakeBrowser(network=network)
    first, second = Peer(client, "client"), Peer(server, "server")
    first.other, second.other = second, first
    for kind in ("audio", "video"):
        first.pc.add_receiver("audio" if kind == "audio" else "video")
    offer = await first.pc.create_offer()
    await first.pc.set_local_description(SessionDescription("offer", offer))
    await second.describe("offer", offer)
    track = server.adopt_track(server.make_track("video"))
    far = second.pc
    assert isinstance(far, FakePeerConnection)
    far.send_on("1", track, stream_id="PA_abc|TR_def", track_id="TR_def")
    answer = await second.pc.create_answer()
    await second.pc.set_local_description(SessionDescription("answer", answer))
    await first.describe("answer", answer)
    (arrival,) = first.arrivals
    assert (arrival.mid, arrival.stream_ids, arrival.track.id) == ("1", ("PA_abc|TR_def",), "TR_def")
    await first.until_connected()
    native = arrival.track.native
    assert getattr(native, "source", None) is track.native
    transceiver = far.find_transceiver("1")
    assert transceiver is not None
    assert transceiver.sender is not None
    await transceiver.sender.replace_track(None)
    assert getattr(native, "source", None) is None
    with pytest.raises(BrowserError):
        far.send_on("7", track, stream_id="x")
    for thing in (first.pc, second.pc, track):
        thing.close()
    assert client.get_open() == server.get_open() == []


async def test_no_network_interface() -> None:
    """What Chromium was seen to do: no candidates, and connections that remain new."""
    browser = FakeBrowser()
    browser.network.has_interface = False
    with Closer() as closer:
        first, second = closer.peers(browser)
        first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
        await first.negotiate()
        await settle()
        for peer in (first, second):
            assert (peer.get("candidate"), peer.get("state")) == ([], [])
            assert peer.pc.connection_state == "new"


async def test_cut_and_restart() -> None:
    """Nothing passes a cut; an ICE restart heals it, and what waited arrives, once and in order."""
    browser = FakeBrowser()
    with Closer() as closer:
        first, second = closer.peers(browser)
        channel, _, _, other_log = await open_channel(first, second)
        await first.until_connected()
        assert isinstance(first.pc, FakePeerConnection)
        first.pc.cut()
        assert [state for (state,) in second.get("state")][-2:] == ["disconnected", "failed"]
        channel.send(b"1")
        channel.send(b"2")
        await first.negotiate()
        await settle()
        assert other_log.get("message") == []
        assert channel.buffered_amount == 2
        offer = await first.pc.create_offer(ice_restart=True)
        await first.pc.set_local_description(SessionDescription("offer", offer))
        await second.describe("offer", offer)
        answer = await second.pc.create_answer()
        await second.pc.set_local_description(SessionDescription("answer", answer))
        await first.describe("answer", answer)
        await settle()
        assert first.pc.connection_state == second.pc.connection_state == "connected"
        assert other_log.get("message") == [(b"1",), (b"2",)]


async def test_needs_candidates() -> None:
    """Whoever does not pass candidates on stays unconnected."""

    class Deaf(Peer):
        def take_candidate(self, candidate: str) -> None:
            """Lose it."""

    browser = FakeBrowser()
    with Closer() as closer:
        first, second = Deaf(browser, "first"), Deaf(browser, "second")
        first.other, second.other = second, first
        closer.add(first.pc, second.pc)
        first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
        await first.negotiate()
        await settle()
        assert first.pc.connection_state == "connecting"


async def test_refused_descriptions() -> None:
    """The browser refuses what the test wants refused."""
    browser = FakeBrowser()
    browser.refuse_sdp = lambda text: "x-google" in text
    with Closer() as closer, recorded_log() as lines:
        first, _ = closer.peers(browser)
        first.pc.add_receiver("video")
        offer = await first.pc.create_offer()
        edited = offer + "a=fmtp:96 x-google-start-bitrate=1000\r\n"
        with pytest.raises(BrowserError) as caught:
            await first.pc.set_local_description(SessionDescription("offer", edited))
        assert caught.value.name == "OperationError"
        await first.pc.set_local_description(SessionDescription("offer", edited, offer))
        assert len(lines) == 1


async def test_sender_is_visible() -> None:
    """A test can see what is sent, and how."""
    browser = FakeBrowser()
    with Closer() as closer:
        first, _ = closer.peers(browser)
        track = browser.adopt_track(browser.make_track("video"))
        closer.add(track)
        sender = first.pc.add_sender(track, SenderInit((Encoding(rid="q", max_bitrate=1), Encoding(rid="f"))))
        await sender.set_encodings([Encoding(rid="f", active=False, max_bitrate=7)])
        assert getattr(sender, "encodings", None) == [
            Encoding(rid="q", max_bitrate=1),
            Encoding(rid="f", active=False, max_bitrate=7),
        ]


# -- media, page, HTTP -------------------------------------------------------------------------------------------------


async def test_devices_fail_and_wait() -> None:
    """Refusal by name, a user who thinks about it, devices that are not there."""
    browser = FakeBrowser()
    devices = browser.media_devices
    devices.failure = devices.display_failure = "NotAllowedError"
    for asked in (devices.get_user_media({"audio": True}), devices.get_display_media({"video": True})):
        with pytest.raises(MediaDeviceError) as caught:
            await asked
        assert caught.value.failure == "PermissionDenied"
    devices.failure = devices.display_failure = ""
    devices.hold()
    task = asyncio.ensure_future(devices.get_user_media({"video": {"width": 1280, "height": {"exact": 720}}}))
    await settle()
    assert not task.done()
    devices.release()
    (track,) = await task
    assert (track.settings.width, track.settings.height) == (1280, 720)
    track.stop()
    screen = devices.get_display_media({"audio": True})
    assert len(devices.asked) == 4  # asked at call time, though not awaited yet
    for item in await screen:
        item.stop()
    devices.devices = []
    with pytest.raises(MediaDeviceError) as caught:
        await devices.get_user_media({"audio": True})
    assert caught.value.failure == "NotFound"


async def test_track_ends_and_mutes() -> None:
    """The device is unplugged, the system mutes."""
    browser = FakeBrowser()
    native = browser.make_track("audio")
    track, log = browser.adopt_track(native), TrackLog()
    track.set_handler(log)
    native.mute()
    native.mute()
    native.unmute()
    native.end()
    native.end()
    await settle()
    assert log.calls == [("mute",), ("unmute",), ("ended",)]
    assert track.ready_state == "ended"
    track.close()


async def test_blocked_playback() -> None:
    """Sound needs a click; a picture without sound does not."""
    browser = FakeBrowser()
    browser.playback_blocked = True
    sound_log, picture_log = ElementLog(), ElementLog()
    audio, video = (browser.adopt_track(browser.make_track(kind)) for kind in ("audio", "video"))
    sound, picture = browser.new_element("audio", None, sound_log), browser.new_element("video", None, picture_log)
    sound.attach(audio)
    picture.attach(video)
    with pytest.raises(PlaybackError):
        await sound.play()
    assert sound_log.get("play_failed")[0][0] == "NotAllowedError"
    assert picture_log.calls == [("playing",)]
    browser.playback_blocked = False
    await sound.play()
    assert sound.native.playing
    node = sound.native
    for thing in (sound, picture, audio, video):
        thing.close()
    again = browser.new_element("audio", None, sound_log)
    assert again.native is node
    again.close()
    assert browser.get_open() == []


async def test_page_nodes() -> None:
    """Elements are where they were put."""
    browser = FakeBrowser()
    stage = browser.add_node("#stage")
    element = browser.new_element("video", "#stage", ElementLog())
    assert stage.children == [element.native]
    element.mount("body")
    assert stage.children == []
    element.close()
    with pytest.raises(UsageError):
        browser.new_element("video", "#nowhere", ElementLog())


async def test_page_and_http() -> None:
    """Page events carry what the test says; requests are answered and remembered."""
    browser = FakeBrowser(BrowserInfo(name="firefox"))
    assert browser.info.name == "firefox"
    page = PageLog()
    watch = browser.watch_page(page)
    browser.set_online(False)
    browser.set_devices([DeviceInfo("x", "audioinput")])
    browser.leave_page()
    watch.close()
    browser.leave_page()
    assert page.calls == [("online", False), ("device_change",), ("page_hide",)]
    assert [device.device_id for device in await browser.media_devices.enumerate_devices()] == ["x"]
    browser.respond("http://host", FetchResult(200, "ok"))
    browser.respond("http://host/bad", BrowserError("Failed to fetch", "TypeError"))
    browser.respond("http://host/call", lambda request: FetchResult(201, request.headers["a"]))
    assert (await browser.fetch("http://host/x")).text == "ok"
    assert (await browser.fetch("http://host/call", method="PUT", headers={"a": "b"}, body="c")).text == "b"
    with pytest.raises(BrowserError):
        await browser.fetch("http://host/bad")
    assert [request.url for request in browser.fetched] == ["http://host/x", "http://host/call", "http://host/bad"]
    assert [(request.method, request.body) for request in browser.fetched[:2]] == [("GET", None), ("PUT", "c")]


async def test_same_every_time() -> None:
    """Two runs give the same ids, texts and calls."""

    async def run() -> list[object]:
        browser = FakeBrowser()
        with Closer() as closer:
            first, second = closer.peers(browser)
            (track,) = await browser.media_devices.get_user_media({"audio": True})
            closer.add(track)
            first.pc.add_sender(track, SenderInit())
            first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
            offer = await first.pc.create_offer()
            await first.negotiate()
            await settle()
            return [track.id, offer, first.calls, second.calls]

    assert await run() == await run()
