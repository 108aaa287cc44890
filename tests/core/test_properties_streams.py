"""Streams through a network that loses, repeats, reorders and forges: whole, or a typed error, and never neither."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from lk_pyodide.core import reassembly
from lk_pyodide.core.messages import DataPacket
from lk_pyodide.core.reassembly import MAX_OPEN, Incoming
from lk_pyodide.core.stream_messages import DataStream
from lk_pyodide.core.streams import Address, Outgoing
from lk_pyodide.errors import DataStreamError, RoomDisconnectedError
from lk_pyodide.types import EncryptionType

NONE, GCM = EncryptionType.NONE, EncryptionType.GCM
DEFLATE, PLAIN = DataStream.CompressionType.DEFLATE_RAW, DataStream.CompressionType.NONE
TEXT = DataStream.Header("s", topic="t", text_header=DataStream.TextHeader())
BYTES = DataStream.Header("s", topic="t", byte_header=DataStream.ByteHeader())
Part = DataStream.Chunk | DataStream.Trailer
LIMIT = 150_000


def packet(value: Any, sender: str) -> DataPacket:
    return DataPacket(value, participant_identity=sender, participant_sid=f"PA_{sender}")


def parts_of(header: DataStream.Header, pieces: list[bytes]) -> list[Part]:
    """A stream as it is sent, but for its header."""
    outgoing = Outgoing(header, Address("ada"))
    packets = [sent for piece in pieces for sent in outgoing.data(piece)] + [*outgoing.rest(), outgoing.close()]
    return [sent.value for sent in packets if isinstance(sent.value, Part)]


def all_of(assembly: Any) -> Any:
    pieces = []
    while (piece := assembly.take()) is not None:
        pieces.append(piece)
    return ("" if isinstance(assembly, reassembly.TextAssembly) else b"").join(pieces)


@st.composite
def journeys(draw: st.DrawFn, parts: list[Part]) -> list[tuple[Part, str, EncryptionType]]:
    """What arrives of these: some of it not, some twice, some late; and what others say of the same stream."""
    places = list(range(len(parts)))
    for place in draw(st.lists(st.sampled_from(places), max_size=2)):
        places.remove(place) if place in places else None
    for place in draw(st.lists(st.sampled_from(range(len(parts))), max_size=3)):
        places.insert(draw(st.integers(0, len(places))), place)
    if draw(st.booleans()):
        places = draw(st.permutations(places))
    arrived = [(parts[place], "ada", NONE) for place in places]
    forged: st.SearchStrategy[Part] = st.builds(
        DataStream.Chunk, st.just("s"), st.integers(0, 5), st.binary(max_size=9)
    ) | st.builds(DataStream.Trailer, st.just("s"), st.sampled_from(["", "forged"]))
    for value in draw(st.lists(forged, max_size=3)):
        arrived.insert(draw(st.integers(0, len(arrived))), (value, "mallory", NONE))
    return arrived


@settings(max_examples=150)
@given(
    st.lists(st.binary(max_size=20_000), max_size=3) | st.lists(st.text(max_size=200), max_size=4),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_whole_or_an_error(pieces: list[Any], packed: bool, sized: bool, data: st.DataObject) -> None:
    """What comes is a beginning of what was sent, and all of it unless there is an error.

    Of a stream that neither announces its length nor is packed, nobody can tell that its last chunks were lost: there
    is nothing in LiveKit's trailer to tell it by.
    """
    raw = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    is_text = bool(pieces) and isinstance(pieces[0], str)
    content = b"".join(raw)
    header = replace(
        TEXT if is_text else BYTES,
        compression=DEFLATE if packed else PLAIN,
        total_length=len(content) if sized else None,
    )
    arriving = data.draw(journeys(parts_of(header, raw)))
    incoming = Incoming()
    assembly = incoming.open(packet(header, "ada"), header, NONE)
    got = all_of(assembly)
    for value, sender, encryption in arriving:
        incoming.receive(packet(value, sender), value, encryption)
        got += all_of(assembly)
    incoming.left("ada", "PA_ada")
    assert not assembly.is_open, "it is over, one way or the other"
    arrived = got.encode() if isinstance(got, str) else got
    assert content.startswith(arrived)
    if assembly.failure is None and (packed or (sized and content)):
        assert arrived == content
    assert assembly.failure is None or "mallory" not in str(assembly.failure)


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


packed_bytes = st.one_of(
    st.binary(max_size=400),
    st.binary(max_size=400).map(deflated),
    st.builds(lambda content, more: deflated(content) + more, st.binary(max_size=9), st.binary(max_size=9)),
    st.integers(0, 2 * LIMIT).map(lambda size: deflated(bytes(size))),
)


@settings(max_examples=200)
@given(packed_bytes, st.just(b"") | packed_bytes, st.booleans(), st.integers(0, 500))
def test_any_bytes_as_compressed_content(head: bytes, tail: bytes, inline: bool, size: int) -> None:
    """Unpacked, all of it, or an error; and never more than was announced, or is allowed."""
    incoming = Incoming(LIMIT)
    header = replace(BYTES, compression=DEFLATE, total_length=size or None, inline_content=head if inline else None)
    assembly = incoming.open(packet(header, "ada"), header, NONE)
    for index, content in enumerate((head, tail)):
        chunk = DataStream.Chunk("s", index, content)
        incoming.receive(packet(chunk, "ada"), chunk, NONE)
    incoming.receive(packet(DataStream.Trailer("s"), "ada"), DataStream.Trailer("s"), NONE)
    assert not assembly.is_open
    got = all_of(assembly)
    assert len(got) <= (size or LIMIT)
    if assembly.failure is None:
        unpacker = zlib.decompressobj(wbits=-15)
        assert got == unpacker.decompress(head if inline else head + tail)
        assert unpacker.eof and not unpacker.unused_data


sizes = st.sampled_from([0, 1, 300, 15_000, 70_000])


@dataclass
class Sent:
    """A stream of somebody's, and what is known of it there."""

    sender: str
    topic: str
    name: str
    assembly: Any
    content: bytes = b""
    got: bytes = b""
    index: int = 0
    kept: int = 0
    last_words: int = 0
    closed: bool = False


