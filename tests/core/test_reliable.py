"""Reliable packets: numbered from 1, delivered once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import wire
from lk_pyodide.core.messages import DataPacket, UserPacket
from lk_pyodide.core.reliable import MAX_PACKET_SIZE, SEQUENCE_SIZE, DuplicateFilter, ReliableSequence
from lk_pyodide.types import DataPacketKind


def packet(sequence: int, sender: str = "PA_1", kind: DataPacketKind = DataPacketKind.RELIABLE) -> DataPacket:
    return DataPacket(UserPacket(payload=b"x"), kind, sequence=sequence, participant_sid=sender)


def test_packets_are_numbered_from_one() -> None:
    sequence = ReliableSequence()
    assert [sequence.next() for _ in range(3)] == [1, 2, 3]
    assert MAX_PACKET_SIZE == 64_000


@given(st.integers(1, 2**32 - 1))
def test_a_number_takes_no_more_than_is_kept_for_it(number: int) -> None:
    plain = wire.encode_packet(packet(0))
    numbered = wire.numbered_packet(plain, number)
    assert wire.decode_packet(numbered) == packet(number)
    assert len(numbered) - len(plain) <= SEQUENCE_SIZE


@given(
    st.lists(st.tuples(st.sampled_from(["PA_1", "PA_2"]), st.integers(1, 20))),
    st.lists(st.floats(0, 0.5), min_size=100, max_size=100),
)
def test_each_sender_is_heard_in_order_and_once(arrivals: list[tuple[str, int]], pauses: list[float]) -> None:
    duplicates = DuplicateFilter()
    delivered: dict[str, list[int]] = {"PA_1": [], "PA_2": []}
    now = 0.0
    for (sender, number), pause in zip(arrivals, pauses * 10, strict=False):
        now += pause
        expected = number > max(delivered[sender], default=0)
        assert duplicates.accepts(packet(number, sender), now) == expected or now > 30
        if expected:
            delivered[sender].append(number)


@given(st.lists(st.integers(1, 50), unique=True).map(sorted), st.data())
def test_a_replay_after_a_resume_gives_nothing_twice_and_loses_nothing(numbers: list[int], data: st.DataObject) -> None:
    """The sender repeats from any point; what had come is dropped, what had not is delivered."""
    duplicates = DuplicateFilter()
    arrived = data.draw(st.integers(0, len(numbers)))
    repeated_from = data.draw(st.integers(0, arrived))
    received = [n for n in numbers[:arrived] if duplicates.accepts(packet(n), 0)]
    received += [n for n in numbers[repeated_from:] if duplicates.accepts(packet(n), 1)]
    assert received == numbers


def test_packets_without_a_number_or_a_sender_always_pass() -> None:
    duplicates = DuplicateFilter()
    for same in (packet(0), packet(5, sender=""), packet(5, kind=DataPacketKind.LOSSY)):
        assert duplicates.accepts(same, 0)
        assert duplicates.accepts(same, 0)
    assert duplicates.accepts(packet(1), 0), "a lossy packet's number says nothing about reliable ones"


def test_a_new_join_starts_anew() -> None:
    duplicates = DuplicateFilter()
    assert duplicates.accepts(packet(9, "PA_old"), 0)
    assert duplicates.accepts(packet(1, "PA_new"), 0)


def test_senders_that_are_silent_are_forgotten_and_others_are_not() -> None:
    duplicates = DuplicateFilter(memory=30)
    for number in range(100):
        duplicates.accepts(packet(1, f"PA_{number}"), 0)
    assert duplicates.accepts(packet(1, "PA_other"), 29)
    assert not duplicates.accepts(packet(1, "PA_0"), 30), "still remembered"
    assert duplicates.accepts(packet(2, "PA_other"), 31)
    assert len(duplicates._seen) == 1
    assert not duplicates.accepts(packet(2, "PA_other"), 61)
    assert duplicates.accepts(packet(1, "PA_0"), 61), "forgotten"


def test_the_memory_of_livekit_client() -> None:
    duplicates = DuplicateFilter()
    duplicates.accepts(packet(1, "PA_1"), 0)
    duplicates.accepts(packet(1, "PA_2"), 30)
    assert set(duplicates._seen) == {"PA_1", "PA_2"}
    duplicates.accepts(packet(2, "PA_2"), 30.001)
    assert set(duplicates._seen) == {"PA_2"}


def test_a_packet_keeps_its_sender_in_memory() -> None:
    duplicates = DuplicateFilter(memory=30)
    duplicates.accepts(packet(1, "PA_1"), 0)
    duplicates.accepts(packet(1, "PA_2"), 10)
    duplicates.accepts(packet(2, "PA_1"), 20)
    duplicates.accepts(packet(1, "PA_3"), 45)
    assert set(duplicates._seen) == {"PA_1", "PA_3"}


def test_a_filter_can_have_no_memory_at_all() -> None:
    duplicates = DuplicateFilter(memory=-1)
    assert duplicates.accepts(packet(1), 0)
    assert duplicates.accepts(packet(1), 0)
    assert not duplicates._seen
