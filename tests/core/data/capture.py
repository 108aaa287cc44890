"""Makes the *.sdp files beside this one: what Chromium and Firefox offer and answer today.

Run it by hand, from the checkout: ``python -m tests.core.data.capture``. Ids and ports differ each time.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from tests.harness.chromium import Chromium
from tests.harness.firefox import Firefox
from tests.harness.pages import Page
from tests.harness.site import Site

OFFER = """(async publish => {
  const pc = new RTCPeerConnection({iceServers: []});
  pc.createDataChannel('_reliable');
  for (const kind of ['audio', 'audio', 'video', 'video']) pc.addTransceiver(kind, {direction: 'recvonly'});
  if (publish) {
    const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 640, height: 360}});
    const [audio] = stream.getAudioTracks(), [video] = stream.getVideoTracks();
    const sendEncodings = [{rid: 'q', scaleResolutionDownBy: 2}, {rid: 'h'}];
    pc.addTransceiver(audio, {direction: 'sendonly', streams: [stream]});
    pc.addTransceiver(video, {direction: 'sendonly', streams: [stream], sendEncodings});
    stream.getTracks().forEach(track => track.stop());
  }
  const offer = await pc.createOffer();
  pc.close();
  return offer.sdp;
})"""
ANSWER = """(async sdp => {
  const pc = new RTCPeerConnection({iceServers: []});
  await pc.setRemoteDescription({type: 'offer', sdp});
  const answer = await pc.createAnswer();
  pc.close();
  return answer.sdp;
})"""


def as_a_server(offer: str) -> str:
    """LiveKit's server offers stereo and nack for opus."""
    return re.sub(r"(a=fmtp:(\d+) [^\r\n]*useinbandfec=1)", r"\1;sprop-stereo=1\r\na=rtcp-fb:\2 nack", offer)


async def capture(page: Page) -> dict[str, str]:
    """Name of the file → text."""
    publish: str = await page.evaluate(f"{OFFER}(true)")
    offer = as_a_server(publish)
    return {
        "receive": await page.evaluate(f"{OFFER}(false)"),
        "publish": publish,
        "server_offer": offer,
        "answer": await page.evaluate(f"{ANSWER}({json.dumps(offer)})"),
    }


async def main() -> None:
    """Write all files."""
    async with Site() as site:
        for browser in (Chromium(), Firefox()):
            async with browser:
                page = await browser.new_page()
                await page.goto(site.url("/blank.html"))
                for name, text in (await capture(page)).items():
                    path = Path(__file__).with_name(f"{browser.name}_{name}.sdp")
                    path.write_bytes(text.encode())
                await page.close()


if __name__ == "__main__":
    asyncio.run(main())
