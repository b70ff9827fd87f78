"""The kinds of dynamic resource allocation: claims, templates, classes, slices, taint rules."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.table import cells
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated

ALL_NODES = {"driver": "d.example", "pool": {"name": "p", "resourceSliceCount": 1}, "allNodes": True}


def claim(*requests: Object, **devices: Any) -> Object:
    asked = list(requests) or [{"name": "r", "exactly": {"deviceClassName": "c"}}]
    return {"metadata": {"name": "n"}, "spec": {"devices": {"requests": asked, **devices}}}


def exactly(**fields: Any) -> Object:
    return {"name": "r", "exactly": {"deviceClassName": "c", **fields}}


def device(**fields: Any) -> Object:
    return {"metadata": {"name": "n"}, "spec": {**ALL_NODES, "devices": [{"name": "d", **fields}]}}


def slice_of(**spec: Any) -> Object:
    return {"metadata": {"name": "n"}, "spec": {**ALL_NODES, **spec}}


def test_a_request_is_for_one_device_unless_it_says_otherwise() -> None:
    made = completed(
        "resourceclaims",
        claim(
            exactly(tolerations=[{"key": "k"}]),
            {"name": "s", "firstAvailable": [{"name": "x", "deviceClassName": "c"}]},
        ),
    )
    first, second = made["spec"]["devices"]["requests"]
    assert (first["exactly"]["allocationMode"], first["exactly"]["count"]) == ("ExactCount", 1)
    assert first["exactly"]["tolerations"] == [{"key": "k", "operator": "Equal"}]
    assert second["firstAvailable"][0]["count"] == 1
    assert made["status"] == {}
    everything = completed("resourceclaims", claim(exactly(allocationMode="All")))
    assert "count" not in everything["spec"]["devices"]["requests"][0]["exactly"]


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (claim(), []),
        (
            claim({"name": "r"}),
            ["spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"],
        ),
        (
            claim({**exactly(), "firstAvailable": [{"name": "x", "deviceClassName": "c"}]}),
            [
                "spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is "
                "required, but multiple fields are set"
            ],
        ),
        (claim(exactly(deviceClassName="")), ["spec.devices.requests[0].exactly.deviceClassName: Required value"]),
        (
            claim(exactly(allocationMode="X")),
            [
                'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "X": '
                'supported values: "All", "ExactCount"'
            ],
        ),
        (
            claim(exactly(allocationMode="All", count=2)),
            [
                "spec.devices.requests[0].exactly.count: Invalid value: 2: "
                "must not be specified when allocationMode is 'All'"
            ],
        ),
        (claim(exactly(selectors=[{}])), ["spec.devices.requests[0].exactly.selectors[0].cel: Required value"]),
        (claim(exactly(), exactly()), ['spec.devices.requests[1]: Duplicate value: "r"']),
        (
            claim(*[{**exactly(), "name": f"r{i}"} for i in range(33)]),
            ["spec.devices.requests: Too many: 33: must have at most 32 items"],
        ),
        (
            claim(constraints=[{"requests": ["r/s"], "matchAttribute": "x"}]),
            [
                'spec.devices.constraints[0].requests[0]: Invalid value: "r/s": must be the name of a request in the '
                "claim or the name of a request and a subrequest separated by '/'",
                'spec.devices.constraints[0].matchAttribute: Invalid value: "x": '
                "a fully qualified name must be a domain and a name separated by a slash",
            ],
        ),
        (claim(config=[{}]), ["spec.devices.config[0].opaque: Required value"]),
        (
            claim(config=[{"opaque": {"driver": "d", "parameters": [1]}}]),
            ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
        ),
        (
            claim(exactly(tolerations=[{"operator": "Exists", "value": "v", "effect": "X"}])),
            [
                'spec.devices.requests[0].exactly.tolerations[0].value: Invalid value: "v": '
                "must be empty for operator `Exists`",
                'spec.devices.requests[0].exactly.tolerations[0].effect: Unsupported value: "X": '
                'supported values: "NoExecute", "NoSchedule", "None"',
            ],
        ),
    ],
)
def test_claims_that_are_refused(obj: Object, errors: list[str]) -> None:
    assert create_errors("resourceclaims", obj) == errors
    template = {"metadata": {"name": "t"}, "spec": {"spec": obj["spec"]}}
    assert [e.replace("spec.spec.", "spec.") for e in create_errors("resourceclaimtemplates", template)] == errors


def test_the_spec_of_a_claim_is_fixed() -> None:
    old = completed("resourceclaims", claim())
    new = copy(old)
    new["spec"]["devices"]["requests"][0]["exactly"]["count"] = 2
    (error,) = update_errors("resourceclaims", old, new)
    assert error.startswith("spec: Invalid value: ") and error.endswith("field is immutable")


ALLOCATED = {"request": "r", "driver": "d", "pool": "p", "device": "x"}


def with_status(**status: Any) -> Object:
    return {**completed("resourceclaims", claim()), "status": status}


@pytest.mark.parametrize(
    ("status", "errors"),
    [
        ({"allocation": {"devices": {"results": [ALLOCATED]}}}, []),
        (
            {"allocation": {"devices": {"results": [{**ALLOCATED, "request": "zz", "shareID": "1"}]}}},
            [
                'status.allocation.devices.results[0].request: Invalid value: "zz": must be the name of a request in '
                "the claim or the name of a request and a subrequest separated by '/'",
                'status.allocation.devices.results[0].shareID: Invalid value: "1": '
                "error validating uid: invalid UUID length: 1",
            ],
        ),
        (
            {"allocation": {"devices": {"config": [{"source": "X"}]}}},
            [
                'status.allocation.devices.config[0].source: Unsupported value: "X": '
                'supported values: "FromClaim", "FromClass"',
                "status.allocation.devices.config[0].opaque: Required value",
            ],
        ),
        (
            {"reservedFor": [{"resource": "pods", "name": "p", "uid": ""}]},
            [
                "status.reservedFor[0].uid: Required value",
                "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
            ],
        ),
        (
            {"devices": [{"driver": "d", "pool": "p", "device": "x", "networkData": {"ips": ["10.0.0.1", "::0/0"]}}]},
            [
                'status.devices[0]: Invalid value: "d/p/x": must be an allocated device in the claim',
                'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": '
                "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)",
                'status.devices[0].networkData.ips[1]: Invalid value: "::0/0": must be in canonical form ("::/0")',
            ],
        ),
    ],
)
def test_the_status_of_a_claim(status: Object, errors: list[str]) -> None:
    assert update_errors("resourceclaims", with_status(), with_status(**status), "status") == errors


def test_an_allocation_is_made_once_and_takes_its_reports_with_it() -> None:
    allocation = {"devices": {"results": [ALLOCATED]}}
    old = with_status(allocation=allocation, devices=[{"driver": "d", "pool": "p", "device": "x"}])
    moved = with_status(allocation={"devices": {"results": [{**ALLOCATED, "device": "y"}]}})
    (error,) = update_errors("resourceclaims", old, moved, "status")
    assert error.startswith("status.allocation: ") and error.endswith("field is immutable")
    freed = updated(registry.lookup("resourceclaims"), old, with_status(devices=old["status"]["devices"]), "status")
    assert freed["status"] == {}


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (device(), []),
        (
            slice_of(allNodes=None),
            [
                "spec: Required value: "
                "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
            ],
        ),
        (
            slice_of(nodeName="n"),
            [
                'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, '
                "`allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"
            ],
        ),
        (
            slice_of(pool={"name": "", "resourceSliceCount": 0, "generation": -1}),
            [
                "spec.pool.name: Required value",
                "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
                "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
            ],
        ),
        (
            device(attributes={"a": {}, "b": {"int": 1, "bool": True}, "v": {"version": "1"}}),
            [
                'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
                'spec.devices[0].attributes[b]: Invalid value: {"int":1,"bool":true}: '
                "exactly one value must be specified",
                'spec.devices[0].attributes[v].version: Invalid value: "1": '
                "must be a string compatible with semver.org spec 2.0.0",
            ],
        ),
        (
            device(taints=[{"key": "k", "effect": "X"}]),
            [
                'spec.devices[0].taints[0].effect: Unsupported value: "X": '
                'supported values: "NoExecute", "NoSchedule", "None"'
            ],
        ),
        (
            device(nodeName="n"),
            [
                "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
                "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
            ],
        ),
        (
            device(bindingConditions=["a"]),
            [
                "spec.devices[0].bindingFailureConditions: Invalid value: null: "
                "bindingFailureConditions are required to use bindingConditions"
            ],
        ),
        (
            device(capacity={"m": {"value": "1", "requestPolicy": {"default": "1"}}}),
            ["spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true"],
        ),
        (
            device(
                allowMultipleAllocations=True,
                capacity={"m": {"value": "4", "requestPolicy": {"default": "3", "validValues": ["2", "1", "8"]}}},
            ),
            [
                'spec.devices[0].capacity[m].requestPolicy.validValues[1]: Invalid value: "1": '
                "values must be sorted in ascending order",
                'spec.devices[0].capacity[m].requestPolicy.validValues[2]: Invalid value: "8": '
                "option is larger than capacity value: 4",
                'spec.devices[0].capacity[m].requestPolicy.validValues: Invalid value: "3": '
                "default value is not valid according to the requestPolicy",
            ],
        ),
        (
            device(
                allowMultipleAllocations=True,
                capacity={
                    "m": {"value": "9", "requestPolicy": {"default": "4", "validRange": {"min": "1", "step": "2"}}}
                },
            ),
            [
                'spec.devices[0].capacity[m].requestPolicy.validRange.step: Invalid value: "4": '
                "value is not a multiple of a given step (2) from (1)"
            ],
        ),
        (
            device(
                allowMultipleAllocations=True,
                capacity={"m": {"value": "9", "requestPolicy": {"default": "4", "validRange": {"max": "5"}}}},
            ),
            [
                "spec.devices[0].capacity[m].requestPolicy.validRange.min: Required value: "
                "required when validRange is defined"
            ],
        ),
        (
            device(consumesCounters=[{"counterSet": "", "counters": {}}]),
            [
                "spec.devices[0].consumesCounters[0].counterSet: Required value",
                "spec.devices[0].consumesCounters[0].counters: Required value",
            ],
        ),
    ],
)
def test_slices_that_are_refused(obj: Object, errors: list[str]) -> None:
    assert create_errors("resourceslices", obj) == errors


def test_a_slice_keeps_its_place_and_dates_its_taints() -> None:
    kind = registry.lookup("resourceslices")
    old = completed("resourceslices", device(taints=[{"key": "k", "effect": "NoExecute"}]))
    assert old["metadata"]["generation"] == 1
    assert old["spec"]["devices"][0]["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"
    new = copy(old)
    new["spec"]["pool"]["name"] = "other"
    assert update_errors("resourceslices", old, new) == ['spec.pool.name: Invalid value: "other": field is immutable']
    assert updated(kind, old, new)["metadata"]["generation"] == 2
    assert kind.selectable_fields(old)["spec.pool.name"] == "p"


def test_an_attribute_that_is_a_list_is_dropped() -> None:
    made = completed("resourceslices", device(attributes={"a": {"int": 1, "ints": [1, 2]}}))
    assert made["spec"]["devices"][0]["attributes"]["a"] == {"int": 1}


@pytest.mark.parametrize(
    ("resource", "spec", "errors"),
    [
        ("deviceclasses", {}, []),
        (
            "deviceclasses",
            {"extendedResourceName": "cpu"},
            ['spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'],
        ),
        (
            "deviceclasses",
            {"selectors": [{"cel": {"expression": "x" * 10241}}]},
            ["spec.selectors[0].cel.expression: Too long: may not be more than 10240 bytes"],
        ),
        ("devicetaintrules", {"taint": {"key": "k", "effect": "NoSchedule"}, "deviceSelector": {"pool": "p"}}, []),
        (
            "devicetaintrules",
            {"taint": {"key": "k"}, "deviceSelector": {"driver": ""}},
            ["spec.deviceSelector.driver: Required value", "spec.taint.effect: Required value"],
        ),
    ],
)
def test_classes_and_rules(resource: str, spec: Object, errors: list[str]) -> None:
    assert create_errors(resource, {"metadata": {"name": "n"}, "spec": spec}) == errors


def test_cells() -> None:
    kind = registry.lookup("resourceclaims")
    made = completed("resourceclaims", claim())
    assert cells(kind, made, NOW) == ["n", "pending", "0s"]
    made["status"] = {"allocation": {}, "reservedFor": [{}]}
    assert cells(kind, made, NOW) == ["n", "allocated,reserved", "0s"]
    made = completed("resourceslices", slice_of(allNodes=None, nodeName="m"))
    assert cells(registry.lookup("resourceslices"), made, NOW) == ["n", "m", "d.example", "p", "0s"]
