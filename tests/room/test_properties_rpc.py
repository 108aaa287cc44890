"""Calls through a network that loses, repeats, delays and forges, in a time of its own: an answer or a typed error."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lk_pyodide import RpcError, RpcInvocationData
from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc as core
from lk_pyodide.core import wire
from lk_pyodide.core.rpc import Code
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.incoming_streams import IncomingStreams
from lk_pyodide.outgoing_streams import OutgoingStreams
from lk_pyodide.rpc import Rpc
from tests.room.clock import run

PATIENCE = 20.0
LATEST = core.ACK_TIMEOUT + PATIENCE


@dataclass(frozen=True)
class Fate:
    """What becomes of a packet: how often it arrives, and how many seconds late."""

    copies: int = 1
    delay: float = 0.0


fates = st.builds(Fate, st.sampled_from([1, 1, 1, 0, 2, 3]), st.sampled_from([0.0, 0.0, 0.0, 1.0, 6.0, 8.0, 30.0]))


class Client:
    """What a room is to its calls, with nothing else in it."""

    def __init__(self, network: "Network", name: str, protocol: int) -> None:
        self.network = network
        self.info = m.ParticipantInfo(sid=f"PA_{name}", identity=name, client_protocol=protocol)
        self.streams = IncomingStreams()
        self.server_version = "1.13.5"
        self.session = self
        port: Any = self
        self.rpc = Rpc(port, lambda: self.info, OutgoingStreams(port, lambda: self.info))
        network.clients[name] = self

    async def wait_connected(self) -> None:
        pass

    def recipients(self, identities: Sequence[str]) -> list[m.ParticipantInfo | None]:
        return [self.network.clients[name].info if name in self.network.clients else None for name in identities]

    async def send_packet(self, packet: m.DataPacket) -> None:
        self.network.send(self, packet)

    def receive(self, packet: m.DataPacket) -> None:
        match packet.value:
            case m.RpcRequest() | m.RpcAck() | m.RpcResponse() as value:
                self.rpc.on_packet(packet.participant_identity, value)
            case DataStream.Header() | DataStream.Chunk() | DataStream.Trailer() as value:
                self.streams.on_packet(packet, value)
            case _:
                raise AssertionError("nobody sent that")


class Network:
    """Carries packets between clients, each to its fate; Mallory hears them all, and answers faster."""

    def __init__(self, fates: list[Fate], *, mallory: bool) -> None:
        self.clients: dict[str, Client] = {}
        self._fates = iter(fates)
        self._mallory = mallory

    def send(self, sender: Client, packet: m.DataPacket) -> None:
        fate = next(self._fates, Fate())
        data = wire.encode_packet(packet)
        if self._mallory:
            self._forge(packet)
        loop = asyncio.get_running_loop()
        for _ in range(fate.copies):
            if fate.delay:
                loop.call_later(fate.delay, self._arrive, sender.info, packet, data)
            else:
                loop.call_soon(self._arrive, sender.info, packet, data)

    def _arrive(self, sender: m.ParticipantInfo, packet: m.DataPacket, data: bytes) -> None:
        signed = wire.decode_packet(wire.readdress_packet(data, sender.identity, sender.sid, is_reliable=True))
        for name in packet.destination_identities:
            if name in self.clients:
                self.clients[name].receive(signed)

    def _forge(self, packet: m.DataPacket) -> None:
        match packet.value:
            case m.RpcRequest(request_id):
                pass
            case DataStream.Header(attributes=attributes):
                request_id = core.request_of(attributes)
            case _:
                return
        mallory = m.ParticipantInfo("PA_mallory", "mallory")
        header = DataStream.Header(
            "forged",
            topic=core.RESPONSE_TOPIC,
            attributes=core.response_attributes(request_id),
            text_header=DataStream.TextHeader(),
            inline_content=b"forged",
        )
        for value in (m.RpcAck(request_id), m.RpcResponse(request_id, payload="forged"), header):
            forged = m.DataPacket(value, participant_identity="ada", destination_identities=tuple(self.clients))
            self._arrive(mallory, forged, wire.encode_packet(forged))


@dataclass(frozen=True)
class Work:
    """What a handler does: after so many seconds it gives the payload back, or something else."""

    seconds: float
    result: str


works = st.builds(
    Work,
    st.sampled_from([0.0, 0.0, 5.0, 19.0, 25.0, 10**6]),
    st.sampled_from(["gives", "gives", "raises", "refuses", "bytes", "surrogate"]),
)
payloads = st.text(st.characters(codec="utf-8"), max_size=20) | st.just("x" * 16_000) | st.just("ab" * 20_000)


async def scenario(calls: list[tuple[str, Work]], network: Network, protocol: int, leaves_after: float | None) -> None:
    ada, bob = (Client(network, name, protocol) for name in ("ada", "bob"))
    runs: dict[str, int] = {}
    loop = asyncio.get_running_loop()

    async def handler(data: RpcInvocationData) -> Any:
        runs[data.request_id] = runs.get(data.request_id, 0) + 1
        number, _, payload = data.payload.partition(":")
        assert payload == calls[int(number)][0] and data.caller_identity == "ada"
        work = calls[int(number)][1]
        await asyncio.sleep(work.seconds)
        match work.result:
            case "raises":
                raise ValueError("secret")
            case "refuses":
                raise RpcError(77, "no", "why")
            case "bytes":
                return b"x"
            case "surrogate":
                return "\ud800"
            case _:
                return payload

    bob.rpc.register("m", handler)

    async def call(number: int) -> tuple[str | RpcError, float]:
        try:
            result: str | RpcError = await ada.rpc.perform("bob", "m", f"{number}:{calls[number][0]}", PATIENCE)
        except RpcError as error:
            result = error
        return result, loop.time()

    if leaves_after is not None:
        loop.call_later(leaves_after, ada.rpc.participant_left, "bob")
        loop.call_later(leaves_after, ada.streams.participant_left, "bob", "PA_bob")
    outcomes = await asyncio.gather(*(call(number) for number in range(len(calls))))
    for (payload, work), (outcome, when) in zip(calls, outcomes, strict=True):
        check(payload, work, outcome)
        assert when <= LATEST, "in time"
    assert all(count == 1 for count in runs.values()), "a copy of a call is not a call"
    assert not ada.rpc._calls
    await nothing_runs(ada, bob)


def check(payload: str, work: Work, outcome: str | RpcError) -> None:
    """Bob's own answer, or an error that says why there is none; nothing of Mallory's, and no secret."""
    if isinstance(outcome, str):
        assert work.result == "gives" and outcome == payload and work.seconds < PATIENCE
        return
    text = f"{outcome} {outcome.data}"
    assert "forged" not in text and "secret" not in text
    if outcome.code == 77:
        assert work.result == "refuses"
    elif outcome.code == Code.APPLICATION_ERROR:
        assert work.result in ("raises", "bytes", "surrogate") or outcome.data.startswith("Error reading RPC")
    else:
        allowed = (Code.CONNECTION_TIMEOUT, Code.RESPONSE_TIMEOUT, Code.RECIPIENT_DISCONNECTED)
        assert outcome.code in (*allowed, Code.REQUEST_PAYLOAD_TOO_LARGE, Code.RESPONSE_PAYLOAD_TOO_LARGE)


async def nothing_runs(*clients: Client) -> None:
    """Handlers have their time, and then nothing of a call is left."""
    waiting: list[Awaitable[Any]] = [task for client in clients for task in client.rpc._tasks._tasks]
    if waiting:
        await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 100)
    await asyncio.sleep(60)  # whatever is still on its way arrives
    waiting = [task for client in clients for task in client.rpc._tasks._tasks]
    await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 100)
    for client in clients:
        assert not client.rpc._tasks._tasks and not client.rpc._workload._held


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(payloads, works), min_size=1, max_size=4),
    st.lists(fates, max_size=25),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
    st.none() | st.sampled_from([0.0, 3.0, 10.0]),
)
@example([("x" * 16_000, Work(0.0, "gives"))], [Fate(1, 8.0)], False, 1, None)  # a call's header comes last
@example([("x" * 16_000, Work(0.0, "gives"))], [Fate()] * 5 + [Fate(1, 8.0)], False, 1, None)  # an answer's does
def test_an_answer_or_an_error(
    calls: list[tuple[str, Work]],
    fates: list[Fate],
    mallory: bool,
    protocol: int,
    leaves_after: float | None,
) -> None:
    """Each call ends in time, with bob's answer or a typed error; it runs once at most; and nothing stays behind."""
    run(scenario(calls, Network(fates, mallory=mallory), protocol, leaves_after))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(payloads, st.just(Work(0.0, "gives"))), min_size=1, max_size=4), st.sampled_from([0, 1, 2]))
def test_a_good_network(calls: list[tuple[str, Work]], protocol: int) -> None:
    """Where nothing is lost, the only error there is says that a payload is too large for the old protocol."""
    outcomes: list[str | RpcError] = []

    async def all_is_well() -> None:
        network = Network([], mallory=True)
        ada, bob = (Client(network, name, protocol) for name in ("ada", "bob"))
        bob.rpc.register("m", lambda data: data.payload)
        for payload, _ in calls:
            try:
                outcomes.append(await ada.rpc.perform("bob", "m", payload, None))
            except RpcError as error:
                outcomes.append(error)

    run(all_is_well())
    for (payload, _), outcome in zip(calls, outcomes, strict=True):
        if isinstance(outcome, RpcError):
            assert outcome.code == Code.REQUEST_PAYLOAD_TOO_LARGE and protocol == 0 and len(payload) > core.MAX_PAYLOAD
        else:
            assert outcome == payload
