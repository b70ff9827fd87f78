"""Container logs over the agent's gRPC service: who may ask, what they get, rotation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from kubeactors.pb.node.v1 import node_pb2, node_pb2_grpc
from kubeactors.pki.authority import Authority, Identity
from tests.support.node_machine import Machine, container, is_ready, node_machine, status_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = "exec sleep 1000"


class Certificates:
    """A CA with a node's certificate on disk."""

    def __init__(self, directory: Path) -> None:
        self.now = datetime.now(UTC)
        self.authority = Authority.create("kubernetes-ca", self.now)
        self.ca, self.cert, self.key = directory / "ca.crt", directory / "node.crt", directory / "node.key"
        pair = self.authority.issue(
            Identity("system:node:n", ("system:nodes",), names=("127.0.0.1",), server=True), self.now
        )
        self.ca.write_bytes(self.authority.certificate)
        self.cert.write_bytes(pair.certificate)
        self.key.write_bytes(pair.key)

    def channel(self, port: int, common_name: str | None, authority: Authority | None = None) -> grpc.aio.Channel:
        key = certificate = None
        if common_name:
            pair = (authority or self.authority).issue(
                Identity(common_name, ("system:masters",), client=True), self.now
            )
            key, certificate = pair.key, pair.certificate
        credentials = grpc.ssl_channel_credentials(self.authority.certificate, key, certificate)
        return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured(certificates: Certificates) -> AsyncIterator[Machine]:
    options = {"tls_cert": certificates.cert, "tls_key": certificates.key, "client_ca": certificates.ca}
    async with node_machine(log_max_size=2000, log_max_files=3, **options) as machine:
        yield machine


async def logs(machine: Machine, certificates: Certificates, pod: str, **options: Any) -> str:
    assert machine.agent is not None
    async with certificates.channel(machine.agent.port, "kube-apiserver-kubelet-client") as channel:
        request = node_pb2.LogsRequest(namespace="default", pod=pod, **{"container": "c", **options})
        call = node_pb2_grpc.NodeStub(channel).Logs(request, timeout=20)
        return b"".join([chunk.data async for chunk in call]).decode()


async def test_only_the_api_server_may_ask(secured: Machine, certificates: Certificates) -> None:
    assert secured.agent is not None
    other = Authority.create("other-ca", certificates.now)
    for common_name, authority, code in (
        ("system:node:n", None, grpc.StatusCode.PERMISSION_DENIED),
        (None, None, grpc.StatusCode.UNAVAILABLE),
        ("kube-apiserver-kubelet-client", other, grpc.StatusCode.UNAVAILABLE),
    ):
        async with certificates.channel(secured.agent.port, common_name, authority) as channel:
            request = node_pb2.LogsRequest(namespace="default", pod="none", container="c")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                _ = [chunk async for chunk in node_pb2_grpc.NodeStub(channel).Logs(request, timeout=5)]
            assert caught.value.code() is code


async def test_reading(secured: Machine, certificates: Certificates) -> None:
    await secured.create("talks", container("c", f"for i in $(seq 20); do echo line $i; done; echo bad >&2; {SLEEP}"))
    await secured.wait_ready("talks")
    await secured.until(lambda: "bad" in secured.log_text("talks"), "it has written")
    assert await logs(secured, certificates, "talks") == "".join(f"line {i}\n" for i in range(1, 21)) + "bad\n"
    assert await logs(secured, certificates, "talks", tail_lines=2) == "line 20\nbad\n"
    assert await logs(secured, certificates, "talks", limit_bytes=8) == "line 1\nl"
    stamped = await logs(secured, certificates, "talks", tail_lines=1, timestamps=True)
    assert stamped.endswith("Z bad\n") and stamped.startswith(datetime.now(UTC).strftime("%Y-"))
    assert await logs(secured, certificates, "talks", since_seconds=3600, tail_lines=1) == "bad\n"
    assert await logs(secured, certificates, "talks", since_time="2999-01-01T00:00:00Z") == ""


