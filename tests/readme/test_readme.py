"""Every code block of the README runs as printed, and does what the text around it says.

The Python blocks run in a page of Chromium, in a room of a real livekit-server with `ada` (the Rust core) in it. The
pages are in test_pages.py.
"""

import asyncio
import contextlib
import dataclasses
import importlib.util
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livekit import api

from lk_pyodide import __version__
from lk_pyodide.events import ROOM_EVENTS
from tests.harness.paths import REPO
from tests.harness.peers import RpcOutcome, TrackFrame
from tests.harness.python_page import PythonPage, RemoteFailure, RunHandle
from tests.harness.rust_peer import RustPeer
from tests.harness.servers import LiveKitServer
from tests.harness.tokens import API_KEY, API_SECRET
from tests.inpage import readme
from tests.readme import test_pages, test_worker_page
from tests.readme.blocks import BLOCKS, README, covers, read_blocks, untested, vanished


@dataclasses.dataclass
class Playing:
    """A block that is about to run, or runs."""

    run: RunHandle[Any]
    ada: RustPeer

    async def ran(self) -> None:
        """Let the block run, and wait until it has."""
        await self.run.signal("go")
        await self.run.reached("ran")

    async def printed(self, number: int = 0) -> str:
        """A line that it prints."""
        return str(await self.run.reached(f"print {number}"))

    def will_print(self, number: int = 0) -> "asyncio.Task[str]":
        """A line that it prints while the page looks or the room ends: call it before `seen`."""
        return asyncio.create_task(self.printed(number))

    async def seen(self, given: object = None) -> Any:
        """Have the page look; what it saw. The block's room ends here."""
        await self.run.signal("look", given)
        return await self.run.result()


class Stage:
    """Where blocks are played: one page, one server, one room a test."""

    def __init__(self, page: PythonPage, server: LiveKitServer, room: str, rust: Callable[[], RustPeer]) -> None:
        self.page, self.server, self.room, self.rust = page, server, room, rust

    async def join(self, identity: str) -> RustPeer:
        """Someone else in the room."""
        peer = self.rust()
        await peer.connect(self.server.url, self.server.token(identity, self.room))
        return peer

    @contextlib.asynccontextmanager
    async def play(self, name: str, *, media: bool = False, **how: Any) -> AsyncIterator[Playing]:
        """Get a block ready: we are `grace`, in the room with `ada`, who publishes if `media`."""
        ada = await self.join("ada")
        if media:
            await ada.set_camera(True)
            await ada.set_microphone(True)
        token = self.server.token("grace", self.room)
        code = BLOCKS[name].code
        run = await self.page.start(readme.play, code=code, url=self.server.url, token=token, **how)
        await run.reached("ready")
        if how.get("connect", True):
            await ada.wait_remote("grace")
        try:
            yield Playing(run, ada)
        except BaseException:
            await run.cancel()
            with contextlib.suppress(RemoteFailure):
                await run.result()
            raise
        await run.result()


@pytest.fixture
def stage(
    chromium_python: PythonPage, livekit: LiveKitServer, room_name: str, rust_peer: Callable[[], RustPeer]
) -> Stage:
    return Stage(chromium_python, livekit, room_name, rust_peer)


@covers("connect")
async def test_connect(stage: Stage) -> None:
    async with stage.play("connect", look="room", connect=False) as block:
        await block.ran()
        assert await block.printed() == f"connected to room {stage.room} as grace"
        await block.ada.wait_remote("grace")
        assert await block.seen() == {"name": stage.room, "state": "CONNECTED", "capture": [960, 540]}


@covers("connect 2")
async def test_a_room_as_a_context_manager_leaves(stage: Stage) -> None:
    async with stage.play("connect 2", look="room", connect=False) as block:
        await block.ran()
        assert await block.printed() == "['ada']"
        await block.ada.wait_gone("grace")
        assert (await block.seen())["state"] == "DISCONNECTED"


@covers("connect 3")
async def test_a_token_source(stage: Stage) -> None:
    answer = {"server_url": stage.server.url, "participant_token": stage.server.token("grace", stage.room)}
    async with stage.play("connect 3", look="room", world="a token endpoint", given=answer, connect=False) as block:
        await block.ran()
        await block.ada.wait_remote("grace")
        assert (await block.seen())["name"] == stage.room


@covers("rooms without a server")
async def test_a_room_without_a_server(stage: Stage) -> None:
    async with stage.play("rooms without a server", look="room", connect=False) as block:
        await block.ran()
        assert await block.seen() == {"name": "lesson", "state": "CONNECTED", "capture": None}


