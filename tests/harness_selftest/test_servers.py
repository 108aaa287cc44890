"""Servers start, answer, say what is missing, and end with their fixtures."""

from pathlib import Path

import aiohttp
import pytest

from tests.harness.paths import MissingTool, Tool
from tests.harness.process import LoggedProcess, ProcessFailed
from tests.harness.servers import FaultServer, LiveKitServer


async def _validate(server: LiveKitServer | FaultServer, token: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.http_url}/rtc/validate", params={"access_token": token}) as reply,
    ):
        return reply.status


async def test_livekit_server_knows_its_tokens(livekit: LiveKitServer, room_name: str) -> None:
    """A good token passes; an expired one and a stranger's do not."""
    assert await _validate(livekit, livekit.token("ada", room_name)) == 200
    assert await _validate(livekit, livekit.token("ada", room_name, ttl_seconds=-60)) == 401
    assert await _validate(livekit, livekit.token("ada", room_name, secret="x" * 32)) == 401


async def test_faults_are_chosen_by_token(fault_server: FaultServer) -> None:
    """cmd/test-server reads the token's `lk.mock`."""
    assert await _validate(fault_server, fault_server.token("ada")) == 200
    assert await _validate(fault_server, fault_server.token("ada", "validate_500")) == 500
    assert await _validate(fault_server, fault_server.token("ada", "room_not_found")) == 404


@pytest.mark.usefixtures("fault_server")
async def test_a_server_can_be_killed_and_comes_back() -> None:
    """On the same port, with the same tokens."""
    async with FaultServer() as server:
        url = server.url
        server.kill()
        with pytest.raises(aiohttp.ClientConnectionError):
            await _validate(server, server.token("ada"))
        await server.start()
        assert server.url == url
        assert await _validate(server, server.token("ada")) == 200


async def test_a_process_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    """Not a timeout twenty seconds later."""
    process = LoggedProcess(["sh", "-c", "echo no such option; exit 3"], tmp_path / "log")
    process.start()

    async def never() -> bool:
        return False

    with pytest.raises(ProcessFailed, match="no such option"):
        await process.until_ready(never)
    process.kill()


def test_missing_tools_say_what_to_do() -> None:
    """One sentence with the way out; a skip only when asked for."""
    tool = Tool("LK_NO_SUCH_TOOL", "no-such-tool", ("no-such-tool",), "no such tool")
    with pytest.raises(MissingTool, match="make test.*LK_SKIP_LK_NO_SUCH_TOOL=1"):
        tool.find({})
    with pytest.raises(MissingTool, match="no such file"):
        tool.find({"LK_NO_SUCH_TOOL": "/nowhere"})
    assert tool.skipped({}) is None
    assert tool.skipped({"LK_SKIP_LK_NO_SUCH_TOOL": "1"}) == "LK_SKIP_LK_NO_SUCH_TOOL=1: no no such tool"