async def test_following_until_the_end(secured: Machine, certificates: Certificates) -> None:
    script = "for i in 1 2 3; do echo $i; sleep 0.2; done"
    await secured.create("counts", container("c", script), restartPolicy="Never")
    await secured.wait("counts", lambda p: p.get("status", {}).get("phase") in ("Running", "Succeeded"), "runs")
    assert await logs(secured, certificates, "counts", follow=True) == "1\n2\n3\n"
    await secured.wait_phase("counts", "Succeeded")
    assert await logs(secured, certificates, "counts", follow=True) == "1\n2\n3\n"


async def test_previous(secured: Machine, certificates: Certificates) -> None:
    mount = [{"name": "v", "mountPath": "/v"}]
    script = f"if [ -e /v/x ]; then echo second; {SLEEP}; fi; touch /v/x; echo first; exit 1"
    volumes = [{"name": "v", "emptyDir": {}}]
    await secured.create("again", container("c", script, volumeMounts=mount), volumes=volumes)
    await secured.wait("again", lambda p: status_of(p).get("restartCount") == 1 and is_ready(p), "was restarted")
    await secured.until(lambda: secured.log_text("again", attempt=1) == "second\n", "it has written")
    assert await logs(secured, certificates, "again", previous=True) == "first\n"
    assert await logs(secured, certificates, "again") == "second\n"


@pytest.mark.parametrize(
    ("pod", "options", "code", "message"),
    [
        ("none", {}, grpc.StatusCode.NOT_FOUND, 'pod "none" not found'),
        ("quiet", {"container": "x"}, grpc.StatusCode.NOT_FOUND, "container x is not valid for pod quiet"),
        (
            "quiet",
            {"previous": True},
            grpc.StatusCode.FAILED_PRECONDITION,
            'previous terminated container "c" in pod "quiet" not found',
        ),
        ("quiet", {"since_time": "yesterday"}, grpc.StatusCode.INVALID_ARGUMENT, "not an RFC 3339 time"),
        (
            "stuck",
            {},
            grpc.StatusCode.FAILED_PRECONDITION,
            'container "c" in pod "stuck" is waiting to start: ErrImageNeverPull',
        ),
        (
            "initializing",
            {},
            grpc.StatusCode.FAILED_PRECONDITION,
            'container "c" in pod "initializing" is waiting to start: PodInitializing',
        ),
    ],
)
async def test_refusals(
    secured: Machine, certificates: Certificates, pod: str, options: dict[str, Any], code: grpc.StatusCode, message: str
) -> None:
    if secured.pod("quiet") is None:
        await secured.create("quiet", container("c", SLEEP))
        await secured.create("stuck", container("c", image="localhost/none:1", imagePullPolicy="Never"))
        await secured.create("initializing", container("c", SLEEP), initContainers=[container("i", SLEEP)])
        await secured.wait_ready("quiet")
        await secured.wait("stuck", lambda p: status_of(p)["state"].get("waiting", {}).get("message"), "is refused")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await logs(secured, certificates, pod, **options)
    assert caught.value.code() is code
    assert message in (caught.value.details() or "")


async def test_rotation_while_it_is_followed(secured: Machine, certificates: Certificates) -> None:
    script = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo number $i; sleep 0.01; done"
    await secured.create("loud", container("c", script), restartPolicy="Never")
    await secured.wait("loud", lambda p: p.get("status", {}).get("phase") == "Running", "runs")
    following = asyncio.create_task(logs(secured, certificates, "loud", follow=True))
    assert secured.agent is not None and secured.agent._rotation is not None and secured.agent._manager is not None
    worker = secured.agent._manager.find("default", "loud")
    assert worker is not None
    directory = worker.paths.container("c")
    for _ in range(2):
        log = directory / "0.log"
        await secured.until(lambda: log.exists() and log.stat().st_size > 2000, "the log is large")  # noqa: B023
        await secured.agent._rotation.rotate()
    await secured.wait_phase("loud", "Succeeded")
    assert await asyncio.wait_for(following, 10) == "".join(f"number {i}\n" for i in range(1, 201))
    assert len(list(directory.glob("0.log*"))) == 3
