"""Which kinds a cluster serves, as its CustomResourceDefinitions come, change and go."""

from __future__ import annotations

from typing import Any

from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.controllers.served_kinds import ServedKind, ServedKinds, kinds_of


def definition(*versions: tuple[str, bool, bool], established: str = "True", **spec: Any) -> Object:
    """`versions` are (name, served, storage)."""
    names = {"plural": "gizmos", "kind": "Gizmo"}
    return {
        "metadata": {"name": "gizmos.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "versions": [{"name": name, "served": served, "storage": storage} for name, served, storage in versions],
            **spec,
        },
        "status": {"conditions": [{"type": "Established", "status": established}], "acceptedNames": names},
    }


def test_the_stored_version_comes_first_and_what_is_not_served_is_left_out() -> None:
    found = kinds_of(definition(("v1beta1", True, False), ("v1", True, True), ("v0", False, False)))
    assert [kind.resource.version for kind in found] == ["v1", "v1beta1"]
    assert found[0].resource.namespaced
    assert "deletecollection" in found[0].verbs
    (cluster_wide,) = kinds_of(definition(("v1", True, True), scope="Cluster"))
    assert not cluster_wide.resource.namespaced


def test_a_definition_serves_nothing_before_it_is_established() -> None:
    assert kinds_of(definition(("v1", True, True), established="False")) == ()
    assert kinds_of({**definition(("v1", True, True)), "status": {}}) == ()


def test_kinds_come_and_go() -> None:
    kinds = ServedKinds(registry.all())
    told: list[tuple[str, bool]] = []

    def listener(kind: ServedKind, came: bool) -> None:
        told.append((f"{kind.resource.plural}/{kind.resource.version}", came))

    kinds.listen(listener)
    builtin = len(kinds.all())
    kinds._put(definition(("v1", True, True), ("v2", True, False), established="False"))
    assert (len(kinds.all()), told) == (builtin, [])
    kinds._put(definition(("v1", True, True), ("v2", True, False)))
    assert len(kinds.all()) == builtin + 1
    found = kinds.find("example.com/v2", "Gizmo")
    assert found is not None
    assert found.resource.plural == "gizmos"
    kinds._put(definition(("v1", True, True), ("v2", True, False), conversion={}))
    assert told == [("gizmos/v1", True)], "nothing that matters has changed"
    kinds._put(definition(("v1", True, False), ("v2", True, True)))
    assert told[1:] == [("gizmos/v1", False), ("gizmos/v2", True)]
    kinds._removed(definition())
    assert told[3:] == [("gizmos/v2", False)]
    assert kinds.find("example.com/v2", "Gizmo") is None


def test_each_builtin_kind_is_there_once_in_the_version_that_is_preferred() -> None:
    kinds = ServedKinds(registry.all())
    names = [(kind.resource.group, kind.resource.plural) for kind in kinds.all()]
    assert len(names) == len(set(names))
    pods = kinds.find("v1", "Pod")
    assert pods is not None
    assert pods.resource.qualified_name == "pods"
    assert kinds.find("v1", "Gizmo") is None
