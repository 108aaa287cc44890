"""Remote procedure calls: methods of ours that others call, and calls of others' methods."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lk_pyodide.core import rpc as core
from lk_pyodide.core.messages import DataPacket, PacketValue, ParticipantInfo, RpcAck, RpcRequest, RpcResponse
from lk_pyodide.core.reassembly import MAX_PAYLOAD, budget
from lk_pyodide.core.rpc import Code
from lk_pyodide.errors import DataStreamError, LiveKitError, RoomDisconnectedError, RpcError, UsageError
from lk_pyodide.incoming_streams import TextStreamReader
from lk_pyodide.logging import Tally, get_logger
from lk_pyodide.outgoing_streams import OutgoingStreams, check_may_send, text_info
from lk_pyodide.ports import RoomPort
from lk_pyodide.session.tasks import TaskSet

__all__ = ["RpcHandler", "RpcInvocationData"]

_log = get_logger("rpc")

_REMEMBERED = 1000
"""Calls of which a second copy is known to be one."""
_LONGEST = 2_000_000.0
"""Seconds of the longest deadline: a browser's timer of 2³¹ ms or more fires at once."""
_UNWIND = 2.0
"""Seconds that handlers have for their ``finally`` when the room is over; the camera, say, does not wait for them."""


@dataclass(frozen=True, slots=True)
class RpcInvocationData:
    """What a method is called with.

    Args:
        request_id: the call's id, the same at both ends.
        caller_identity: who calls.
        payload: what the caller sends, often JSON.
        response_timeout: seconds that the caller waits at most.
        method: the method's name.
    """

    request_id: str
    caller_identity: str
    payload: str
    response_timeout: float
    method: str = ""


class RpcHandler(Protocol):
    """A method that others can call: a function, ``async`` or not, of one :class:`RpcInvocationData`."""

    def __call__(self, data: RpcInvocationData, /) -> str | None | Awaitable[str | None]: ...


