"""What is no HTTP, or HTTP that nobody should write."""

from __future__ import annotations

import socket

import pytest

from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client, connect
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.effort import attempt
from tests.fuzz.plane import Plane
from tests.fuzz.raw import exchange, read

GET = b"GET /version HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /api/v1/namespaces/%b/configmaps HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" % (
    NAMESPACE.encode()
)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"Connection: close\r\n\r\n"

#: What is sent, and the statuses of what must come back before the connection is closed.
REFUSED: dict[str, tuple[bytes, list[int]]] = {
    "no request line": (b"garbage\r\n\r\n", [405]),
    "zeros": (b"\0" * 100, [405]),
    "another version": (b"GET /version HTTP/9.9\r\nHost: a\r\n\r\n", [400]),
    "no host": (b"GET /version HTTP/1.1\r\n\r\n", [400]),
    "two hosts": (b"GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "a zero in the method": (b"G\0T /version HTTP/1.1\r\nHost: a\r\n\r\n", [405]),
    "an unknown method": (b"BREW /version HTTP/1.1\r\nHost: a\r\n\r\n", [405]),
    "an endless method": (b"A" * 1_000_000, [405]),
    "an endless target": (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", [431]),
    "an endless header": (GET + b"A: " + b"b" * 1_000_000 + b"\r\n\r\n", [431]),
    "too many headers": (GET + b"".join(b"A%d: b\r\n" % i for i in range(20_000)) + b"\r\n", [400]),
    "a header without a colon": (GET + b"abc\r\n\r\n", [400]),
    "a space before the colon": (GET + b"A : b\r\n\r\n", [400]),
    "a folded header": (GET + b"A: b\r\n c\r\n\r\n", [400]),
    "a zero in a header": (GET + b"A: b\0c\r\n\r\n", [400]),
    "a return in a header": (GET + b"A: b\rX: c\r\n\r\n", [400]),
    "length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / H", [400]),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc", [400]),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", [400]),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", [400]),
    "a length in hexadecimal": (POST + b"Content-Length: 0x2\r\n\r\n{}", [400]),
    "an overflowing length": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}", [400]),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", [400]),
    "an unknown encoding": (POST + b"Transfer-Encoding: x\r\n\r\n{}", [400]),
    "chunks twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunks not last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", [400]),
    "no chunk size": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", [400]),
    "a negative chunk size": (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", [400]),
    "an overflowing chunk size": (CHUNKED + b"f" * 20 + b"\r\n{}", [400]),
    "no end of a chunk": (CHUNKED + b"2\r\n{}XX0\r\n\r\n", [400]),
    "no slash": (b"GET version HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a zero in the path": (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "bytes in the path": (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a space in the path": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a bad escape": (b"GET /api/%zz HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "half an escape": (b"GET /api/% HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [400]),
}
#: What is odd, but must be answered; each asks for the connection's end, or is followed by a request that does.
ANSWERED: dict[str, tuple[bytes, list[int]]] = {
    "HTTP/1.0": (b"GET /version HTTP/1.0\r\n\r\n", [200]),
    "empty lines first": (b"\r\n\r\n" + GET + END, [200]),
    "bytes in headers": (GET + b"User-Agent: \xff\xfe\r\nX: \xed\xa0\x80\r\n" + END, [200]),
    "a body of a GET": (GET + b"Content-Length: 3\r\n\r\nabc" + GET + END, [200, 200]),
    "pipelined requests": ((GET + b"\r\n") * 20 + GET + END, [200] * 21),
    "the absolute form": (b"GET http://other.example/version HTTP/1.1\r\nHost: a\r\n" + END, [200]),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "no path": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "dots": (b"GET /api/v1/namespaces/%2e%2e HTTP/1.1\r\nHost: a\r\n" + END, [400]),
    "dots as they are": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "a slash in a name": (b"GET /api/v1/namespaces/a%2fb HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "a zero in a name": (b"GET /api/v1/namespaces/%00 HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "bytes in a name": (b"GET /api/v1/namespaces/%ff%fe HTTP/1.1\r\nHost: a\r\n" + END, [404]),
    "a surrogate": (b"GET /api/v1/pods?labelSelector=%ed%a0%80 HTTP/1.1\r\nHost: a\r\n" + END, [400]),
    "a long chunk extension": (CHUNKED + b"2;" + b"a" * 9_000 + b"\r\n{}\r\n0\r\n\r\n" + GET + END, [422, 200]),
    "an offer of HTTP/2": (
        GET + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
        [200],
    ),
    "the body before it is asked for": (
        POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n" + END + b"{}",
        [100, 422],
    ),
    "a watch over half a WebSocket": (
        b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        [400],
    ),
}


@pytest.mark.parametrize("name", REFUSED | ANSWERED)
def test_malformed_requests(plane: Plane, name: str) -> None:
    sent, statuses = (REFUSED | ANSWERED)[name]
    reply = exchange(plane, sent)
    assert reply.statuses == statuses, reply
    assert reply.closed, f"the connection stays open after {reply}"


def test_a_body_that_is_too_large(plane: Plane) -> None:
    for sent in (POST + b"Content-Length: 99999999\r\n\r\n{}", CHUNKED + b"ffffff\r\n" + b"a" * 4_000_000):
        reply = exchange(plane, sent, until=b'"code":413}')
        assert reply.statuses == [413], reply


def test_requests_with_changed_bytes(plane: Plane, client: Client) -> None:
    body = b'{"metadata":{"name":"a"}}'
    requests = (
        GET + b"Accept: application/json\r\n" + END,
        POST + b"Content-Length: %d\r\n" % len(body) + END + body,
        POST + b"Transfer-Encoding: chunked\r\n" + END + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    )

    def make(choose: Choices) -> bytes:
        made = bytearray(choose.one(requests))
        for _ in range(1 + choose.below(4)):
            place = choose.below(len(made))
            how = choose.below(3)
            if how == 0:
                made[place] = choose.below(256)
            elif how == 1:
                del made[place : place + 1 + choose.below(4)]
            else:
                made[place:place] = choose.one((b"\r\n", b"\0", b":", b" ", b"\xff", b"0", made[:place]))
        return bytes(made)

    def sent(request: bytes) -> None:
        # Where the end is missing the server may wait; what it says must be no fault of its own.
        reply = exchange(plane, request, quiet=0.1)
        assert all(status < 500 for status in reply.statuses), reply
        assert b"Traceback" not in reply.data

    attempt("changed bytes", make, sent, tries=40, long_tries=2000)
    check(client.request("GET", "/version"))


def test_who_says_nothing_holds_up_nobody(plane: Plane) -> None:
    """Connections that send slowly or not at all, and those that are half closed, cost the others nothing."""
    context = plane.control.ssl_context()
    waiting = [socket.create_connection(plane.address) for _ in range(30)]  # no handshake
    waiting += [connect(plane.address, context) for _ in range(10)]
    for each in waiting[30:]:
        each.sendall(POST + b"Content-Length: 100\r\n\r\n{")
    half = connect(plane.address, context)
    half.sendall(GET + b"\r\n")
    half.shutdown(socket.SHUT_WR)
    answered = exchange(plane, GET + END)
    assert answered.statuses == [200]
    read(half, quiet=2.0)
    for each in (*waiting, half):
        each.close()
    assert exchange(plane, GET + END).statuses == [200]


def test_clients_that_expect_to_be_told_to_continue(plane: Plane) -> None:
    connection = connect(plane.address, plane.control.ssl_context())
    with connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n" + END)
        assert read(connection, 5.0, b"\r\n\r\n").statuses == [100]
        connection.sendall(b"{}")
        assert read(connection, 5.0).statuses == [422]
