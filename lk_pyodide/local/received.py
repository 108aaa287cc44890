"""A track that a client sends, as the host has it."""

from __future__ import annotations

from lk_pyodide.browser.api import Browser, MediaElement, TrackArrival
from lk_pyodide.browser.guard import Unheard
from lk_pyodide.errors import LiveKitError


class Received:
    """One received track.

    Chromium decodes sound only for a page that plays some, so each has an element of its own, which is mute: or whoever
    listens to nothing, or may not play sound yet, would be no server of sound to the others.

    Args:
        browser: the page.
        arrival: the track.
    """

    def __init__(self, browser: Browser, arrival: TrackArrival) -> None:
        self.track = arrival.track
        """What can be sent on."""
        self._receiver = arrival.receiver
        self._element: MediaElement | None = None
        if arrival.track.kind == "audio":
            self._element = browser.new_element("audio", None, Unheard())
            self._element.set_muted(True)
            self._element.attach(arrival.track)

    async def get_audio_level(self) -> float | None:
        """How loud it is: see :meth:`lk_pyodide.browser.api.Receiver.get_audio_level`; None when it has gone, too."""
        try:
            return await self._receiver.get_audio_level()
        except LiveKitError:
            return None

    def close(self) -> None:
        """It has gone."""
        element, self._element = self._element, None
        if element is not None:
            element.close()
