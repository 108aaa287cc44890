"""Session descriptions between a client and a room of ours, text to text.

The client believes that it speaks with LiveKit's server; what answers is another browser, at the host. Two things are
put right for that. A browser that answers simulcast keeps only the smallest layer, so the host's browser is not told of
the layers, and the client is told that the largest one is wanted. And the streams that the host sends are named as
LiveKit names them, which a browser would not do. Besides, both begin at the bitrate of a whole picture: the way is
short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lk_pyodide.core.sdp import Section, edited, split

START_KBPS = 2000
"""At which Chromium begins to send video, instead of at 300 (``x-google-start-bitrate``)."""

_RID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"


@dataclass(frozen=True, slots=True)
class Sent:
    """A track that the host sends."""

    publisher_sid: str
    sid: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client offers.

    Args:
        sdp: the text for the host's browser.
        sends: the client's ids of the tracks that it sends, by mid.
        slots: the kinds of the sections in which it would receive, by mid.
        layers: of the sections that offer simulcast, by mid: the rid of the largest, and the rid extension's line.
    """

    sdp: str
    sends: Mapping[str, str]
    slots: Mapping[str, str]
    layers: Mapping[str, tuple[str, str]]


def read_offer(sdp: str) -> Offer:
    """Read a client's offer."""
    _, sections = split(sdp)
    media = [section for section in sections if section.kind in ("audio", "video")]
    sends = {section.mid: _track_id(section) for section in media if _direction(section) in ("sendonly", "sendrecv")}
    slots = {section.mid: section.kind for section in media if _direction(section) in ("recvonly", "sendrecv")}
    layers = {section.mid: layer for section in media if (layer := _largest_layer(section)) is not None}
    return Offer(edited(sdp, _for_host), sends, slots, layers)


def finish_answer(sdp: str, offer: Offer, sent: Mapping[str, Sent]) -> str:
    """Make the client's text of the host browser's answer.

    Args:
        sdp: what the host's browser answers.
        offer: to what.
        sent: what the host sends, by mid.
    """

    def edit(sections: list[Section]) -> None:
        for section in sections:
            if section.mid in offer.layers and _direction(section) in ("recvonly", "sendrecv"):
                rid, extension = offer.layers[section.mid]
                if extension and extension not in section.lines:
                    section.lines.append(extension)
                section.lines += [f"a=rid:{rid} recv", f"a=simulcast:recv {rid}"]
            _begin_large(section)
            if section.mid in sent:
                _name_stream(section, sent[section.mid])

    return edited(sdp, edit)


def _direction(section: Section) -> str:
    known = ("sendrecv", "sendonly", "recvonly", "inactive")
    return next((line[2:] for line in section.lines if line[2:] in known), "sendrecv")


def _track_id(section: Section) -> str:
    """The second word of ``a=msid`` (RFC 8830)."""
    msid = next((line[7:] for line in section.lines if line.startswith("a=msid:")), "")
    return msid.split(" ")[-1]


def _largest_layer(section: Section) -> tuple[str, str] | None:
    simulcast = next((line for line in section.lines if line.startswith("a=simulcast:send ")), None)
    if simulcast is None:
        return None
    largest = simulcast.split(" ")[1].split(";")[-1].split(",")[0].lstrip("~")
    extension = next((line for line in section.lines if line.endswith(f" {_RID_EXTENSION}")), "")
    return largest, extension


def _begin_large(section: Section) -> None:
    """Have whoever reads this section begin large when it sends video there."""
    if section.kind != "video":
        return
    known = section.fmtp()
    for codec in ("VP8", "H264", "VP9", "AV1"):
        payload = section.payload_of(codec)
        if payload is not None:
            start = f"x-google-start-bitrate={START_KBPS}"
            section.set_fmtp(payload, ";".join(filter(None, (known.get(payload), start))))


def _for_host(sections: list[Section]) -> None:
    for section in sections:
        _begin_large(section)
        section.lines = [line for line in section.lines if not line.startswith(("a=rid:", "a=simulcast:"))]


def _name_stream(section: Section, sent: Sent) -> None:
    section.lines = [line for line in section.lines if not line.startswith("a=msid:") and " msid:" not in line]
    section.lines.append(f"a=msid:{sent.publisher_sid}|{sent.sid} {sent.sid}")
