"""Frames of data tracks into packets and back, with all that may happen on the way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core.data_track_frames import MAX_PACKETS, MTU, Depacketizer, Frame, Packetizer
from lk_pyodide.core.data_track_packets import Encryption, Marker, Packet


def packet(marker: Marker, sequence: int, frame: int = 103, payload: bytes = b"12345678") -> Packet:
    return Packet(101, marker, sequence, frame, 104, payload)


def start(sequence: int = 0, frame: int = 103, payload: bytes = b"12345678") -> Packet:
    return packet(Marker.START, sequence, frame, payload)


def inter(sequence: int, frame: int = 103, payload: bytes = b"12345678") -> Packet:
    return packet(Marker.INTER, sequence, frame, payload)


def final(sequence: int, frame: int = 103, payload: bytes = b"12345678") -> Packet:
    return packet(Marker.FINAL, sequence, frame, payload)


def single(sequence: int, frame: int = 103, payload: bytes = b"12345678") -> Packet:
    return packet(Marker.SINGLE, sequence, frame, payload)


def pushed(depacketizer: Depacketizer, *packets: Packet) -> list[bytes]:
    """The payloads of the frames that come of these packets."""
    frames = map(depacketizer.push, packets)
    return [frame.payload for frame in frames if frame is not None]


# -- into packets ------------------------------------------------------------------------------------------------------


def cut(packetizer: Packetizer, frame: Frame, now: float = 0.0) -> list[Packet]:
    packets = packetizer.packets(frame.payload, now, frame.user_timestamp, frame.e2ee)
    assert packets is not None
    return [Packet.decode(data) for data in packets]


@pytest.mark.parametrize(
    ("size", "markers"),
    [
        (0, "SINGLE"),
        (1, "SINGLE"),
        (MTU - 12, "SINGLE"),
        (MTU - 11, "START FINAL"),
        (2 * (MTU - 12), "START FINAL"),
        (2 * (MTU - 12) + 1, "START INTER FINAL"),
        (200_000, "START" + " INTER" * 11 + " FINAL"),
    ],
)
def test_markers(size: int, markers: str) -> None:
    packets = cut(Packetizer(7), Frame(bytes(size)))
    assert " ".join(each.marker.name for each in packets) == markers
    assert {(each.handle, each.frame, each.timestamp) for each in packets} == {(7, 0, 0)}
    assert [each.sequence for each in packets] == list(range(len(packets)))
    assert all(len(each.encode()) <= MTU for each in packets)
    assert all(len(each.encode()) == MTU for each in packets[:-1])


def test_extensions_are_on_every_packet() -> None:
    packets = cut(Packetizer(7), Frame(bytes(40_000), 0, Encryption(3, b"i" * 12)))
    assert len(packets) == 3
    assert {(each.user_timestamp, each.e2ee) for each in packets} == {(0, Encryption(3, b"i" * 12))}


def test_numbers_wrap_around() -> None:
    packetizer = Packetizer(7, mtu=13)
    for _ in range(0x8000):
        packetizer.packets(b"ab", 0)
    packets = cut(packetizer, Frame(b"ab"))
    assert [(each.sequence, each.frame) for each in packets] == [(0, 0x8000), (1, 0x8000)]
    for _ in range(0x7FFF):
        packetizer.packets(b"ab", 0)
    assert {each.frame for each in cut(packetizer, Frame(b"ab"))} == {0}


def test_the_clock() -> None:
    """90 kHz from whatever it begins with, in 32 bits."""
    packetizer = Packetizer(7, first_timestamp=0xFFFFFFFF)
    seconds = [1000.0, 1000.0, 1000.5, 1001.0, 1000 + 2**32 / 90_000]
    ticks = [cut(packetizer, Frame(b"x"), now)[0].timestamp for now in seconds]
    assert ticks == [0xFFFFFFFF, 0xFFFFFFFF, 44_999, 89_999, 0xFFFFFFFF]


def test_the_largest_frame() -> None:
    packetizer = Packetizer(7)
    most = MAX_PACKETS * (MTU - 12)
    packets = cut(packetizer, Frame(bytes(most)))
    assert pushed(Depacketizer(), *packets) == [bytes(most)]
    assert packetizer.packets(bytes(most + 1), 0) is None
    assert cut(packetizer, Frame(b"x"))[0].sequence == MAX_PACKETS, "what is refused uses up no number"
    assert packetizer.packets(bytes(most), 0, 1) is None, "extensions take room"


# -- and back: the cases of livekit-client's depacketizer.test.ts ------------------------------------------------------


def test_a_single_packet() -> None:
    encryption = Encryption(1, b"i" * 12)
    frame = Depacketizer().push(replace(single(0), user_timestamp=5, e2ee=encryption))
    assert frame == Frame(b"12345678", 5, encryption)


@pytest.mark.parametrize("between", [0, 8, MAX_PACKETS - 2])
def test_many_packets(between: int) -> None:
    packets = [start(), *map(inter, range(1, between + 1)), final(between + 1)]
    depacketizer = Depacketizer()
    assert pushed(depacketizer, *packets) == [b"12345678" * (between + 2)]
    assert depacketizer.dropped == 0


def test_extensions_are_those_of_the_first_packet() -> None:
    depacketizer = Depacketizer()
    depacketizer.push(replace(start(), user_timestamp=1))
    assert depacketizer.push(replace(final(1), user_timestamp=2)) == Frame(b"12345678" * 2, 1)


def test_a_new_frame_interrupts_one() -> None:
    depacketizer = Depacketizer()
    assert pushed(depacketizer, start(0, 5), start(1, 6), final(2, 6)) == [b"12345678" * 2]
    assert depacketizer.dropped == 1
    assert pushed(depacketizer, final(3, 5)) == []


def test_a_packet_that_is_missing() -> None:
    depacketizer = Depacketizer()
    assert pushed(depacketizer, start(), final(3)) == []
    assert depacketizer.dropped == 1
    assert pushed(depacketizer, inter(1), inter(2), final(3)) == [], "it has been given up"


def test_a_beginning_that_is_missing() -> None:
    depacketizer = Depacketizer()
    assert pushed(depacketizer, inter(1), final(2)) == []
    assert depacketizer.dropped == 1
    assert pushed(depacketizer, start(3, 104), final(4, 104)) == [b"12345678" * 2], "the next one is whole"


def test_too_many_packets() -> None:
    depacketizer = Depacketizer()
    assert pushed(depacketizer, start(), *map(inter, range(1, MAX_PACKETS))) == []
    assert pushed(depacketizer, final(MAX_PACKETS)) == []
    assert depacketizer.dropped == 1
    assert not depacketizer._partials


def test_two_frames_one_after_the_other() -> None:
    packets = [start(0), inter(1), final(2), start(3, 999), inter(4, 999), final(5, 999)]
    assert pushed(Depacketizer(), *packets) == [b"12345678" * 3] * 2


def test_the_last_of_two_packets_wins() -> None:
    packets = [start(payload=b""), inter(1, payload=b"old"), inter(1, payload=b"new"), final(2, payload=b"")]
    assert pushed(Depacketizer(), *packets) == [b"new"]


def test_out_of_order() -> None:
    packets = [start(payload=b"a"), inter(2, payload=b"c"), inter(1, payload=b"b"), final(3, payload=b"d")]
    assert pushed(Depacketizer(), *packets) == [b"abcd"]


def test_frames_in_one_another() -> None:
    depacketizer = Depacketizer(2)
    packets = [start(0, 1), start(100, 2), final(1, 1), single(300, 3), final(101, 2)]
    assert len(pushed(depacketizer, *packets)) == 3
    assert depacketizer.dropped == 0


def test_the_oldest_makes_room() -> None:
    depacketizer = Depacketizer(5)
    for number in range(10):
        assert depacketizer.push(start(2 * number, number)) is None
    whole = [number for number in range(10) if depacketizer.push(final(2 * number + 1, number)) is not None]
    assert whole == [5, 6, 7, 8, 9]
    assert depacketizer.dropped == 10, "five made room, and then their last packets were of nothing known"


def test_a_single_packet_makes_the_oldest_go() -> None:
    depacketizer = Depacketizer(2)
    assert pushed(depacketizer, start(0, 1), start(100, 2), single(200, 3)) == [b"12345678"]
    assert pushed(depacketizer, final(1, 1), final(101, 2)) == [b"12345678" * 2]


def test_fewer_may_be_incomplete_from_now_on() -> None:
    depacketizer = Depacketizer(5)
    pushed(depacketizer, *(start(10 * number, number) for number in range(5)))
    depacketizer.max_partial_frames = 2
    pushed(depacketizer, start(60, 6))
    assert list(depacketizer._partials) == [4, 6]


def test_a_frame_that_begins_twice() -> None:
    depacketizer = Depacketizer(2)
    packets = [start(0, 1, b"old"), start(5, 2, b"x"), start(0, 1, b"new"), final(1, 1, b"!"), final(6, 2, b"y")]
    assert pushed(depacketizer, *packets) == [b"new!", b"xy"]


def test_numbers_that_wrap_around() -> None:
    packets = [start(0xFFFE, 0xFFFF, b"a"), inter(0, 0xFFFF, b"c"), inter(0xFFFF, 0xFFFF, b"b"), final(1, 0xFFFF, b"d")]
    assert pushed(Depacketizer(), *packets, start(2, 0, b"e"), final(3, 0, b"f")) == [b"abcd", b"ef"]


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 2**32 - 1), st.integers(0, 0xFFFF))
def test_both_ways_round(payloads: list[bytes], seed: int, first: int) -> None:
    """However the packets of one frame are mixed behind its first, and wherever the numbers begin."""
    packetizer, depacketizer = Packetizer(7, mtu=16), Depacketizer()
    packetizer._sequence = packetizer._frame = first
    for payload in payloads:
        head, *middle = cut(packetizer, Frame(payload))
        last = middle[-1:]
        middle = middle[:-1]
        random.Random(seed).shuffle(middle)
        assert pushed(depacketizer, head, *middle, *last) == [payload]
    assert depacketizer.dropped == 0


@given(st.data(), st.integers(1, 4))
def test_whatever_comes(data: st.DataObject, most: int) -> None:
    """Any order of any packets: nothing is raised, and no more is kept than may be."""
    depacketizer = Depacketizer(most)
    some = st.builds(packet, st.sampled_from(Marker), st.integers(0, 9), st.integers(0, 9))
    for each in data.draw(st.lists(some, max_size=60)):
        depacketizer.push(each)
        assert len(depacketizer._partials) <= most


def test_a_flood_keeps_nothing() -> None:
    """Of endless frames that never end, there is one at a time, of so many packets."""
    depacketizer = Depacketizer()
    for number in range(50_000):
        depacketizer.push(start(number & 0xFFFF, number & 0xFFFF) if number % 300 == 0 else inter(number & 0xFFFF, 0))
        assert sum(len(partial.payloads) for partial in depacketizer._partials.values()) <= MAX_PACKETS
