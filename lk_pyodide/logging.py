"""Loggers and their levels: standard ``logging`` under the name ``lk_pyodide``.

No line contains a token or a key: what is logged never includes a server address with its query, a join request or a
refreshed token.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TextIO

__all__ = ["LogLevel", "get_logger", "set_log_extension", "set_log_level"]

ROOT = "lk_pyodide"
LogExtension = Callable[["LogLevel", str, Mapping[str, object]], object]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogLevel(IntEnum):
    """livekit-client's levels (its integers); lower case as in JavaScript works too."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    SILENT = 5

    trace = 0
    debug = 1
    info = 2
    warn = 3
    error = 4
    silent = 5


_TO_PYTHON = {
    LogLevel.TRACE: 5,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.SILENT: logging.CRITICAL + 1,
}


def get_logger(name: str = "") -> logging.Logger:
    """The library's logger, or the one of a part of it (``"signal"``, ``"browser"`` …)."""
    return logging.getLogger(f"{ROOT}.{name}" if name else ROOT)


class Tally:
    """Lines about what others can bring about as often as they like: each at first, then a few at a time.

    Each line says how many there were, so that a flood is seen for what it is without becoming one of its own.

    Args:
        logger: where the lines go.
        burst: how many lines may come in a row.
        pause: seconds after which there may be as many again.
    """

    def __init__(self, logger: logging.Logger, burst: int = 10, pause: float = 10.0) -> None:
        self.count = 0
        self._logger = logger
        self._burst = burst
        self._pause = pause
        self._since = time.monotonic()
        self._lines = 0

    def log(self, level: int, text: str, *args: object, error: BaseException | None = None) -> None:
        """Count one, and tell of it unless there were enough lines of late; ``error`` is shown with its traceback."""
        self.count += 1
        now = time.monotonic()
        if now - self._since > self._pause:
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines <= self._burst:
            counted = f"{text} (%d so far)"
            self._logger.log(level, counted, *args, self.count, exc_info=error, stacklevel=2)


def set_log_level(level: LogLevel | int | str, name: str = "") -> None:
    """Choose what is logged.

    Args:
        level: a :class:`LogLevel`, its name, or a level of the standard library from ``logging.DEBUG`` (10) on.
        name: the part of the library; all of it when empty.

    Raises:
        ValueError: there is no such level.
    """
    if isinstance(level, str):
        try:
            level = LogLevel[level.upper()]
        except KeyError:
            raise ValueError(f"no log level {level!r}; known: {', '.join(m.name for m in LogLevel)}") from None
    number = level if level >= logging.DEBUG else _TO_PYTHON[LogLevel(level)]
    if not name:
        for part in [part for part in logging.root.manager.loggerDict if part.startswith(f"{ROOT}.")]:
            logging.getLogger(part).setLevel(logging.NOTSET)
    get_logger(name).setLevel(number)
    _add_console()


def _add_console() -> None:
    logger = get_logger()
    if not any(isinstance(handler, _Console) for handler in logger.handlers):
        logger.addHandler(_Console())


def set_log_extension(extension: LogExtension | None) -> None:
    """Get every record that passes the level.

    Args:
        extension: called with the level, the text and the record's own fields; None takes it away.
    """
    logger = get_logger()
    for handler in [handler for handler in logger.handlers if isinstance(handler, _ExtensionHandler)]:
        logger.removeHandler(handler)
    if extension is not None:
        logger.addHandler(_ExtensionHandler(extension))
        _add_console()  # with a handler here, the standard last resort does not print warnings any more


class _Console(logging.StreamHandler[TextIO]):
    """Prints where nobody configured logging, as on a page: the standard last resort prints warnings only."""

    def emit(self, record: logging.LogRecord) -> None:
        others = [
            handler for handler in get_logger().handlers if not isinstance(handler, (_Console, _ExtensionHandler))
        ]
        if not others and not logging.getLogger().handlers:
            self.stream = sys.stderr  # as it is now: notebooks replace it for each cell
            super().emit(record)


class _ExtensionHandler(logging.Handler):
    def __init__(self, extension: LogExtension) -> None:
        super().__init__()
        self._extension = extension

    def emit(self, record: logging.LogRecord) -> None:
        level = max((lk for lk, number in _TO_PYTHON.items() if number <= record.levelno), default=LogLevel.TRACE)
        context = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        try:
            self._extension(level, record.getMessage(), {"logger": record.name, **context})
        except Exception:
            self.handleError(record)
