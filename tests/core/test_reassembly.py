"""Streams that others send: put together, within limits, and ended with the right error."""

from __future__ import annotations

import gc
import weakref
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_pyodide.core import reassembly, streams
from lk_pyodide.core.messages import DataPacket
from lk_pyodide.core.reassembly import INFLATED_PIECE, MAX_OPEN, OVERHEAD, ByteAssembly, Incoming, TextAssembly
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.core.streams import Address, Outgoing
from lk_pyodide.errors import DataStreamError, RoomDisconnectedError
from lk_pyodide.types import DataStreamErrorReason as Reason
from lk_pyodide.types import EncryptionType

NONE, GCM = EncryptionType.NONE, EncryptionType.GCM
DEFLATE = DataStream.CompressionType.DEFLATE_RAW
TEXT = DataStream.Header("s", topic="t", mime_type="text/plain", text_header=DataStream.TextHeader())
BYTES = DataStream.Header("s", topic="t", byte_header=DataStream.ByteHeader("x"))
LIMIT = 200_000


class Receiver:
    """Somebody who gets packets; ada sends them unless it is said otherwise."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.incoming = Incoming(limit)

    def open(self, header: DataStream.Header, sender: str = "ada", sid: str | None = None) -> Any:
        """A stream begins."""
        packet = DataPacket(header, participant_identity=sender, participant_sid=f"PA_{sender}" if sid is None else sid)
        return self.incoming.open(packet, header, NONE)

    def send(
        self,
        *values: DataStream.Chunk | DataStream.Trailer,
        sender: str = "ada",
        sid: str | None = None,
        encryption: EncryptionType = NONE,
    ) -> None:
        """More of it comes."""
        for value in values:
            packet = DataPacket(
                value, participant_identity=sender, participant_sid=f"PA_{sender}" if sid is None else sid
            )
            self.incoming.receive(packet, value, encryption)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def chunk(index: int, content: bytes = b"x", stream_id: str = "s") -> DataStream.Chunk:
    return DataStream.Chunk(stream_id, index, content)


def end(reason: str = "", **attributes: str) -> DataStream.Trailer:
    return DataStream.Trailer("s", reason, attributes)


def taken(assembly: Any) -> Any:
    """All that is there."""
    pieces = []
    while (piece := assembly.take()) is not None:
        pieces.append(piece)
    return (b"" if isinstance(assembly, ByteAssembly) else "").join(pieces)


def ended_well(assembly: Any) -> bool:
    return not assembly.is_open and assembly.failure is None


def why(assembly: Any) -> Reason:
    """How it failed."""
    assert not assembly.is_open and assembly.failure is not None
    reason: Reason = assembly.failure.reason
    return reason


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


# -- all is well -------------------------------------------------------------------------------------------------------


def test_a_text(receiver: Receiver) -> None:
    text = receiver.open(replace(TEXT, total_length=9, attributes={"a": "1", "b": "1"}))
    assert isinstance(text, TextAssembly)
    receiver.send(chunk(0, b"h\xc3"))
    assert text.take() == "h"
    receiver.send(chunk(1, b"\xa4"), chunk(2, b""), chunk(3, "i 🦊".encode()[:-1]))
    assert (text.take(), text.take()) == ("ä", "i ")
    receiver.send(chunk(4, "🦊".encode()[-1:]), end(b="2", c="2"))
    assert ended_well(text)
    assert (text.take(), text.take()) == ("🦊", None)
    assert text.attributes == {"a": "1", "b": "2", "c": "2"}
    assert text.taken == 9


def test_bytes(receiver: Receiver) -> None:
    data = receiver.open(BYTES)
    assert isinstance(data, ByteAssembly)
    receiver.send(chunk(0, b"\xff"), chunk(1, b"\x00"), end())
    assert ended_well(data) and taken(data) == b"\xff\x00"


def test_everything_with_the_header(receiver: Receiver) -> None:
    text = receiver.open(replace(TEXT, inline_content="häi".encode(), total_length=4))
    assert ended_well(text) and taken(text) == "häi"
    empty = receiver.open(replace(BYTES, inline_content=b"", total_length=0))
    assert ended_well(empty) and taken(empty) == b""
    packed = receiver.open(replace(TEXT, inline_content=deflated(b"x" * 9999), compression=DEFLATE, total_length=9999))
    assert ended_well(packed) and taken(packed) == "x" * 9999
    receiver.send(chunk(0), end("late"))
    assert ended_well(text)


@given(st.text(max_size=2000) | st.binary(max_size=40_000), st.booleans(), st.booleans(), st.randoms())
def test_whatever_is_sent_arrives(content: str | bytes, packed: bool, sized: bool, random: Any) -> None:
    data = content.encode() if isinstance(content, str) else content
    header = replace(
        TEXT if isinstance(content, str) else BYTES,
        compression=DEFLATE if packed else DataStream.CompressionType.NONE,
        total_length=len(data) if sized else None,
    )
    outgoing = Outgoing(header, Address("ada"))
    cuts = sorted(random.sample(range(len(data) + 1), min(3, len(data) + 1)))
    parts = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    packets = [packet for part in parts for packet in outgoing.data(part)]
    packets += [*outgoing.rest(), outgoing.close()]
    receiver = Receiver()
    assembly = receiver.open(header)
    for packet in packets:
        assert isinstance(packet.value, DataStream.Chunk | DataStream.Trailer)
        receiver.send(packet.value)
        if random.random() < 0.3:
            receiver.send(packet.value)  # a replay after a resume
    assert ended_well(assembly)
    assert taken(assembly) == content
    assert assembly.taken == len(data)


def test_a_character_in_two_parts_counts_whole(receiver: Receiver) -> None:
    text = receiver.open(TEXT)
    receiver.send(chunk(0, b"a\xe2"), chunk(1, b"\x82"), chunk(2, b"\xacb"), end())
    assert ended_well(text) and taken(text) == "a€b"
    assert text.taken == 5


def test_who_waits_is_told(receiver: Receiver) -> None:
    calls: list[str] = []
    text = receiver.open(TEXT)
    text.on_change = lambda: calls.append("changed")
    receiver.send(chunk(0))
    assert calls == ["changed"]
    receiver.send(chunk(0))
    assert calls == ["changed"], "there is nothing new"
    receiver.send(end())
    assert calls == ["changed", "changed"]


def test_a_length_of_nothing_is_no_length(receiver: Receiver) -> None:
    """Some senders who do not know say 0."""
    text = receiver.open(replace(TEXT, total_length=0))
    receiver.send(chunk(0, b"abc"), end())
    assert ended_well(text) and taken(text) == "abc"


# -- all is not well ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "sent", "reason", "before"),
    [
        (TEXT, [chunk(0), chunk(2)], Reason.INCOMPLETE, "x"),
        (TEXT, [chunk(1)], Reason.INCOMPLETE, ""),
        (replace(TEXT, compression=DEFLATE), [chunk(0, deflated(b"abc")[:1]), chunk(2)], Reason.INCOMPLETE, ""),
        (replace(TEXT, total_length=3), [chunk(0, b"ab"), end()], Reason.INCOMPLETE, "ab"),
        (replace(TEXT, total_length=3), [end()], Reason.INCOMPLETE, ""),
        (replace(BYTES, compression=DEFLATE), [chunk(0, deflated(b"abc")[:-1]), end()], Reason.INCOMPLETE, b"abc"),
        (replace(BYTES, compression=DEFLATE), [end()], Reason.INCOMPLETE, b""),
        (replace(TEXT, total_length=3), [chunk(0, b"ab"), chunk(1, b"cd")], Reason.LENGTH_EXCEEDED, "ab"),
        (
            replace(BYTES, compression=DEFLATE, total_length=3),
            [chunk(0, deflated(b"abcd"))],
            Reason.LENGTH_EXCEEDED,
            b"",
        ),
        (TEXT, [chunk(0, b"ab"), chunk(1, b"\xff")], Reason.DECODE_FAILED, "ab"),
        (TEXT, [chunk(0, b"ab\xc3"), end()], Reason.DECODE_FAILED, "ab"),
        (replace(BYTES, compression=DEFLATE), [chunk(0, b"\xff\xff")], Reason.DECODE_FAILED, b""),
        (replace(BYTES, compression=DEFLATE), [chunk(0, deflated(b"abc") + b"d")], Reason.DECODE_FAILED, b""),
        (
            replace(BYTES, compression=DEFLATE),
            [chunk(0, deflated(b"abc")), chunk(1, b"d")],
            Reason.DECODE_FAILED,
            b"abc",
        ),
        (TEXT, [chunk(0, b"ab"), end("tired")], Reason.ABNORMAL_END, "ab"),
        (replace(TEXT, total_length=9), [chunk(0, b"ab"), end("tired")], Reason.ABNORMAL_END, "ab"),
        (BYTES, [chunk(0, b"x" * LIMIT), chunk(1)], Reason.PAYLOAD_TOO_LARGE, b"x" * LIMIT),
        (replace(BYTES, total_length=LIMIT + 1), [], Reason.PAYLOAD_TOO_LARGE, b""),
        (replace(BYTES, total_length=2**63), [chunk(0)], Reason.PAYLOAD_TOO_LARGE, b""),
        (replace(TEXT, inline_content=b"\xff"), [], Reason.DECODE_FAILED, ""),
        (replace(TEXT, inline_content=b"ab\xc3"), [], Reason.DECODE_FAILED, "ab"),
        (replace(TEXT, inline_content=b"abc", total_length=4), [], Reason.INCOMPLETE, "abc"),
        (replace(TEXT, inline_content=b"abc", total_length=2), [], Reason.LENGTH_EXCEEDED, ""),
        (replace(TEXT, inline_content=b"x" * (LIMIT + 1)), [], Reason.PAYLOAD_TOO_LARGE, ""),
    ],
)
def test_how_streams_fail(
    receiver: Receiver, header: DataStream.Header, sent: list[Any], reason: Reason, before: str | bytes
) -> None:
    """With the reason that livekit-client has for it; what came before can be read, what comes later is nothing."""
    assembly = receiver.open(header)
    receiver.send(*sent)
    assert why(assembly) is reason
    first = assembly.failure
    receiver.send(chunk(9), end("again", late="yes"))
    assert assembly.failure is first and "'s' of 'ada'" in str(first)
    assert taken(assembly) == before
    assert "late" not in assembly.attributes


def test_the_senders_reason_and_last_words_are_there(receiver: Receiver) -> None:
    text = receiver.open(TEXT)
    receiver.send(end("tired", mood="bad"))
    assert "tired" in str(text.failure)
    assert text.attributes == {"mood": "bad"}


def test_errors_keep_what_they_come_from_and_nothing_else(receiver: Receiver) -> None:
    text = receiver.open(replace(TEXT, inline_content=b"\xff"))
    assert isinstance(text.failure.__cause__, UnicodeDecodeError)
    assert text.failure.__traceback__ is text.failure.__cause__.__traceback__ is None, "its frames hold the stream"
    too_long = receiver.open(replace(TEXT, inline_content=b"abc", total_length=2))
    assert too_long.failure.__traceback__ is None


@pytest.mark.parametrize("late", [chunk(0), end()])
def test_what_is_not_encrypted_as_it_began(receiver: Receiver, late: Any) -> None:
    text = receiver.open(TEXT)
    receiver.send(late, encryption=GCM)
    assert why(text) is Reason.ENCRYPTION_TYPE_MISMATCH
    assert taken(text) == ""


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 100_000_000])
@pytest.mark.parametrize("whole", [False, True])
def test_a_bomb_is_not_inflated(receiver: Receiver, size: int, whole: bool) -> None:
    """A hundred kilobytes that stand for a hundred megabytes take a few of them at most."""
    packed = deflated(bytes(size))
    header = replace(BYTES, compression=DEFLATE)
    if whole:
        data = receiver.open(replace(header, inline_content=packed))
    else:
        data = receiver.open(header)
        receiver.send(chunk(0, packed), end())
    if size <= LIMIT:
        assert ended_well(data) and len(taken(data)) == size
    else:
        assert why(data) is Reason.PAYLOAD_TOO_LARGE
        assert LIMIT < data._received <= LIMIT + INFLATED_PIECE
        assert taken(data) == bytes(LIMIT - LIMIT % INFLATED_PIECE)


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_what_has_no_header_is_nothing(receiver: Receiver) -> None:
    receiver.send(chunk(0), end("x"))
    text = receiver.open(TEXT)
    receiver.send(chunk(0, stream_id="other"), end())
    assert ended_well(text) and taken(text) == ""
    receiver.send(end("twice"))
    assert ended_well(text)


def test_an_id_that_is_in_use(receiver: Receiver) -> None:
    """The first of the same sender goes on; once it has ended the id is free."""
    first = receiver.open(TEXT)
    with pytest.raises(DataStreamError, match="open already") as caught:
        receiver.open(BYTES)
    assert caught.value.reason is Reason.ALREADY_OPENED
    receiver.send(chunk(0, b"first"), end())
    assert ended_well(first)
    second = receiver.open(TEXT)
    receiver.send(chunk(0, b"second"), end())
    assert (taken(first), taken(second)) == ("first", "second")


def test_another_sender_with_the_same_id_meddles_with_nothing(receiver: Receiver) -> None:
    ada = receiver.open(TEXT)
    receiver.send(chunk(0, b"forged"), end("forged"), sender="bob")
    bob = receiver.open(TEXT, "bob")
    receiver.send(chunk(0, b"of bob"), sender="bob")
    receiver.send(chunk(0, b"of ada"), end())
    receiver.send(end("tired"), sender="bob")
    assert ended_well(ada) and taken(ada) == "of ada"
    assert why(bob) is Reason.ABNORMAL_END and taken(bob) == "of bob"


def test_an_agent_that_speaks_for_somebody(receiver: Receiver) -> None:
    """The server leaves the name in the header only; the sid is the agent's throughout."""
    text = receiver.open(TEXT, "ada", sid="PA_agent")
    receiver.send(chunk(0, b"what ada said"), end(), sender="agent", sid="PA_agent")
    assert ended_well(text) and taken(text) == "what ada said"
    assert text.identity == "ada"


