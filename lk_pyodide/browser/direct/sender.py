"""The page's RTCRtpSender and RTCRtpReceiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from lk_pyodide.browser.api import Encoding, Json, MediaTrack
from lk_pyodide.browser.direct.media import get_native
from lk_pyodide.browser.ffi import (
    Js,
    JsException,
    Waiting,
    forget,
    from_js_json,
    get_error_name,
    is_nothing,
    js,
    jsnull,
    to_future,
)
from lk_pyodide.browser.guard import closed_error, logger
from lk_pyodide.browser.w3c import DEPENDENCY_DESCRIPTOR, encoding_to_w3c
from lk_pyodide.errors import BrowserError

_FAINT: dict[str, Json] = {"scaleResolutionDownBy": 4, "maxBitrate": 10, "maxFramerate": 2}
"""Firefox goes on sending what is not active: this is as little as it can be made to send (livekit-client's values)."""


async def read_stats(native: Js, waiting: Waiting) -> Sequence[Mapping[str, Json]]:
    """Copy an RTCStatsReport in one crossing."""
    js_report = await waiting.wait(native.getStats())
    stats: list[Mapping[str, Json]] = from_js_json(js.Array.from_(js_report.values()))
    return stats


class DirectSender:
    """A sender with its transceiver. It belongs to a peer connection, which forgets it when it is removed."""

    def __init__(self, js_pc: Js, native: Js, waiting: Waiting, *, stops_inactive: bool) -> None:
        self._js_pc: Js = js_pc
        self._native: Js = native
        self._waiting = waiting
        self._stops_inactive = stops_inactive
        self._faint: dict[str | int, dict[str, Json]] = {}  # what encodings were before they became faint
        self._lock = asyncio.Lock()
        self._changing: asyncio.Future[Js] | None = None

    @property
    def is_removed(self) -> bool:
        """Whether nothing native is held any more."""
        return self._native is None

    async def replace_track(self, track: MediaTrack | None, /) -> None:
        """Send another track, or nothing, without negotiating."""
        native = self._get_native()
        await self._waiting.wait(native.replaceTrack(jsnull if track is None else get_native(track)))

    async def set_encodings(self, encodings: Sequence[Encoding], /) -> None:
        """Overwrite fields of the encodings."""

        def change(js_parameters: Js) -> None:
            js_encodings = list(js_parameters.encodings)
            by_rid = {item.rid: item for item in js_encodings if getattr(item, "rid", None)}
            for place, encoding in enumerate(encodings):
                js_encoding = js_encodings[place] if place < len(js_encodings) else None
                if encoding.rid is not None:
                    js_encoding = by_rid.get(encoding.rid)
                if js_encoding is None:
                    logger.warning("no encoding %s to set", encoding.rid or place)
                else:
                    self._overwrite(js_encoding, encoding.rid or place, encoding)

        await self._change_parameters(change)

    async def set_degradation_preference(self, preference: str, /) -> None:
        """Tell what to give up first; a browser that does not know of it ignores it."""

        def change(js_parameters: Js) -> None:
            js_parameters.degradationPreference = preference

        await self._change_parameters(change)

    async def _change_parameters(self, change: Callable[[Js], None]) -> None:
        """Change the parameters, one change after the other.

        The browser refuses parameters that it gave out while an earlier change was under way. A change goes on when
        whoever waits for it is cancelled, so the lock is not enough.
        """
        async with self._lock:
            if self._changing is not None and not self._changing.done():
                with suppress(BrowserError):
                    await self._waiting.wait(asyncio.shield(self._changing))
            native = self._get_native()
            js_parameters = native.getParameters()
            change(js_parameters)
            self._changing = to_future(native.setParameters(js_parameters))
            forget(self._changing)
            await self._waiting.wait(asyncio.shield(self._changing))

    def _overwrite(self, js_encoding: Js, key: str | int, encoding: Encoding) -> None:
        values = encoding_to_w3c(encoding)
        values.pop("rid", None)
        if not self._stops_inactive:
            if not encoding.active:
                before = {name: getattr(js_encoding, name, None) for name in _FAINT}
                self._faint[key] = self._faint.get(key, before) | values
                values.update(_FAINT)
            elif key in self._faint:
                values = {**self._faint.pop(key), **values}
        for name, value in values.items():
            if value is None:
                js.Reflect.deleteProperty(js_encoding, name)
            else:
                setattr(js_encoding, name, value)

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this sender."""
        return await read_stats(self._get_native(), self._waiting)

    def remove(self) -> None:
        """Stop sending."""
        if self._native is not None:
            self._js_pc.removeTrack(self._native)  # no track any more, and sendonly becomes inactive
        self.forget()

    def forget(self) -> None:
        """Hold nothing native any more."""
        self._native = None
        self._js_pc = None

    def _get_native(self) -> Js:
        if self._native is None:
            raise closed_error("sender")
        return self._native


def prefer_codec(js_transceiver: Js, codec: str) -> None:
    """Put a codec first in what is offered; which one is sent then is for the other side's answer to say.

    Args:
        js_transceiver: its RTCRtpTransceiver.
        codec: a mime type, of any case.
    """
    try:
        js_known = list(js.RTCRtpSender.getCapabilities("video").codecs)
        first = [js_codec for js_codec in js_known if str(js_codec.mimeType).lower() == codec.lower()]
        rest = [js_codec for js_codec in js_known if str(js_codec.mimeType).lower() != codec.lower()]
        if first:
            js_transceiver.setCodecPreferences(js.Array.of(*first, *rest))
    except (JsException, AttributeError) as error:  # older browsers lack it, or compare with what they can receive
        logger.debug("the browser takes no preference for %s (%s)", codec, get_error_name(error))


def receive_dependencies(js_transceiver: Js) -> None:
    """Have a section that receives video offer the dependency descriptor, where the browser would not by itself.

    Without it Chrome decodes no AV1 in layers (livekit-client ``negotiateDependencyDescriptor``).

    Args:
        js_transceiver: its RTCRtpTransceiver.
    """
    if not hasattr(js_transceiver, "setHeaderExtensionsToNegotiate"):
        return
    js_extensions = js_transceiver.getHeaderExtensionsToNegotiate()
    for js_extension in js_extensions:
        if js_extension.uri == DEPENDENCY_DESCRIPTOR and js_extension.direction == "stopped":
            js_extension.direction = "sendrecv"
            try:
                js_transceiver.setHeaderExtensionsToNegotiate(js_extensions)
            except JsException as error:
                logger.debug("the browser offers no dependency descriptor (%s)", get_error_name(error))


class DirectReceiver:
    """A receiver. It belongs to a peer connection."""

    def __init__(self, native: Js, waiting: Waiting) -> None:
        self._native: Js = native
        self._waiting = waiting
        self._heard: object = None  # the place in the stream of what was heard last

    async def get_stats(self) -> Sequence[Mapping[str, Json]]:
        """Statistics of this receiver."""
        return await read_stats(self._get_native(), self._waiting)

    async def get_audio_level(self) -> float | None:
        """How loud the newest sound is."""
        js_source = next(iter(self._get_native().getSynchronizationSources()), None)
        if js_source is None or js_source.rtpTimestamp == self._heard:
            return None
        self._heard = js_source.rtpTimestamp
        level: Js = getattr(js_source, "audioLevel", None)
        return None if is_nothing(level) else float(level)

    def set_playout_delay(self, seconds: float, /) -> None:
        """Hold what comes before it is played."""
        if self._native is None:
            return
        if hasattr(self._native, "jitterBufferTarget"):
            self._native.jitterBufferTarget = seconds * 1000 if seconds else jsnull
        elif hasattr(self._native, "playoutDelayHint"):  # older Chromium's name
            self._native.playoutDelayHint = seconds or jsnull
        else:
            logger.warning("this browser cannot delay what it plays")

    def forget(self) -> None:
        """Hold nothing native any more."""
        self._native = None

    def _get_native(self) -> Js:
        if self._native is None:
            raise closed_error("receiver")
        return self._native
