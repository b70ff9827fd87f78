"""What a user does wrong gets Kubernetes' own answer."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubeactors.pki.authority import Authority, Identity
from tests.support.cluster import TestCluster, until

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "localhost/guestbook-sidecar:v1", "command": ["sleep", "1000"]}],
    },
}


def pod(**spec: Any) -> dict[str, Any]:
    return {**POD, "spec": {**POD["spec"], **spec}}


def refused(cluster: TestCluster, namespace: str, document: dict[str, Any], *options: str) -> str:
    """kubectl's complaint about a document that must not be taken."""
    done = cluster.kubectl("create", "-n", namespace, "-f", "-", *options, check=False, stdin=json.dumps(document))
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_unknown_fields(cluster: TestCluster, namespace: str) -> None:
    error = refused(cluster, namespace, pod(restartPolice="Never"))
    assert 'unknown field "spec.restartPolice"' in error


def test_wrong_types(cluster: TestCluster, namespace: str) -> None:
    error = refused(cluster, namespace, pod(terminationGracePeriodSeconds="soon"), "--validate=false")
    assert "BadRequest" in error
    assert "terminationGracePeriodSeconds" in error


def test_invalid_names(cluster: TestCluster, namespace: str) -> None:
    error = refused(cluster, namespace, {**POD, "metadata": {"name": "Not_Valid"}})
    assert (
        'The Pod "Not_Valid" is invalid: metadata.name: Invalid value: "Not_Valid": a lowercase RFC 1123 subdomain'
        in error
    )


def test_immutable_fields(cluster: TestCluster, namespace: str) -> None:
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(POD))
    done = cluster.kubectl("patch", "pod", "one", "-n", namespace, "-p", '{"spec":{"hostname":"x"}}', check=False)
    assert done.returncode == 1
    assert "spec: Forbidden: pod updates may not change fields other than" in done.stderr


def test_a_stale_resource_version_is_a_conflict(cluster: TestCluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "c", "-n", namespace)
    stale = cluster.get("configmap", "c", "-n", namespace)
    cluster.kubectl("label", "configmap", "c", "a=b", "-n", namespace)
    done = cluster.kubectl("replace", "-n", namespace, "-f", "-", check=False, stdin=json.dumps(stale))
    assert (
        'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to '
        "the latest version and try again"
    ) in done.stderr


def test_a_missing_image(cluster: TestCluster, namespace: str) -> None:
    document = pod(containers=[{"name": "main", "image": "localhost/nowhere:v1", "imagePullPolicy": "Never"}])
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(document))

    def waiting() -> bool:
        statuses = cluster.get("pod", "one", "-n", namespace)["status"].get("containerStatuses", [])
        return [s["state"].get("waiting", {}).get("reason") for s in statuses] == ["ErrImageNeverPull"]

    until(waiting, timeout=60, what="ErrImageNeverPull")


def test_an_unreachable_registry(cluster: TestCluster, namespace: str) -> None:
    document = pod(containers=[{"name": "main", "image": "127.0.0.1:9/nowhere:v1"}])
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(document))

    def failing() -> bool:
        statuses = cluster.get("pod", "one", "-n", namespace)["status"].get("containerStatuses", [])
        reasons = [s["state"].get("waiting", {}).get("reason") for s in statuses]
        return reasons in (["ErrImagePull"], ["ImagePullBackOff"])

    until(failing, timeout=60, what="ErrImagePull")
    events = cluster.kubectl("get", "events", "-n", namespace).stdout
    assert 'Failed to pull image "127.0.0.1:9/nowhere:v1"' in events


def test_an_unschedulable_pod_says_why_for_how_many_nodes(cluster: TestCluster, namespace: str) -> None:
    container = {**POD["spec"]["containers"][0], "resources": {"requests": {"cpu": "1000"}}}
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod(containers=[container])))

    def explained() -> bool:
        events = cluster.kubectl("get", "events", "-n", namespace).stdout
        return "FailedScheduling" in events and "0/1 nodes are available: 1 Insufficient cpu" in events

    until(explained, timeout=60, what="the FailedScheduling event")
    assert cluster.get("pod", "one", "-n", namespace)["status"]["conditions"][0]["reason"] == "Unschedulable"


def request(
    cluster: TestCluster, path: str, certificate: tuple[Path, Path] | None, body: bytes | None = None
) -> tuple[int, dict[str, Any]]:
    """A bare request; status and Status."""
    context = ssl.create_default_context(cafile=str(cluster.paths.pki / "ca.crt"))
    if certificate is not None:
        context.load_cert_chain(*map(str, certificate))
    url = f"https://{cluster.settings['advertise_address']}:{cluster.settings['https_port']}{path}"
    sent = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(sent, context=context, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_no_certificate_is_unauthorized(cluster: TestCluster) -> None:
    code, status = request(cluster, "/api/v1/namespaces", None)
    assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")


def test_a_certificate_of_another_authority_is_refused(cluster: TestCluster, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    pair = Authority.create("kubernetes", now).issue(
        Identity("kubernetes-admin", ("system:masters",), client=True), now
    )
    (tmp_path / "a.crt").write_bytes(pair.certificate)
    (tmp_path / "a.key").write_bytes(pair.key)
    code, status = request(cluster, "/api/v1/namespaces", (tmp_path / "a.crt", tmp_path / "a.key"))
    assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")


def test_a_body_over_the_limit(cluster: TestCluster, namespace: str) -> None:
    admin = (cluster.paths.pki / "admin.crt", cluster.paths.pki / "admin.key")
    big = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"a": "x" * 4 * 1024 * 1024}}
    code, status = request(cluster, f"/api/v1/namespaces/{namespace}/configmaps", admin, json.dumps(big).encode())
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("path", ["/api/v1/namespaces/default/pods/nothing", "/api/v1/namespaces/nowhere"])
def test_what_is_not_there(cluster: TestCluster, path: str) -> None:
    admin = (cluster.paths.pki / "admin.crt", cluster.paths.pki / "admin.key")
    code, status = request(cluster, path, admin)
    assert (code, status["reason"]) == (404, "NotFound")
