"""PodDisruptionBudget: defaults, refusals, conditions, cells."""

from datetime import timedelta
from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors

BUDGETS = registry.lookup("pdb")


def budget(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "a"}}, **spec}}


def test_a_new_budget() -> None:
    made = completed("pdb", budget())
    assert made["spec"] == {"selector": {"matchLabels": {"app": "a"}}}
    assert made["status"] == {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    assert made["metadata"]["generation"] == 1
    assert not BUDGETS.unconditional_update


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({}, []),
        ({"minAvailable": 0}, []),
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            [
                'spec: Invalid value: {"MinAvailable":1,"Selector":{"matchLabels":{"app":"a"}},"MaxUnavailable":1,'
                '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set'
            ],
        ),
        ({"minAvailable": -1}, ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]),
        ({"maxUnavailable": "200%"}, ['spec.maxUnavailable: Invalid value: "200%": must not be greater than 100%']),
        (
            {"unhealthyPodEvictionPolicy": "X"},
            [
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "X": '
                'supported values: "AlwaysAllow", "IfHealthyBudget"'
            ],
        ),
    ],
)
def test_refused_budgets(spec: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("pdb", budget(**spec)) == errors


def test_names_of_budgets_need_only_fit_a_url() -> None:
    obj = budget()
    obj["metadata"]["name"] = "Not_a.Label"
    assert create_errors("pdb", obj) == []
    obj["metadata"]["name"] = "a%"
    assert create_errors("pdb", obj) == ["metadata.name: Invalid value: \"a%\": may not contain '%'"]
    obj["spec"]["minAvailable"] = -1
    assert create_errors("pdb", obj) == ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]


def test_a_budgets_spec_may_change() -> None:
    old = completed("pdb", budget(minAvailable=1))
    assert update_errors("pdb", old, {**copy(old), "spec": {"maxUnavailable": 1}}) == []
    new = copy(old)
    new["metadata"]["labels"] = {"a b": ""}
    assert [e.partition(":")[0] for e in update_errors("pdb", old, new)] == ["metadata.labels"]


def test_a_budgets_status() -> None:
    old = completed("pdb", budget())
    new = copy(old)
    new["status"]["currentHealthy"] = -1
    new["status"]["conditions"] = [
        {"type": "A", "status": "X", "reason": "9", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": ""},
        {"type": "A", "status": "True", "reason": "R", "lastTransitionTime": None, "message": ""},
    ]
    assert update_errors("pdb", old, new, "status") == [
        'status.conditions[0].status: Unsupported value: "X": supported values: "False", "True", "Unknown"',
        'status.conditions[0].reason: Invalid value: "9": a condition reason must start with alphabetic character, '
        "optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric "
        "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', "
        "regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
        'status.conditions[1].type: Duplicate value: "A"',
        "status.conditions[1].lastTransitionTime: Required value: must be set",
        "status.currentHealthy: Invalid value: -1: must be greater than or equal to 0",
    ]


def test_cells() -> None:
    made = completed("pdb", budget(minAvailable="50%"))
    made["status"]["disruptionsAllowed"] = 2
    assert table.cells(BUDGETS, made, NOW + timedelta(minutes=5)) == ["b", "50%", "N/A", 2, "5m"]
