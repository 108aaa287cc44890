"""Everything that lk_pyodide raises, in one tree.

The branch says whose fault it was; the class says what happened; ``__cause__`` holds what it came from::

    LiveKitError
    ├── UsageError                       the calling code
    │   ├── UnexpectedConnectionState        (the room is not in a state for this)
    │   ├── TrackInvalidError                (not a track that can be used here)
    │   └── UnsupportedHostError             (this Python cannot reach a browser page)
    ├── ConnectError                     could not join: ``reason`` tells why
    │   └── TokenSourceError                 (nobody said where to join, and with which token)
    ├── RoomDisconnectedError            the room ended while something was awaited
    ├── ConnectionLostError              the connection broke meanwhile, and is being made anew
    ├── ServerError                      the server refused, or broke the protocol
    │   ├── ProtocolError                    (bytes that are not the protocol)
    │   ├── SignalRequestError               (a request was answered with an error)
    │   └── UnsupportedServer
    ├── NegotiationError                 offer/answer failed
    ├── PublishTrackError                a track could not be published (``status``)
    ├── UnpublishTrackError
    ├── PublishDataError                 a data packet could not be sent
    │   ├── PublishDTMFError
    │   └── PublishTranscriptionError
    ├── DataStreamError                  a text or byte stream failed: ``reason`` tells how
    ├── DeadlineExceeded                 took too long (also a ``TimeoutError``)
    ├── BrowserError                     the browser refused or failed: ``name`` is the DOMException's
    │   ├── MediaDeviceError                 (camera, microphone or screen)
    │   ├── DeviceUnsupportedError           (this browser has no such device or API)
    │   └── PlaybackError                    (a media element would not play)
    └── RpcError                         a remote procedure call failed (``code``)

Exceptions of the browser never pass the waist: they arrive as a :class:`BrowserError`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from lk_pyodide.types import ConnectErrorReason, DataStreamErrorReason, DisconnectReason, MediaDeviceFailure

__all__ = [
    "BrowserError",
    "ConnectError",
    "ConnectionLostError",
    "DataStreamError",
    "DeadlineExceeded",
    "DeviceUnsupportedError",
    "LiveKitError",
    "MediaDeviceError",
    "NegotiationError",
    "PlaybackError",
    "ProtocolError",
    "PublishDTMFError",
    "PublishDataError",
    "PublishTrackError",
    "PublishTranscriptionError",
    "RoomDisconnectedError",
    "RpcError",
    "ServerError",
    "SignalRequestError",
    "TokenSourceError",
    "TrackInvalidError",
    "UnexpectedConnectionState",
    "UnpublishTrackError",
    "UnsupportedHostError",
    "UnsupportedServer",
    "UsageError",
]


class LiveKitError(Exception):
    """Root of everything that lk_pyodide raises."""

    @property
    def message(self) -> str:
        """The text of the error."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # For copy and pickle. Exception's own calls the class with `args`, which are not the arguments of ours.
        return _bare, (type(self), *self.args), self.__dict__


def _bare(cls: type[LiveKitError], *args: object) -> LiveKitError:
    return cls.__new__(cls, *args)


class UsageError(LiveKitError):
    """The calling code asked for something that cannot be."""


class UnexpectedConnectionState(UsageError):
    """The room is not in a state in which this can be done."""


class TrackInvalidError(UsageError):
    """The track cannot be used for this."""


class UnsupportedHostError(UsageError):
    """This Python has no way to reach a browser page."""


