"""Whether somebody speaks, from how loud a microphone is."""

from __future__ import annotations

from typing import Final

LOUD: Final = 0.015
"""Root mean square of the samples above which it may be a voice: -36 dB. Speech in front of a laptop is louder."""
QUIET: Final = LOUD / 2
"""Below which a voice has paused."""
ATTACK: Final = 0.25
"""Seconds of sound that make a voice: a key, a cup or a cough is shorter."""
GAP: Final = 0.15
"""Seconds of quiet that end such a sound: between syllables there is less."""
RELEASE: Final = 1.5
"""Seconds of quiet after which one has finished speaking, so that what follows is told anew."""
GRACE: Final = 0.5
"""Seconds after muting that are not listened to: who mutes himself may be ending a word."""


class VoiceDetector:
    """Tells once for each bout of speech that it has begun.

    Args:
        now: when the listening begins, in seconds of any clock.
    """

    def __init__(self, now: float) -> None:
        self._begin = now + GRACE
        self._loud_since: float | None = None
        self._quiet_since: float | None = None
        self.is_speaking = False

    def hear(self, level: float, now: float) -> bool:
        """Take one reading; they may be far apart, where a browser slows a hidden page down.

        Args:
            level: root mean square of the samples, 0 to 1.
            now: when it was taken.

        Returns:
            Whether somebody has begun to speak.
        """
        if now < self._begin:
            return False
        if level < (QUIET if self.is_speaking else LOUD):
            self._be_quiet(now)
            return False
        self._quiet_since = None
        if self._loud_since is None:
            self._loud_since = now
        if self.is_speaking or now - self._loud_since < ATTACK:
            return False
        self.is_speaking = True
        return True

    def _be_quiet(self, now: float) -> None:
        if self._quiet_since is None:
            self._quiet_since = now
        if now - self._quiet_since >= (RELEASE if self.is_speaking else GAP):
            self._loud_since = None
            self.is_speaking = False
