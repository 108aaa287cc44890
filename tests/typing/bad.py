"""Mistakes: each line with a `type: ignore` is one, for both checkers. Never run.

mypy tells when a comment is not needed; test_typing.py takes the comments away and compares what both checkers say.
"""

from __future__ import annotations

from lk_pyodide import (
    AdaptiveStreamSettings,
    ByteStreamReader,
    Connected,
    ConnectError,
    DataPacket,
    DataReceived,
    DataTrackFrame,
    Disconnected,
    ParticipantConnected,
    RemoteParticipant,
    Room,
    RoomEvent,
    RoomOptions,
    TokenSource,
    TokenSourceFetchOptions,
    TrackMuted,
    TrackPublishOptions,
    TrackSubscribed,
    VideoPresets,
)

room = Room()

# -- names of events --


room.on("track_subscribd", print)  # type: ignore[call-overload]
room.once("", print)  # type: ignore[call-overload]
room.off("conected", print)  # type: ignore[arg-type]
room.on("connected", print).on("disconected", print)  # type: ignore[call-overload]
room.events("conected")  # type: ignore[call-overload]
room.on(RoomEvent.TrackSubscribd, print)  # type: ignore[attr-defined]
RoomEvent.Connected = "disconnected"  # type: ignore[misc]


@room.on("trackSubscribed")  # type: ignore[call-overload]
def misspelt() -> None: ...


def computed(name: str) -> None:
    room.on(name, print)  # type: ignore[call-overload]


# -- handlers --


def takes_connected(event: Connected) -> None: ...


@room.on(TrackSubscribed)  # type: ignore[arg-type]
def wrong_event(event: TrackMuted) -> None: ...


@room.on(TrackSubscribed)  # type: ignore[arg-type]
def positional(track: object, publication: object) -> None: ...


room.on(Disconnected, takes_connected)  # type: ignore[arg-type]
room.once(TrackMuted, lambda: None)  # type: ignore[arg-type,misc]
room.on(int, print)  # type: ignore[call-overload]
room.on("connected", 7)  # type: ignore[call-overload]


# -- waiting --


async def wait() -> None:
    event: Disconnected = await room.wait_for(ParticipantConnected)  # type: ignore[assignment]
    print(event.participant)  # type: ignore[attr-defined]
    await room.wait_for("participant_conected")  # type: ignore[call-overload]
    await room.wait_for(ParticipantConnected, 5)  # type: ignore[call-overload]
    await room.wait_for(ParticipantConnected, check=takes_connected)  # type: ignore[arg-type]
    async for one in room.events(ParticipantConnected, DataReceived):
        print(one.packet)  # type: ignore[union-attr]
    iter(room.events())  # type: ignore[call-overload]


# -- the room --


def takes_bytes(reader: ByteStreamReader, identity: str) -> None: ...


async def meet(packet: DataPacket, participant: RemoteParticipant) -> None:
    await room.connect("wss://a.example")  # type: ignore[call-overload]
    await room.connect("wss://a.example", RoomOptions())  # type: ignore[call-overload]
    await room.connect(TokenSource.literal("wss://a.example", "t"), "t")  # type: ignore[call-overload]
    await room.local_participant.publish_data(7)  # type: ignore[arg-type]
    await room.local_participant.publish_data(b"", "topic")  # type: ignore[arg-type]
    room.local_participant.register_rpc_method("greet", lambda: "")  # type: ignore[call-overload,misc]
    await room.local_participant.perform_rpc("ada", "greet", "")  # type: ignore[call-arg]
    room.register_text_stream_handler("t", lambda reader: None)  # type: ignore[arg-type,misc]
    room.register_text_stream_handler("t", takes_bytes)  # type: ignore[arg-type]
    await room.local_participant.send_text(b"x")  # type: ignore[arg-type]
    await (await room.local_participant.stream_text()).write(b"x")  # type: ignore[arg-type]
    await room.local_participant.publish_data_track("t")  # type: ignore[call-arg]
    (await room.local_participant.publish_data_track(name="t")).try_push(b"x")  # type: ignore[arg-type]
    DataTrackFrame("text")  # type: ignore[arg-type]
    participant.data_tracks["t"].subscribe(16)  # type: ignore[call-arg]
    participant.data_tracks["t"] = participant  # type: ignore[index]
    room.remote_participants["ada"] = participant  # type: ignore[index]
    packet.data = b""  # type: ignore[misc]
    print(packet.participant.identity)  # type: ignore[union-attr]
    room.name = "x"  # type: ignore[misc]
    raise ConnectError("no reason")  # type: ignore[call-arg]


# -- token sources --

TokenSource()  # type: ignore[abstract]
TokenSource.literal("wss://a.example")  # type: ignore[call-overload]
TokenSource.literal(lambda options: ("wss://a.example", "t"))  # type: ignore[arg-type,misc]
TokenSource.custom(lambda: ("wss://a.example", "t"))  # type: ignore[arg-type,misc]
TokenSource.custom(lambda options: "t")  # type: ignore[arg-type,return-value]
TokenSource.endpoint("/token", {})  # type: ignore[call-arg,arg-type]


async def fetch(options: TokenSourceFetchOptions) -> None:
    await TokenSource.literal("wss://a.example", "t").fetch(options)  # type: ignore[call-arg]
    await TokenSource.endpoint("/token").fetch("maths")  # type: ignore[arg-type]
    await room.prepare_connection(TokenSource.endpoint("/token"), "t")  # type: ignore[call-overload]


# -- options --

TokenSourceFetchOptions(roomName="maths")  # type: ignore[call-arg]

RoomOptions(True)  # type: ignore[misc]
RoomOptions(adaptive=True)  # type: ignore[call-arg]
AdaptiveStreamSettings(pixel_density="retina")  # type: ignore[arg-type]
TrackPublishOptions(video_codec="vp10")  # type: ignore[arg-type]
options = TrackPublishOptions()
options.simulcst = True  # type: ignore[attr-defined]
VideoPresets.H720.width = 7  # type: ignore[misc]
