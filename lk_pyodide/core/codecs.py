"""Which codecs a video is sent with, and what takes the place of one that cannot be (livekit-client ``utils.ts``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lk_pyodide.errors import UsageError
from lk_pyodide.options import BackupVideoCodec
from lk_pyodide.types import VideoCodec

SVC_CODECS = ("vp9", "av1")
"""Those that hold several sizes in one stream (scalable video coding)."""

BACKUP_CODECS = ("vp8", "h264")
"""Those that everybody can decode (RFC 7742); only they are ever a second codec."""

_KNOWN = ("vp8", "h264", "vp9", "av1", "h265")
_CHROMIUM = ("chrome", "edge")
"""Those whose version is Chromium's; others that are built on it count for themselves, and are new enough."""
_ONE_ENCODING_FROM = (113,)
"""The Chromium from which on an SVC stream is one encoding; before, and in Safari, it is one for each size."""
_SAFARI_SCALES_FROM = (18, 3)
"""Later Safaris want to be told the size of each."""
_MODE = re.compile(r"L([1-3])T([1-3])(h|_KEY|_KEY_SHIFT)?")


@dataclass(frozen=True, slots=True)
class Encoders:
    """What a browser is, and what it says that it can encode.

    Attributes:
        browser: its name, as ``BrowserInfo`` of the waist has it; empty when unknown.
        version: its version.
        os: the system's name.
        os_version: the system's version.
        codecs: mime types, such as ``video/VP8``; empty when it does not tell.
    """

    browser: str = ""
    version: str = ""
    os: str = ""
    os_version: str = ""
    codecs: tuple[str, ...] = ()


UNKNOWN = Encoders()
"""A browser of which nothing is known."""


@dataclass(frozen=True, slots=True)
class ScalabilityMode:
    """What an SVC stream holds: so many sizes and rates (https://www.w3.org/TR/webrtc-svc/)."""

    spatial: int
    temporal: int
    suffix: str = ""

    def __str__(self) -> str:
        return f"L{self.spatial}T{self.temporal}{self.suffix}"

    @property
    def size_ratio(self) -> float:
        """How many times as wide as the next smaller one a size is."""
        return 1.5 if self.suffix == "h" else 2.0

    @property
    def bitrate_ratio(self) -> int:
        """How many times the bitrate of the next smaller one a size has."""
        return 2 if self.suffix == "h" else 3


_DEFAULT_MODE = ScalabilityMode(3, 3, "_KEY")
_SCREEN_MODE = ScalabilityMode(1, 3)


def codec_name(codec: VideoCodec | str | None) -> str:
    """``vp8`` for each way to say VP8."""
    if isinstance(codec, VideoCodec):
        return codec.name.lower()
    return (codec or "vp8").lower().removeprefix("video/")


def can_send(codec: str, encoders: Encoders) -> bool:
    """Whether a browser can send a codec in the way that LiveKit's server wants it.

    Args:
        codec: its name, as :func:`codec_name` gives it.
        encoders: the browser.
    """
    if encoders.codecs and codec not in map(codec_name, encoders.codecs):
        return False
    match codec:
        case "vp8" | "h264":
            return True  # which every browser has to (RFC 7742), if it does not say otherwise
        case "vp9":
            # Firefox encodes it without layers. Safari does from 16 on; on iOS every browser is one.
            too_old = _is_safari_below(encoders, (16,))
            return bool(encoders.codecs) and encoders.browser != "firefox" and not too_old
        case "av1":
            # Safaris that say they can cannot; Firefox encodes it without layers.
            return bool(encoders.codecs) and encoders.browser not in ("firefox", "safari")
        case _:
            return bool(encoders.codecs)


def choose(wanted: VideoCodec | str | None, encoders: Encoders, enabled: Sequence[str] = ()) -> str:
    """The codec that a video is sent with.

    Args:
        wanted: what the options say.
        encoders: the browser; what it cannot send is VP8 instead.
        enabled: mime types that the server takes; what it does not take is the first of them that the browser can send.
    """
    codec = codec_name(wanted)
    if not can_send(codec, encoders):
        codec = "vp8"
    taken = _enabled_videos(enabled)
    if taken and codec not in taken:
        codec = next((each for each in taken if can_send(each, encoders)), taken[0])
    return codec


def backup_of(
    codec: str, wanted: bool | BackupVideoCodec | None, encoders: Encoders, enabled: Sequence[str] = ()
) -> BackupVideoCodec | None:
    """The second codec, for those who cannot decode the first.

    Args:
        codec: the first one.
        wanted: what the options say: True is VP8.
        encoders: the browser.
        enabled: mime types that the server takes.

    Raises:
        UsageError: it is not one that everybody can decode.
    """
    if not wanted:
        return None
    backup = wanted if isinstance(wanted, BackupVideoCodec) else BackupVideoCodec()
    name = codec_name(backup.codec)
    if name not in BACKUP_CODECS:
        raise UsageError(f"a backup codec is one of {', '.join(BACKUP_CODECS)}, not {name}")
    taken = _enabled_videos(enabled)
    if name == codec or not can_send(name, encoders) or (taken and name not in taken):
        return None
    return backup


def scalability(codec: str, wanted: str | None, *, screen: bool) -> ScalabilityMode | None:
    """How an SVC codec is layered; None for any other.

    Args:
        codec: its name.
        wanted: what the options say.
        screen: of a screen VP9 sends its smallest size only, if there is more than one.

    Raises:
        UsageError: there is no such mode, or LiveKit's server cannot do with it.
    """
    given = _MODE.fullmatch(wanted) if wanted else None
    if wanted and given is None:
        raise UsageError(f"not a scalability mode of 1 to 3 sizes and rates, such as L3T3_KEY: {wanted!r}")
    if codec not in SVC_CODECS:
        return None
    if screen:
        return _SCREEN_MODE
    if given is None:
        return _DEFAULT_MODE
    return ScalabilityMode(int(given[1]), int(given[2]), given[3] or "")


def takes_one_encoding(encoders: Encoders) -> bool:
    """Whether the browser makes an SVC stream of one encoding; otherwise it is told one for each size."""
    if encoders.browser == "safari":
        return False
    return encoders.browser not in _CHROMIUM or version_of(encoders.version) >= _ONE_ENCODING_FROM


def scales_each(encoders: Encoders) -> bool:
    """Whether the browser, when it is told an encoding for each size, wants to hear how large each is."""
    return encoders.browser == "safari" and (
        version_of(encoders.version) > _SAFARI_SCALES_FROM
        or (encoders.os == "iOS" and version_of(encoders.os_version) > _SAFARI_SCALES_FROM)
    )


def version_of(text: str) -> tuple[int, ...]:
    """A version that can be compared; what is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in text.split(".")) if text else ()


def _is_safari_below(encoders: Encoders, version: tuple[int, ...]) -> bool:
    if encoders.browser != "safari":
        return False
    known = [encoders.version, encoders.os_version if encoders.os == "iOS" else ""]
    return any(version_of(each) < version for each in known if each)


def _enabled_videos(mimes: Sequence[str]) -> list[str]:
    """The codecs among what the server takes, which names retransmission too."""
    names = [codec_name(mime) for mime in mimes if mime.lower().startswith("video/")]
    return [name for name in names if name in _KNOWN]
