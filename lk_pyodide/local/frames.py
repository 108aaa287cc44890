"""What tabs say to one another on the BroadcastChannel of an address: a line of JSON, then bytes.

Everybody of this origin can say anything there, also in another's name: the origin is the trust boundary. What is
malformed is dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

MAX_FRAME = 2 * 1024 * 1024
"""Bytes, livekit-server's limit for a signalling message."""
MAX_HEAD = 256
"""Bytes of the line of JSON."""
MAX_NAME = 64
"""Characters of a name."""

EVERYONE = "*"

# Kinds of frames.
HOST = "host"  # a host is here: to everyone, when it begins
OPEN = "open"  # a client wants in; the payload is the address, with token and join request
OPENED = "opened"  # it is in
REFUSED = "refused"  # it is not; the payload is the HTTP answer that livekit-server would give: "401 text"
DATA = "data"  # a frame of the WebSocket
CLOSE = "close"  # the WebSocket closes; the payload is "1000 reason"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. ``sender`` and ``to`` are names of hosts and of clients' connections."""

    sender: str
    to: str
    kind: str
    payload: bytes = b""

    def encode(self) -> bytes:
        """As bytes."""
        return json.dumps([self.sender, self.to, self.kind]).encode() + b"\n" + self.payload


def decode(data: bytes) -> Frame | None:
    """Read a frame; None for what is none."""
    if len(data) > MAX_FRAME:
        return None
    line, separator, _ = data[:MAX_HEAD].partition(b"\n")
    try:
        head = json.loads(line) if separator else None
    except ValueError:
        return None
    if not isinstance(head, list) or len(head) != 3 or not all(isinstance(part, str) for part in head):
        return None
    sender, to, kind = head
    if not 0 < len(sender) <= MAX_NAME or sender == EVERYONE:
        return None
    return Frame(sender, to, kind, data[len(line) + 1 :])


def split_code(payload: bytes, default: int) -> tuple[int, str]:
    """A number and a text, as CLOSE and REFUSED have them."""
    number, _, text = payload.decode(errors="replace").partition(" ")
    return (int(number) if number.isdecimal() and len(number) <= 4 else default), text


def lock_of_host(address: str) -> str:
    """Who holds this lock is the host of an address."""
    return f"lk_pyodide local host {address}"


def lock_of(name: str) -> str:
    """Whoever speaks under this name, host or client, holds this lock as long as it lives."""
    return f"lk_pyodide local member {name}"


def channel_of(address: str) -> str:
    """The BroadcastChannel of an address."""
    return f"lk_pyodide local {address}"
