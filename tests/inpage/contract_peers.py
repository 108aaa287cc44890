"""Cases of the contract: two peer connections, their descriptions and their data channels."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from lk_pyodide.browser.api import DataChannelInit, IceServer, RtcConfig, SenderInit, SessionDescription
from lk_pyodide.errors import BrowserError
from tests.inpage.contract_kit import (
    ChannelLog,
    Closer,
    ElementLog,
    Env,
    Peer,
    open_channel,
    raises,
    recorded_log,
    settle,
    until,
)


async def peers_connect(env: Env) -> None:
    """Two connections come to be connected; states are what events said."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        assert (first.pc.connection_state, first.pc.signaling_state) == ("new", "stable")
        first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
        await first.negotiate()
        assert first.pc.signaling_state == second.pc.signaling_state == "stable"
        await first.until_connected()
        await second.until_connected()
        assert first.pc.connection_state == second.pc.connection_state == "connected"
        assert [state for (state,) in first.get("state")][:2] == ["connecting", "connected"]
        candidate = json.loads(str(first.get("candidate")[0][0]))
        assert candidate["candidate"].startswith("candidate:")
        assert candidate["sdpMLineIndex"] == 0


async def channel_both_ways(env: Env) -> None:
    """Bytes of every size travel both ways, whole and in order."""
    sent = [b"", b"\x00\xff", b"a" * 1_500, bytes(range(256)) * 234, b"", *(b"%d" % i for i in range(200))]
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel, log, other, other_log = await open_channel(first, second, "label ü")
        assert (channel.label, other.label) == ("label ü", "label ü")
        assert channel.ready_state == other.ready_state == "open"
        assert channel.id is not None
        assert channel.id == other.id
        for data in sent:
            channel.send(data)
            other.send(data)
        await log.wait("message", len(sent))
        await other_log.wait("message", len(sent))
        assert [values[0] for values in log.get("message")] == sent
        assert [values[0] for values in other_log.get("message")] == sent


async def channel_unordered(env: Env) -> None:
    """A channel without retransmission is one too."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        log = ChannelLog()
        lossy = first.pc.create_data_channel("lossy", DataChannelInit(ordered=False, max_retransmits=0), log)
        assert lossy.ready_state == "connecting"
        await open_channel(first, second)
        await log.wait("open")
        lossy.send(b"x")
        await second.until(lambda: "lossy" in second.channels, "lossy channel")
        assert await second.channels["lossy"][1].wait("message") == (b"x",)


async def channel_not_open(env: Env) -> None:
    """Sending too early or too late is an error at once."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        channel = first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
        for _ in range(2):
            with raises(BrowserError) as caught:
                channel.send(b"x")
            assert caught.value.name == "InvalidStateError"
            channel.close()
            channel.set_buffered_amount_low_threshold(10)
        assert (channel.ready_state, channel.buffered_amount) == ("closed", 0)


async def channel_buffered_amount(env: Env) -> None:
    """What waits is counted, and the handler hears when it has gone."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel, log, _, other_log = await open_channel(first, second)
        channel.set_buffered_amount_low_threshold(100_000)
        for _ in range(20):
            channel.send(b"x" * 60_000)
        assert 100_000 < channel.buffered_amount <= 1_200_000
        await log.wait("low")
        assert channel.buffered_amount <= 100_000
        await other_log.wait("message", 20)
        assert sum(len(str(values[0])) - 3 for values in other_log.get("message")) == 1_200_000
        assert len(log.get("low")) == 1


async def channel_closes(env: Env) -> None:
    """The other side hears of a close once; this side does not."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel, log, other, other_log = await open_channel(first, second)
        channel.send(b"last")
        await other_log.wait("message")
        channel.close()
        channel.close()
        await other_log.wait("close")
        assert other.ready_state == channel.ready_state == "closed"
        assert [call[0] for call in other_log.calls] == ["open", "message", "close"]
        assert log.get("close") == []


