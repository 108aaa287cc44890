"""Tracks: what is heard and seen, and the elements that play it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lk_pyodide.browser.api import Browser, Json, MediaElement, MediaTrack, Receiver
from lk_pyodide.errors import UsageError
from lk_pyodide.logging import get_logger
from lk_pyodide.places import mimebundle, new_place
from lk_pyodide.ports import PlaybackPort
from lk_pyodide.types import StreamState, TrackKind, TrackSource

__all__ = ["AttachedElement", "RemoteAudioTrack", "RemoteTrack", "RemoteVideoTrack", "Track"]

_log = get_logger("track")


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
        if self._playback is not None and self.kind == TrackKind.AUDIO:
            self._playback.attached(element)
        return attached

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

    def _replace_media(self, media: MediaTrack) -> None:
        self._media = media
        for attached in self._elements:
            attached._element.attach(media)

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
        self._stream_state = StreamState.ACTIVE

    @property
    def stream_state(self) -> StreamState:
        """Whether the server sends it at present."""
        return self._stream_state

    async def get_rtc_stats_report(self) -> Sequence[Mapping[str, Json]]:
        """The receiver's statistics, as the browser gives them (W3C ``RTCStatsReport``)."""
        return await self._receiver.get_stats()

    def _set_muted(self, muted: bool) -> None:
        self._muted = muted
        # A remote track is never stopped: its transceiver may carry another one later.
        self._media.set_enabled(not muted)


class RemoteAudioTrack(RemoteTrack):
    """Someone else's sound."""


class RemoteVideoTrack(RemoteTrack):
    """Someone else's picture."""
