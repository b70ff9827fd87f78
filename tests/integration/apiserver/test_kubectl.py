"""Unmodified kubectl against a real store and API server. No controllers run: what they would add is not asked for."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable

import pytest
import yaml

from tests.support.control_plane import KUBECTL, Completed, ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="module")

Kubectl = Callable[..., Awaitable[Completed]]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        ports: [{containerPort: 80}]
"""
MANY = (
    DEPLOYMENT
    + """\
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
data: {word: c2VjcmV0}
"""
)


@pytest.fixture
def kubectl(plane: ControlPlane, namespace: str) -> Kubectl:
    """kubectl in the test's namespace; fails the test unless `code` is the exit code."""

    async def run(*arguments: str, code: int = 0, stdin: str = "") -> Completed:
        done = await plane.kubectl("-n", namespace, *arguments, stdin=stdin)
        assert done.code == code, f"kubectl {' '.join(arguments)}: {done.code}\n{done.stdout}{done.stderr}"
        return done

    return run


async def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    done = await kubectl("apply", "-f", "-", stdin=MANY)
    assert done.stdout.splitlines() == [
        "deployment.apps/web created",
        "service/web created",
        "configmap/settings created",
        "secret/password created",
    ]
    done = await kubectl("apply", "-f", "-", stdin=MANY.replace("blue", "red").replace("web:1", "web:2"))
    assert done.stdout.splitlines() == [
        "deployment.apps/web configured",
        "service/web unchanged",
        "configmap/settings configured",
        "secret/password unchanged",
    ]
    done = await kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.color}")
    assert done.stdout == "red"
    removed = DEPLOYMENT.replace("        ports: [{containerPort: 80}]\n", "")
    await kubectl("apply", "-f", "-", stdin=removed)
    done = await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].ports}")
    assert done.stdout == ""


async def test_apply_refuses_unknown_fields_before_anything_is_stored(kubectl: Kubectl) -> None:
    done = await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas", "replica"), code=1)
    assert 'unknown field "spec.replica"' in done.stderr
    await kubectl("get", "deployment", "web", code=1)


