"""Publications: what a participant publishes, whether or not its media is here."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lk_pyodide.core.messages import ParticipantTracks, TrackInfo, UpdateSubscription
from lk_pyodide.core.track_settings import Shown, Wishes, is_enabled, settings
from lk_pyodide.errors import UnexpectedConnectionState, UsageError
from lk_pyodide.options import TrackPublishOptions
from lk_pyodide.ports import RoomPort
from lk_pyodide.types import (
    EncryptionType,
    PermissionStatus,
    SubscriptionStatus,
    TrackKind,
    TrackSource,
    VideoQuality,
    member,
)

if TYPE_CHECKING:
    from lk_pyodide.local_track import LocalTrack, LocalVideoTrack
    from lk_pyodide.track import RemoteTrack, Track

__all__ = ["LocalTrackPublication", "RemoteTrackPublication", "TrackPublication"]

_TOO_LARGE = 1 << 31
"""Numbers from here on do not fit into the request."""


class TrackPublication(ABC):
    """What a participant publishes: the base of local and remote publications."""

    def __init__(self, info: TrackInfo) -> None:
        self._info = info

    @property
    def sid(self) -> str:
        """The server's id."""
        return self._info.sid

    @property
    def track_sid(self) -> str:
        """The same as :attr:`sid`."""
        return self._info.sid

    @property
    def name(self) -> str:
        """The name that the publisher gave it."""
        return self._info.name

    @property
    def kind(self) -> TrackKind:
        """Audio or video."""
        return member(TrackKind, self._info.type, TrackKind.UNKNOWN)

    @property
    def source(self) -> TrackSource:
        """Where it comes from; UNKNOWN for a source that this version does not know."""
        return member(TrackSource, self._info.source, TrackSource.UNKNOWN)

    @property
    def mime_type(self) -> str:
        """The codec, such as ``video/VP8``."""
        return self._info.mime_type

    @property
    def simulcasted(self) -> bool:
        """Whether there are several layers."""
        return self._info.simulcast or any(len(codec.layers) > 1 for codec in self._info.codecs)

    @property
    def width(self) -> int:
        """Pixels of the published picture; 0 for audio."""
        return self._info.width

    @property
    def height(self) -> int:
        """Pixels of the published picture; 0 for audio."""
        return self._info.height

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height."""
        return self._info.width, self._info.height

    @property
    def muted(self) -> bool:
        """Whether the publisher has muted it."""
        return self._info.muted

    @property
    def is_muted(self) -> bool:
        """The same as :attr:`muted`."""
        return self.muted

    @property
    def encryption_type(self) -> EncryptionType:
        """How it is encrypted end to end."""
        return member(EncryptionType, self._info.encryption, EncryptionType.CUSTOM)

    @property
    @abstractmethod
    def track(self) -> Track | None:
        """The track, when its media is here."""

    @property
    def track_info(self) -> TrackInfo:
        """Everything that the server says of it."""
        return self._info

    def _update(self, info: TrackInfo) -> None:
        self._info = info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sid} {self.source.name.lower()}{' muted' if self.muted else ''}>"


class LocalTrackPublication(TrackPublication):
    """What we publish."""

    def __init__(self, info: TrackInfo, track: LocalTrack, options: TrackPublishOptions) -> None:
        super().__init__(info)
        self._track: LocalTrack = track
        self._subscribed = False
        self.options = options

    @property
    def track(self) -> LocalTrack:
        """The track that is published."""
        return self._track

    @property
    def muted(self) -> bool:
        """Whether we have muted it."""
        return self._track.muted

    @property
    def is_subscribed(self) -> bool:
        """True: our own media is always here."""
        return True

    def mute(self) -> Awaitable[None]:
        """See :meth:`LocalTrack.mute`."""
        return self._track.mute()

    def unmute(self) -> Awaitable[None]:
        """See :meth:`LocalTrack.unmute`."""
        return self._track.unmute()

    @property
    def audio_track(self) -> LocalTrack | None:
        """The track, if it is audio."""
        return self._track if self.kind == TrackKind.AUDIO else None

    @property
    def video_track(self) -> LocalVideoTrack | None:
        """The track, if it is video."""
        return cast("LocalVideoTrack", self._track) if self.kind == TrackKind.VIDEO else None


class RemoteTrackPublication(TrackPublication):
    """What someone else publishes."""

    def __init__(self, room: RoomPort, participant_sid: str, info: TrackInfo, *, auto_subscribe: bool) -> None:
        super().__init__(info)
        self._room = room
        self._participant_sid = participant_sid
        self._desired = auto_subscribe
        self._track: RemoteTrack | None = None
        self._wishes = Wishes()
        self._shown: Shown | None = None
        self._allowed = True
        self._told = self.subscription_status, self.permission_status

    @property
    def track(self) -> RemoteTrack | None:
        """The track, while we are subscribed and its media is here."""
        return self._track

    @property
    def audio_track(self) -> RemoteTrack | None:
        """The track, if it is audio."""
        return self._track if self.kind == TrackKind.AUDIO else None

    @property
    def video_track(self) -> RemoteTrack | None:
        """The track, if it is video."""
        return self._track if self.kind == TrackKind.VIDEO else None

    @property
    def is_desired(self) -> bool:
        """Whether we have asked for it."""
        return self._desired

    @property
    def subscribed(self) -> bool:
        """Whether we asked for it and its media is here."""
        return self._desired and self._track is not None

    @property
    def is_subscribed(self) -> bool:
        """The same as :attr:`subscribed`."""
        return self.subscribed

    @property
    def subscription_status(self) -> SubscriptionStatus:
        """How far it has come."""
        if not self._desired:
            return SubscriptionStatus.UNSUBSCRIBED
        return SubscriptionStatus.DESIRED if self._track is None else SubscriptionStatus.SUBSCRIBED

    @property
    def permission_status(self) -> PermissionStatus:
        """Whether its publisher lets us have it."""
        return PermissionStatus.ALLOWED if self._allowed else PermissionStatus.NOT_ALLOWED

    def set_subscribed(self, subscribed: bool) -> None:
        """Ask for the track, or ask not to get it.

        Raises:
            UnexpectedConnectionState: the room is not connected.
        """
        sids = (self.sid,)
        # The server reads one list or the other, depending on its version.
        self._room.session.send_request(
            UpdateSubscription(sids, subscribed, (ParticipantTracks(self._participant_sid, sids),))
        )
        self._desired = subscribed
        if subscribed:
            self._allowed = True  # until the server says that it is not
        self._tell_status()
        if subscribed and (self._wishes != Wishes() or self._shown is not None):
            self._tell_settings()

    def _set_allowed(self, allowed: bool) -> None:
        self._allowed = allowed
        self._tell_status()

    def _tell_status(self) -> None:
        """Tell what is new of the two."""
        before, self._told = self._told, (self.subscription_status, self.permission_status)
        if self._told[1] != before[1]:
            self._room.permission_status_changed(self)
        if self._told[0] != before[0]:
            self._room.subscription_status_changed(self)

    # -- how much of it --

    @property
    def is_enabled(self) -> bool:
        """Whether it is to come, while we are subscribed."""
        return is_enabled(self._wishes, self._shown)

    @property
    def video_quality(self) -> VideoQuality:
        """The best layer that is wanted."""
        return VideoQuality.HIGH if self._wishes.quality is None else self._wishes.quality

    def set_enabled(self, enabled: bool) -> None:
        """Have the server pause the track, or go on with it; we stay subscribed, and it is there again at once.

        From then on adaptive streams have no say in it. They have in the size: the smaller one is asked for.
        What is said here and in the methods below holds while we are subscribed, and again when we are once more.

        Raises:
            UnexpectedConnectionState: the room is not connected.
        """
        self._wish(replace(self._wishes, enabled=enabled))

    def set_video_quality(self, quality: VideoQuality) -> None:
        """Say which layer of a video is wanted at most, HIGH by default; with little bandwidth the server sends less.

        It takes the place of :meth:`set_video_dimensions`.

        Raises:
            UsageError: it is no video.
            UnexpectedConnectionState: the room is not connected.
        """
        self._require_video()
        self._wish(replace(self._wishes, quality=VideoQuality(quality), size=None))

    def set_video_dimensions(self, width: float, height: float) -> None:
        """Say how large a video is shown, in pixels: the server sends the layer that is large enough.

        It takes the place of :meth:`set_video_quality`.

        Raises:
            UsageError: it is no video, or this is no size.
            UnexpectedConnectionState: the room is not connected.
        """
        self._require_video()
        if not 0 < width < _TOO_LARGE or not 0 < height < _TOO_LARGE:
            raise UsageError(f"a picture of {width}x{height} pixels cannot be shown")
        self._wish(replace(self._wishes, size=(width, height), quality=None))

    def set_video_fps(self, fps: int) -> None:
        """Say how many frames of a video are wanted in a second at most.

        Raises:
            UsageError: it is no video, or this is no number of frames.
            UnexpectedConnectionState: the room is not connected.
        """
        self._require_video()
        if not 0 < fps < _TOO_LARGE:
            raise UsageError(f"{fps} frames a second cannot be shown")
        self._wish(replace(self._wishes, fps=fps))

    def set_priority(self, priority: int) -> None:
        """Say which tracks come first when there is not room for all of them (protobuf ``UpdateTrackSettings``).

        Args:
            priority: 1 is the highest.

        Raises:
            UsageError: it is less.
            UnexpectedConnectionState: the room is not connected.
        """
        if not 0 < priority < _TOO_LARGE:
            raise UsageError(f"a priority is 1 or more, not {priority}")
        self._wish(replace(self._wishes, priority=priority))

    def _require_video(self) -> None:
        if self.kind != TrackKind.VIDEO:
            raise UsageError(f"{self.sid} is no video")

    def _wish(self, wishes: Wishes) -> None:
        if wishes == self._wishes:
            return
        before, self._wishes = self._wishes, wishes
        try:
            if self._desired:
                self._tell_settings()
        except BaseException:
            self._wishes = before
            raise

    def _set_shown(self, shown: Shown) -> None:
        """It is to be seen like this."""
        if self._track is None:
            return
        self._shown = shown
        if self._desired:
            with contextlib.suppress(UnexpectedConnectionState):  # with the next connection all tracks are new
                self._tell_settings()

    def _tell_settings(self) -> None:
        self._room.session.send_request(settings(self._info, self._wishes, self._shown))

    def _update(self, info: TrackInfo) -> None:
        self._info = info
        if self._track is not None:
            self._track._set_muted(info.muted)
