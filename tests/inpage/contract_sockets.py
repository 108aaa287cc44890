"""Cases of the contract: WebSocket, fetch and the life of the page."""

from __future__ import annotations

import asyncio

from lk_pyodide.browser.api import WebSocket
from lk_pyodide.errors import BrowserError, DeadlineExceeded, UsageError
from tests.inpage.contract_kit import DEADLINE, Closer, Env, PageLog, WebSocketLog, raises, recorded_log, settle


async def _open(env: Env, closer: Closer, query: str = "") -> tuple[WebSocket, WebSocketLog]:
    log = WebSocketLog()
    socket = env.browser.open_websocket(env.echo_url + query, log)
    closer.add(socket)
    await log.wait("open")
    return socket, log


async def websocket_echoes_bytes(env: Env) -> None:
    """Bytes of every size come back whole and in order."""
    with Closer() as closer:
        socket, log = await _open(env, closer)
        sent = [
            b"",
            b"\x00\xff",
            b"a" * 1_500,
            bytes(range(256)) * 235,
            b"b" * 1_000_000,
            *(b"%d" % i for i in range(50)),
        ]
        for data in sent:
            socket.send(data)
        await log.wait("message", len(sent))
        assert [values[0] for values in log.get("message")] == sent


async def websocket_hears_text(env: Env) -> None:
    """A text frame arrives as str."""
    with Closer() as closer:
        socket, log = await _open(env, closer)
        socket.send("say:héllo 😀".encode())
        assert await log.wait("message") == ("héllo 😀",)


async def websocket_queues_before_open(env: Env) -> None:
    """What is sent too early is sent on opening, before ``on_open`` sends more."""
    with Closer() as closer:
        log = WebSocketLog()
        socket = env.browser.open_websocket(env.echo_url, log)
        closer.add(socket)
        log.on_call = lambda name: socket.send(b"later") if name == "open" else None
        socket.send(b"early")
        await log.wait("message", 2)
        assert log.calls == [("open",), ("message", b"early"), ("message", b"later")]


async def websocket_closed_by_server(env: Env) -> None:
    """Code and reason arrive; then there is nothing more, and sending is ignored."""
    with Closer() as closer:
        socket, log = await _open(env, closer)
        socket.send(b"close:4001:enough, thanks")
        assert await log.wait("close") == (4001, "enough, thanks")
        socket.send(b"into the void")
        socket.set_last_words(b"nobody listens")
        await settle()
        assert log.calls == [("open",), ("close", 4001, "enough, thanks")]


async def websocket_refused(env: Env) -> None:
    """A server that answers with an HTTP error is a close, not an exception."""
    with Closer() as closer:
        log = WebSocketLog()
        closer.add(env.browser.open_websocket(env.refused_url, log))
        code, _ = await log.wait("close")
        assert code == 1006
        assert log.get("open") == []


async def websocket_bad_address(env: Env) -> None:
    """An address that is none is a close too; the address, which holds a token, is not repeated."""
    log = WebSocketLog()
    socket = env.browser.open_websocket("ws://[no/?access_token=secret", log)
    assert log.calls == []
    socket.send(b"x")
    socket.set_last_words(b"x")
    code, reason = await log.wait("close")
    assert code == 1006
    assert "secret" not in str(reason)
    socket.close()


async def websocket_silent_after_close(env: Env) -> None:
    """After ``close()`` the handler hears nothing, though an answer is on its way."""
    with Closer() as closer:
        socket, log = await _open(env, closer)
        witness, witness_log = await _open(env, closer)
        socket.send(b"x")
        socket.close(4002, "bye")
        socket.close()
        socket.send(b"y")
        witness.send(b"z")
        await witness_log.wait("message")
        assert log.calls == [("open",)]


async def websocket_close_while_connecting(env: Env) -> None:
    """Closing a socket that is not open yet is silent."""
    with Closer() as closer:
        log = WebSocketLog()
        env.browser.open_websocket(env.echo_url, log).close()
        await _open(env, closer)
        assert log.calls == []


async def websocket_bad_close_code(env: Env) -> None:
    """Codes and reasons that browsers refuse are the caller's error, everywhere the same one."""
    with Closer() as closer:
        socket, _ = await _open(env, closer)
        with raises(UsageError):
            socket.close(1001)
        with raises(UsageError):
            socket.close(1000, "é" * 62)
        socket.close(4999, "é" * 61)


async def websocket_close_in_handler(env: Env) -> None:
    """A handler may close its own socket."""
    for moment in ("open", "message", "close"):
        with Closer() as closer:
            log = WebSocketLog()
            socket = env.browser.open_websocket(env.echo_url, log)
            closer.add(socket)

            def act(name: str, moment: str = moment, socket: WebSocket = socket) -> None:
                if name == moment:
                    socket.close()

            log.on_call = act
            socket.send(b"one")
            socket.send(b"two")
            socket.send(b"close:4000:")
            await log.wait(moment)
            await settle()
            assert log.calls[-1][0] == moment, log.calls