async def test_get_in_every_output(kubectl: Kubectl, namespace: str) -> None:
    await kubectl("apply", "-f", "-", stdin=MANY)
    done = await kubectl("get", "deployments")
    header, row = done.stdout.splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["web", "0/2", "0", "0"]
    done = await kubectl("get", "deploy", "web", "-o", "wide")
    header, row = done.stdout.splitlines()
    assert header.split()[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert row.split()[-3:] == ["web", "registry.example/web:1", "app=web"]
    done = await kubectl("get", "svc", "web", "-o", "yaml")
    service = yaml.safe_load(done.stdout)
    assert service["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert service["spec"]["clusterIP"].startswith("10.")
    done = await kubectl("get", "secret", "password", "-o", "json")
    assert json.loads(done.stdout)["data"] == {"word": "c2VjcmV0"}
    done = await kubectl("get", "configmaps", "-A")
    assert namespace in done.stdout
    assert "settings" in done.stdout
    done = await kubectl("get", "deploy,svc", "-o", "name")
    assert done.stdout.splitlines() == ["deployment.apps/web", "service/web"]
    done = await kubectl("get", "pods")
    assert done.stderr == f"No resources found in {namespace} namespace.\n"


async def test_selectors(kubectl: Kubectl) -> None:
    for name, tier in (("a", "front"), ("b", "back"), ("c", "back")):
        await kubectl("create", "configmap", name)
        await kubectl("label", "configmap", name, f"tier={tier}")

    async def names(*arguments: str) -> list[str]:
        return (await kubectl("get", "configmaps", "-o", "name", *arguments)).stdout.split()

    assert await names("-l", "tier=back") == ["configmap/b", "configmap/c"]
    assert await names("-l", "tier in (front)") == ["configmap/a"]
    assert await names("-l", "tier!=front") == ["configmap/b", "configmap/c"]
    assert await names("--field-selector", "metadata.name=b") == ["configmap/b"]
    assert await names("-l", "tier=back", "--field-selector", "metadata.name!=b") == ["configmap/c"]


async def test_watch(plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *("--kubeconfig", str(plane.kubeconfig), "-n", namespace, "get", "configmaps", "-w", "--no-headers"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            await kubectl("create", "configmap", "seen", "--from-literal=k=v")
            assert (await process.stdout.readline()).split()[:2] == [b"seen", b"1"]
            await kubectl("patch", "configmap", "seen", "--type=merge", "-p", '{"data":{"l":"w"}}')
            assert (await process.stdout.readline()).split()[:2] == [b"seen", b"2"]
            await kubectl("delete", "configmap", "seen")
            assert (await process.stdout.readline()).split()[:2] == [b"seen", b"2"]
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_describe(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANY)
    done = await kubectl("describe", "deployment", "web")
    assert "Replicas:" in done.stdout
    assert "registry.example/web:1" in done.stdout
    done = await kubectl("describe", "service", "web")
    assert "Port:" in done.stdout
    done = await kubectl("describe", "secret", "password")
    assert "word:  6 bytes" in done.stdout


async def test_patches_of_each_type(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:9"}]}}}}'
    await kubectl("patch", "deployment", "web", "-p", strategic)
    await kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"spec":{"replicas":5}}')
    operations = (
        '[{"op":"test","path":"/spec/replicas","value":5},{"op":"add","path":"/spec/minReadySeconds","value":3}]'
    )
    await kubectl("patch", "deployment", "web", "--type=json", "-p", operations)
    await kubectl("patch", "deployment", "web", "--type=json", "-p", operations.replace(":5}", ":6}"), code=1)
    done = await kubectl("get", "deployment", "web", "-o", "json")
    spec = json.loads(done.stdout)["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert (container["image"], container["ports"][0]["containerPort"]) == ("registry.example/web:9", 80)
    assert (spec["replicas"], spec["minReadySeconds"]) == (5, 3)


async def test_label_annotate_scale_and_set_image(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("label", "deployment", "web", "tier=front")
    done = await kubectl("label", "deployment", "web", "tier=back", code=1)
    assert "already has a value (front)" in done.stderr
    await kubectl("label", "deployment", "web", "tier=back", "--overwrite")
    await kubectl("annotate", "deployment", "web", "note=hello")
    done = await kubectl("scale", "deployment", "web", "--replicas=4")
    assert done.stdout == "deployment.apps/web scaled\n"
    done = await kubectl("set", "image", "deployment/web", "web=registry.example/web:3")
    assert done.stdout == "deployment.apps/web image updated\n"
    done = await kubectl("get", "deployment", "web", "-o", "json")
    found = json.loads(done.stdout)
    assert found["metadata"]["labels"] == {"app": "web", "tier": "back"}
    assert found["metadata"]["annotations"]["note"] == "hello"
    assert found["spec"]["replicas"] == 4
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:3"
    assert found["metadata"]["generation"] == 4  # made, annotated, scaled, another image


async def test_create_replace_and_delete(kubectl: Kubectl) -> None:
    done = await kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    assert done.stdout == "deployment.apps/web created\n"
    done = await kubectl("create", "-f", "-", stdin=DEPLOYMENT, code=1)
    assert 'deployments.apps "web" already exists' in done.stderr
    done = await kubectl("replace", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 2", "replicas: 7"))
    assert done.stdout == "deployment.apps/web replaced\n"
    done = await kubectl("delete", "deployment", "web", "--cascade=background")
    assert done.stdout.startswith('deployment.apps "web" deleted')
    done = await kubectl("get", "deployment", "web", code=1)
    assert done.stderr == 'Error from server (NotFound): deployments.apps "web" not found\n'
    await kubectl("create", "configmap", "a")
    await kubectl("create", "configmap", "b")
    done = await kubectl("delete", "configmaps", "--all")
    assert 'configmap "a" deleted' in done.stdout
    done = await kubectl("get", "configmaps")
    assert "No resources found" in done.stderr


async def test_api_resources_and_versions(kubectl: Kubectl) -> None:
    done = await kubectl("api-resources", "-o", "wide")
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert rows["deployments"].split()[1:5] == ["deploy", "apps/v1", "true", "Deployment"]
    assert rows["pods"].split()[1:5] == ["po", "v1", "true", "Pod"]
    done = await kubectl("api-versions")
    assert {"v1", "apps/v1", "discovery.k8s.io/v1", "coordination.k8s.io/v1"} <= set(done.stdout.split())
    done = await kubectl("version", "-o", "json")
    assert json.loads(done.stdout)["serverVersion"]["gitVersion"].startswith("v1.37.")


async def test_explain(kubectl: Kubectl) -> None:
    done = await kubectl("explain", "deployment.spec.strategy")
    assert "KIND:       Deployment" in done.stdout
    assert "rollingUpdate" in done.stdout
    done = await kubectl("explain", "pod.spec.containers.ports.containerPort")
    assert "FIELD: containerPort <integer>" in done.stdout
    done = await kubectl("explain", "pod.spec.nonsense", code=1)
    assert 'field "nonsense" does not exist' in done.stderr


async def test_generators_which_send_protobuf(kubectl: Kubectl) -> None:
    await kubectl("create", "deployment", "made", "--image=registry.example/made:1", "--replicas=0", "--port=80")
    done = await kubectl("get", "deployment", "made", "-o", "json")
    spec = json.loads(done.stdout)["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (0, "RollingUpdate")
    container = spec["template"]["spec"]["containers"][0]
    assert (container["image"], container["ports"]) == (
        "registry.example/made:1",
        [{"containerPort": 80, "protocol": "TCP"}],
    )
    await kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
    done = await kubectl("get", "secret", "s", "-o", "jsonpath={.data.k}")
    assert done.stdout == "dg=="
    await kubectl("create", "service", "clusterip", "c", "--tcp=80:web")
    done = await kubectl("get", "service", "c", "-o", "jsonpath={.spec.ports[0].targetPort}")
    assert done.stdout == "web"
    await kubectl("create", "serviceaccount", "robot")
    await kubectl("run", "once", "--image=registry.example/once:1", "--restart=Never", "--", "sleep", "5")
    done = await kubectl("get", "pod", "once", "-o", "jsonpath={.spec.containers[0].args}")
    assert json.loads(done.stdout) == ["sleep", "5"]


async def test_dry_run(kubectl: Kubectl) -> None:
    done = await kubectl("apply", "-f", "-", "--dry-run=server", stdin=DEPLOYMENT)
    assert done.stdout == "deployment.apps/web created (server dry run)\n"
    await kubectl("get", "deployment", "web", code=1)


async def test_the_cluster_has_its_first_objects(plane: ControlPlane) -> None:
    done = await plane.kubectl("get", "namespaces", "-o", "name")
    namespaces = {"namespace/default", "namespace/kube-system", "namespace/kube-public", "namespace/kube-node-lease"}
    assert namespaces <= set(done.stdout.split())
    done = await plane.kubectl("get", "service", "kubernetes", "-n", "default", "-o", "json")
    spec = json.loads(done.stdout)["spec"]
    assert (spec["clusterIP"], spec["ports"][0]["port"]) == ("10.96.0.1", 443)
    done = await plane.kubectl("get", "endpointslice", "kubernetes", "-n", "default", "-o", "json")
    found = json.loads(done.stdout)
    assert found["endpoints"][0]["addresses"] == ["192.0.2.10"]


async def test_what_is_applied_survives_both_processes(plane: ControlPlane, kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "kept", "--from-literal=k=v")
    await plane.stop_process("apiserver", signal.SIGKILL)
    await plane.restart_store(signal.SIGKILL)
    await plane.start_apiserver()
    done = await kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.k}")
    assert done.stdout == "v"
