"""Long texts, ours and livekit-client's side by side: two rooms of one make in one page, through a real server."""

import secrets
import statistics
from dataclasses import dataclass

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser, js_call
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.inpage import bench_streams

SIZE = 4_000_000
"""Bytes of a text, which compresses little."""
TEXTS = 3
"""How many are sent at a time."""
RATIO_BAR = 1.0
"""What our rate may be of livekit-client's, at least."""

_THEIRS = """async (url, tokens, size, texts) => {
  const {Room} = LivekitClient;
  const random = new Uint8Array(size * 3 / 4);
  for (let at = 0; at < random.length; at += 65536) crypto.getRandomValues(random.subarray(at, at + 65536));
  const text = btoa(Array.from(random, (byte) => String.fromCharCode(byte)).join(""));
  const [receiver, sender] = [new Room(), new Room()];
  const read = [];
  let wake = () => {};
  receiver.registerTextStreamHandler("bench", async (reader) => { read.push(await reader.readAll()); wake(); });
  const next = async (timeout) => {
    const late = new Promise((resolve) => setTimeout(resolve, timeout));
    if (!read.length) await Promise.race([new Promise((resolve) => { wake = resolve; }), late]);
    return read.shift();
  };
  await receiver.connect(url, tokens[0]);
  await sender.connect(url, tokens[1]);
  try {
    do await sender.localParticipant.sendText("ready?", {topic: "bench"});
    while (!await next(200));
    const took = [];
    for (let number = 0; number < texts; number++) {
      const started = performance.now();
      await sender.localParticipant.sendText(text, {topic: "bench"});
      let got;
      while ((got = await next(60000)) === "ready?");
      took.push((performance.now() - started) / 1000);
      if (got !== text) throw new Error("another text came");
    }
    return took;
  } finally {
    await sender.disconnect();
    await receiver.disconnect();
  }
}"""


@dataclass(frozen=True)
class StreamCost:
    """Medians, megabytes per second."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Ours to theirs."""
        return self.ours / self.theirs


async def measure(browser: Browser, site: Site, server: LiveKitServer, rounds: int) -> StreamCost:
    """Both in turn, so many times over."""
    ours: list[float] = []
    theirs: list[float] = []
    python = await PythonPage.open(browser, site, "page")
    js = await JsPeer.open_page(browser, site)
    try:
        for _ in range(rounds):
            url, tokens = server.url, _tokens(server)
            ours += await python.run(bench_streams.measure, url=url, tokens=tokens, size=SIZE, texts=TEXTS)
            theirs += await js.evaluate(js_call(_THEIRS, url, _tokens(server), SIZE, TEXTS))
    finally:
        await python.close()
        await js.close()
    return StreamCost(*(SIZE / 1e6 / statistics.median(times) for times in (ours, theirs)))


def _tokens(server: LiveKitServer) -> list[str]:
    room = f"bench-{secrets.token_hex(4)}"
    return [server.token(identity, room) for identity in ("receiver", "sender")]


def row(browser: str, cost: StreamCost) -> str:
    """One line of the table."""
    return f"{browser:10} {cost.ours:10.1f} MB/s {cost.theirs:10.1f} MB/s {cost.ratio:10.2f}"
