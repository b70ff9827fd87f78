"""Kinds, their names, and what the hooks of a write take over."""

import pytest

from kubeactors.api import codec
from kubeactors.api.kinds import Kind, KindRegistry, UnknownKindError, registry
from kubeactors.api.schema import struct
from tests.support.api_samples import NOW, completed, deployment, pod, service, updated


@pytest.mark.parametrize(
    ("reference", "plural", "group"),
    [
        ("pods", "pods", ""),
        ("po", "pods", ""),
        ("Pod", "pods", ""),
        ("deployments.apps", "deployments", "apps"),
        ("deployments.v1.apps", "deployments", "apps"),
        ("deploy", "deployments", "apps"),
        ("events", "events", ""),
        ("lease", "leases", "coordination.k8s.io"),
    ],
)
def test_lookup(reference: str, plural: str, group: str) -> None:
    kind = registry.lookup(reference)
    assert (kind.plural, kind.group) == (plural, group)
    assert registry.lookup(kind) is kind
    assert registry.by_resource(group, kind.version, plural) is kind
    assert registry.by_gvk(kind.api_version, kind.kind) is kind


def test_unknown_references() -> None:
    with pytest.raises(UnknownKindError):
        registry.lookup("widgets")
    assert registry.by_resource("", "v9", "pods") is None


def test_names_that_derive_from_a_kind() -> None:
    deployments = registry.lookup("deployments")
    assert deployments.qualified_resource == "deployments.apps"
    assert deployments.qualified_kind == "Deployment.apps"
    assert deployments.url("d", "x", "scale") == "/apis/apps/v1/namespaces/d/deployments/x/scale"
    assert registry.lookup("nodes").url("ignored", "n") == "/api/v1/nodes/n"
    assert registry.lookup("services").storage_key("d", "s") == "/registry/services/specs/d/s"
    assert registry.lookup("nodes").storage_key("", "n") == "/registry/minions/n"


def test_kinds_can_be_added_and_removed() -> None:
    kinds = KindRegistry(registry.all())
    widgets = Kind(
        group="example.com",
        version="v1",
        kind="Widget",
        plural="widgets",
        short_names=("wd",),
        schema="io.k8s.api.core.v1.ConfigMap",
    )
    kinds.add(widgets)
    assert kinds.lookup("wd") is widgets
    assert "example.com" in kinds.groups()
    kinds.remove(widgets)
    with pytest.raises(UnknownKindError):
        kinds.lookup("widgets.example.com")


@pytest.mark.parametrize("kind", registry.all(), ids=lambda k: k.plural)
def test_every_kind_has_a_schema_columns_and_sound_fields(kind: Kind) -> None:
    fields = struct(kind.schema).fields
    assert "metadata" in fields
    if kind.stored:
        # Without columns of its own a kind is shown by name and time of creation.
        assert bool(kind.columns) == (kind.cells is not None)
        assert {"get", "list"} <= set(kind.verbs)
    else:
        assert kind.verbs in (("create",), ("get", "list"))
    obj = codec.decode(kind, b'{"metadata":{"name":"x","namespace":"d"}}').obj
    assert set(kind.selectable_fields(obj)) >= set(kind.field_labels)
    assert all(isinstance(v, str) for v in kind.selectable_fields(obj).values())
    for subresource in kind.subresources:
        assert subresource.verbs


def test_generation_counts_changes_of_the_spec() -> None:
    kind = registry.lookup("deployments")
    old = completed("deployments", deployment())
    assert old["metadata"]["generation"] == 1
    same = updated(kind, old, {**old, "metadata": {"name": "d", "labels": {"a": "b"}}, "status": {"replicas": 9}})
    assert same["metadata"]["generation"] == 1
    assert same["status"] == {}, "the main resource does not write the status"
    scaled = updated(kind, old, {**old, "spec": {**old["spec"], "replicas": 3}})
    assert scaled["metadata"]["generation"] == 2
    annotated = updated(kind, old, {**old, "metadata": {"name": "d", "annotations": {"a": "b"}}})
    assert annotated["metadata"]["generation"] == 2