class Receiving(RuleBasedStateMachine):
    """Somebody to whom everybody sends at once, in any order, by the rules or not."""

    streams = Bundle("streams")

    def __init__(self) -> None:
        super().__init__()
        self.incoming = Incoming(LIMIT)
        self.held: list[Sent] = []
        self.names = 0

    @rule(
        target=streams,
        sender=st.sampled_from(["ada", "bob"]),
        topic=st.sampled_from(["t", "u"]),
        reuse=st.booleans(),
        size=st.none() | st.integers(0, 60_000),
    )
    def open(self, sender: str, topic: str, reuse: bool, size: int | None) -> Any:
        """A stream begins; maybe with an id that is in use."""
        self.names += not reuse
        header = replace(BYTES, stream_id=f"{self.names}", topic=topic, total_length=size)
        taken = [s for s in self.held if s.sender == sender and s.name == header.stream_id and s.assembly.is_open]
        accounts = [s.assembly for s in self.held if (s.sender, s.topic) == (sender, topic)]
        try:
            assembly = self.incoming.open(packet(header, sender), header, NONE)
        except DataStreamError:
            used = sum(a._held for a in accounts)
            assert taken or sum(a.is_open for a in accounts) >= MAX_OPEN or used >= reassembly.budget(LIMIT)
            return multiple()
        assert not taken
        stream = Sent(sender, topic, header.stream_id, assembly)
        self.held.append(stream)
        return stream

    def say(self, stream: Sent, value: Part, sender: str = "", encryption: EncryptionType = NONE) -> None:
        self.incoming.receive(packet(value, sender or stream.sender), value, encryption)

    @rule(stream=streams, chunks=st.lists(sizes, min_size=1, max_size=4))
    def more(self, stream: Sent, chunks: list[int]) -> None:
        """More of it."""
        for size in chunks if self.newest(stream) else ():
            content = bytes([stream.index % 256]) * size
            was_open = stream.assembly.is_open
            self.say(stream, DataStream.Chunk(stream.name, stream.index, content))
            if was_open and stream.assembly.is_open:
                stream.index += 1
                stream.content += content

    def newest(self, stream: Sent) -> bool:
        """Whether its id still is its own: one that has ended may be used again."""
        same = [s for s in self.held if (s.sender, s.name) == (stream.sender, stream.name)]
        return bool(same) and same[-1] is stream

    @rule(stream=streams, back=st.integers(1, 3))
    def repeat(self, stream: Sent, back: int) -> None:
        """A chunk that has come before, with other content: it is passed over."""
        if stream.index >= back and self.newest(stream):
            before = stream.assembly.is_open
            self.say(stream, DataStream.Chunk(stream.name, stream.index - back, b"again"))
            assert stream.assembly.is_open == before

    @rule(stream=streams, sender=st.sampled_from(["mallory", ""]), index=st.integers(0, 3), ends=st.booleans())
    def forge(self, stream: Sent, sender: str, index: int, ends: bool) -> None:
        """Somebody else says something of it."""
        before = (stream.assembly.is_open, stream.assembly.failure)
        value = DataStream.Trailer(stream.name, "forged") if ends else DataStream.Chunk(stream.name, index, b"forged")
        self.incoming.receive(packet(value, sender or "eve"), value, NONE)
        assert (stream.assembly.is_open, stream.assembly.failure) == before

    @rule(
        stream=streams, how=st.sampled_from(["gap", "unencrypted", "end", "abnormal end"]), ahead=st.integers(1, 2**62)
    )
    def end(self, stream: Sent, how: str, ahead: int) -> None:
        """It ends: by its sender's word, or because a chunk is missing, or because it is not what it began as."""
        if not self.newest(stream):
            return
        match how:
            case "gap":
                self.say(stream, DataStream.Chunk(stream.name, stream.index + ahead, b"late"))
            case "unencrypted":
                self.say(stream, DataStream.Chunk(stream.name, stream.index, b"x"), encryption=GCM)
            case _:
                reason = "tired" if how == "abnormal end" else ""
                stream.last_words = 5001 if stream.assembly.is_open else stream.last_words
                self.say(stream, DataStream.Trailer(stream.name, reason, {"a": "b" * 5000}))
        assert not stream.assembly.is_open

    @rule(stream=streams, pieces=st.integers(1, 4), keeps=st.booleans())
    def read(self, stream: Sent, pieces: int, keeps: bool) -> None:
        """Somebody reads some of it, and collects it or not."""
        for _ in range(pieces):
            stream.got += stream.assembly.take() or b""
        stream.kept = len(stream.got) if keeps else 0
        stream.assembly.keep(stream.kept)

    @rule(stream=streams)
    def close(self, stream: Sent) -> None:
        """Nobody wants the rest."""
        stream.assembly.close()
        stream.closed, stream.last_words = True, 0

    @rule(stream=consumes(streams))
    def drop(self, stream: Sent) -> None:
        """Nobody holds it any more."""
        self.held.remove(stream)
        del stream.assembly

    @precondition(lambda self: len(self.held) > 3)
    @rule(sender=st.sampled_from(["ada", "bob"]))
    def leave(self, sender: str) -> None:
        """A sender goes away."""
        self.incoming.left(sender, f"PA_{sender}")
        assert not any(s.assembly.is_open for s in self.held if s.sender == sender)

    @invariant()
    def the_books_are_balanced(self) -> None:
        """What is counted is what is there, and it is not more than may be."""
        for (who, topic), account in list(self.incoming._senders.items()):
            own = [s.assembly for s in self.held if (f"PA_{s.sender}", s.topic) == (who, topic)]
            assert account.open == sum(a.is_open for a in own) <= MAX_OPEN
            assert account.held == sum(a._held for a in own)
            assert account.held <= reassembly.budget(LIMIT) + LIMIT
        for stream in self.held:
            unread = sum(len(piece) + reassembly.PIECE_OVERHEAD for piece, _ in stream.assembly._pieces)
            own_words = 0 if stream.closed else reassembly.OVERHEAD
            assert stream.assembly._held == own_words + unread + stream.kept + stream.last_words

    @invariant()
    def what_is_read_is_what_was_sent(self) -> None:
        """In order, once, and nothing of anybody else's."""
        for stream in self.held:
            assert stream.content.startswith(stream.got)

    def teardown(self) -> None:
        """We leave: nobody waits for anything, and what had come and is wanted can be read."""
        self.incoming.end(RoomDisconnectedError())
        for stream in self.held:
            assert not stream.assembly.is_open
            got = stream.got + all_of(stream.assembly)
            assert stream.content.startswith(got)
            assert got == stream.content or stream.closed


TestReceiving = Receiving.TestCase
TestReceiving.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
