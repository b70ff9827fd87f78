"""The words of `wait`."""

from __future__ import annotations

from typing import Any

import pytest

from kubeactors import WaitFailed
from kubeactors.client.conditions import compile_condition

POD = {
    "kind": "Pod",
    "metadata": {"name": "a", "generation": 2, "labels": {"a.b/c": "x=y"}},
    "status": {
        "phase": "Running",
        "ready": True,
        "count": 3,
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Old", "status": "True", "observedGeneration": 1},
        ],
    },
}


@pytest.mark.parametrize(
    ("words", "met"),
    [
        ("create", True),
        ("delete", False),
        ("condition=Ready", True),
        ("condition=Ready=true", True),
        ("condition=Ready=False", False),
        ("condition=Absent", False),
        ("condition=Old", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}=Run", False),
        ("jsonpath={status.phase}=Running", True),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.podIP}", False),
        ("jsonpath={.status.ready}=true", True),
        ("jsonpath={.status.count}=3", True),
        (r"jsonpath={.metadata.labels['a\.b/c']}=x=y", True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
    ],
)
def test_words(words: str, met: bool) -> None:
    condition = compile_condition(words)
    assert condition(POD) is met
    assert condition(None) is (words == "delete")


@pytest.mark.parametrize(
    "words", ["", "ready", "condition=", "jsonpath=", "jsonpath=.a=b", "jsonpath={.a}b", "jsonpath={"]
)
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"unknown condition|is no path"):
        compile_condition(words)


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "w", "generation": 2}, "spec": spec, "status": status}


DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
SET = {**DONE, "currentRevision": "b", "updateRevision": "b"}
DAEMON = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
PARTLY = {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}


@pytest.mark.parametrize(
    ("obj", "done"),
    [
        (workload("Deployment", {"replicas": 2}, DONE), True),
        (workload("Deployment", {}, {**DONE, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), True),
        (workload("Deployment", {"replicas": 2}, {**DONE, "observedGeneration": 1}), False),
        (workload("Deployment", {"replicas": 2}, {**DONE, "updatedReplicas": 1}), False),
        (workload("Deployment", {"replicas": 2}, {**DONE, "replicas": 3}), False),
        (workload("Deployment", {"replicas": 2}, {**DONE, "availableReplicas": 1}), False),
        (workload("Deployment", {"replicas": 0}, {"observedGeneration": 2}), True),
        (workload("StatefulSet", {"replicas": 2}, SET), True),
        (workload("StatefulSet", {"replicas": 2}, {**SET, "currentRevision": "a"}), False),
        (workload("StatefulSet", {"replicas": 2}, {**SET, "readyReplicas": 1}), False),
        (workload("StatefulSet", PARTLY, {**SET, "readyReplicas": 3, "updatedReplicas": 1}), True),
        (workload("StatefulSet", PARTLY, {**SET, "readyReplicas": 3, "updatedReplicas": 0}), False),
        (workload("DaemonSet", {}, DAEMON), True),
        (workload("DaemonSet", {}, {**DAEMON, "updatedNumberScheduled": 1}), False),
        (workload("DaemonSet", {}, {**DAEMON, "numberAvailable": 1}), False),
        (None, False),
    ],
)
def test_rollouts(obj: dict[str, Any] | None, done: bool) -> None:
    assert compile_condition("rollout")(obj) is done


def test_rollouts_that_will_not_end() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    stuck = workload("Deployment", {}, {"observedGeneration": 2, "conditions": [late]})
    with pytest.raises(WaitFailed, match="deployment w exceeded its progress deadline") as failed:
        compile_condition("rollout")(stuck)
    assert failed.value.last is stuck
    by_hand = {"updateStrategy": {"type": "OnDelete"}}
    pod = POD | {"status": {"observedGeneration": 2}}
    for obj in (pod, workload("StatefulSet", by_hand, SET), workload("DaemonSet", by_hand, DAEMON)):
        with pytest.raises(ValueError, match="no rollout"):
            compile_condition("rollout")(obj)
