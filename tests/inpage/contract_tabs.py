"""Cases of the contract: other tabs. One page plays them all, as whoever opens a channel is somebody else."""

from __future__ import annotations

import asyncio

from tests.inpage.contract_kit import Closer, Env, Log, settle


class BroadcastLog(Log):
    """Handler of a BroadcastChannel."""

    def on_broadcast(self, data: bytes, /) -> None:
        self.add("broadcast", data)


async def broadcast_reaches_the_others(env: Env) -> None:
    """Everyone on a channel hears it, except who says it, in order and whole; nobody on another channel does."""
    sent = [b"", b"one", bytes(range(256)) * 300, *(b"%d" % number for number in range(50))]
    with Closer() as closer:
        logs = [BroadcastLog() for _ in range(4)]
        names = ("contract", "contract", "contract", "another")
        first, second, third, other = (
            env.browser.open_broadcast_channel(name, log) for name, log in zip(names, logs, strict=True)
        )
        closer.add(first, second, third, other)
        for data in sent:
            first.post(data)
        for log in logs[1:3]:
            await log.wait("broadcast", len(sent))
            assert [values[0] for values in log.get("broadcast")] == sent
        second.post(b"back")
        await logs[0].wait("broadcast")
        assert logs[0].get("broadcast") == [(b"back",)]
        second.close()
        second.close()
        second.post(b"too late")
        third.post(b"last")
        await logs[0].wait("broadcast", 2)
        assert logs[0].get("broadcast")[1] == (b"last",)
        assert len(logs[1].get("broadcast")) == len(sent)
        assert logs[3].calls == []


async def broadcast_handler_raises(env: Env) -> None:
    """The next message arrives all the same."""
    with Closer() as closer:
        log, other = BroadcastLog(), BroadcastLog()
        channel = env.browser.open_broadcast_channel("contract", log)
        speaker = env.browser.open_broadcast_channel("contract", other)
        closer.add(channel, speaker)
        log.on_call = lambda _: channel.close() if len(log.calls) == 2 else None
        for number in range(4):
            speaker.post(b"%d" % number)
        await log.wait("broadcast", 2)
        witness = BroadcastLog()
        closer.add(env.browser.open_broadcast_channel("contract", witness))
        speaker.post(b"end")
        await witness.wait("broadcast")
        assert len(log.calls) == 2


async def locks_queue(env: Env) -> None:
    """One has it at a time; who waits gets it in turn; who gives up waiting leaves the queue."""
    first = await env.browser.request_lock("contract")
    other = await env.browser.request_lock("another")
    other.release()
    second = asyncio.ensure_future(env.browser.request_lock("contract"))
    third = asyncio.ensure_future(env.browser.request_lock("contract"))
    fourth = asyncio.ensure_future(env.browser.request_lock("contract"))
    await settle()
    await asyncio.sleep(0.05)  # to see that nothing happens
    assert not any(waiting.done() for waiting in (second, third, fourth))
    third.cancel()
    await asyncio.wait([third])
    first.release()
    first.release()
    (await second).release()
    lock = await fourth
    lock.release()
    (await env.browser.request_lock("contract")).release()


async def locks_given_up_late(env: Env) -> None:
    """Who gives up waiting just when the lock is given has it or has it not, and holds nobody up."""
    for turns in range(40):
        first = await env.browser.request_lock("contract")
        second = asyncio.ensure_future(env.browser.request_lock("contract"))
        await settle()
        first.release()
        for _ in range(turns):
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        if not second.cancelled():
            second.result().release()
    (await env.browser.request_lock("contract")).release()


async def locks_are_stolen(env: Env) -> None:
    """From who has it, who learns of it, before those who wait; then all goes on in order."""
    robbed = await env.browser.request_lock("contract")
    loss = asyncio.ensure_future(robbed.lost())
    waiting = asyncio.ensure_future(env.browser.request_lock("contract"))
    await settle()
    assert not loss.done()
    thief = await env.browser.request_lock("contract", steal=True)
    await asyncio.wait_for(loss, 5)
    robbed.release()
    await settle()
    await asyncio.sleep(0.05)  # to see that nothing happens
    assert not waiting.done()
    safe = asyncio.ensure_future(thief.lost())
    thief.release()
    lock = await waiting
    assert not safe.done()
    safe.cancel()
    lock.release()
    (await env.browser.request_lock("contract", steal=True)).release()


CASES = (broadcast_reaches_the_others, broadcast_handler_raises, locks_queue, locks_given_up_late, locks_are_stolen)
