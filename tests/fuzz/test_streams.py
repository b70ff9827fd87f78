"""Upgrades of exec, attach, port-forward and the proxies that are half meant, and frames after them that are none."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.effort import attempt
from tests.fuzz.plane import Plane
from tests.fuzz.raw import exchange

POD = f"/api/v1/namespaces/{NAMESPACE}/pods/streamed"
_KEY = base64.b64encode(b"0123456789abcdef").decode()
_UPGRADES = ("websocket", "SPDY/3.1", "spdy/3.1", "h2c", "x", "", "websocket, SPDY/3.1")
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v4.channel.k8s.io, x", "portforward.k8s.io",
    "SPDY/3.1+portforward.k8s.io",
              "base64.channel.k8s.io", "x", "", ",,,", "base64url.bearer.authorization.k8s.io.!!!",
              "a" * 5_000)  # fmt: skip
_QUERIES = ("command=a&stdout=1", "", "stdin=x&tty=y", "ports=80", "ports=99999", "ports=x&ports=-1",
    "container=x&stdout=1", "path=..%2f..",
            "command=" + "a" * 10_000, "stdout=1&command=%00", "stderr=1&tty=1&command=a")  # fmt: skip
_FRAMES = (
    b"", b"\x80\x03\x00\x01\x00\x00\x00\x0a" + b"\0" * 10, b"\x80\x03\x00\x01\x01\xff\xff\xff",
    b"\x80\x02\x00\x01\0\0\0\0",
    b"\x80\x03\x00\x04\x00\x00\x00\x04\xff\xff\xff\xff", b"\x00\x00\x00\x01\x00\xff\xff\xff" + b"a" * 1000,
    b"\x80\x03\x00\x06\0\0\0\4\0\0\0\1",
    b"\xff" * 2000, b"\0" * 2000, b"\x81\xfe\xff\xff" + b"a" * 100, b"\x81\x05hello",
    b"\x88\x80\0\0\0\0", b"\x89\xff" + b"\xff" * 8, b"\xc1\x80\0\0\0\0", b"\x82\x82\0\0\0\0\xff\xff",
    b"GET / HTTP/1.1\r\n\r\n",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def pod(client: Client) -> Iterator[None]:
    """A pod on a node whose agent is not there."""
    check(client.json("POST", "/api/v1/nodes", {"metadata": {"name": "nowhere"}}))
    addresses = {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                            "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}}  # fmt: skip
    merge = "application/merge-patch+json"
    check(client.json("PATCH", "/api/v1/nodes/nowhere/status", addresses, content_type=merge))
    spec = {"nodeName": "nowhere", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}
    check(client.json("POST", POD.rpartition("/")[0], {"metadata": {"name": "streamed"}, "spec": spec}))
    running = {"status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    check(client.json("PATCH", POD + "/status", running, content_type=merge))
    yield


def test_upgrades_and_frames(plane: Plane, client: Client) -> None:
    paths = (
        f"{POD}/exec", f"{POD}/attach", f"{POD}/portforward", f"{POD}/log", f"{POD}/proxy/x", f"{POD}:1/proxy/",
        "/api/v1/nodes/nowhere/proxy/x", "/api/v1/nodes/https:nowhere:x/proxy/",
        f"/api/v1/namespaces/{NAMESPACE}/services/a/proxy/",
        "/api/v1/pods",
    )  # fmt: skip

    def make(choose: Choices) -> bytes:
        path = choose.one(paths)
        query = choose.one(_QUERIES) if path != "/api/v1/pods" else "watch=1&timeoutSeconds=1"
        headers = ["Host: a"]
        if choose.chance(90):
            headers += [
                f"Upgrade: {choose.one(_UPGRADES)}",
                "Connection: " + choose.one(("Upgrade", "upgrade, x", "close")),
            ]
        if choose.chance(80):
            headers += [
                "Sec-WebSocket-Version: " + choose.one(("13", "8", "x")),
                f"Sec-WebSocket-Key: {choose.one((_KEY, 'x', ''))}",
            ]
        for name in ("Sec-WebSocket-Protocol", "X-Stream-Protocol-Version"):
            if choose.chance(60):
                headers.append(f"{name}: {choose.one(_PROTOCOLS)}")
        head = "\r\n".join([f"{choose.one(('GET', 'POST', 'PUT'))} {path}?{query} HTTP/1.1", *headers])
        return head.encode() + b"\r\n\r\n" + b"".join(choose.one(_FRAMES) for _ in range(choose.below(4)))

    def sent(request: bytes) -> None:
        reply = exchange(plane, request, quiet=0.15)
        # The pod's agent is not there: 500 and 502 to 504 tell that. Nothing that only this server does may end so.
        for status in reply.statuses:
            assert status < 500 or b"unhandled" not in reply.data, reply
        assert b"Traceback" not in reply.data and b"could not process the request" not in reply.data, reply

    attempt("upgrades", make, sent, tries=30, long_tries=1000)
    check(client.request("GET", "/livez"))


def test_proxied_requests_with_odd_headers(client: Client) -> None:
    for headers in (
        [("X-Odd", b"\xff\xfe")], [("Cookie", b"\xed\xa0\x80")], [("Transfer-Encoding", "identity")], [("TE", "x")],
        [("Connection", "X-A, X-B"), ("X-A", "b")], [("Content-Encoding", "gzip")], [("X-Forwarded-For", b"\xff")],
        [("Accept", b"\xff")], [("Host2", "é")],
    ):  # fmt: skip
        for path in (f"{POD}/proxy/a", "/api/v1/nodes/nowhere/proxy/%ff", f"{POD}:1/proxy/a?b=%ff"):
            answer = client.request("GET", path, headers=headers)
            assert answer.status in (400, 502, 503), (path, headers, answer)
