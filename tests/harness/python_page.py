"""A page, or a worker of it, with a booted Pyodide in which tests run async functions of `tests.inpage`, leak-gated."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, ParamSpec, TypeVar

from tests.harness.hosts import HOSTS
from tests.harness.lite_site import LiteSite
from tests.harness.pages import Browser, Page, PageError, js_call
from tests.harness.process import shorten
from tests.harness.site import Site
from tests.inpage.runner import decode, encode

RUN_TIMEOUT = 45.0
"""Seconds for one run: less than pytest's own limit for a test, so that the report can say where the run hangs."""

P = ParamSpec("P")
T = TypeVar("T")


class RemoteFailure(AssertionError):
    """A test body raised inside the page; the message is its traceback there."""

    def __init__(self, kind: str, message: str, traceback: str, notes: str = "") -> None:
        super().__init__(f"in the page:\n{traceback}{notes}")
        self.kind = kind
        self.remote_message = message
        self.remote_traceback = traceback


class LeakError(AssertionError):
    """A test body left something behind, or something went wrong unseen while it ran."""

    def __init__(self, name: str, leaks: list[str], faults: list[str]) -> None:
        lines = [*(f"left behind: {leak}" for leak in leaks), *(f"unseen: {fault}" for fault in faults)]
        super().__init__(f"{name} left the page in a worse state:\n  " + "\n  ".join(lines))
        self.leaks = leaks
        self.faults = faults


class RunHandle(Generic[T]):
    """A run in the background."""

    def __init__(self, page: "PythonPage", run: int, task: "asyncio.Task[T]") -> None:
        self._page = page
        self._run = run
        self._task = task

    async def result(self, timeout: float = RUN_TIMEOUT) -> T:
        """Wait for the run's end: its value, or `RemoteFailure`, or `LeakError`; `TimeoutError` says where it hangs."""
        await asyncio.wait([self._task], timeout=timeout)
        if not self._task.done():
            stacks = await self._page.stacks()
            self._task.cancel()
            await asyncio.wait([self._task])
            raise TimeoutError(
                f"{self._task.get_name()} has not come back after {timeout} s; tasks in the page:\n{stacks}"
            )
        return self._task.result()

    async def reached(self, step: str, timeout: float = 30) -> Any:
        """Wait until the body calls `steps.reached(step, value)`; the value. A run that ends first is an error."""
        try:
            async with asyncio.timeout(timeout):
                return decode(await self._page.page.evaluate(js_call("lkPage.reached", self._run, step)))
        except PageError:
            await self.result()  # the run has ended: its own error says more
            raise
        except TimeoutError:
            raise TimeoutError(f"the run did not reach {step!r} within {timeout} s") from None

    async def signal(self, step: str, value: object = None) -> None:
        """Let the body go on that waits in `steps.until(step)`."""
        await self._page.page.evaluate(js_call("lkPage.signal", self._run, step, encode(value)))

    async def forget(self) -> None:
        """The page was closed under the run: its end is of no interest."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def cancel(self) -> None:
        """Cancel the run's task inside the page; `result()` then raises `RemoteFailure` of a CancelledError."""
        await self._page.page.evaluate(js_call("lkPage.stop", self._run))


class PythonPage:
    """One page with Python in it, kept for a whole session and booted again after a run that spoiled it."""

    def __init__(self, page: Page, site: Site | LiteSite, host: str = "page") -> None:
        self.page = page
        self.site = site
        self.host = host
        self.boot_seconds = 0.0
        self.boots = 0
        self._ready = False
        self._last_run = 0
        self._preparations: dict[str, tuple[Callable[..., Coroutine[Any, Any, object]], dict[str, object]]] = {}

    @classmethod
    async def open(cls, browser: Browser, site: Site | LiteSite, host: str = "page") -> "PythonPage":
        """Open a page in the browser and boot Python in it, or in a worker of it: `host` is a key of `HOSTS`."""
        page = cls(await browser.new_page(), site, host)
        await page.boot()
        return page

    @property
    def browser_name(self) -> str:
        """`chromium` or `firefox`."""
        return self.page.browser_name

    async def boot(self) -> None:
        """Load the page anew: Pyodide, the wheels, the package and the test bodies."""
        started = time.monotonic()
        self._ready = False
        try:
            await HOSTS[self.host](self.page, self.site)
        except PageError as error:
            raise PageError(f"{error}; the console:\n" + "\n".join(map(shorten, self.page.console[-20:]))) from None
        self.boot_seconds = time.monotonic() - started
        self.boots += 1
        self._ready = True
        for body, kwargs in self._preparations.values():
            await self._prepare(body, kwargs)

    async def prepare(self, body: Callable[P, Coroutine[Any, Any, object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a body once for all that come after it, after each boot: it may leave behind what it likes."""
        assert not args, "arguments of a run travel by name"
        key = f"{body.__qualname__} {encode(kwargs)}"
        if key not in self._preparations:
            self._preparations[key] = body, dict(kwargs)
            if self._ready:
                await self._prepare(body, dict(kwargs))

    async def _prepare(self, body: Callable[..., Coroutine[Any, Any, object]], kwargs: dict[str, object]) -> None:
        handle = await self._begin(body, kwargs, prepares=True)
        await handle.result()

    async def close(self) -> None:
        """Close the page as a user does."""
        self._ready = False
        await self.page.close()

    async def run(self, body: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a test body in the page; its JSON value. Keyword arguments only: they travel as JSON and bytes."""
        return await (await self.start(body, *args, **kwargs)).result()

    async def start(self, body: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> RunHandle[T]:
        """Begin a run and do not wait for it."""
        assert not args, "arguments of a run travel by name"
        if not self._ready:
            await self.boot()
        return await self._begin(body, kwargs, prepares=False)

    async def _begin(
        self, body: Callable[..., Coroutine[Any, Any, T]], kwargs: Mapping[str, object], *, prepares: bool
    ) -> RunHandle[T]:
        self._last_run += 1
        run = self._last_run
        await self.page.evaluate(js_call("lkPage.begin", run, body.__module__, body.__qualname__, encode(kwargs)))
        work = self._finish(run, f"{body.__module__}.{body.__qualname__}", prepares)
        return RunHandle(self, run, asyncio.create_task(work, name=f"run {body.__qualname__}"))

    async def _finish(self, run: int, name: str, prepares: bool) -> Any:
        try:
            report = await self.page.evaluate(js_call("lkPage.finish", run, prepares))
        except (PageError, asyncio.CancelledError):
            self._ready = False  # the page is gone, or the run goes on with nobody to hear of it
            raise
        outcome, leaks, faults = decode(report["outcome"]), report["leaks"], report["faults"]
        if leaks or faults:
            self._ready = False
        if failure := outcome.get("failure"):
            notes = "".join(f"\nleft behind: {leak}" for leak in leaks) + "".join(f"\nunseen: {f}" for f in faults)
            raise RemoteFailure(failure["type"], failure["message"], failure["traceback"], notes)
        if leaks or faults:
            raise LeakError(name, leaks, faults)
        return outcome["value"]

    async def stacks(self) -> str:
        """Where every Python task in the page stands: for a test that timed out."""
        return str(await self.page.evaluate("lkPage.stacks()"))
