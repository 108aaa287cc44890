"""Session descriptions as browsers write them, as far as edits to them look."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lk_pyodide.errors import BrowserError

SENDING = ("sendonly", "sendrecv")
RECEIVING = ("recvonly", "sendrecv")


@dataclass(frozen=True, slots=True)
class Section:
    """One media section (``m=``)."""

    kind: str
    mid: str
    direction: str = "sendrecv"
    stream_id: str = ""
    track_id: str = ""
    rids: tuple[str, ...] = ()
    codec: str = ""
    """The mime type that is preferred."""

    @property
    def sends(self) -> bool:
        """Whether who wrote this sends here."""
        return self.direction in SENDING

    @property
    def receives(self) -> bool:
        """Whether who wrote this receives here."""
        return self.direction in RECEIVING


@dataclass(frozen=True, slots=True)
class Description:
    """What can be read off a description."""

    ufrag: str
    sections: tuple[Section, ...]


_AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
{transport}
a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
{direction}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000"""

_VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103
{transport}
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
a=extmap:13 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension
{direction}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 VP9/90000
a=rtcp-fb:98 transport-cc
a=rtcp-fb:98 nack
a=fmtp:98 profile-id=0
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=rtpmap:102 H264/90000
a=rtcp-fb:102 transport-cc
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102"""

_DATA = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
{transport}
a=sctp-port:5000
a=max-message-size:262144"""

_TRANSPORT = """c=IN IP4 0.0.0.0
{rtcp}a=ice-ufrag:{ufrag}
a=ice-pwd:{ufrag}0123456789abcdefghij
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:{setup}
a=mid:{mid}"""


def write(description: Description, kind: str, number: int) -> str:
    """The text of an offer or answer, the ``number``-th of its connection."""
    mids = " ".join(section.mid for section in description.sections)
    setup = "actpass" if kind == "offer" else "active"
    head = (
        f"v=0\no=- 4611731400430051336 {number} IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE {mids}\n"
        "a=extmap-allow-mixed\na=msid-semantic: WMS"
    )
    sections = [_write_section(section, description.ufrag, setup) for section in description.sections]
    return "".join(f"{line}\r\n" for line in "\n".join([head, *sections]).split("\n"))


def _write_section(section: Section, ufrag: str, setup: str) -> str:
    is_data = section.kind == "application"
    transport = _TRANSPORT.format(
        rtcp="" if is_data else "a=rtcp:9 IN IP4 0.0.0.0\n",
        ufrag=ufrag,
        fingerprint=":".join(["AB"] * 32),
        setup=setup,
        mid=section.mid,
    )
    if is_data:
        return _DATA.format(transport=transport)
    direction = [f"a={section.direction}"]
    if section.sends:
        direction.append(f"a=msid:{section.stream_id or '-'} {section.track_id}")
    text = (_AUDIO if section.kind == "audio" else _VIDEO).format(transport=transport, direction="\n".join(direction))
    text = _preferring(section.codec, text)
    if len(section.rids) > 1:
        text += "".join(f"\na=rid:{rid} send" for rid in section.rids) + f"\na=simulcast:send {';'.join(section.rids)}"
    return text


def _preferring(codec: str, text: str) -> str:
    """Put a codec first, if it is there."""
    name = re.escape(codec.partition("/")[2])
    found = re.search(rf"^a=rtpmap:(\d+) {name}/", text, re.MULTILINE | re.IGNORECASE) if name else None
    if found is None:
        return text
    head, _, rest = text.partition("\n")
    kind, port, profile, *payloads = head.split(" ")
    payloads.sort(key=lambda payload: payload != found[1])
    return " ".join([kind, port, profile, *payloads]) + "\n" + rest


def read(sdp: str) -> Description:
    """Read a description; raises BrowserError as browsers do for a text that is none."""
    head, *parts = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    if not head.startswith("v=0"):
        raise BrowserError("Failed to parse SessionDescription.", "OperationError")
    ufrag = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE)
    if parts and not ufrag:
        raise BrowserError("Called with SDP without ice-ufrag and ice-pwd.", "OperationError")
    return Description(ufrag.group(1) if ufrag else "", tuple(_read_section(part) for part in parts))


def _read_section(text: str) -> Section:
    def find(pattern: str) -> str:
        match = re.search(pattern, text, re.MULTILINE)
        return match.group(1) if match else ""

    kind, mid = find(r"^m=(\w+)"), find(r"^a=mid:(\S+)")
    if not mid or kind not in ("audio", "video", "application"):
        raise BrowserError(f"A media section is not understood: m={kind} mid={mid}", "OperationError")
    return Section(
        kind,
        mid,
        find(r"^a=(sendrecv|sendonly|recvonly|inactive)\b") or "sendrecv",
        find(r"^a=msid:([^\s-]\S*)"),
        find(r"^a=msid:\S+ (\S+)"),
        tuple(re.findall(r"^a=rid:(\S+) send", text, re.MULTILINE)),
    )
