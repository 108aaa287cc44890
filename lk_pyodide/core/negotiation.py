"""When an offer may be made, and which answer belongs to it.

One offer is on its way at a time; whoever wants another while it is gets it after the answer. Ids start at 1 and grow,
and an answer to an older offer is dropped (livekit-client ``PCTransport.ts``).
"""

from __future__ import annotations

from enum import Enum


class OfferState(Enum):
    """Where the exchange stands."""

    STABLE = "stable"
    OFFERED = "offered"
    OFFERED_AGAIN_LATER = "offered-again-later"


class Negotiation:
    """The offering side's bookkeeping for one peer connection."""

    def __init__(self) -> None:
        self.state = OfferState.STABLE
        self._latest = 0
        self._answered = 0

    @property
    def latest_offer(self) -> int:
        """Id of the newest offer; 0 before the first."""
        return self._latest

    @property
    def answered(self) -> int:
        """Id of the newest offer whose answer has been applied."""
        return self._answered

    def offer(self) -> int | None:
        """Ask to make an offer.

        Returns:
            The new offer's id; None when one is on its way, in which case another will be due after its answer.
        """
        if self.state is not OfferState.STABLE:
            self.state = OfferState.OFFERED_AGAIN_LATER
            return None
        self.state = OfferState.OFFERED
        self._latest += 1
        return self._latest

    def failed(self) -> None:
        """The offer could not be made or sent."""
        self.state = OfferState.STABLE

    def accepts(self, offer_id: int) -> bool:
        """Whether an answer is to be applied; an id of 0 comes from servers that do not count."""
        return self.state is not OfferState.STABLE and offer_id in (0, self._latest)

    def applied(self) -> bool:
        """The answer has been applied.

        Returns:
            True when another offer is due now.
        """
        again = self.state is OfferState.OFFERED_AGAIN_LATER
        self.state = OfferState.STABLE
        self._answered = self._latest
        return again

    def next_covering(self) -> int:
        """Id of the first offer that will contain what has just been changed on the peer connection.

        While an offer is on its way that is the one after it: the present one was made before the change.
        """
        return self._latest + 1
