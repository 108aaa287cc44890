"""Whose media just arrived (livekit-client ``Room.ts`` ``onTrackAdded``, ``RTCEngine.ts``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ARRIVAL_PATIENCE = 3.0
"""Seconds for which media waits for the signalling that tells whose it is (livekit-client: 20 tries, 150 ms apart)."""


@dataclass(frozen=True, slots=True)
class MediaOwner:
    """Who publishes a media track. ``track_sid`` is empty where only the signalling can tell."""

    participant_sid: str
    track_sid: str


def media_owner(
    stream_ids: Sequence[str], track_id: str, mid: str, mid_to_track_id: Mapping[str, str]
) -> MediaOwner | None:
    """Read the owner from the names on the media.

    The stream is called ``PA_xxx|TR_xxx`` or ``PA_xxx|stream``; the track's id is the sid except in Firefox, which
    makes up its own; with a single peer connection the answer's ``mid_to_track_id`` decides.

    Returns:
        The owner, or None for a placeholder that carries nobody's media.
    """
    if not stream_ids or not stream_ids[0].startswith("PA"):
        return None
    participant, _, stream = stream_ids[0].partition("|")
    candidates = (mid_to_track_id.get(mid, ""), stream, track_id)
    return MediaOwner(participant, next((name for name in candidates if name.startswith("TR")), ""))