class ConnectError(LiveKitError):
    """Joining the room failed.

    Args:
        message: what happened, without the token.
        reason: which kind of failure.
        status: HTTP status of the server's answer, if there was one.
        disconnect_reason: the reason in the server's Leave message, if it sent one.
    """

    def __init__(
        self,
        message: str,
        reason: ConnectErrorReason,
        *,
        status: int | None = None,
        disconnect_reason: DisconnectReason | int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.disconnect_reason = disconnect_reason


class TokenSourceError(ConnectError):
    """A token source did not say where to join, and with which token."""


class RoomDisconnectedError(LiveKitError):
    """The room was disconnected while this was awaited.

    Args:
        message: what was being awaited.
        reason: why the room ended, where known.
    """

    def __init__(self, message: str = "the room is disconnected", reason: DisconnectReason | int | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class ConnectionLostError(LiveKitError):
    """The connection broke while this was awaited; the room goes on once there is another."""


class ServerError(LiveKitError):
    """The server refused, or did not keep to the protocol."""


class ProtocolError(ServerError):
    """Bytes from the other side that are not the protocol."""


class SignalRequestError(ServerError):
    """A request was answered with an error (``livekit.RequestResponse``).

    Args:
        message: the server's own text.
        reason: name of ``RequestResponse.Reason``, such as ``"NOT_ALLOWED"``.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message or reason)
        self.reason = reason


class UnsupportedServer(ServerError):
    """The server is too old, or is not a LiveKit server."""


class NegotiationError(LiveKitError):
    """The offer/answer exchange of a peer connection failed."""


class PublishTrackError(LiveKitError):
    """A track could not be published.

    Args:
        message: why.
        status: 403 without permission, 408 when the server did not answer in time, else 500.
    """

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class UnpublishTrackError(LiveKitError):
    """A track could not be unpublished."""


class PublishDataError(LiveKitError):
    """A data packet could not be sent."""


class PublishDTMFError(PublishDataError):
    """A key for a telephone could not be sent."""


class PublishTranscriptionError(PublishDataError):
    """A transcription could not be sent."""


class DataStreamError(LiveKitError):
    """A text or byte stream could not be sent, or did not arrive as it was sent.

    Args:
        message: what happened to which stream.
        reason: which kind of failure.
    """

    def __init__(self, message: str, reason: DataStreamErrorReason) -> None:
        super().__init__(message)
        self.reason = reason


class DeadlineExceeded(LiveKitError, TimeoutError):
    """Something took longer than its deadline."""


class BrowserError(LiveKitError):
    """The browser refused or failed.

    Args:
        message: the browser's own text.
        name: the DOMException's or Error's name, such as ``"NotAllowedError"``.
    """

    def __init__(self, message: str, name: str = "Error") -> None:
        super().__init__(message)
        self.name = name


class MediaDeviceError(BrowserError):
    """A camera, microphone or screen could not be used."""

    @property
    def failure(self) -> MediaDeviceFailure:
        """Which kind of failure, as :meth:`MediaDeviceFailure.get_failure` tells it."""
        return MediaDeviceFailure.get_failure(self)


class DeviceUnsupportedError(BrowserError):
    """This browser, or this kind of page, does not offer the API."""


class PlaybackError(BrowserError):
    """A media element would not play; ``name`` is ``NotAllowedError`` when a click is needed first."""


class RpcError(LiveKitError):
    """A remote procedure call failed. A handler may raise one of its own, which the caller then gets.

    Args:
        code: one of ``RpcError.ErrorCode``, or the application's own, outside of 1001 to 1999.
        message: what to tell the caller; 256 bytes of it are sent.
        data: anything else to tell the caller, as a string; 15 360 bytes of it are sent.

    Raises:
        UsageError: it could not be sent.
    """

    class ErrorCode(IntEnum):
        """What LiveKit itself says (livekit-client ``rpc/utils.ts``)."""

        UNSUPPORTED_METHOD = 1400
        RECIPIENT_NOT_FOUND = 1401
        REQUEST_PAYLOAD_TOO_LARGE = 1402
        UNSUPPORTED_SERVER = 1403
        UNSUPPORTED_VERSION = 1404
        APPLICATION_ERROR = 1500
        CONNECTION_TIMEOUT = 1501
        RESPONSE_TIMEOUT = 1502
        RECIPIENT_DISCONNECTED = 1503
        RESPONSE_PAYLOAD_TOO_LARGE = 1504
        SEND_FAILED = 1505

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        if not _fits(code, message, data or ""):
            raise UsageError("an RpcError has a code, a number of 32 bits, and a message and data that are str")
        super().__init__(message)
        self.code = code
        self.data = data or ""


def _fits(code: object, *texts: object) -> bool:
    return isinstance(code, int) and 0 <= code < 2**32 and all(isinstance(text, str) for text in texts)
