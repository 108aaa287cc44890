"""The signalling protocol: what may come first, pings, silence, goodbyes."""

from __future__ import annotations

import pytest

from lk_pyodide.core import messages as m
from lk_pyodide.core import wire
from lk_pyodide.core.messages import Capability
from lk_pyodide.core.signal import (
    CAPABILITIES,
    CLIENT_PROTOCOL,
    FIRST_MESSAGE_TIMEOUT,
    LEAVE,
    PROTOCOL_VERSION,
    SDK_PYTHON,
    SignalProtocol,
    SignalState,
)
from lk_pyodide.errors import ConnectError, ProtocolError
from lk_pyodide.types import ConnectErrorReason, DisconnectReason

START = 1000.0
JOIN = m.JoinResponse(server_version="1.13.5", ping_interval=5, ping_timeout=15)


def joined(join: m.JoinResponse = JOIN, now: float = START) -> SignalProtocol:
    protocol = SignalProtocol("first token")
    assert protocol.receive(wire.encode_response(join), now) == join
    return protocol


def receive(protocol: SignalProtocol, message: m.ServerMessage, now: float = START) -> m.ServerMessage | None:
    return protocol.receive(wire.encode_response(message), now)


def sent(protocol: SignalProtocol) -> list[m.ClientMessage | None]:
    return [wire.decode_request(frame) for frame in protocol.data_to_send()]


def test_what_we_say_that_we_are() -> None:
    sdk = wire._pool().FindMessageTypeByName("livekit.ClientInfo").enum_types_by_name["SDK"]
    assert sdk.values_by_name["PYTHON"].number == SDK_PYTHON
    assert PROTOCOL_VERSION == 17, "livekit-server 1.13.5, pkg/rtc/types: CurrentProtocol"
    assert CLIENT_PROTOCOL == 2, "more would make peers send what we cannot take"
    assert CAPABILITIES == (Capability.CAP_COMPRESSION_DEFLATE_RAW,), "the same"
    assert FIRST_MESSAGE_TIMEOUT == 5, "livekit-client 2.23.0, SignalClient.ts"


# -- the first message -------------------------------------------------------------------------------------------------


def test_the_first_message_is_a_join() -> None:
    protocol = SignalProtocol()
    states = [protocol.state]
    assert receive(protocol, JOIN) == JOIN
    states.append(protocol.state)
    assert states == [SignalState.JOINING, SignalState.OPEN]
    assert sent(protocol) == []


def test_a_leave_instead_of_a_join_tells_why() -> None:
    protocol = SignalProtocol()
    with pytest.raises(ConnectError) as caught:
        receive(protocol, m.LeaveRequest(reason=DisconnectReason.DUPLICATE_IDENTITY))
    assert caught.value.reason is ConnectErrorReason.LEAVE_REQUEST
    assert caught.value.disconnect_reason is DisconnectReason.DUPLICATE_IDENTITY
    assert protocol.state is SignalState.CLOSED


@pytest.mark.parametrize(
    "first", [m.ParticipantUpdate(), m.Pong(1, 1), m.RefreshToken("secret"), m.ReconnectResponse()]
)
def test_anything_else_instead_of_a_join_is_an_error(first: m.ServerMessage) -> None:
    protocol = SignalProtocol("first token")
    with pytest.raises(ConnectError, match=type(first).__name__) as caught:
        receive(protocol, first)
    assert caught.value.reason is ConnectErrorReason.INTERNAL_ERROR
    assert isinstance(caught.value.__cause__, ProtocolError)
    assert "secret" not in str(caught.value)
    assert protocol.state is SignalState.CLOSED
    assert protocol.token == "first token"


def test_a_first_message_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ConnectError):
        SignalProtocol().receive(b"", START)


def test_bytes_that_are_no_protocol_are_an_error() -> None:
    with pytest.raises(ProtocolError):
        SignalProtocol().receive(b"\xff", START)


# -- messages ----------------------------------------------------------------------------------------------------------


def test_messages_for_the_session_come_through() -> None:
    protocol = joined()
    update = m.ParticipantUpdate((m.ParticipantInfo(sid="PA_1"),))
    assert receive(protocol, update) == update
    assert receive(protocol, JOIN) == JOIN, "a second join is not our business here"
    assert protocol.receive(b"", START) is None


def test_a_leave_closes_and_is_told() -> None:
    protocol = joined()
    leave = m.LeaveRequest(action=m.LeaveAction.RESUME)
    assert receive(protocol, leave) == leave
    assert protocol.state is SignalState.CLOSED
    protocol.send(m.MuteTrackRequest("TR_1", True))
    assert protocol.data_to_send() == []
    assert protocol.wake_at is None
    assert protocol.poll(START + 1e6), "what is closed cannot time out"