def test_a_server_that_says_no_sids(receiver: Receiver) -> None:
    text = receiver.open(TEXT, sid="")
    receiver.send(chunk(0, b"abc"), sid="")
    receiver.incoming.left("bob", "PA_bob")
    assert text.is_open
    receiver.incoming.left("ada", "PA_ada")
    assert why(text) is Reason.ABNORMAL_END


def test_a_sender_that_leaves(receiver: Receiver) -> None:
    open_, ended = receiver.open(TEXT), receiver.open(replace(TEXT, stream_id="2", inline_content=b"x"))
    of_bob, for_ada = receiver.open(TEXT, "bob"), receiver.open(TEXT, "ada", sid="PA_agent")
    receiver.send(chunk(0, b"abc"))
    receiver.incoming.left("ada", "PA_ada")
    assert why(open_) is Reason.ABNORMAL_END and "'ada' left" in str(open_.failure)
    assert taken(open_) == "abc"
    assert ended_well(ended) and of_bob.is_open and for_ada.is_open
    receiver.incoming.left("agent", "PA_agent")
    assert why(for_ada) is Reason.ABNORMAL_END


def test_we_leave(receiver: Receiver) -> None:
    first, second = receiver.open(TEXT), receiver.open(BYTES, "bob")
    cause = RoomDisconnectedError()
    receiver.incoming.end(cause)
    for assembly in (first, second):
        assert why(assembly) is Reason.ABNORMAL_END
        assert assembly.failure.__cause__ is cause
    assert receiver.open(TEXT).is_open, "and the next room begins anew"


