"""What the proxy changes on the way: names, paths, headers, links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.apiserver.streams.proxy.headers import to_backend, to_backend_upgrading, to_client
from kubeactors.apiserver.streams.proxy.html import rewrite_html
from kubeactors.apiserver.streams.proxy.urls import (
    Location,
    ProxyName,
    backend_path,
    encode_path,
    is_proxyable,
    parse_name,
    prefix_of,
    rewrite,
)

PREFIX = "/api/v1/namespaces/n/pods/p/proxy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ProxyName("", "a", "")),
        ("a:80", ProxyName("", "a", "80")),
        ("a:web", ProxyName("", "a", "web")),
        ("https:a:443", ProxyName("https", "a", "443")),
        ("http:a:", ProxyName("http", "a", "")),
        (":a:80", ProxyName("", "a", "80")),
        ("ftp:a:80", None),
        ("a:b:c", None),
        ("a:b:c:d", None),
        (":80", None),
        ("http::80", None),
    ],
)
def test_names(text: str, expected: ProxyName | None) -> None:
    assert parse_name(text) == expected


@pytest.mark.parametrize(
    ("below", "request_path", "expected"),
    [
        ("", PREFIX, ""),
        ("", PREFIX + "/", "/"),
        ("x", PREFIX + "/x", "/x"),
        ("x", PREFIX + "/x/", "/x/"),
        ("a//b/../c", PREFIX + "/a//b/../c", "/a/c"),
        ("../../etc", PREFIX + "/../../etc", "/etc"),
        ("a b", PREFIX + "/a b", "/a b"),
    ],
)
def test_paths(below: str, request_path: str, expected: str) -> None:
    assert backend_path(below, request_path) == expected


def test_paths_are_encoded_as_go_does() -> None:
    assert encode_path("/a b/ü?*'()!/$&+,:;=@-_.~") == "/a%20b/%C3%BC%3F%2A%27%28%29%21/$&+,:;=@-_.~"


def test_authorities() -> None:
    assert Location("http", "10.0.0.1", 80).authority == "10.0.0.1:80"
    assert Location("http", "10.0.0.1").authority == "10.0.0.1"
    assert Location("https", "fd00::1", 8443).authority == "[fd00::1]:8443"
    assert Location("https", "fd00::1").tcp_port == 443


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/x", PREFIX + "/x"),
        ("/x/", PREFIX + "/x/"),
        ("/", PREFIX + "/"),
        ("/x?q=1#f", PREFIX + "/x?q=1#f"),
        ("x/y", "x/y"),
        ("?q", "?q"),
        ("", ""),
        ("#top", "#top"),
        ("http://10.0.0.1:80/x", PREFIX + "/x"),
        ("http://elsewhere/x", "http://elsewhere/x"),
        ("https://api:6443/x", f"https://api:6443{PREFIX}/x"),
        (PREFIX + "/x", PREFIX + "/x"),
        ("mailto:a@b", "mailto:a@b"),
        ("//[", "//["),
    ],
)
def test_urls_of_answers(url: str, expected: str) -> None:
    assert rewrite(url, prefix=PREFIX, backend="10.0.0.1:80", host="api:6443") == expected


def test_the_prefix() -> None:
    assert prefix_of(PREFIX + "/a/b", "/a/b") == PREFIX
    assert prefix_of(PREFIX + "/", "/") == PREFIX


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("192.168.0.1", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("", False),
        ("host", False),
    ],
)
def test_what_may_be_proxied_to(address: str, allowed: bool) -> None:
    assert is_proxyable(address) is allowed


def test_headers_to_the_backend() -> None:
    given = [
        ("Host", "api:6443"),
        ("Authorization", "Bearer secret"),
        ("Impersonate-User", "alice"),
        ("X-Remote-User", "bob"),
        ("Connection", "keep-alive, X-Mine"),
        ("X-Mine", "1"),
        ("Keep-Alive", "300"),
        ("TE", "trailers"),
        ("X-Forwarded-For", "1.1.1.1"),
        ("Cookie", "a=b"),
    ]
    assert to_backend(given, "2.2.2.2", "/uri") == [
        ("Host", "api:6443"),
        ("Cookie", "a=b"),
        ("Te", "trailers"),
        ("X-Forwarded-For", "1.1.1.1, 2.2.2.2"),
        ("X-Forwarded-Uri", "/uri"),
    ]


def test_headers_of_an_upgrade() -> None:
    given = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Authorization", "Bearer secret")]
    assert to_backend_upgrading(given, "2.2.2.2") == [*given[:2], ("X-Forwarded-For", "2.2.2.2")]


def test_headers_to_the_client() -> None:
    given = [
        ("Content-Type", "text/plain"),
        ("Access-Control-Allow-Origin", "*"),
        ("Transfer-Encoding", "chunked"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    ]
    assert to_client(given) == [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<a href='/x'>t</a>", '<a href="P/x">t</a>'),
        ("<A HREF=/x CLASS=c>", '<a href="P/x" class="c">'),
        ('<img src="/i?a=1&amp;b=2"/>', '<img src="P/i?a=1&amp;b=2"/>'),
        ('<a href="/x?copy=1&copy=2">', '<a href="P/x?copy=1&amp;copy=2">'),
        ("<p title='/x'>", '<p title="/x">'),
        ("<a href>", '<a href="P">'),
        ("<!-- <a href='/x'> -->", "<!-- <a href='/x'> -->"),
        (
            "<script>if (a<b) '<a href=\"/x\">'</script><a href='/y'>",
            '<script>if (a<b) \'<a href="/x">\'</script><a href="P/y">',
        ),
        ("1 < 2 <b>", "1 < 2 <b>"),
        ("<a href='/x'", "<a href='/x'"),
        ("<!DOCTYPE html>", "<!DOCTYPE html>"),
        ("</a >", "</a >"),
        ("text only", "text only"),
        ("<", "<"),
    ],
)
def test_links_of_pages(page: str, expected: str) -> None:
    assert rewrite_html(page, lambda url: "P" + url) == expected


@given(st.text(alphabet="<>/!-ahref=\"' &;x\n", max_size=60))
def test_any_page_ends(page: str) -> None:
    assert isinstance(rewrite_html(page, str.upper), str)
    if "<" not in page:
        assert rewrite_html(page, str.upper) == page
