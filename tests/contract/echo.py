"""The server that contract cases talk to: its behaviour, written once, and its aiohttp form for real browsers."""

from __future__ import annotations

import asyncio
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from aiohttp import WSMsgType, web


class EchoSocket(Protocol):
    """A server's end of a WebSocket."""

    @property
    def url(self) -> str: ...
    async def recv(self) -> bytes | str:
        """The next message; raises EOFError with the code when the client has closed."""
        ...

    async def send(self, data: bytes | str) -> None: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Echo:
    """Sends back what it gets.

    ``say:TEXT`` is answered by a text frame, ``close:CODE:REASON`` by closing. What is sent to ``?tell=KEY`` is
    repeated to ``?hear=KEY``, and so is the code it closes with.
    """

    def __init__(self) -> None:
        self._hearers: dict[str, EchoSocket] = {}

    async def serve(self, socket: EchoSocket) -> None:
        """Serve one client until it goes."""
        query = parse_qs(urlsplit(socket.url).query)
        tell, hear = query.get("tell", [""])[0], query.get("hear", [""])[0]
        if hear:
            self._hearers[hear] = socket
        try:
            while True:
                message = await socket.recv()
                if tell:
                    await self._hearers[tell].send(message)
                if not await self._answer(socket, message):
                    return
        except EOFError as end:
            if tell:
                await self._hearers[tell].send(f"closed:{end}")

    async def _answer(self, socket: EchoSocket, message: bytes | str) -> bool:
        if isinstance(message, bytes) and message.startswith(b"close:"):
            _, code, reason = message.decode().split(":", 2)
            await socket.close(int(code), reason)
            return False
        if isinstance(message, bytes) and message.startswith(b"say:"):
            message = message[4:].decode()
        await socket.send(message)
        return True


class _WebSocket:
    def __init__(self, url: str, response: web.WebSocketResponse) -> None:
        self.url = url
        self._response = response

    async def recv(self) -> bytes | str:
        message = await self._response.receive()
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            raise EOFError(self._response.close_code)
        data: bytes | str = message.data
        return data

    async def send(self, data: bytes | str) -> None:
        if isinstance(data, str):
            await self._response.send_str(data)
        else:
            await self._response.send_bytes(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._response.close(code=code, message=reason.encode())


def make_app() -> web.Application:
    """The echo server over HTTP: ``/echo``, ``/refused`` and ``/hello``."""
    echo = Echo()

    async def websocket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(max_msg_size=0)
        await response.prepare(request)
        await echo.serve(_WebSocket(str(request.rel_url), response))
        return response

    async def refused(request: web.Request) -> web.Response:
        return web.Response(status=403)

    async def hello(request: web.Request) -> web.Response:
        headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        if "slow" in request.query:
            await asyncio.sleep(60)  # the client goes first: aiohttp then cancels this
        text = f"hello {request.method} {request.headers.get('x-test', '')}"
        if request.body_exists:
            text += f" {request.headers.get('content-type')} {(await request.read()).decode()}"
        return web.Response(text=text, status=int(request.query.get("status", 200)), headers=headers)

    app = web.Application()
    app.add_routes([web.get("/echo", websocket), web.get("/refused", refused), web.route("*", "/hello", hello)])
    return app
