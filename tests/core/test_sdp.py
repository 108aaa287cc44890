"""Edits of real offers and answers, as Chromium 140 and Firefox ESR made them (data/*.sdp, data/capture.py)."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from lk_pyodide.core import sdp
from lk_pyodide.core.sdp import DEPENDENCY_DESCRIPTOR, SentVideo, edit_offer, edit_own_answer, edit_received_answer

DATA = Path(__file__).parent / "data"
BROWSERS = ("chromium", "firefox")
OPUS = {"chromium": "111", "firefox": "109"}
VP8 = {"chromium": "96", "firefox": "120"}


def read(browser: str, what: str) -> str:
    return (DATA / f"{browser}_{what}.sdp").read_bytes().decode()


def lines(text: str) -> list[str]:
    assert text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def differences(before: str, after: str) -> list[tuple[list[str], list[str]]]:
    """(lines that went, lines that came in their place), top to bottom; all others are the same, byte for byte."""
    old, new = lines(before), lines(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [(old[a:b], new[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def section(text: str, mid: str) -> str:
    """One m-section."""
    return next(part for part in re.split(r"(?m)^(?=m=)", text)[1:] if f"a=mid:{mid}\r\n" in part)


def track_ids(browser: str) -> list[str]:
    """Ids of the audio and the video that the publishing offer sends."""
    return re.findall(r"(?m)^a=msid:\S+ (\S+)\r$", read(browser, "publish"))


def make(*media: str, head: str = "v=0\r\n") -> str:
    return head + "".join(media)


def audio(mid: str, *rest: str, payload: int = 111, direction: str = "sendonly") -> str:
    known = (f"m=audio 9 X {payload}", f"a=mid:{mid}", f"a={direction}", f"a=rtpmap:{payload} opus/48000/2", *rest)
    return "".join(f"{line}\r\n" for line in known)


# -- what is not edited ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize("what", ["receive", "publish", "answer", "server_offer"])
def test_text_without_an_edit_is_the_same_byte_for_byte(browser: str, what: str) -> None:
    text = read(browser, what)
    assert sdp.edited(text, lambda sections: None) == text


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize("what", ["receive", "publish"])
def test_an_edit_repeated_changes_nothing(browser: str, what: str) -> None:
    videos = [SentVideo(track_ids(browser)[1], "vp8", 1_000_000)]
    once = edit_offer(read(browser, what), videos)
    assert edit_offer(once, videos) == once


def test_only_line_ends_separate_lines() -> None:
    text = make(audio("0", "a=msid:s\u2028x\x0b\x85 t"))
    assert edit_offer(text) == text


def test_an_offer_without_media_is_left_alone() -> None:
    assert edit_offer("v=0\r\ns=-\r\n") == "v=0\r\ns=-\r\n"
    assert edit_offer("") == ""


# -- our offer ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["receive", "publish"])
def test_chromium_is_made_to_offer_stereo_and_nothing_else_changes(what: str) -> None:
    text = read("chromium", what)
    changed = differences(text, edit_offer(text))
    assert changed == [
        (["a=fmtp:111 minptime=10;useinbandfec=1"], ["a=fmtp:111 minptime=10;useinbandfec=1;stereo=1"])
    ] * text.count("m=audio")


@pytest.mark.parametrize("what", ["receive", "publish"])
def test_firefox_offers_stereo_already(what: str) -> None:
    text = read("firefox", what)
    assert edit_offer(text) == text


def test_stereo_is_a_parameter_of_its_own() -> None:
    assert "sprop-stereo=1;stereo=1\r\n" in edit_offer(make(audio("0", "a=fmtp:111 sprop-stereo=1")))
    already = make(audio("0", "a=fmtp:111 sprop-stereo=1; stereo=1;x=2"))
    assert edit_offer(already) == already
    without = make(audio("0"))
    assert edit_offer(without) == without, "no format parameters, nothing to add to"


def test_only_opus_is_made_stereo() -> None:
    text = make(audio("0", "a=rtpmap:9 G722/8000", "a=fmtp:9 x=1").replace("opus", "L16"))
    assert edit_offer(text) == text


def test_the_name_of_a_codec_is_compared_without_case() -> None:
    text = make(audio("0", "a=fmtp:111 x=1").replace("opus", "OPUS"))
    assert "x=1;stereo=1" in edit_offer(text)


# -- the start bitrate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize(
    ("bitrate", "screen", "kbps"),
    [
        (500_000, False, 450),
        (1_111_111, False, 1000),
        (5_000_000, False, 1000),
        (5_000_000, True, 4500),
        (200_000, True, 180),
        (1_499, False, 1),
    ],
)
def test_vp8_starts_near_its_target(browser: str, bitrate: int, screen: bool, kbps: int) -> None:
    text = read(browser, "publish")
    edited = edit_offer(text, [SentVideo(track_ids(browser)[1], "vp8", bitrate, screen)])
    fmtp = section(edited, "5").split(f"a=fmtp:{VP8[browser]} ")[1].split("\r\n")[0]
    assert fmtp.split(";")[-1] == f"x-google-start-bitrate={kbps}"
    assert edited.count("x-google-start-bitrate") == 1 + differences_of_placeholders(text, edited)
    others = differences(edit_offer(text), edited)
    assert all("x-google-start-bitrate" in line for _, came in others for line in came)


def test_what_is_not_said_to_be_a_screen_is_none() -> None:
    edited = edit_offer(read("chromium", "publish"), [SentVideo(track_ids("chromium")[1], "vp8", 5_000_000)])
    assert "x-google-start-bitrate=1000\r\n" in edited


def differences_of_placeholders(before: str, after: str) -> int:
    """How many placeholders were made to agree with the sending section."""
    return sum(
        "x-google-start-bitrate" in section(after, mid)
        for mid in re.findall(r"a=mid:(\d+)", before)
        if "a=recvonly\r\n" in section(after, mid)
    )


def test_parameters_are_added_after_the_rtpmap_when_there_are_none() -> None:
    text = read("chromium", "publish")
    assert "a=fmtp:96 " not in text
    edited = section(edit_offer(text, [SentVideo(track_ids("chromium")[1], "vp8", 500_000)]), "5")
    at = edited.split("\r\n").index("a=rtpmap:96 VP8/90000")
    assert edited.split("\r\n")[at + 1] == "a=fmtp:96 x-google-start-bitrate=450"


def test_parameters_that_are_there_are_kept() -> None:
    text = read("chromium", "publish")
    edited = edit_offer(text, [SentVideo(track_ids("chromium")[1], "VP9", 500_000)])
    assert "a=fmtp:98 profile-id=0;x-google-start-bitrate=450\r\n" in section(edited, "5")


def test_the_first_start_bitrate_stays() -> None:
    video = SentVideo(track_ids("chromium")[1], "vp8", 500_000)
    once = edit_offer(read("chromium", "publish"), [video])
    assert edit_offer(once, [SentVideo(video.track_id, "vp8", 900_000)]) == once


@pytest.mark.parametrize(
    "video",
    [
        SentVideo("another track", "vp8", 500_000),
        SentVideo("", "vp8", 500_000),
        SentVideo("1", "vp8", 500_000),
        SentVideo("{audio}", "vp8", 500_000),
        SentVideo("{video}", "theora", 500_000),
        SentVideo("{video}", "vp8", 0),
        SentVideo("{video}", "vp8", -1),
    ],
)
def test_no_start_bitrate_for(video: SentVideo) -> None:
    sound, picture = track_ids("chromium")
    track = video.track_id.format(audio=sound, video=picture)
    text = read("chromium", "publish")
    assert edit_offer(text, [SentVideo(track, video.codec, video.max_bitrate)]) == edit_offer(text)


# -- parameters of placeholders ----------------------------------------------------------------------------------------


def test_placeholders_take_the_parameters_of_real_sections() -> None:
    text = read("chromium", "publish")
    edited = edit_offer(text, [SentVideo(track_ids("chromium")[1], "vp9", 500_000)])
    for mid in ("2", "3", "5"):
        assert "a=fmtp:98 profile-id=0;x-google-start-bitrate=450\r\n" in section(edited, mid)


def test_within_a_bundle_a_payload_means_one_thing() -> None:
    for browser in BROWSERS:
        for codec in ("vp8", "vp9", "h264"):
            video = SentVideo(track_ids(browser)[1], codec, 500_000)
            edited = edit_offer(read(browser, "publish"), [video])
            seen: dict[str, str] = {}
            for payload, config in re.findall(r"(?m)^a=fmtp:(\d+) (.*)\r$", edited):
                if payload in ("35", "36", "37", "38"):
                    continue  # in placeholders alone
                assert seen.setdefault(payload, config) == config


def test_without_a_real_section_the_first_placeholder_decides() -> None:
    first = audio("0", "a=fmtp:111 a=1", direction="recvonly")
    second = audio("1", "a=fmtp:111 b=2", direction="inactive")
    edited = edit_offer(make(first, second))
    assert edited.count("a=fmtp:111 a=1;stereo=1\r\n") == 2


@pytest.mark.parametrize("direction", ["sendonly", "sendrecv"])
def test_the_last_real_section_decides(direction: str) -> None:
    real = audio("1", "a=fmtp:111 b=2;stereo=1", direction=direction)
    empty = audio("0", "a=fmtp:111 a=1", "a=fmtp:9 alone=1", direction="recvonly")
    edited = edit_offer(make(empty, real))
    assert section(edited, "0").count("a=fmtp:111 b=2;stereo=1\r\n") == 1
    assert "a=fmtp:9 alone=1\r\n" in section(edited, "0"), "a payload that nobody else has"
    assert section(edited, "1") == real


def test_which_sections_are_placeholders() -> None:
    for browser in BROWSERS:
        _, sections = sdp.split(read(browser, "publish"))
        assert sdp.placeholders(sections) == {"0", "1", "2", "3"}
        assert [part.kind for part in sections] == ["audio", "audio", "video", "video", "audio", "video", "application"]
        assert sections[-1].mid in ("6", "7")


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("c=IN IP4 2001:db8::1", "c=IN IP4 0.0.0.0"),
        ("c=IN IP6 192.0.2.1", "c=IN IP4 0.0.0.0"),
        ("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1"),
        ("c=IN IP6 2001:db8::1", "c=IN IP6 2001:db8::1"),
        ("c=IN IP6 ::", "c=IN IP6 ::"),
    ],
)
@pytest.mark.parametrize("browser", BROWSERS)
def test_an_address_of_the_wrong_kind(wrong: str, right: str, browser: str) -> None:
    text = read(browser, "receive").replace("c=IN IP4 0.0.0.0", wrong, 1)
    assert differences(read(browser, "receive"), edit_offer(text)) == differences(
        read(browser, "receive"), edit_offer(text.replace(wrong, right))
    )
    assert lines(edit_offer(text)).count(right) >= 1
    assert (wrong in edit_offer(text)) == (wrong == right)
    answer = read(browser, "answer").replace("c=IN IP4 0.0.0.0", wrong, 1)
    assert (wrong in edit_own_answer(answer, read(browser, "server_offer"))) == (wrong == right)


# -- the server's answer -----------------------------------------------------------------------------------------------


def server_answer(browser: str) -> str:
    """An answer to the publishing offer: LiveKit's server sends 510 kbit/s for opus."""
    text = read(browser, "publish").replace("a=sendonly", "a=X").replace("a=recvonly", "a=sendonly")
    text = text.replace("a=X", "a=recvonly").replace("useinbandfec=1", "useinbandfec=1;maxaveragebitrate=510000")
    return re.sub(r"(?m)^a=msid:.*\r\n", "", text)


