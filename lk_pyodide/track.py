"""Tracks: what is heard and seen, and the elements that play it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from lk_pyodide.browser.api import Browser, Json, MediaElement, MediaTrack, Receiver
from lk_pyodide.errors import UsageError
from lk_pyodide.logging import get_logger
from lk_pyodide.places import mimebundle, new_place
from lk_pyodide.ports import BitratePort, MediaFollower, PlaybackPort
from lk_pyodide.types import StreamState, TrackKind, TrackSource

if TYPE_CHECKING:
    from lk_pyodide.stats import RtcStats
    from lk_pyodide.viewing import PictureViewing

__all__ = ["AttachedElement", "ElementInfo", "RemoteAudioTrack", "RemoteTrack", "RemoteVideoTrack", "Track"]

_log = get_logger("track")

_LONGEST_DELAY = 4.0
"""W3C's limit, in seconds (webrtc-extensions, ``jitterBufferTarget``)."""


class AttachedElement:
    """An element that plays a track.

    Args:
        element: the element at the waist.
        track: what it plays.
    """

    def __init__(self, element: MediaElement, track: Track) -> None:
        self._element = element
        self._track = track

    @property
    def element(self) -> Any:
        """The browser's own element.

        Raises:
            UsageError: Python is not on the page.
        """
        return self._element.native

    def mount(self, target: object) -> AttachedElement:
        """Put the element into a place on the page, a CSS selector or a node."""
        self._element.mount(target)
        return self

    def detach(self) -> None:
        """Stop playing the track here."""
        self._track._detach_one(self)

    def _show(self, place: str, caption: str = "") -> None:
        self._element.show(place, caption)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Show the element here, when it is the value of a notebook's cell."""
        place = new_place()
        self._show(place)
        return mimebundle(place, repr(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._track!r}>"


class Track:
    """Something that is heard or seen: the base of local and remote tracks."""

    def __init__(
        self,
        browser: Browser,
        media: MediaTrack,
        source: TrackSource,
        *,
        name: str = "",
        sid: str = "",
        playback: PlaybackPort | None = None,
    ) -> None:
        self._browser = browser
        self._media = media
        self._playback = playback
        self._source = source
        self._name = name
        self._sid = sid
        self._muted = False
        self._elements: list[AttachedElement] = []
        self._meter: BitratePort | None = None
        self._followers: set[MediaFollower] = set()

    @property
    def sid(self) -> str:
        """The server's id, or nothing before the track is published."""
        return self._sid

    @property
    def name(self) -> str:
        """The name that its publisher gave it."""
        return self._name

    @property
    def kind(self) -> TrackKind:
        """Audio or video."""
        return TrackKind.AUDIO if self._media.kind == "audio" else TrackKind.VIDEO

    @property
    def source(self) -> TrackSource:
        """Where it comes from."""
        return self._source

    @property
    def muted(self) -> bool:
        """Whether its publisher has muted it."""
        return self._muted

    @property
    def is_muted(self) -> bool:
        """The same as :attr:`muted`."""
        return self._muted

    @property
    def media_stream_track(self) -> Any:
        """The browser's own MediaStreamTrack.

        Raises:
            UsageError: Python is not on the page.
        """
        return self._media.native

    @property
    def attached_elements(self) -> list[Any]:
        """The elements that play it: native ones on the page, else :class:`AttachedElement`."""
        return [_shown(attached) for attached in self._elements]

    @property
    def current_bitrate(self) -> int:
        """How much of it is sent, or comes, in bits a second; of all its layers together.

        Measured every two seconds, from the first time that this is asked until it has not been for ten: 0 at first.
        """
        return 0 if self._meter is None else self._meter.current_bitrate(self)

    async def get_rtc_stats_report(self) -> Sequence[Mapping[str, Json]]:
        """Its statistics, as the browser gives them (W3C ``RTCStatsReport``); nothing where it is not sent."""
        return []

    async def get_stats(self) -> list[RtcStats]:
        """Its statistics with their types, in ``livekit.rtc``'s shape: see ``lk_pyodide.stats``.

        Raises:
            BrowserError: the connection is closed.
        """
        from lk_pyodide.core import stats  # two dozen types, which most programs never ask for

        return stats.read(await self.get_rtc_stats_report())

    def attach(self, target: object | None = None) -> Any:
        """Play the track in an element.

        Args:
            target: None makes an element that is not on the page yet; a CSS selector or a native node that is a media
                element is used itself; any other gets a new element inside.

        Returns:
            The native element on the page; in a worker an :class:`AttachedElement`.

        Raises:
            UsageError: the selector matches nothing.
        """
        return _shown(self._attach(target))

    def _attach(self, target: object | None = None) -> AttachedElement:
        known = next((a for a in self._elements if target is not None and _is_native(a, target)), None)
        if known is not None:
            return known
        handler = _ElementEvents(self)
        element = self._browser.new_element(self._media.kind, target, handler)
        element.attach(self._media)
        attached = AttachedElement(element, self)
        self._elements.append(attached)
        self._attached(element)
        return attached

    def _attached(self, element: MediaElement) -> None:
        """An element plays it from now on."""

    def _detached(self) -> None:
        """An element plays it no more."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Play the track here, when it is the value of a notebook's cell."""
        bundle = self._attach()._repr_mimebundle_()
        return {**bundle, "text/plain": repr(self)}

    def detach(self, element: object | None = None) -> list[Any]:
        """Stop playing the track.

        Args:
            element: what :meth:`attach` returned; None means everywhere.

        Returns:
            The elements that played it. Those that were made here have left the page.
        """
        chosen = [a for a in self._elements if element is None or a is element or _is_native(a, element)]
        shown = [_shown(attached) for attached in chosen]
        for attached in chosen:
            self._detach_one(attached)
        return shown

    def _detach_one(self, attached: AttachedElement) -> None:
        if attached in self._elements:
            self._elements.remove(attached)
            attached._element.detach(self._media)
            attached._element.close()
            self._detached()

    def _end(self) -> None:
        """Nothing plays it any more, and nobody hears or measures it."""
        self.detach()
        self._meter = None
        for follower in tuple(self._followers):
            follower._media_gone()
        self._followers.clear()

    def _replace_media(self, media: MediaTrack) -> None:
        self._media = media
        for attached in self._elements:
            attached._element.attach(media)
        for follower in tuple(self._followers):
            follower._media_changed(media)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._sid or 'unpublished'} {self._source.name.lower()}>"


