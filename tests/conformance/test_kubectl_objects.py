"""kubectl and what it makes: replication controllers, services for them, dry runs, quotas, definitions."""

from __future__ import annotations

import json

import pytest

from tests.conformance.cluster import Cluster
from tests.conformance.kubectl import IMAGE, Kubectl, deployment, replication_controller
from tests.conformance.registry import behaviour
from tests.support.control_plane import KUBECTL

NAMES = "--template={{range .items}}{{.metadata.name}} {{end}}"
RUNNING = (
    '--template={{if (exists . "status" "containerStatuses")}}{{range .status.containerStatuses}}'
    '{{if (and (eq .name "update-demo") (exists . "state" "running"))}}true{{end}}{{end}}{{end}}'
)
IMAGES = (
    '--template={{if (exists . "spec" "containers")}}{{range .spec.containers}}'
    '{{if eq .name "update-demo"}}{{.image}}{{end}}{{end}}{{end}}'
)


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str) -> Kubectl:
    return Kubectl(cluster, namespace)


def demo_pods(kubectl: Kubectl, count: int) -> list[str]:
    """The names of the demo's pods once there are so many, each running what it should."""
    kubectl("wait", f"--for=jsonpath={{.status.readyReplicas}}={count}", "rc/update-demo", "--timeout=60s")
    kubectl("wait", f"--for=jsonpath={{.status.replicas}}={count}", "rc/update-demo", "--timeout=60s")
    names = kubectl("get", "pods", "-o", "template", NAMES, "-l", "name=update-demo").split()
    going = kubectl.get("pods", "-l", "name=update-demo")["items"]
    names = [pod["metadata"]["name"] for pod in going if "deletionTimestamp" not in pod["metadata"]]
    for name in names:
        assert kubectl("get", "pods", name, "-o", "template", RUNNING) == "true"
        assert kubectl("get", "pods", name, "-o", "template", IMAGES) == IMAGE
    assert len(names) == count
    return names


@behaviour("[sig-cli] Kubectl client Update Demo should create and stop a replication controller")
def test_create_and_stop(kubectl: Kubectl) -> None:
    kubectl.with_(replication_controller("update-demo", 2), "create")
    demo_pods(kubectl, 2)
    assert kubectl.with_(replication_controller("update-demo", 2), "delete", "--grace-period=0", "--force")
    kubectl("wait", "--for=delete", "pods", "-l", "name=update-demo", "--timeout=60s")
    assert kubectl.names("rc,pods", "-l", "name=update-demo") == []


@behaviour("[sig-cli] Kubectl client Update Demo should scale a replication controller")
def test_scale(kubectl: Kubectl) -> None:
    kubectl.with_(replication_controller("update-demo", 2), "create")
    before = set(demo_pods(kubectl, 2))
    assert kubectl("scale", "rc", "update-demo", "--replicas=1", "--timeout=60s") == (
        "replicationcontroller/update-demo scaled\n"
    )
    (kept,) = demo_pods(kubectl, 1)
    assert kept in before
    kubectl("scale", "rc", "update-demo", "--replicas=2")
    assert kept in demo_pods(kubectl, 2)
    refused = kubectl.refused("scale", "rc", "update-demo", "--replicas=3", "--current-replicas=7")
    assert "Expected replicas to be 7, was 2" in refused


def test_orphans_are_adopted_and_strangers_released(kubectl: Kubectl) -> None:
    kubectl.with_(replication_controller("update-demo", 1), "create")
    (first,) = demo_pods(kubectl, 1)
    kubectl("delete", "rc", "update-demo", "--cascade=orphan")
    assert "ownerReferences" not in kubectl.get("pod", first)["metadata"]
    kubectl.with_(replication_controller("update-demo", 1), "create")
    assert demo_pods(kubectl, 1) == [first]
    kubectl("label", "pod", first, "name=stray", "--overwrite")
    assert first not in demo_pods(kubectl, 1)
    assert "ownerReferences" not in kubectl.get("pod", first)["metadata"]


def test_expose(kubectl: Kubectl) -> None:
    """A service of a controller, and a service of that service, with endpoints for both."""
    kubectl.with_(replication_controller("primary", 1, app="agnhost", role="primary"), "create")
    assert kubectl("expose", "rc", "primary", "--name=rm2", "--port=1234", "--target-port=6379") == (
        "service/rm2 exposed\n"
    )
    kubectl("expose", "service", "rm2", "--name=rm3", "--port=2345", "--target-port=6379")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "rc/primary", "--timeout=60s")
    for name, port in (("rm2", 1234), ("rm3", 2345)):
        service = kubectl.get("service", name)["spec"]
        assert service["selector"] == {"app": "agnhost", "role": "primary"}
        assert [(p["port"], p["targetPort"]) for p in service["ports"]] == [(port, 6379)]
        kubectl("wait", "--for=jsonpath={.subsets[0].ports[0].port}=6379", f"endpoints/{name}", "--timeout=60s")


def test_dry_runs_at_the_server(kubectl: Kubectl) -> None:
    kubectl("run", "httpd", "--image=registry.example/httpd:1")
    patch = '{"spec":{"containers":[{"name":"httpd","image":"registry.example/busybox:1"}]}}'
    shown = kubectl("patch", "pod", "httpd", "-p", patch, "--dry-run=server", "-o", "json")
    assert json.loads(shown)["spec"]["containers"][0]["image"] == "registry.example/busybox:1"
    assert kubectl.get("pod", "httpd")["spec"]["containers"][0]["image"] == "registry.example/httpd:1"
    assert kubectl.with_(deployment(), "create", "--dry-run=server") == (
        "deployment.apps/web created (server dry run)\n"
    )
    assert kubectl.with_(deployment(), "apply", "--dry-run=server", "--server-side") == (
        "deployment.apps/web serverside-applied (server dry run)\n"
    )
    assert kubectl("delete", "pod", "httpd", "--dry-run=server") == (
        f'pod "httpd" deleted from {kubectl.namespace} namespace (server dry run)\n'
    )
    assert kubectl.names("deployments,pods") == ["pod/httpd"]


