"""Edits of session descriptions, text to text.

Each is small enough that a browser that refuses the result can be given the unedited text instead
(:class:`lk_pyodide.browser.api.SessionDescription` carries both). Rules: livekit-client ``PCTransport.ts``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

_FMTP = re.compile(r"a=fmtp:(\d+) (.*)")
_RTPMAP = re.compile(r"a=rtpmap:(\d+) ([^/]+)/")
_EXTMAP = re.compile(r"a=extmap:(\d+)(?:/\w+)? (\S+)")
_CONNECTION = re.compile(r"c=IN IP([46]) (\S+)")

DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
"""The header extension that tells which frames of an SVC stream need which."""

START_BITRATE_SHARE = 0.9
MAX_START_BITRATE_KBPS = 1000


@dataclass(frozen=True, slots=True)
class SentVideo:
    """What an offer says of a published video besides what the browser says.

    Attributes:
        track_id: as the description has it.
        codec: its name.
        max_bitrate: its target in bit/s; on it depends the start bitrate.
        is_screen: whether it is a screen.
        is_layered: whether it is an SVC stream whose frames tell what they depend on.
    """

    track_id: str
    codec: str
    max_bitrate: int
    is_screen: bool = False
    is_layered: bool = False


class Section:
    """One m-section: its lines, without their ends."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    @property
    def kind(self) -> str:
        """``audio``, ``video`` or ``application``."""
        return self.lines[0][2:].split(" ", 1)[0]

    @property
    def mid(self) -> str:
        """The section's ``a=mid``, or nothing."""
        return next((line[6:] for line in self.lines if line.startswith("a=mid:")), "")

    def has_track(self, track_id: str) -> bool:
        """Whether ``a=msid`` names this track."""
        return any(line.startswith("a=msid:") and track_id in line[7:].split(" ") for line in self.lines)

    def payload_of(self, codec: str) -> str | None:
        """First payload type of a codec; names are compared without case (RFC 4855)."""
        for line in self.lines:
            found = _RTPMAP.match(line)
            if found and found[2].lower() == codec.lower():
                return found[1]
        return None

    def fmtp(self) -> dict[str, str]:
        """Format parameters by payload type."""
        return {found[1]: found[2] for line in self.lines if (found := _FMTP.match(line))}

    def set_fmtp(self, payload: str, config: str) -> None:
        """Replace the format parameters of a payload type, or add them after its rtpmap."""
        line = f"a=fmtp:{payload} {config}"
        for index, old in enumerate(self.lines):
            if old.startswith(f"a=fmtp:{payload} "):
                self.lines[index] = line
                return
        after = next((i for i, old in enumerate(self.lines) if old.startswith(f"a=rtpmap:{payload} ")), -2)
        self.lines.insert(after + 1 if after >= 0 else len(self.lines), line)


def edit_offer(sdp: str, videos: Iterable[SentVideo] = ()) -> str:
    """Prepare our offer: addresses, stereo opus, start bitrates, parameters of placeholders.

    Args:
        sdp: what the browser made.
        videos: the videos that we publish.
    """
    sent = list(videos)

    def edit(sections: list[Section]) -> None:
        for section in sections:
            _fix_address(section)
            if section.kind == "audio":
                _add_opus_param(section, "stereo=1")
            for video in sent:
                if section.kind == "video" and section.has_track(video.track_id):
                    _set_start_bitrate(section, video)
                    if video.is_layered and section.payload_of(video.codec):
                        _offer_dependencies(section, sections)
        _conform(sections, placeholders(sections))

    return edited(sdp, edit)


def edit_received_answer(sdp: str, offer: str, audio_bitrates: Mapping[str, int] | None = None) -> str:
    """Prepare the server's answer.

    Args:
        sdp: what the server sent.
        offer: the offer of ours that it answers.
        audio_bitrates: track id → bit/s, for Firefox, which takes the server's ``maxaveragebitrate=510000`` literally.
    """
    offered = split(offer)[1]
    limits = {
        section.mid: bitrate
        for track_id, bitrate in (audio_bitrates or {}).items()
        for section in offered
        if section.has_track(track_id)
    }

    def edit(sections: list[Section]) -> None:
        for section in sections:
            if section.kind == "audio" and section.mid in limits:
                _limit_opus(section, limits[section.mid])
        _conform(sections, placeholders(offered))

    return edited(sdp, edit)


