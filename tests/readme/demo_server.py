"""The demo's own server, as `make demo` runs it once everything is built."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.harness.paths import REPO
from tests.harness.process import HOST, heed_interrupts

RUN = """
import pathlib, sys
from tools import demo
demo.SITE = pathlib.Path(sys.argv[1])
demo.main(demo.serve)
"""


def _three_free_ports() -> int:
    """The first of three: livekit-server's own, and its TCP and UDP ports for media."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second, socket.socket(type=socket.SOCK_DGRAM) as third:
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            try:
                second.bind((HOST, port + 1))
                third.bind((HOST, port + 2))
            except OSError:
                continue
            return port
    raise RuntimeError("no three free ports in a row")


@asynccontextmanager
async def demo_server(site: Path, server: str = "") -> AsyncIterator[str]:
    """`make demo SERVER=…`; its address. It must end by Ctrl-C and take livekit-server with it."""
    port = _three_free_ports()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, str(site)),
        cwd=REPO,
        env=os.environ | {"PORT": "0", "LIVEKIT_PORT": str(port), "SERVER": server},
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = await process.stdout.readuntil(b"Ctrl-C")
        address = re.search(rb"Open (http://localhost:\d+/)", said)
        assert address, said
        for page in (b"worker.html", b"lite/"):
            assert address[1] + page in said
        assert (b"livekit-server" in said) == (server == "livekit")
        yield address[1].decode()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) in (0, 130)
        with socket.socket() as gone:
            assert gone.connect_ex((HOST, port)) != 0, "livekit-server was left behind"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
