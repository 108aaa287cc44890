"""Code as users write it: mypy --strict and pyright have nothing to say. Never run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, assert_never, assert_type

import lk_pyodide
from lk_pyodide import (
    ActiveSpeakersChanged,
    AdaptiveStreamSettings,
    AudioAnalyser,
    ByteStreamInfo,
    ByteStreamReader,
    ByteStreamWriter,
    Connected,
    ConnectError,
    ConnectErrorReason,
    ConnectionState,
    DataPacket,
    DataReceived,
    DataStreamError,
    DataStreamErrorReason,
    DataTrackFrame,
    DataTrackInfo,
    DataTrackPublished,
    DataTrackStream,
    DeadlineExceeded,
    DeviceInfo,
    Disconnected,
    DisconnectReason,
    Event,
    EventName,
    EventStream,
    LiveKitError,
    LocalAudioTrack,
    LocalDataTrack,
    LocalParticipant,
    LocalTrack,
    LocalTrackPublication,
    LogLevel,
    MediaDeviceFailure,
    Participant,
    ParticipantConnected,
    PublishDataTrackError,
    PublishDataTrackErrorReason,
    PushFrameError,
    PushFrameErrorReason,
    RemoteAudioTrack,
    RemoteDataTrack,
    RemoteParticipant,
    RemoteTrack,
    RemoteTrackPublication,
    RemoteVideoTrack,
    Room,
    RoomConnectOptions,
    RoomEvent,
    RoomOptions,
    RpcError,
    RpcHandler,
    RpcInvocationData,
    ScreenShareCaptureOptions,
    SubscribeDataTrackError,
    SubscribeDataTrackErrorReason,
    TextStreamHandler,
    TextStreamInfo,
    TextStreamReader,
    TextStreamWriter,
    TokenSource,
    TokenSourceConfigurable,
    TokenSourceFetchOptions,
    TokenSourceFixed,
    TokenSourceResponse,
    TrackKind,
    TrackMuted,
    TrackPublication,
    TrackPublishOptions,
    TrackSource,
    TrackSubscribed,
    VideoCaptureOptions,
    VideoPresets,
    create_audio_analyser,
    create_local_tracks,
    set_log_extension,
    set_log_level,
)
from lk_pyodide.stats import RtcStats

room = Room(
    RoomOptions(
        adaptive_stream=True,
        dynacast=True,
        video_capture_defaults=VideoCaptureOptions(resolution=VideoPresets.H720.resolution),
    )
)


# -- handlers ----------------------------------------------------------------------------------------------------------


@room.on("track_subscribed")
def show(track: RemoteTrack, publication: RemoteTrackPublication, participant: RemoteParticipant) -> None:
    track.attach("#stage")


@room.on("track_subscribed")
def with_fewer_arguments(track: RemoteTrack) -> None:
    track.detach()


@room.on("connected")
async def asynchronously() -> None:
    await room.local_participant.set_camera_enabled(True)


@room.on(TrackSubscribed)
def by_class(event: TrackSubscribed) -> int:
    assert_type(event.track, RemoteTrack)
    assert_type(event.participant, RemoteParticipant)
    return 1


@room.once(Disconnected)
async def by_class_and_asynchronously(event: Disconnected) -> None:
    assert_type(event.reason, DisconnectReason | int)


@room.on(ParticipantConnected)
def for_any_event(event: Event) -> None:
    print(event.event_name)


@room.on(RoomEvent.DataReceived)
def by_constant(packet: DataPacket) -> None:
    print(packet.data.decode(), packet.topic, packet.participant.identity if packet.participant else "the server")


# decorators give the function back with its own type
show(RemoteTrack.__new__(RemoteTrack), object.__new__(RemoteTrackPublication), object.__new__(RemoteParticipant))
assert_type(by_class(object.__new__(TrackSubscribed)), int)


class Application:
    """Handlers that are methods."""

    def __init__(self) -> None:
        room.on("track_muted", self.muted).on(TrackMuted, self.muted_event).once(RoomEvent.Reconnected, self.back)
        room.off("track_muted", self.muted).off(TrackMuted, self.muted_event)

    def muted(self, participant: Participant, publication: TrackPublication) -> None:
        print(participant.identity, publication.sid)

    def muted_event(self, event: TrackMuted) -> None:
        self.muted(event.participant, event.publication)

    async def back(self) -> None:
        await asyncio.sleep(0)


room.on("connected", lambda: None).once("disconnected", print).on(Connected, lambda event: print(event))
room.on("active_speakers_changed", partial(print, "speaking:")).on(ActiveSpeakersChanged, lambda e: print(e.speakers))


def register(source: Room, name: EventName) -> None:
    source.on(name, print)


# -- waiting -----------------------------------------------------------------------------------------------------------


async def wait() -> None:
    connected = await room.wait_for(ParticipantConnected, timeout=5)
    assert_type(connected, ParticipantConnected)
    assert_type(connected.participant.identity, str)
    checked = await room.wait_for(TrackMuted, check=lambda event: event.publication.sid == "TR_1")
    assert_type(checked, TrackMuted)
    by_name = await room.wait_for("participant_connected", timeout=5)
    print(by_name.participant.identity)
    try:
        await room.wait_for(RoomEvent.Connected, timeout=1, check=lambda event: bool(event))
    except DeadlineExceeded as late:
        print(late.message)
    except TimeoutError:
        raise


async def match_two() -> None:
    stream = room.events(ParticipantConnected, Disconnected)
    assert_type(stream, EventStream[ParticipantConnected | Disconnected])
    async for event in stream:
        match event:
            case ParticipantConnected(who):
                assert_type(who, RemoteParticipant)
            case Disconnected(reason):
                assert_type(reason, DisconnectReason | int)
            case _:
                assert_never(event)
    print(stream.dropped)


async def match_three() -> None:
    async for event in room.events(ParticipantConnected, Disconnected, DataReceived):
        match event:
            case ParticipantConnected() | Disconnected():
                pass
            case DataReceived(packet):
                assert_type(packet.data, bytes)
            case _:
                assert_never(event)


async def other_streams() -> None:
    async for one in room.events(DataReceived):
        assert_type(one, DataReceived)
    async for any_event in room.events():
        assert_type(any_event, Event)
    async for named in room.events("connected", RoomEvent.Disconnected, TrackMuted):
        assert_type(named, Event)


# -- remote procedure calls --------------------------------------------------------------------------------------------


@room.local_participant.register_rpc_method("greet")
async def greet(data: RpcInvocationData) -> str:
    assert_type(data.response_timeout, float)
    return await room.local_participant.perform_rpc(
        destination_identity=data.caller_identity, method="name", payload=data.payload, response_timeout=2
    )


@room.local_participant.register_rpc_method("nothing")
def nothing(data: RpcInvocationData) -> None:
    raise RpcError(RpcError.ErrorCode.APPLICATION_ERROR, "no", None)


async def register_methods(handler: RpcHandler) -> None:
    me = room.local_participant
    assert_type(await greet(RpcInvocationData("1", "ada", "", 8.0)), str)
    me.register_rpc_method("handler", handler)
    me.register_rpc_method("lambda", lambda data: data.payload.upper())
    me.unregister_rpc_method("lambda")


# -- streams -----------------------------------------------------------------------------------------------------------


async def take_text(reader: TextStreamReader, identity: str) -> None:
    assert_type(reader.info, TextStreamInfo)
    reader.on_progress = lambda done: print(identity, done)
    async for piece in reader:
        assert_type(piece, str)
    assert_type(await reader.read_all(), str)
    assert_type(reader.progress, float | None)


def take_file(reader: ByteStreamReader, sender: str) -> None:
    assert_type(reader.info, ByteStreamInfo)
    print(reader.info.name, reader.info.attributes["a"], sender)


async def streams(handler: TextStreamHandler, path: Path) -> None:
    room.register_text_stream_handler("chat", take_text)
    room.register_text_stream_handler("other", handler)
    room.register_text_stream_handler("lambda", lambda reader, identity: print(reader.info.topic, identity.upper()))
    room.register_byte_stream_handler("files", take_file)
    room.unregister_byte_stream_handler("files")
    me = room.local_participant
    try:
        info = await me.send_text("hi", topic="chat", attributes={"a": "b"}, attachments=[path, b"bytes"])
        assert_type(info.attachments, tuple[str, ...])
        assert_type((await me.send_file(path)).name, str)
        assert_type(await me.send_bytes(b"x", name="x", on_progress=print), ByteStreamInfo)
        async with await me.stream_text(topic="llm", destination_identities=["ada"]) as writer:
            assert_type(writer, TextStreamWriter)
            await writer.write("word")
        data: ByteStreamWriter = await me.stream_bytes("x", total_size=1)
        await data.write(b"x")
        await data.aclose(reason="", attributes={})
    except DataStreamError as error:
        assert_type(error.reason, DataStreamErrorReason)


# -- data tracks -------------------------------------------------------------------------------------------------------


@room.on("data_track_published")
async def read_data_track(track: RemoteDataTrack) -> None:
    assert_type(track.info, DataTrackInfo)
    track.set_pipeline_options(max_partial_frames=4)
    try:
        async for frame in track.subscribe(buffer_size=32):
            assert_type(frame.payload, bytes)
            assert_type(frame.duration_since_timestamp(), float | None)
    except SubscribeDataTrackError as error:
        assert_type(error.reason, SubscribeDataTrackErrorReason)


room.on(DataTrackPublished, lambda event: print(event.track.publisher_identity))
room.on(RoomEvent.LocalDataTrackPublished, print)


async def push_frames(participant: RemoteParticipant) -> None:
    try:
        track = await room.local_participant.publish_data_track(name="pose")
        assert_type(track, LocalDataTrack)
        track.try_push(DataTrackFrame(b"x", 7))
        track.try_push(DataTrackFrame(payload=b"x").with_user_timestamp_now())
        await track.flush()
        await track.unpublish()
    except PublishDataTrackError as error:
        assert_type(error.reason, PublishDataTrackErrorReason)
    except PushFrameError as error:
        assert_type(error.reason, PushFrameErrorReason)
    theirs = await participant.data_tracks.get_deferred("pose", timeout=5)
    assert_type(theirs, RemoteDataTrack)
    assert_type(participant.data_tracks.get("pose"), RemoteDataTrack | None)
    stream = theirs.subscribe()
    assert_type(stream, DataTrackStream)
    assert_type(await stream.read(), DataTrackFrame | None)
    await stream.aclose()


# -- the room ----------------------------------------------------------------------------------------------------------


async def meet(url: str, token: str) -> None:
    await room.prepare_connection(url, token)
    try:
        await room.connect(url, token, RoomOptions(auto_subscribe=False, max_retries=2))
    except ConnectError as error:
        if error.reason is ConnectErrorReason.NOT_ALLOWED:
            print(error.status, error.message)
        raise
    me = room.local_participant
    assert_type(me, LocalParticipant)
    assert_type(room.state, ConnectionState)
    assert_type(room.remote_participants, Mapping[str, RemoteParticipant])
    await me.enable_camera_and_microphone()
    await me.set_screen_share_enabled(True, ScreenShareCaptureOptions(audio=True))
    for track in await create_local_tracks(audio=True, video=VideoCaptureOptions(facing_mode="user")):
        assert_type(track, LocalTrack)
        publication = await me.publish_track(track, TrackPublishOptions(simulcast=True, video_codec="vp8"))
        assert_type(publication, LocalTrackPublication)
        await publication.mute()
        await me.unpublish_track(publication.sid)
    await me.publish_data(b"...", reliable=True, topic="t", destination_identities=["ada"])
    await me.publish_data("text")
    devices = await Room.get_local_devices("videoinput")
    assert_type(devices, list[DeviceInfo])
    await room.disconnect()


def find_server() -> tuple[str, str]:
    return "wss://a.example", "t"


async def ask_somebody(options: TokenSourceFetchOptions) -> dict[str, str]:
    return {"serverUrl": "wss://a.example", "participantToken": options.room_name or ""}


async def by_token_source(source: TokenSource) -> None:
    await room.prepare_connection(source)
    await room.connect(source)
    await room.connect(source, RoomConnectOptions(auto_subscribe=False))
    await room.connect(source, options=RoomOptions(auto_subscribe=False))
    response = await source.fetch()
    assert_type(response, TokenSourceResponse)
    await room.connect(*response)


async def token_sources(url: str, token: str) -> None:
    maths = TokenSourceFetchOptions(room_name="maths", participant_attributes={"mood": "curious"})
    endpoint = TokenSource.endpoint("/token", headers={"Authorization": "Bearer …"}, options=maths)
    assert_type(endpoint, TokenSourceConfigurable)
    assert_type((await endpoint.fetch(TokenSourceFetchOptions(agent_name="tutor"), force=True)).participant_token, str)
    assert_type(TokenSource.literal(find_server, timeout=5), TokenSourceFixed)
    for source in (
        endpoint,
        TokenSource.literal(url, token),
        TokenSource.literal(server_url=url, participant_token=token),
        TokenSource.literal(endpoint.fetch),
        TokenSource.custom(ask_somebody, options=maths, timeout=60),
        TokenSource.custom(lambda options: (url, f"{token} for {options.room_name}")),
        TokenSource.development_token_server("my-id", options=maths),
    ):
        await by_token_source(source)


async def in_a_context(url: str, token: str) -> None:
    async with Room() as other:
        assert_type(other, Room)
        await other.connect(url, token)


def people(participant: RemoteParticipant) -> None:
    publication = participant.get_track_publication(TrackSource.CAMERA)
    assert_type(publication, RemoteTrackPublication | None)
    if publication is not None and publication.track is not None and publication.kind is TrackKind.VIDEO:
        assert_type(publication.track, RemoteTrack)
        publication.track.attach()
        publication.set_subscribed(False)
    for sid, other in participant.track_publications.items():
        assert_type(sid, str)
        assert_type(other, RemoteTrackPublication)
        if isinstance(other.track, RemoteVideoTrack | RemoteAudioTrack):
            print(other.track.kind.name)


class Canvas:
    """Where an application shows a video by itself."""

    handle_resize: Callable[[], None] | None = None
    handle_visibility_changed: Callable[[], None] | None = None
    visible = True
    picture_in_picture = False

    def width(self) -> int:
        return 640

    def height(self) -> int:
        return 360

    def observe(self) -> None: ...

    def stop_observing(self) -> None: ...


def show_by_itself(track: RemoteVideoTrack, canvas: Canvas) -> None:
    assert_type(track.is_adaptive_stream, bool)
    track.observe_element_info(canvas)
    track.stop_observing_element_info(canvas)


async def sound(participant: RemoteParticipant, track: LocalAudioTrack) -> None:
    participant.set_volume(0.5)
    participant.set_volume(0.5, TrackSource.SCREENSHARE_AUDIO)
    for publication in participant.audio_track_publications.values():
        if isinstance(publication.track, RemoteAudioTrack):
            publication.track.set_volume(0.5)
            publication.track.set_playout_delay(0.2)
            assert_type(publication.track.get_volume(), float)
            await publication.track.set_sink_id("default")
    async with create_audio_analyser(track, clone_track=True, max_decibels=-30) as analyser:
        assert_type(analyser, AudioAnalyser)
        assert_type(analyser.calculate_volume(), float)
        assert_type(await analyser.get_frequencies(), bytes)
    for stats in await track.get_stats():
        assert_type(stats, RtcStats)
        if stats.outbound_rtp is not None:
            assert_type(stats.outbound_rtp.sent.bytes_sent, int)
    assert_type(track.current_bitrate, int)
    assert_type(await track.check_for_silence(), bool)


@room.on("speaking_while_muted")
def unheard(publication: LocalTrackPublication) -> None:
    assert_type(publication.track, LocalTrack)


def fill_in_field_by_field() -> RoomOptions:
    options = RoomOptions()
    options.adaptive_stream = True
    options.adaptive_stream = AdaptiveStreamSettings(pixel_density="screen", pause_video_in_background=False)
    options.publish_defaults = TrackPublishOptions()
    options.publish_defaults.source = TrackSource.SOURCE_MICROPHONE
    return options


@room.on("media_devices_error")
def failed(error: Exception, kind: str | None) -> None:
    assert_type(MediaDeviceFailure.get_failure(error), MediaDeviceFailure)


def log(level: LogLevel, text: str, context: Mapping[str, object]) -> None:
    print(level.name, text, context)


set_log_level("debug")
set_log_level(LogLevel.warn, "signal")
set_log_extension(log)
set_log_extension(None)
an_error: LiveKitError = lk_pyodide.errors.UsageError("x")
version: str = lk_pyodide.__version__
anything: Any = lk_pyodide.types.TrackKind.KIND_AUDIO