def test_status_writes_leave_the_spec() -> None:
    kind = registry.lookup("pods")
    old = completed("pods", pod())
    new = updated(
        kind,
        old,
        {"metadata": {"name": "p"}, "spec": {**old["spec"], "nodeName": "n"}, "status": {"phase": "Running"}},
        "status",
    )
    assert new["spec"] == old["spec"]
    assert new["status"]["phase"] == "Running"
    assert new["metadata"]["uid"] == old["metadata"]["uid"]


def test_server_owned_metadata_is_kept() -> None:
    kind = registry.lookup("configmaps")
    old = completed("configmaps", {"metadata": {"name": "c"}})
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    new = updated(kind, old, {"metadata": {"name": "c", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9}})
    assert new["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"]
    assert new["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert "generation" not in new["metadata"]


def test_namespaces_change_finalizers_through_finalize_only() -> None:
    kind = registry.lookup("namespaces")
    old = completed("namespaces", {"metadata": {"name": "n"}})
    bare = {"metadata": {"name": "n"}, "spec": {"finalizers": []}}
    assert updated(kind, old, bare)["spec"] == {"finalizers": ["kubernetes"]}
    strategy = kind.strategy_for("finalize")
    assert strategy is not None
    new = codec.decode(kind, b'{"metadata":{"name":"n"},"spec":{"finalizers":[]}}').obj
    strategy.prepare_for_update(new, old, NOW)
    assert "finalizers" not in new["spec"]
    assert new["status"] == {"phase": "Active"}


def test_a_namespace_is_labelled_with_a_generated_name() -> None:
    kind = registry.lookup("namespaces")
    made = codec.decode(kind, b'{"metadata":{"generateName":"n-"}}').obj
    kind.strategy.default(made)
    assert "labels" not in made["metadata"]
    made["metadata"]["name"] = "n-x"
    kind.strategy.prepare_for_create(made, NOW)
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n-x"}


def test_old_places_of_endpoints_are_dropped() -> None:
    endpoint = {"addresses": ["10.0.0.1"], "deprecatedTopology": {"a": "b"}}
    made = completed(
        "endpointslices", {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [endpoint], "ports": []}
    )
    assert "deprecatedTopology" not in made["endpoints"][0]


def test_updates_of_services_keep_what_was_allocated() -> None:
    kind = registry.lookup("services")
    old = completed(
        "services", service(type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 80, "nodePort": 30001}])
    )
    old["spec"]["ipFamilies"], old["spec"]["ipFamilyPolicy"] = ["IPv4"], "SingleStack"
    kept = updated(kind, old, service(type="NodePort", ports=[{"port": 81}]))["spec"]
    assert kept["clusterIPs"] == ["10.96.0.9"]
    assert kept["ports"][0]["nodePort"] == 30001
    cluster_only = updated(kind, old, {**old, "spec": {**old["spec"], "type": "ClusterIP"}})["spec"]
    assert "nodePort" not in cluster_only["ports"][0]
    assert "externalTrafficPolicy" not in cluster_only
    named = {**old, "spec": {**old["spec"], "type": "ExternalName", "externalName": "x.example"}}
    external = updated(kind, old, named)["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"} & set(external)


def test_what_a_service_keeps_and_loses_with_its_type() -> None:
    kind = registry.lookup("services")
    balanced = completed("services", service(type="LoadBalancer", clusterIP="10.96.0.9"))
    balanced["status"] = {"loadBalancer": {"ingress": [{"hostname": "x.example"}]}}
    changed = updated(kind, balanced, {**balanced, "spec": {**balanced["spec"], "type": "NodePort"}})
    assert changed["status"] == {"loadBalancer": {}}
    named = completed("services", service(type="ExternalName", externalName="x.example"))
    changed = updated(kind, named, {**named, "spec": {**named["spec"], "type": "ClusterIP"}})
    assert changed["spec"]["externalName"] == "x.example"
