"""Offer and answer: a model of both ends, driven by Hypothesis, and the plain cases in words."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lk_pyodide.core.negotiation import Negotiation, OfferState


class OfferAnswer(RuleBasedStateMachine):
    """A peer connection that changes, and a server that answers late, twice, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.negotiation = Negotiation()
        self.ids: list[int] = []
        self.in_flight: int | None = None
        self.changes = 0
        self.wanted = 0
        """Changes for which somebody asked for an offer."""
        self.offered = 0
        """Changes that the newest offer contains."""
        self.covering: dict[int, int] = {}
        """Change → id of the offer that is to contain it."""

    @rule()
    def change(self) -> None:
        self.changes += 1
        self.covering[self.changes] = self.negotiation.next_covering()
        self.negotiate()

    @rule()
    def negotiate(self) -> None:
        self.wanted = self.changes
        offer = self.negotiation.offer()
        assert (offer is None) == (self.in_flight is not None), "one offer at a time"
        if offer is not None:
            self.made(offer)

    def made(self, offer: int) -> None:
        assert offer == (self.ids[-1] if self.ids else 0) + 1, "ids start at 1 and grow by one"
        self.ids.append(offer)
        self.in_flight = offer
        self.offered = self.changes

    @precondition(lambda self: self.in_flight is not None)
    @rule(uncounted=st.booleans())
    def answer(self, uncounted: bool) -> None:
        assert self.in_flight is not None
        assert self.negotiation.accepts(0 if uncounted else self.in_flight)
        answered, self.in_flight = self.in_flight, None
        again = self.negotiation.applied()
        assert self.negotiation.answered == answered
        assert again == (self.wanted > self.offered) or (again and self.wanted == self.offered)
        if again:
            offer = self.negotiation.offer()
            assert offer is not None, "the offer that was promised can be made"
            self.made(offer)

    @rule(data=st.data())
    def stray_answer(self, data: st.DataObject) -> None:
        stray = data.draw(st.integers(0, (self.ids[-1] if self.ids else 0) + 3))
        current = self.in_flight is not None and stray in (0, self.in_flight)
        before = (self.negotiation.state, self.negotiation.answered)
        assert self.negotiation.accepts(stray) == current
        assert (self.negotiation.state, self.negotiation.answered) == before, "asking changes nothing"

    @precondition(lambda self: self.in_flight is not None)
    @rule()
    def fail(self) -> None:
        failed = self.in_flight
        self.negotiation.failed()
        self.in_flight = None
        assert failed is not None and not self.negotiation.accepts(failed), "its answer comes too late"

    @invariant()
    def nothing_wanted_is_forgotten(self) -> None:
        if self.in_flight is None and self.negotiation.state is OfferState.STABLE and self.ids:
            covered = self.negotiation.answered == self.ids[-1]
            assert not covered or self.offered >= self.wanted, "all that was asked for has been offered"

    @invariant()
    def each_change_is_in_the_offer_that_was_foretold(self) -> None:
        for change, offer in self.covering.items():
            if self.ids and self.ids[-1] == offer:
                assert self.offered >= change
        assert self.negotiation.latest_offer == (self.ids[-1] if self.ids else 0)

    @invariant()
    def the_state_is_what_the_model_says(self) -> None:
        assert (self.negotiation.state is OfferState.STABLE) == (self.in_flight is None)


TestOfferAnswer = OfferAnswer.TestCase
TestOfferAnswer.settings = settings(max_examples=150, stateful_step_count=40)


def test_the_first_offer_has_the_id_one() -> None:
    negotiation = Negotiation()
    assert negotiation.latest_offer == negotiation.answered == 0
    assert negotiation.offer() == 1
    assert negotiation.latest_offer == 1
    assert negotiation.answered == 0


def test_who_asks_during_an_offer_gets_one_after_its_answer() -> None:
    negotiation = Negotiation()
    negotiation.offer()
    assert negotiation.offer() is None
    assert negotiation.offer() is None
    assert negotiation.accepts(1)
    assert negotiation.applied()
    assert negotiation.offer() == 2
    assert not negotiation.applied(), "two wishes are one offer"
    assert negotiation.answered == 2


def test_an_answer_without_an_offer_is_dropped() -> None:
    negotiation = Negotiation()
    assert not negotiation.accepts(0)
    assert not negotiation.accepts(1)
    negotiation.offer()
    negotiation.applied()
    assert not negotiation.accepts(1), "twice"
    assert not negotiation.accepts(0)


def test_an_answer_to_an_older_offer_is_dropped() -> None:
    negotiation = Negotiation()
    negotiation.offer()
    negotiation.applied()
    negotiation.offer()
    assert not negotiation.accepts(1)
    assert negotiation.accepts(2)


def test_after_a_failure_a_new_offer_can_be_made() -> None:
    negotiation = Negotiation()
    negotiation.offer()
    negotiation.failed()
    assert negotiation.state is OfferState.STABLE
    assert negotiation.offer() == 2


def test_what_is_changed_now_is_in_the_next_offer() -> None:
    negotiation = Negotiation()
    assert negotiation.next_covering() == 1
    negotiation.offer()
    assert negotiation.next_covering() == 2, "the one on its way was made before"