async def websocket_handler_raises(env: Env) -> None:
    """A handler that raises is logged with its traceback, and the next message arrives all the same."""

    def fail(name: str) -> None:
        raise ValueError(f"oh {name}")

    with Closer() as closer, recorded_log() as lines:
        log = WebSocketLog()
        socket = env.browser.open_websocket(env.echo_url, log)
        closer.add(socket)
        log.on_call = fail
        socket.send(b"one")
        socket.send(b"two")
        socket.send(b"close:4000:")
        await log.wait("close")
        assert [call[0] for call in log.calls] == ["open", "message", "message", "close"]
        assert len(lines) == 4
        assert "Traceback" in lines[0]
        assert "ValueError: oh open" in lines[0]


async def last_words(env: Env) -> None:
    """On leaving the page: the last words, then a close with 1000, then the page's handlers."""
    with Closer() as closer:
        page, page_late = PageLog(), PageLog()
        watch = env.browser.watch_page(page)  # before there is any socket: the order must not depend on it
        _, witness = await _open(env, closer, "?hear=last_words")
        socket, log = await _open(env, closer, "?tell=last_words")
        other, other_log = await _open(env, closer)
        late_watch = env.browser.watch_page(page_late)
        socket.set_last_words(b"first draft")
        socket.set_last_words(b"goodbye")
        other.set_last_words(b"nothing after all")
        other.set_last_words(None)
        page.on_call = lambda _: socket.send(b"too late")
        await env.leave_page()
        await page.wait("page_hide")
        await page_late.wait("page_hide")
        await witness.wait("message", 2)
        assert [values[0] for values in witness.get("message")] == [b"goodbye", "closed:1000"]
        other.send(b"still here")
        await other_log.wait("message")
        assert other_log.get("message") == [(b"still here",)]
        watch.close()
        late_watch.close()
        await log.wait("close")
        await env.leave_page()
        await settle()
        assert page.calls == page_late.calls == [("page_hide",)]


async def page_events(env: Env) -> None:
    """Network and devices come and go; a handler may stop watching from inside, or raise."""
    first, second = PageLog(), PageLog()
    watch, other = env.browser.watch_page(first), env.browser.watch_page(second)
    first.on_call = lambda name: watch.close() if name == "device_change" else None
    await env.go_online(False)
    await env.go_online(True)
    await env.change_devices()
    await env.change_devices()
    await env.go_online(False)
    await second.until(lambda: len(second.calls) == 5, "five events")
    assert first.calls == [("online", False), ("online", True), ("device_change",)]
    with recorded_log() as lines:
        second.on_call = lambda name: 1 / 0
        await env.leave_page()
        await env.go_online(True)
        await second.until(lambda: len(second.calls) == 7, "seven events")
    assert len(lines) == 2
    other.close()
    watch.close()
    await env.go_online(False)
    await settle()
    assert len(second.calls) == 7


async def fetch_answers(env: Env) -> None:
    """Status and text of an answer, whatever the status."""
    result = await env.browser.fetch(env.http_url, headers={"x-test": "abc"})
    assert (result.status, result.text) == (200, "hello GET abc")
    result = await env.browser.fetch(env.http_url + "?status=404", method="POST")
    assert (result.status, result.text) == (404, "hello POST ")


async def fetch_posts(env: Env) -> None:
    """A body arrives as it was given, with the type that was said; without a body none is sent."""
    said = '{"name": "Zoë 🎓"}'
    result = await env.browser.fetch(
        env.http_url, method="POST", headers={"content-type": "application/json", "x-test": "abc"}, body=said
    )
    assert (result.status, result.text) == (200, f"hello POST abc application/json {said}")
    with raises(BrowserError) as caught:
        await env.browser.fetch(env.http_url, body=said)
    assert caught.value.name == "TypeError"


async def fetch_fails(env: Env) -> None:
    """No server and no address are a TypeError of the browser; no error repeats a query."""
    for url in ("http://127.0.0.1:1/?access_token=secret", "http://[no/?access_token=secret"):
        with raises(BrowserError) as caught:
            await env.browser.fetch(url)
        assert caught.value.name == "TypeError"
        assert "secret" not in repr(caught.value) + repr(caught.value.__cause__)


async def fetch_times_out(env: Env) -> None:
    """The deadline holds, and cancelling works."""
    with raises(DeadlineExceeded):
        await env.browser.fetch(env.http_url + "?slow=1", timeout=0.05)
    task = asyncio.ensure_future(env.browser.fetch(env.http_url + "?slow=1", timeout=DEADLINE))
    await settle()
    task.cancel()
    with raises(asyncio.CancelledError):
        await task


async def info_is_known(env: Env) -> None:
    """Which browser, and what it can send."""
    info = env.browser.info
    assert info.name == env.name
    assert info.os
    assert info.version.split(".")[0].isdigit()
    assert info.is_secure_context
    assert "video/VP8" in info.video_codecs
    assert not [codec for codec in info.video_codecs if codec.lower() in ("video/rtx", "video/red", "video/ulpfec")]
    assert info.page_url.startswith("http")


CASES = (
    websocket_echoes_bytes,
    websocket_hears_text,
    websocket_queues_before_open,
    websocket_closed_by_server,
    websocket_refused,
    websocket_bad_address,
    websocket_silent_after_close,
    websocket_close_while_connecting,
    websocket_bad_close_code,
    websocket_close_in_handler,
    websocket_handler_raises,
    last_words,
    page_events,
    fetch_answers,
    fetch_posts,
    fetch_fails,
    fetch_times_out,
    info_is_known,
)
