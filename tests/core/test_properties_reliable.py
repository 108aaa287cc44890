"""Reliable packets through connections that break, and what others forge: each once, in order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lk_pyodide.core import wire
from lk_pyodide.core.messages import DataPacket, UserPacket
from lk_pyodide.core.reliable import DuplicateFilter, ReliableSequence
from lk_pyodide.errors import ProtocolError
from lk_pyodide.types import DataPacketKind

MEMORY = 30.0
senders = st.sampled_from(["ada", "bob"])


class Sender:
    """Somebody who numbers packets, and may say again what was not confirmed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.joins = 0
        self.join()

    def join(self) -> None:
        """A new connection: another sid, and numbers from 1."""
        self.joins += 1
        self.sid = f"PA_{self.name}{self.joins}"
        self.sequence = ReliableSequence()
        self.sent: list[bytes] = []

    def say(self, text: str) -> bytes:
        value = UserPacket(payload=f"{self.sid} {len(self.sent) + 1} {text}".encode())
        data = wire.encode_packet(DataPacket(value, participant_identity=self.name, participant_sid=self.sid))
        self.sent.append(wire.numbered_packet(data, self.sequence.next()))
        return self.sent[-1]


class Receiving(RuleBasedStateMachine):
    """One who hears ada and bob through the server, which writes whose a packet is."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = DuplicateFilter(MEMORY)
        self.now = 0.0
        self.people = {name: Sender(name) for name in ("ada", "bob")}
        self.delivered: dict[str, list[int]] = {}
        self.last: dict[str, float] = {}

    @initialize()
    def begin(self) -> None:
        """Each says something."""
        for person in self.people.values():
            self.arrives(person.say("first"))

    def arrives(self, data: bytes) -> bool:
        """The same as the session does; whether it is delivered."""
        packet = wire.decode_packet(data)
        sid = packet.participant_sid
        accepted = self.filter.accepts(packet, self.now)
        if packet.kind == DataPacketKind.RELIABLE and packet.sequence:
            known = self.delivered.setdefault(sid, [])
            is_remembered = self.now - self.last.get(sid, self.now) <= MEMORY
            if packet.sequence > max(known, default=0):
                assert accepted, "it is new"
            elif is_remembered:
                assert not accepted, "it was there, or something later was"
            if accepted:
                if not is_remembered:
                    known.clear()
                known.append(packet.sequence)
                self.last[sid] = self.now
        return accepted

    @rule(name=senders, text=st.text(max_size=5), copies=st.integers(0, 3))
    def say(self, name: str, text: str, copies: int) -> None:
        """A packet comes; or is lost; or comes more than once."""
        data = self.people[name].say(text)
        assert [self.arrives(data) for _ in range(copies)] == [number == 0 for number in range(copies)]

    @rule(name=senders, back=st.integers(1, 5))
    def resume(self, name: str, back: int) -> None:
        """Its connection is back, and it says again what may have been lost: nothing comes twice, all that was lost."""
        person = self.people[name]
        for data in person.sent[-back:]:
            self.arrives(data)
        assert max(self.delivered[person.sid]) == len(person.sent)

    @rule(name=senders, data=st.data())
    def shuffle(self, name: str, data: st.DataObject) -> None:
        """Some of what it said comes in any order."""
        for packet in data.draw(st.permutations(self.people[name].sent[-4:])):
            self.arrives(packet)

    @rule(name=senders)
    def rejoin(self, name: str) -> None:
        """It joins anew, and counts anew."""
        person = self.people[name]
        person.join()
        assert self.arrives(person.say("first"))

    @rule(name=senders, number=st.integers(1, 2**32 - 1))
    def forge(self, name: str, number: int) -> None:
        """Mallory uses ada's name and any number; the sid is Mallory's, as the server wrote it."""
        before = {sid: list(numbers) for sid, numbers in self.delivered.items() if sid != "PA_mallory"}
        packet = DataPacket(UserPacket("PA_ada1", name, b"forged"), participant_identity=name, sequence=number)
        self.arrives(wire.encode_packet(replace(packet, participant_sid="PA_mallory")))
        assert before == {sid: numbers for sid, numbers in self.delivered.items() if sid != "PA_mallory"}

    @rule(name=senders, kind=st.sampled_from(DataPacketKind))
    def unnumbered(self, name: str, kind: DataPacketKind) -> None:
        """What has no number always comes: there is nothing to tell it by."""
        sid = self.people[name].sid
        assert self.arrives(wire.encode_packet(DataPacket(UserPacket(), kind, participant_sid=sid)))

    @rule(name=senders, place=st.integers(0), bit=st.integers(0, 7))
    def damage(self, name: str, place: int, bit: int) -> None:
        """A bit turns over: it is a packet of somebody else's making, or none at all."""
        data = bytearray(self.people[name].sent[-1])
        data[place % len(data)] ^= 1 << bit
        try:
            packet = wire.decode_packet(bytes(data))
        except ProtocolError:
            return
        if packet.participant_sid.startswith(("PA_ada", "PA_bob")):
            return  # theirs, or one that they will have: the server would not have written it
        is_counted = packet.kind == DataPacketKind.RELIABLE and packet.sequence and packet.participant_sid
        if self.filter.accepts(packet, self.now) and is_counted:  # of what is not, nothing is remembered
            self.last[packet.participant_sid] = self.now

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @invariant()
    def each_once_and_in_order(self) -> None:
        """Of each sender."""
        for numbers in self.delivered.values():
            assert numbers == sorted(set(numbers))

    @invariant()
    def nobody_is_remembered_for_long(self) -> None:
        """Whoever has been silent is forgotten when somebody else is heard."""
        latest = max(self.last.values(), default=0.0)
        assert all(latest - self.last[sid] <= MEMORY for sid in self.filter._seen)


TestReceiving = Receiving.TestCase
TestReceiving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
