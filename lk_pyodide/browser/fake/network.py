"""What joins fake peer connections: they find one another by the ``ice-ufrag`` in their descriptions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lk_pyodide.browser.fake.tabs import FakeTabs

if TYPE_CHECKING:
    from lk_pyodide.browser.fake.transport import FakeTransport


class FakeNetwork:
    """Peer connections on one network can reach each other, those of several browsers too.

    Attributes:
        has_interface: whether there is any; without, browsers find no candidates, and connections remain new.
    """

    def __init__(self) -> None:
        self.has_interface = True
        self._peers: dict[str, FakeTransport] = {}
        self._numbers = itertools.count(1)
        self.tabs = FakeTabs()

    def make_id(self, what: str) -> str:
        """A new id, the same in every run."""
        return f"{what}-{next(self._numbers)}"

    def make_ufrag(self) -> str:
        """A new ICE user name."""
        return f"fk{next(self._numbers):04x}"

    def register(self, ufrag: str, pc: FakeTransport) -> None:
        """A connection uses this name from now on."""
        self._peers[ufrag] = pc

    def find(self, ufrag: str) -> FakeTransport | None:
        """The connection of that name."""
        return self._peers.get(ufrag)

    def remove(self, pc: FakeTransport) -> None:
        """A connection is closed."""
        self._peers = {ufrag: other for ufrag, other in self._peers.items() if other is not pc}
