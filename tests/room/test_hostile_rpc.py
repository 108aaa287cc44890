"""Hostile calls and answers: too many, never answered, forged; and handlers that do as they like."""

import asyncio
from typing import Any

import pytest

from lk_pyodide import Room, RpcError, RpcInvocationData, UsageError
from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc as core
from lk_pyodide.core.reassembly import MAX_PAYLOAD, budget
from lk_pyodide.core.rpc import Code
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantState
from tests.room.hostile import MB, flood, join, packet, quiet, spending, works
from tests.room.server import URL, Server, participant, until
from tests.room.test_hostile_streams import chunk, deflated, header

MANY = 10_000
FOREVER = 2**32 - 1
ADA_LEFT = m.ParticipantUpdate((m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9),))


def request(number: object, method: str = "greet", payload: str = "hi", **fields: Any) -> m.RpcRequest:
    """A call of ada's."""
    return m.RpcRequest(f"{number}", method, payload, fields.get("response_timeout_ms", FOREVER), 1)


def said(number: object, **more: str) -> dict[str, str]:
    """What a text says that is a call of ada's."""
    return core.request_attributes(request(number)) | more


def answers(server: Server) -> list[m.RpcResponse]:
    return [sent.value for sent in server.packets if isinstance(sent.value, m.RpcResponse)]


def nothing_stays(room: Room) -> bool:
    rpc = room.local_participant._rpc
    return not rpc._calls and not rpc._tasks._tasks and not rpc._workload._held


async def join_old(room: Room, server: Server) -> None:
    """Join ada, who knows calls as packets only."""
    server.others = [participant("ada"), participant("bob", client_protocol=2)]
    await room.connect(URL, "token")


# -- being called ------------------------------------------------------------------------------------------------------


