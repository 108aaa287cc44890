"""One small interface to a browser's page, whichever protocol drives the browser."""

import json
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Reply:
    """An intercepted request's answer."""

    body: bytes = b""
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def all_headers(self) -> dict[str, str]:
        """Headers as sent. A stand-in for a CDN must allow other origins, as the CDN does."""
        return {"content-type": self.content_type, "access-control-allow-origin": "*", **self.headers}


Handler = Callable[[str], Reply]
"""Answers an intercepted request by its URL."""


def folder_handler(url_prefix: str, folder: Path) -> Handler:
    """Serve what follows the prefix from a local folder; 404 for what is not there."""

    def answer(url: str) -> Reply:
        parts = urlsplit(url)
        path = f"{parts.scheme}://{parts.netloc}{parts.path}"
        file = (folder / unquote(path.removeprefix(url_prefix)).lstrip("/")).resolve()
        if not file.is_relative_to(folder.resolve()) or not file.is_file():
            return Reply(f"{url} is not in {folder}".encode(), "text/plain", 404)
        return Reply(file.read_bytes(), _content_type(file))

    return answer


def _content_type(file: Path) -> str:
    known = {
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".whl": "application/zip",
    }
    return known.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"


class PageError(RuntimeError):
    """JavaScript in the page raised, or the page is gone."""


class Page(Protocol):
    """A page of a browser. `console` collects console lines and uncaught errors, as `level: text`."""

    console: list[str]

    @property
    def browser_name(self) -> str:
        """`chromium` or `firefox`."""
        ...

    async def goto(self, url: str) -> None:
        """Load a URL and wait for the load event."""
        ...

    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression, a promise awaited. It counts as a user gesture."""
        ...

    async def preload(self, script: str) -> None:
        """Run a script in every document loaded from now on, before the document's own."""
        ...

    async def click(self, selector: str) -> None:
        """A real click by the browser's input pipeline."""
        ...

    async def route(self, url_prefix: str, source: Path | Handler) -> None:
        """From now on answer requests for URLs that start so from a folder or a function."""
        ...

    async def screenshot(self, path: Path) -> None:
        """Write a PNG."""
        ...

    async def close(self) -> None:
        """Close the page as a user does: `pagehide` fires."""
        ...


class Browser(Protocol):
    """A running browser."""

    name: str

    async def new_page(self) -> Page:
        """A new page (a tab, or a window where background tabs sleep). All pages share one profile."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def as_json_promise(expression: str) -> str:
    """An expression that gives a promise of the value's JSON: what both protocols carry without surprises."""
    return f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"


def js_call(function: str, *arguments: Any) -> str:
    """The expression that calls a JavaScript function with JSON arguments."""
    return f"({function})({', '.join(json.dumps(argument) for argument in arguments)})"
