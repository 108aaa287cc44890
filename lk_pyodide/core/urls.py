"""Addresses of the signalling service (livekit-client ``src/api/utils.ts``, livekit-server ``rtcservice.go``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lk_pyodide.core import wire
from lk_pyodide.core.messages import Capability, ClientInfo, JoinRequest
from lk_pyodide.errors import UsageError

LOCAL = "local"
"""The scheme of a server that is a tab of this browser. What stands after it may be empty."""

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss", LOCAL: LOCAL}
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
# What browsers refuse in a host (WHATWG URL, forbidden domain code points), as far as urlsplit leaves it there.
_NOT_IN_A_HOST = re.compile(r"[\s\x00-\x1f\x7f%<>\\^|]")


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server address that has been checked.

    Its repr is safe to print: an address with a user name or password in it is refused, and the query is left out.
    """

    scheme: str
    host: str
    path: str
    query: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, *, secure_page: bool = False) -> ServerUrl:
        """Check an address that a user gave.

        Args:
            url: ``ws://``, ``wss://``, ``http://`` or ``https://``, with a path if the server lives below one, and a
                query if something in front of it wants one; or ``local://``, which needs no host.
            secure_page: the page came over https, where browsers refuse ``ws://`` except to the machine itself.

        Raises:
            UsageError: it is no address of a server, or the browser would refuse it.
        """
        try:
            parts = urlsplit(url.strip())
            parts.port  # noqa: B018 - raises on a bad port
        except ValueError:
            # The reason quotes the address, and with it a password or token that may be in there.
            raise UsageError("not a server address: its host or port is malformed") from None
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not (parts.hostname or scheme == LOCAL):
            raise UsageError(
                "the server address must start with wss://, ws://, https:// or http:// and name a host, or be local://"
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError("the server address must not contain a user name or password")
        if _NOT_IN_A_HOST.search(parts.hostname or ""):
            raise UsageError("not a server address: its host has characters that no host has")
        if secure_page and scheme == "ws" and not _is_loopback(parts.hostname or ""):
            raise UsageError("a page that came over https can only use wss:// servers (mixed content)")
        return cls(scheme, parts.netloc, parts.path.rstrip("/"), parts.query)

    @property
    def http(self) -> str:
        """The address for plain HTTP requests."""
        return self._http(self.path or "/", self._with_own(""))

    def signal(self, query: str, *, v0: bool) -> str:
        """The address of the WebSocket. It contains the token."""
        return urlunsplit((self.scheme, self.host, self._rtc(v0), self._with_own(query), ""))

    def validate(self, query: str, *, v0: bool) -> str:
        """The address that says why a WebSocket was refused. It contains the token."""
        return self._http(self._rtc(v0) + "/validate", self._with_own(query))

    def _rtc(self, v0: bool) -> str:
        return self.path + ("/rtc" if v0 else "/rtc/v1")

    def _http(self, path: str, query: str) -> str:
        return urlunsplit(("https" if self.scheme == "wss" else "http", self.host, path, query, ""))

    def _with_own(self, query: str) -> str:
        """The address's own query and then ours, which wins (livekit-client ``createRtcUrl``)."""
        ours = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        own = [(name, value) for name, value in parse_qsl(self.query, keep_blank_values=True) if name not in ours]
        return "&".join(filter(None, (urlencode(own), query)))


def _is_loopback(host: str) -> bool:
    """Whether browsers take it for the machine itself (W3C Secure Contexts, potentially trustworthy origins)."""
    host = host.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _LOOPBACK)


def join_query(token: str, request: JoinRequest) -> str:
    """Query of ``/rtc/v1``: everything but the token is in the join request."""
    return urlencode({"access_token": token, "join_request": wire.encode_join_request(request)})


def v0_query(token: str, request: JoinRequest) -> str:
    """Query of ``/rtc``, for servers that do not know ``/rtc/v1``."""
    client = request.client_info or ClientInfo()
    settings = request.connection_settings
    query = {
        "access_token": token,
        "auto_subscribe": "1" if settings is None or settings.auto_subscribe else "0",
        "sdk": "python",
        "version": client.version,
        "protocol": str(client.protocol),
        "client_protocol": str(client.client_protocol),
        "capabilities": ",".join(Capability(capability).name for capability in client.capabilities),
        "os": client.os,
        "os_version": client.os_version,
        "device_model": client.device_model,
        "browser": client.browser,
        "browser_version": client.browser_version,
        "adaptive_stream": "1" if settings is not None and settings.adaptive_stream else "",
    }
    return urlencode({name: value for name, value in query.items() if value})
