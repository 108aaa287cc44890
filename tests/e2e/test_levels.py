"""Statistics, volumes and levels, with sound that is really sent."""

import pytest

from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import levels

MUTE = "Firefox has no sound device on this machine, and then its Web Audio does not run"


async def _must_hear(page: PythonPage) -> None:
    if not await page.run(levels.runs):
        assert page.browser_name == "firefox"
        pytest.skip(MUTE)


@pytest.mark.timeout(120)
async def test_what_is_counted_and_heard(python_page: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """The fake microphone is seen here and at the other side; numbers grow; volume and delay reach the browser."""
    hears = await python_page.run(levels.runs)
    found = await python_page.run(
        levels.counts,
        hears=hears,
        url=livekit.url,
        token=livekit.token("ada", room_name),
        other=livekit.token("bob", room_name),
    )
    print(f"{python_page.browser_name}: {found}")
    if hears:
        assert 0 < found["mine"] <= 1 and 0 < found["theirs"] <= 1
    else:
        print(f"what is heard is not tried: {MUTE}")
        assert python_page.browser_name == "firefox"
    assert (found["volume"], found["louder"], found["delay"]) == (0.25, 0.75, 300)
    for first, last in zip(found["first"], found["last"], strict=True):
        for name in ("packets", "bytes"):
            assert last[name] > first[name] > 0, name
    (_, came) = found["last"]
    assert came["samples"] > 0 and came["energy"] > 0
    assert all(1000 < bitrate < 300_000 for bitrate in found["bitrates"])


@pytest.mark.timeout(120)
async def test_speaking_while_muted(python_page: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """It is told while the microphone is muted and not otherwise, and no clone outlives the muting."""
    await _must_hear(python_page)
    found = await python_page.run(levels.voices, url=livekit.url, token=livekit.token("ada", room_name))
    print(f"{python_page.browser_name}: {found}")
    assert found["while unmuted"] == [0, 0, 0]
    assert found["while muted"] == [1, 1, False]
    assert found["while unmuted again"] == [1, 0]
    assert found["silent"] == 1
    if python_page.browser_name == "firefox":  # Chromium's beeps are too short for a voice
        assert await python_page.run(levels.device_voice, url=livekit.url, token=livekit.token("bob", room_name)) == 1


@pytest.mark.timeout(120)
async def test_a_mix(python_page: PythonPage, livekit: LiveKitServer, room_name: str) -> None:
    """What is heard is as loud as it is said, and may be louder than it came."""
    await _must_hear(python_page)
    found = await python_page.run(
        levels.mixed, url=livekit.url, token=livekit.token("ada", room_name), other=livekit.token("bob", room_name)
    )
    print(f"{python_page.browser_name}: {found}")
    assert 0.05 < found["0.1"] / found["1.0"] < 0.2
    assert 2 < found["3.0"] / found["1.0"] < 4