class Rpc:
    """Our methods, and our calls. The methods stay from one connection to the next.

    Args:
        room: our room.
        me: what the server says of us.
        streams: sends what goes as a text.
    """

    def __init__(self, room: RoomPort, me: Callable[[], ParticipantInfo], streams: OutgoingStreams) -> None:
        self._room = room
        self._me = me
        self._streams = streams
        self._handlers: dict[str, RpcHandler] = {}
        self._calls: dict[str, _Call] = {}
        self._taken: dict[tuple[str, str], None] = {}
        self._workload = core.Workload(budget(max(room.streams.limit, MAX_PAYLOAD)))
        self._unanswered, self._unread, self._failed = Tally(_log), Tally(_log), Tally(_log)
        self._tasks = TaskSet()
        room.streams.texts.reserve(core.REQUEST_TOPIC, self._on_request)
        room.streams.texts.reserve(core.RESPONSE_TOPIC, self._on_response)

    def register(self, method: str, handler: RpcHandler) -> None:
        """Answer calls of ``method``; the last handler of a name counts, as a cell of a notebook may run twice."""
        self._handlers[method] = handler

    def unregister(self, method: str) -> None:
        """Answer no more calls of ``method``."""
        self._handlers.pop(method, None)

    async def perform(self, destination: str, method: str, payload: str, response_timeout: float | None) -> str:
        """See :meth:`LocalParticipant.perform_rpc`."""
        patience = core.patience(response_timeout)
        await self._room.wait_connected()
        core.check_server(self._room.server_version)
        [recipient] = self._room.recipients((destination,))
        as_stream = core.takes_streams(recipient)
        core.check_payload(payload, as_stream=as_stream)
        if recipient is None:
            raise core.error(Code.RECIPIENT_NOT_FOUND)
        call = _Call(destination)
        request = RpcRequest(os.urandom(16).hex(), method, payload, core.sent_timeout_ms(patience), core.VERSION)
        self._calls[request.id] = call
        try:
            async with _deadline(core.ACK_TIMEOUT, Code.CONNECTION_TIMEOUT) as until_acked:
                call.on_ack = functools.partial(_lift, until_acked)  # maybe while a long text is still being sent
                if as_stream:
                    attributes = core.request_attributes(request)
                    await self._send_text(destination, core.REQUEST_TOPIC, payload, attributes)
                else:
                    await self._send(destination, request)
                async with _deadline(patience, Code.RESPONSE_TIMEOUT):
                    return core.read(await call.answered)
        finally:
            del self._calls[request.id]
            call.forget()

    async def _send(self, destination: str, value: PacketValue) -> None:
        packet = DataPacket(value, participant_identity=self._me().identity, destination_identities=(destination,))
        async with _sending():
            check_may_send(self._me())
            await self._room.session.send_packet(packet)

    async def _send_text(self, destination: str, topic: str, text: str, attributes: Mapping[str, str]) -> None:
        content = text.encode()
        info = text_info(None, topic, len(content), attributes, None)
        async with _sending():
            await self._streams.send_text(
                info, content, (destination,), attachments=(), compress=True, on_progress=None
            )

    # -- from the room --

    def on_packet(self, sender: str, value: RpcRequest | RpcAck | RpcResponse) -> None:
        """Somebody calls, or answers. An answer counts only from whom was called."""
        match value:
            case RpcRequest():
                if self._is_new(sender, value.id):
                    self._begin(sender, _weight(value), self._serve(sender, value))
            case RpcAck(request_id):
                if (call := self._calls.get(request_id)) is not None and call.destination == sender:
                    call.ack()
            case RpcResponse(request_id):
                if (call := self._calls.get(request_id)) is not None and call.destination == sender:
                    call.answer(value)

    def _is_new(self, caller: str, request_id: str) -> bool:
        if (caller, request_id) in self._taken:
            return False
        self._taken[caller, request_id] = None
        if len(self._taken) > _REMEMBERED:
            del self._taken[next(iter(self._taken))]
        return True

    def participant_left(self, identity: str) -> None:
        """Nobody will answer whoever waits for this one; who comes back may count calls anew."""
        self._taken = {key: None for key in self._taken if key[0] != identity}
        for call in list(self._calls.values()):
            if call.destination == identity:
                call.fail(core.error(Code.RECIPIENT_DISCONNECTED))

    async def left(self, error: LiveKitError) -> None:
        """The room is over: nobody waits, no handler runs on."""
        self._taken.clear()
        for call in list(self._calls.values()):
            call.fail(error)
        try:
            async with asyncio.timeout(_UNWIND):
                await self._tasks.close()
        except TimeoutError:
            _log.warning("a handler still runs %g s after it was cancelled", _UNWIND)

    # -- answering --

    def _on_request(self, reader: TextStreamReader, caller: str) -> None:
        """Somebody calls, with a text."""
        try:
            request = core.read_request(reader.info.attributes)
        except RpcError as error:
            request_id = core.request_of(reader.info.attributes)
            self._begin(caller, core.CALL_OVERHEAD, self._refuse(caller, request_id, error))
            return
        if request is None:
            self._unanswered.log(logging.WARNING, "ignored a call of %r that does not say its id", caller)
        elif self._is_new(caller, request.id):
            self._begin(caller, _weight(request), self._serve(caller, request, reader))

    def _begin(self, caller: str, weight: int, work: Coroutine[Any, Any, None]) -> None:
        """Answer a call, unless too much of this caller's is being answered: it hears nothing then, as of a timeout."""
        if not self._workload.take(caller, weight):
            work.close()
            self._unanswered.log(logging.WARNING, "ignored a call of %r, whose others are not answered yet", caller)
            return
        self._tasks.spawn(work).add_done_callback(lambda _: self._workload.release(caller, weight))

    def _on_response(self, reader: TextStreamReader, sender: str) -> None:
        """Somebody answers, with a text."""
        call = self._calls.get(core.request_of(reader.info.attributes))
        if call is not None and call.destination == sender:
            pieces = reader._taken_at_once()
            if pieces is not None:
                call.answer(RpcResponse(payload="".join(pieces)))
                return
            call.ack()
            call.readers.append(reader)
            self._tasks.spawn(self._take_answer(call, reader))

    async def _take_answer(self, call: _Call, reader: TextStreamReader) -> None:
        try:
            call.answer(RpcResponse(payload=await reader.read_all()))
        except DataStreamError as error:
            self._unread.log(logging.WARNING, "an answer could not be read: %s", error)
            call.fail(core.unreadable("response"))

    async def _refuse(self, caller: str, request_id: str, error: RpcError) -> None:
        with self._telling("a call"):
            await self._send(caller, core.failure(request_id, error))

    async def _serve(self, caller: str, request: RpcRequest, reader: TextStreamReader | None = None) -> None:
        """Answer a call, whose payload is in a text unless it is with the call."""
        version = core.VERSION if reader is None else core.STREAM_VERSION
        with self._telling(f"a call of {request.method!r}"):
            await self._send(caller, RpcAck(request.id))
            try:
                if request.version != version:
                    raise core.error(Code.UNSUPPORTED_VERSION)
                async with self._complete(caller, request, reader) as call:
                    [to] = self._room.recipients((caller,))
                    answer = await self._answer(caller, call, as_stream=core.takes_streams(to))
            except RpcError as error:
                await self._send(caller, core.failure(request.id, error))
                return
            if core.takes_streams(to):
                attributes = core.response_attributes(request.id)
                await self._send_text(caller, core.RESPONSE_TOPIC, answer.payload or "", attributes)
            else:
                await self._send(caller, answer)

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Where nobody waits, an error is logged."""
        try:
            yield
        except LiveKitError as error:
            self._unanswered.log(logging.WARNING, "%s could not be answered: %s", what, error.__cause__ or error)

    @contextlib.asynccontextmanager
    async def _complete(
        self, caller: str, request: RpcRequest, reader: TextStreamReader | None
    ) -> AsyncIterator[RpcRequest]:
        """The call with its payload; one that came as a text counts for the caller like the call itself.

        Raises:
            RpcError: it did not come as it should, or is too much.
        """
        if reader is None:
            yield request
            return
        try:
            payload = await _read(reader, core.time_to_answer(request))
        except DataStreamError as error:
            self._unread.log(logging.WARNING, "a call could not be read: %s", error)
            raise core.unreadable("request") from error
        weight = len(payload)
        if not self._workload.take(caller, weight):
            raise core.overload()
        try:
            yield replace(request, payload=payload)
        finally:
            self._workload.release(caller, weight)

    async def _answer(self, caller: str, request: RpcRequest, *, as_stream: bool) -> RpcResponse:
        handler = self._handlers.get(request.method)
        if handler is None:
            raise core.error(Code.UNSUPPORTED_METHOD)
        patience = core.time_to_answer(request)
        data = RpcInvocationData(request.id, caller, request.payload, patience, request.method)
        try:
            return core.response(request.id, await _run(handler, data), as_stream=as_stream)
        except RpcError:
            raise
        except Exception as error:
            # What went wrong is our business; the caller only hears that something did.
            self._failed.log(logging.ERROR, "the handler of %r raised an exception", request.method, error=error)
            raise core.error(Code.APPLICATION_ERROR) from error


async def _read(reader: TextStreamReader, patience: float) -> str:
    """All of a text, unless it stops coming for so many seconds."""
    pieces = reader._taken_at_once()
    if pieces is not None:
        return "".join(pieces)
    loop = asyncio.get_running_loop()
    async with _deadline(patience, Code.RESPONSE_TIMEOUT) as deadline:
        reader.on_progress = lambda _: deadline.reschedule(loop.time() + patience)
        return await reader.read_all()


def _weight(request: RpcRequest) -> int:
    return core.CALL_OVERHEAD + len(request.id) + len(request.method) + len(request.payload)


@contextlib.asynccontextmanager
async def _sending() -> AsyncIterator[None]:
    """Errors of sending are LiveKit's own, unless they are ours, or the room is over."""
    try:
        yield
    except (UsageError, RoomDisconnectedError):
        raise
    except LiveKitError as error:
        raise core.error(Code.SEND_FAILED) from error


