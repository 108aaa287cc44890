"""Synthetic media for the Rust-core peer: a moving picture, a tone, and measures of what comes back."""

import array
import asyncio
import math
from collections.abc import Iterator

from livekit import rtc

WIDTH, HEIGHT, FPS = 640, 360, 15
SAMPLE_RATE = 48000
_FRAME_SAMPLES = SAMPLE_RATE // 50


def _stripes(width: int, height: int) -> Iterator[rtc.VideoFrame]:
    """Frames of a bright bar that walks over a dark ground, for ever; the pictures are made once."""
    pictures: list[rtc.VideoFrame] = []
    bar, steps = width // 8, 8
    for step in range(steps):
        row = bytearray(b"\x20\x30\x60\xff" * width)
        row[step * bar * 4 : (step + 1) * bar * 4] = b"\xf0\xe0\x40\xff" * bar
        pictures.append(rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, bytes(row) * height))
    while True:
        yield from pictures


async def feed_video(source: rtc.VideoSource, width: int, height: int) -> None:
    """Feed a video source with pictures of this size until cancelled."""
    for frame in _stripes(width, height):
        source.capture_frame(frame)
        await asyncio.sleep(1 / FPS)  # the pace of a camera, not a wait


async def feed_tone(source: rtc.AudioSource, frequency: float = 440.0) -> None:
    """Feed an audio source with a tone of RMS 0.35 until cancelled; the source itself keeps the pace."""
    turn = 2 * math.pi * frequency / SAMPLE_RATE
    second = array.array("h", (int(16384 * math.sin(turn * index)) for index in range(SAMPLE_RATE))).tobytes()
    size = _FRAME_SAMPLES * 2
    while True:
        for start in range(0, len(second), size):
            frame = rtc.AudioFrame(second[start : start + size], SAMPLE_RATE, 1, _FRAME_SAMPLES)
            await source.capture_frame(frame)


class VideoMeter:
    """Counts the frames of a received track and keeps a measure of the last picture."""

    def __init__(self) -> None:
        self.frames = self.width = self.height = 0
        self.contrast = 0.0

    async def run(self, stream: rtc.VideoStream) -> None:
        """Read until the stream ends or the task is cancelled."""
        try:
            async for event in stream:
                self.frames += 1
                self.width, self.height = event.frame.width, event.frame.height
                if self.frames % 5 == 1:
                    self.contrast = _contrast(event.frame)
        finally:
            await stream.aclose()


def _contrast(frame: rtc.VideoFrame) -> float:
    """Mean deviation of brightness over a few hundred points of an I420 picture."""
    count = frame.width * frame.height
    light = bytes(frame.data[:count])[:: max(1, count // 499)]
    mean = sum(light) / len(light)
    return sum(abs(value - mean) for value in light) / len(light)


class AudioMeter:
    """Sums the energy of a received track."""

    def __init__(self) -> None:
        self.energy = 0.0
        self.samples = 0

    async def run(self, stream: rtc.AudioStream) -> None:
        """Read until the stream ends or the task is cancelled."""
        try:
            async for event in stream:
                samples = array.array("h", bytes(event.frame.data))
                self.energy += sum(sample * sample for sample in samples) / 32768**2
                self.samples += len(samples)
        finally:
            await stream.aclose()
