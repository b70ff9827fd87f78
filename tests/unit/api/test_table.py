"""Tables: columns, the line about a pod, ages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubeactors.api import duration, table
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import Kind, registry
from tests.support.api_samples import NOW, completed, container, deployment, pod, service

LATER = NOW + timedelta(minutes=5)
PODS = registry.lookup("pods")


def line(obj: dict[str, Any], status: dict[str, Any], **meta: Any) -> list[Any]:
    made = completed("pods", obj)
    made["status"] = status
    made["metadata"].update(meta)
    return table.cells(PODS, made, LATER)


def state(ready: bool = False, restarts: int = 0, name: str = "c", **kind: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": kind}


@pytest.mark.parametrize(
    ("status", "ready", "reason"),
    [
        ({"phase": "Pending"}, "0/1", "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted"),
        ({"phase": "Running", "containerStatuses": [state(True, running={})]}, "1/1", "Running"),
        (
            {"phase": "Running", "containerStatuses": [state(waiting={"reason": "CrashLoopBackOff"})]},
            "0/1",
            "CrashLoopBackOff",
        ),
        ({"phase": "Failed", "containerStatuses": [state(terminated={"exitCode": 3})]}, "0/1", "ExitCode:3"),
        ({"phase": "Failed", "containerStatuses": [state(terminated={"exitCode": 0, "signal": 9})]}, "0/1", "Signal:9"),
        (
            {"phase": "Succeeded", "containerStatuses": [state(terminated={"exitCode": 0, "reason": "Completed"})]},
            "0/1",
            "Completed",
        ),
        ({"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}, "0/1", "SchedulingGated"),
    ],
)
def test_status_of_a_pod(status: dict[str, Any], ready: str, reason: str) -> None:
    cells = line(pod(), status)
    assert cells[:5] == ["p", ready, reason, "0", "5m"]


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (state(name="i", terminated={"exitCode": 2}), "Init:ExitCode:2"),
        (state(name="i", waiting={"reason": "ImagePullBackOff"}), "Init:ImagePullBackOff"),
        (state(name="i", waiting={"reason": "PodInitializing"}), "Init:0/1"),
        (state(name="i", running={}), "Init:0/1"),
        (state(name="i", terminated={"exitCode": 0}), "Pending"),
    ],
)
def test_status_of_a_pod_that_initialises(init: dict[str, Any], reason: str) -> None:
    obj = pod(initContainers=[{**container(), "name": "i"}])
    assert line(obj, {"phase": "Pending", "initContainerStatuses": [init]})[2] == reason


def test_a_sidecar_counts_as_a_container() -> None:
    obj = pod(initContainers=[{**container(), "name": "i", "restartPolicy": "Always"}])
    sidecar = {**state(True, 2, name="i", running={}), "started": True}
    cells = line(
        obj, {"phase": "Running", "initContainerStatuses": [sidecar], "containerStatuses": [state(True, 1, running={})]}
    )
    assert cells[1:4] == ["2/2", "Running", "3"]


def test_restarts_tell_when_the_last_was() -> None:
    container_status = {
        **state(True, 2, running={}),
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:03:00Z"}},
    }
    assert line(pod(), {"phase": "Running", "containerStatuses": [container_status]})[3] == "2 (2m ago)"


def test_deletion_and_wide_cells() -> None:
    obj = pod(nodeName="n", readinessGates=[{"conditionType": "a/ready"}])
    status = {"phase": "Running", "podIPs": [{"ip": "10.1.0.2"}], "conditions": [{"type": "a/ready", "status": "True"}]}
    cells = line(obj, status, deletionTimestamp="2026-01-01T00:01:00Z")
    assert cells[2] == "Terminating"
    assert cells[5:] == ["10.1.0.2", "n", "<none>", "1/1"]


def test_a_table_and_what_it_includes() -> None:
    made = completed("pods", pod())
    made["status"]["phase"] = "Succeeded"
    whole = table.make_table(PODS, [made], LATER, list_metadata={"resourceVersion": "5"})
    assert (whole["kind"], whole["apiVersion"], whole["metadata"]) == (
        "Table",
        "meta.k8s.io/v1",
        {"resourceVersion": "5"},
    )
    assert [c["name"] for c in whole["columnDefinitions"]][:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert all(c["description"] for c in whole["columnDefinitions"])
    (row,) = whole["rows"]
    assert row["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": made["metadata"],
    }
    assert row["conditions"][0]["reason"] == "Succeeded"
    assert table.make_row(PODS, made, LATER, include_object="Object")["object"] is made
    assert table.make_row(PODS, made, LATER, include_object="None")["object"] is None
    with pytest.raises(StatusError, match='includeObject: Invalid value: "All"'):
        table.make_table(PODS, [], LATER, include_object="All")


def test_a_kind_without_columns_shows_name_and_time() -> None:
    plain = Kind(group="x.example", version="v1", kind="Plain", plural="plains", schema="io.k8s.api.core.v1.ConfigMap")
    assert [c["name"] for c in table.column_definitions(plain)] == ["Name", "Created At"]
    meta = {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert table.cells(plain, {"metadata": meta}, LATER) == ["a", "2026-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("resource", "obj", "cells"),
    [
        ("services", service(), ["s", "ClusterIP", "<none>", "<none>", "80/TCP", "5m", "<none>"]),
        (
            "services",
            service(
                type="NodePort", clusterIP="10.96.0.9", selector={"a": "b"}, ports=[{"port": 80, "nodePort": 30001}]
            ),
            ["s", "NodePort", "10.96.0.9", "<none>", "80:30001/TCP", "5m", "a=b"],
        ),
        (
            "services",
            {"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "x.example"}},
            ["s", "ExternalName", "<none>", "x.example", "<none>", "5m", "<none>"],
        ),
        ("deployments", deployment(replicas=2), ["d", "0/2", 0, 0, "5m", "c", "registry.example/c:1", "app=a"]),
        ("configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}}, ["c", 1, "5m"]),
        ("secrets", {"metadata": {"name": "s"}}, ["s", "Opaque", 0, "5m"]),
        ("namespaces", {"metadata": {"name": "n"}}, ["n", "Active", "5m"]),
        ("leases", {"metadata": {"name": "l"}, "spec": {"holderIdentity": "h"}}, ["l", "h", "5m"]),
        (
            "endpointslices",
            {
                "metadata": {"name": "e"},
                "addressType": "IPv4",
                "ports": [{"port": 80}],
                "endpoints": [{"addresses": [f"10.0.0.{i}"]} for i in range(1, 6)],
            },
            ["e", "IPv4", "80", "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...", "5m"],
        ),
        (
            "endpoints",
            {"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
            ["e", "10.0.0.1:80", "5m"],
        ),
        (
            "nodes",
            {
                "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
                    "nodeInfo": {
                        "kubeletVersion": "v1",
                        "osImage": "OS",
                        "kernelVersion": "6.1",
                        "architecture": "amd64",
                    },
                },
            },
            [
                "n",
                "Ready,SchedulingDisabled",
                "worker",
                "5m",
                "v1",
                "192.0.2.1",
                "<none>",
                "OS",
                "6.1 (amd64)",
                "<unknown>",
            ],
        ),
        (
            "events",
            {
                "metadata": {"name": "e"},
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
                "type": "Normal",
                "reason": "Started",
                "message": "Started container\n",
                "source": {"component": "kubelet", "host": "n"},
                "firstTimestamp": "2026-01-01T00:00:00Z",
                "lastTimestamp": "2026-01-01T00:04:00Z",
                "count": 3,
            },
            [
                "60s",
                "Normal",
                "Started",
                "pod/p",
                "spec.containers{c}",
                "kubelet, n",
                "Started container",
                "5m",
                3,
                "e",
            ],
        ),
    ],
)
def test_rows(resource: str, obj: dict[str, Any], cells: list[Any]) -> None:
    kind = registry.lookup(resource)
    made = completed(resource, obj)
    assert table.cells(kind, made, LATER) == cells
    assert len(cells) == len(kind.columns)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert duration.human(seconds) == text


def test_other_durations() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert duration.since(None, now) == "<unknown>"
    assert duration.until("2026-01-01T00:00:30Z", now) == "30s"
    assert duration.short_human(3700) == "1h"
    assert duration.parse_go("1h30m").total_seconds() == 5400
    assert duration.parse_go("-1.5s").total_seconds() == -1.5
    assert duration.parse_go("0").total_seconds() == 0
    for bad in ("", "5", "1d", "h"):
        with pytest.raises(ValueError, match="invalid duration"):
            duration.parse_go(bad)
