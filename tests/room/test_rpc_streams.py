"""Remote procedure calls that go as texts, with a server that plays everybody else."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from lk_pyodide import (
    DataReceived,
    DataStreamError,
    Room,
    RoomDisconnectedError,
    RpcError,
    RpcInvocationData,
    UsageError,
)
from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc as core
from lk_pyodide.core.rpc import Code
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.types import ParticipantState
from tests.room.server import URL, Server, participant, until

LONG = "lång 🦊 " * 10_000
ADA_LEFT = m.ParticipantInfo("PA_ada", "ada", ParticipantState.DISCONNECTED, version=9)
ID, METHOD = "lk.rpc_request_id", "lk.rpc_request_method"
TIMEOUT, VERSION = "lk.rpc_request_response_timeout_ms", "lk.rpc_request_version"


async def join(room: Room, server: Server, client_protocol: int = 1) -> None:
    """Join ada and bob. With client protocol 1 each text is a header, a chunk and a trailer at least."""
    server.others = [participant(name, client_protocol=client_protocol) for name in ("ada", "bob")]
    await room.connect(URL, "token")


def call(room: Room, payload: str = "hi", **how: Any) -> asyncio.Task[str]:
    """Call a method of ada's."""
    how = {"destination_identity": "ada", "method": "greet", **how}
    return asyncio.create_task(room.local_participant.perform_rpc(payload=payload, **how))


async def failed(calling: asyncio.Task[str]) -> RpcError:
    """How a call failed."""
    with pytest.raises(RpcError) as caught:
        await asyncio.wait_for(calling, 5)
    return caught.value


class Text:
    """A text that we have sent."""

    def __init__(self, header: DataStream.Header, content: str) -> None:
        self.topic = header.topic
        self.attributes = dict(header.attributes)
        self.content = content


def texts(server: Server) -> list[Text]:
    """Those that have been sent to their end."""
    values = [packet.value for packet in server.packets]
    parts: dict[str, bytes] = {}
    headers: dict[str, DataStream.Header] = {}
    found: list[Text] = []
    for value in values:
        match value:
            case DataStream.Header():
                headers[value.stream_id], parts[value.stream_id] = value, value.inline_content or b""
            case DataStream.Chunk():
                parts[value.stream_id] += value.content
            case _:
                pass
        if isinstance(value, DataStream.Trailer) or (isinstance(value, DataStream.Header) and value.inline_content):
            found.append(Text(headers[value.stream_id], parts[value.stream_id].decode()))
    return found


async def sent(server: Server, count: int = 1) -> list[Text]:
    """Wait until we have sent so many texts."""
    await until(lambda: len(texts(server)) >= count)
    return texts(server)


def packets(server: Server) -> list[Any]:
    """What we have sent that is no part of a text."""
    stream = (DataStream.Header, DataStream.Chunk, DataStream.Trailer)
    return [packet.value for packet in server.packets if not isinstance(packet.value, stream)]


def say(server: Server, *values: m.PacketValue, sender: str = "ada") -> None:
    """Somebody sends packets."""
    for value in values:
        server.send_packet(m.DataPacket(value, participant_identity=sender, participant_sid=f"PA_{sender}"))


async def settled(room: Room, server: Server) -> None:
    """All that was said has been taken."""
    say(server, m.UserPacket(payload=b"that was it"))
    await room.wait_for(DataReceived, timeout=5)


def text(stream_id: str, topic: str, attributes: dict[str, str], content: str = "", cut: bool = False) -> list[Any]:
    """The packets of a text; ``cut`` short, its sender gives it up."""
    header = DataStream.Header(
        stream_id, topic=topic, attributes=attributes, text_header=DataStream.TextHeader(), mime_type="text/plain"
    )
    data = content.encode()
    chunks = [
        DataStream.Chunk(stream_id, number, data[start : start + 15_000])
        for number, start in enumerate(range(0, len(data), 15_000))
    ]
    return [header, *chunks, DataStream.Trailer(stream_id, "tired" if cut else "")]


def request(content: str = "hi", request_id: str = "1", cut: bool = False, **attributes: str) -> list[Any]:
    """A call from ada."""
    said = {ID: request_id, METHOD: "greet", TIMEOUT: "8000", VERSION: "2"}
    said |= {f"lk.rpc_request_{name}": value for name, value in attributes.items()}
    return text(f"call {request_id}", core.REQUEST_TOPIC, said, content, cut)


def answer(request_id: str, content: str = "hello", cut: bool = False) -> list[Any]:
    """An answer of ada's."""
    return text(f"answer {request_id} {content[:5]}", core.RESPONSE_TOPIC, {ID: request_id}, content, cut)


