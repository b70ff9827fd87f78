"""What `kubeactors status` and `up` make of what they hear."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kubeactors.cli.status import leaders, problems, render
from kubeactors.cli.up import unhealthy

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
GOOD = {"problem": "", "member": "a1", "leader": True, "term": 3, "revision": 100, "applied": 120, "lag": 0}


def lease(name: str, holder: str, renewed: str) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": spec}


def test_a_lease_that_was_not_renewed_is_nobody_s() -> None:
    leases = [
        lease("kube-scheduler", "m1", "2026-01-01T11:59:50.000000Z"),
        lease("kube-controller-manager", "m2", "2026-01-01T11:59:30.000000Z"),
        lease("other", "m3", "2026-01-01T12:00:00.000000Z"),
    ]
    assert leaders(leases, NOW) == {"scheduler": "m1", "controller-manager": ""}
    assert leaders([], NOW) == {"scheduler": "", "controller-manager": ""}


def test_problems_of_masters_are_named() -> None:
    masters = [
        {"name": "m1", "apiserver": "ok", "store": GOOD},
        {"name": "m2", "apiserver": "no answer within 3 s", "store": {"problem": "Connection refused"}},
        {"name": "m3", "apiserver": "ok", "store": {"problem": "", "note": "known on masters only"}},
    ]
    assert problems(masters) == ["m2: no answer within 3 s", "m2: Connection refused"]


def test_the_tables_show_leader_lag_and_what_is_wrong() -> None:
    behind = {**GOOD, "leader": False, "revision": 90, "lag": 10}
    text = render(
        {
            "cluster": "kubeactors",
            "kubeconfig": "/etc/kubeactors/admin.conf",
            "failure": "Ray's head at 10.0.0.1:6379 does not answer",
            "acting": "m2",
            "leaders": {"scheduler": "m1", "controller-manager": "m2"},
            "masters": [
                {"name": "m1", "address": "10.0.0.1", "apiserver": "ok", "store": GOOD},
                {"name": "m2", "address": "10.0.0.2", "apiserver": "ok", "store": behind},
                {"name": "m3", "address": "10.0.0.3", "apiserver": "refused", "store": {"problem": "refused"}},
            ],
            "components": [],
            "nodes": [],
        }
    )
    lines = [line.split() for line in text.splitlines()]
    assert ["m1", "10.0.0.1", "ok", "leader", "3", "100", "120", "0", "scheduler"] in lines
    assert ["m2", "10.0.0.2", "ok", "follower", "3", "90", "120", "10", "controller-manager", "cluster"] in lines
    assert ["m3", "10.0.0.3", "refused", "refused"] in lines
    assert "not healthy: Ray's head at 10.0.0.1:6379 does not answer" in text


@pytest.mark.parametrize(
    ("machines", "text"),
    [
        (1, "2 more machines to be masters: run `ray start --address=10.0.0.1:6379` on them"),
        (2, "1 more machine to be masters: run `ray start --address=10.0.0.1:6379` on it"),
        (3, "the decision which machines are the 3 masters"),
    ],
)
def test_missing_machines_are_asked_for(machines: int, text: str) -> None:
    status = {
        "failure": None,
        "masters": [{"name": "m1"}],
        "wanted": 3,
        "machines": machines,
        "ray_address": "10.0.0.1:6379",
        "components": [],
    }
    assert unhealthy(status) == text