class _ElementEvents:
    """Tells the room whether an element may play."""

    def __init__(self, track: Track) -> None:
        self._track = track

    def on_playing(self) -> None:
        if self._track._playback is not None:
            self._track._playback.playback_changed(self._track._media.kind, True, self)

    def on_play_failed(self, name: str, message: str) -> None:
        if name == "NotAllowedError" and self._track._playback is not None:
            self._track._playback.playback_changed(self._track._media.kind, False, self)
        else:
            _log.warning("an element would not play: %s: %s", name, message)


def _is_native(attached: AttachedElement, target: object) -> bool:
    try:
        return bool(attached._element.native == target)
    except UsageError:
        return False


def _shown(attached: AttachedElement) -> Any:
    try:
        return attached._element.native
    except UsageError:
        return attached


class RemoteTrack(Track):
    """A track of someone else, to which we are subscribed."""

    def __init__(
        self,
        browser: Browser,
        media: MediaTrack,
        receiver: Receiver,
        source: TrackSource,
        *,
        name: str,
        sid: str,
        playback: PlaybackPort,
    ) -> None:
        super().__init__(browser, media, source, name=name, sid=sid, playback=playback)
        self._receiver = receiver
        self._remote_playback = playback
        self._stream_state = StreamState.ACTIVE
        self._playout_delay = 0.0

    @property
    def stream_state(self) -> StreamState:
        """Whether the server sends it at present."""
        return self._stream_state

    async def get_rtc_stats_report(self) -> Sequence[Mapping[str, Json]]:
        """The receiver's statistics, as the browser gives them (W3C ``RTCStatsReport``)."""
        return await self._receiver.get_stats()

    def set_playout_delay(self, seconds: float) -> None:
        """Have the browser hold what comes before it plays it: fewer gaps, for a later picture or sound.

        Args:
            seconds: how long, about; 0 leaves it to the browser. At most 4.

        Raises:
            UsageError: it is less, or more.
        """
        if not 0 <= seconds <= _LONGEST_DELAY:
            raise UsageError(f"a playout delay is 0 to {_LONGEST_DELAY:g} seconds, not {seconds}")
        self._playout_delay = seconds
        self._receiver.set_playout_delay(seconds)

    def get_playout_delay(self) -> float:
        """Seconds, as :meth:`set_playout_delay` was told; 0 leaves it to the browser."""
        return self._playout_delay

    def _set_muted(self, muted: bool) -> None:
        self._muted = muted
        # A remote track is never stopped: its transceiver may carry another one later.
        self._media.set_enabled(not muted)


