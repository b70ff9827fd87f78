"""Unmodified helm with the example chart: install, upgrade, roll back, uninstall. The pods run nothing but are ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cluster import Cluster
from tests.support.control_plane import Completed
from tests.support.helm import helm_binary

CHART = Path(__file__).resolve().parents[2] / "examples" / "helm" / "guestbook"
NAME = "shop-guestbook"


class Helm:
    """helm in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def __call__(self, *arguments: str, check: bool = True) -> Completed:
        command = (str(helm_binary()), "-n", self.namespace, *arguments)
        return self.cluster.run(*command, timeout=60, check=check)

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json").stdout)

    def install(self, release: str, chart: Path, *arguments: str, check: bool = True) -> Completed:
        return self("install", release, str(chart), "--wait", "--timeout", "30s", *arguments, check=check)

    def upgrade(self, *arguments: str, check: bool = True) -> Completed:
        return self("upgrade", "shop", str(CHART), "--timeout", "30s", *arguments, check=check)

    def get(self, resource: str, name: str = NAME) -> Any:
        shown = self.cluster.kubectl(
            *("get", resource, name, "-o", "json", "--show-managed-fields"), namespace=self.namespace
        )
        return json.loads(shown.stdout)

    def names(self, resources: str) -> list[str]:
        return self.cluster.kubectl("get", resources, "-o", "name", namespace=self.namespace).stdout.split()


@pytest.fixture
def helm(cluster: Cluster, namespace: str) -> Helm:
    return Helm(cluster, namespace)


def test_the_chart_has_no_faults(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART)).stdout
    refused = helm("lint", str(CHART), "--set", "frontend.replicas=many", check=False)
    assert refused.code == 1
    assert "got string, want integer" in refused.stderr + refused.stdout


def test_the_life_of_a_release(helm: Helm) -> None:
    """Installed, upgraded twice, rolled back, looked at in between, and gone."""
    told = helm.install("shop", CHART, "--set", "pageVersion=v1").stdout
    assert "STATUS: deployed" in told
    assert f"kubectl port-forward -n {helm.namespace} service/{NAME} 8080:80" in told
    deployment = helm.get("deployment")
    assert deployment["status"]["availableReplicas"] == 2
    assert deployment["metadata"]["annotations"]["meta.helm.sh/release-name"] == "shop"
    assert {entry["manager"] for entry in deployment["metadata"]["managedFields"]} >= {"helm"}
    password = helm.get("secret")["data"]["redis-password"]

    helm.upgrade("--wait", "--set", "pageVersion=v2", "--set", "frontend.replicas=3")
    assert helm.get("deployment")["status"]["availableReplicas"] == 3
    assert helm.get("configmap")["data"] == {"GUESTBOOK_VERSION": "v2"}
    assert helm.get("secret")["data"]["redis-password"] == password, "the chart looks up what there is"
    helm.upgrade("--wait", "--reuse-values", "--set", "autoscaling.enabled=true")
    assert helm.get("hpa")["spec"]["maxReplicas"] == 5
    assert helm.get("deployment")["spec"]["replicas"] in (1, 3), "no longer the chart's"
    assert helm.json("get", "values", "shop") == {
        "autoscaling": {"enabled": True},
        "frontend": {"replicas": 3},
        "pageVersion": "v2",
    }

    helm("rollback", "shop", "1", "--wait", "--timeout", "30s")
    assert helm.get("deployment")["spec"]["replicas"] == 2
    assert helm.get("configmap")["data"] == {"GUESTBOOK_VERSION": "v1"}
    assert helm.names("hpa") == []
    history = [(each["revision"], each["status"], each["description"]) for each in helm.json("history", "shop")]
    assert history == [
        (1, "superseded", "Install complete"),
        (2, "superseded", "Upgrade complete"),
        (3, "superseded", "Upgrade complete"),
        (4, "deployed", "Rollback to 1"),
    ]
    (listed,) = helm.json("list")
    assert (listed["name"], listed["revision"], listed["status"]) == ("shop", "4", "deployed")
    assert helm.json("status", "shop")["info"]["status"] == "deployed"
    manifest = helm("get", "manifest", "shop").stdout
    assert manifest.count("kind: Deployment") == 2
    stored = [name for name in helm.names("secrets") if "sh.helm.release.v1.shop" in name]
    assert len(stored) == 4

    assert 'release "shop" uninstalled' in helm("uninstall", "shop", "--wait", "--timeout", "30s").stdout
    assert helm.names("deployments,replicasets,pods,services,secrets,hpa") == []
    assert helm.names("configmaps") == ["configmap/kube-root-ca.crt"]
    assert helm.json("list") == []