def test_what_is_packed_in_an_unknown_way_is_refused(receiver: Receiver) -> None:
    with pytest.raises(DataStreamError, match="unknown way"):
        receiver.open(replace(TEXT, compression=7))


# -- limits ------------------------------------------------------------------------------------------------------------


def numbered(number: int, header: DataStream.Header = TEXT) -> DataStream.Header:
    return replace(header, stream_id=f"{number}")


def test_a_sender_may_have_so_many_open(receiver: Receiver) -> None:
    held = [receiver.open(numbered(number)) for number in range(MAX_OPEN)]
    with pytest.raises(DataStreamError, match="one too many"):
        receiver.open(numbered(MAX_OPEN))
    assert receiver.open(TEXT, "bob").is_open, "others may, too"
    receiver.send(replace(end(), stream_id="0"))
    held[1].close()
    held[2].fail(DataStreamError("x", Reason.ABNORMAL_END))
    del held[3]
    more = [receiver.open(numbered(number)) for number in range(100, 104)]
    with pytest.raises(DataStreamError):
        receiver.open(numbered(104))
    assert all(assembly.is_open for assembly in more)


def test_what_nobody_reads_is_limited_for_all_streams_of_a_sender() -> None:
    receiver = Receiver(limit=600_000)
    held = [receiver.open(numbered(number, BYTES)) for number in range(3)]
    for number in range(3):
        receiver.send(chunk(0, b"x" * 250_000, stream_id=f"{number}"))
    assert [assembly.is_open for assembly in held] == [True, True, True]
    receiver.send(chunk(1, b"x" * 250_000, stream_id="0"))
    assert why(held[0]) is Reason.PAYLOAD_TOO_LARGE and "not read" in str(held[0].failure)
    assert len(taken(held[0])) == 250_000, "what is read makes room"
    receiver.send(chunk(1, b"x" * 250_000, stream_id="1"))
    assert held[1].is_open
    held[1].close()
    receiver.send(chunk(1, b"x" * 250_000, stream_id="2"))
    assert held[2].is_open and len(taken(held[2])) == 500_000


