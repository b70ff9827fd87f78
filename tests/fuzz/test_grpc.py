"""The gRPC API and the store's etcd API with messages that fit their types and nothing else, and with plain bytes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from kubeactors.pb.api.v1 import api_pb2
from kubeactors.pb.etcd import rpc_pb2
from kubeactors.pki.cluster import ClusterPki
from tests.fuzz.checks import check, check_log
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.effort import attempt
from tests.fuzz.messages import FAULTS, call, message
from tests.fuzz.plane import Plane
from tests.support.control_plane import HOST, ControlPlane
from tests.support.ports import free_port

#: Calls that take the store's only member away, or its room.
_DEADLY = {"MemberAdd", "MemberRemove", "MemberUpdate", "MemberPromote", "Alarm", "MoveLeader", "Downgrade"}
_KNOWN: dict[str, tuple[Any, ...]] = {
    "group": ("", "apps", "fuzz.example.com"),
    "version": ("v1", "v9", ""),
    "resource": ("configmaps", "pods", "deployments", "widgets", "none"),
    "kind": ("ConfigMap", "Pod"),
    "namespace": (NAMESPACE, "", "default", "none", "a/b"),
    "name": ("a", "b", "..", "a/b", "%"),
    "subresource": ("", "status", "scale", "log", "none"),
    "json": (b'{"metadata":{"name":"a"}}', b"{", b"", b"null", b"[" * 5000, b'{"metadata":5}'),
    "body": (b'{"metadata":{"name":"a"}}', b"{", b"", b"null"),
    "key": (b"/registry/configmaps/fuzz/a", b"", b"\0", b"a"),
    "range_end": (b"", b"\0", b"b", b"\xff" * 10),
}
_JUNK = (
    b"",
    b"\0",
    b"\xff" * 20,
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x0a\x05ab",
    b"\x08" + b"\xff" * 10 + b"\x01",
    b"\x0b" * 1000,
    b"\x0a\x02\xff\xfe",
    b"{}",
)
_HUGE = b"\x0a\x80\x80\x80\x28" + b"a" * 84_000_000


def _channel(tls: ControlPlane, address: str, authority: Any, certificate: str) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(
        authority.read_bytes(), tls.pki.key(certificate).read_bytes(), tls.pki.certificate(certificate).read_bytes()
    )
    return grpc.secure_channel(address, credentials, [("grpc.max_send_message_length", -1)])


@pytest.fixture(scope="module")
def api(plane: Plane) -> Iterator[grpc.Channel]:
    control = plane.control
    with _channel(control, control.grpc_endpoint, control.pki.ca, "admin") as channel:
        yield channel


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, grpc.Channel]]:
    """A store of its own: what is sent may delete everything."""
    directory = tmp_path_factory.mktemp("store")
    pki = ClusterPki(directory / "pki")
    pki.ensure([HOST, "localhost"], (HOST, "localhost"), datetime.now(UTC))
    control = ControlPlane(directory, pki, free_port(), {})
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(control.start_store())
        with _channel(control, f"{HOST}:{control.store_port}", pki.store_ca, "apiserver-etcd-client") as channel:
            yield control, channel
        check_log((directory / "store.log").read_text(errors="replace"))
    finally:
        loop.run_until_complete(control.stop())
        loop.close()


def _attempt(channel: grpc.Channel, service: ServiceDescriptor, tries: int, long_tries: int) -> None:
    for method in service.methods:
        if method.name in _DEADLY:
            continue
        path = f"/{service.full_name}/{method.name}"
        streams = method.client_streaming or method.server_streaming

        def make(choose: Choices, method: Any = method) -> list[Any]:
            count = 1 + (choose.below(3) if method.client_streaming else 0)
            return [message(method.input_type, choose, _KNOWN) for _ in range(count)]

        def sent(case: list[Any], path: str = path, streams: bool = streams) -> None:
            # A stream may go on for ever: it is given up soon, and that is no fault.
            code = call(channel, path, [each.SerializeToString() for each in case], streams)
            assert code not in FAULTS, f"{path} ended with {code}: {case}"
            assert streams or code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{path} does not answer: {case}"

        attempt(path, make, sent, tries=2 if streams else tries, long_tries=20 if streams else long_tries)


def test_the_api(api: grpc.Channel, client: Client) -> None:
    for service in api_pb2.DESCRIPTOR.services_by_name.values():
        _attempt(api, service, tries=12, long_tries=400)
    check(client.request("GET", "/livez"))


def test_bytes_that_are_no_messages(api: grpc.Channel, plane: Plane, client: Client) -> None:
    before = plane.resident()
    for service in api_pb2.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            for junk in _JUNK:
                code = call(
                    api,
                    f"/{service.full_name}/{method.name}",
                    [junk],
                    method.client_streaming or method.server_streaming,
                )
                assert code not in FAULTS, (method.name, junk)
        assert call(api, f"/{service.full_name}/None", [b""], False) is grpc.StatusCode.UNIMPLEMENTED
        assert call(api, f"/{service.full_name}/Get", [_HUGE], False) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert plane.resident() - before < 100 * 2**20
    check(client.request("GET", "/livez"))


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000]
)
def test_what_is_no_http2(plane: Plane, api: grpc.Channel, sent: bytes) -> None:
    address = (HOST, plane.control.grpc_port)
    with socket.create_connection(address, 5) as plain:
        plain.sendall(sent)
    context = plane.control.ssl_context()
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(address, 5) as plain, context.wrap_socket(plain, server_hostname=HOST) as tls:
        tls.settimeout(1.0)
        try:
            tls.sendall(sent)
            while tls.recv(65536):
                pass
        except (TimeoutError, ConnectionError, ssl.SSLError):
            pass
    known = api_pb2.GetRequest().SerializeToString()
    assert call(api, f"/{api_pb2.DESCRIPTOR.services_by_name['Resources'].full_name}/Get", [known], False) not in FAULTS


def test_the_store(store: tuple[ControlPlane, grpc.Channel]) -> None:
    _, channel = store
    for service in rpc_pb2.DESCRIPTOR.services_by_name.values():
        _attempt(channel, service, tries=12, long_tries=400)
    for service in rpc_pb2.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            if method.name not in _DEADLY:
                for junk in _JUNK:
                    call(
                        channel,
                        f"/{service.full_name}/{method.name}",
                        [junk],
                        method.client_streaming or method.server_streaming,
                    )
    assert call(channel, "/etcdserverpb.KV/Put", [_HUGE], False) in (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    )
    put = rpc_pb2.PutRequest(key=b"a", value=b"b").SerializeToString()
    assert call(channel, "/etcdserverpb.KV/Put", [put], False) is grpc.StatusCode.OK