def test_a_new_token_replaces_the_old_one_and_is_told() -> None:
    protocol = joined()
    assert protocol.token == "first token"
    assert receive(protocol, m.RefreshToken("second")) == m.RefreshToken("second")
    assert protocol.token == "second"
    assert "second" not in repr(m.RefreshToken("second"))


def test_messages_are_sent_in_order_and_once() -> None:
    protocol = SignalProtocol()
    offer = m.SessionDescription("offer", "v=0", 1)
    messages: list[m.ClientMessage] = [m.MuteTrackRequest("TR_1", True), offer, m.Ping()]
    for message in messages:
        protocol.send(message)
    assert sent(protocol) == messages
    assert sent(protocol) == []


def test_request_ids_start_at_one_and_grow() -> None:
    protocol = SignalProtocol()
    assert [protocol.next_request_id() for _ in range(3)] == [1, 2, 3]


def test_our_own_goodbye() -> None:
    protocol = joined()
    protocol.leave()
    assert protocol.state is SignalState.CLOSED
    protocol.leave()
    protocol.send(m.Ping())
    assert sent(protocol) == [LEAVE]
    assert (LEAVE.reason, LEAVE.action) == (DisconnectReason.CLIENT_INITIATED, m.LeaveAction.DISCONNECT)


# -- pings -------------------------------------------------------------------------------------------------------------


def test_both_kinds_of_ping_go_out_at_each_interval() -> None:
    protocol = joined()
    for number in range(1, 4):
        due = START + 5 * number
        assert protocol.wake_at == due
        assert protocol.poll(due - 0.001)
        assert sent(protocol) == []
        assert protocol.poll(due)
        stamp = int(due * 1000)
        assert sent(protocol) == [m.LegacyPing(stamp), m.Ping(stamp, 0)]
        receive(protocol, m.Pong(stamp, stamp), due)


def test_a_late_poll_sends_one_ping_and_starts_a_new_interval() -> None:
    protocol = joined()
    assert protocol.poll(START + 13)
    assert len(sent(protocol)) == 2
    assert protocol.poll(START + 13)
    assert sent(protocol) == []
    receive(protocol, m.RoomUpdate(), START + 14)
    assert protocol.wake_at == START + 18


def test_the_round_trip_comes_from_the_pong_and_goes_into_the_next_ping() -> None:
    protocol = joined()
    assert protocol.rtt == 0
    assert receive(protocol, m.Pong(last_ping_timestamp=int((START + 5) * 1000)), START + 7.5) is None
    assert protocol.rtt == pytest.approx(2.5)
    protocol.poll(START + 10)
    assert sent(protocol)[1] == m.Ping(int((START + 10) * 1000), rtt=2500)


def test_a_pong_from_the_future_is_no_negative_round_trip() -> None:
    protocol = joined()
    receive(protocol, m.Pong(last_ping_timestamp=int((START + 60) * 1000)), START)
    assert protocol.rtt == 0


def test_silence_for_the_timeout_means_that_the_connection_is_dead() -> None:
    protocol = joined()
    assert protocol.poll(START + 5)
    assert protocol.poll(START + 10)
    assert protocol.wake_at == START + 15
    assert protocol.poll(START + 14.999)
    assert not protocol.poll(START + 15)


def test_any_message_is_a_sign_of_life() -> None:
    protocol = joined()
    receive(protocol, m.RoomUpdate(), START + 10)
    assert protocol.poll(START + 20)
    assert protocol.poll(START + 24.999)
    assert not protocol.poll(START + 25)


def test_a_dead_connection_is_sent_no_more_pings() -> None:
    protocol = joined()
    assert not protocol.poll(START + 100)
    assert sent(protocol) == []


def test_nothing_is_due_before_the_join() -> None:
    protocol = SignalProtocol()
    assert protocol.wake_at is None
    assert protocol.poll(START + 1e6)
    assert protocol.data_to_send() == []


def test_what_keeps_alive_is_no_business_of_the_clock() -> None:
    protocol = joined()
    kept = protocol.keep_alive
    assert kept is not None
    frame, seconds = kept
    assert JOIN.ping_interval < seconds < JOIN.ping_timeout / 2
    assert wire.decode_request(frame) == m.LegacyPing(0)
    assert protocol.data_to_send() == []


def test_a_server_without_pings() -> None:
    protocol = joined(m.JoinResponse())
    assert protocol.wake_at is None
    assert protocol.poll(START + 1e6)
    assert protocol.data_to_send() == []


def test_a_server_without_a_ping_timeout() -> None:
    protocol = joined(m.JoinResponse(ping_interval=5))
    assert protocol.wake_at == START + 5
    assert protocol.poll(START + 1e6), "silence is allowed"
    assert len(sent(protocol)) == 2


def test_a_timeout_shorter_than_the_interval_wakes_first() -> None:
    protocol = joined(m.JoinResponse(ping_interval=20, ping_timeout=15))
    assert protocol.wake_at == START + 15
