"""Which data tracks are whose: handles, readers, and what the server is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core.data_track_frames import Frame, Packetizer
from lk_pyodide.core.data_track_packets import MAX_HANDLE
from lk_pyodide.core.data_tracks import Subscriptions, next_handle
from lk_pyodide.errors import ProtocolError


def frame(handle: int, payload: bytes = b"x") -> bytes:
    packets = Packetizer(handle).packets(payload, 0)
    assert packets is not None
    (packet,) = packets
    return packet


def test_handles() -> None:
    assert next_handle(0, ()) == 1
    assert next_handle(1, {1}) == 2, "not 1 again, even when it is free"
    assert next_handle(1, ()) == 2
    assert next_handle(MAX_HANDLE, {1, 2}) == 3
    assert next_handle(MAX_HANDLE - 1, ()) == MAX_HANDLE
    assert next_handle(7, set(range(1, MAX_HANDLE + 1)) - {7}) == 7
    assert next_handle(0, range(1, MAX_HANDLE + 1)) is None


@given(st.integers(0, MAX_HANDLE), st.sets(st.integers(1, MAX_HANDLE)))
def test_handles_are_free_and_16_bits(last: int, taken: set[int]) -> None:
    handle = next_handle(last, taken)
    assert handle is not None
    assert 0 < handle <= MAX_HANDLE
    assert handle not in taken


def test_the_server_is_asked_once() -> None:
    subscriptions = Subscriptions[str]()
    assert subscriptions.add("DTR_1", "ada", 1)
    assert not subscriptions.add("DTR_1", "ben", 1)
    assert not subscriptions.remove("DTR_1", "ada")
    assert not subscriptions.remove("DTR_1", "ada"), "twice is once"
    assert not subscriptions.remove("DTR_2", "ben")
    assert subscriptions.remove("DTR_1", "ben")
    assert subscriptions.add("DTR_1", "ada", 1)


def test_who_gets_what() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("DTR_1", "ada", 1)
    subscriptions.add("DTR_2", "ben", 1)
    assert subscriptions.receive(frame(1)) is None, "nobody knows yet what it is"
    assert subscriptions.assign({1: "DTR_1"}) == ["ada"]
    assert (subscriptions.is_sent("DTR_1"), subscriptions.is_sent("DTR_2")) == (True, False)
    assert subscriptions.assign({1: "DTR_1", 2: "DTR_2", 3: "DTR_3"}) == ["ben"]
    subscriptions.add("DTR_2", "eve", 1)
    assert subscriptions.receive(frame(1)) == (["ada"], Frame(b"x"))
    assert subscriptions.receive(frame(2)) == (["ben", "eve"], Frame(b"x"))
    assert subscriptions.receive(frame(3)) is None, "nobody reads it"
    assert subscriptions.receive(frame(4)) is None
    subscriptions.remove("DTR_1", "ada")
    assert subscriptions.receive(frame(1)) is None
    with pytest.raises(ProtocolError):
        subscriptions.receive(b"\xe0" + frame(1)[1:])


def test_handles_are_given_out_anew() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("DTR_1", "ada", 1)
    subscriptions.add("DTR_2", "ben", 1)
    subscriptions.assign({1: "DTR_1", 2: "DTR_2"})
    assert subscriptions.assign({1: "DTR_2", 2: "DTR_1"}) == []
    assert subscriptions.receive(frame(1)) == (["ben"], Frame(b"x"))
    assert subscriptions.assign({2: "DTR_1"}) == [], "one is taken back"
    assert subscriptions.receive(frame(1)) is None
    assert not subscriptions.is_sent("DTR_2")
    assert subscriptions.assign({2: "DTR_1", 9: "DTR_2"}) == ["ben"], "and given again"
    assert subscriptions.receive(frame(9)) == (["ben"], Frame(b"x"))


def test_a_frame_goes_on_when_its_handle_changes() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("DTR_1", "ada", 1)
    subscriptions.assign({1: "DTR_1"})
    packetizer = Packetizer(1, mtu=13)
    packets = packetizer.packets(b"abc", 0)
    assert packets is not None
    assert subscriptions.receive(packets[0]) is None
    subscriptions.assign({5: "DTR_1"})
    moved = [data[:2] + b"\0\5" + data[4:] for data in packets]
    assert subscriptions.receive(moved[1]) is None
    assert subscriptions.receive(moved[2]) == (["ada"], Frame(b"abc"))


def test_another_sid() -> None:
    subscriptions = Subscriptions[str]()
    assert not subscriptions.move("DTR_1", "DTR_2"), "nobody reads it"
    subscriptions.add("DTR_1", "ada", 1)
    subscriptions.assign({1: "DTR_1"})
    assert subscriptions.move("DTR_1", "DTR_2")
    assert subscriptions.receive(frame(1)) is None, "until the server says so"
    assert subscriptions.assign({1: "DTR_2"}) == ["ada"]
    assert subscriptions.receive(frame(1)) == (["ada"], Frame(b"x"))
    assert subscriptions.remove("DTR_2", "ada")


def test_the_end() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("DTR_1", "ada", 1)
    subscriptions.add("DTR_1", "ben", 1)
    assert subscriptions.end("DTR_1") == ["ada", "ben"]
    assert subscriptions.end("DTR_1") == []
    assert not subscriptions.remove("DTR_1", "ada"), "the server knows"


def test_incomplete_frames() -> None:
    """How many there may be is said when the first reader comes, or later."""
    subscriptions = Subscriptions[str]()
    subscriptions.configure("DTR_1", 5)
    subscriptions.add("DTR_1", "ada", 2)
    subscriptions.assign({1: "DTR_1"})
    packetizer = Packetizer(1, mtu=13)
    frames = [packetizer.packets(bytes([65 + index] * 2), 0) or [] for index in range(6)]

    def whole(chosen: list[list[bytes]]) -> int:
        mixed = [packets[0] for packets in chosen] + [packets[1] for packets in chosen]
        return sum(subscriptions.receive(data) is not None for data in mixed)

    assert whole(frames[:3]) == 2
    subscriptions.configure("DTR_1", 3)
    assert whole(frames[3:]) == 3
