"""What another tab of the origin may say on the channel, and what comes of it: nothing, for the others."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from lk_pyodide import AccessToken, DataReceived, Event, Room, VideoGrants
from lk_pyodide.browser.api import PeerConnection
from lk_pyodide.browser.fake import FakeNetwork
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.errors import BrowserError, ConnectError
from lk_pyodide.local import frames
from lk_pyodide.local.frames import EVERYONE, MAX_FRAME, Frame
from lk_pyodide.testing import FakeBrowser
from tests.local.conftest import token

JOIN = m.JoinRequest(connection_settings=m.ConnectionSettings(auto_subscribe=True))
GOOD = f"/rtc/v1?access_token={token('rogue')}&join_request={wire.encode_join_request(JOIN)}".encode()


class Rogue:
    """A tab that speaks on the channel as it likes, and hears all."""

    def __init__(self, network: FakeNetwork) -> None:
        self.name = secrets.token_hex(8)
        self.heard: list[Frame] = []
        self._browser = FakeBrowser(network=network)
        self._channel = self._browser.open_broadcast_channel(frames.channel_of(""), self)

    def on_broadcast(self, data: bytes) -> None:
        frame = frames.decode(data)
        assert frame is not None
        self.heard.append(frame)

    def post(self, data: bytes) -> None:
        self._channel.post(data)

    def say(self, to: str, kind: str, payload: bytes = b"") -> None:
        self.post(Frame(self.name, to, kind, payload).encode())

    async def enter(self) -> str:
        """Join by the rules, as a client of one's own; the host's name."""
        self.lock = await self._browser.request_lock(frames.lock_of(self.name))
        self.say(EVERYONE, frames.OPEN, GOOD)
        await settle()
        return next(frame.sender for frame in self.heard if frame.to == self.name)

    def get(self, kind: str) -> list[Frame]:
        return [frame for frame in self.heard if frame.to == self.name and frame.kind == kind]

    async def close(self) -> None:
        self._channel.close()
        await self._browser.aclose()


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class Call:
    """Ada, who is the host, Ben, and a rogue; what the two hear of one another."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.browsers = [FakeBrowser(network=self.network) for _ in range(2)]
        self.ada, self.ben = (Room(browser=browser) for browser in self.browsers)
        self.rogue = Rogue(self.network)
        self.events: list[str] = []

    async def begin(self) -> None:
        for room, name in ((self.ada, "ada"), (self.ben, "ben")):
            await room.connect("local://", token(name))
        await settle()
        for room in (self.ada, self.ben):
            for event in room._known.values():
                room.on(event, self._happened)

    def _happened(self, event: Event) -> None:
        if event.event_name != "connection_quality_changed":
            self.events.append(event.event_name)

    async def check(self) -> None:
        """The two are as they were."""
        await settle()
        assert self.events == []
        heard = asyncio.ensure_future(self.ben.wait_for(DataReceived, timeout=5))
        await asyncio.sleep(0)
        await self.ada.local_participant.publish_data(b"still here")
        assert (await heard).packet.data == b"still here"
        self.events.clear()


@pytest_asyncio.fixture(loop_scope="session")
async def call(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Call]:
    made = Call()
    await made.begin()
    with caplog.at_level(logging.WARNING):
        yield made
        await made.check()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    await made.rogue.close()
    for room in (made.ben, made.ada):
        await room.disconnect()
    await asyncio.sleep(0.05)  # the host closes what it had
    for browser in made.browsers:
        assert browser.get_open() == []
        await browser.aclose()


MALFORMED = {
    "nothing": b"",
    "no line": b"[]",
    "no JSON": b"{\n",
    "no list": b'"host"\n',
    "too few": b'["a", "*"]\n',
    "too many": b'["a", "*", "host", "x"]\n',
    "no texts": b'["a", "*", 1]\n',
    "deep": b"[" * 100_000 + b"\n",
    "no UTF-8": b'["\xff", "*", "host"]\n',
    "a long name": b'["' + b"a" * 200 + b'", "*", "open"]\n',
    "nobody": b'["", "*", "open"]\n',
    "everybody": b'["*", "*", "open"]\n',
    "too large": Frame("a", EVERYONE, frames.OPEN, bytes(MAX_FRAME)).encode(),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_frames(call: Call, data: bytes) -> None:
    assert frames.decode(data) is None
    call.rogue.post(data)


async def test_somebody_says_that_he_is_the_host(call: Call) -> None:
    """An accidental second one: whoever is in stays where it is."""
    for _ in range(3):
        call.rogue.say(EVERYONE, frames.HOST)
    await settle()


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_are_a_frame_or_none(data: bytes) -> None:
    frame = frames.decode(data)
    if frame is not None:
        assert frames.decode(frame.encode()) == frame


@given(sender=st.text(min_size=1, max_size=10).filter(lambda text: text != EVERYONE), payload=st.binary())
def test_frames_come_back(sender: str, payload: bytes) -> None:
    frame = Frame(sender, "ä", "kind", payload)
    assert frames.decode(frame.encode()) == frame


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (b"", "404"),
        (b"http://[", "404"),
        (b"/rtc", "404"),
        (b"/rtc/v1", "401"),
        (b"/rtc/v1?access_token=nonsense", "401"),
        (b"/rtc/v1?access_token=" + b"." * 100_000, "401"),
        (b"/rtc/v1?access_token=" + AccessToken("devkey", "other").with_identity("x").to_jwt().encode(), "401"),
        (b"/rtc/v1?access_token=" + token("rogue").encode(), "400"),
        (b"/rtc/v1?access_token=" + token("rogue").encode() + b"&join_request=AAAA", "400"),
        (b"\xff\xfe", "404"),
    ],
)
async def test_who_is_not_let_in(call: Call, address: bytes, status: str) -> None:
    call.rogue.say(EVERYONE, frames.OPEN, address)
    await settle()
    (refused,) = call.rogue.get(frames.REFUSED)
    assert refused.payload.split()[0].decode() == status


