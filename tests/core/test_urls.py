"""Addresses: what is taken, what is refused, and that nothing secret is in what is printed."""

from __future__ import annotations

import traceback
from urllib.parse import parse_qs, urlsplit

import pytest

from lk_pyodide.core import urls, wire
from lk_pyodide.core.messages import Capability, ClientInfo, ConnectionSettings, JoinRequest
from lk_pyodide.core.urls import ServerUrl
from lk_pyodide.errors import UsageError

TOKEN = "eyJhbGciOi.SECRET.c2ln"


@pytest.mark.parametrize(
    ("url", "socket", "http"),
    [
        ("wss://a.example", "wss://a.example/rtc/v1?q", "https://a.example/"),
        ("ws://a.example", "ws://a.example/rtc/v1?q", "http://a.example/"),
        ("https://a.example", "wss://a.example/rtc/v1?q", "https://a.example/"),
        ("http://a.example:7880", "ws://a.example:7880/rtc/v1?q", "http://a.example:7880/"),
        ("WSS://A.example/", "wss://A.example/rtc/v1?q", "https://A.example/"),
        ("wss://a.example/below/here", "wss://a.example/below/here/rtc/v1?q", "https://a.example/below/here"),
        ("wss://a.example/below//", "wss://a.example/below/rtc/v1?q", "https://a.example/below"),
        ("ws://[::1]:7880", "ws://[::1]:7880/rtc/v1?q", "http://[::1]:7880/"),
        ("wss://[2001:db8::1]/x", "wss://[2001:db8::1]/x/rtc/v1?q", "https://[2001:db8::1]/x"),
        ("  wss://a.example \n", "wss://a.example/rtc/v1?q", "https://a.example/"),
        ("wss://a.example#part", "wss://a.example/rtc/v1?q", "https://a.example/"),
        ("wss://a.example?", "wss://a.example/rtc/v1?q", "https://a.example/"),
        ("wss://a.example/x/?a=1&b", "wss://a.example/x/rtc/v1?a=1&b=&q", "https://a.example/x?a=1&b="),
    ],
)
def test_addresses(url: str, socket: str, http: str) -> None:
    server = ServerUrl.parse(url)
    assert server.signal("q", v0=False) == socket
    assert server.signal("q", v0=True) == socket.replace("/rtc/v1", "/rtc")
    assert server.http == http
    validate = server.validate("q", v0=False)
    assert validate == socket.replace("ws", "http", 1).replace("/rtc/v1?", "/rtc/v1/validate?")
    assert server.validate("q", v0=True) == validate.replace("/rtc/v1/", "/rtc/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "a.example:7880",
        "//a.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://a.example",
        "blob:https://a.example/1",
        "wss:",
        "wss:a.example",
        "wss://",
        "wss://:7880",
        "wss:///path",
        "wss://a.example:port",
        "wss://a.example:99999",
        "wss://[::1",
        "wss://[nonsense]",
        "wss://user@a.example",
        "wss://user:password@a.example",
        "wss://:password@a.example",
        "wss://@a.example",
        "wss://good.example\\@evil.example",
        "wss://a b.example",
        "wss://a.example :7880",
        "wss://a\u3000b.example",
        "wss://a%20b.example",
        "wss://a|b.example",
        "wss://a\x7f.example",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        ServerUrl.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "wss://user:SECRET@a.example",
        "wss://user:SECRET@a\u2100.example",
        "wss://a.example:SECRET",
        "wss://SECRET@[::1",
        "ftp://a.example/?access_token=SECRET",
        "SECRET",
    ],
)
def test_an_error_never_quotes_the_address(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerUrl.parse(url)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value)).replace(url, "").partition("UsageError")[2]
    assert "SECRET" not in repr(caught.value) + str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_query_of_the_users_own_is_sent_and_not_printed() -> None:
    server = ServerUrl.parse(f"wss://a.example/x?key={TOKEN}&of=a%20b%26c#fragment")
    assert TOKEN not in repr(server) + str(server)
    sent = urlsplit(server.signal("access_token=1", v0=False))
    assert _query(sent.query) == {"key": TOKEN, "of": "a b&c", "access_token": "1"}
    assert urlsplit(server.validate("access_token=1", v0=False)).query == sent.query