class RemoteAudioTrack(RemoteTrack):
    """Someone else's sound."""

    _volume: float | None = None
    _sink_id = ""

    def set_volume(self, volume: float) -> None:
        """Play it louder or softer, in all its elements, those to come included.

        Args:
            volume: 0 to 1; with ``RoomOptions.web_audio_mix`` it may be more, which is louder than it was sent.

        Raises:
            UsageError: it is less, or more.
        """
        self._remote_playback.set_volume(self, volume)
        self._volume = volume

    def get_volume(self) -> float:
        """How loud it is played, as :meth:`set_volume` was told; 1 before."""
        return 1.0 if self._volume is None else self._volume

    async def set_sink_id(self, device_id: str) -> None:
        """Play it on a speaker of its own, in all its elements, those to come included.

        ``room.switch_active_device("audiooutput", …)`` takes it back to where all else is played.

        Args:
            device_id: which, as :class:`DeviceInfo` has it; empty means the room's.

        Raises:
            MediaDeviceError: the speaker is not there, or cannot be used; nothing changes then.
            DeviceUnsupportedError: the browser gives no choice of speakers, or the track is part of a mix
                (``RoomOptions.web_audio_mix``), which has one speaker.
        """
        await self._remote_playback.switch_sink(self, device_id)

    def _attached(self, element: MediaElement) -> None:
        self._remote_playback.attached(self, element)

    def _detached(self) -> None:
        if not self._elements:
            self._remote_playback.detached(self)


class ElementInfo(Protocol):
    """A place where an application shows a video in a way of its own, as on a canvas, for adaptive streams.

    Attributes:
        handle_resize: set by the track that observes it; to be called whenever the size has changed.
        handle_visibility_changed: the same, for the other two.
    """

    handle_resize: Callable[[], None] | None
    handle_visibility_changed: Callable[[], None] | None

    @property
    def visible(self) -> bool:
        """Whether it is to be seen."""
        ...

    @property
    def picture_in_picture(self) -> bool:
        """Whether it has a window of its own, in which it is seen however long the page is in the background."""
        ...

    def width(self) -> float:
        """CSS pixels."""
        ...

    def height(self) -> float:
        """CSS pixels."""
        ...

    def observe(self) -> None:
        """Begin to call the two handlers."""
        ...

    def stop_observing(self) -> None:
        """End it."""
        ...


class RemoteVideoTrack(RemoteTrack):
    """Someone else's picture."""

    _viewing: PictureViewing | None = None

    @property
    def is_adaptive_stream(self) -> bool:
        """Whether it comes in the size in which it is shown, and not at all while it is not to be seen."""
        return self._viewing is not None

    def observe_element_info(self, info: ElementInfo) -> None:
        """Let the stream follow a place where the application shows it by itself, too; twice is once.

        It makes no difference where streams are not adaptive.
        """
        if self._viewing is not None:
            self._viewing.observe(info)

    def stop_observing_element_info(self, info: ElementInfo) -> None:
        """Undo :meth:`observe_element_info`. It ends by itself with the subscription."""
        if self._viewing is not None:
            self._viewing.stop_observing(info)

    def _attach(self, target: object | None = None) -> AttachedElement:
        attached = super()._attach(target)
        if self._viewing is not None:
            self._viewing.add(attached._element)
        return attached

    def _detach_one(self, attached: AttachedElement) -> None:
        if self._viewing is not None:
            self._viewing.remove(attached._element)
        super()._detach_one(attached)

    def _end(self) -> None:
        viewing, self._viewing = self._viewing, None
        if viewing is not None:
            viewing.close()
        super()._end()
