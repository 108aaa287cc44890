"""Statistics, as browsers give them."""

from dataclasses import fields

import pytest

from lk_pyodide import stats as s
from lk_pyodide.core.stats import Item, Traffic, bitrate, read, traffic

AUDIO_IN: Item = {
    "id": "IT01A1",
    "type": "inbound-rtp",
    "timestamp": 1_700_000_000_123.456,
    "kind": "audio",
    "ssrc": 77,
    "packetsReceived": 50,
    "packetsLost": -1,
    "jitter": 0.004,
    "bytesReceived": 4000,
    "totalAudioEnergy": 0.25,
    "jitterBufferTargetDelay": 12.5,
    "trackIdentifier": "a-track",
    "mid": "3",
    "powerEfficientDecoder": False,
}
VIDEO_OUT: Item = {
    "id": "OT01V1",
    "type": "outbound-rtp",
    "timestamp": 2000,
    "kind": "video",
    "rid": "q",
    "bytesSent": 1000,
    "packetsSent": 3,
    "framesSent": 4,
    "qualityLimitationReason": "bandwidth",
    "qualityLimitationDurations": {"bandwidth": 1.5, "none": 2},
    "active": True,
    "nackCount": None,
}


def test_what_comes() -> None:
    (found,) = read([AUDIO_IN])
    assert found.kind == "inbound_rtp" and found.outbound_rtp is None and found.inbound_rtp is not None
    stats = found.inbound_rtp
    assert stats.rtc == s.RtcStatsData("IT01A1", 1_700_000_000_123_456)
    assert stats.stream == s.RtpStreamStats(ssrc=77, kind="audio")
    assert stats.received == s.ReceivedRtpStreamStats(50, -1, 0.004)
    assert (stats.inbound.bytes_received, stats.inbound.mid, stats.inbound.total_audio_energy) == (4000, "3", 0.25)
    assert stats.inbound.jitter_buffer_target_delay == 12.5
    assert stats.inbound.frames_decoded == 0, "what is not told is 0"


def test_what_goes() -> None:
    (found,) = read([VIDEO_OUT])
    assert found.outbound_rtp is not None
    stats = found.outbound_rtp.outbound
    assert found.outbound_rtp.sent == s.SentRtpStreamStats(packets_sent=3, bytes_sent=1000)
    assert (stats.rid, stats.frames_sent, stats.active, stats.nack_count) == ("q", 4, True, 0)
    assert stats.quality_limitation_reason is s.QualityLimitationReason.LIMITATION_BANDWIDTH
    assert stats.quality_limitation_durations == {"bandwidth": 1.5, "none": 2.0}


def test_the_other_kinds() -> None:
    report: list[Item] = [
        {"id": "1", "type": "codec", "mimeType": "audio/opus", "clockRate": 48000, "sdpFmtpLine": "useinbandfec=1"},
        {"id": "2", "type": "remote-inbound-rtp", "roundTripTime": 0.02, "fractionLost": 0.5, "jitter": 1},
        {"id": "3", "type": "remote-outbound-rtp", "reportsSent": 4, "bytesSent": 9},
        {"id": "4", "type": "media-source", "kind": "audio", "audioLevel": 0.5, "trackIdentifier": "t"},
        {"id": "5", "type": "candidate-pair", "state": "in-progress", "currentRoundTripTime": 0.001},
        {"id": "6", "type": "transport"},
        {"id": "7", "type": "something of tomorrow"},
        {"id": "8"},
    ]
    found = read(report)
    assert [item.kind for item in found] == [
        "codec", "remote_inbound_rtp", "remote_outbound_rtp", "media_source", "candidate_pair",
    ]  # fmt: skip
    codec, inbound, outbound, source, pair = found
    assert codec.codec is not None and codec.codec.codec == s.CodecStats(
        mime_type="audio/opus", clock_rate=48000, sdp_fmtp_line="useinbandfec=1"
    )
    assert inbound.remote_inbound_rtp is not None and inbound.remote_inbound_rtp.received.jitter == 1.0
    assert inbound.remote_inbound_rtp.remote_inbound.fraction_lost == 0.5
    assert outbound.remote_outbound_rtp is not None and outbound.remote_outbound_rtp.sent.bytes_sent == 9
    assert source.media_source is not None and source.media_source.audio.audio_level == 0.5
    assert source.media_source.video == s.VideoSourceStats()
    assert pair.candidate_pair is not None
    assert pair.candidate_pair.candidate_pair.state is s.IceCandidatePairState.IN_PROGRESS


@pytest.mark.parametrize("reason", ["cpu", "none", "other", "tired"])
def test_a_reason_that_is_new(reason: str) -> None:
    (found,) = read([{**VIDEO_OUT, "qualityLimitationReason": reason}])
    assert found.outbound_rtp is not None
    told = found.outbound_rtp.outbound.quality_limitation_reason
    assert told.name == ("OTHER" if reason == "tired" else reason.upper())


def test_each_kind_has_its_place() -> None:
    assert {entry.name for entry in fields(s.RtcStats)} - {"kind"} == set(s.StatsKind.__args__)  # type: ignore[attr-defined]


def test_traffic_is_that_of_all_layers() -> None:
    layers: list[Item] = [VIDEO_OUT, {**VIDEO_OUT, "id": "2", "bytesSent": 500, "timestamp": 2001}]
    told: Item = {"type": "remote-inbound-rtp", "timestamp": 9999}
    assert traffic([*layers, told]) == Traffic(1500, 2001)
    assert traffic([AUDIO_IN]) == Traffic(4000, AUDIO_IN["timestamp"])
    assert traffic([told]) is None


@pytest.mark.parametrize(
    ("before", "after", "bits"),
    [
        (Traffic(1000, 0), Traffic(2000, 2000), 4000),
        (Traffic(1000, 0), Traffic(1000, 2000), 0),
        (None, Traffic(1000, 2000), 0),
        (Traffic(1000, 0), None, 0),
        (Traffic(1000, 5), Traffic(2000, 5), 0),
        (Traffic(5000, 0), Traffic(20, 2000), 0),
    ],
)
def test_bitrate(before: Traffic | None, after: Traffic | None, bits: int) -> None:
    assert bitrate(before, after) == bits