def test_last_applied(kubectl: Kubectl) -> None:
    kubectl.with_(deployment(), "apply")
    kubectl("scale", "deployment", "web", "--replicas=2")
    last = json.loads(kubectl("apply", "view-last-applied", "deployment/web", "-o", "json"))
    assert last["spec"]["replicas"] == 1
    changed = deployment(image="registry.example/web:2", replicas=3)
    kubectl.with_(changed, "apply", "set-last-applied")
    last = json.loads(kubectl("apply", "view-last-applied", "deployment/web", "-o", "json"))
    assert last["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:2"
    assert kubectl.get("deployment", "web")["spec"]["replicas"] == 2
    without = deployment()
    del without["spec"]["replicas"]
    kubectl.with_(without, "apply")
    assert kubectl.get("deployment", "web")["spec"]["replicas"] == 1, "what was applied and no longer is goes"


def test_wrong_fields_are_refused(kubectl: Kubectl) -> None:
    wrong = deployment()
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolcy"] = "Never"
    text = json.dumps(wrong)
    assert 'strict decoding error: unknown field "spec.template.spec.containers[0].imagePullPolcy"' in kubectl.refused(
        "create", "-f", "-", stdin=text
    )
    warned = kubectl.cluster.kubectl(*("create", "-f", "-", "--validate=warn"), namespace=kubectl.namespace, stdin=text)
    assert 'Warning: unknown field "spec.template.spec.containers[0].imagePullPolcy"' in warned.stderr
    assert kubectl.names("deployments") == ["deployment.apps/web"]


def test_quotas(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "million", "--hard=pods=1000000,services=1000000")
    assert kubectl.get("quota", "million")["spec"]["hard"] == {"pods": "1M", "services": "1M"}
    kubectl("create", "quota", "scoped", "--hard=pods=1", "--scopes=BestEffort,NotTerminating")
    assert kubectl.get("quota", "scoped")["spec"]["scopes"] == ["BestEffort", "NotTerminating"]
    assert "spec.scopes" in kubectl.refused("create", "quota", "no", "--hard=cpu=1", "--scopes=Bogus")


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: e2ebells.cli.example.com}
spec:
  group: cli.example.com
  scope: Namespaced
  names: {kind: E2eBell, plural: e2ebells, singular: e2ebell, shortNames: [eb], categories: [bells]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {scale: {specReplicasPath: .spec.count, statusReplicasPath: .status.count}, status: {}}
      additionalPrinterColumns:
        - {name: Tone, type: string, jsonPath: .spec.tone}
      schema:
        openAPIV3Schema:
          description: A bell for tests.
          type: object
          properties:
            spec:
              description: What it sounds like.
              type: object
              required: [tone]
              properties:
                tone: {type: string, description: How high., enum: [low, high]}
                count: {type: integer}
            status:
              type: object
              properties:
                count: {type: integer}
"""


def test_custom_resources(kubectl: Kubectl) -> None:
    """Found, explained, created, validated, listed, scaled and edited as built-in ones are."""
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    try:
        kubectl("wait", "--for=condition=Established", "crd/e2ebells.cli.example.com", "--timeout=60s")
        assert kubectl("api-resources", "--api-group=cli.example.com", "--no-headers").split() == [
            "e2ebells",
            "eb",
            "cli.example.com/v1",
            "true",
            "E2eBell",
        ]
        explained = kubectl("explain", "e2ebells.spec")
        assert "What it sounds like." in explained
        assert "tone\t<string> -required-\n  enum: low, high\n    How high." in explained
        bell = {"apiVersion": "cli.example.com/v1", "kind": "E2eBell", "metadata": {"name": "b"}}
        wrong = json.dumps({**bell, "spec": {"tone": "low", "loud": True}})
        assert 'unknown field "spec.loud"' in kubectl.refused("create", "-f", "-", stdin=wrong)
        assert "spec.tone: Required value" in kubectl.refused(
            "create", "-f", "-", stdin=json.dumps({**bell, "spec": {}})
        )
        kubectl.with_({**bell, "spec": {"tone": "low", "count": 1}}, "apply")
        assert [line.split()[:2] for line in kubectl("get", "eb").splitlines()] == [["NAME", "TONE"], ["b", "low"]]
        assert kubectl.names("bells") == ["e2ebell.cli.example.com/b"]
        assert kubectl("scale", "eb/b", "--replicas=4") == "e2ebell.cli.example.com/b scaled\n"
        kubectl("patch", "eb/b", "--type=merge", "--subresource=status", "-p", '{"status":{"count":4}}')
        shown = kubectl.get("eb", "b")
        assert (shown["spec"], shown["status"]) == ({"tone": "low", "count": 4}, {"count": 4})
        edited = kubectl.cluster.run(
            *(str(KUBECTL), "-n", kubectl.namespace, "edit", "eb", "b"), KUBE_EDITOR="sed -i s/low/high/"
        )
        assert edited.stdout == "e2ebell.cli.example.com/b edited\n"
        assert kubectl("get", "eb", "b", "-o", "jsonpath={.spec.tone}") == "high"
    finally:
        kubectl("delete", "crd", "e2ebells.cli.example.com")