async def test_thousands_of_calls_at_once(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Each is answered, once, in spite of copies; nothing stays."""
    await join_old(room, server)
    ran: list[str] = []

    async def greet(data: RpcInvocationData) -> str:
        ran.append(data.request_id)
        await asyncio.sleep(0)
        return data.payload

    room.local_participant.register_rpc_method("greet", greet)
    async with quiet(caplog, lines=0):
        flood(server, (packet(request(number, payload=f"re {number}")) for number in range(4000)))
        flood(server, (packet(request(number, payload="copy")) for number in range(3000, 4000)))
        await until(lambda: len(server.packets) == 2 * 4000, turns=200_000)
    assert {(a.request_id, a.payload) for a in answers(server)} == {(f"{n}", f"re {n}") for n in range(4000)}
    assert len(ran) == 4000
    await until(lambda: nothing_stays(room))
    await works(room, server)


async def test_handlers_that_hang(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A caller has so many running, as its patience has no end; it hears nothing of the others. Bob's are answered."""
    await join_old(room, server)
    workload = room.local_participant._rpc._workload
    assert workload._limit == budget(MAX_PAYLOAD)
    workload._limit = 10 * MB
    running = 0

    async def greet(_: RpcInvocationData) -> None:
        nonlocal running
        running += 1
        await asyncio.Event().wait()

    room.local_participant.register_rpc_method("greet", greet)
    async with quiet(caplog, lines=10):
        with spending() as spent:
            flood(server, (packet(request(number, payload="x" * 15_000)) for number in range(1000)))
            await until(lambda: running > 500, turns=20_000)
    assert 500 < running < 530
    assert spent.peak < 18 * MB
    assert "not answered yet" in caplog.records[0].message
    await works(room, server)
    await room.disconnect()
    assert nothing_stays(room)


async def test_calls_that_stand_for_much(room: Room, server: Server) -> None:
    """Texts that unpack to ten megabytes each, kept by handlers that hang: ada may have 64 MB here, not more."""
    await join(room, server)
    running = 0

    async def greet(data: RpcInvocationData) -> None:
        nonlocal running
        running += len(data.payload)
        await asyncio.Event().wait()

    room.local_participant.register_rpc_method("greet", greet)
    content = deflated(bytes(10 * MB))
    texts = [
        header(topic=core.REQUEST_TOPIC, attributes=said(n), inline_content=content, compression=1) for n in range(30)
    ]
    with spending() as spent:
        for text in texts:
            before = running + len(answers(server))
            flood(server, [packet(text)])
            await until(lambda before=before: running + len(answers(server)) > before)  # type: ignore[misc]
    assert running == 60 * MB
    assert spent.peak < MAX_PAYLOAD * 1.5
    await until(lambda: len(answers(server)) == 24)
    assert {answer.error and answer.error.data for answer in answers(server)} == {core.overload().data}
    await works(room, server)


async def test_calls_whose_payload_never_comes(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Sixty-four wait for it, until their caller leaves; calls as packets, and other streams, go on."""
    await join(room, server)
    ran: list[str] = []
    room.local_participant.register_rpc_method("greet", lambda data: ran.append(data.payload))
    async with quiet(caplog, lines=20):
        flood(server, (packet(header(topic=core.REQUEST_TOPIC, attributes=said(n))) for n in range(2000)))
        await until(lambda: sum(isinstance(sent.value, m.RpcAck) for sent in server.packets) == 64)
        await works(room, server, "ada")
        await works(room, server, "bob")
    await server.say(ADA_LEFT)
    await until(lambda: nothing_stays(room))
    assert ran == []
    await works(room, server) if "bob" in room.remote_participants else None


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"lk.rpc_request_id": "x" * 10_000},
        {"lk.rpc_request_version": "9" * 10},
        {"lk.rpc_request_response_timeout_ms": "0"},
        {"lk.rpc_request_response_timeout_ms": "1e999"},
        {"lk.rpc_request_method": "__init__"},
        {"lk.rpc_request_method": "x" * 10_000},
    ],
)
async def test_calls_that_say_strange_things(room: Room, server: Server, attributes: dict[str, str]) -> None:
    """Each has one answer."""
    await join(room, server)
    room.local_participant.register_rpc_method("greet", lambda data: data.payload)
    flood(server, [packet(header(topic=core.REQUEST_TOPIC, attributes=said(1, **attributes), inline_content=b"hi"))])
    await until(lambda: nothing_stays(room))
    await works(room, server)


class Text(str):
    """A text, and more."""


@pytest.mark.parametrize(
    ("result", "code"),
    [(b"bytes", 1500), (5, 1500), ("\ud800", 1500), ({}, 1500), ("x" * 15_361, 1504), (Text("fine"), None)],
)
async def test_handlers_that_return_what_they_may_not(
    room: Room, server: Server, result: Any, code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand times: as often the caller hears a code, and no more; we read of it in a few lines."""
    await join_old(room, server)
    room.local_participant.register_rpc_method("greet", lambda _: result)
    flood(server, (packet(request(number)) for number in range(1000)))
    await until(lambda: len(answers(server)) == 1000, turns=20_000)
    for answer in answers(server):
        assert (answer.error and (answer.error.code, answer.error.data)) == (code and (code, ""))
    assert len(caplog.records) == (10 if code == 1500 else 0)
    await until(lambda: nothing_stays(room))


@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, TimeoutError, RecursionError])
@pytest.mark.parametrize("how", ["a function", "async"])
async def test_handlers_that_raise(room: Room, server: Server, kind: type[BaseException], how: str) -> None:
    """The caller hears that something went wrong, and nothing of what or where."""
    await join_old(room, server)

    def fails(_: RpcInvocationData) -> str:
        raise kind("secret")

    async def fails_later(data: RpcInvocationData) -> str:
        return fails(data)

    room.local_participant.register_rpc_method("greet", fails if how == "a function" else fails_later)
    flood(server, [packet(request(1))])
    await until(lambda: answers(server))
    assert answers(server) == [m.RpcResponse("1", error=m.RpcError(1500, core.TEXTS[Code.APPLICATION_ERROR]))]
    await works(room, server)


# -- calling -----------------------------------------------------------------------------------------------------------


def calls(room: Room, count: int, **how: Any) -> list[asyncio.Task[str]]:
    how = {"destination_identity": "ada", "method": "greet", **how}
    me = room.local_participant
    return [asyncio.create_task(me.perform_rpc(payload=f"{number}", **how)) for number in range(count)]