@covers("reconnection")
async def test_reconnection(stage: Stage) -> None:
    async with stage.play("reconnection", look="broken") as block:
        await block.ran()
        lines = [block.will_print(0), block.will_print(1)]
        assert await block.seen() == "CONNECTED"
        assert [await line for line in lines] == ["the connection broke", "there is another"]


@covers("publish camera and microphone")
async def test_publish(stage: Stage) -> None:
    async with stage.play("publish camera and microphone") as block:
        await block.ran()
        await block.ada.wait_video("grace")
        await block.ada.wait_remote("grace", lambda grace: grace.muted("microphone") is True, what="muted microphone")
        await block.seen()


@covers("publish camera and microphone 2")
async def test_publish_both(stage: Stage) -> None:
    async with stage.play("publish camera and microphone 2") as block:
        await block.ran()
        await block.ada.wait_video("grace")
        await block.ada.wait_audio("grace")
        await block.seen()


@covers("share the screen")
async def test_share_the_screen(stage: Stage) -> None:
    async with stage.play("share the screen") as block:
        await block.ran()
        await block.ada.wait_remote("grace", lambda grace: grace.subscribed("screen_share"), what="screen")
        await block.ada.wait_video("grace", "screen_share", more=1)
        await block.seen()


@covers("publish with options")
async def test_publish_with_options(stage: Stage) -> None:
    async with stage.play("publish with options") as block:
        await block.ran()
        # The server may tell a mute and the unmute right after it as one; tests/e2e/test_room.py waits between the two.
        for event in ("track_published", "track_unpublished"):
            await block.ada.wait_event(event)
        await block.seen()


@covers("publish a recording, a canvas, silence")
async def test_publish_a_recording(stage: Stage) -> None:
    async with stage.play("publish a recording, a canvas, silence") as block:
        await block.ran()
        await block.ada.wait_video("grace")
        await block.seen()


@covers("subscribe")
async def test_subscribe(stage: Stage) -> None:
    async with stage.play("subscribe", look="video") as block:
        await block.ran()
        await block.ada.set_camera(True)
        await block.ada.set_microphone(True)
        goodbye = block.will_print()
        assert await block.seen() == {"videos": 1, "audios": 1}
        assert await goodbye == "disconnected from room"


@covers("subscribe")
async def test_unsubscribed_tracks_leave_the_page(stage: Stage) -> None:
    async with stage.play("subscribe", media=True, look="elements") as block:
        await block.ran()
        await block.ada.disconnect()
        assert await block.seen() == 0


@covers("tracks of someone in the room")
async def test_tracks_of_someone(stage: Stage) -> None:
    async with stage.play(
        "tracks of someone in the room", media=True, look="video", have=["CAMERA", "MICROPHONE"]
    ) as block:
        await block.ran()
        assert await block.seen() == {"videos": 1, "audios": 0}


@covers("tracks of someone in the room 2")
async def test_choosing_what_to_receive(stage: Stage) -> None:
    name = "tracks of someone in the room 2"
    async with stage.play(name, media=True, look="subscribed", have=["CAMERA", "MICROPHONE"]) as block:
        await block.ran()
        assert await block.seen(["CAMERA"]) == ["CAMERA"]


@covers("devices")
async def test_devices(stage: Stage) -> None:
    async with stage.play("devices", look="devices") as block:
        await block.ran()
        await block.ada.wait_video("grace")
        seen = await block.seen()
        assert (seen["microphones"], seen["cameras"]) == (["audioinput"], ["videoinput"])
        assert seen["open"] == seen["chosen"] != ""


@covers("devices 2")
async def test_switching_devices(stage: Stage) -> None:
    async with stage.play("devices 2") as block:
        await block.ran()
        assert re.fullmatch(r"the camera is \w+", await block.printed())
        await block.ada.wait_video("grace")
        await block.seen()


@covers("device failures")
async def test_device_failures(stage: Stage) -> None:
    async with stage.play("device failures", look="refused", world="the user refuses") as block:
        await block.ran()
        line = block.will_print()
        assert await block.seen() == "MediaDeviceError"
        assert await line == "not allowed: videoinput"


@covers("audio playback")
async def test_audio_playback(stage: Stage) -> None:
    how = {"look": "playback", "world": "sound needs a click", "have": ["CAMERA", "MICROPHONE"]}
    async with stage.play("audio playback", media=True, **how) as block:
        await block.ran()
        assert await block.seen() == [False, False, False, True, True, True]