@pytest.mark.parametrize("browser", BROWSERS)
def test_the_bitrate_of_our_sound_is_limited(browser: str) -> None:
    offer, answer = read(browser, "publish"), server_answer(browser)
    edited = edit_received_answer(answer, offer, {track_ids(browser)[0]: 48_000})
    ours = section(edited, "4")
    assert "useinbandfec=1;maxaveragebitrate=48000\r\n" in ours
    assert "510000" not in ours
    # the placeholders share the payload type
    assert differences(answer, edited) == [
        ([old], [old.replace("510000", "48000")]) for old in re.findall(r"a=fmtp:\d+ \S*510000", answer)
    ]


@pytest.mark.parametrize("browser", BROWSERS)
def test_an_answer_that_needs_nothing_is_left_alone(browser: str) -> None:
    offer, answer = read(browser, "publish"), server_answer(browser)
    assert edit_received_answer(answer, offer) == answer
    assert edit_received_answer(answer, offer, {}) == answer
    assert edit_received_answer(answer, offer, {"another track": 1}) == answer
    assert edit_received_answer(answer, offer, {track_ids(browser)[1]: 48_000}) == answer, "video is not opus"


def test_a_limit_is_added_where_there_are_no_parameters() -> None:
    offer = make(audio("0", "a=msid:s t"))
    assert edit_received_answer(make(audio("0")), offer, {"t": 24_000}).endswith(
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=24000\r\n"
    )
    no_opus = make(audio("0").replace("opus", "L16"))
    assert edit_received_answer(no_opus, offer, {"t": 24_000}) == no_opus


