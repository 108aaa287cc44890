"""The half of the harness that lives inside Pyodide: starts test bodies and names what they leave in asyncio.

It is told to JavaScript in strings and functions only: a proxy of its own would be counted as somebody's leak.
`python_page.js` calls it on a page, `remote.py` in a worker.
"""

import asyncio
import base64
import contextvars
import gc
import importlib
import json
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

_running: dict[int, "asyncio.Task[str]"] = {}
_mail: dict[tuple[int, str], "asyncio.Future[Any]"] = {}
_before: set["asyncio.Task[Any]"] = set()
_timers: dict[int, asyncio.Handle] = {}
_timer_names: dict[int, str] = {}
_reach: Callable[[int, str, str], object] | None = None
_current: contextvars.ContextVar[int] = contextvars.ContextVar("lk_harness_run")


def encode(value: object) -> str:
    """JSON, with bytes as `{"$bytes": base64}`."""

    def other(item: object) -> object:
        if isinstance(item, bytes | bytearray | memoryview):
            return {"$bytes": base64.b64encode(item).decode()}
        raise TypeError(f"a run can only take and give JSON and bytes, not {type(item).__name__}: {item!r}")

    return json.dumps(value, default=other)


def decode(text: str) -> Any:
    """What `encode` made, back."""

    def restore(item: dict[str, Any]) -> Any:
        return base64.b64decode(item["$bytes"]) if item.keys() == {"$bytes"} else item

    return json.loads(text, object_hook=restore)


def _failure(error: BaseException) -> str:
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without our own frame
    text = "".join(traceback.format_exception(type(error), error, frames))
    return json.dumps({"type": type(error).__qualname__, "message": str(error), "traceback": text})


def start(
    run: int,
    module: str,
    name: str,
    kwargs: str,
    done: Callable[[str], object],
    reach: Callable[[int, str, str], object],
) -> None:
    """Run `module.name(**kwargs)` as a task and hand its outcome to `done`."""
    global _reach
    _reach = reach

    async def body() -> str:
        _current.set(run)
        try:
            function: Any = importlib.import_module(module)
            for part in name.split("."):
                function = getattr(function, part)
            return f'{{"value": {encode(await function(**decode(kwargs)))}}}'
        except BaseException as error:  # cancellation included: it is this run's outcome
            return f'{{"failure": {_failure(error)}}}'

    def report(task: "asyncio.Task[str]") -> None:
        _running.pop(run, None)
        for key in [key for key in _mail if key[0] == run]:
            del _mail[key]
        # A task cancelled before its first step never gets into its body.
        cancelled = f'{{"failure": {_failure(asyncio.CancelledError("before it began"))}}}'
        done(cancelled if task.cancelled() else task.result())

    _running[run] = asyncio.ensure_future(body())
    _running[run].add_done_callback(report)


def stop(run: int) -> None:
    """Cancel a run."""
    if task := _running.get(run):
        task.cancel()


def _letter(run: int, name: str) -> "asyncio.Future[Any]":
    return _mail.setdefault((run, name), asyncio.get_event_loop().create_future())


def signal(run: int, name: str, value: str) -> None:
    """The test lets a run go on that waits in `steps.until(name)`."""
    letter = _letter(run, name)
    if not letter.done():
        letter.set_result(decode(value))


def current_letter(name: str) -> "asyncio.Future[Any]":
    """What the current run is sent under this name."""
    return _letter(_current.get(), name)


def tell(name: str, value: object) -> None:
    """Tell the test that the current run has got somewhere."""
    assert _reach is not None, "only inside a page"
    _reach(_current.get(), name, encode(value))


def mark() -> None:
    """Remember the tasks and timers that are there before a run."""
    gc.collect()
    _before.clear()
    _before.update(asyncio.all_tasks(asyncio.get_event_loop()))
    _timers.clear()


def leftovers(collect: bool) -> str:
    """The tasks and timers that were not there at `mark()`, as a JSON list of descriptions."""
    if collect:
        gc.collect()
    loop = asyncio.get_event_loop()
    fresh = [task for task in asyncio.all_tasks(loop) if task not in _before and task not in _running.values()]
    waiting = [_timer_names[key] for key, handle in _timers.items() if not handle.cancelled()]
    return json.dumps([f"task {_where(task)}" for task in fresh] + [f"timer {name}" for name in waiting])


def _where(task: "asyncio.Task[Any]") -> str:
    places: list[str] = []
    awaited: Any = task.get_coro()
    while frame := getattr(awaited, "cr_frame", None):
        places.append(f"{awaited.__qualname__} ({frame.f_code.co_filename}:{frame.f_lineno})")
        awaited = awaited.cr_await
    return f"{task.get_name()}: {' > '.join(places) or task.get_coro()}"


def stacks() -> str:
    """Where every task is: for a run that does not come back."""
    return "\n".join(sorted(map(_where, asyncio.all_tasks(asyncio.get_event_loop()))))


def install(note: Callable[[Any, str], object], fault: Callable[[str], object]) -> None:
    """Make Pyodide's loop and proxies tell what the gate asks for. Once, before any test body is imported."""
    _watch_loop(asyncio.get_event_loop(), fault)
    _watch_interpreter(fault)
    _name_proxies(note)


def _watch_loop(loop: Any, fault: Callable[[str], object]) -> None:
    plain = loop.call_later
    keys = iter(range(sys.maxsize))

    def call_later(delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        if delay <= 0:
            handle: asyncio.Handle = plain(delay, callback, *args, context=context)
            return handle
        key = next(keys)

        def fire(*args: Any) -> None:
            _timers.pop(key, None)
            _timer_names.pop(key, None)
            callback(*args)

        handle = _timers[key] = plain(delay, fire, *args, context=context)
        _timer_names[key] = f"of {delay:.3f} s for {getattr(callback, '__qualname__', callback)}"
        return handle

    def count_down(_future: object = None) -> None:
        # Pyodide's own retrieves the exception of every task, so that asyncio never complains about a lost one.
        loop._in_progress -= 1

    def complain(loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        text = "".join(traceback.format_exception(error)) if error else ""
        fault(f"{context.get('message') or 'Unhandled exception in event loop'}\n{text}")
        loop.default_exception_handler(context)

    loop.call_later = call_later
    loop._decrement_in_progress = count_down
    loop.set_exception_handler(complain)


def _watch_interpreter(fault: Callable[[str], object]) -> None:
    """What Python itself would only print: a coroutine that nobody awaits, an error in a finaliser or a callback."""
    ignore, show = sys.unraisablehook, warnings.showwarning

    def ignored(unraisable: Any) -> None:
        trace = traceback.format_exception(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
        fault(f"{unraisable.err_msg or 'Exception ignored in'}: {unraisable.object!r}\n{''.join(trace)}")
        ignore(unraisable)

    def warned(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if "was never awaited" in str(message):
            fault(f"{message} ({filename}:{lineno})")
        show(message, category, filename, lineno, file, line)

    sys.unraisablehook = ignored
    warnings.showwarning = warned


def _name_proxies(note: Callable[[Any, str], object]) -> None:
    ffi: Any = importlib.import_module("pyodide.ffi")
    plain = ffi.create_proxy

    def create_proxy(obj: Any, /, **options: Any) -> Any:
        proxy = plain(obj, **options)
        stack = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack(limit=4)[:-1]]
        note(proxy, "made at " + " < ".join(reversed(stack)))
        return proxy

    ffi.create_proxy = create_proxy
