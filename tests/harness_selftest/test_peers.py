"""The peers see and hear one another through the real server."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser
from tests.harness.peers import Peer
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer


async def _meet(server: LiveKitServer, room: str, **peers: Peer) -> None:
    for identity, peer in peers.items():
        await peer.connect(server.url, server.token(identity, room))
    for identity, peer in peers.items():
        for other in peers:
            if other != identity:
                await peer.wait_remote(other)


async def _see_and_hear(watcher: Peer, identity: str) -> None:
    video = await watcher.wait_video(identity, "camera")
    assert video.width > 100
    assert video.height > 100
    assert await watcher.wait_audio(identity) > 0.005


async def test_js_and_rust_see_and_hear_each_other(
    livekit: LiveKitServer, room_name: str, js_peer: JsPeer, rust_peer: Callable[[], RustPeer]
) -> None:
    """Presence, moving pictures, sound, mute, leaving."""
    rust = rust_peer()
    await _meet(livekit, room_name, js=js_peer, rust=rust)
    for peer in (js_peer, rust):
        await peer.set_camera(True)
        await peer.set_microphone(True)
    await asyncio.gather(_see_and_hear(js_peer, "rust"), _see_and_hear(rust, "js"))

    await rust.mute("microphone")
    await js_peer.mute("camera")
    await js_peer.wait_remote("rust", lambda rust: rust.muted("microphone"), what="microphone muted")
    await rust.wait_remote("js", lambda js: js.muted("camera"), what="camera muted")
    await js_peer.wait_silence("rust")

    await js_peer.disconnect()
    assert await rust.wait_gone("js") < 2


async def test_js_and_rust_exchange_data_and_names(
    livekit: LiveKitServer, room_name: str, js_peer: JsPeer, rust_peer: Callable[[], RustPeer]
) -> None:
    """Data with topic and reliability, both ways and from the server; name, metadata, attributes."""
    rust = rust_peer()
    await _meet(livekit, room_name, js=js_peer, rust=rust)
    for sender, receiver in ((js_peer, rust), (rust, js_peer)):
        await sender.publish_data(b"\x00\xffhello", topic="greeting", identities=[receiver.identity])
        message = await receiver.wait_data(lambda message: message.topic == "greeting")
        assert (message.data, message.reliable, message.sender) == (b"\x00\xffhello", True, sender.identity)
        await sender.publish_data(b"perhaps", reliable=False, topic="lossy")
        assert not (await receiver.wait_data(lambda message: message.topic == "lossy")).reliable
        await sender.set_name(f"{sender.make} speaking")
        await sender.set_metadata("about me")
        await sender.set_attributes({"mood": "fine"})
        seen = await receiver.wait_remote(sender.identity, lambda remote: remote.attributes, what="attributes")
        assert (seen.name, seen.metadata, seen.attributes) == (f"{sender.make} speaking", "about me", {"mood": "fine"})

    await livekit.api.send_data(room_name, b"all", topic="server")
    for peer in (js_peer, rust):
        assert (await peer.wait_data(lambda message: message.topic == "server")).sender == ""


async def test_server_side_calls(livekit: LiveKitServer, room_name: str, js_peer: JsPeer) -> None:
    """RoomService: list, mute, update, remove."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name, name="J", attributes={"a": "1"}))
    await js_peer.set_microphone(True)
    state = await js_peer.wait_for(lambda state: state.local.track("microphone"))
    microphone = state.local.track("microphone")
    assert microphone is not None
    listed = await livekit.api.participants(room_name)
    assert [track.sid for track in listed["js"].tracks] == [microphone.sid]

    await livekit.api.mute_track(room_name, "js", microphone.sid)
    await js_peer.wait_for(lambda state: state.local.muted("microphone"), what="muted by the server")
    await livekit.api.update_participant(room_name, "js", name="Jay", attributes={"a": "2"})
    await js_peer.wait_for(lambda state: (state.local.name, state.local.attributes) == ("Jay", {"a": "2"}))
    await livekit.api.remove_participant(room_name, "js")
    await js_peer.wait_for(lambda state: state.state == "disconnected", what="removed")
    await js_peer.wait_event("disconnected")


async def test_livekit_client_in_firefox(
    livekit: LiveKitServer,
    room_name: str,
    firefox: Browser,
    open_js_peer: Callable[[Browser], Awaitable[JsPeer]],
    rust_peer: Callable[[], RustPeer],
) -> None:
    """Firefox sends and receives too, and closing its page is seen at once."""
    peer, rust = await open_js_peer(firefox), rust_peer()
    await _meet(livekit, room_name, fox=peer, rust=rust)
    for each in (peer, rust):
        await each.set_camera(True)
        await each.set_microphone(True)
    await asyncio.gather(_see_and_hear(peer, "rust"), _see_and_hear(rust, "fox"))
    await peer.page.close()
    assert await rust.wait_gone("fox") < 2


async def test_closing_a_chromium_page_is_seen(
    livekit: LiveKitServer,
    room_name: str,
    chromium: Browser,
    open_js_peer: Callable[[Browser], Awaitable[JsPeer]],
    rust_peer: Callable[[], RustPeer],
) -> None:
    """A real page close fires pagehide, so the leave message goes out; screen share works headless."""
    peer, rust = await open_js_peer(chromium), rust_peer()
    await _meet(livekit, room_name, js=peer, rust=rust)
    await peer.set_screen_share(True)
    assert (await rust.wait_video("js", "screen_share")).width > 100
    await peer.page.close()
    assert await rust.wait_gone("js") < 2
