"""Our values as W3C's dictionaries, for whoever hands them to JavaScript."""

from __future__ import annotations

from lk_pyodide.browser.api import DataChannelInit, Encoding, Json, RtcConfig

DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
"""The header extension that tells which frames of a layered stream need which."""

_ENCODING = {
    "max_bitrate": "maxBitrate",
    "max_framerate": "maxFramerate",
    "scale_resolution_down_by": "scaleResolutionDownBy",
    "priority": "priority",
    "scalability_mode": "scalabilityMode",
}


def config_to_w3c(config: RtcConfig) -> dict[str, Json]:
    """``RTCConfiguration``."""
    servers: list[Json] = []
    for server in config.ice_servers:
        item: dict[str, Json] = {"urls": list(server.urls)}
        if server.username or server.credential:
            item.update(username=server.username, credential=server.credential)
        servers.append(item)
    return {"iceServers": servers, "iceTransportPolicy": config.ice_transport_policy}


def channel_to_w3c(init: DataChannelInit) -> dict[str, Json]:
    """``RTCDataChannelInit``."""
    options: dict[str, Json] = {"ordered": init.ordered}
    if init.max_retransmits is not None:
        options["maxRetransmits"] = init.max_retransmits
    return options


def encoding_to_w3c(encoding: Encoding) -> dict[str, Json]:
    """``RTCRtpEncodingParameters`` without what is left to the browser."""
    given: dict[str, Json] = {"active": encoding.active}
    if encoding.rid is not None:
        given["rid"] = encoding.rid
    for name, key in _ENCODING.items():
        value = getattr(encoding, name)
        if value is not None:
            given[key] = value
    return given