def test_the_offer_says_which_sections_of_an_answer_are_placeholders() -> None:
    offer = make(audio("0", direction="recvonly"), audio("1"))
    answer = make(audio("0", "a=fmtp:111 a=1"), audio("1", "a=fmtp:111 b=2", direction="recvonly"))
    edited = edit_received_answer(answer, offer)
    assert "a=fmtp:111 b=2\r\n" in section(edited, "0")


# -- our answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("browser", BROWSERS)
def test_our_answer_takes_stereo_and_nack_where_they_are_offered(browser: str) -> None:
    offer, answer = read(browser, "server_offer"), read(browser, "answer")
    edited = edit_own_answer(answer, offer)
    opus = OPUS[browser]
    sections = [part for part in re.split(r"(?m)^(?=m=)", edited)[1:] if part.startswith("m=audio")]
    assert sections
    for part in sections:
        assert "stereo=1" in re.findall(rf"a=fmtp:{opus} (\S+)", part)[0].split(";")
        assert part.count(f"a=rtcp-fb:{opus} nack\r\n") == 1
    added = [line for _, came in differences(answer, edited) for line in came]
    assert all("stereo=1" in line or line == f"a=rtcp-fb:{opus} nack" for line in added)
    assert edit_own_answer(edited, offer) == edited


