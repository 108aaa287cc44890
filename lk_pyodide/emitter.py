"""Events: who hears of them, and how one waits for them.

pyee stores the handlers; what it leaves out is here: each handler is on its own (one that raises is logged, and the
others still run), ``async def`` handlers are tasks that somebody holds, a handler is given as many arguments as it
takes (decided when it is registered), and a name that does not exist is an error.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from pyee.base import EventEmitter

from lk_pyodide.errors import DeadlineExceeded, LiveKitError
from lk_pyodide.logging import Tally, get_logger

__all__ = ["Event", "EventSource", "EventStream"]

_log = get_logger("events")

Handler = Callable[..., object]
F = TypeVar("F", bound=Handler)
E = TypeVar("E", bound="Event")
E2 = TypeVar("E2", bound="Event")
E_co = TypeVar("E_co", bound="Event", covariant=True)
E3 = TypeVar("E3", bound="Event")
N = TypeVar("N", bound=str)
R = TypeVar("R")


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Base of all events. The fields are what a handler by name is given, in order.

    The name is that of the class in snake_case, unless the class says another.
    """

    event_name: ClassVar[str] = ""

    @classmethod
    def __init_subclass__(cls, **kwargs: object) -> None:
        if "event_name" not in vars(cls):
            cls.event_name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    @property
    def _weight(self) -> int:
        """Bytes for which it counts while a handler has not done with it; 0 does not count."""
        return 0

    def arguments(self) -> tuple[object, ...]:
        """The positional arguments of a handler by name."""
        kind = type(self)
        names = _field_names.get(kind)
        if names is None:
            names = _field_names[kind] = tuple(entry.name for entry in dataclasses.fields(self))
        return tuple(getattr(self, name) for name in names)


_field_names: dict[type[Event], tuple[str, ...]] = {}
"""By class: to ask a dataclass takes as long as to call a handler."""


MAX_BACKLOG = 64 * 1024 * 1024
"""Bytes of events that others send at will, for which one handler may be busy; it is not given more meanwhile."""
OVERHEAD = 4096
"""Bytes that a task counts for, which handles one."""
LARGEST = OVERHEAD + 64 * 1024
"""The same with the largest packet, for events of which nobody measures what is in them."""


class _Registration:
    """One handler for one event: what the user gave, and how it is called.

    Attributes:
        backlog: bytes of the events that it has not done with.
    """

    def __init__(self, handler: Handler, *, by_class: bool, once: bool) -> None:
        self.handler = handler
        self.once = once
        self.backlog = 0
        self._limit = None if by_class else _positional_limit(handler)
        self._by_class = by_class

    def __call__(self, event: Event) -> object:
        return self.handler(event) if self._by_class else self.handler(*event.arguments()[: self._limit])


