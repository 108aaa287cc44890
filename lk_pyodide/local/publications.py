"""What the members of a room of ours publish. The rules are livekit-server's (``pkg/rtc/participant.go``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lk_pyodide.core import messages as m
from lk_pyodide.core.publishing import may_publish
from lk_pyodide.local.effects import Effect, Tell
from lk_pyodide.local.members import Member, Members
from lk_pyodide.local.subscriptions import Subscriptions
from lk_pyodide.types import EncryptionType, TrackKind, TrackSource

_LETTERS = {
    TrackSource.CAMERA: "C",
    TrackSource.MICROPHONE: "M",
    TrackSource.SCREENSHARE: "S",
    TrackSource.SCREENSHARE_AUDIO: "s",
}


class Publications:
    """Takes tracks, and tells of them.

    Args:
        members: everybody.
        subscriptions: who gets them.
        ids: unique texts.
    """

    def __init__(self, members: Members, subscriptions: Subscriptions, ids: Iterator[str]) -> None:
        self._members = members
        self._subscriptions = subscriptions
        self._ids = ids

    def add(self, sender: Member, request: m.AddTrackRequest) -> list[Effect]:
        """Somebody announces a track."""
        if refusal := _refusal(sender, request):
            return [Tell(sender.key, refusal)]
        track = self._find(sender, request)
        if track is None:
            track = sender.pending[request.cid] = track_info(request, next(self._ids))
        return [Tell(sender.key, m.TrackPublishedResponse(request.cid, track))]

    def mute(self, sender: Member, request: m.MuteTrackRequest) -> list[Effect]:
        """Somebody mutes a track of its own, or sends it again."""
        changed = self._change(sender, request.sid, muted=request.muted)
        if changed is None:
            return [Tell(sender.key, m.RequestResponse(reason=m.RequestReason.NOT_FOUND, mute=request))]
        return changed

    def update_audio(self, sender: Member, request: m.UpdateLocalAudioTrack) -> list[Effect]:
        """Somebody's microphone is used otherwise."""
        features = tuple(dict.fromkeys(request.features))
        stereo = m.AudioTrackFeature.TF_STEREO in features
        changed = self._change(sender, request.track_sid, audio_features=features, stereo=stereo)
        if changed is None:
            return [Tell(sender.key, m.RequestResponse(reason=m.RequestReason.NOT_FOUND, update_audio_track=request))]
        return changed

    def update_video(self, sender: Member, request: m.UpdateLocalVideoTrack) -> list[Effect]:
        """Somebody's picture has another size."""
        changed = self._change(sender, request.track_sid, width=request.width, height=request.height)
        if changed is None:
            return [Tell(sender.key, m.RequestResponse(reason=m.RequestReason.NOT_FOUND, update_video_track=request))]
        return changed

    def arrived(self, sender: Member, cid: str, kind: TrackKind) -> list[Effect]:
        """The media of a track is here; nothing follows until it has been announced, too.

        Args:
            sender: whose.
            cid: what its description calls it. Firefox calls it otherwise than the announcement does: then it is the
                first of its kind (as in livekit-server, ``getPendingTrack``).
            kind: audio or video.
        """
        if cid in sender.published:
            return []
        of_kind = (other for other, track in sender.pending.items() if track.type == kind)
        announced = cid if cid in sender.pending else next(of_kind, None)
        if announced is None:
            return []
        sender.published[cid] = sender.pending.pop(announced)
        sender.change()
        return [*self._members.tell_all(sender), *self._subscriptions.offer(sender)]

    def ended(self, sender: Member, cid: str) -> list[Effect]:
        """The client sends a track no more."""
        track = sender.published.pop(cid, None)
        if track is None:
            return []
        sender.change()
        told = Tell(sender.key, m.TrackUnpublishedResponse(track.sid))
        return [told, *self._subscriptions.ended(track.sid), *self._members.tell_all(sender)]

    @staticmethod
    def _find(sender: Member, request: m.AddTrackRequest) -> m.TrackInfo | None:
        if request.sid:  # another codec for a track that is there
            return next(track for track in sender.published.values() if track.sid == request.sid)
        return sender.pending.get(request.cid) or sender.published.get(request.cid)

    def _change(self, sender: Member, sid: str, **values: Any) -> list[Effect] | None:
        """Change what is told of a track; None when the sender has no such track."""
        cid = sender.find(sid)
        if cid is None:
            return None
        if cid in sender.pending:
            sender.pending[cid] = replace(sender.pending[cid], **values)
            return []
        changed = replace(sender.published[cid], **values)
        if changed == sender.published[cid]:
            return []
        sender.published[cid] = changed
        sender.change()
        return list(self._members.tell_all(sender))


def _refusal(sender: Member, request: m.AddTrackRequest) -> m.RequestResponse | None:
    """Why somebody may not publish a track."""
    source = request.source if isinstance(request.source, TrackSource) else TrackSource.UNKNOWN
    reason, text = m.RequestReason.OK, ""
    if not may_publish(sender.permission, source):
        reason, text = m.RequestReason.NOT_ALLOWED, "no permission to publish"
    elif request.type not in (TrackKind.AUDIO, TrackKind.VIDEO):
        reason, text = m.RequestReason.UNSUPPORTED_TYPE, "neither audio nor video"
    elif request.encryption != EncryptionType.NONE:
        reason = m.RequestReason.UNSUPPORTED_TYPE
        text = "local:// carries no encrypted media: the tab that is the server decodes it"
    elif request.sid and all(track.sid != request.sid for track in sender.published.values()):
        reason, text = m.RequestReason.NOT_FOUND, "there is no such track"
    return m.RequestResponse(0, reason, text, request) if text else None


def track_info(request: m.AddTrackRequest, unique: str) -> m.TrackInfo:
    """The track that a client announces; its id tells kind and source, as livekit-server's do."""
    kind = "A" if request.type == TrackKind.AUDIO else "V"
    source = request.source if isinstance(request.source, TrackSource) else TrackSource.UNKNOWN
    return m.TrackInfo(
        sid=f"TR_{kind}{_LETTERS.get(source, '_')}{unique}",
        type=request.type,
        name=request.name,
        muted=request.muted,
        width=request.width,
        height=request.height,
        source=request.source,
        layers=request.layers,
        mime_type=_mime_type(request),
        stereo=request.stereo,
        disable_red=request.disable_red,
        encryption=request.encryption,
        stream=request.stream,
        audio_features=request.audio_features,
    )


def _mime_type(request: m.AddTrackRequest) -> str:
    if request.type == TrackKind.AUDIO:
        return "audio/opus"
    codec = next((codec.codec for codec in request.simulcast_codecs if codec.codec), "vp8")
    return f"video/{codec}"
