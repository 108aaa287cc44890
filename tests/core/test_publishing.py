"""What is asked of the server and the browser; layers are compared with livekit-client's own (data/publish_layers)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lk_pyodide.core import layers as video
from lk_pyodide.core import publishing
from lk_pyodide.core.codecs import Encoders
from lk_pyodide.core.layers import Layer
from lk_pyodide.core.messages import AudioTrackFeature as Feature
from lk_pyodide.core.messages import SimulcastCodec
from lk_pyodide.core.publishing import PublishPlan, TrackFacts
from lk_pyodide.options import (
    PUBLISH_DEFAULTS,
    AudioEncoding,
    TrackPublishOptions,
    VideoEncoding,
    VideoPreset,
    VideoPresets,
    merged,
)
from lk_pyodide.types import ParticipantPermission, TrackKind, TrackSource, VideoQuality

DATA = Path(__file__).parent / "data"
ROWS: list[dict[str, Any]] = json.loads((DATA / "publish_layers.json").read_text())
MODULES = Path(__file__).parents[1] / "harness" / "node_modules"

CAMERA = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 1280, 720)
SCREEN = TrackFacts("screen", TrackKind.VIDEO, TrackSource.SCREENSHARE, 1920, 1080)
ALL = ("video/VP8", "video/rtx", "video/VP9", "video/H264", "video/AV1", "video/H265")
CHROME = Encoders("chrome", "140.0.0.0", "Linux", codecs=ALL)
FIREFOX = Encoders("firefox", "140.0", "Linux", codecs=ALL)
MIC = TrackFacts("mic", TrackKind.AUDIO, TrackSource.MICROPHONE)


# -- against livekit-client --------------------------------------------------------------------------------------------


def _encoding(given: dict[str, Any] | None) -> VideoEncoding | None:
    return VideoEncoding(given["maxBitrate"], given.get("maxFramerate"), given.get("priority")) if given else None


def _presets(given: list[dict[str, Any]] | None) -> list[VideoPreset] | None:
    if given is None:
        return None
    return [
        VideoPreset(
            preset["width"], preset["height"], each["maxBitrate"], each.get("maxFramerate"), each.get("priority")
        )
        for preset in given
        for each in [preset["encoding"]]
    ]


def _options(given: dict[str, Any]) -> TrackPublishOptions:
    return TrackPublishOptions(
        simulcast=given["simulcast"],
        video_codec=given.get("videoCodec"),
        video_encoding=_encoding(given.get("videoEncoding")),
        screen_share_encoding=_encoding(given.get("screenShareEncoding")),
        video_simulcast_layers=_presets(given.get("videoSimulcastLayers")),
        screen_share_simulcast_layers=_presets(given.get("screenShareSimulcastLayers")),
        scalability_mode=given.get("scalabilityMode"),
    )


def _encoders(agent: str) -> Encoders:
    name, _, version = agent.partition(" ")
    return Encoders(name, version or "140.0", codecs=ALL)


def _row_name(row: dict[str, Any]) -> str:
    options = ",".join(f"{key}={str(value)[:20]}" for key, value in row["options"].items())
    return f"{row['browser']}-{'screen' if row['screen'] else 'camera'}-{row['width']}x{row['height']}-{options}"


@pytest.mark.parametrize("row", ROWS, ids=_row_name)
def test_layers_are_those_of_livekit_client(row: dict[str, Any]) -> None:
    source = TrackSource.SCREENSHARE if row["screen"] else TrackSource.CAMERA
    track = TrackFacts("t", TrackKind.VIDEO, source, row["width"], row["height"])
    options = _options(row["options"])
    if row["screen"] and row["browser"] == "firefox" and options.simulcast:
        # livekit-client turns it off before the encodings are computed (LocalParticipant.ts)
        assert len(publishing.plan(track, options, encoders=FIREFOX).layers) == 1
        return
    plan = publishing.plan(track, options, encoders=_encoders(row["browser"]))
    ours = [
        [
            layer.rid,
            layer.max_bitrate,
            layer.max_framerate,
            layer.scale_resolution_down_by,
            layer.priority,
            layer.scalability_mode,
        ]
        for layer in plan.layers
    ]
    assert ours == [[rid, rate and int(rate), *rest] for rid, rate, *rest in row["encodings"]]
    assert [[layer.quality, layer.width, layer.height, layer.bitrate] for layer in plan.request.layers] == [
        [quality, width, height, int(rate)] for quality, width, height, rate in row["layers"]
    ]


def test_the_expected_layers_are_what_livekit_client_computes(tmp_path: Path) -> None:
    esbuild, node = MODULES / ".bin" / "esbuild", shutil.which("node")
    if node is None or not esbuild.is_file() or not (MODULES / "livekit-client" / "src").is_dir():
        pytest.skip("no Node.js or no npm packages (`make npm`): publish_layers.json is taken as it is")
    aliases = [
        f"--alias:livekit-client-src={MODULES / 'livekit-client' / 'src'}",
        f"--alias:@livekit/protocol={MODULES / '@livekit' / 'protocol'}",
    ]
    bundle = tmp_path / "bundle.mjs"
    build = [str(esbuild), str(DATA / "publish_layers.mjs"), "--bundle", "--platform=node", "--format=esm", *aliases]
    subprocess.run([*build, "--log-level=error", f"--outfile={bundle}"], check=True)
    output = subprocess.run([node, bundle], check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == ROWS


# -- video -------------------------------------------------------------------------------------------------------------


def camera(options: TrackPublishOptions | None = None, **more: Any) -> PublishPlan:
    return publishing.plan(CAMERA, merged(options, PUBLISH_DEFAULTS), **more)


def test_the_request_for_a_camera() -> None:
    request = camera(TrackPublishOptions(name="face", stream="s")).request
    assert (request.cid, request.name, request.stream) == ("cam", "face", "s")
    assert (request.type, request.source) == (TrackKind.VIDEO, TrackSource.CAMERA)
    assert (request.width, request.height, request.muted) == (1280, 720, False)
    assert request.simulcast_codecs == (SimulcastCodec("vp8", "cam"),)
    assert [layer.rid for layer in request.layers] == ["q", "h", "f"]
    assert request.audio_features == ()


def test_a_muted_camera_says_so() -> None:
    muted = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA, 640, 360, muted=True)
    assert publishing.plan(muted, PUBLISH_DEFAULTS).request.muted


def test_the_target_is_the_sum_of_the_layers() -> None:
    assert camera().target_bitrate == 160_000 + 450_000 + 1_700_000
    assert camera(TrackPublishOptions(video_codec="vp9"), encoders=CHROME).target_bitrate == 1_700_000 * 85 // 100
    assert PublishPlan(camera().request, (Layer(),)).target_bitrate == 0


@pytest.mark.parametrize(
    ("codec", "share"), [("vp8", 1), ("h264", 1), ("vp9", 0.85), ("av1", 0.7), ("h265", 0.7), ("unheard of", 1)]
)
def test_better_codecs_get_less(codec: str, share: float) -> None:
    assert video.appropriate_encoding(1280, 720, codec=codec).max_bitrate == int(1_700_000 * share)
    assert VideoPresets.H720.max_bitrate == 1_700_000, "the preset is nobody's to change"


@pytest.mark.parametrize(
    ("source", "preference"),
    [
        (TrackSource.CAMERA, "maintain-framerate"),
        (TrackSource.SCREENSHARE, "maintain-resolution"),
        (TrackSource.UNKNOWN, "balanced"),
    ],
)
def test_what_to_give_up_first(source: TrackSource, preference: str) -> None:
    track = TrackFacts("t", TrackKind.VIDEO, source, 640, 360)
    assert publishing.plan(track, PUBLISH_DEFAULTS).degradation_preference == preference
    chosen = merged(TrackPublishOptions(degradation_preference="balanced"), PUBLISH_DEFAULTS)
    assert publishing.plan(track, chosen).degradation_preference == "balanced"


def test_a_screen_in_firefox_is_not_simulcast() -> None:
    assert [layer.rid for layer in publishing.plan(SCREEN, PUBLISH_DEFAULTS).layers] == ["q", "h"]
    [layer] = publishing.plan(SCREEN, PUBLISH_DEFAULTS, encoders=FIREFOX).layers
    assert layer == Layer(max_bitrate=2_500_000, max_framerate=15, priority="medium")


def test_in_firefox_each_layer_may_have_a_priority() -> None:
    options = TrackPublishOptions(video_encoding=VideoEncoding(1_000_000, 30, "high"))
    options.video_simulcast_layers = [VideoPreset(320, 180, 100_000, 15, "low"), VideoPreset(640, 360, 400_000, 15)]
    assert [layer.priority for layer in camera(options, encoders=FIREFOX).layers] == ["low", None, "high"]
    assert [layer.priority for layer in camera(options, encoders=CHROME).layers] == ["low", None, None]


def test_a_size_that_is_not_known_leaves_everything_to_the_browser() -> None:
    unknown = TrackFacts("cam", TrackKind.VIDEO, TrackSource.CAMERA)
    plan = publishing.plan(unknown, PUBLISH_DEFAULTS)
    assert plan.layers == (Layer(),)
    assert [layer.quality for layer in plan.request.layers] == [VideoQuality.HIGH]


def test_layers_of_the_users_own_are_not_reordered_in_place() -> None:
    given = [VideoPresets.H360, VideoPresets.H90]
    options = TrackPublishOptions(simulcast=True, video_simulcast_layers=given)
    assert [layer.max_bitrate for layer in publishing.plan(CAMERA, options).layers] == [90_000, 450_000, 1_700_000]
    assert given == [VideoPresets.H360, VideoPresets.H90]


def test_layers_of_one_bitrate_go_by_their_rate() -> None:
    layers = [VideoPreset(640, 360, 300_000, rate) for rate in (30, None, 15)]
    options = TrackPublishOptions(simulcast=True, video_simulcast_layers=layers)
    assert [layer.max_framerate for layer in publishing.plan(CAMERA, options).layers] == [None, 15, 30]


# -- audio -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "force", "dtx", "red", "stereo", "disable_dtx", "disable_red"),
    [
        (0, None, None, None, False, False, False),
        (1, None, None, None, False, False, False),
        (2, None, None, None, True, True, True),
        (2, False, None, None, False, False, False),
        (1, True, None, None, True, True, True),
        (2, None, True, None, True, False, True),
        (2, None, None, True, True, True, False),
        (1, None, False, None, False, True, False),
        (1, None, None, False, False, False, True),
        (1, True, True, True, True, False, False),
    ],
)
def test_stereo_dtx_and_red(
    channels: int,
    force: bool | None,
    dtx: bool | None,
    red: bool | None,
    stereo: bool,
    disable_dtx: bool,
    disable_red: bool,
) -> None:
    track = TrackFacts("mic", TrackKind.AUDIO, TrackSource.MICROPHONE, channel_count=channels)
    options = merged(TrackPublishOptions(force_stereo=force, dtx=dtx, red=red), PUBLISH_DEFAULTS)
    request = publishing.plan(track, options).request
    assert (request.stereo, request.disable_dtx, request.disable_red) == (stereo, disable_dtx, disable_red)
    assert (Feature.TF_NO_DTX in request.audio_features) == disable_dtx
    assert (Feature.TF_STEREO in request.audio_features) == (channels > 1)


def test_the_request_for_a_microphone() -> None:
    muted = TrackFacts("mic", TrackKind.AUDIO, TrackSource.MICROPHONE, muted=True)
    plan = publishing.plan(muted, merged(TrackPublishOptions(name="voice", stream="s"), PUBLISH_DEFAULTS))
    assert plan.request.type is TrackKind.AUDIO
    assert (plan.request.cid, plan.request.name, plan.request.stream) == ("mic", "voice", "s")
    assert (plan.request.source, plan.request.muted) == (TrackSource.MICROPHONE, True)
    assert not plan.request.layers and not plan.request.simulcast_codecs
    assert (plan.codec, plan.degradation_preference) == ("", None)


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("auto_gain_control", Feature.TF_AUTO_GAIN_CONTROL),
        ("echo_cancellation", Feature.TF_ECHO_CANCELLATION),
        ("noise_suppression", Feature.TF_NOISE_SUPPRESSION),
    ],
)
def test_what_the_browser_does_to_the_sound_is_announced(name: str, feature: Feature) -> None:
    track = TrackFacts("mic", TrackKind.AUDIO, TrackSource.MICROPHONE, **{name: True})
    assert publishing.plan(track, PUBLISH_DEFAULTS).request.audio_features == (feature,)
    assert publishing.plan(MIC, PUBLISH_DEFAULTS).request.audio_features == ()


@pytest.mark.parametrize(
    ("encoding", "layer"),
    [
        (None, Layer(priority="high")),
        (AudioEncoding(64_000), Layer(max_bitrate=64_000, priority="high")),
        (AudioEncoding(64_000, "low"), Layer(max_bitrate=64_000, priority="low")),
    ],
)
def test_the_encoding_of_sound(encoding: AudioEncoding | None, layer: Layer) -> None:
    assert publishing.plan(MIC, TrackPublishOptions(audio_encoding=encoding)).layers == (layer,)


# -- permissions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "may"),
    [
        (None, False),
        (ParticipantPermission(), False),
        (ParticipantPermission(can_publish_data=True, can_subscribe=True), False),
        (ParticipantPermission(can_publish=True), True),
        (ParticipantPermission(can_publish=True, can_publish_sources=(TrackSource.CAMERA,)), True),
        (ParticipantPermission(can_publish=True, can_publish_sources=(1,)), True),
        (ParticipantPermission(can_publish=True, can_publish_sources=(TrackSource.MICROPHONE, 99)), False),
        (ParticipantPermission(can_publish=False, can_publish_sources=(TrackSource.CAMERA,)), False),
    ],
)
def test_who_may_publish_a_camera(permission: ParticipantPermission | None, may: bool) -> None:
    assert publishing.may_publish(permission, TrackSource.CAMERA) is may
