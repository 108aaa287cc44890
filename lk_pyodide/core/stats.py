"""Reading a browser's statistics (W3C ``RTCStatsReport``, as JSON)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast, get_type_hints

from lk_pyodide import stats as s

Item: TypeAlias = Mapping[str, Any]
T = TypeVar("T")

_KINDS: Final[Mapping[str, tuple[s.StatsKind, type[Any]]]] = {
    "codec": ("codec", s.Codec),
    "inbound-rtp": ("inbound_rtp", s.InboundRtp),
    "outbound-rtp": ("outbound_rtp", s.OutboundRtp),
    "remote-inbound-rtp": ("remote_inbound_rtp", s.RemoteInboundRtp),
    "remote-outbound-rtp": ("remote_outbound_rtp", s.RemoteOutboundRtp),
    "media-source": ("media_source", s.MediaSource),
    "candidate-pair": ("candidate_pair", s.CandidatePair),
}


_known_hints: dict[Any, Mapping[str, Any]] = {}


def read(report: Iterable[Item]) -> list[s.RtcStats]:
    """Give a report its types; objects of other kinds are left out."""
    return [_read_one(*_KINDS[item["type"]], item) for item in report if item.get("type") in _KINDS]


def _read_one(kind: s.StatsKind, cls: type[Any], item: Item) -> s.RtcStats:
    groups = {name: _group(group, item) for name, group in _hints(cls).items()}
    return s.RtcStats(kind, **{kind: cls(**groups)})


def _group(cls: type[T], item: Item) -> T:
    if cls is s.RtcStatsData:
        return cast(T, s.RtcStatsData(str(item.get("id", "")), round(_number(item.get("timestamp")) * 1000)))
    values: dict[str, Any] = {}
    for name, hint in _hints(cls).items():
        given = item.get(_w3c_name(name))
        if given is not None:
            values[name] = _value(hint, given)
    return cls(**values)


def _value(hint: Any, given: Any) -> Any:
    if hint is s.QualityLimitationReason:
        return s.QualityLimitationReason.__members__.get(str(given).upper(), s.QualityLimitationReason.OTHER)
    if hint is s.IceCandidatePairState:
        name = str(given).upper().replace("-", "_")
        return s.IceCandidatePairState.__members__.get(name, s.IceCandidatePairState.FROZEN)
    if hint is str or hint is bool:
        return hint(given)
    if hint is int or hint is float:
        return hint(_number(given))
    return {str(key): _number(value) for key, value in given.items()} if isinstance(given, Mapping) else {}


def _number(given: Any) -> float:
    return given if isinstance(given, int | float) else 0


def _hints(cls: Any) -> Mapping[str, Any]:
    if cls not in _known_hints:
        hints = get_type_hints(cls)
        _known_hints[cls] = {entry.name: hints[entry.name] for entry in fields(cls)}
    return _known_hints[cls]


@cache
def _w3c_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


# -- how much it is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Traffic:
    """What had been sent, or had come, of a track when its statistics were read.

    Attributes:
        size: bytes, without headers; of all layers together.
        at: when, in milliseconds of the browser's clock.
    """

    size: int
    at: float


def traffic(report: Sequence[Item]) -> Traffic | None:
    """Count what a report says; None when there is no stream yet."""
    streams = [item for item in report if item.get("type") in ("inbound-rtp", "outbound-rtp")]
    if not streams:
        return None
    size = sum(int(_number(item.get("bytesReceived", item.get("bytesSent")))) for item in streams)
    return Traffic(size, max(_number(item.get("timestamp")) for item in streams))


def bitrate(before: Traffic | None, after: Traffic | None) -> int:
    """Bits a second between two readings; 0 when they say nothing of it, as after another stream has begun."""
    if before is None or after is None or after.at <= before.at or after.size < before.size:
        return 0
    return round((after.size - before.size) * 8 * 1000 / (after.at - before.at))