def test_a_dry_run_at_the_server_checks_and_changes_nothing(helm: Helm) -> None:
    shown = helm("install", "shop", str(CHART), "--dry-run=server").stdout
    assert "kind: Deployment" in shown
    assert helm.names("deployments,services,secrets") == []
    wrong = ("--set", "frontend.service.port=99999")
    refused = helm("install", "shop", str(CHART), "--dry-run=server", *wrong, check=False)
    applied = helm.install("shop", CHART, *wrong, check=False)
    assert refused.code == 0, "helm itself renders only"
    assert applied.code == 1
    assert "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive" in applied.stderr


def test_an_upgrade_that_fails_is_taken_back(helm: Helm) -> None:
    """The ConfigMap is changed when the Service is refused."""
    helm.install("shop", CHART)
    wrong = ("--set", "pageVersion=v9", "--set", "frontend.service.port=99999")
    failed = helm.upgrade("--rollback-on-failure", "--wait", *wrong, check=False)
    assert failed.code == 1
    assert "spec.ports[0].port: Invalid value: 99999" in failed.stderr
    assert helm.get("configmap")["data"] == {"GUESTBOOK_VERSION": "v1"}
    assert helm.get("service")["spec"]["ports"][0]["port"] == 80
    assert [each["status"] for each in helm.json("history", "shop")] == ["superseded", "failed", "deployed"]


def test_waiting_for_pods_that_never_are_ready_ends(helm: Helm) -> None:
    waited = helm(
        *("install", "shop", str(CHART), "--wait", "--timeout", "1s", "--set", "frontend.nodeSelector.disk=none"),
        check=False,
    )
    assert waited.code == 1
    assert "Deployment" in waited.stderr
    assert helm.json("status", "shop")["info"]["status"] == "failed"


def test_what_someone_else_owns_is_not_taken(helm: Helm) -> None:
    helm.cluster.kubectl("create", "configmap", NAME, namespace=helm.namespace)
    refused = helm.install("shop", CHART, check=False)
    assert refused.code == 1
    assert "cannot be imported into the current release" in refused.stderr
    helm.install("shop", CHART, "--take-ownership", "--force-conflicts")
    assert helm.get("configmap")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: bells.helm.example.com
spec:
  group: helm.example.com
  scope: Namespaced
  names: {kind: Bell, plural: bells, singular: bell}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [tone]
              properties:
                tone: {type: string, enum: [low, high]}
                rings: {type: integer, default: 1}
"""
BELL = """
apiVersion: helm.example.com/v1
kind: Bell
metadata:
  name: {{ .Release.Name }}
spec:
  tone: {{ .Values.tone }}
"""


@pytest.fixture
def chart_with_a_definition(tmp_path: Path, cluster: Cluster) -> Iterator[Path]:
    chart = tmp_path / "bells"
    for directory in ("crds", "templates"):
        (chart / directory).mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: bells\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("tone: low\n")
    (chart / "crds" / "bell.yaml").write_text(DEFINITION)
    (chart / "templates" / "bell.yaml").write_text(BELL)
    yield chart
    cluster.kubectl("delete", "crd", "bells.helm.example.com", "--ignore-not-found")


def test_a_chart_brings_its_definitions(helm: Helm, chart_with_a_definition: Path) -> None:
    """Its custom resources can be made as soon as the definition is established."""
    helm.install("door", chart_with_a_definition)
    assert helm.get("bells", "door")["spec"] == {"tone": "low", "rings": 1}
    refused = helm("upgrade", "door", str(chart_with_a_definition), "--set", "tone=loud", check=False)
    assert refused.code == 1
    assert 'spec.tone: Unsupported value: "loud": supported values: "low", "high"' in refused.stderr
    helm("uninstall", "door", "--wait")
    assert helm.names("bells") == []
    assert helm.cluster.kubectl("get", "crd", "bells.helm.example.com", "-o", "name").stdout, "helm keeps definitions"
