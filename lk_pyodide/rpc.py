"""Remote procedure calls: methods of ours that others call, and calls of others' methods."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from lk_pyodide.core import rpc as core
from lk_pyodide.core.messages import DataPacket, PacketValue, RpcAck, RpcRequest, RpcResponse
from lk_pyodide.core.rpc import Code
from lk_pyodide.errors import LiveKitError, RoomDisconnectedError, RpcError, UsageError
from lk_pyodide.logging import get_logger
from lk_pyodide.ports import RoomPort
from lk_pyodide.session.tasks import TaskSet

__all__ = ["RpcHandler", "RpcInvocationData"]

_log = get_logger("rpc")

_REMEMBERED = 1000
"""Calls of which a second copy is known to be one."""
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
        identity: tells who we are.
    """

    def __init__(self, room: RoomPort, identity: Callable[[], str]) -> None:
        self._room = room
        self._identity = identity
        self._handlers: dict[str, RpcHandler] = {}
        self._calls: dict[str, _Call] = {}
        self._taken: dict[tuple[str, str], None] = {}
        self._tasks = TaskSet()

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
        core.check_request(payload, self._room.server_version)
        if not self._room.has_remote(destination):
            raise core.error(Code.RECIPIENT_NOT_FOUND)
        call = _Call(destination)
        request = RpcRequest(os.urandom(16).hex(), method, payload, core.sent_timeout_ms(patience), core.VERSION)
        self._calls[request.id] = call
        try:
            async with _deadline(core.ACK_TIMEOUT, Code.CONNECTION_TIMEOUT) as until_acked:
                await self._send(destination, request)
                async with _deadline(patience, Code.RESPONSE_TIMEOUT):
                    await call.acked
                    until_acked.reschedule(None)
                    return core.read(await call.answered)
        finally:
            del self._calls[request.id]
            call.forget()

    async def _send(self, destination: str, value: PacketValue) -> None:
        packet = DataPacket(value, participant_identity=self._identity(), destination_identities=(destination,))
        try:
            await self._room.session.send_packet(packet)
        except (UsageError, RoomDisconnectedError):
            raise
        except LiveKitError as error:
            raise core.error(Code.SEND_FAILED) from error

    # -- from the room --

    def on_packet(self, sender: str, value: RpcRequest | RpcAck | RpcResponse) -> None:
        """Somebody calls, or answers. An answer counts only from whom was called."""
        match value:
            case RpcRequest():
                if self._is_new(sender, value.id):
                    self._tasks.spawn(self._serve(sender, value))
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

    async def _serve(self, caller: str, request: RpcRequest) -> None:
        try:
            await self._send(caller, RpcAck(request.id))
            await self._send(caller, await self._answer(caller, request))
        except LiveKitError as error:
            _log.warning("a call of %r could not be answered: %s", request.method, error.__cause__ or error)

    async def _answer(self, caller: str, request: RpcRequest) -> RpcResponse:
        try:
            if request.version != core.VERSION:
                raise core.error(Code.UNSUPPORTED_VERSION)
            handler = self._handlers.get(request.method)
            if handler is None:
                raise core.error(Code.UNSUPPORTED_METHOD)
            patience = core.time_to_answer(request)
            data = RpcInvocationData(request.id, caller, request.payload, patience, request.method)
            async with _deadline(patience, Code.RESPONSE_TIMEOUT):
                return core.response(request.id, await _run(handler, data))
        except RpcError as error:
            return core.failure(request.id, error)
        except Exception as error:
            # What went wrong is our business; the caller only hears that something did.
            _log.error("the handler of %r raised an exception", request.method, exc_info=error)
            return core.failure(request.id, core.error(Code.APPLICATION_ERROR))


async def _run(handler: RpcHandler, data: RpcInvocationData) -> object:
    result = handler(data)
    if not inspect.isawaitable(result):
        return result
    try:
        return await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("the handler awaited something that was cancelled") from error


@contextlib.asynccontextmanager
async def _deadline(seconds: float, code: RpcError.ErrorCode) -> AsyncIterator[asyncio.Timeout]:
    """Ends what runs in it with LiveKit's error of this code."""
    deadline = asyncio.timeout(seconds)
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
        loop = asyncio.get_running_loop()
        self.destination = destination
        self.acked: asyncio.Future[None] = loop.create_future()
        self.answered: asyncio.Future[RpcResponse] = loop.create_future()

    def ack(self) -> None:
        if not self.acked.done():
            self.acked.set_result(None)

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
        for future in (self.acked, self.answered):
            if not future.cancel() and not future.cancelled():
                future.exception()
