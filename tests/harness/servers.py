"""livekit-server and its fault mock `test-server`, each started on free loopback ports for one test session."""

import json
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.harness.paths import LIVEKIT_SERVER, TEST_SERVER
from tests.harness.process import HOST, LoggedProcess, ProcessFailed, free_port
from tests.harness.room_admin import RoomAdmin
from tests.harness.tokens import API_KEY, API_SECRET, fault_attributes, mint_token


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url) as reply:
            return reply.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


class _Server:
    """A server process in a folder of its own: what both kinds share."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lk-server-"))
        self._process: LoggedProcess | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"ws://{HOST}:{self.port}"

    @property
    def http_url(self) -> str:
        """The same for HTTP requests."""
        return f"http://{HOST}:{self.port}"

    @property
    def process(self) -> LoggedProcess:
        """The running process, with its log."""
        assert self._process is not None, "the server has not been started"
        return self._process

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _choose_ports(self) -> None:
        self.port = free_port()

    async def __aenter__(self) -> Self:
        for attempts_left in (2, 1, 0):  # someone else may take a free port before the server does
            self._choose_ports()
            try:
                await self.start()
                break
            except ProcessFailed:
                if not attempts_left or self.process.running:
                    raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def start(self) -> None:
        """Start (again, after `kill`) on the same ports and wait until it answers."""
        self._process = LoggedProcess(self._command(), self._folder / "server.log")
        self._process.start()
        await self._process.until_ready(lambda: _answers(self.http_url + "/"))

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            await self._process.stop()

    def kill(self) -> None:
        """The server's machine loses power."""
        self.process.kill()

    def pause(self) -> None:
        """The server hangs: sockets stay open, nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The server goes on after `pause`."""
        self.process.signal(signal.SIGCONT)


class LiveKitServer(_Server):
    """The real thing, loopback only. `async with LiveKitServer() as server: server.url, server.token(...)`."""

    def __init__(self, **overrides: Any) -> None:
        super().__init__()
        self._overrides = overrides
        self._tcp_port = self._udp_port = 0
        self._api: RoomAdmin | None = None

    @property
    def api(self) -> RoomAdmin:
        """RoomService of this server."""
        if self._api is None:
            self._api = RoomAdmin(self.http_url)
        return self._api

    def token(self, identity: str, room: str, **options: Any) -> str:
        """A token that this server accepts; options as in `mint_token`."""
        return mint_token(identity, room, **options)

    def _choose_ports(self) -> None:
        self.port, self._tcp_port = free_port(), free_port()
        self._udp_port = free_port(socket.SOCK_DGRAM)

    def _config(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "bind_addresses": [HOST],
            "keys": {API_KEY: API_SECRET},
            "logging": {"level": "info", "pion_level": "error"},
            "room": {"enable_remote_unmute": True},
            "rtc": {
                "node_ip": HOST,
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "tcp_port": self._tcp_port,
                "udp_port": self._udp_port,
                # Without an entry the server tells clients to ask a public STUN server.
                "stun_servers": [f"{HOST}:{self._udp_port}"],
            },
            **self._overrides,
        }

    def _command(self) -> list[str]:
        config = self._folder / "livekit.yaml"
        config.write_text(json.dumps(self._config()), encoding="utf-8")  # JSON is YAML
        return [str(LIVEKIT_SERVER.find()), "--config", str(config)]

    async def stop(self) -> None:
        """Close the admin connection and end the server."""
        if self._api is not None:
            await self._api.close()
            self._api = None
        await super().stop()


class FaultServer(_Server):
    """`cmd/test-server`: speaks the signal protocol as far as a client's error handling, no media.

    The token says how it misbehaves: `server.token("ada", "no_first_message")`.
    """

    def token(
        self,
        identity: str,
        fault: str = "happy",
        *,
        room: str = "fault",
        leave_action: str | int | None = None,
        attributes: Mapping[str, str] | None = None,
        **options: Any,
    ) -> str:
        """A token whose attribute `lk.mock` selects one of the modes of cmd/test-server."""
        wanted = {**(attributes or {}), **fault_attributes(fault, leave_action=leave_action)}
        return mint_token(identity, room, attributes=wanted, **options)

    def _command(self) -> list[str]:
        program = str(TEST_SERVER.find())
        return [program, "--ports", str(self.port), "--bind", HOST, "--api-secret", API_SECRET]
