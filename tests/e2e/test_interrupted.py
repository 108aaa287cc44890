"""Cancelled, disconnected, reconnected in the middle: no track runs on, no light stays on. The harness counts, too."""

from collections import Counter

import pytest

from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.inpage import interrupted


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["cancel", "leave", "break"])
async def test_given_up(python_page: PythonPage, livekit: LiveKitServer, room_name: str, how: str) -> None:
    """What is on is what is published, and nothing after leaving."""
    token = livekit.token("py", room_name)
    run = await python_page.start(interrupted.give_up, url=livekit.url, token=token, how=how)
    outcomes = await run.result(220)
    print(f"{python_page.browser_name}: {how}: {Counter(outcome.rsplit(': ', 1)[1] for outcome in outcomes)}")
    assert [outcome for outcome in outcomes if outcome.endswith("BrowserError")] == [], (
        "it is ours to say what happened"
    )
    assert len(outcomes) == len(interrupted.WORK) * len(interrupted.MOMENTS)
