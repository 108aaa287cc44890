"""How the second codec of a video is published, for those who cannot decode the first (livekit-client)."""

from __future__ import annotations

from dataclasses import replace

from lk_pyodide.core.codecs import BACKUP_CODECS, codec_name
from lk_pyodide.core.layers import announced_layers, video_layers
from lk_pyodide.core.messages import AddTrackRequest, SimulcastCodec, SubscribedQualityUpdate
from lk_pyodide.core.publishing import PublishPlan
from lk_pyodide.types import TrackKind, TrackSource


def wanted_backup(plan: PublishPlan, update: SubscribedQualityUpdate) -> str | None:
    """The codec that somebody needs, and that is not the first one.

    Args:
        plan: how the track is published.
        update: what the server says of who watches what.

    Returns:
        Its name, which may be another than was announced; None when nobody needs one, or there is to be none.
    """
    if plan.backup is None:
        return None
    for known in update.subscribed_codecs:
        name = codec_name(known.codec)
        if name != plan.codec and name in BACKUP_CODECS and any(each.enabled for each in known.qualities):
            return name
    return None


def backup_plan(plan: PublishPlan, codec: str, *, cid: str, sid: str, muted: bool) -> PublishPlan:
    """How to publish the second codec.

    Args:
        plan: how the track is published.
        codec: the second codec's name.
        cid: the id of the track that is sent for it, which is another than the first one's.
        sid: the server's id of the publication.
        muted: whether it is muted at present.
    """
    assert plan.backup is not None and plan.basis is not None, "only what has a backup codec gets one"
    track, options, encoders = plan.basis.track, plan.basis.options, plan.basis.encoders
    screen = track.source == TrackSource.SCREENSHARE
    layers = video_layers(
        track.width,
        track.height,
        replace(options, video_encoding=plan.backup.encoding),
        codec=codec,
        screen=screen,
        simulcast=bool(options.simulcast) and not screen,  # the first codec sends one size of a screen, too
        encoders=encoders,
    )
    announced = announced_layers(track.width, track.height, layers)
    request = AddTrackRequest(
        cid=cid,
        type=TrackKind.VIDEO,
        source=track.source,
        muted=muted,
        width=track.width,
        height=track.height,
        sid=sid,
        # Servers read those of the codec; older ones know of none there.
        layers=announced,
        simulcast_codecs=(SimulcastCodec(codec=codec, cid=cid, layers=announced),),
    )
    return PublishPlan(request, layers, codec, plan.degradation_preference)