def edit_own_answer(sdp: str, remote_offer: str) -> str:
    """Prepare our answer to the server's offer: stereo and nack for opus where the server offered them."""
    _, offered = split(remote_offer)
    stereo = {section.mid for section in offered if _opus_has(section, "sprop-stereo=1")}
    nack = {section.mid for section in offered if _opus_has_nack(section)}

    def edit(sections: list[Section]) -> None:
        for section in sections:
            _fix_address(section)
            if section.mid in stereo:
                _add_opus_param(section, "stereo=1")
            payload = section.payload_of("opus")
            if section.mid in nack and payload and not _opus_has_nack(section):
                section.lines.append(f"a=rtcp-fb:{payload} nack")

    return edited(sdp, edit)


def placeholders(offered: Iterable[Section]) -> frozenset[str]:
    """Mids of the media sections of an offer that send nothing."""
    return frozenset(
        section.mid
        for section in offered
        if section.kind in ("audio", "video")
        and not any(line in ("a=sendonly", "a=sendrecv") for line in section.lines)
    )


def edited(sdp: str, edit: Callable[[list[Section]], None]) -> str:
    """Change the sections of a description."""
    head, sections = split(sdp)
    edit(sections)
    return "".join(f"{line}\r\n" for line in (*head, *(line for section in sections for line in section.lines)))


def split(sdp: str) -> tuple[list[str], list[Section]]:
    """The lines before the first section, and the sections."""
    head: list[str] = []
    sections: list[Section] = []
    for line in sdp.replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            sections.append(Section([line]))
        elif line:
            (sections[-1].lines if sections else head).append(line)
    return head, sections


def _fix_address(section: Section) -> None:
    # Chrome sometimes writes an IPv6 address as IP4 and then refuses its own text.
    for index, line in enumerate(section.lines):
        found = _CONNECTION.match(line)
        if found and (found[1] == "6") != (":" in found[2]):
            section.lines[index] = "c=IN IP4 0.0.0.0"


def _params(config: str) -> list[str]:
    return [param.strip() for param in config.split(";") if param.strip()]


def _add_opus_param(section: Section, param: str) -> None:
    # Compared as a whole: stereo=1 is a part of sprop-stereo=1.
    payload = section.payload_of("opus")
    config = section.fmtp().get(payload or "")
    if payload and config is not None and param not in _params(config):
        section.set_fmtp(payload, f"{config};{param}")


def _opus_has(section: Section, param: str) -> bool:
    return param in _params(section.fmtp().get(section.payload_of("opus") or "", ""))


def _opus_has_nack(section: Section) -> bool:
    payload = section.payload_of("opus")
    return payload is not None and f"a=rtcp-fb:{payload} nack" in section.lines


def _limit_opus(section: Section, bitrate: int) -> None:
    payload = section.payload_of("opus")
    if payload is None:
        return
    params = [p for p in _params(section.fmtp().get(payload, "")) if not p.startswith("maxaveragebitrate=")]
    section.set_fmtp(payload, ";".join((*params, f"maxaveragebitrate={bitrate}")))


def _set_start_bitrate(section: Section, video: SentVideo) -> None:
    payload = section.payload_of(video.codec)
    if payload is None or video.max_bitrate <= 0:
        return
    kbps = round(video.max_bitrate / 1000 * START_BITRATE_SHARE)
    if not video.is_screen:
        kbps = min(kbps, MAX_START_BITRATE_KBPS)
    config = section.fmtp().get(payload)
    # The payload type is shared across the bundle, so the first track's start bitrate stays.
    if config is None or "x-google-start-bitrate" not in config:
        section.set_fmtp(payload, ";".join(filter(None, (config, f"x-google-start-bitrate={kbps}"))))


def _offer_dependencies(section: Section, sections: list[Section]) -> None:
    if any(DEPENDENCY_DESCRIPTOR in line for line in section.lines):
        return
    # Within a bundle a number must mean the same everywhere.
    used = [(int(found[1]), found[2]) for each in sections for line in each.lines if (found := _EXTMAP.match(line))]
    known = next((number for number, uri in used if uri == DEPENDENCY_DESCRIPTOR), None)
    number = known or max((number for number, _ in used), default=0) + 1
    last = max((place for place, line in enumerate(section.lines) if line.startswith("a=extmap:")), default=0)
    section.lines.insert(last + 1, f"a=extmap:{number} {DEPENDENCY_DESCRIPTOR}")


def _conform(sections: list[Section], empty: Collection[str]) -> None:
    """Give placeholders the parameters of the real sections.

    Within a bundle a payload type must mean the same everywhere, or libwebrtc reports a collision.
    """
    canonical: dict[str, str] = {}
    for section in sections:
        for payload, config in section.fmtp().items():
            if section.mid in empty:
                canonical.setdefault(payload, config)
    for section in sections:
        if section.mid not in empty:
            canonical.update(section.fmtp())
    for section in sections:
        if section.mid in empty:
            for payload, config in section.fmtp().items():
                if canonical[payload] != config:
                    section.set_fmtp(payload, canonical[payload])
