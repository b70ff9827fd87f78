"""What the suite has kubectl do: sig-cli's behaviours that need no container to run."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.conformance.cluster import NODES, Cluster
from tests.conformance.kubectl import IMAGE, Kubectl, deployment, replication_controller
from tests.conformance.registry import behaviour

CLIENT = "[sig-cli] Kubectl client "


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str) -> Kubectl:
    return Kubectl(cluster, namespace)


@behaviour(CLIENT + "Kubectl api-versions should check if v1 is in available api versions")
def test_api_versions(kubectl: Kubectl) -> None:
    assert "v1" in kubectl("api-versions").splitlines()


@behaviour(
    CLIENT + "Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info"
)
def test_cluster_info(kubectl: Kubectl) -> None:
    plain = kubectl("cluster-info").replace("\x1b[0;32m", "").replace("\x1b[0;33m", "").replace("\x1b[0m", "")
    assert f"Kubernetes control plane is running at {kubectl.cluster.url}" in plain
    dumped = kubectl("cluster-info", "dump", "--namespaces", kubectl.namespace)
    assert '"kind": "NodeList"' in dumped


@behaviour(CLIENT + "Kubectl version should check is all data is printed")
def test_version(kubectl: Kubectl) -> None:
    words = kubectl("version")
    assert "Client Version: v1.37" in words
    assert "Server Version: v1.37" in words
    for side in json.loads(kubectl("version", "-o", "json")).items():
        if side[0].endswith("Version") and isinstance(side[1], dict) and "gitVersion" in side[1]:
            assert {"major", "minor", "gitVersion", "gitCommit", "gitTreeState", "platform"} <= side[1].keys()
            assert all(side[1][field] for field in ("major", "minor", "gitVersion", "gitCommit", "platform"))


@behaviour(CLIENT + "Kubectl describe should check if kubectl describe prints relevant information for rc and pods")
def test_describe(kubectl: Kubectl) -> None:
    kubectl.with_(replication_controller("agnhost-primary", 1, app="agnhost", role="primary"), "create")
    kubectl("create", "service", "clusterip", "agnhost-primary", "--tcp=6379:6379")
    kubectl("set", "selector", "service", "agnhost-primary", "app=agnhost,role=primary")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "rc/agnhost-primary", "--timeout=60s")
    (pod,) = kubectl.names("pods", "-l", "app=agnhost")
    described = {
        "pod": _words(kubectl("describe", pod)),
        "rc": _words(kubectl("describe", "rc", "agnhost-primary")),
        "service": _words(kubectl("describe", "service", "agnhost-primary")),
        "node": _words(kubectl("describe", "node", NODES[0])),
        "namespace": _words(kubectl("describe", "namespace", kubectl.namespace)),
    }
    wanted = {
        "pod": [
            "Name: agnhost-primary-",
            f"Namespace: {kubectl.namespace}",
            "Node: node-",
            "Labels: app=agnhost",
            "role=primary",
            "Annotations:",
            "Status: Running",
            "IP:",
            "Controlled By: ReplicationController/agnhost-primary",
            f"Image: {IMAGE}",
            "State:",
            "QoS Class: BestEffort",
        ],
        "rc": [
            "Name: agnhost-primary",
            f"Namespace: {kubectl.namespace}",
            "Selector: app=agnhost,role=primary",
            "Labels: app=agnhost",
            "Replicas: 1 current / 1 desired",
            "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
            "Pod Template:",
            f"Image: {IMAGE}",
            "Events:",
        ],
        "service": [
            "Name: agnhost-primary",
            f"Namespace: {kubectl.namespace}",
            "Selector: app=agnhost,role=primary",
            "Type: ClusterIP",
            "IP: 10.",
            "Port: 6379-6379 6379/TCP",
            "Endpoints: 10.",
            "Session Affinity: None",
        ],
        "node": [
            "Name:",
            "Labels:",
            "Annotations:",
            "CreationTimestamp:",
            "Conditions:",
            "Ready",
            "Capacity:",
            "Pods:",
        ],
        "namespace": ["Name:", "Labels:", "Annotations:", "Status:", "Active"],
    }
    missing = [(what, text) for what, texts in wanted.items() for text in texts if text not in described[what]]
    assert not missing, described


def _words(text: str) -> str:
    return " ".join(text.split())


@behaviour(CLIENT + "Kubectl diff should check if kubectl diff finds a difference for Deployments")
def test_diff(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.with_(deployment(image="registry.example/agnhost:1"), "apply", "--server-side=false")
    wanted = tmp_path / "busybox.json"
    wanted.write_text(json.dumps(deployment(image="registry.example/busybox:1")))
    done = kubectl.cluster.kubectl("diff", "-f", str(wanted), namespace=kubectl.namespace, check=False)
    assert done.code == 1
    assert "-      - image: registry.example/agnhost:1" in done.stdout
    assert "+      - image: registry.example/busybox:1" in done.stdout
    kubectl("apply", "-f", str(wanted))
    assert kubectl("diff", "-f", str(wanted)) == ""


@behaviour(CLIENT + "Kubectl label should update the label on a resource")
def test_label(kubectl: Kubectl) -> None:
    kubectl("run", "pause", "--image=registry.example/pause:1")
    kubectl("label", "pods", "pause", "testing-label=testing-label-value")
    assert "testing-label-value" in kubectl("get", "pod", "pause", "-L", "testing-label")
    assert kubectl.names("pods", "-l", "testing-label=testing-label-value") == ["pod/pause"]
    assert "--overwrite is false" in kubectl.refused("label", "pods", "pause", "testing-label=other")
    assert kubectl("label", "pods", "pause", "testing-label-") == "pod/pause unlabeled\n"
    assert "testing-label-value" not in kubectl("get", "pod", "pause", "-L", "testing-label")
    assert kubectl.names("pods", "-l", "testing-label") == []


@behaviour(CLIENT + "Kubectl patch should add annotations for pods in rc")
def test_patch(kubectl: Kubectl) -> None:
    kubectl.with_(replication_controller("agnhost-primary", 2, app="agnhost"), "create")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "rc/agnhost-primary", "--timeout=60s")
    for pod in kubectl.names("pods", "-l", "app=agnhost"):
        kubectl("patch", pod, "-p", '{"metadata":{"annotations":{"x":"y"}}}')
    pods = kubectl.get("pods", "-l", "app=agnhost")["items"]
    assert [pod["metadata"]["annotations"]["x"] for pod in pods] == ["y", "y"]


@behaviour(CLIENT + "Kubectl replace should update a single-container pod's image")
def test_replace(kubectl: Kubectl) -> None:
    kubectl("run", "httpd", "--image=registry.example/httpd:1", "--labels=run=httpd")
    pod = kubectl.get("pod", "httpd")
    pod["spec"]["containers"][0]["image"] = "registry.example/busybox:1"
    assert kubectl.with_(pod, "replace") == "pod/httpd replaced\n"
    changed = kubectl.get("pod", "httpd")
    assert changed["spec"]["containers"][0]["image"] == "registry.example/busybox:1"
    stale = json.dumps(pod)
    assert "the object has been modified" in kubectl.refused("replace", "-f", "-", stdin=stale)
    fresh = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "httpd"}, "spec": {"containers": [{"name": "x"}]}}
    fresh["spec"]["containers"][0]["image"] = "registry.example/other:1"  # type: ignore[index]
    kubectl.with_(fresh, "replace", "--force", "--grace-period=0")
    made = kubectl.get("pod", "httpd")
    assert made["metadata"]["uid"] != changed["metadata"]["uid"]
    assert made["spec"]["containers"][0]["image"] == "registry.example/other:1"


@behaviour(CLIENT + "Kubectl run pod should create a pod from an image when restart is Never")
def test_run(kubectl: Kubectl) -> None:
    kubectl("run", "httpd", "--restart=Never", "--image=registry.example/httpd:1")
    kubectl("wait", "--for=condition=Ready", "pod/httpd", "--timeout=60s")
    spec = kubectl.get("pod", "httpd")["spec"]
    assert [each["image"] for each in spec["containers"]] == ["registry.example/httpd:1"]
    assert spec["restartPolicy"] == "Never"


@behaviour(CLIENT + "Proxy server should support proxy with --port 0")
def test_proxy_on_a_port(kubectl: Kubectl) -> None:
    with kubectl.running("proxy", "--port=0", "--disable-filter") as proxy:
        assert proxy.stdout is not None
        said = proxy.stdout.readline()
        port = said.strip().rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/", timeout=10) as answer:
            assert json.load(answer)["versions"] == ["v1"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/namespaces/{kubectl.namespace}") as answer:
            assert json.load(answer)["metadata"]["name"] == kubectl.namespace


@behaviour(CLIENT + "Proxy server should support --unix-socket=/path")
def test_proxy_on_a_socket(kubectl: Kubectl, tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    with kubectl.running("proxy", f"--unix-socket={path}") as proxy:
        assert proxy.stdout is not None
        assert "Starting to serve" in proxy.stdout.readline()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET /api HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 200 OK" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["versions"] == ["v1"]
