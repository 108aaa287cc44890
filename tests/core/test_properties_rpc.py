"""Calls that say anything: they are calls, or a typed error; and who calls may not occupy more than is its own."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lk_pyodide.core import messages as m
from lk_pyodide.core import rpc, wire
from lk_pyodide.core.rpc import Workload
from lk_pyodide.errors import LiveKitError, RpcError, UsageError

LIMIT = 1000
callers = st.sampled_from(["ada", "bob", ""])
names = st.sampled_from([rpc._ID, rpc._METHOD, rpc._TIMEOUT, rpc._VERSION, "lk.rpc_else"])
any_text = st.text(st.characters(codec=None), max_size=30)
things = st.one_of(any_text, st.none(), st.integers(), st.binary(max_size=5), st.lists(st.integers(), max_size=2))


numbers = st.sampled_from(["2", "8000", "8000.5", "0"]) | st.from_regex(r"[0-9.eE+-]{0,14}", fullmatch=True)
near_calls = st.fixed_dictionaries(
    {rpc._ID: st.text(max_size=3)},
    optional={rpc._METHOD: st.text(max_size=3), rpc._TIMEOUT: numbers, rpc._VERSION: numbers},
)


@settings(max_examples=300)
@given(near_calls | st.dictionaries(names, st.text(max_size=12)))
def test_any_attributes_are_a_call_or_not(attributes: dict[str, str]) -> None:
    """A call with an id and a method, a time and a version that are numbers; nothing; or what its caller is told."""
    try:
        request = rpc.read_request(attributes)
    except RpcError as error:
        assert attributes[rpc._ID] and error.code == rpc.Code.APPLICATION_ERROR
        return
    if request is None:
        assert not attributes.get(rpc._ID)
        return
    assert request.id and request.method
    assert (request.id, request.method) == (attributes[rpc._ID], attributes[rpc._METHOD])
    assert 0 < rpc.time_to_answer(request) <= 10**7
    again = rpc.read_request(rpc.request_attributes(request))
    assert again is not None and again.response_timeout_ms == request.response_timeout_ms


@given(things, st.booleans())
def test_whatever_a_handler_gives_can_be_said(result: object, as_stream: bool) -> None:
    """As an answer that arrives as it is, or as an error of the handler's."""
    try:
        answer = rpc.response("1", result, as_stream=as_stream)
    except (RpcError, TypeError, UnicodeEncodeError):
        return
    packet = wire.decode_packet(wire.encode_packet(m.DataPacket(answer)))
    assert isinstance(packet.value, m.RpcResponse)
    assert rpc.read(packet.value) == (result or "")


@given(things, st.booleans(), things)
def test_whatever_a_caller_gives_is_sent_or_refused(payload: object, as_stream: bool, method: object) -> None:
    """With an error of the caller's own; what is sent arrives as it is."""
    try:
        rpc.check_payload(payload, as_stream=as_stream)
        request = m.RpcRequest("1", method, payload, 8000, 1)  # type: ignore[arg-type]
        data = wire.encode_packet(m.DataPacket(request))
    except LiveKitError as error:
        assert isinstance(error, UsageError | RpcError)
        return
    assert wire.decode_packet(data).value == m.RpcRequest("1", method or "", payload, 8000, 1)  # type: ignore[arg-type]


class Answering(RuleBasedStateMachine):
    """One who answers calls of several, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.workload = Workload(LIMIT)
        self.running: list[tuple[str, int]] = []

    def held(self, caller: str) -> int:
        return sum(size for who, size in self.running if who == caller)

    @rule(caller=callers, size=st.integers(0, LIMIT + 1))
    def call(self, caller: str, size: int) -> None:
        """It is taken exactly if there is room for it in what is this caller's."""
        fits = self.held(caller) + size <= LIMIT
        assert self.workload.take(caller, size) == fits
        if fits:
            self.running.append((caller, size))

    @rule(place=st.integers(0))
    def answer(self, place: int) -> None:
        """One of them is done."""
        if self.running:
            self.workload.release(*self.running.pop(place % len(self.running)))

    @invariant()
    def the_books_are_balanced(self) -> None:
        """And nobody who has nothing running is in them."""
        assert {who: size for who, size in self.workload._held.items() if size} == {
            who: self.held(who) for who, _ in self.running if self.held(who)
        }

    def teardown(self) -> None:
        """All are answered."""
        for caller, size in self.running:
            self.workload.release(caller, size)
        assert not any(self.workload._held.values())


TestAnswering = Answering.TestCase
TestAnswering.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
