"""Readers and channels, in a time of their own: whatever comes, and whoever gives up, nobody waits for ever."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lk_pyodide import DataStreamError, PublishDataError, RoomDisconnectedError, TextStreamReader
from lk_pyodide.browser.api import DataChannelHandler
from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.errors import BrowserError
from lk_pyodide.incoming_streams import IncomingStreams
from lk_pyodide.session.channels import Channels
from lk_pyodide.types import DataPacketKind
from tests.room.clock import run

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)
names = st.sampled_from("ab")
people = st.sampled_from(["ada", "bob"])
headers = st.builds(
    DataStream.Header,
    names,
    topic=st.sampled_from(["t", "nobody's"]),
    total_length=st.none() | st.sampled_from([0, 4, 2**64 - 1]),
    text_header=st.builds(DataStream.TextHeader),
    inline_content=st.none() | st.binary(max_size=5),
    compression=st.sampled_from([0, 0, 0, 1, 2]),
)
chunks = st.builds(DataStream.Chunk, names, st.integers(0, 3), st.sampled_from([b"", b"ab", b"\xff", b"\xc3"]))
trailers = st.builds(DataStream.Trailer, names, st.sampled_from(["", "tired"]))


@quick
@given(st.lists(st.tuples(headers | chunks | chunks | trailers, people, st.integers(0, 2)), max_size=40))
def test_every_reader_comes_to_an_end(packets: list[tuple[Any, str, int]]) -> None:
    """With a text or a typed error, once everybody has left; whatever was said, and by whom."""

    async def read() -> None:
        streams = IncomingStreams()
        ends: list[str] = []
        begun: list[TextStreamReader] = []

        async def take(reader: TextStreamReader, _: str) -> None:
            begun.append(reader)
            try:
                ends.append(await reader.read_all())
            except DataStreamError as error:
                ends.append(error.reason.name)

        streams.texts.register("t", take)
        for value, sender, pause in packets:
            packet = m.DataPacket(value, participant_identity=sender, participant_sid=f"PA_{sender}")
            streams.on_packet(packet, value)
            await asyncio.sleep(pause)
        streams.participant_left("ada", "PA_ada")
        streams.left(RoomDisconnectedError("over"))
        await asyncio.gather(*streams._tasks._tasks)
        assert len(ends) == len(begun)
        assert not any(reader._assembly._kept for reader in begun)

    run(read())


class Wire:
    """A data channel that takes what it is given, as slowly as it likes, and may break."""

    def __init__(self, label: str, handler: DataChannelHandler) -> None:
        self.label = label
        self.handler = handler
        self.sent: list[bytes] = []
        self.buffered_amount = 0
        self.is_broken = self.is_closed = False

    def set_buffered_amount_low_threshold(self, size: int) -> None:
        self.threshold = size

    def send(self, data: bytes) -> None:
        if self.is_broken:
            raise BrowserError("broken", "OperationError")
        self.sent.append(data)
        self.buffered_amount += len(data)
        asyncio.get_running_loop().call_later(0.5, self._drain, len(data))

    def _drain(self, size: int) -> None:
        if self.is_closed:
            return
        before, self.buffered_amount = self.buffered_amount, self.buffered_amount - size
        if before > self.threshold >= self.buffered_amount:
            self.handler.on_buffered_amount_low()


class Wires:
    """What makes them."""

    def __init__(self) -> None:
        self.made: dict[str, Wire] = {}

    def create_data_channel(self, label: str, init: object, handler: DataChannelHandler) -> Wire:
        self.made[label] = Wire(label, handler)
        return self.made[label]


class Heard:
    def __init__(self) -> None:
        self.packets: list[m.DataPacket] = []

    def on_packet(self, packet: m.DataPacket) -> None:
        self.packets.append(packet)

    def on_track_packet(self, data: bytes) -> None: ...

    def on_buffer_status(self, kind: DataPacketKind, *, is_low: bool) -> None: ...


actions = st.one_of(
    st.tuples(st.just("send"), st.sampled_from([10, 60_000, 70_000])),
    st.tuples(st.just("burst"), st.just(60_000)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 2.0])),
    st.tuples(st.just("open"), st.just(0)),
)


@quick
@given(
    st.lists(actions, max_size=30),
    st.sampled_from(["goes on", "closes", "breaks"]),
)
def test_what_is_sent_is_sent_once_and_in_order(script: list[tuple[str, Any]], end: str) -> None:
    """Whoever gives up takes nothing with it; the numbers have no gap; and everybody who waits hears of the end."""

    async def send() -> None:
        channels, wires = Channels(Heard()), Wires()
        channels.create(wires)  # type: ignore[arg-type]
        channel = wires.made["_reliable"]
        sending: list[asyncio.Task[None]] = []
        for what, value in [*script, ("open", 0)]:
            if what in ("send", "burst"):
                for _ in range(1 if what == "send" else 25):
                    packet = m.DataPacket(m.UserPacket(payload=b"%d " % len(sending) + bytes(value)))
                    sending.append(asyncio.create_task(channels.send(packet)))
                    await asyncio.sleep(0)
            elif what == "cancel" and value < len(sending):
                sending[value].cancel()
            elif what == "wait":
                await asyncio.sleep(value)
            elif what == "open":
                channel.handler.on_open()
            assert channel.buffered_amount <= 1024 * 1024 + 64_000
        if end == "breaks":
            channel.is_broken = True
        elif end == "closes":
            channel.is_closed = True
            channels.close(RoomDisconnectedError("over"))
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        sent = [wire.decode_packet(data) for data in channel.sent]
        assert [packet.sequence for packet in sent] == list(range(1, len(sent) + 1))
        numbers = [int(packet.value.payload.split()[0]) for packet in sent if isinstance(packet.value, m.UserPacket)]
        assert numbers == [number for number, outcome in enumerate(outcomes) if outcome is None]
        kinds = (PublishDataError, RoomDisconnectedError, asyncio.CancelledError, TimeoutError)
        assert all(outcome is None or isinstance(outcome, kinds) for outcome in outcomes)
        if end == "goes on" and not any(what in ("cancel", "wait") for what, _ in script):
            sizes = [size for what, size in script for _ in range({"send": 1, "burst": 25}.get(what, 0))]
            assert len(numbers) == sum(size < 64_000 for size in sizes)

    run(send())


@quick
@given(
    st.lists(st.tuples(people, st.integers(1, 6)) | st.binary(max_size=30) | st.text(max_size=5), max_size=40),
    st.sampled_from(["_reliable", "_lossy", "_data_track"]),
)
def test_what_comes_is_a_packet_or_is_dropped(arrivals: list[Any], label: str) -> None:
    """Each numbered packet once and in order, rubbish or not in between; nothing is raised into the browser."""

    async def receive() -> None:
        heard = Heard()
        channels = Channels(heard)
        expected: dict[str, list[int]] = {"PA_ada": [], "PA_bob": []}
        for arrival in arrivals:
            if isinstance(arrival, tuple):
                name, number = arrival
                packet = m.DataPacket(m.UserPacket(), participant_sid=f"PA_{name}", sequence=number)
                channels.receive(label, wire.encode_packet(packet))
                if number > max(expected[f"PA_{name}"], default=0) and label != "_data_track":
                    expected[f"PA_{name}"].append(number)
            else:
                channels.receive(label, arrival)
        for sid, numbers in expected.items():
            assert [packet.sequence for packet in heard.packets if packet.participant_sid == sid] == numbers

    run(receive())
