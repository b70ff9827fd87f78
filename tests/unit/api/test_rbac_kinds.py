"""Roles and bindings: what is filled in, refused and shown."""

from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors

_GROUP = "rbac.authorization.k8s.io"


def role(**rule: Any) -> dict[str, Any]:
    return {"metadata": {"name": "system:r"}, "rules": [rule]}


def binding(*subjects: dict[str, Any], **reference: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "view", **reference},
        "subjects": list(subjects),
    }


def test_groups_of_a_binding_are_filled_in() -> None:
    user, account = {"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}
    made = completed("rolebindings", binding(user, account))
    assert made["roleRef"]["apiGroup"] == _GROUP
    assert made["subjects"] == [{**user, "apiGroup": _GROUP}, account]


def test_rules_are_always_written() -> None:
    assert completed("roles", {"metadata": {"name": "r"}, "rules": []})["rules"] is None


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        ("roles", role(apiGroups=[""], resources=["pods"], verbs=["get"], resourceNames=["a"]), []),
        (
            "roles",
            role(nonResourceURLs=["/x"], apiGroups=[""], verbs=["get"]),
            [
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and '
                "non-resource URLs",
            ],
        ),
        ("clusterroles", role(nonResourceURLs=["/x"], verbs=["get"]), []),
        (
            "clusterroles",
            {"metadata": {"name": "r/a"}, "aggregationRule": {}},
            [
                "metadata.name: Invalid value: \"r/a\": may not contain '/'",
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
                "aggregationRule is non-nil",
            ],
        ),
        ("rolebindings", binding({"kind": "ServiceAccount", "name": "s"}), []),
        (
            "clusterrolebindings",
            binding(
                {"kind": "ServiceAccount", "name": "s"}, {"kind": "Group", "name": "", "apiGroup": "x"}, kind="Role"
            ),
            [
                'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
                "subjects[0].namespace: Required value",
                "subjects[1].name: Required value",
                f'subjects[1].apiGroup: Unsupported value: "x": supported values: "{_GROUP}"',
            ],
        ),
        (
            "rolebindings",
            binding({"kind": "X", "name": "a"}, apiGroup="y", name="a%b"),
            [
                f'roleRef.apiGroup: Unsupported value: "y": supported values: "{_GROUP}"',
                "roleRef.name: Invalid value: \"a%b\": may not contain '%'",
                'subjects[0].kind: Unsupported value: "X": supported values: "ServiceAccount", "User", "Group"',
            ],
        ),
    ],
)
def test_what_a_create_refuses(resource: str, obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


@pytest.mark.parametrize("resource", ["rolebindings", "clusterrolebindings"])
def test_the_role_of_a_binding_is_fixed(resource: str) -> None:
    old = completed(resource, binding())
    new = copy(old)
    new["roleRef"]["name"] = "edit"
    shown = f'{{"APIGroup":"{_GROUP}","Kind":"ClusterRole","Name":"edit"}}'
    kind = registry.lookup(resource)
    assert update_errors(kind.plural, old, new) == [f"roleRef: Invalid value: {shown}: cannot change roleRef"]
    new = copy(old) | {"subjects": [{"kind": "User", "name": "u"}]}
    assert update_errors(kind.plural, old, new) == []


def test_cells() -> None:
    subjects = [{"kind": k, "name": n} for k, n in (("User", "u"), ("User", "v"), ("Group", "g"))]
    made = completed("rolebindings", binding(*subjects, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}))
    assert table.cells(registry.lookup("rolebindings"), made, NOW) == [
        "b",
        "ClusterRole/view",
        "0s",
        "u, v",
        "g",
        "n/s",
    ]


def test_a_table_without_columns_of_its_own_has_null_for_no_rows() -> None:
    assert table.make_table(registry.lookup("roles"), [], NOW)["rows"] is None
    assert table.make_table(registry.lookup("rolebindings"), [], NOW)["rows"] == []
