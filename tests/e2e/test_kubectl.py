"""Unmodified kubectl against a whole cluster: what a person types, and what it prints."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cluster import KUBECTL, TestCluster, until

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
  annotations: {kubernetes.io/change-cause: first}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: shell
          image: localhost/guestbook-sidecar:v1
          command: [sh, -c, "trap 'exit 0' TERM; i=0; while :; do echo line $i; i=$((i+1)); sleep 0.2; done"]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, cluster: TestCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def __call__(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, check=check, stdin=stdin, timeout=90).stdout

    def refused(self, *arguments: str, stdin: str | None = None) -> str:
        """What it says on standard error when it fails, as it must."""
        done = self.cluster.kubectl("-n", self.namespace, *arguments, check=False, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def follow(self, *arguments: str) -> subprocess.Popen[str]:
        """kubectl running on, with its output in a pipe."""
        return subprocess.Popen(
            [KUBECTL, "-n", self.namespace, *arguments],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.cluster.root), **self.cluster.environment},
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def kubectl(cluster: TestCluster, namespace: str) -> Kubectl:
    """kubectl in the test's own namespace."""
    return Kubectl(cluster, namespace)


@pytest.fixture
def web(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace with a Deployment of two pods and a Service."""
    assert kubectl("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\nservice/web created\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    yield kubectl


def test_apply_again_changes_nothing(web: Kubectl) -> None:
    assert web("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    changed = WEB.replace("replicas: 2", "replicas: 1")
    assert web("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\nservice/web unchanged\n"


def test_get_in_its_forms(web: Kubectl, cluster: TestCluster) -> None:
    assert web("get", "deployments").splitlines()[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert web("get", "deployment", "web").splitlines()[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = web("get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert all(line.split()[1:3] == ["1/1", "Running"] for line in wide[1:])
    assert "image: localhost/guestbook-sidecar:v1" in web("get", "deployment", "web", "-o", "yaml")
    assert web("get", "pods", "-l", "app=nothing", "-o", "name") == ""
    assert len(web("get", "pods", "-l", "app in (web, other)", "-o", "name").splitlines()) == 2
    assert len(web("get", "pods", "--field-selector", "status.phase=Running", "-o", "name").splitlines()) == 2
    everywhere = cluster.kubectl("get", "pods", "-A").stdout
    assert everywhere.splitlines()[0].split()[0] == "NAMESPACE"
    assert web.namespace in everywhere


def test_get_watches(web: Kubectl) -> None:
    with web.follow("get", "deployment", "web", "-w", "--no-headers") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[:2] == ["web", "2/2"]
        web("scale", "deployment/web", "--replicas=3")
        seen = []
        while not seen or seen[-1] != "3/3":
            seen.append(watching.stdout.readline().split()[1])
        watching.terminate()
    assert "2/3" in seen


def test_describe(web: Kubectl, cluster: TestCluster) -> None:
    pod = web("get", "pods", "-o", "name").split()[0]
    text = web("describe", pod)
    assert re.search(r"^Status: +Running$", text, re.MULTILINE)
    for expected in ("Scheduled", "Pulled", "Created", "Started", "QoS Class:", "Ready"):
        assert expected in text
    text = web("describe", "deployment", "web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in text
    assert "ScalingReplicaSet" in text
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    assert "KubeletReady" in cluster.kubectl("describe", "node", node).stdout
    assert "Endpoints:" in web("describe", "service", "web")


def test_logs_follow(web: Kubectl) -> None:
    pod = web("get", "pods", "-o", "name").split()[0]
    with web.follow("logs", "-f", pod, "--tail=1") as following:
        assert following.stdout is not None
        numbers = [int(following.stdout.readline().split()[1]) for _ in range(10)]
        following.terminate()
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert web("logs", pod, "--tail=3").count("line") == 3
    assert web("logs", pod, "--limit-bytes=7").startswith("line 0")
    assert web("logs", pod, "--timestamps", "--tail=1")[:2] == "20"


def test_scale_set_image_rollout(web: Kubectl) -> None:
    assert web("scale", "deployment/web", "--replicas=3") == "deployment.apps/web scaled\n"
    web("rollout", "status", "deployment/web", "--timeout=60s")
    assert web("set", "image", "deployment/web", "shell=localhost/guestbook-sidecar:v2") == (
        "deployment.apps/web image updated\n"
    )
    web("annotate", "deployment/web", "kubernetes.io/change-cause=second", "--overwrite")
    assert "successfully rolled out" in web("rollout", "status", "deployment/web", "--timeout=60s")
    history = web("rollout", "history", "deployment/web")
    assert [line.split() for line in history.splitlines()[2:4]] == [["1", "first"], ["2", "second"]]
    assert "guestbook-sidecar:v2" in web("rollout", "history", "deployment/web", "--revision=2")
    assert web("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    web("rollout", "status", "deployment/web", "--timeout=60s")
    assert web("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == (
        "localhost/guestbook-sidecar:v1"
    )
    assert "REVISION" in web("rollout", "history", "deployment/web")


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("merge", '{"metadata":{"labels":{"patched":"yes"}}}'),
        (
            "strategic",
            '{"spec":{"template":{"spec":{"containers":[{"name":"shell","env":[{"name":"A","value":"b"}]}]}}}}',
        ),
        ("json", '[{"op":"add","path":"/metadata/labels/patched","value":"yes"}]'),
    ],
)
def test_patches_of_each_type(web: Kubectl, kind: str, patch: str) -> None:
    assert web("patch", "deployment", "web", "--type", kind, "-p", patch) == "deployment.apps/web patched\n"
    assert web("patch", "deployment", "web", "--type", kind, "-p", patch) == "deployment.apps/web patched (no change)\n"
    containers = json.loads(web("get", "deployment", "web", "-o", "json"))["spec"]["template"]["spec"]["containers"]
    assert [container["image"] for container in containers] == ["localhost/guestbook-sidecar:v1"]


def test_a_replication_controller(kubectl: Kubectl) -> None:
    """Keeps so many containers running, in the place of one that ended too."""
    labels = {"name": "update-demo"}
    shell = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    container = {"name": "shell", "image": "localhost/guestbook-sidecar:v1", "command": shell}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": 2, "selector": labels, "template": template}
    made = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "update-demo"}, "spec": spec}
    kubectl("create", "-f", "-", stdin=json.dumps(made))

    def running(count: int) -> set[str]:
        kubectl("wait", f"--for=jsonpath={{.status.readyReplicas}}={count}", "rc/update-demo", "--timeout=60s")
        return set(kubectl("get", "pods", "-l", "name=update-demo", "-o", "name").split())

    first, second = running(2)
    kubectl("delete", first)
    replaced = running(2)
    assert second in replaced
    assert first not in replaced
    kubectl("scale", "rc", "update-demo", "--replicas=1")
    running(1)
    kubectl("delete", "rc", "update-demo")
    kubectl("wait", "--for=delete", "pods", "-l", "name=update-demo", "--timeout=60s")


def test_label_annotate_delete(web: Kubectl) -> None:
    assert web("label", "service", "web", "tier=front") == "service/web labeled\n"
    assert web("get", "services", "-l", "tier=front", "-o", "name") == "service/web\n"
    assert "already has a value" in web.refused("label", "service", "web", "tier=back")
    assert web("label", "service", "web", "tier-") == "service/web unlabeled\n"
    assert web("annotate", "service", "web", "note=x") == "service/web annotated\n"
    assert web("delete", "service", "web") == f'service "web" deleted from {web.namespace} namespace\n'
    web("delete", "deployment", "web", "--cascade=foreground", "--wait", "--timeout=60s")
    until(lambda: web("get", "pods,replicasets", "-o", "name") == "", timeout=60, what="the deployment's pods to go")


def test_managers_have_kubernetes_names(web: Kubectl) -> None:
    """Tools leave alone what certain managers own, and know these by name."""

    def managers(*names: str) -> set[str]:
        found = json.loads(web("get", *names, "-o", "json", "--show-managed-fields"))
        return {entry["manager"] for entry in found["metadata"]["managedFields"]}

    pod = web("get", "pods", "-o", "name").split()[0]
    assert managers("deployment", "web") == {"kubectl-client-side-apply", "kube-controller-manager"}
    assert managers(pod) == {"kube-controller-manager", "kubelet"}


def test_api_resources(kubectl: Kubectl) -> None:
    rows = {line.split()[0]: line.split() for line in kubectl("api-resources", "--no-headers").splitlines()}
    assert rows["pods"] == ["pods", "po", "v1", "true", "Pod"]
    assert rows["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"] == ["nodes", "no", "v1", "false", "Node"]
    assert "replicas" in kubectl("explain", "deployment.spec")
