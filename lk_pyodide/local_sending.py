"""What goes to the server of a track of ours: by one sender, and by another where a second codec is needed.

What only publishing needs is imported when something is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from lk_pyodide.browser.api import Browser, Json, MediaTrack, Sender
from lk_pyodide.core.messages import SubscribedQualityUpdate
from lk_pyodide.errors import BrowserError
from lk_pyodide.logging import get_logger
from lk_pyodide.types import VideoQuality

if TYPE_CHECKING:
    from lk_pyodide.core.publishing import PublishPlan

_log = get_logger("track")


class Pause(Enum):
    """Who wants nothing to be sent."""

    USER = "user"
    DEVICE = "device"
    """It has delivered nothing for a while."""


async def _swap(sender: Sender, media: MediaTrack | None) -> None:
    """Send another track, or nothing; by a sender that has stopped, nothing.

    It stopped with its connection (W3C WebRTC, ``replaceTrack``: InvalidStateError); the sender of the next one begins
    with what the track is then.
    """
    try:
        await sender.replace_track(media)
    except BrowserError as error:
        if error.name != "InvalidStateError":
            raise


class Backup:
    """The second codec of a video.

    Args:
        media: a clone of the track, as the server tells codecs apart by the ids of what is sent.
        plan: how it is published.

    Attributes:
        sender: None while it is being published.
    """

    def __init__(self, media: MediaTrack, plan: PublishPlan) -> None:
        self.media = media
        self.plan = plan
        self.sender: Sender | None = None

    async def replace(self, original: MediaTrack, *, enabled: bool, paused: bool) -> None:
        """Send a clone of another track."""
        clone = await original.clone()
        clone.set_enabled(enabled)
        try:
            if self.sender is not None and not paused:
                await _swap(self.sender, clone)
        except BaseException:
            clone.stop()
            raise
        self.media.stop()
        self.media = clone


class Sending:
    """The senders of a track, and what holds them back; that outlives a connection.

    Args:
        browser: the page.

    Attributes:
        sender: sends the track; None while it is not published.
        plan: how it is published.
        backup: the second codec, once somebody needs it.
        watched: what the server said last of who watches what, if it is listened to.
        most: the best quality that the user wants to send.
        is_small: whether the user wants to send one small picture and nothing else.
        preference: what the user wants to be given up first, if that has been said.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.sender: Sender | None = None
        self.plan: PublishPlan | None = None
        self.backup: Backup | None = None
        self.watched: SubscribedQualityUpdate | None = None
        self.most = VideoQuality.HIGH
        self.is_small = False
        self.preference: str | None = None
        self._pauses: set[Pause] = set()

    @property
    def is_paused(self) -> bool:
        """Whether nothing is sent, though the track is live."""
        return bool(self._pauses)

    def _outgoing(self) -> Iterator[tuple[Sender, PublishPlan]]:
        if self.sender is not None and self.plan is not None:
            yield self.sender, self.plan
        if self.backup is not None and self.backup.sender is not None:
            yield self.backup.sender, self.backup.plan

    # -- life cycle --

    def start(self, sender: Sender, plan: PublishPlan) -> None:
        """The track is published."""
        self.sender, self.plan = sender, plan

    async def catch_up(self) -> None:
        """Have what was said before hold for new senders, too."""
        if self.is_paused:
            for sender, _ in list(self._outgoing()):
                await _swap(sender, None)
        if self.is_small or self.most != VideoQuality.HIGH:
            await self.set_layers()

    def end(self) -> list[Sender]:
        """The track is not published any more, or its connection is gone.

        Returns:
            The senders that there were.
        """
        senders = [sender for sender, _ in self._outgoing()]
        self.stop()
        self.sender = self.plan = self.backup = None
        return senders

    # -- what is sent --

    def set_enabled(self, enabled: bool) -> None:
        """Send the real thing, or nothing, in the second codec; the track itself is its owner's."""
        if self.backup is not None:
            self.backup.media.set_enabled(enabled)

    def stop(self) -> None:
        """Let go of the device in the second codec, too."""
        if self.backup is not None:
            self.backup.media.stop()

    async def replace(self, media: MediaTrack, *, enabled: bool) -> None:
        """Send another track. What paused because of the former device goes on."""
        pauses = self._pauses - {Pause.DEVICE}
        if self.sender is not None and not pauses:
            await _swap(self.sender, media)
        self._pauses = pauses
        if self.backup is not None:
            try:
                await self.backup.replace(media, enabled=enabled, paused=self.is_paused)
            except BrowserError as error:
                _log.warning("the second codec goes on without a picture: %s", error)

    async def pause(self, why: Pause) -> None:
        """Send nothing."""
        before = self.is_paused
        self._pauses.add(why)
        if not before:
            for sender, _ in list(self._outgoing()):
                await _swap(sender, None)

    async def resume(self, media: MediaTrack, why: Pause) -> None:
        """Send again, if nobody else wants nothing to be sent. The user's word counts for the device, too."""
        before = self.is_paused
        self._pauses = set() if why is Pause.USER else self._pauses - {why}
        if not before or self.is_paused:
            return
        if self.sender is not None:
            await _swap(self.sender, media)
        if self.backup is not None and self.backup.sender is not None:
            await _swap(self.backup.sender, self.backup.media)

    # -- how --

    async def set_layers(self) -> None:
        """Send the layers that are wanted by everybody who is asked."""
        from lk_pyodide.core.dynacast import Limits, limited
        from lk_pyodide.session.publisher import encodings

        limits = Limits(self.watched, self.most, self.is_small)
        for sender, plan in list(self._outgoing()):
            layers = limited(plan, limits, browser=self._browser.info.name)
            await sender.set_encodings(encodings(layers))

    async def fit(self, width: int, height: int) -> None:
        """The picture has another size now: the layers go by that."""
        from lk_pyodide.core.publishing import resized

        plan = self.plan
        if plan is None or plan.basis is None or (plan.basis.track.width, plan.basis.track.height) == (width, height):
            return
        self.plan = resized(plan, width, height)
        if self.plan is not plan:
            await self.set_layers()

    async def prefer(self, preference: str) -> None:
        """Give up this first from now on; a browser that cannot goes on as it was."""
        self.preference = preference
        for sender, _ in list(self._outgoing()):
            try:
                await sender.set_degradation_preference(preference)
            except BrowserError as error:
                _log.warning("the browser takes no degradation preference: %s", error)

    async def get_stats(self) -> list[Mapping[str, Json]]:
        """Statistics of all senders."""
        return [item for sender, _ in list(self._outgoing()) for item in await sender.get_stats()]
