"""Connecting, reliable data and calls: ours beside livekit-client, in one browser and at one server, in turns.

A third row is livekit-client called from Python: what people would use otherwise.
"""

import secrets
import statistics
from dataclasses import dataclass

from tests.harness.js_peer import JsPeer
from tests.harness.pages import Browser, js_call
from tests.harness.python_page import PythonPage
from tests.harness.servers import LiveKitServer
from tests.harness.site import Site
from tests.inpage import bench_ffi, bench_hosts

CONNECTS, MESSAGES, BURST, CALLS = 4, 200, 2000, 100
BARS = {"connect": 0.8, "latency": 1.2, "rate": 1.0, "rpc": 1.0}
"""What ours may be of livekit-client's: at most, but of the rate at least."""
NAMES = {"ours": "lk_pyodide", "theirs": "livekit-client", "ffi": "the same from Python"}

_THEIRS = """async (url, tokens, connects, messages, burst, calls) => {
  const {Room} = LivekitClient;
  const connect = [];
  for (let number = 0; number < connects; number++) {
    const room = new Room();
    const started = performance.now();
    await room.connect(url, tokens[1]);
    connect.push((performance.now() - started) / 1000);
    await room.disconnect();
  }
  const [receiver, sender] = [new Room(), new Room()];
  let count = 0, last = 0, wanted = Infinity, wake = () => {};
  receiver.on("dataReceived", () => { last = performance.now(); if (++count >= wanted) wake(); });
  const until = (number, timeout) => new Promise((resolve) => {
    wanted = number;
    const timer = setTimeout(resolve, timeout);
    wake = () => { clearTimeout(timer); resolve(); };
    if (count >= wanted) wake();
  });
  const small = new Uint8Array(100).fill(120);
  const send = () => sender.localParticipant.publishData(small, {reliable: true});
  await receiver.connect(url, tokens[0]);
  await sender.connect(url, tokens[1]);
  try {
    while (!count) { await send(); await until(1, 200); }
    const latency = [];
    for (let number = 0; number < messages; number++) {
      const started = performance.now();
      const next = count + 1;
      await send();
      await until(next, 10000);
      latency.push((last - started) / 1000);
    }
    const [before, started] = [count, performance.now()];
    for (let number = 0; number < burst; number++) await send();
    await until(before + burst, 60000);
    const rate = burst / ((last - started) / 1000);
    receiver.registerRpcMethod("echo", async (data) => data.payload);
    const rpc = [];
    const call = {destinationIdentity: receiver.localParticipant.identity, method: "echo", payload: "x".repeat(100)};
    for (let number = 0; number < calls; number++) {
      const started = performance.now();
      await sender.localParticipant.performRpc(call);
      rpc.push((performance.now() - started) / 1000);
    }
    return {connect, latency, rate, rpc};
  } finally {
    await sender.disconnect();
    await receiver.disconnect();
  }
}"""


@dataclass(frozen=True)
class DataCost:
    """Medians; of the rate with the least and the most of the rounds.

    Args:
        values: seconds, and messages per second, by make and by what was measured.
        spread: the largest difference between rounds, as a share of the median, likewise.
    """

    values: dict[str, dict[str, float]]
    spread: dict[str, dict[str, float]]

    def ratio(self, what: str) -> float:
        """Ours to theirs."""
        return self.values["ours"][what] / self.values["theirs"][what]

    def missed(self) -> list[str]:
        """What is worse than its bar."""
        return [
            what for what, bar in BARS.items() if (self.ratio(what) < bar if what == "rate" else self.ratio(what) > bar)
        ]


async def measure(browser: Browser, site: Site, server: LiveKitServer, rounds: int) -> DataCost:
    """All in turn, so many times over."""
    found: dict[str, dict[str, list[float]]] = {make: {} for make in NAMES}
    python = await PythonPage.open(browser, site, "page")
    js = await JsPeer.open_page(browser, site)
    try:
        await python.prepare(bench_ffi.load)
        for _ in range(rounds):
            ours = await python.start(
                bench_hosts.measure,
                url=server.url,
                tokens=_tokens(server),
                connects=CONNECTS,
                messages=MESSAGES,
                burst=BURST,
                calls=CALLS,
            )
            _add(found["ours"], await ours.result(120))
            arguments = (server.url, _tokens(server), CONNECTS, MESSAGES, BURST, CALLS)
            _add(found["theirs"], await js.evaluate(js_call(_THEIRS, *arguments)))
            ffi = await python.start(
                bench_ffi.measure, url=server.url, tokens=_tokens(server), messages=MESSAGES, burst=BURST
            )
            _add(found["ffi"], await ffi.result(120))
    finally:
        await python.close()
        await js.close()
    return DataCost(
        {make: {what: statistics.median(rounds) for what, rounds in all_of.items()} for make, all_of in found.items()},
        {make: {what: _spread(rounds) for what, rounds in all_of.items()} for make, all_of in found.items()},
    )


def _add(found: dict[str, list[float]], round_: dict[str, list[float] | float]) -> None:
    for what, value in round_.items():
        found.setdefault(what, []).append(statistics.median(value) if isinstance(value, list) else value)


def _spread(rounds: list[float]) -> float:
    return (max(rounds) - min(rounds)) / statistics.median(rounds)


def _tokens(server: LiveKitServer) -> list[str]:
    room = f"bench-{secrets.token_hex(4)}"
    return [server.token(identity, room) for identity in ("receiver", "sender")]


def rows(browser: str, cost: DataCost) -> list[str]:
    """The lines of the table."""
    lines = []
    for make, name in NAMES.items():
        cells = [f"{browser:10} {name:22}"]
        for what in BARS:
            value, spread = cost.values[make].get(what), cost.spread[make].get(what, 0.0)
            text = "" if value is None else f"{value:.0f} /s" if what == "rate" else f"{value * 1000:.2f} ms"
            cells.append(f"{text:>12} {'±' + format(spread / 2, '.0%') if text else '':>5}")
        lines.append("".join(cells))
    ratios = "".join(f"{cost.ratio(what):>12.2f} {'':>5}" for what in BARS)
    return [*lines, f"{browser:10} {'ours / livekit-client':22}{ratios}"]