def test_what_we_ask_for_wins_over_the_users_query() -> None:
    server = ServerUrl.parse(f"wss://a.example/?access_token={TOKEN}&a=1&access_token=")
    assert server.signal("access_token=new&b=2", v0=True) == "wss://a.example/rtc?a=1&access_token=new&b=2"


@pytest.mark.parametrize(
    "url", ["ws://a.example", "http://a.example", "ws://127.0.0.1.a.example", "ws://10.0.0.1", "ws://[::2]"]
)
def test_mixed_content_is_refused_before_the_browser_does(url: str) -> None:
    with pytest.raises(UsageError, match="mixed content"):
        ServerUrl.parse(url, secure_page=True)
    assert ServerUrl.parse(url).scheme == "ws"


@pytest.mark.parametrize(
    "url",
    [
        "wss://a.example",
        "ws://localhost:7880",
        "ws://127.0.0.1",
        "ws://127.0.0.2:7880",
        "ws://127.255.255.254",
        "ws://[0:0:0:0:0:0:0:1]",
        "ws://localhost.",
        "ws://[::1]:7880",
        "http://LocalHost",
        "ws://a.localhost",
    ],
)
def test_a_secure_page_may_use_secure_servers_and_its_own_machine(url: str) -> None:
    assert ServerUrl.parse(url, secure_page=True).host


# -- queries -----------------------------------------------------------------------------------------------------------

CLIENT = ClientInfo(
    sdk=9,
    version="0.1",
    protocol=17,
    client_protocol=2,
    capabilities=(Capability.CAP_PACKET_TRAILER, Capability.CAP_COMPRESSION_DEFLATE_RAW),
    os="linux",
    os_version="6",
    browser="firefox",
    browser_version="140",
)


def _query(text: str) -> dict[str, str]:
    parsed = parse_qs(text, strict_parsing=True)
    assert all(len(found) == 1 for found in parsed.values())
    return {name: found[0] for name, found in parsed.items()}


def test_v1_has_two_parameters() -> None:
    request = JoinRequest(CLIENT, ConnectionSettings(auto_subscribe=True))
    query = _query(urls.join_query(f"{TOKEN}+/=", request))
    assert query.keys() == {"access_token", "join_request"}
    assert query["access_token"] == f"{TOKEN}+/=", "escaped, or + would be a space"
    assert wire.decode_join_request(query["join_request"]) == request
    url = ServerUrl.parse("wss://a.example").signal(urls.join_query(TOKEN, request), v0=False)
    assert _query(urlsplit(url).query)["access_token"] == TOKEN


def test_v0_says_it_all_in_the_query() -> None:
    request = JoinRequest(CLIENT, ConnectionSettings(auto_subscribe=True, adaptive_stream=True))
    assert _query(urls.v0_query(TOKEN, request)) == {
        "access_token": TOKEN,
        "auto_subscribe": "1",
        "sdk": "python",
        "version": "0.1",
        "protocol": "17",
        "client_protocol": "2",
        "capabilities": "CAP_PACKET_TRAILER,CAP_COMPRESSION_DEFLATE_RAW",
        "os": "linux",
        "os_version": "6",
        "browser": "firefox",
        "browser_version": "140",
        "adaptive_stream": "1",
    }


@pytest.mark.parametrize(
    ("settings", "auto_subscribe"),
    [(None, "1"), (ConnectionSettings(auto_subscribe=False), "0"), (ConnectionSettings(auto_subscribe=True), "1")],
)
def test_v0_always_says_whether_to_subscribe(settings: ConnectionSettings | None, auto_subscribe: str) -> None:
    query = _query(urls.v0_query(TOKEN, JoinRequest(CLIENT, settings)))
    assert query["auto_subscribe"] == auto_subscribe
    assert "adaptive_stream" not in query


def test_v0_without_client_info() -> None:
    query = _query(urls.v0_query(TOKEN, JoinRequest()))
    assert query == {
        "access_token": TOKEN,
        "auto_subscribe": "1",
        "sdk": "python",
        "protocol": "0",
        "client_protocol": "0",
    }
