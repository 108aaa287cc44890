"""What clients and hosts are told of one another."""

from __future__ import annotations

from lk_pyodide.local.descriptions import Sent, finish_answer, read_offer

_HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3\r\n"
_RID = "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"


def section(kind: str, mid: str, direction: str, *lines: str) -> str:
    text = f"m={kind} 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\n"
    return text + "".join(f"{line}\r\n" for line in lines)


SIMULCAST = (_RID.strip(), "a=msid:- camera", "a=rid:q send", "a=rid:h send", "a=rid:f send", "a=simulcast:send q;h;f")
OFFER = (
    _HEAD
    + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
    + section("audio", "1", "recvonly")
    + section("video", "2", "sendonly", *SIMULCAST)
    + section("audio", "3", "inactive", "a=msid:- old")
)


def test_an_offer_is_read() -> None:
    offer = read_offer(OFFER)
    assert offer.sends == {"2": "camera"}
    assert offer.slots == {"1": "audio"}
    assert offer.layers == {"2": ("f", _RID.strip())}
    assert "simulcast" not in offer.sdp
    assert "a=rid" not in offer.sdp
    rest = [line for line in OFFER.split("\r\n") if not line.startswith(("a=rid", "a=simulcast"))]
    assert offer.sdp == "\r\n".join(rest)


def test_an_offer_without_layers_goes_as_it_is() -> None:
    plain = _HEAD + section("video", "0", "sendonly", "a=msid:- camera") + section("audio", "1", "sendrecv")
    offer = read_offer(plain)
    assert offer.sdp == plain
    assert (offer.layers, offer.sends, offer.slots) == ({}, {"0": "camera", "1": ""}, {"1": "audio"})


def test_the_largest_layer_is_asked_for() -> None:
    answer = _HEAD + section("audio", "1", "inactive") + section("video", "2", "recvonly")
    finished = finish_answer(answer, read_offer(OFFER), {})
    assert finished == answer + _RID + "a=rid:f recv\r\na=simulcast:recv f\r\n"
    refused = _HEAD + section("video", "2", "inactive")
    assert finish_answer(refused, read_offer(OFFER), {}) == refused


def test_alternatives_and_paused_layers() -> None:
    lines = ("a=rid:1 send", "a=rid:2 send", "a=simulcast:send 1;~2,3")
    offer = read_offer(_HEAD + section("video", "0", "sendonly", *lines))
    assert offer.layers == {"0": ("2", "")}


def test_what_the_host_sends_is_named() -> None:
    lines = ("a=msid:{browser} {own}", "a=ssrc:5 cname:x", "a=ssrc:5 msid:{browser} {own}")
    answer = _HEAD + section("audio", "1", "sendonly", *lines)
    finished = finish_answer(answer, read_offer(OFFER), {"1": Sent("PA_ada", "TR_AM1")})
    assert "{browser}" not in finished
    assert finished.endswith("a=ssrc:5 cname:x\r\na=msid:PA_ada|TR_AM1 TR_AM1\r\n")


def test_video_begins_large() -> None:
    codecs = ("a=rtpmap:96 VP8/90000", "a=rtpmap:98 VP9/90000", "a=fmtp:98 profile-id=0", "a=rtpmap:99 rtx/90000")
    plain = _HEAD + section("video", "0", "recvonly", *codecs) + section("audio", "1", "recvonly")
    for text in (read_offer(plain).sdp, finish_answer(plain, read_offer(plain), {})):
        assert "a=fmtp:96 x-google-start-bitrate=2000\r\n" in text
        assert "a=fmtp:98 profile-id=0;x-google-start-bitrate=2000\r\n" in text
        assert text.count("start-bitrate") == 2
