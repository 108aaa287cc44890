"""Serves the runner to a page, from any worker with Pyodide in it, and keeps the gate's books of that worker.

The page's half, and the messages between the two, are in `tests/harness/remote_page.js`.
"""

import importlib
import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.inpage import runner

_GATE = Path(__file__).parents[1] / "harness" / "gate.js"


def serve(token: str) -> None:
    """Do what the page asks that knows the token, until the worker ends. Once, before any test body is imported."""
    js: Any = importlib.import_module("js")
    if hasattr(js, "lkGate"):
        raise RuntimeError("this worker serves a page already")
    importlib.import_module("pyodide.code").run_js(_GATE.read_text())
    js.lkGate.attach(importlib.import_module("pyodide_js"))
    channel = js.BroadcastChannel.new(f"lk-harness-{token}")
    _Server(js.lkGate, lambda message: channel.postMessage(json.dumps(message))).listen(channel)


class _Server:
    def __init__(self, gate: Any, send: Callable[[dict[str, Any]], object]) -> None:
        self._gate = gate
        self._send = send
        self._before: Any = None
        self._methods: dict[str, Callable[..., Any]] = {
            "hello": self.hello,
            "mark": self.mark,
            "leftovers": self.leftovers,
            "faults": self.faults,
            "start": self.start,
            "signal": runner.signal,
            "stop": runner.stop,
            "stacks": runner.stacks,
        }

    def listen(self, channel: Any) -> None:
        channel.addEventListener("message", importlib.import_module("pyodide.ffi").create_proxy(self._on_message))
        runner.install(self._gate.note, self._gate.faults.push)
        self.hello()

    def _on_message(self, event: Any) -> None:
        message = json.loads(event.data)
        call = message.get("call")
        try:
            value = self._methods[message["method"]](*message["args"])
        except Exception:
            text = traceback.format_exc()
            self._send({"answer": call, "error": text} if call else {"fault": text})
        else:
            if call:
                self._send({"answer": call, "value": value})

    def hello(self) -> None:
        self._send({"ready": True})

    def mark(self) -> None:
        self._gate.faults.splice(0)
        runner.mark()
        self._before = self._gate.snapshot()

    def leftovers(self, collect: bool) -> list[str]:
        left: list[str] = json.loads(runner.leftovers(collect))
        return left + list(self._gate.leftSince(self._before))

    def faults(self) -> list[str]:
        return list(self._gate.faults.splice(0))

    def start(self, run: int, module: str, name: str, kwargs: str) -> None:
        def done(outcome: str) -> None:
            self._send({"done": run, "outcome": outcome})

        def reach(run: int, name: str, value: str) -> None:
            self._send({"reach": run, "name": name, "value": value})

        runner.start(run, module, name, kwargs, done, reach)