@covers("levels and statistics")
async def test_levels_and_statistics(stage: Stage) -> None:
    async with stage.play("levels and statistics") as block:
        await block.ran()
        await block.ada.wait_audio("grace")
        await block.seen()


@covers("data")
async def test_data(stage: Stage) -> None:
    async with stage.play("data") as block:
        await block.ran()
        first = await block.ada.wait_data(lambda message: message.reliable)
        assert (first.data, first.topic, first.sender) == (b"hello all", "chat", "grace")
        second = await block.ada.wait_data(lambda message: not message.reliable)
        assert second.data == b"\x01\x02"
        await block.ada.publish_data(b"hello grace", topic="greetings")
        assert await block.printed() == "ada wrote hello grace about greetings"
        await block.seen()


@covers("texts, bytes and files of any size")
async def test_taking_streams(stage: Stage) -> None:
    async with stage.play("texts, bytes and files of any size") as block:
        await block.ran()
        await block.ada.send_text("hello grace", topic="chat")
        assert await block.printed(0) == "ada wrote hello grace"
        await block.ada.send_bytes(bytes(50_000), topic="files", name="zeros.bin")
        assert await block.printed(1) == "ada sent zeros.bin of 50000 bytes"
        await block.seen()


@covers("texts, bytes and files of any size 2")
async def test_sending_streams(stage: Stage) -> None:
    async with stage.play("texts, bytes and files of any size 2") as block:
        for topic in ("chat", "files"):
            await block.ada.take_streams(topic)
        await block.ran()
        await block.ada.wait_stream(lambda got: (got.topic, got.data) == ("chat", b"a long story"))
        await block.ada.wait_stream(lambda got: (got.topic, got.data) == ("chat", b"bit by bit"))
        await block.ada.wait_stream(lambda got: (got.name, got.data) == ("zeros.bin", bytes(100_000)))
        await block.seen()


@covers("data tracks")
async def test_data_tracks(stage: Stage) -> None:
    async with stage.play("data tracks") as block:
        await block.ran()
        await block.ada.subscribe_data_track("grace", "pose")
        await block.ada.publish_data_track("pose")
        line = block.will_print()
        while not line.done():  # who has subscribed is not told to whoever publishes
            await block.ada.push_frame("pose", TrackFrame(b"4 5 6"))
            await asyncio.wait([line], timeout=0.2)
        assert re.fullmatch(r"ada b'4 5 6' None", await line)
        await block.seen()


@covers("chat, transcripts, agents")
async def test_chat(stage: Stage) -> None:
    async with stage.play("chat, transcripts, agents") as block:
        await block.ada.take_streams("lk.chat")
        await block.ran()
        assert await block.printed(0) == "grace wrote hello, agent"
        await block.ada.wait_stream(lambda got: got.data == b"hello, agent")
        await block.ada.send_text("hello, grace", topic="lk.chat")
        assert await block.printed(1) == "ada wrote hello, grace"
        await block.ada.send_text("a word", topic="lk.transcription")
        assert await block.printed(2) == "ada said a word"
        await block.seen()


@covers("remote procedure calls")
async def test_remote_procedure_calls(stage: Stage) -> None:
    async with stage.play("remote procedure calls") as block:
        await block.ran()
        assert await block.printed() == "no answer: 1400 Method not supported at destination"
        assert await block.ada.perform_rpc("grace", "greet", "Ada") == RpcOutcome("hello Ada, I am grace")
        assert await block.ada.perform_rpc("grace", "greet", "") == RpcOutcome(code=1, message="a name, please")
        await block.seen()


@covers("remote procedure calls")
async def test_a_remote_procedure_call_that_is_answered(stage: Stage) -> None:
    async with stage.play("remote procedure calls") as block:
        block.ada.room.local_participant.register_rpc_method("greet", lambda data: f"hello {data.payload}")
        await block.ran()
        assert await block.printed() == "ada says hello Grace"
        await block.seen()


@covers("names, metadata, attributes")
async def test_names(stage: Stage) -> None:
    async with stage.play("names, metadata, attributes") as block:
        await block.ran()
        grace = await block.ada.wait_remote("grace", lambda grace: "mood" in grace.attributes, what="attributes")
        assert (grace.name, grace.metadata) == ("Grace Hopper", "anything you like")
        assert grace.attributes["mood"] == "curious"
        await block.seen()