def test_short_streams_that_are_held_unread_are_limited_as_well() -> None:
    receiver = Receiver(limit=0)
    empty = replace(TEXT, inline_content=b"")
    held = [receiver.open(numbered(number, empty)) for number in range(MAX_OPEN)]
    with pytest.raises(DataStreamError, match="one too many"):
        receiver.open(empty)
    [sender] = receiver.incoming._senders.values()
    assert (sender.open, sender.held) == (0, MAX_OPEN * OVERHEAD)
    held.pop()
    assert receiver.open(TEXT).is_open


@pytest.mark.parametrize("drop", [lambda _: None, lambda assembly: assembly.close()], ids=["forgotten", "closed"])
def test_what_nobody_wants_is_forgotten_at_once(receiver: Receiver, drop: Callable[[Any], None]) -> None:
    """Without waiting for the garbage collector, and in spite of an error."""
    gc.disable()
    try:
        for header in (BYTES, replace(TEXT, inline_content=b"\xff"), replace(BYTES, inline_content=b"x" * 1000)):
            assembly = receiver.open(header)
            receiver.send(chunk(0, b"x" * 100_000))
            [sender] = receiver.incoming._senders.values()
            drop(assembly)
            gone = weakref.ref(assembly)
            del assembly
            assert gone() is None
            assert (sender.open, sender.held) == (0, 0)
            del sender
            assert not receiver.incoming._streams and not receiver.incoming._senders
            receiver.send(chunk(1), end())
    finally:
        gc.enable()