@pytest.mark.parametrize("browser", BROWSERS)
def test_our_answer_takes_nothing_that_is_not_offered(browser: str) -> None:
    offer = read(browser, "server_offer").replace("sprop-stereo=1", "x=1").replace(" nack\r\n", " other\r\n")
    answer = read(browser, "answer")
    assert edit_own_answer(answer, offer) == answer


def test_our_answer_section_by_section() -> None:
    offer = make(
        audio("0", "a=fmtp:111 sprop-stereo=1"),
        audio("1", "a=fmtp:111 x=1", "a=rtcp-fb:111 nack"),
        audio("2", "a=fmtp:111 sprop-stereo=1", "a=rtcp-fb:111 nack"),
    )
    answer = make(
        audio("0", "a=fmtp:63 x=1", payload=63),
        audio("1", "a=fmtp:63 x=1", payload=63),
        audio("2", "a=fmtp:63 x=1", payload=63).replace("opus", "L16"),
    )
    edited = edit_own_answer(answer, offer)
    assert "a=fmtp:63 x=1;stereo=1\r\n" in section(edited, "0") and "nack" not in section(edited, "0")
    assert "stereo" not in section(edited, "1") and section(edited, "1").endswith("a=rtcp-fb:63 nack\r\n")
    assert section(edited, "2") == section(answer, "2"), "no opus here"


# -- small things ------------------------------------------------------------------------------------------------------


def test_sections_can_be_asked() -> None:
    part = sdp.Section(["m=video 9 X 96", "a=msid:stream track-1", "a=rtpmap:96 VP8/90000"])
    assert part.mid == ""
    assert part.has_track("track-1") and part.has_track("stream")
    assert not part.has_track("track") and not part.has_track("rack-1")
    assert part.payload_of("vp8") == "96"
    assert part.payload_of("vp") is None
    part.set_fmtp("42", "x=1")
    assert part.lines[-1] == "a=fmtp:42 x=1", "a payload without a name goes last"
    part.set_fmtp("42", "x=2")
    assert part.lines[-1] == "a=fmtp:42 x=2"
    assert part.fmtp() == {"42": "x=2"}


# -- SVC ---------------------------------------------------------------------------------------------------------------


def without_descriptor() -> str:
    """What a browser offers that does not offer it by itself."""
    text, count = re.subn(rf"a=extmap:\d+ {re.escape(DEPENDENCY_DESCRIPTOR)}\r\n", "", read("chromium", "publish"))
    assert count
    return text


def test_a_layered_stream_says_what_its_frames_depend_on() -> None:
    """In its own section only, under a number that means nothing else in the bundle."""
    text, track = without_descriptor(), track_ids("chromium")[1]
    edited = edit_offer(text, [SentVideo(track, "VP9", 0, is_layered=True)])
    [line] = [line for line in edited.split("\r\n") if DEPENDENCY_DESCRIPTOR in line]
    numbers = {int(number) for number in re.findall(r"^a=extmap:(\d+)", text, re.M)}
    assert line == f"a=extmap:{max(numbers) + 1} {DEPENDENCY_DESCRIPTOR}"
    assert re.findall(r"a=extmap:.*", section(edited, "5"))[-1].strip() == line
    assert edit_offer(edited, [SentVideo(track, "VP9", 0, is_layered=True)]) == edited


def test_a_number_that_means_it_already_is_taken() -> None:
    text, track = without_descriptor(), track_ids("chromium")[1]
    audio = text.replace("a=mid:4\r\n", f"a=mid:4\r\na=extmap:9/recvonly {DEPENDENCY_DESCRIPTOR}\r\n")
    assert audio != text
    edited = edit_offer(audio, [SentVideo(track, "VP9", 0, is_layered=True)])
    assert f"a=extmap:9 {DEPENDENCY_DESCRIPTOR}" in section(edited, "5")


@pytest.mark.parametrize("video", [SentVideo("{video}", "VP9", 0), SentVideo("{video}", "theora", 0, is_layered=True)])
def test_other_streams_do_not(video: SentVideo) -> None:
    track = track_ids("chromium")[1]
    text = without_descriptor()
    assert DEPENDENCY_DESCRIPTOR not in edit_offer(text, [replace(video, track_id=track)])
