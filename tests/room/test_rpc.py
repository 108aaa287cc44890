"""Remote procedure calls, with a server that plays everybody else."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from lk_pyodide import DisconnectReason, Room, RoomDisconnectedError, RpcError, RpcInvocationData, UsageError, rpc
from lk_pyodide import UnexpectedConnectionState as NotConnected
from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc as core
from lk_pyodide.core.rpc import Code
from lk_pyodide.types import ParticipantState
from tests.room.server import URL, Server, participant, until

T = TypeVar("T")
Answers = Sequence[m.PacketValue]
ADA_LEFT = m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9)


async def join(room: Room, server: Server) -> None:
    """Join ada and bob."""
    server.others = [participant("ada"), participant("bob")]
    await room.connect(URL, "token")


async def sent(server: Server, kind: type[T], count: int = 1) -> list[T]:
    """Wait until we have sent so many packets of a kind."""

    def found() -> list[T]:
        return [packet.value for packet in server.packets if isinstance(packet.value, kind)]

    await until(lambda: len(found()) >= count)
    return found()


def say(server: Server, *values: m.PacketValue, sender: str = "ada") -> None:
    """Somebody sends packets."""
    for value in values:
        server.send_packet(m.DataPacket(value, participant_identity=sender))


def nothing_waits(room: Room) -> bool:
    """Whether calls have left nothing behind."""
    return not room.local_participant._rpc._calls


# -- calling -----------------------------------------------------------------------------------------------------------


def call(room: Room, method: str = "greet", payload: str = "hi", **how: Any) -> asyncio.Task[str]:
    """Call a method of ada's."""
    me = room.local_participant
    how = {"destination_identity": "ada", **how}
    return asyncio.create_task(me.perform_rpc(method=method, payload=payload, **how))


async def failed(calling: asyncio.Task[str]) -> int:
    """How a call failed."""
    with pytest.raises(RpcError) as caught:
        await asyncio.wait_for(calling, 5)
    assert caught.value.message == core.TEXTS[Code(caught.value.code)]
    return caught.value.code


async def test_a_call(room: Room, server: Server) -> None:
    """What is sent, to whom, and the answer."""
    await join(room, server)
    calling = call(room, payload="häi", response_timeout=10)
    [request] = await sent(server, m.RpcRequest)
    assert request == m.RpcRequest(request.id, "greet", "häi", 10_000, 1)
    assert len(request.id) >= 32
    packet = server.packets[0]
    assert (packet.destination_identities, packet.participant_identity) == (("ada",), "me")
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, payload="hello 🦊"))
    assert await calling == "hello 🦊"
    assert nothing_waits(room)


async def test_many_calls_at_a_time(room: Room, server: Server) -> None:
    """Each gets its own answer, in whatever order they come; who answers need not have said ack."""
    await join(room, server)
    calls = [call(room, payload=str(number)) for number in range(50)]
    requests = await sent(server, m.RpcRequest, 50)
    assert len({request.id for request in requests}) == 50
    say(server, *(m.RpcResponse(request.id, payload=f"re {request.payload}") for request in reversed(requests)))
    assert await asyncio.gather(*calls) == [f"re {number}" for number in range(50)]


async def test_the_others_error(room: Room, server: Server) -> None:
    """Its code, message and data arrive as they are."""
    await join(room, server)
    calling = call(room)
    [request] = await sent(server, m.RpcRequest)
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, error=m.RpcError(7, "no", "because")))
    with pytest.raises(RpcError) as caught:
        await calling
    assert (caught.value.code, caught.value.message, caught.value.data) == (7, "no", "because")