async def requests(server: Server, count: int) -> list[m.RpcRequest]:
    def found() -> list[m.RpcRequest]:
        return [sent.value for sent in server.packets if isinstance(sent.value, m.RpcRequest)]

    await until(lambda: len(server.packets) >= count and len(found()) >= count, turns=200_000)
    return found()


async def test_ten_thousand_calls_of_ours(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own answer, though bob forges all of them first, and ada answers twice."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 60)  # it is a slow machine that needs more than 7 s for them
    await join_old(room, server)
    waiting = calls(room, MANY)
    sent = await requests(server, MANY)
    flood(server, (packet(m.RpcResponse(r.id, payload="forged"), "bob") for r in sent))
    flood(server, (packet(m.RpcAck(r.id)) for r in sent))
    assert not any(call.done() for call in waiting)
    flood(server, (packet(m.RpcResponse(r.id, payload=f"re {r.payload}")) for r in reversed(sent)))
    flood(server, (packet(m.RpcResponse(r.id, payload="again")) for r in sent))
    assert await asyncio.gather(*waiting) == [f"re {number}" for number in range(MANY)]
    assert nothing_stays(room)
    await works(room, server)


async def test_the_callee_leaves_thousands_of_calls(room: Room, server: Server) -> None:
    """All hear of it at once."""
    await join_old(room, server)
    waiting = calls(room, 2000)
    await requests(server, 2000)
    await server.say(ADA_LEFT)
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert {failure.code for failure in failures if isinstance(failure, RpcError)} == {Code.RECIPIENT_DISCONNECTED}
    assert len(failures) == 2000 and nothing_stays(room)
    await works(room, server)


async def test_what_comes_when_nobody_waits(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Acks and answers after the timeout, and to calls that never were, as packets and as texts."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.05)
    await join_old(room, server)
    waiting = calls(room, 100)
    sent = await requests(server, 100)
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert {failure.code for failure in failures if isinstance(failure, RpcError)} == {Code.CONNECTION_TIMEOUT}
    async with quiet(caplog, lines=0):
        for number in [*(r.id for r in sent), *range(1000)]:
            text = header(topic=core.RESPONSE_TOPIC, attributes={"lk.rpc_request_id": f"{number}"})
            values: list[Any] = [m.RpcAck(f"{number}"), m.RpcResponse(f"{number}", payload="late"), text]
            flood(server, map(packet, values))
    assert nothing_stays(room)
    assert not room._context.streams._incoming._streams, "nobody reads them"
    await works(room, server)


async def test_an_answer_without_an_end(room: Room, server: Server) -> None:
    """The caller's patience ends all the same, and other calls of the same callee are answered meanwhile."""
    await join(room, server)
    call = calls(room, 1, response_timeout=0.1)[0]
    await until(lambda: any(isinstance(sent.value, DataStream.Header) for sent in server.packets))
    [asked] = [sent.value for sent in server.packets if isinstance(sent.value, DataStream.Header)]
    attributes = core.response_attributes(core.request_of(asked.attributes))
    texts = [header(topic=core.RESPONSE_TOPIC, attributes=attributes) for _ in range(200)]
    for text in texts:
        flood(server, [packet(text), packet(chunk(0, b"x" * 10_000, text.stream_id))])
    with pytest.raises(RpcError) as caught:
        await call
    assert caught.value.code == Code.RESPONSE_TIMEOUT
    await works(room, server, "ada")
    await server.say(ADA_LEFT)
    await until(lambda: nothing_stays(room))


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload": "\ud800"},
        {"payload": b"x"},
        {"method": "\udfff"},
        {"method": 5},
        {"response_timeout": -1},
        {"response_timeout": float("nan")},
    ],
)
@pytest.mark.parametrize("destination", ["ada", "bob"])
async def test_what_cannot_be_called(room: Room, server: Server, wrong: dict[str, Any], destination: str) -> None:
    """A mistake of the caller's, told at the call, whichever way it would go."""
    await join_old(room, server)
    how: dict[str, Any] = {"destination_identity": destination, "method": "greet", "payload": "hi", **wrong}
    with pytest.raises(UsageError):
        await room.local_participant.perform_rpc(**how)
    assert nothing_stays(room) and server.packets == []
