"""Getting a join response: which address, why it failed, whether to try the older one."""

from __future__ import annotations

from lk_pyodide._version import __version__
from lk_pyodide.browser.api import BrowserInfo, IceServer, RtcConfig
from lk_pyodide.core import urls
from lk_pyodide.core.messages import (
    ClientConfigSetting,
    ClientInfo,
    ConnectionSettings,
    JoinRequest,
    JoinResponse,
    SessionDescription,
)
from lk_pyodide.core.signal import CAPABILITIES, CLIENT_PROTOCOL, PROTOCOL_VERSION, SDK_PYTHON
from lk_pyodide.errors import BrowserError, ConnectError, DeadlineExceeded
from lk_pyodide.options import RoomConnectOptions
from lk_pyodide.session.schemes import Network
from lk_pyodide.types import ConnectErrorReason

VALIDATE_TIMEOUT = 5.0
"""Seconds for the server to say why it refused a WebSocket."""

_BROWSER_NAMES = {"chrome": "Chrome", "firefox": "Firefox", "safari": "Safari", "edge": "Edge", "opera": "Opera"}


def client_info(info: BrowserInfo) -> ClientInfo:
    """Who we are. The server chooses its workarounds by browser and OS (livekit-server ``clientinfo.go``)."""
    return ClientInfo(
        sdk=SDK_PYTHON,
        version=__version__,
        protocol=PROTOCOL_VERSION,
        client_protocol=CLIENT_PROTOCOL,
        capabilities=CAPABILITIES,
        os=info.os,
        os_version=info.os_version,
        device_model=info.device,
        browser=_BROWSER_NAMES.get(info.name, info.name),
        browser_version=info.version,
    )


def join_request(
    info: BrowserInfo, options: RoomConnectOptions, *, adaptive_stream: bool, offer: SessionDescription | None
) -> JoinRequest:
    """What we ask for when joining."""
    settings = ConnectionSettings(
        auto_subscribe=options.auto_subscribe is not False,
        adaptive_stream=adaptive_stream,
        # An absent bool counts as false on /rtc/v1, where the older path took the server's default.
        subscriber_allow_pause=True,
    )
    return JoinRequest(client_info=client_info(info), connection_settings=settings, publisher_offer=offer)


def rtc_config(options: RoomConnectOptions, join: JoinResponse | None = None) -> RtcConfig:
    """The peer connection's configuration: the user's ICE servers replace the server's."""
    own = options.rtc_config
    if own is not None and own.ice_servers is not None:
        servers = tuple(IceServer(tuple(s.urls), s.username, s.credential) for s in own.ice_servers)
    else:
        servers = tuple(IceServer(s.urls, s.username, s.credential) for s in (join.ice_servers if join else ()))
    forced = (
        join is not None
        and join.client_configuration is not None
        and (join.client_configuration.force_relay == ClientConfigSetting.ENABLED)
    )
    relay = forced or (own is not None and own.ice_transport_policy == "relay")
    return RtcConfig(servers, "relay" if relay else "all")


async def explain(
    network: Network, server: urls.ServerUrl, query: str, *, v0: bool, error: ConnectError
) -> ConnectError:
    """Find out why a WebSocket did not open: the browser does not tell, but the server's ``/validate`` does.

    Returns:
        The error to raise instead.
    """
    try:
        answer = await network.fetch(server.validate(query, v0=v0), timeout=VALIDATE_TIMEOUT)
    except DeadlineExceeded:
        return ConnectError("the server does not answer", ConnectErrorReason.SERVER_UNREACHABLE)
    except BrowserError:
        return ConnectError("the server could not be reached", ConnectErrorReason.SERVER_UNREACHABLE)
    text, status = answer.text.strip()[:200], answer.status
    if status in (401, 403) or (status == 404 and "requested room does not exist" in text):
        return ConnectError(text or "not allowed", ConnectErrorReason.NOT_ALLOWED, status=status)
    if status == 404:
        path = "/rtc" if v0 else "/rtc/v1"
        return ConnectError(
            f"there is no LiveKit server at this address ({path} not found)",
            ConnectErrorReason.SERVICE_NOT_FOUND,
            status=status,
        )
    return ConnectError(
        f"{error} (HTTP {status}: {text})" if status >= 400 else str(error), error.reason, status=status
    )


def query_for(token: str, request: JoinRequest, *, v0: bool) -> str:
    """The query that joins, by path."""
    return urls.v0_query(token, request) if v0 else urls.join_query(token, request)