async def test_nobody_says_ack(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """1501; what others say does not count."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.05)
    await join(room, server)
    calling = call(room)
    [request] = await sent(server, m.RpcRequest)
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, payload="forged"), sender="bob")
    say(server, m.RpcAck("another"), m.RpcResponse("another", payload="x"))
    assert await failed(calling) == Code.CONNECTION_TIMEOUT
    assert nothing_waits(room)
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, payload="late"))
    calling = call(room)
    [_, request] = await sent(server, m.RpcRequest, 2)
    say(server, m.RpcResponse(request.id, payload="forged"), sender="bob")
    say(server, m.RpcResponse(request.id, payload="true"), m.RpcResponse(request.id, payload="second"))
    assert await calling == "true"


async def test_nobody_answers(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """1502 after as long as the caller wanted, acknowledged or not; an ack ends the wait for one."""
    await join(room, server)
    assert await failed(call(room, response_timeout=0.02)) == Code.RESPONSE_TIMEOUT
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.02)
    calling = call(room, response_timeout=0.2)
    [first, request] = await sent(server, m.RpcRequest, 2)
    assert first.response_timeout_ms == request.response_timeout_ms == 8000
    say(server, m.RpcAck(request.id))
    assert await failed(calling) == Code.RESPONSE_TIMEOUT
    assert nothing_waits(room)


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_the_callee_leaves(room: Room, server: Server, acknowledged: bool) -> None:
    """1503 at once; calls of others go on."""
    await join(room, server)
    calling, other = call(room), call(room, destination_identity="bob")
    requests = await sent(server, m.RpcRequest, 2)
    if acknowledged:
        say(server, *(m.RpcAck(request.id) for request in requests))
    await server.say(m.ParticipantUpdate((ADA_LEFT,)))
    assert await failed(calling) == Code.RECIPIENT_DISCONNECTED
    say(server, m.RpcResponse(requests[1].id, payload="still here"), sender="bob")
    assert await other == "still here"


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_we_leave(room: Room, server: Server, acknowledged: bool) -> None:
    """Whoever waits hears that the room is over, and why."""
    await join(room, server)
    calling = call(room)
    [request] = await sent(server, m.RpcRequest)
    if acknowledged:
        say(server, m.RpcAck(request.id))
    await room.disconnect()
    with pytest.raises(RoomDisconnectedError) as caught:
        await calling
    assert caught.value.reason == DisconnectReason.CLIENT_INITIATED
    assert nothing_waits(room)
    with pytest.raises(NotConnected):
        await call(room)


async def test_a_channel_that_takes_nothing(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that cannot even be sent ends after the time for the ack, or with the room."""
    await join(room, server)
    async with room._context.session._require_connection()._channels._out["_reliable"].turn:
        monkeypatch.setattr(core, "ACK_TIMEOUT", 0.02)
        assert await failed(call(room)) == Code.CONNECTION_TIMEOUT
        monkeypatch.undo()
        calling = call(room)
        await until(lambda: room.local_participant._rpc._calls)
        await room.disconnect()
    with pytest.raises(RoomDisconnectedError):
        await calling
    assert server.packets == []
    assert nothing_waits(room)


async def test_a_cancelled_call_leaves_nothing(room: Room, server: Server) -> None:
    """And what is said about it later changes nothing."""
    await join(room, server)
    calling = call(room)
    [request] = await sent(server, m.RpcRequest)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert nothing_waits(room)
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, payload="late"))
    calling = call(room)
    [_, request] = await sent(server, m.RpcRequest, 2)
    say(server, m.RpcResponse(request.id, payload="x"))
    assert await calling == "x"


async def test_what_is_refused_before_it_is_sent(room: Room, server: Server) -> None:
    """Nothing reaches the server."""
    with pytest.raises(NotConnected):
        await call(room)
    await join(room, server)
    assert await failed(call(room, destination_identity="nobody")) == Code.RECIPIENT_NOT_FOUND
    assert await failed(call(room, destination_identity="me")) == Code.RECIPIENT_NOT_FOUND
    assert await failed(call(room, payload="ä" * 7681)) == Code.REQUEST_PAYLOAD_TOO_LARGE
    assert await failed(call(room, method="m" * 64_000)) == Code.SEND_FAILED
    mistakes: list[dict[str, Any]] = [
        {"payload": b"x"},
        {"payload": "\ud800"},
        {"method": "\ud800"},
        {"response_timeout": 0},
    ]
    for mistake in mistakes:
        with pytest.raises(UsageError):
            await call(room, **mistake)
    await room.disconnect()
    server.version = "1.7.2"
    await room.connect(URL, "token")
    assert await failed(call(room)) == Code.UNSUPPORTED_SERVER
    assert server.packets == []
    assert nothing_waits(room)