@pytest.mark.parametrize("kind", [frames.DATA, frames.CLOSE, frames.OPENED, frames.REFUSED, "unknown"])
async def test_who_has_not_been_let_in(call: Call, kind: str) -> None:
    leave = wire.encode_request(m.LeaveRequest())
    for to in (EVERYONE, "nobody", *{frame.sender for frame in call.rogue.heard}):
        call.rogue.say(to, kind, leave)


async def test_who_has_been_let_in_may_say_what_it_likes(call: Call) -> None:
    """It hurts itself, not the others."""
    host = await call.rogue.enter()
    assert call.rogue.get(frames.OPENED)
    await settle()
    call.events.clear()
    for payload in (
        b"",
        b"\xff" * 100,
        wire.encode_request(m.SessionDescription("answer", "v=0")),
        wire.encode_request(m.TrickleRequest("no JSON")),
        wire.encode_request(m.TrickleRequest("[" * 10_000)),
        wire.encode_request(m.AddTrackRequest("x" * 10_000)),
        wire.encode_request(m.UpdateSubscription(("TR_none",) * 1000, True)),
        wire.encode_request(m.SubscriptionPermission()),
        wire.encode_request(m.UpdateDataSubscription((m.UpdateDataSubscription.Update("x", True),))),
        _raw_request("sync_state"),
        _raw_request("simulate"),
        _raw_request("track_setting"),
        _raw_request("update_layers"),
    ):
        call.rogue.say(host, frames.DATA, payload)
        await settle()
    call.rogue.say(host, frames.OPEN, b"again")
    await settle()
    assert call.rogue.get(frames.CLOSE) == [], "nothing of that ends its connection"
    await call.check()
    call.rogue.say(host, frames.CLOSE, b"1000 ")
    await settle()
    assert call.events == ["participant_disconnected"] * 2
    call.events.clear()


def _raw_request(field: str) -> bytes:
    request = wire._message_class("SignalRequest")()
    getattr(request, field).SetInParent()
    data: bytes = request.SerializeToString()
    return data


async def test_an_offer_that_is_none(call: Call) -> None:
    call.browsers[0].refuse_sdp = lambda text: "nonsense" in text
    host = await call.rogue.enter()
    call.events.clear()
    call.rogue.say(host, frames.DATA, wire.encode_request(m.SessionDescription("offer", "nonsense")))
    await settle()
    assert len(call.rogue.get(frames.CLOSE)) == 1
    assert call.events == ["participant_disconnected"] * 2
    call.events.clear()


async def test_who_has_no_lock_is_gone(call: Call) -> None:
    call.rogue.say(EVERYONE, frames.OPEN, GOOD)
    await settle()
    assert [frame.kind for frame in call.rogue.heard if frame.to == call.rogue.name][-1] == frames.CLOSE
    call.events.clear()


async def test_a_browser_that_makes_no_more_connections(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> PeerConnection:
        raise BrowserError("Cannot create so many PeerConnections", "UnknownError")

    browser = FakeBrowser(network=call.network)
    room = Room(browser=browser)
    with monkeypatch.context() as patch:
        patch.setattr(call.browsers[0], "new_peer_connection", refuse)
        with pytest.raises(ConnectError) as caught:
            await room.connect("local://", token("eve"))
        assert caught.value.status == 503
        alone = AccessToken().with_identity("eve").with_grants(VideoGrants(room_join=True, room="another")).to_jwt()
        with pytest.raises(ConnectError):
            await room.connect("local://", alone)
    await room.disconnect()
    assert browser.get_open() == []
    await browser.aclose()