@covers("events")
async def test_events(stage: Stage) -> None:
    async with stage.play("events") as block:
        await block.ran()
        bob = await stage.join("bob")
        assert await block.printed(0) == "came: bob"
        await bob.set_microphone(True)
        await bob.wait_event("local_track_subscribed")
        await bob.mute("microphone")
        assert await block.printed(1) == "muted: bob MICROPHONE"
        await bob.disconnect()
        assert await block.printed(2) == "left: bob"
        await block.seen()


@covers("events 2")
async def test_waiting_for_events(stage: Stage) -> None:
    async with stage.play("events 2") as block:
        await block.run.signal("go")
        bob = await stage.join("bob")
        assert await block.printed(0) == "came: bob"
        await bob.publish_data(b"news")
        assert await block.printed(1) == "data: b'news'"
        await block.run.reached("ran")
        await block.seen()


@covers("errors")
async def test_errors(stage: Stage) -> None:
    async with stage.play("errors", connect=False) as block:
        await block.ran()
        assert await block.printed() == "this token does not let you in"
        await block.seen()


@covers("disconnect")
async def test_disconnect(stage: Stage) -> None:
    async with stage.play("disconnect", look="room") as block:
        await block.ran()
        await block.ada.wait_gone("grace")
        assert (await block.seen())["state"] == "DISCONNECTED"


@covers("logging")
async def test_logging(stage: Stage) -> None:
    async with stage.play("logging", look="logged", connect=False) as block:
        await block.ran()
        line = block.will_print()
        assert await block.seen() == 10
        assert await line == "3 shown by the extension {'logger': 'lk_pyodide.test'}"


@covers("a page to copy 3")
def test_the_token_made_on_a_server() -> None:
    scope: dict[str, Any] = {"api_key": API_KEY, "api_secret": API_SECRET}
    exec(BLOCKS["a page to copy 3"].code, scope)
    claims = api.TokenVerifier(API_KEY, API_SECRET).verify(scope["token"])
    assert (claims.identity, claims.name) == ("grace", "Grace")
    assert claims.video is not None
    assert (claims.video.room, claims.video.room_join) == ("my-room", True)


@covers("in a notebook")
async def test_a_room_is_the_value_of_a_cell(stage: Stage) -> None:
    """Here on the page; tests/lite has it in a notebook."""
    async with stage.play("in a notebook", look="room", connect=False) as block:
        await block.ran()
        await block.ada.wait_video("grace")
        assert (await block.seen())["state"] == "CONNECTED"


@covers("a page to copy 2", "two commands")
def test_shell_blocks_name_targets_that_work() -> None:
    shell = [BLOCKS[name] for name in ("a page to copy 2", "two commands")]
    lines = [line for block in shell for line in block.code.splitlines()]
    assert lines
    makefile = (REPO / "Makefile").read_text()
    for line in lines:
        command, target = line.split()
        assert command == "make"
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"`{line}`: there is no such target"
        if recipe and "$(MAKE)" in recipe[1]:  # `make -n` would run this in earnest
            module = re.search(r"-m (\S+)", recipe[1])
            assert module and importlib.util.find_spec(module[1]), line
        else:
            subprocess.run(["make", "-n", target], cwd=REPO, check=True, stdout=subprocess.DEVNULL)


# -- the README as a whole ---------------------------------------------------------------------------------------------


def test_every_block_is_tested() -> None:
    assert test_pages.__name__  # registers the pages
    assert test_worker_page.__name__
    assert untested() == set(), "blocks without a test: write one, with @covers(name)"
    assert vanished() == set(), "tests cover blocks that the README does not have"


def test_a_new_block_would_be_noticed() -> None:
    text = README.read_text() + "\n## Licence\n\n```python\npass\n```\n"
    assert set(read_blocks(text)) - set(BLOCKS) == {"licence"}


def test_fences_are_closed_and_languages_known() -> None:
    fences = re.findall(r"^```.*$", README.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS.values()} == {"html", "python", "shell"}


def test_the_event_table_is_true() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]*)\|", README.read_text(), re.MULTILINE)
    assert len(rows) > 20
    for names, arguments in rows:
        for name in re.findall(r"`(\w+)`", names):
            fields = [field.name for field in dataclasses.fields(ROOM_EVENTS[name])]
            assert fields == re.findall(r"\w+", arguments), name


def test_the_version_is_this_one() -> None:
    wheels = set(re.findall(r"lk_pyodide-([\w.]+)-py3", README.read_text()))
    assert wheels == {__version__}