async def test_a_payload_that_just_fits(room: Room, server: Server) -> None:
    """15 360 bytes there and back."""
    await join(room, server)
    payload = "ä" * 7680
    calling = call(room, payload=payload)
    [request] = await sent(server, m.RpcRequest)
    assert request.payload == payload
    say(server, m.RpcAck(request.id), m.RpcResponse(request.id, payload=payload))
    assert await calling == payload


# -- being called ------------------------------------------------------------------------------------------------------


async def answers(server: Server, *requests: m.RpcRequest, count: int | None = None) -> Answers:
    """Ada calls; what we send for that."""
    before = len(server.packets)
    say(server, *requests)
    wanted = before + (count or 2 * len(requests))
    await until(lambda: len(server.packets) >= wanted)
    packets = server.packets[before:]
    assert {packet.destination_identities for packet in packets} == {("ada",)}
    values = [packet.value for packet in packets]
    return [value for value in values if value is not None]


def request(method: str = "greet", payload: str = "hi", **values: Any) -> m.RpcRequest:
    """A call from ada."""
    return replace(m.RpcRequest("1", method, payload, response_timeout_ms=8000, version=1), **values)


def built_in(code: Code) -> m.RpcError:
    """What LiveKit itself says, without a word on the cause."""
    return m.RpcError(code, core.TEXTS[code])


async def aresult(value: T) -> T:
    return value


def afuture(value: T) -> "asyncio.Future[T]":
    return asyncio.ensure_future(aresult(value))


@pytest.mark.parametrize(
    ("handler", "payload"),
    [
        (lambda data: f"hello {data.caller_identity}", "hello ada"),
        (lambda data: aresult(f"hello {data.payload}"), "hello hi"),
        (lambda _: afuture("from a future"), "from a future"),
        (lambda _: None, ""),
        (lambda _: aresult(None), ""),
        (lambda _: "ä" * 7680, "ä" * 7680),
    ],
    ids=["sync", "async", "future", "none", "async none", "largest"],
)
async def test_results(room: Room, server: Server, handler: Callable[[Any], Any], payload: str) -> None:
    """An ack, and then what the handler gives."""
    await join(room, server)
    room.local_participant.register_rpc_method("greet", handler)
    assert await answers(server, request()) == [m.RpcAck("1"), m.RpcResponse("1", payload=payload)]


async def test_what_a_handler_is_told(room: Room, server: Server) -> None:
    """All of the call; and the ack has gone out before."""
    await join(room, server)
    told: list[tuple[RpcInvocationData, int]] = []

    @room.local_participant.register_rpc_method("greet")
    def greet(data: RpcInvocationData) -> None:
        told.append((data, len(server.packets)))

    assert greet.__name__ == "greet", "the decorator gives the function back"
    [first, second] = await answers(server, request(id="x", payload="pl", response_timeout_ms=8500))
    assert (first, second) == (m.RpcAck("x"), m.RpcResponse("x", payload=""))
    assert told[0][0] == RpcInvocationData("x", "ada", "pl", 8.5, "greet")


