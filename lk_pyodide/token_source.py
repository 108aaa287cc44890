"""Token sources: where a room gets the server's address and its token from, each time that it connects.

Kinds and names are livekit-client's (``src/room/token-source``).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, overload

from lk_pyodide.browser.api import Browser
from lk_pyodide.browser.current import current
from lk_pyodide.core import token_source as core
from lk_pyodide.core.token_source import DEVELOPMENT_PATH, DEVELOPMENT_SERVER, Details
from lk_pyodide.errors import BrowserError, TokenSourceError, UsageError
from lk_pyodide.options import TokenSourceFetchOptions, merged
from lk_pyodide.types import ConnectErrorReason, TokenSourceResponse

__all__ = ["TokenSource", "TokenSourceConfigurable", "TokenSourceFixed"]

TIMEOUT = 15.0
"""Seconds that a token source has to answer, unless it is told otherwise; as long as signalling has to open."""

_Answer: TypeAlias = "Details | Awaitable[Details]"


class TokenSource(ABC):
    """Where an address and a token to join with come from; made by one of the functions here.

    ``room.connect(source)`` asks it each time, so that a token need not outlive a long wait or a long stay.
    """

    @overload
    @staticmethod
    def literal(server_url: str, participant_token: str) -> TokenSourceFixed: ...
    @overload
    @staticmethod
    def literal(function: Callable[[], _Answer], /, *, timeout: float = TIMEOUT) -> TokenSourceFixed: ...
    @staticmethod
    def literal(
        server_url: str | Callable[[], _Answer], participant_token: str = "", *, timeout: float = TIMEOUT
    ) -> TokenSourceFixed:
        """An address and a token that are known, or a function that gives them, which is called each time.

        Args:
            server_url: the address; or the function, which may be ``async``. It gives a pair, or a mapping with
                ``server_url`` and ``participant_token``.
            participant_token: the token that goes with the address.
            timeout: seconds that the function may take.
        """
        if isinstance(server_url, str):
            pair = server_url, participant_token
            return TokenSourceFixed(lambda: pair, timeout)
        return TokenSourceFixed(server_url, timeout)

    @staticmethod
    def custom(
        function: Callable[[TokenSourceFetchOptions], _Answer],
        *,
        options: TokenSourceFetchOptions | None = None,
        timeout: float = TIMEOUT,
    ) -> TokenSourceConfigurable:
        """A function that makes a token for what it is asked for; its answer is kept while it is good.

        Args:
            function: called with the options, and may be ``async``. It gives a pair of an address and a token, or a
                mapping with ``server_url`` and ``participant_token`` (or ``serverUrl`` and ``participantToken``), in
                which more may be.
            options: what to ask for, as far as :meth:`fetch` does not say.
            timeout: seconds that the function may take.
        """
        return TokenSourceConfigurable(function, options, timeout)

    @staticmethod
    def endpoint(
        url: str,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        options: TokenSourceFetchOptions | None = None,
        timeout: float = TIMEOUT,
        browser: Browser | None = None,
    ) -> TokenSourceConfigurable:
        """A server of yours that answers as LiveKit says; its answer is kept while it is good.

        See https://docs.livekit.io/frontends/build/authentication/endpoint/.

        Args:
            url: its address, which may be relative to the page. On another origin it has to allow this page (CORS).
            method: of the request, which has a body: the options as JSON.
            headers: what it wants to be told besides, such as ``Authorization``.
            options: what to ask for, as far as :meth:`fetch` does not say.
            timeout: seconds that it may take to answer.
            browser: the page; found out when it is first needed. Tests give a fake.

        Raises:
            UsageError: the address or a header is none, or the method has no body.
        """
        ask = _Endpoint(url, method, headers or {}, timeout, browser)
        return TokenSourceConfigurable(ask, options, timeout)

    @staticmethod
    def development_token_server(
        token_server_id: str,
        *,
        base_url: str = DEVELOPMENT_SERVER,
        options: TokenSourceFetchOptions | None = None,
        timeout: float = TIMEOUT,
        browser: Browser | None = None,
    ) -> TokenSourceConfigurable:
        """A token server of LiveKit Cloud for trying things out. Everyone who knows its id gets tokens from it.

        See https://docs.livekit.io/frontends/build/authentication/sandbox-token-server/.

        Args:
            token_server_id: its id.
            base_url: where it is.
            options: what to ask for, as far as :meth:`fetch` does not say.
            timeout: seconds that it may take to answer.
            browser: the page; found out when it is first needed. Tests give a fake.
        """
        headers = {"X-Sandbox-ID": token_server_id}
        url = base_url.rstrip("/") + DEVELOPMENT_PATH
        return TokenSource.endpoint(url, headers=headers, options=options, timeout=timeout, browser=browser)

    @abstractmethod
    async def fetch(self) -> TokenSourceResponse:
        """Give an address and a token.

        Raises:
            TokenSourceError: why not, in ``reason``.
        """

    def _forget(self) -> None:
        """The last answer was refused by the server: do not give it again. Most have not kept it anyway."""
        return


class TokenSourceFixed(TokenSource):
    """A source that cannot be asked for anything in particular; see :meth:`TokenSource.literal`.

    Args:
        function: gives the answer each time.
        timeout: seconds that it may take.
    """

    def __init__(self, function: Callable[[], _Answer], timeout: float = TIMEOUT) -> None:
        self._function = function
        self._timeout = timeout

    async def fetch(self) -> TokenSourceResponse:
        """Give the address and the token.

        Raises:
            TokenSourceError: why not, in ``reason``; what the function raised is its ``__cause__``.
        """
        return await _answer(self._function, timeout=self._timeout)


class TokenSourceConfigurable(TokenSource):
    """A source that is asked for a room and a participant, and keeps its last answer.

    See :meth:`TokenSource.custom` and :meth:`TokenSource.endpoint`.

    Args:
        function: called with the options.
        options: what to ask for, as far as :meth:`fetch` does not say.
        timeout: seconds that the function may take.
    """

    def __init__(
        self,
        function: Callable[[TokenSourceFetchOptions], _Answer],
        options: TokenSourceFetchOptions | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._function = function
        self._options = merged(options, TokenSourceFetchOptions())
        self._timeout = timeout
        self._cache = core.TokenCache()
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, options: TokenSourceFetchOptions | None = None, force: bool = False) -> TokenSourceResponse:
        """Give an address and a token: the last ones, unless they were for something else, or end within a minute.

        Several calls at once ask one after the other, so that all but the first of the same question find its answer.

        Args:
            options: what to ask for; the rest is as the source was made.
            force: ask in any case.

        Raises:
            TokenSourceError: why not, in ``reason``; what the function raised is its ``__cause__``.
        """
        wanted = merged(options, self._options)
        async with self._one_at_a_time:
            if force:
                self._cache.forget()
            kept = self._cache.get(wanted, time.time())
            if kept is not None:
                return kept
            response = await _answer(self._function, merged(wanted), timeout=self._timeout)
            self._cache.keep(wanted, response)
            return response

    def _forget(self) -> None:
        self._cache.forget()


class _Endpoint:
    """Asks a server for tokens."""

    def __init__(
        self, url: str, method: str, headers: Mapping[str, str], timeout: float, browser: Browser | None
    ) -> None:
        core.check_endpoint(url, method, headers)
        self._url = url
        self._method = method
        self._headers = core.request_headers(headers)
        self._timeout = timeout
        self._browser = browser

    async def __call__(self, options: TokenSourceFetchOptions) -> TokenSourceResponse:
        body = core.request_body(options)
        page = self._browser or current()
        await page.ready()
        url = core.absolute(self._url, page.info.page_url)
        try:
            answer = await page.fetch(url, method=self._method, headers=self._headers, body=body, timeout=self._timeout)
        except BrowserError as error:
            raise TokenSourceError(
                "the token endpoint could not be reached, or does not allow this page to ask it (CORS)",
                ConnectErrorReason.SERVER_UNREACHABLE,
            ) from error
        return core.read_answer(answer.status, answer.text)


async def _answer(function: Callable[..., object], *given: object, timeout: float) -> TokenSourceResponse:
    """What a function says, in time. Whoever called wrongly hears of it as it is."""
    try:
        async with asyncio.timeout(timeout):
            answer = function(*given)
            if inspect.isawaitable(answer):
                answer = await answer
    except (TokenSourceError, UsageError):
        raise
    except TimeoutError as error:
        raise TokenSourceError("the token source did not answer in time", ConnectErrorReason.TIMEOUT) from error
    except Exception as error:
        # Without its words, as there may be a token in them.
        raise TokenSourceError(
            f"the token source failed ({type(error).__name__})", ConnectErrorReason.INTERNAL_ERROR
        ) from error
    return core.read_details(answer)
