"""Lists as long as a request can hold: looked at in time that grows with their length, refused in bounded words."""

from __future__ import annotations

import time

import pytest

from kubeactors.api import errors
from kubeactors.api.fielderrors import invalid
from kubeactors.api.meta import Object
from tests.support.api_samples import create_errors, service

LENGTH = 16_000
NAMES = [f"n{i}" for i in range(LENGTH)]
TERM = {"matchLabelExpressions": [{"key": "k", "values": NAMES}]}


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        ("services", service(ipFamilies=NAMES)),
        ("runtimeclasses", {"handler": "h", "scheduling": {"tolerations": [{"key": name} for name in NAMES]}}),
        ("storageclasses", {"provisioner": "p.example.com", "allowedTopologies": [TERM]}),
        ("csinodes", {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": NAMES}]}}),
        ("csinodes", {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["k"] * LENGTH}]}}),
    ],
)
def test_long_lists(resource: str, obj: Object) -> None:
    began = time.process_time()
    create_errors(resource, {"metadata": {"name": "a"}, **obj})
    assert time.process_time() - began < 2.0, "a look at each pair takes far longer"


def test_a_refusal_has_an_end() -> None:
    status = errors.invalid("Pod", "p", [invalid(f"spec.items[{i}]", NAMES, "is wrong") for i in range(LENGTH)]).status
    assert len(status["message"]) < 2 * errors.MAX_TOLD
    assert 1 < len(status["details"]["causes"]) < LENGTH
