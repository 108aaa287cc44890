"""What is said before anybody can hear it: an agent gets it when it is there (livekit-client ``preConnectBuffer``)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lk_pyodide.errors import DeadlineExceeded
from lk_pyodide.logging import get_logger
from lk_pyodide.outgoing_streams import OutgoingStreams, byte_info
from lk_pyodide.ports import RoomPort
from lk_pyodide.recorder import LocalTrackRecorder

if TYPE_CHECKING:
    from lk_pyodide.local_track import LocalTrack

_log = get_logger("participant")

TOPIC = "lk.agent.pre-connect-audio-buffer"
"""Where agents look for it (LiveKit agents ``room_io``)."""
LONGEST = 10.0
"""Seconds that are recorded, and seconds that an agent may take to come."""
_NAME = "preconnect-buffer"
_DEFAULT_RATE = 48_000


class PreConnectBuffer:
    """Records a microphone until somebody hears it, ten seconds at most.

    Args:
        track: the microphone, whose ``stop()`` ends this too.

    Raises:
        BrowserError: the browser cannot record it.
    """

    def __init__(self, track: LocalTrack) -> None:
        self._track = track
        self._recorder = LocalTrackRecorder(track)
        self._recorder.start()
        self._limit = asyncio.get_running_loop().call_later(LONGEST, self._recorder.end)

    def heard(self) -> None:
        """Somebody gets the track itself now: the rest of it needs no record."""
        self._limit.cancel()
        self._recorder.end()

    def close(self) -> None:
        """Forget all of it."""
        self._limit.cancel()
        self._recorder.close()

    async def deliver(self, room: RoomPort, streams: OutgoingStreams, sid: str) -> None:
        """Send the record to the first agent that is there, while it goes on.

        Args:
            room: where agents come to.
            streams: sends to one of them.
            sid: of the publication.
        """
        try:
            async with asyncio.timeout(LONGEST):
                agent = await room.active_agent()
            await self._send(streams, sid, [agent.identity])
        except TimeoutError:
            raise DeadlineExceeded(f"no agent came within {LONGEST:g} s to hear what had been said") from None
        finally:
            self.close()

    async def _send(self, streams: OutgoingStreams, sid: str, recipients: Sequence[str]) -> None:
        settings = self._track._media.settings
        attributes = {
            "trackId": sid,
            "sampleRate": str(settings.sample_rate or _DEFAULT_RATE),
            "channels": str(settings.channel_count or 1),
        }
        first = await anext(self._recorder, b"")  # the format is known with it
        info = byte_info(None, TOPIC, None, attributes, _NAME, self._recorder.mime_type)
        async with await streams.stream_bytes(info, recipients) as writer:
            await writer.write(first)
            async for chunk in self._recorder:
                await writer.write(chunk)
        _log.debug("an agent got what had been said before it came")