async def channel_refused(env: Env) -> None:
    """A channel that nobody wants is closed, and the one who opened it hears that."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        second.refuse_channels = True
        log = ChannelLog()
        first.pc.create_data_channel("x", DataChannelInit(), log)
        await first.negotiate()
        await log.wait("close")
        assert second.get("channel") == [("x",)]


async def channel_handlers_close(env: Env) -> None:
    """A handler may close its channel, or the whole connection; nothing is heard afterwards."""
    for moment in ("open", "message"):
        for target in ("channel", "pc"):
            with Closer() as closer:
                first, second = closer.peers(env.browser)
                log = ChannelLog()
                channel = first.pc.create_data_channel("x", DataChannelInit(), log)
                thing = channel if target == "channel" else first.pc

                def act(name: str, moment: str = moment, close: Callable[[], None] = thing.close) -> None:
                    if name == moment:
                        close()

                log.on_call = act
                second.on_call = lambda name, peer=second: _greet(peer) if name == "channel" else None
                # The connection may be closed before it is known that the answer is applied; a channel hinders nobody.
                with contextlib.suppress(*((BrowserError,) if target == "pc" else ())):
                    await first.negotiate()
                await log.wait(moment)
                assert log.calls[-1][0] == moment
                await settle()
                assert log.calls[-1][0] == moment
                assert channel.ready_state == "closed"


def _greet(peer: Peer) -> None:
    channel, log = peer.channels["x"]

    def send(name: str) -> None:
        if name == "open":
            channel.send(b"1")
            channel.send(b"2")

    log.on_call = send


async def channel_handlers_raise(env: Env) -> None:
    """Handlers that raise are logged; the channel goes on."""

    def fail(name: str) -> None:
        raise ValueError(name)

    with Closer() as closer, recorded_log() as lines:
        first, second = closer.peers(env.browser)
        first.on_call = second.on_call = fail
        log = ChannelLog()
        log.on_call = fail
        channel = first.pc.create_data_channel("x", DataChannelInit(), log)
        await first.negotiate()
        await log.wait("close")  # the handler of on_data_channel has raised, so nobody took the channel
        assert channel.ready_state == "closed"
        second.on_call = None
        log = ChannelLog()
        log.on_call = fail
        channel = first.pc.create_data_channel("y", DataChannelInit(), log)
        await log.wait("open")
        await second.until(lambda: "y" in second.channels, "the channel is announced")
        other, _ = second.channels["y"]
        other.send(b"1")
        other.send(b"2")
        await log.wait("message", 2)
        channel.send(b"3")
        assert len([line for line in lines if "ValueError: message" in line]) == 2
        assert [line for line in lines if "ValueError: channel" in line]
        assert [line for line in lines if "ValueError: state" in line]


async def peer_close(env: Env) -> None:
    """After ``close()`` nothing is heard, the other side's channels close, and what is asked for is refused."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel, log, other, other_log = await open_channel(first, second)
        await first.until_connected()
        other.send(b"on its way")
        count = len(first.calls)
        first.pc.close()
        first.pc.close()
        assert (first.pc.connection_state, first.pc.signaling_state) == ("closed", "closed")
        assert channel.ready_state == "closed"
        first.pc.add_ice_candidate("{}")
        first.pc.set_configuration(RtcConfig())
        offer = SessionDescription("offer", "v=0")
        actions: list[Callable[[], Coroutine[Any, Any, object]]] = [
            first.pc.create_offer,
            first.pc.create_answer,
            lambda: first.pc.set_local_description(offer),
            lambda: first.pc.set_remote_description(offer),
            first.pc.get_stats,
        ]
        for action in actions:
            with raises(BrowserError) as caught:
                await action()
            assert caught.value.name == "InvalidStateError"
        with raises(BrowserError):
            first.pc.create_data_channel("y", DataChannelInit(), ChannelLog())
        with raises(BrowserError):
            first.pc.add_receiver("audio")
        await other_log.wait("close")
        assert log.calls == [("open",)]
        assert len(first.calls) == count


