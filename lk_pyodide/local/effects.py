"""What is to be done, as :class:`lk_pyodide.local.engine.Engine` decided; ``hosted_room`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from lk_pyodide.core import messages as m
from lk_pyodide.local.claims import Claims


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a signalling message."""

    key: str
    message: m.ServerMessage


@dataclass(frozen=True, slots=True)
class Join:
    """Send the first message of a connection."""

    key: str
    response: m.JoinResponse
    others: tuple[m.ParticipantInfo, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Close a connection, once what was said has been sent."""

    key: str


@dataclass(frozen=True, slots=True)
class Carry:
    """Send bytes on a data channel, which is named by its label."""

    key: str
    label: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Forward:
    """Send a track of ``publisher``, whose own id of it is ``cid``, to ``subscriber``, until :class:`Halt`."""

    sid: str
    publisher: str
    subscriber: str
    publisher_sid: str
    cid: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Send a track to ``subscriber`` no more."""

    sid: str
    subscriber: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Send a token that says what is now true of a participant, for when it has to join anew."""

    key: str
    claims: Claims


Effect = Tell | Join | Renew | Drop | Carry | Forward | Halt