class EventSource(Generic[N]):
    """Something that events come from. ``N`` is the Literal type of their names.

    Args:
        events: the events that there are.
    """

    def __init__(self, events: Mapping[str, type[Event]]) -> None:
        self._known = events
        self._store = EventEmitter()
        self._handler_tasks: set[asyncio.Task[Any]] = set()
        self._streams: list[EventStream[Any]] = []
        self._failed, self._left_out = Tally(_log), Tally(_log)

    # -- registering --

    @overload
    def on(self, event: type[E], /) -> Callable[[Callable[[E], R]], Callable[[E], R]]: ...
    @overload
    def on(self, event: type[E], handler: Callable[[E], object], /) -> Self: ...
    @overload
    def on(self, event: N, /) -> Callable[[F], F]: ...
    @overload
    def on(self, event: N, handler: Handler, /) -> Self: ...
    def on(self, event: str | type[Event], handler: Handler | None = None, /) -> Any:
        """Call ``handler`` each time.

        Args:
            event: a name, for a handler that is given the event's fields, as many as it takes; or an event class, for
                one that is given the event.
            handler: a function or coroutine function; leave it out to decorate one.

        Returns:
            This object, for chaining; or the decorator.

        Raises:
            ValueError: there is no such event; the message lists those that there are.
        """
        return self._register(event, handler, once=False)

    @overload
    def once(self, event: type[E], /) -> Callable[[Callable[[E], R]], Callable[[E], R]]: ...
    @overload
    def once(self, event: type[E], handler: Callable[[E], object], /) -> Self: ...
    @overload
    def once(self, event: N, /) -> Callable[[F], F]: ...
    @overload
    def once(self, event: N, handler: Handler, /) -> Self: ...
    def once(self, event: str | type[Event], handler: Handler | None = None, /) -> Any:
        """Call ``handler`` the next time only; otherwise as :meth:`on`."""
        return self._register(event, handler, once=True)

    def off(self, event: N | type[Event], handler: Handler, /) -> Self:
        """Take a handler away, whether :meth:`on` or :meth:`once` added it; nothing happens if it is not there."""
        name = self._name(event)
        for registration in self._registered(name):
            if registration.handler == handler:
                self._store.remove_listener(name, registration)
                break
        return self

    def _registered(self, name: str) -> list[_Registration]:
        """A snapshot, in order."""
        return cast("list[_Registration]", list(self._store.listeners(name)))

    def _register(self, event: str | type[Event], handler: Handler | None, *, once: bool) -> Any:
        name = self._name(event)
        by_class = not isinstance(event, str)

        def add(given: Handler) -> Handler:
            if not callable(given):
                raise TypeError(f"a handler must be callable, not {type(given).__name__}")
            # pyee keeps one entry for equal handlers, so each registration is an object of its own.
            registration = _Registration(given, by_class=by_class, once=once)
            self._store.add_listener(name, registration)
            return given

        if handler is None:
            return add
        add(handler)
        return self

    def _name(self, event: str | type[Event]) -> str:
        name = event if isinstance(event, str) else event.event_name
        known = self._known.get(name)
        if known is None or (not isinstance(event, str) and known is not event):
            raise ValueError(f"there is no event {name!r}; known events: {', '.join(sorted(self._known))}")
        return name

    # -- waiting --

    @overload
    async def wait_for(
        self, event: type[E], *, timeout: float | None = None, check: Callable[[E], bool] | None = None
    ) -> E: ...
    @overload
    async def wait_for(
        self, event: N, *, timeout: float | None = None, check: Callable[[Any], bool] | None = None
    ) -> Any: ...
    async def wait_for(
        self, event: str | type[Event], *, timeout: float | None = None, check: Callable[[Any], bool] | None = None
    ) -> Any:
        """Wait for the next event of a kind.

        Args:
            event: its name or class.
            timeout: seconds; None waits as long as the room lives.
            check: take the first event for which this is true.

        Returns:
            The event object.

        Raises:
            DeadlineExceeded: nothing came in time (a ``TimeoutError``).
            RoomDisconnectedError: the room ended first.
        """
        stream = self._stream((self._known[self._name(event)],))
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                async for found in stream:
                    if check is None or check(found):
                        return found
        except TimeoutError as error:
            if not deadline.expired():
                raise  # the check's own
            raise DeadlineExceeded(f"no {self._name(event)} within {timeout:g} s") from error
        finally:
            stream.close()
        raise stream.ended_by or LiveKitError("no more events")

    @overload
    def events(self) -> EventStream[Event]: ...
    @overload
    def events(self, first: type[E], /) -> EventStream[E]: ...
    @overload
    def events(self, first: type[E], second: type[E2], /) -> EventStream[E | E2]: ...
    @overload
    def events(self, first: type[E], second: type[E2], third: type[E3], /) -> EventStream[E | E2 | E3]: ...
    @overload
    def events(self, *kinds: type[Event] | N) -> EventStream[Event]: ...
    def events(self, *kinds: Any) -> EventStream[Any]:
        """Iterate over events, from this call on.

        Args:
            kinds: event classes or names; none means all.

        Returns:
            An ``async for``-able stream that ends with the room.
        """
        return self._stream(tuple(self._known[self._name(kind)] for kind in kinds) or tuple(self._known.values()))

    def _stream(self, kinds: tuple[type[Event], ...]) -> EventStream[Any]:
        stream: EventStream[Any] = EventStream(kinds, self._streams)
        self._streams.append(stream)
        return stream

    # -- emitting --

    def _emit(self, event: Event) -> None:
        """Tell everyone: handlers in the order of registration, before this returns; then who waits."""
        for registration in self._registered(event.event_name):
            if registration.once:
                if registration not in self._registered(event.event_name):
                    continue  # an earlier handler emitted the same event
                self._store.remove_listener(event.event_name, registration)
            self._run(registration, event)
        for stream in list(self._streams):
            stream._put(event)

    def _run(self, registration: _Registration, event: Event) -> None:
        weight = event._weight
        if weight and registration.backlog + weight > MAX_BACKLOG:
            self._left_out.log(
                logging.WARNING, "a handler of %r is too slow: it is not given an event", event.event_name
            )
            return
        try:
            result = registration(event)
        except (Exception, asyncio.CancelledError) as error:  # nobody cancels what does not wait: it is its own
            self._tell_failure(event.event_name, error)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(_awaited(result))
            self._handler_tasks.add(task)
            registration.backlog += weight
            task.add_done_callback(lambda done: self._handler_done(done, registration, event))

    def _handler_done(self, task: asyncio.Task[Any], registration: _Registration, event: Event) -> None:
        self._handler_tasks.discard(task)
        registration.backlog -= event._weight
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell_failure(event.event_name, error)

    def _tell_failure(self, name: str, error: BaseException) -> None:
        self._failed.log(logging.ERROR, "a handler of %r raised", name, error=error)

    def _end_streams(self, error: LiveKitError) -> None:
        """No more events: everyone who waits is told."""
        for stream in list(self._streams):
            stream._end(error)


async def _awaited(result: Any) -> object:
    return await result


class EventStream(Generic[E_co]):
    """Events as they come, for ``async for``.

    What is not taken is kept, up to a limit; the oldest go first then, and ``dropped`` counts them.
    """

    LIMIT: ClassVar[int] = 1000

    def __init__(self, kinds: tuple[type[Event], ...], owner: list[EventStream[Any]]) -> None:
        self.dropped = 0
        self.ended_by: LiveKitError | None = None
        self._kinds = kinds
        self._owner = owner
        self._queue: deque[E_co] = deque()
        self._ready = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def close(self) -> None:
        """Hear no more. What has come already can still be taken."""
        self._closed = True
        self._ready.set()
        if self in self._owner:
            self._owner.remove(self)

    def _put(self, event: Event) -> None:
        if isinstance(event, self._kinds):
            if len(self._queue) >= self.LIMIT:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(cast(E_co, event))
            self._ready.set()

    def _end(self, error: LiveKitError) -> None:
        self.ended_by = error
        self.close()


def _positional_limit(handler: Handler) -> int | None:
    """How many positional arguments a handler takes; None for any number."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
