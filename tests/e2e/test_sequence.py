"""The same call at a livekit-server and in the tabs of a browser: the same events, in the same order."""

import asyncio

import pytest

from tests.harness.peers import ParticipantState
from tests.harness.py_peer import PyPeer
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.venues import UNTIL_NO_LOCAL_SERVER, LocalServer, RoomServer

BY_THE_CLOCK = {
    "active_speakers_changed",
    "connection_quality_changed",
    "local_track_cpu_constrained",
    "participant_active",
    "room_updated",
    "token_refreshed",
}
"""What comes when the server gets to it, between whatever else happens."""


async def _call(server: RoomServer, pages: tuple[PythonPage, PythonPage], room: str) -> dict[str, list[str]]:
    """Two of ours meet; each thing that one does is seen by the other before the next. The events of each."""
    ada, ben = PyPeer(pages[0]), PyPeer(pages[1])

    async def ben_sees(what: str, condition: object = None) -> None:
        def check(remote: ParticipantState) -> bool:
            return bool(condition(remote)) if callable(condition) else True

        await ben.wait_remote("ada", check, 15, what)

    await ada.connect(server.url, server.token("ada", room))
    await ben.connect(server.url, server.token("ben", room))
    await ben_sees("presence")
    await ada.wait_remote("ben")

    await ada.set_microphone(True)
    await ben_sees("sound", lambda remote: remote.subscribed("microphone"))
    await ada.wait_event("local_track_subscribed")
    await ada.set_camera(True)
    await ben_sees("picture", lambda remote: remote.subscribed("camera"))
    await ada.wait_for(lambda state: state.local.track("camera") is not None)
    for muted in (True, False):
        await ada.mute("microphone", muted)
        await ben_sees("mute", lambda remote, muted=muted: remote.muted("microphone") is muted)
    await ada.set_name("Ada")
    await ben_sees("name", lambda remote: remote.name == "Ada")
    await ada.set_metadata("of ada")
    await ben_sees("metadata", lambda remote: remote.metadata == "of ada")
    await ada.set_attributes({"hand": "up"})
    await ben_sees("attributes", lambda remote: remote.attributes == {"hand": "up"})
    await ada.publish_data(b"x")
    await ben.wait_data()
    await ben.disconnect()
    await ada.wait_gone("ben")
    await ada.disconnect()
    events = {
        peer.identity: [event.name for event in await peer.events() if event.name not in BY_THE_CLOCK]
        for peer in (ada, ben)
    }
    await asyncio.gather(ada.end(), ben.end())
    return events


@pytest.fixture(params=["chromium", "firefox"])
def pages(request: pytest.FixtureRequest) -> tuple[PythonPage, PythonPage]:
    """Two tabs of each browser in turn."""
    return request.getfixturevalue(f"{request.param}_python"), request.getfixturevalue(f"{request.param}_second")


@pytest.mark.timeout(150)
async def test_the_same_events(pages: tuple[PythonPage, PythonPage], livekit: LiveKitServer, room_name: str) -> None:
    """Of whoever does something, and of whoever sees it."""
    expected = await _call(livekit, pages, room_name)
    found = await _call(LocalServer(), pages, room_name)
    await pages[0].page.evaluate(UNTIL_NO_LOCAL_SERVER)
    assert found == expected
