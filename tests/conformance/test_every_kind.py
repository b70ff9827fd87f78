"""Every kind that discovery offers goes through its life: the verbs, its status, its representations."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.dynamic import DynamicClient, Resource
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from tests.conformance.clients import SECONDS, Http
from tests.conformance.registry import behaviour
from tests.conformance.samples import SAMPLES, Sample

EVERY_VERB = {"create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"}
MERGE, STRATEGIC, JSON_PATCH = (
    f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch")
)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

TITLES = {
    "Endpoints": ("[sig-network] Endpoints should test the lifecycle of an Endpoint",),
    "LimitRange": ("[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection",),
    "Node": ("[sig-node] Node Lifecycle should run through the lifecycle of a node",),
    "PodTemplate": (
        "[sig-node] PodTemplates should run the lifecycle of PodTemplates",
        "[sig-node] PodTemplates should replace a pod template",
    ),
    "ResourceQuota": ("[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota.",),
    "ServiceAccount": (
        "[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount",
        "[sig-auth] ServiceAccounts should update a ServiceAccount",
    ),
    "Service": (
        "[sig-network] Services should complete a service status lifecycle",
        "[sig-network] Services should delete a collection of services",
        "[sig-network] Services should find a service from listing all namespaces",
    ),
    "MutatingAdmissionPolicy": (
        "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations",
    ),
    "ValidatingAdmissionPolicyBinding": (
        "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations",
    ),
    "ControllerRevision": (
        "[sig-apps] ControllerRevision [Serial] should manage the lifecycle of a ControllerRevision",
    ),
    "DaemonSet": (
        "[sig-apps] Daemon set [Serial] should list and delete a collection of DaemonSets",
        "[sig-apps] Daemon set [Serial] should verify changes to a daemon set status",
    ),
    "Deployment": ("[sig-apps] Deployment should validate Deployment Status endpoints",),
    "ReplicaSet": (
        "[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets",
        "[sig-apps] ReplicaSet should validate Replicaset Status endpoints",
    ),
    "StatefulSet": (
        "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints",
    ),
    "Job": (
        "[sig-apps] Job should apply changes to a job status",
        "[sig-apps] Job should delete a job",
    ),
    "EndpointSlice": ("[sig-network] EndpointSlice should support creating EndpointSlice API operations",),
    "FlowSchema": ("[sig-api-machinery] API priority and fairness should support FlowSchema API operations",),
    "Ingress": ("[sig-network] Ingress API should support creating Ingress API operations",),
    "IngressClass": ("[sig-network] IngressClass API should support creating IngressClass API operations",),
    "IPAddress": ("[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations",),
    "ServiceCIDR": ("[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations",),
    "PodDisruptionBudget": ("[sig-apps] DisruptionController should create a PodDisruptionBudget",),
    "ResourceClaim": ("[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim",),
    "PriorityClass": (
        "[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods",
    ),
    "CSIDriver": ("[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver",),
    "CSINode": ("[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode",),
    "VolumeAttachment": (
        "[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment",
        "[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status",
    ),
    "VolumeAttributesClass": (
        "[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a VolumeAttributesClass",
    ),
}

_numbers: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(lambda: itertools.count(1))


class Kind:
    """A kind's resource, for one test: its objects are in one namespace and have a label of their own."""

    def __init__(self, sample: Sample, client: DynamicClient, namespace: str) -> None:
        self.sample = sample
        self.resource: Resource = client.resources.get(api_version=sample.api_version, kind=sample.kind)
        self.label = namespace
        self.namespace = namespace
        self.where = {"namespace": namespace} if self.resource.namespaced else {}
        self.last: dict[str, Any] = {}  # as it was sent
        self.selector = {"label_selector": f"conformance={namespace}"}

    def create(self, **options: Any) -> dict[str, Any]:
        number = next(_numbers[self.sample.api_version, self.sample.kind])
        self.last = self.sample.make(number, self.label, self.namespace)
        return self.resource.create(body=self.last, **self.where, **options).to_dict()

    def get(self, name: str) -> dict[str, Any]:
        return self.resource.get(name=name, **self.where).to_dict()

    def list(self, **options: Any) -> dict[str, Any]:
        return self.resource.get(**self.where, **self.selector, **options).to_dict()

    def patch(self, name: str, body: Any, content_type: str = MERGE, **options: Any) -> dict[str, Any]:
        return self.resource.patch(name=name, body=body, content_type=content_type, **self.where, **options).to_dict()

    def watch(self, since: str, until: Callable[[str, dict[str, Any]], bool]) -> list[tuple[str, dict[str, Any]]]:
        """What happened to this test's objects after a version, up to what `until` accepts."""
        seen: list[tuple[str, dict[str, Any]]] = []
        for event in self.resource.watch(resource_version=since, timeout=SECONDS, **self.where, **self.selector):
            seen.append((event["type"], event["raw_object"]))
            if until(*seen[-1]):
                return seen
        raise AssertionError(f"not seen; there was {[(kind, obj['metadata']['name']) for kind, obj in seen]}")

    def path(self, name: str = "") -> str:
        return self.resource.path(name=name or None, **self.where)