async def _run(handler: RpcHandler, data: RpcInvocationData) -> object:
    try:
        result = handler(data)
        if not inspect.isawaitable(result):
            return result
        async with _deadline(data.response_timeout, Code.RESPONSE_TIMEOUT):
            return await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("the handler awaited something that was cancelled") from error


def _lift(deadline: asyncio.Timeout) -> None:
    """There is none any more, unless it is over."""
    if not deadline.expired():
        deadline.reschedule(None)


@contextlib.asynccontextmanager
async def _deadline(seconds: float, code: RpcError.ErrorCode) -> AsyncIterator[asyncio.Timeout]:
    """Ends what runs in it with LiveKit's error of this code."""
    deadline = asyncio.timeout(min(seconds, _LONGEST))
    try:
        async with deadline:
            yield deadline
    except Exception:
        if deadline.expired():
            raise core.error(code) from None
        raise


class _Call:
    """A call that is waited for."""

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self.on_ack: Callable[[], object] | None = None
        self.readers: list[TextStreamReader] = []
        self.answered: asyncio.Future[RpcResponse] = asyncio.get_running_loop().create_future()

    def ack(self) -> None:
        if self.on_ack is not None:
            self.on_ack()

    def answer(self, response: RpcResponse) -> None:
        self.ack()  # whoever answers has got it
        if not self.answered.done():
            self.answered.set_result(response)

    def fail(self, error: LiveKitError) -> None:
        self.ack()
        if not self.answered.done():
            self.answered.set_exception(error)

    def forget(self) -> None:
        """Whoever waited has gone."""
        self.on_ack = None
        if not self.answered.cancel() and not self.answered.cancelled():
            self.answered.exception()
        for reader in self.readers:
            reader.close()
