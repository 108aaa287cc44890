"""The host's end of a client's data channels."""

from __future__ import annotations

import pytest

from lk_pyodide.browser.api import DataChannel
from lk_pyodide.core.reliable import DATA_TRACK, LOSSY, RELIABLE
from lk_pyodide.errors import BrowserError
from lk_pyodide.local.channels import LOSSY_HIGH_WATER, RELIABLE_HIGH_WATER, Channels


class Channel:
    """A channel that only remembers."""

    id = 1

    def __init__(self, label: str, ready_state: str = "open") -> None:
        self.label = label
        self.ready_state = ready_state
        self.buffered_amount = 0
        self.sent: list[bytes] = []

    def send(self, data: bytes, /) -> None:
        if data == b"refused":
            raise BrowserError("no", "OperationError")
        self.sent.append(data)

    def set_buffered_amount_low_threshold(self, size: int, /) -> None: ...
    def close(self) -> None: ...


class Client:
    """What is heard of a client."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.stuck = 0
        self.channels = Channels(lambda label, data: self.heard.append((label, data)), self._give_up)

    def _give_up(self) -> None:
        self.stuck += 1

    def open(self, channel: Channel) -> Channel:
        opened: DataChannel = channel
        self.listener = self.channels.accept(opened)
        return channel


def test_each_channel_carries_both_ways() -> None:
    client = Client()
    for label in (RELIABLE, LOSSY, DATA_TRACK):
        channel = client.open(Channel(label))
        client.listener.on_message(b"up")
        client.listener.on_message("text is nothing")
        client.channels.carry(label, b"down")
        assert channel.sent == [b"down"]
    assert client.heard == [(RELIABLE, b"up"), (LOSSY, b"up"), (DATA_TRACK, b"up")]
    client.open(Channel("_other"))
    client.listener.on_open()
    client.listener.on_message(b"up")
    client.listener.on_close()
    assert len(client.heard) == 3


def test_what_is_reliable_waits_for_its_channel() -> None:
    client = Client()
    for label in (RELIABLE, LOSSY):
        client.channels.carry(label, b"1")
    channel = client.open(Channel(RELIABLE, "connecting"))
    client.channels.carry(RELIABLE, b"2")
    assert channel.sent == []
    channel.ready_state = "open"
    client.listener.on_open()
    client.channels.carry(RELIABLE, b"3")
    assert channel.sent == [b"1", b"2", b"3"]
    channel.ready_state = "closed"
    client.channels.carry(RELIABLE, b"4")
    assert (channel.sent[3:], client.stuck) == ([], 0)


@pytest.mark.parametrize("label", [LOSSY, DATA_TRACK])
def test_what_may_be_lost_is_not_queued(label: str) -> None:
    client = Client()
    channel = client.open(Channel(label))
    channel.buffered_amount = LOSSY_HIGH_WATER + 1
    client.channels.carry(label, b"lost")
    channel.buffered_amount = LOSSY_HIGH_WATER
    client.channels.carry(label, b"refused")
    client.channels.carry(label, b"sent")
    assert (channel.sent, client.stuck) == ([b"sent"], 0)


def test_a_client_that_does_not_read_is_given_up() -> None:
    client = Client()
    channel = client.open(Channel(RELIABLE))
    channel.buffered_amount = RELIABLE_HIGH_WATER
    client.channels.carry(RELIABLE, b"1")
    channel.buffered_amount += 1
    client.channels.carry(RELIABLE, b"2")
    assert (channel.sent, client.stuck) == ([b"1"], 1)
    late = Client()
    late.channels.carry(RELIABLE, bytes(RELIABLE_HIGH_WATER))
    assert late.stuck == 0
    late.channels.carry(RELIABLE, b"1")
    assert late.stuck == 1