async def test_an_ack_is_sent_while_the_handler_works(room: Room, server: Server) -> None:
    """The answer comes when the handler is done; other calls are answered meanwhile."""
    await join(room, server)
    go = asyncio.Event()

    async def wait(data: RpcInvocationData) -> str:
        await go.wait()
        return "slow"

    room.local_participant.register_rpc_method("slow", wait)
    room.local_participant.register_rpc_method("fast", lambda _: "fast")
    assert await answers(server, request("slow"), count=1) == [m.RpcAck("1")]
    assert await answers(server, request("fast", id="2")) == [m.RpcAck("2"), m.RpcResponse("2", payload="fast")]
    go.set()
    assert (await sent(server, m.RpcResponse, 2))[1] == m.RpcResponse("1", payload="slow")


def raising(error: BaseException) -> Callable[[RpcInvocationData], str]:
    def handler(_: RpcInvocationData) -> str:
        raise error

    return handler


def araising(error: BaseException) -> Callable[[RpcInvocationData], Any]:
    async def handler(_: RpcInvocationData) -> str:
        raise error

    return handler


@pytest.mark.parametrize("make", [raising, araising])
async def test_a_handlers_own_error(room: Room, server: Server, make: Callable[[BaseException], Any]) -> None:
    """Code, message and data go to the caller, cut to what may be sent."""
    await join(room, server)
    me = room.local_participant
    me.register_rpc_method("short", make(RpcError(101, "no", "data")))
    me.register_rpc_method("long", make(RpcError(102, "ä" * 300, "d" * 20_000)))
    assert (await answers(server, request("short")))[1] == m.RpcResponse("1", error=m.RpcError(101, "no", "data"))
    long = m.RpcResponse("2", error=m.RpcError(102, "ä" * 128, "d" * 15_360))
    assert (await answers(server, request("long", id="2")))[1] == long


