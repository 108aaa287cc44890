"""`make demo`: serves `build/site` on localhost. That is a static folder: rooms live in the browser (`local://`).

SERVER=livekit runs a livekit-server beside it, which takes the key that `livekit-server --dev` has, and listens on
127.0.0.1 only. The pages are the same. Where they go stands in `server.json` beside them: `{"url": …}` names a server,
for which the page signs a token itself, with the development key; `{"token_endpoint": …}` names an endpoint that gives
both, as LiveKit describes it. The folder has the former, for `local://`; with a livekit-server the answer is the
latter, and the endpoint is `/token` here.

Variables: SERVER, PORT (8080), LIVEKIT_PORT (7880; the two after it are for media).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from lk_pyodide import AccessToken, VideoGrants
from tools.console import BUILD, Stop, main, relative, say
from tools.site import SITE

LIVEKIT_PORT = 7880
"""The environment may name another one."""
DEV_KEY, DEV_SECRET = "devkey", "secret"
START_SECONDS = 15.0
END_SECONDS = 2.0


def _config(port: int) -> str:
    rtc = {
        "tcp_port": port + 1,
        "udp_port": port + 2,
        "use_external_ip": False,
        "node_ip": "127.0.0.1",
        "enable_loopback_candidate": True,
        # without an entry the server would send browsers to a public STUN server
        "stun_servers": [f"127.0.0.1:{port + 2}"],
    }
    config = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "keys": {DEV_KEY: DEV_SECRET},
        "development": True,
        "logging": {"level": "error"},
        "rtc": rtc,
    }
    return json.dumps(config)  # JSON is YAML


def serve() -> None:
    """Serves until interrupted."""
    if not (SITE / "index.html").is_file():
        raise Stop(f"{relative(SITE)}/index.html is missing: run `make site`")
    port, livekit_port = _port("PORT", 8080), _port("LIVEKIT_PORT", LIVEKIT_PORT)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_serve(port, livekit_port if _wants_livekit() else None))


def _wants_livekit() -> bool:
    server = os.environ.get("SERVER", "")
    if server not in ("", "livekit"):
        raise Stop(f"SERVER={server}: leave it out for rooms that live in the browser, or say SERVER=livekit")
    return server == "livekit"


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) > 65535:
        raise Stop(f"{variable}={text} is not a port number")
    return int(text)


async def _serve(port: int, livekit_port: int | None) -> None:
    task = asyncio.current_task()
    assert task is not None
    # `kill` ends it like Ctrl-C does: livekit-server must not be left behind
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with contextlib.AsyncExitStack() as stack:
        livekit = None if livekit_port is None else await stack.enter_async_context(livekit_server(livekit_port))
        address = await stack.enter_async_context(static_server(SITE, port, livekit))
        say(f"\n  Open {address} in Chrome or Firefox; open it twice to meet yourself.")
        say(f"  The same with Python in a worker: {address}worker.html")
        say(f"  The same in notebooks:            {address}lite/")
        say("  Ctrl-C ends it.\n")
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def static_server(folder: Path, port: int, livekit: str | None = None) -> AsyncIterator[str]:
    """Serves a folder on localhost and yields the address; port 0 takes a free one.

    With the address of a LiveKit server that knows the development key, tokens for it are served, too, and
    `server.json` says so.
    """

    async def index(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_index(folder, request.match_info["folder"]))

    async def revalidate(request: web.Request, response: web.StreamResponse) -> None:
        # a rebuilt wheel has the name of the old one: a cached copy must be asked about
        response.headers["Cache-Control"] = "no-cache"

    application = web.Application()
    application.on_response_prepare.append(revalidate)
    application.router.add_get("/{folder:(.*/)?}", index)
    if livekit is not None:
        application.router.add_get("/server.json", _where)
        application.router.add_post("/token", functools.partial(_token, livekit))
    application.router.add_static("/", folder)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "localhost", port)
        try:
            await site.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Stop(f"port {port} is taken: `make demo PORT=8081` uses another") from error
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def _index(folder: Path, below: str) -> Path:
    page = (folder / below / "index.html").resolve()
    if not page.is_relative_to(folder.resolve()) or not page.is_file():
        raise web.HTTPNotFound
    return page


async def _where(request: web.Request) -> web.Response:
    """What stands in the place of the static `server.json`."""
    return web.json_response({"token_endpoint": "token"})


async def _token(livekit: str, request: web.Request) -> web.Response:
    """The address of the server, and a token for the room and the participant that the request names.

    As https://docs.livekit.io/frontends/build/authentication/endpoint/ describes it.
    """
    try:
        wanted = await request.json()
        room, identity = wanted["room_name"], wanted["participant_identity"]
        name = wanted.get("participant_name", identity)
    except (ValueError, LookupError, TypeError) as error:
        raise web.HTTPBadRequest(text="which room_name, and which participant_identity?") from error
    token = AccessToken().with_identity(identity).with_name(name).with_grants(VideoGrants(room_join=True, room=room))
    return web.json_response({"server_url": livekit, "participant_token": token.to_jwt()}, status=201)


@contextlib.asynccontextmanager
async def livekit_server(port: int | None = None) -> AsyncIterator[str]:
    """Runs a livekit-server for the demo, unless one is running; says what it did, and yields the address.

    Raises:
        Stop: There is none to run, or it does not run.
    """
    port = LIVEKIT_PORT if port is None else port
    address = f"ws://127.0.0.1:{port}"
    program = _livekit_program()
    if await _listening(port):
        say(f"  something listens on 127.0.0.1:{port} already: taking it for your `livekit-server --dev`")
        yield address
    elif program is None:
        raise Stop("there is no livekit-server: `make server` builds one")
    else:
        process = await asyncio.create_subprocess_exec(program, "--config-body", _config(port))
        try:
            await _wait_until_up(process, port)
            say(f"  livekit-server on {address}; development key {DEV_KEY}, secret {DEV_SECRET}")
            watch = asyncio.create_task(_tell_when_it_ends(process))
            try:
                yield address
            finally:
                watch.cancel()
        finally:
            await _end(process)


async def _tell_when_it_ends(process: asyncio.subprocess.Process) -> None:
    status = await process.wait()
    say(f"\n  livekit-server has ended (exit status {status}): nobody can join until you start the demo again.")


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:  # it waits until everyone has left
        process.kill()
        await process.wait()


def _livekit_program() -> str | None:
    if given := os.environ.get("LIVEKIT_SERVER"):
        return given
    built = BUILD / "bin" / "livekit-server"
    return str(built) if built.is_file() else shutil.which("livekit-server")


async def _wait_until_up(process: asyncio.subprocess.Process, port: int) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            # another program's port gives no event to wait for
            while process.returncode is None and not await _listening(port):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise Stop(f"livekit-server did not listen on port {port} within {START_SECONDS:.0f} s") from None
    if process.returncode is not None:
        raise Stop(f"livekit-server ended at once (exit status {process.returncode}); its reason is above")


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


if __name__ == "__main__":
    main(serve)