def built_in(code: Code, data: str = "") -> m.RpcError:
    return m.RpcError(code, core.TEXTS[code], data)


# -- calling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client_protocol", [1, 2])
async def test_a_call(room: Room, server: Server, client_protocol: int) -> None:
    """A text of any length, to one only; and its answer."""
    await join(room, server, client_protocol)
    calling = call(room, LONG, response_timeout=10)
    [question] = await sent(server)
    assert (question.topic, question.content) == ("lk.rpc_request", LONG)
    assert question.attributes == {
        ID: question.attributes[ID],
        METHOD: "greet",
        TIMEOUT: "10000",
        VERSION: "2",
    }
    assert {packet.destination_identities for packet in server.packets} == {("ada",)}
    say(server, m.RpcAck(question.attributes[ID]), *answer(question.attributes[ID], LONG[::-1]))
    assert await calling == LONG[::-1]
    assert not room.local_participant._rpc._calls


async def test_a_short_call_is_one_packet(room: Room, server: Server) -> None:
    """Where the other side takes that, it is as quick as ever."""
    await join(room, server, 2)
    calling = call(room)
    [question] = await sent(server)
    assert len(server.packets) == 1
    header = DataStream.Header(
        "x",
        topic=core.RESPONSE_TOPIC,
        attributes={ID: question.attributes[ID]},
        text_header=DataStream.TextHeader(),
        inline_content=b"hello",
    )
    say(server, header)
    assert await calling == "hello"


