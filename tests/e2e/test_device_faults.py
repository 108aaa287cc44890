"""Real browsers whose devices are refused, unplugged, busy, overtaken or forbidden; and a storm of toggles."""

from urllib.parse import urlsplit

import pytest

from tests.harness.chromium import Chromium, ChromiumPage
from tests.harness.js_peer import JsPeer
from tests.harness.paths import CHROMIUM
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.harness.venues import LocalServer
from tests.inpage import device_faults

LOCAL = LocalServer()


async def test_devices_that_are_lost(python_page: PythonPage, room_name: str) -> None:
    """Sound goes on or is muted, the camera is turned off, and it is told why; never is something dead published."""
    found = await python_page.run(device_faults.lose, url=LOCAL.url, token=LOCAL.token("ada", room_name))
    print(f"{python_page.browser_name}: {found}")
    kinds = ["videoinput"] * 4 + ["audioinput"]
    reasons = ["PermissionDenied", "NotFound", "DeviceInUse", found["failed"][3][0], "DeviceInUse"]
    assert found["failed"] == [list(pair) for pair in zip(reasons, kinds, strict=True)]
    assert set(found["permissions"]) <= {"granted", "prompt", "unknown"}


async def test_a_permission_that_is_taken_back(chromium_python: PythonPage, room_name: str) -> None:
    """Both tracks end, and are muted. Firefox cannot be told so from outside."""
    page = chromium_python.page
    assert isinstance(page, ChromiumPage)
    run = await chromium_python.start(device_faults.be_revoked, url=LOCAL.url, token=LOCAL.token("ada", room_name))
    await run.reached("live")
    session = await page.playwright.context.new_cdp_session(page.playwright)
    parts = urlsplit(page.playwright.url)
    target = await session.send("Target.getTargetInfo")
    where = {"browserContextId": target["targetInfo"]["browserContextId"]}
    try:
        for name in ("camera", "microphone"):
            request = {"permission": {"name": name}, "setting": "denied", "origin": f"{parts.scheme}://{parts.netloc}"}
            await session.send("Browser.setPermission", {**request, **where})
        told = await run.result()
    finally:
        await session.send("Browser.resetPermissions", where)
        await session.detach()
    assert sorted(told) == [["PermissionDenied", "audioinput"], ["PermissionDenied", "videoinput"]]


@pytest.mark.browser
async def test_an_insecure_page(site: Site, livekit: LiveKitServer, room_name: str) -> None:
    """People meet and talk; devices are refused with the reason."""
    if reason := CHROMIUM.skipped():
        pytest.skip(reason)
    insecure = Site()
    insecure.origin = f"http://insecure.test:{urlsplit(site.origin).port}"
    async with Chromium("--host-resolver-rules=MAP insecure.test 127.0.0.1") as browser:
        page = await PythonPage.open(browser, insecure)
        tokens = [livekit.token(name, room_name) for name in ("ada", "ben")]
        raised = await page.run(device_faults.be_insecure, url=livekit.url, tokens=tokens)
    assert len(raised) == 4
    assert all("needs a secure context (https or localhost)" in text for text in raised)


@pytest.mark.timeout(120)
async def test_a_storm_of_toggles(
    python_page: PythonPage, js_peer: JsPeer, livekit: LiveKitServer, room_name: str
) -> None:
    """The last request holds, here, at the server and at somebody who looks; and nothing is left on."""
    await js_peer.connect(livekit.url, livekit.token("js", room_name))
    run = await python_page.start(device_faults.storm, url=livekit.url, token=livekit.token("py", room_name), seed=7)
    wanted = await run.reached("over", 60)
    remote = await js_peer.wait_remote(
        "py",
        lambda remote: (
            sorted(track.source for track in remote.tracks) == sorted(name.lower() for name in wanted["published"])
            and not remote.muted("camera")
            and remote.muted("microphone") != wanted["microphone"]
        ),
        20,
        f"{wanted}",
    )
    print(f"{python_page.browser_name}: {wanted}, seen as {remote}")
    await js_peer.wait_video("py")
    await run.signal("seen")
    await run.result()