@pytest.mark.parametrize(
    "handler",
    [
        raising(ValueError("secret")),
        araising(ValueError("secret")),
        araising(TimeoutError("secret")),
        araising(asyncio.CancelledError("secret")),
        raising(RoomDisconnectedError("secret")),
        lambda _: {"secret": 1},
        lambda _: aresult(b"secret"),
        lambda _: "secret \ud800",
        lambda _: raising(RpcError("secret", 5))(_),  # type: ignore[arg-type]
        lambda: "secret",
        "secret",
    ],
    ids="sync async timeout cancelled ours dict bytes surrogate swapped arguments no-function".split(),
)
async def test_a_handler_that_is_wrong(
    room: Room, server: Server, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller hears only that something is; the traceback is for us."""
    await join(room, server)
    room.local_participant.register_rpc_method("greet", handler)
    expected = m.RpcResponse("1", error=built_in(Code.APPLICATION_ERROR))
    assert await answers(server, request()) == [m.RpcAck("1"), expected]
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info and "'greet'" in record.message


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"method": "unknown"}, Code.UNSUPPORTED_METHOD),
        ({"version": 2}, Code.UNSUPPORTED_VERSION),
        ({"version": 0}, Code.UNSUPPORTED_VERSION),
        ({"payload": "large"}, Code.RESPONSE_PAYLOAD_TOO_LARGE),
    ],
)
async def test_what_cannot_be_answered(room: Room, server: Server, wrong: dict[str, Any], code: Code) -> None:
    """The caller is told why."""
    await join(room, server)
    room.local_participant.register_rpc_method("greet", lambda data: "x" * 15_361 if data.payload == "large" else "")
    assert await answers(server, request(**wrong)) == [m.RpcAck("1"), m.RpcResponse("1", error=built_in(code))]


@pytest.mark.parametrize("ending", ["cancelled", "an error of its own"])
async def test_a_handler_that_is_too_slow(room: Room, server: Server, ending: str) -> None:
    """It is cancelled when the caller's time is over, and the caller told."""
    await join(room, server)
    cancelled: list[str] = []

    @room.local_participant.register_rpc_method("greet")
    async def greet(data: RpcInvocationData) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(data.request_id)
            if ending != "cancelled":
                raise ValueError(ending) from None
            raise
        return ""

    expected = m.RpcResponse("1", error=built_in(Code.RESPONSE_TIMEOUT))
    assert await answers(server, request(response_timeout_ms=20)) == [m.RpcAck("1"), expected]
    assert cancelled == ["1"]


async def test_a_second_copy_of_a_call(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs once, before and after its answer; ids of different callers have nothing to do with one another."""
    monkeypatch.setattr(rpc, "_REMEMBERED", 3)
    await join(room, server)
    ran: list[tuple[str, str]] = []
    room.local_participant.register_rpc_method(
        "greet", lambda data: ran.append((data.caller_identity, data.request_id))
    )
    await answers(server, request(), request(), request("unknown"), count=2)
    say(server, request(), request())
    say(server, request(), sender="bob")
    await sent(server, m.RpcResponse, 2)
    assert ran == [("ada", "1"), ("bob", "1")]
    await server.say(m.ParticipantUpdate((ADA_LEFT, participant("ada", version=10))))
    await room.wait_for("participant_connected", timeout=5)
    say(server, request())  # she has begun to count anew
    await sent(server, m.RpcResponse, 3)
    assert ran[2:] == [("ada", "1")]
    say(server, *(request(id=str(number)) for number in range(2, 9)))
    await sent(server, m.RpcResponse, 10)
    assert len(room.local_participant._rpc._taken) == 3


async def test_the_last_handler_of_a_name_counts(room: Room, server: Server) -> None:
    """As a cell may run twice; and it can be taken back, once or twice."""
    await join(room, server)
    me = room.local_participant
    me.register_rpc_method("greet", lambda _: "first")
    me.register_rpc_method("greet", lambda _: "second")
    assert (await answers(server, request()))[1] == m.RpcResponse("1", payload="second")
    me.unregister_rpc_method("greet")
    me.unregister_rpc_method("greet")
    gone = m.RpcResponse("2", error=built_in(Code.UNSUPPORTED_METHOD))
    assert (await answers(server, request(id="2")))[1] == gone


def test_a_decorator_without_a_name(room: Room) -> None:
    """It would register nothing, so it says so."""
    with pytest.raises(UsageError, match="register_rpc_method"):
        room.local_participant.register_rpc_method(lambda _: "")  # type: ignore[call-overload]


async def test_leaving_ends_handlers(room: Room, server: Server) -> None:
    """They are cancelled; the methods are there for the next connection."""
    await join(room, server)
    begun, ended = asyncio.Event(), asyncio.Event()

    @room.local_participant.register_rpc_method("greet")
    async def greet(data: RpcInvocationData) -> str:
        if data.payload == "quick":
            return "done"
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    say(server, request())
    await asyncio.wait_for(begun.wait(), 5)
    await room.disconnect()
    assert ended.is_set()
    await room.connect(URL, "token")
    assert (await answers(server, request(payload="quick")))[1] == m.RpcResponse("1", payload="done")


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_handler_that_ends_the_room(
    room: Room, server: Server, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one that waits for the end while the end waits for it."""
    monkeypatch.setattr(rpc, "_UNWIND", 0.05)
    await join(room, server)

    @room.local_participant.register_rpc_method("greet")
    async def greet(data: RpcInvocationData) -> None:
        try:
            await room.disconnect()
        finally:
            if stubborn:
                await room.disconnect()

    say(server, request())
    await room.wait_for("disconnected", timeout=5)


async def test_calling_back_from_a_handler(room: Room, server: Server) -> None:
    """A handler may call others, and answer with what they say."""
    await join(room, server)
    me = room.local_participant

    @me.register_rpc_method("greet")
    async def greet(data: RpcInvocationData) -> str:
        return await me.perform_rpc(destination_identity=data.caller_identity, method="name", payload="?")

    say(server, request())
    [question] = await sent(server, m.RpcRequest)
    say(server, m.RpcResponse(question.id, payload="Ada"))
    assert await sent(server, m.RpcResponse) == [m.RpcResponse("1", payload="Ada")]