def test_the_defaults() -> None:
    assert (reassembly.MAX_PAYLOAD, MAX_OPEN) == (64 * 2**20, 64)
    assert Incoming()._limit == reassembly.MAX_PAYLOAD
    assert streams.CHUNK_SIZE < OVERHEAD * 4


garbage = st.one_of(
    st.builds(
        DataStream.Header,
        st.sampled_from("ab"),
        total_length=st.none() | st.sampled_from([0, 3, LIMIT + 1, 2**64 - 1]),
        text_header=st.none() | st.builds(DataStream.TextHeader),
        byte_header=st.none() | st.builds(DataStream.ByteHeader),
        inline_content=st.none() | st.binary(max_size=5),
        compression=st.sampled_from([0, 1, 2]),
    ),
    st.builds(DataStream.Chunk, st.sampled_from("ab"), st.integers(0, 3), st.binary(max_size=5)),
    st.builds(DataStream.Trailer, st.sampled_from("ab"), st.sampled_from(["", "why"])),
)


@given(st.lists(st.tuples(garbage, st.sampled_from(["ada", "bob"]), st.sampled_from([NONE, GCM])), max_size=40))
def test_anything_in_any_order(packets: list[tuple[Any, str, EncryptionType]]) -> None:
    """Nothing but typed errors, and the books are balanced."""
    receiver = Receiver()
    held: list[Any] = []
    for value, sender, encryption in packets:
        if isinstance(value, DataStream.Header):
            try:
                held.append(receiver.open(value, sender))
            except DataStreamError:
                pass
        else:
            receiver.send(value, sender=sender, encryption=encryption)
    for occupied in receiver.incoming._senders.values():
        own = [assembly for assembly in held if assembly._sender is occupied]
        assert occupied.open == sum(assembly.is_open for assembly in own)
        assert occupied.held == sum(assembly._held for assembly in own)
    receiver.incoming.end(RoomDisconnectedError())
    for assembly in held:
        taken(assembly)
        assert not assembly.is_open
        assert assembly._held == OVERHEAD