@pytest.fixture(scope="session")
def dynamic(api: ApiClient, tmp_path_factory: pytest.TempPathFactory) -> DynamicClient:
    """The official client's dynamic one, which learns everything from discovery."""
    cache: Path = tmp_path_factory.mktemp("discovery") / "cache.json"
    return DynamicClient(api, cache_file=str(cache))


@pytest.fixture
def kind(request: pytest.FixtureRequest, dynamic: DynamicClient, namespace: str) -> Iterator[Kind]:
    made = Kind(request.param, dynamic, namespace)
    yield made
    if not made.resource.namespaced:  # no namespace takes them along, and some hold others: a server that is away
        for left in made.list()["items"]:
            made.resource.delete(name=left["metadata"]["name"])


def _parameters(samples: list[Sample], *, titles: bool = False) -> pytest.MarkDecorator:
    parameters = [
        pytest.param(
            sample,
            id=f"{sample.kind}.{sample.api_version}",
            marks=[behaviour(*TITLES[sample.kind])] if titles and sample.kind in TITLES else [],
        )
        for sample in samples
    ]
    return pytest.mark.parametrize("kind", parameters, indirect=True)


def test_there_is_a_sample_of_every_kind(http: Http) -> None:
    """Aggregated discovery names what there is, so that no kind is forgotten here."""
    offered = set()
    for root in ("/api", "/apis"):
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        for group in http.ok("GET", root, accept=accept)["items"]:
            for version in group["versions"]:
                name = group["metadata"].get("name")
                api_version = f"{name}/{version['version']}" if name else version["version"]
                for resource in version["resources"]:
                    if {"create", "list", "watch"} <= set(resource["verbs"]) and ".example.com" not in api_version:
                        offered.add((api_version, resource["responseKind"]["kind"]))
    assert offered == {(sample.api_version, sample.kind) for sample in SAMPLES}


@_parameters(list(SAMPLES), titles=True)
def test_life(kind: Kind) -> None:
    """Create, get, list, watch, patch in each way, update, delete, deletecollection."""
    wanted = EVERY_VERB - {"deletecollection"} if kind.sample.kind == "Namespace" else EVERY_VERB
    assert set(kind.resource.verbs) == wanted

    dry = kind.create(dry_run="All")
    with pytest.raises(NotFoundError):
        kind.get(dry["metadata"]["name"])
    before = kind.list()
    assert before["items"] == []

    first, second, third = (kind.create() for _ in range(3))
    name = first["metadata"]["name"]
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    with pytest.raises(ConflictError) as caught:
        kind.resource.create(body=kind.last, **kind.where)
    assert "AlreadyExists" in str(caught.value.body)
    names = sorted(obj["metadata"]["name"] for obj in (first, second, third))
    assert [obj["metadata"]["name"] for obj in kind.list()["items"]] == names
    everywhere = kind.resource.get(**kind.selector).to_dict()["items"]
    assert [obj["metadata"]["name"] for obj in everywhere] == names
    assert [obj["metadata"]["name"] for obj in kind.list(field_selector=f"metadata.name={name}")["items"]] == [name]

    def annotate(**values: str) -> dict[str, Any]:
        return {"metadata": {"annotations": values}}

    assert kind.patch(name, annotate(merge="1"))["metadata"]["annotations"]["merge"] == "1"
    kind.patch(name, annotate(strategic="1"), STRATEGIC)
    kind.patch(name, [{"op": "add", "path": "/metadata/annotations/json", "value": "1"}], JSON_PATCH)
    identity = {"apiVersion": kind.sample.api_version, "kind": kind.sample.kind}
    applied = kind.resource.server_side_apply(
        body={**identity, "metadata": {"name": name, "annotations": {"apply": "1"}}},
        name=name,
        field_manager="conformance",
        **kind.where,
    ).to_dict()
    assert {"merge", "strategic", "json", "apply"} <= applied["metadata"]["annotations"].keys()
    assert "conformance" in [entry["manager"] for entry in applied["metadata"]["managedFields"]]
    updated = _updated(kind, name, {"updated": "1"})
    assert updated["metadata"]["annotations"]["updated"] == "1"
    with pytest.raises(ConflictError):
        kind.resource.replace(
            body={**updated, "metadata": {**updated["metadata"], "resourceVersion": "1"}}, **kind.where
        )

    kind.resource.delete(name=name, **kind.where)
    seen = kind.watch(
        before["metadata"]["resourceVersion"],
        lambda happened, obj: happened == "DELETED" and obj["metadata"]["name"] == name,
    )
    assert [obj["metadata"]["name"] for happened, obj in seen if happened == "ADDED"] == [
        obj["metadata"]["name"] for obj in (first, second, third)
    ]
    changes = [obj["metadata"].get("annotations", {}) for happened, obj in seen if happened == "MODIFIED"]
    assert [
        key for key in ("merge", "strategic", "json", "apply", "updated") if not any(key in c for c in changes)
    ] == []
    with pytest.raises(NotFoundError):
        kind.get(name)
    assert all(obj["apiVersion"] == kind.sample.api_version for _, obj in seen)

    since = kind.list()["metadata"]["resourceVersion"]
    if "deletecollection" in wanted:
        kind.resource.delete(**kind.where, **kind.selector)
    else:
        for obj in (second, third):
            kind.resource.delete(name=obj["metadata"]["name"])
    ended: set[str] = set()

    def all_gone(happened: str, obj: dict[str, Any]) -> bool:
        ended.update([obj["metadata"]["name"]] if happened == "DELETED" else [])
        return ended >= {second["metadata"]["name"], third["metadata"]["name"]}

    kind.watch(since, all_gone)
    assert kind.list()["items"] == []