async def peer_close_while_awaiting(env: Env) -> None:
    """Whoever waits for a connection that is being closed gets an error, and does not wait for ever."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        first.pc.add_receiver("audio")
        offer = await first.pc.create_offer()
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(first.pc.create_offer()),
            asyncio.ensure_future(first.pc.set_local_description(SessionDescription("offer", offer))),
            asyncio.ensure_future(first.pc.get_stats()),
        ]
        await asyncio.sleep(0)
        first.pc.close()
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not isinstance(item, Exception) or isinstance(item, BrowserError) for item in outcomes), outcomes


async def peer_handlers_close(env: Env) -> None:
    """A handler of the connection may close it, whatever it hears."""
    for moment in ("state", "candidate", "channel", "track"):
        with Closer() as closer:
            first, second = closer.peers(env.browser)
            (track,) = await closer.capture(env, "audio")
            first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
            first.pc.add_sender(track, SenderInit())

            def act(name: str, moment: str = moment, peer: Peer = second) -> None:
                if name == moment:
                    peer.pc.close()

            second.on_call = act
            try:
                await first.negotiate()
            except BrowserError as error:
                assert error.name == "InvalidStateError", error
            await second.wait(moment)
            await settle()
            assert second.calls[-1][0] == moment
            assert second.pc.connection_state == "closed"


async def fallback_description(env: Env) -> None:
    """A refused text is replaced by the one to fall back to, with a warning that does not show the text."""
    with Closer() as closer, recorded_log() as lines:
        first, second = closer.peers(env.browser)
        first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())
        offer = await first.pc.create_offer()
        await first.pc.set_local_description(SessionDescription("offer", "nonsense-text", offer))
        assert first.pc.signaling_state == "have-local-offer"
        with raises(BrowserError) as caught:
            await second.pc.set_remote_description(SessionDescription("offer", "nonsense-text"))
        assert caught.value.name
        assert second.pc.signaling_state == "stable"
        with raises(BrowserError):
            await second.pc.set_remote_description(SessionDescription("offer", "nonsense-text", "nonsense-text"))
        await second.describe("offer", "nonsense-text", offer)
        answer = await second.pc.create_answer()
        await second.pc.set_local_description(SessionDescription("answer", "nonsense-text", answer))
        await first.describe("answer", "nonsense-text", answer)
        await first.until_connected()
        assert len(lines) == 4
        assert all("unedited" in line and "nonsense-text" not in line for line in lines)


async def wrong_state(env: Env) -> None:
    """Descriptions out of turn are errors with the browser's name for them."""
    with Closer() as closer:
        first, _ = closer.peers(env.browser)
        first.pc.add_receiver("video")
        with raises(BrowserError) as caught:
            await first.pc.create_answer()
        assert caught.value.name == "InvalidStateError"
        offer = await first.pc.create_offer()
        with raises(BrowserError):
            await first.pc.set_remote_description(SessionDescription("answer", offer))
        assert first.pc.signaling_state == "stable"


async def rollback(env: Env) -> None:
    """An offer can be taken back, and another one made."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        first.pc.add_receiver("audio")
        await first.pc.set_local_description(SessionDescription("offer", await first.pc.create_offer()))
        assert first.pc.signaling_state == "have-local-offer"
        await first.pc.set_local_description(SessionDescription("rollback", ""))
        assert first.pc.signaling_state == "stable"
        await first.negotiate()
        await second.until_connected()


async def ice_restart(env: Env) -> None:
    """An offer that restarts ICE has other credentials, and the channel lives on."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel, _, _, other_log = await open_channel(first, second)

        def fragments(sdp: str) -> set[str]:
            return set(re.findall(r"a=ice-ufrag:(\S+)", sdp))

        plain = await first.pc.create_offer()
        offer = await first.pc.create_offer(ice_restart=True)
        assert fragments(offer).isdisjoint(fragments(plain))
        await first.pc.set_local_description(SessionDescription("offer", offer))
        await second.describe("offer", offer)
        answer = await second.pc.create_answer()
        await second.pc.set_local_description(SessionDescription("answer", answer))
        await first.describe("answer", answer)
        channel.send(b"still here")
        assert await other_log.wait("message") == (b"still here",)


async def bad_candidate(env: Env) -> None:
    """A candidate that is none is logged and nothing else."""
    with Closer() as closer, recorded_log() as lines:
        first, second = closer.peers(env.browser)
        await open_channel(first, second)
        first.pc.add_ice_candidate('{"candidate": "nonsense", "sdpMLineIndex": 0}')
        first.pc.add_ice_candidate("not even JSON")
        await until(lambda: len(lines) == 2, "two warnings")
        assert all("ICE candidate" in line and "nonsense" not in line for line in lines)


_BAD = RtcConfig(ice_servers=(IceServer(("nonsense:x",)),))
_GOOD = RtcConfig((IceServer(("turn:127.0.0.1:3478?transport=udp",), "user", "secret"),), "relay")


