"""The tree of errors, and what each of them carries."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from lk_pyodide import errors
from lk_pyodide.types import (
    ConnectErrorReason,
    DataStreamErrorReason,
    DisconnectReason,
    MediaDeviceFailure,
    PublishDataTrackErrorReason,
    PushFrameErrorReason,
    SubscribeDataTrackErrorReason,
)

CLASSES: dict[str, type[errors.LiveKitError]] = {name: getattr(errors, name) for name in errors.__all__}


def drawn_tree() -> dict[str, str]:
    """Name → name of the parent, as the docstring of the module draws it."""
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)(?:\s{2,}|$)", line)
        if not found:
            continue
        depth = len(found[1])
        while path and path[-1][0] >= depth:
            path.pop()
        if path:
            parents[found[2]] = path[-1][1]
        path.append((depth, found[2]))
    return parents


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    assert drawn_tree() == {
        name: cls.__bases__[0].__name__ for name, cls in CLASSES.items() if cls is not errors.LiveKitError
    }


def test_the_list_is_complete() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == errors.__name__
    }
    assert defined == set(CLASSES)
    assert errors.__all__ == sorted(errors.__all__)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "ConnectError": ("text", ConnectErrorReason.TIMEOUT),
    "DataStreamError": ("text", DataStreamErrorReason.INCOMPLETE),
    "PublishDataTrackError": ("text", PublishDataTrackErrorReason.TIMEOUT),
    "PushFrameError": ("text", PushFrameErrorReason.DROPPED),
    "SignalRequestError": ("text", "NOT_ALLOWED"),
    "SubscribeDataTrackError": ("text", SubscribeDataTrackErrorReason.TIMEOUT),
    "TokenSourceError": ("text", ConnectErrorReason.TIMEOUT),
    "RpcError": (1500, "text"),
}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_a_message(name: str) -> None:
    error = CLASSES[name](*ARGUMENTS.get(name, ("text",)))
    assert (str(error), error.message) == ("text", "text")
    assert isinstance(error, errors.LiveKitError)


def test_what_errors_carry() -> None:
    connect = errors.ConnectError(
        "x", ConnectErrorReason.NOT_ALLOWED, status=401, disconnect_reason=DisconnectReason.JOIN_FAILURE
    )
    assert (connect.reason, connect.status) == (ConnectErrorReason.NOT_ALLOWED, 401)
    assert connect.disconnect_reason is DisconnectReason.JOIN_FAILURE
    bare = errors.ConnectError("x", ConnectErrorReason.TIMEOUT)
    assert (bare.status, bare.disconnect_reason) == (None, None)
    assert str(errors.RoomDisconnectedError()) == "the room is disconnected"
    assert errors.RoomDisconnectedError("x", DisconnectReason.ROOM_DELETED).reason is DisconnectReason.ROOM_DELETED
    assert errors.RoomDisconnectedError().reason is None
    refused = errors.SignalRequestError("", "NOT_ALLOWED")
    assert (str(refused), refused.reason) == ("NOT_ALLOWED", "NOT_ALLOWED")
    assert errors.PublishTrackError("x").status == 500
    assert errors.PublishTrackError("x", 403).status == 403
    assert errors.BrowserError("x").name == "Error"
    incomplete = errors.DataStreamError("x", DataStreamErrorReason.INCOMPLETE)
    assert incomplete.reason is DataStreamErrorReason.INCOMPLETE
    rpc = errors.RpcError(1500, "x", "data")
    assert (rpc.code, rpc.message, rpc.data) == (1500, "x", "data")
    assert (errors.RpcError(1, "x").data, errors.RpcError(1, "x", None).data) == ("", "")


@pytest.mark.parametrize(
    "arguments", [("text", 1500), (-1, "x"), (2**32, "x"), (1.5, "x"), (1, b"x"), (1, "x", 5), (1, "x", b"x")]
)
def test_an_rpc_error_that_could_not_be_sent(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(errors.UsageError, match="an RpcError has"):
        errors.RpcError(*arguments)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("NotAllowedError", MediaDeviceFailure.PERMISSION_DENIED),
        ("PermissionDeniedError", MediaDeviceFailure.PERMISSION_DENIED),
        ("NotFoundError", MediaDeviceFailure.NOT_FOUND),
        ("DevicesNotFoundError", MediaDeviceFailure.NOT_FOUND),
        ("NotReadableError", MediaDeviceFailure.DEVICE_IN_USE),
        ("TrackStartError", MediaDeviceFailure.DEVICE_IN_USE),
        ("OverconstrainedError", MediaDeviceFailure.OTHER),
        ("", MediaDeviceFailure.OTHER),
    ],
)
def test_why_a_device_could_not_be_used(name: str, failure: MediaDeviceFailure) -> None:
    assert errors.MediaDeviceError("x", name).failure is failure
    assert MediaDeviceFailure.get_failure(errors.BrowserError("x", name)) is failure


def test_an_error_that_is_not_of_a_device() -> None:
    assert MediaDeviceFailure.get_failure(ValueError("NotAllowedError")) is MediaDeviceFailure.OTHER


def pickled(error: errors.LiveKitError) -> errors.LiveKitError:
    again: errors.LiveKitError = pickle.loads(pickle.dumps(error))
    return again


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", errors.__all__)
def test_errors_can_be_copied(name: str, duplicate: Callable[[errors.LiveKitError], errors.LiveKitError]) -> None:
    error = CLASSES[name](*ARGUMENTS.get(name, ("text",)))
    error.add_note("a note")
    again = duplicate(error)
    assert again is not error and type(again) is type(error)
    assert (str(again), again.args, vars(again)) == ("text", error.args, vars(error))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_has_what_was_given_by_name(duplicate: Callable[[errors.LiveKitError], errors.LiveKitError]) -> None:
    reason = DisconnectReason.JOIN_FAILURE
    error = errors.ConnectError("x", ConnectErrorReason.NOT_ALLOWED, status=401, disconnect_reason=reason)
    again = duplicate(error)
    assert isinstance(again, errors.ConnectError)
    assert (again.reason, again.status, again.disconnect_reason) == (ConnectErrorReason.NOT_ALLOWED, 401, reason)