def _updated(kind: Kind, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """Put an annotation by an update; again when a controller was faster."""
    for _ in range(10):
        obj = kind.get(name)
        obj["metadata"].setdefault("annotations", {}).update(annotations)
        try:
            return kind.resource.replace(body=obj, **kind.where).to_dict()
        except ConflictError:
            continue
    raise AssertionError(f"ten conflicts on {name}")


@_parameters([sample for sample in SAMPLES if sample.status is not None])
def test_status(kind: Kind) -> None:
    """The status is written through its subresource, and only there."""
    name = kind.create()["metadata"]["name"]
    status = kind.sample.status
    assert status is not None
    subresource = kind.resource.subresources["status"]

    def written(body: Any, **how: Any) -> dict[str, Any]:
        return subresource.patch(name=name, body=body, content_type=MERGE, **kind.where, **how).to_dict()

    def has(obj: dict[str, Any]) -> bool:
        found = obj.get("status") or {}
        return all(
            all(any(item.items() <= kept.items() for kept in found.get(key) or ()) for item in value)
            if key == "conditions"
            else found.get(key) == value
            for key, value in status.items()
        )

    ignored = kind.patch(name, {"status": status})
    assert not has(ignored), "a patch of the object wrote its status"
    patched = written({"status": status})
    assert has(patched)
    assert has(kind.get(name))
    assert has(subresource.get(name=name, **kind.where).to_dict())
    for _ in range(10):
        body = kind.get(name)
        body["metadata"]["labels"]["conformance"] = kind.label
        try:
            replaced = subresource.replace(name=name, body=body, **kind.where).to_dict()
        except ConflictError:
            continue
        assert has(replaced)
        break
    else:
        raise AssertionError("ten conflicts")
    if "spec" in kind.sample.body:
        before = kind.get(name)["spec"]
        after = written({"spec": None, "metadata": {"annotations": {"seen": "1"}}})["spec"]
        sent = kind.last["spec"]  # the rest is its controllers' to change
        assert {key: after.get(key) for key in sent} == {key: before.get(key) for key in sent}


@_parameters(list(SAMPLES))
def test_representations(kind: Kind, http: Http) -> None:
    """As a Table, as metadata alone, compressed, and with the refusals of each."""
    name = kind.create()["metadata"]["name"]
    table = http.ok("GET", kind.path(name), accept=TABLE)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["columnDefinitions"][0]["name"] == ("Last Seen" if kind.sample.kind == "Event" else "Name")
    assert all(set(c) == {"name", "type", "format", "description", "priority"} for c in table["columnDefinitions"])
    [row] = table["rows"]
    # Kubernetes too gives an IPAddress a cell more than it has columns.
    assert len(row["cells"]) == len(table["columnDefinitions"]) + (kind.sample.kind == "IPAddress")
    assert row["object"]["kind"] == "PartialObjectMetadata"
    rows = http.ok("GET", f"{kind.path()}?labelSelector=conformance%3D{kind.label}", accept=TABLE)["rows"]
    assert [row["object"]["metadata"]["name"] for row in rows] == [name]
    part = http.ok("GET", kind.path(name), accept=METADATA)
    assert (part["kind"], sorted(part)) == ("PartialObjectMetadata", ["apiVersion", "kind", "metadata"])
    parts = http.ok("GET", kind.path(), accept=METADATA_LIST)
    assert parts["kind"] == "PartialObjectMetadataList"
    assert {item["metadata"]["name"] for item in parts["items"]} >= {name}
    refused = http("GET", kind.path(name), accept="application/json;as=Unknown;v=v1;g=meta.k8s.io")
    assert (refused.status, refused.json["reason"]) == (406, "NotAcceptable")
    protobuf = http("GET", kind.path(name), accept="application/vnd.kubernetes.protobuf,application/json")
    assert (protobuf.headers["Content-Type"], protobuf.body[:4]) == ("application/vnd.kubernetes.protobuf", b"k8s\0")
    yaml = http("GET", kind.path(name), accept="application/yaml")
    assert yaml.headers["Content-Type"] == "application/yaml"
    assert f"kind: {kind.sample.kind}\n".encode() in yaml.body