async def bad_configuration(env: Env) -> None:
    """A server address that is none is an error; a good one is taken, before and after."""
    with Closer() as closer, recorded_log() as lines:
        first, second = closer.peers(env.browser)
        if env.on_page:
            with raises(BrowserError) as caught:
                env.browser.new_peer_connection(_BAD, first)
            assert caught.value.name == "SyntaxError"
            with raises(BrowserError):
                first.pc.set_configuration(_BAD)
        else:  # from a worker it can only be tried: the connection fails, and the log says why
            closer.add(env.browser.new_peer_connection(_BAD, first))
            assert await first.wait("state") == ("failed",)
            second.pc.set_configuration(_BAD)
            await until(lambda: len(lines) == 2, "two errors")
            assert all("SyntaxError" in line for line in lines)
        first.pc.set_configuration(_GOOD)
        env.browser.new_peer_connection(_GOOD, first).close()
        assert "secret" not in repr(_GOOD)


async def cancelled_calls(env: Env) -> None:
    """Cancelling any wait leaves a connection that still works."""
    with Closer() as closer:
        first, second = closer.peers(env.browser)
        channel = first.pc.create_data_channel("x", DataChannelInit(), ChannelLog())

        async def cancel(work: Coroutine[Any, Any, object], turns: int) -> None:
            task = asyncio.ensure_future(work)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None

        for turns in (0, 1, 2):
            await cancel(first.pc.create_offer(), turns)
            await cancel(first.pc.get_stats(), turns)
        offer = await first.pc.create_offer()
        await cancel(first.pc.set_local_description(SessionDescription("offer", offer)), 1)
        await first.pc.set_local_description(SessionDescription("offer", offer))
        await cancel(second.pc.set_remote_description(SessionDescription("offer", offer)), 1)
        await second.describe("offer", offer)
        await cancel(second.pc.create_answer(), 1)
        answer = await second.pc.create_answer()
        await second.pc.set_local_description(SessionDescription("answer", answer))
        await first.describe("answer", answer)
        await second.wait("channel")
        channel.close()


async def sent_on_offered_sections(env: Env) -> None:
    """Who answers may send in the sections that were offered for it: a track that came from elsewhere, even."""
    with Closer() as closer:
        source, host = closer.peers(env.browser)
        audio, video = await closer.capture(env, "audio", "video")
        source.pc.add_sender(audio, SenderInit())
        source.pc.add_sender(video, SenderInit())
        await source.negotiate()
        await host.wait("track", 2)
        received = {arrival.track.kind: arrival.track for arrival in host.arrivals}
        viewer, server = closer.peers(env.browser)
        viewer.pc.add_receiver("audio")
        viewer.pc.add_receiver("video")
        offer = await viewer.pc.create_offer()
        await viewer.pc.set_local_description(SessionDescription("offer", offer))
        await server.describe("offer", offer)
        for section in offer.split("m=")[1:]:
            found = re.search(r"^a=mid:(\S+)", section, re.M)
            assert found
            server.pc.send_on(found[1], received["audio" if section.startswith("audio") else "video"])
        answer = await server.pc.create_answer()
        assert answer.count("a=sendonly") == 2
        await server.pc.set_local_description(SessionDescription("answer", answer))
        await viewer.describe("answer", answer)
        await viewer.wait("track", 2)
        element = env.browser.new_element("video", None, log := ElementLog())
        closer.add(element)
        element.attach(next(arrival.track for arrival in viewer.arrivals if arrival.track.kind == "video"))
        await log.wait("playing")
        with recorded_log() as lines:
            try:
                server.pc.send_on("nowhere", received["audio"])
            except BrowserError as error:
                assert error.name == "InvalidAccessError"
            else:  # from a worker it can only be tried
                await until(lambda: len(lines) == 1, "a line in the log")
        server.pc.send_on("0", None)
        again = await viewer.pc.create_offer()
        await viewer.pc.set_local_description(SessionDescription("offer", again))
        await server.describe("offer", again)
        answer = await server.pc.create_answer()
        assert (answer.count("a=sendonly"), answer.count("a=inactive")) == (1, 1)


CASES = (
    peers_connect,
    channel_both_ways,
    channel_unordered,
    channel_not_open,
    channel_buffered_amount,
    channel_closes,
    channel_refused,
    channel_handlers_close,
    channel_handlers_raise,
    peer_close,
    peer_close_while_awaiting,
    peer_handlers_close,
    fallback_description,
    wrong_state,
    rollback,
    ice_restart,
    bad_candidate,
    bad_configuration,
    cancelled_calls,
    sent_on_offered_sections,
)
