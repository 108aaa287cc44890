"""The server of the room tests: answers joins, offers and tracks, and says whatever else a test wants said."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from lk_pyodide.browser.api import DataChannel, DataChannelHandler, RtcConfig, TrackArrival
from lk_pyodide.browser.api import SessionDescription as Description
from lk_pyodide.browser.fake.peer import FakePeerConnection
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.testing import FakeBrowser, FakeServerSocket
from lk_pyodide.types import ParticipantPermission, ParticipantState, ServerInfo, TrackKind, TrackSource

URL = "ws://fake"
T = TypeVar("T")


def participant(identity: str, *tracks: m.TrackInfo, version: int = 1, **values: object) -> m.ParticipantInfo:
    """Somebody in the room."""
    return m.ParticipantInfo(
        sid=f"PA_{identity}",
        identity=identity,
        tracks=tracks,
        version=version,
        state=ParticipantState.ACTIVE,
        **values,  # type: ignore[arg-type]
    )


def track(sid: str, source: TrackSource = TrackSource.CAMERA, **values: object) -> m.TrackInfo:
    """Something that somebody publishes."""
    kind = TrackKind.AUDIO if source in (TrackSource.MICROPHONE, TrackSource.SCREENSHARE_AUDIO) else TrackKind.VIDEO
    return m.TrackInfo(sid=sid, type=kind, source=source, **values)  # type: ignore[arg-type]


class Server:
    """One room's server, on the fake network.

    Attributes:
        browser: the page of the client.
        received: what the client has said, in order.
        others: who is there when the client joins.
        permission: what the client may do.
        version: the server's own.
        codecs: mime types of what it takes.
        answers_tracks: whether an AddTrackRequest is answered.
        refused_sources: from where no track is taken.
        unanswered_sources: of whose tracks nothing is said.
        answers_data_tracks: whether a request about one of ours is answered.
        refused_data_tracks: the names of those that are not taken, with the reason.
        grants_data_tracks: whether the data tracks of others are given when they are asked for.
        tokens: what the client joined with, in order.
        asked: what it asked for when it joined, the last time.
        ping: interval and timeout, in seconds; 0 is none.
        refusals: what is done to the next joins, in order, instead of answering them.
    """

    def __init__(self) -> None:
        self.browser = FakeBrowser()
        self.received: list[m.ClientMessage] = []
        self.packets: list[m.DataPacket] = []
        self.track_packets: list[bytes] = []
        self.media: list[TrackArrival] = []
        self.others: Sequence[m.ParticipantInfo] = ()
        self.permission = ParticipantPermission(
            can_subscribe=True, can_publish=True, can_publish_data=True, can_update_metadata=True
        )
        self.codecs: tuple[str, ...] = ("video/VP8", "audio/opus")
        self.answers_tracks = True
        self.refused_sources: set[TrackSource] = set()
        self.unanswered_sources: set[TrackSource] = set()
        self.answers_data_tracks = True
        self.refused_data_tracks: dict[str, m.RequestReason] = {}
        self.grants_data_tracks = True
        self.handles: dict[str, int] = {}
        self.tokens: list[str] = []
        self.asked = m.ConnectionSettings()
        self.version = "1.13.5"
        self.ping: tuple[int, int] = (0, 0)
        self.joins = 0
        self.refusals: list[Callable[[FakeServerSocket], Awaitable[None]]] = []
        self.pc: FakePeerConnection | None = None
        self._page = FakeBrowser(network=self.browser.network)
        self._socket: FakeServerSocket | None = None
        self._channels: dict[str, DataChannel] = {}
        self._numbers = itertools.count(1)
        self._heard = asyncio.Event()
        self._said: list[asyncio.Future[None]] = []
        self.browser.serve(f"{URL}/rtc/v1", self._serve)

    async def _serve(self, socket: FakeServerSocket) -> None:
        if self.refusals:
            await self.refusals.pop(0)(socket)
            return
        self._socket = socket
        self.joins += 1
        query = parse_qs(urlsplit(socket.url).query)
        self.tokens += query["access_token"]
        request = wire.decode_join_request(query["join_request"][0])
        self.pc = self._page.new_peer_connection(RtcConfig(), self)
        await socket.send(self.welcome())
        assert request.publisher_offer is not None
        assert request.connection_settings is not None
        self.asked = request.connection_settings
        await self._answer(request.publisher_offer)
        async for data in socket:
            assert isinstance(data, bytes)
            message = wire.decode_request(data)
            if message is not None:
                await self._take(message)
                self.received.append(message)
                self._heard.set()

    def welcome(self) -> bytes:
        """The server's first message."""
        join = m.JoinResponse(
            room=m.Room(sid="RM_1", name="fake"),
            participant=m.ParticipantInfo(sid=f"PA_me{self.joins}", identity="me", permission=self.permission),
            server_info=ServerInfo(version=self.version),
            ping_interval=self.ping[0],
            ping_timeout=self.ping[1],
            enabled_publish_codecs=tuple(map(m.Codec, self.codecs)),
        )
        return wire.encode_response(join, self.others)

    async def _take(self, message: m.ClientMessage) -> None:
        match message:
            case m.SessionDescription(type="offer"):
                await self._answer(message)
            case m.TrickleRequest():
                assert self.pc is not None
                self.pc.add_ice_candidate(message.candidateInit)
            case m.AddTrackRequest() if message.source in self.refused_sources:
                await self.say(m.RequestResponse(0, m.RequestReason.NOT_ALLOWED, "not you", add_track=message))
            case m.AddTrackRequest() if self.answers_tracks and message.source not in self.unanswered_sources:
                sid = message.sid or f"TR_{next(self._numbers)}"
                info = m.TrackInfo(sid, message.type, source=message.source, name=message.name)
                await self.say(m.TrackPublishedResponse(message.cid, info))
            case m.PublishDataTrackRequest(name=name) if name in self.refused_data_tracks:
                refusal = m.RequestResponse(0, self.refused_data_tracks[name], "not that", publish_data_track=message)
                await self.say(refusal)
            case m.PublishDataTrackRequest() if self.answers_data_tracks:
                published = m.DataTrackInfo(message.pub_handle, f"DTR_{next(self._numbers)}", message.name)
                await self.say(m.PublishDataTrackResponse(published))
            case m.UnpublishDataTrackRequest() if self.answers_data_tracks:
                await self.say(m.UnpublishDataTrackResponse(m.DataTrackInfo(message.pub_handle)))
            case m.UpdateDataSubscription() if self.grants_data_tracks:
                for update in message.updates:
                    if update.subscribe:
                        self.handles[update.track_sid] = next(self._numbers)
                    else:
                        self.handles.pop(update.track_sid, None)
                await self.say_handles()
            case m.UpdateParticipantMetadata():
                await self.say(
                    m.ParticipantUpdate(
                        (
                            m.ParticipantInfo(
                                sid=f"PA_me{self.joins}",
                                identity="me",
                                name=message.name,
                                metadata=message.metadata,
                                attributes=message.attributes,
                                version=next(self._numbers),
                                permission=self.permission,
                            ),
                        )
                    )
                )
            case _:
                pass

    async def _answer(self, offer: m.SessionDescription) -> None:
        assert self.pc is not None
        await self.pc.set_remote_description(Description("offer", offer.sdp))
        answer = await self.pc.create_answer()
        await self.pc.set_local_description(Description("answer", answer))
        await self.say(m.SessionDescription("answer", answer, offer.id))

    # -- what tests say and ask --

    async def say(self, message: m.ServerMessage) -> None:
        """Say something to the client."""
        assert self._socket is not None
        await self._socket.send(wire.encode_response(message))

    async def say_bytes(self, data: bytes | str) -> None:
        """Say anything."""
        assert self._socket is not None
        await self._socket.send(data)

    def break_connection(self) -> None:
        """The WebSocket breaks."""
        assert self._socket is not None
        self._socket.drop()

    def send_packet(self, packet: m.DataPacket) -> None:
        """Send data to the client."""
        self._channels["_reliable"].send(wire.encode_packet(packet))

    def send_raw(self, data: bytes) -> None:
        """Send what is no packet."""
        self._channels["_reliable"].send(data)

    async def say_handles(self) -> None:
        """Say which handle means which data track."""
        named = {
            handle: m.DataTrackSubscriberHandles.PublishedDataTrack(track_sid=sid)
            for sid, handle in self.handles.items()
        }
        await self.say(m.DataTrackSubscriberHandles(named))

    def send_track_packet(self, data: bytes) -> None:
        """Send a packet of a data track to the client, or anything."""
        self._channels["_data_track"].send(data)

    async def heard(self, kind: type[T], count: int = 1) -> T:
        """Wait until the client has said so many of a kind; the last one."""
        while len(found := [message for message in self.received if isinstance(message, kind)]) < count:
            self._heard.clear()
            await asyncio.wait_for(self._heard.wait(), 5)
        return found[-1]

    async def send_media(self, identity: str, sid: str, kind: str = "video") -> None:
        """Send somebody's media in one of the sections that the client offered."""
        assert self.pc is not None
        section = next(t for t in self.pc.transceivers if t.kind == kind and t.sender is None and not t.is_receiving)
        native = self._page.make_track("audio" if kind == "audio" else "video")
        self.pc.send_on(section.mid, self._page.adopt_track(native), stream_id=f"PA_{identity}|{sid}", track_id=sid)
        await self.say(m.MediaSectionsRequirement())  # has the client offer anew

    # -- from the server's peer connection --

    def on_connection_state(self, state: str) -> None: ...

    def on_ice_candidate(self, candidate: str) -> None:
        self._said.append(asyncio.ensure_future(self.say(m.TrickleRequest(candidate))))

    def on_track(self, arrival: TrackArrival) -> None:
        self.media.append(arrival)

    def on_data_channel(self, channel: DataChannel) -> DataChannelHandler:
        self._channels[channel.label] = channel
        return _Packets(self, channel.label)


class _Packets:
    def __init__(self, server: Server, label: str) -> None:
        self._server = server
        self._label = label

    def on_open(self) -> None: ...

    def on_message(self, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        if self._label == "_data_track":
            self._server.track_packets.append(data)
        else:
            self._server.packets.append(wire.decode_packet(data))

    def on_buffered_amount_low(self) -> None: ...

    def on_close(self) -> None: ...


async def until(condition: Callable[[], object], turns: int = 300) -> None:
    """Let the loop turn until a condition holds."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    for _ in range(50):
        if condition():
            return
        await asyncio.sleep(0.02)  # the negotiation debounce is a real 20 ms
    raise AssertionError("it did not come to that")