async def test_acknowledged_while_it_is_sent(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text may take longer than the time for the ack."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.2)
    await join(room, server)
    turn = room._context.session._require_connection()._channels._out["_reliable"].turn
    await turn.acquire()
    calling = call(room, LONG)
    await until(lambda: room.local_participant._rpc._calls)
    await asyncio.sleep(0)  # the header waits for its turn; we have the next one, and the first chunk the one after
    ours = asyncio.create_task(turn.acquire())
    await asyncio.sleep(0)
    turn.release()
    await ours
    await until(lambda: server.packets)
    [packet] = server.packets
    assert isinstance(packet.value, DataStream.Header)
    request_id = packet.value.attributes[ID]
    say(server, m.RpcAck(request_id))
    await settled(room, server)
    await asyncio.sleep(0.4)  # longer than the deadline that must not be there any more
    turn.release()
    await sent(server)
    say(server, *answer(request_id))
    assert await calling == "hello"


async def test_whoever_answers_has_got_it(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning of an answer is as good as an ack."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.2)
    await join(room, server)
    calling = call(room)
    [question] = await sent(server)
    header, *rest = answer(question.attributes[ID])
    say(server, header)
    await settled(room, server)
    await asyncio.sleep(0.4)  # longer than the deadline that must not be there any more
    say(server, *rest)
    assert await calling == "hello"


async def test_an_ack_at_the_last_moment(
    room: Room, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And just after it: the deadline is over, the call not yet."""
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.1)
    await join(room, server)
    calling = call(room)
    await until(lambda: room.local_participant._rpc._calls)
    [waiting] = room.local_participant._rpc._calls.values()
    assert isinstance(waiting.on_ack, functools.partial)
    [deadline] = waiting.on_ack.args
    asyncio.get_running_loop().call_at(deadline.when() + 1e-9, waiting.ack)
    assert (await failed(calling)).code == Code.CONNECTION_TIMEOUT
    assert not caplog.records


async def test_an_answer_that_is_too_late(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody minds the rest of it."""
    await join(room, server)
    calling = call(room, response_timeout=0.1)
    [question] = await sent(server)
    say(server, m.RpcAck(question.attributes[ID]), *answer(question.attributes[ID], LONG)[:-1])
    assert (await failed(calling)).code == Code.RESPONSE_TIMEOUT
    say(server, answer(question.attributes[ID], LONG)[-1])
    await settled(room, server)
    await until(lambda: not room.local_participant._rpc._tasks._tasks)
    assert not caplog.records


async def test_errors_are_packets(room: Room, server: Server) -> None:
    """Acknowledgements too."""
    await join(room, server)
    calling = call(room)
    [question] = await sent(server)
    request_id = question.attributes[ID]
    say(server, m.RpcAck(request_id), m.RpcResponse(request_id, error=m.RpcError(7, "no", "because")))
    error = await failed(calling)
    assert (error.code, error.message, error.data) == (7, "no", "because")


async def test_nobody_says_ack(room: Room, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """1501; and 1502 when nobody answers."""
    await join(room, server)
    monkeypatch.setattr(core, "ACK_TIMEOUT", 0.05)
    assert (await failed(call(room))).code == Code.CONNECTION_TIMEOUT
    calling = call(room, response_timeout=0.1)
    question = (await sent(server, 2))[1]
    say(server, m.RpcAck(question.attributes[ID]))
    assert (await failed(calling)).code == Code.RESPONSE_TIMEOUT


async def test_only_who_was_called_answers(room: Room, server: Server) -> None:
    """And only once; answers to nothing are nothing."""
    await join(room, server)
    calling = call(room)
    [question] = await sent(server)
    request_id = question.attributes[ID]
    say(server, *answer(request_id, "forged"), sender="bob")
    say(server, *answer("another"), *text("x", core.RESPONSE_TOPIC, {}, "no id"))
    await settled(room, server)
    assert not calling.done()
    say(server, *answer(request_id, "true"), *answer(request_id, "second"))
    assert await calling == "true"


async def test_an_answer_that_is_cut_short(room: Room, server: Server) -> None:
    """It is an error, not half an answer."""
    await join(room, server)
    calling = call(room)
    [question] = await sent(server)
    say(server, *answer(question.attributes[ID], LONG, cut=True))
    error = await failed(calling)
    assert (error.code, error.data) == (Code.APPLICATION_ERROR, "Error reading RPC response payload")


async def test_the_callee_leaves_while_it_answers(room: Room, server: Server) -> None:
    """1503, not a broken text."""
    await join(room, server)
    calling = call(room)
    [question] = await sent(server)
    say(server, *answer(question.attributes[ID], LONG)[:-1])
    await settled(room, server)
    await server.say(m.ParticipantUpdate((ADA_LEFT,)))
    assert (await failed(calling)).code == Code.RECIPIENT_DISCONNECTED


async def test_we_leave(room: Room, server: Server) -> None:
    """Whether the question or the answer is under way."""
    await join(room, server)
    answering = call(room)
    [question] = await sent(server)
    say(server, *answer(question.attributes[ID], LONG)[:-1])
    await settled(room, server)
    async with room._context.session._require_connection()._channels._out["_reliable"].turn:
        asking = call(room, LONG)
        await until(lambda: len(room.local_participant._rpc._calls) == 2)
        await room.disconnect()
    for calling in (answering, asking):
        with pytest.raises(RoomDisconnectedError):
            await calling
    assert not room.local_participant._rpc._tasks._tasks


async def test_what_is_refused_before_it_is_sent(room: Room, server: Server) -> None:
    """Nothing reaches the server."""
    await join(room, server)
    for payload in (b"x", "\ud800"):
        with pytest.raises(UsageError):
            await call(room, payload)  # type: ignore[arg-type]
    assert (await failed(call(room, method="m" * 20_000))).code == Code.SEND_FAILED
    assert (await failed(call(room, LONG, destination_identity="nobody"))).code == Code.REQUEST_PAYLOAD_TOO_LARGE
    assert (await failed(call(room, destination_identity="nobody"))).code == Code.RECIPIENT_NOT_FOUND
    assert server.packets == []


# -- being called ------------------------------------------------------------------------------------------------------


async def test_a_result(room: Room, server: Server) -> None:
    """The ack goes out as soon as the call is there; the result is a text of any length, to the caller."""
    await join(room, server)
    told: list[RpcInvocationData] = []

    @room.local_participant.register_rpc_method("greet")
    async def greet(data: RpcInvocationData) -> str:
        told.append(data)
        return data.payload[::-1]

    header, *rest = request(LONG, response_timeout_ms="8500")
    say(server, header)
    await until(lambda: packets(server))
    assert packets(server) == [m.RpcAck("1")] and not told
    say(server, *rest)
    [result] = await sent(server)
    assert told == [RpcInvocationData("1", "ada", LONG, 8.5, "greet")]
    assert (result.topic, result.content, result.attributes) == ("lk.rpc_response", LONG[::-1], {ID: "1"})
    assert packets(server) == [m.RpcAck("1")]
    assert {packet.destination_identities for packet in server.packets} == {("ada",)}


async def test_an_empty_result(room: Room, server: Server) -> None:
    """None is an empty text."""
    await join(room, server)
    room.local_participant.register_rpc_method("greet", lambda _: None)
    say(server, *request(""))
    [result] = await sent(server)
    assert result.content == ""


@pytest.mark.parametrize(("protocol", "as_text"), [(0, False), (1, True)])
async def test_how_a_result_goes_is_for_the_callers_protocol_to_say(
    room: Room, server: Server, protocol: int, as_text: bool
) -> None:
    """However the call came."""
    await join(room, server, protocol)
    room.local_participant.register_rpc_method("greet", lambda data: data.payload)
    say(server, m.RpcRequest("packet", "greet", "a", 8000, 1), *request("b", request_id="text"))
    await until(lambda: len(packets(server)) + len(texts(server)) == 4)
    found = sorted(result.content for result in texts(server))
    assert found == (["a", "b"] if as_text else [])
    answers = [value.payload for value in packets(server) if isinstance(value, m.RpcResponse)]
    assert sorted(filter(None, answers)) == ([] if as_text else ["a", "b"])


def raising(error: Exception) -> Callable[[RpcInvocationData], str]:
    def handler(_: RpcInvocationData) -> str:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (raising(RpcError(7, "no", "why")), m.RpcError(7, "no", "why")),
        (raising(ValueError("secret")), built_in(Code.APPLICATION_ERROR)),
        (raising(DataStreamError("secret", 1)), built_in(Code.APPLICATION_ERROR)),  # type: ignore[arg-type]
        (lambda _: {"secret": 1}, built_in(Code.APPLICATION_ERROR)),
        (None, built_in(Code.UNSUPPORTED_METHOD)),
    ],
)
async def test_errors(room: Room, server: Server, handler: Any, expected: m.RpcError) -> None:
    """They go as packets."""
    await join(room, server)
    if handler is not None:
        room.local_participant.register_rpc_method("greet", handler)
    say(server, *request())
    await until(lambda: len(packets(server)) == 2)
    assert packets(server) == [m.RpcAck("1"), m.RpcResponse("1", error=expected)]
    assert texts(server) == []


async def test_what_cannot_be_answered(room: Room, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The caller is told why, as livekit-client would."""
    await join(room, server)
    ran: list[str] = []
    room.local_participant.register_rpc_method("greet", lambda data: ran.append(data.payload))
    say(server, *request(request_id="a", version="3"))
    say(server, *request(request_id="b", method=""), *request(request_id="c", response_timeout_ms="soon"))
    say(server, *request(LONG, request_id="d", cut=True), *request(request_id=""))
    await until(lambda: len(packets(server)) == 6)
    await settled(room, server)
    failures = {value.request_id: value.error for value in packets(server) if isinstance(value, m.RpcResponse)}
    malformed = built_in(Code.APPLICATION_ERROR, "RPC data stream malformed")
    assert failures == {
        "a": built_in(Code.UNSUPPORTED_VERSION),
        "b": malformed,
        "c": malformed,
        "d": built_in(Code.APPLICATION_ERROR, "Error reading RPC request payload"),
    }
    assert {value.request_id for value in packets(server) if isinstance(value, m.RpcAck)} == {"a", "d"}
    assert ran == []
    assert sum("does not say its id" in record.message for record in caplog.records) == 1


async def test_a_second_copy_of_a_call(room: Room, server: Server) -> None:
    """It runs once, whichever way it comes."""
    await join(room, server)
    ran: list[str] = []
    room.local_participant.register_rpc_method("greet", lambda data: ran.append(data.payload))
    say(server, *request("first"), *request("second"), m.RpcRequest("1", "greet", "third", 8000, 1))
    await sent(server)
    await settled(room, server)
    assert ran == ["first"]


async def test_leaving_ends_handlers(room: Room, server: Server) -> None:
    """Those that run, and those whose payload is not there yet."""
    await join(room, server)
    begun, ended = asyncio.Event(), asyncio.Event()

    @room.local_participant.register_rpc_method("greet")
    async def greet(_: RpcInvocationData) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    say(server, *request(), *request(LONG, request_id="2")[:-1])
    await asyncio.wait_for(begun.wait(), 5)
    await room.disconnect()
    assert ended.is_set()
    assert not room.local_participant._rpc._tasks._tasks


async def test_nobody_else_takes_these_topics(room: Room, server: Server) -> None:
    """A handler of the user's is refused, and ours cannot be taken away."""
    for topic in (core.REQUEST_TOPIC, core.RESPONSE_TOPIC):
        with pytest.raises(DataStreamError):
            room.register_text_stream_handler(topic, lambda *_: None)
        room.unregister_text_stream_handler(topic)
    room.register_byte_stream_handler(core.REQUEST_TOPIC, lambda *_: None)
    await join(room, server)
    room.local_participant.register_rpc_method("greet", lambda _: "still here")
    say(server, *request())
    assert (await sent(server))[0].content == "still here"
