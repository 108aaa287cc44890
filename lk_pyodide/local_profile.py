"""What others are told of us, for :class:`LocalParticipant`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from lk_pyodide.core import wire
from lk_pyodide.core.messages import ParticipantInfo, UpdateParticipantMetadata
from lk_pyodide.core.streams import encoded
from lk_pyodide.errors import ConnectionLostError, LiveKitError, SignalRequestError, UsageError
from lk_pyodide.logging import get_logger
from lk_pyodide.participant import Participant
from lk_pyodide.ports import RoomPort
from lk_pyodide.session.tasks import Waiters, within

_log = get_logger("participant")

METADATA_TIMEOUT = 5.0
"""Seconds for the server to confirm a change of name, metadata or attributes (livekit-client)."""
MAX_REQUEST = 2 * 1024 * 1024
"""Bytes of a request on which livekit-server does not hang up (``SignalMessageSizeLimit``)."""
MAX_ATTEMPTS = 3
"""Connections on which a change is asked for: it may be what breaks them."""


def texts(attributes: object) -> dict[str, str]:
    """Attributes that can be sent.

    Raises:
        UsageError: these cannot.
    """
    if not isinstance(attributes, Mapping):
        raise UsageError(f"attributes are a dict, not {type(attributes).__name__}")
    wanted = dict(cast("Mapping[str, str]", attributes))
    for text in (*wanted, *wanted.values()):
        encoded(text)
    return wanted


class LocalProfile:
    """Changes our name, metadata and attributes, each with the server's confirmation.

    The server refuses with an answer, but confirms with nothing else than the participant's new state.

    Args:
        room: our room.
        me: what we are called now.
    """

    def __init__(self, room: RoomPort, me: Participant) -> None:
        self._room = room
        self._me = me
        self._requests: Waiters[int, None] = Waiters()
        self._wanted: dict[int, Callable[[ParticipantInfo], bool]] = {}

    async def update(
        self,
        wanted: Callable[[ParticipantInfo], bool],
        *,
        metadata: str | None = None,
        name: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Ask for a change, and wait until ``wanted`` is true of us.

        Raises:
            UsageError: it cannot be sent, or no server would take it.
            SignalRequestError: the server refused.
            DeadlineExceeded: it was silent.
            ConnectionLostError: the connection broke each time.
        """
        for left in reversed(range(MAX_ATTEMPTS)):
            await self._room.wait_connected()
            try:
                return await self._ask(wanted, metadata=metadata, name=name, attributes=attributes)
            except ConnectionLostError as error:
                if not left:
                    raise
                _log.debug("a change of our profile waits for the next connection: %s", error)

    async def _ask(
        self,
        wanted: Callable[[ParticipantInfo], bool],
        *,
        metadata: str | None,
        name: str | None,
        attributes: Mapping[str, str] | None,
    ) -> None:
        session = self._room.session
        request_id = session.next_request_id()
        # Name and metadata are always sent, as what is left out is wiped.
        request = UpdateParticipantMetadata(
            self._me.metadata if metadata is None else metadata,
            self._me.name if name is None else name,
            dict(attributes or {}),
            request_id,
        )
        if (size := len(wire.encode_request(request))) > MAX_REQUEST:
            raise UsageError(f"a change of name, metadata or attributes may have {MAX_REQUEST} bytes, not {size}")
        confirmed = self._requests.expect(request_id)
        self._wanted[request_id] = wanted
        try:
            session.send_request(request)
            self.confirm(self._me._info)
            await within(METADATA_TIMEOUT, confirmed, "the server's confirmation")
        finally:
            del self._wanted[request_id]
            confirmed.cancel()

    def confirm(self, info: ParticipantInfo) -> None:
        """The server says what we are now."""
        for request_id, wanted in list(self._wanted.items()):
            if wanted(info):
                self._requests.answer(request_id, None)

    def refused(self, request_id: int, reason: str, message: str) -> None:
        """The server refused a request; it need not be one of ours."""
        self._requests.fail(request_id, SignalRequestError(message, reason))

    def fail_all(self, error: LiveKitError) -> None:
        """The connection is gone, for good or until there is another."""
        self._requests.fail_all(error)
