"""A deployment's conditions over a rollout."""

from __future__ import annotations

from datetime import timedelta

from kubeactors.api.meta import Object
from kubeactors.controllers.deployment import status as statuses
from tests.unit.controllers.objects import NOW, ago, deployment, replica_set


def conditions(status: Object) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in status.get("conditions", ())}


def progressing(reason: str, value: str = "True", updated: float = 10, changed: float = 20) -> Object:
    return {
        "type": "Progressing",
        "status": value,
        "reason": reason,
        "message": "m",
        "lastUpdateTime": ago(updated),
        "lastTransitionTime": ago(changed),
    }


def test_counts_leave_out_zeros_but_for_terminating() -> None:
    status = statuses.counted(deployment(replicas=2), [replica_set("a", 0)], None, NOW)
    assert {k: v for k, v in status.items() if k != "conditions"} == {"observedGeneration": 1, "terminatingReplicas": 0}


def test_unavailable_counts_what_is_asked_for_and_not_there() -> None:
    new = replica_set("a", 3, 1)
    status = statuses.counted(deployment(), [new], new, NOW)
    assert status["unavailableReplicas"] == 2
    assert conditions(status)["Available"] == (
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )


def test_available_within_max_unavailable() -> None:
    new = replica_set("a", 4, 3)
    status = statuses.counted(deployment(replicas=4), [new], new, NOW)
    assert conditions(status)["Available"] == (
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
    )


def test_complete() -> None:
    new = replica_set("web-1", 3, 3)
    made = deployment(status={"conditions": [progressing("ReplicaSetUpdated")]})
    status = statuses.rollout_status(made, [new], new, NOW)
    assert conditions(status)["Progressing"] == (
        "True",
        "NewReplicaSetAvailable",
        'ReplicaSet "web-1" has successfully progressed.',
    )
    condition = statuses.condition_of(status, "Progressing")
    assert condition is not None
    assert condition["lastTransitionTime"] == ago(20)


def test_progress_renews_the_update_time() -> None:
    new = replica_set("web-1", 2, 1)
    made = deployment(status={"conditions": [progressing("ReplicaSetUpdated", updated=500)], "replicas": 2})
    status = statuses.rollout_status(made, [new], new, NOW)
    condition = statuses.condition_of(status, "Progressing")
    assert condition is not None
    assert condition["lastUpdateTime"] == ago(0)
    assert condition["lastTransitionTime"] == ago(20)
    assert condition["message"] == 'ReplicaSet "web-1" is progressing.'


def stuck(updated: float, reason: str = "ReplicaSetUpdated") -> tuple[Object, Object]:
    new = replica_set("web-1", 1, 0)
    before = {"replicas": 1, "updatedReplicas": 1, "conditions": [progressing(reason, updated=updated)]}
    made = deployment(replicas=3, progressDeadlineSeconds=60, status=before)
    return made, statuses.rollout_status(made, [new], new, NOW)


def test_the_deadline() -> None:
    made, status = stuck(updated=59)
    assert conditions(status)["Progressing"][1] == "ReplicaSetUpdated"
    assert statuses.seconds_until_deadline(made, status, NOW) == 2
    made, status = stuck(updated=61)
    assert conditions(status)["Progressing"] == (
        "False",
        "ProgressDeadlineExceeded",
        'ReplicaSet "web-1" has timed out progressing.',
    )
    assert statuses.seconds_until_deadline(made, status, NOW) is None


def test_a_finished_rollout_never_times_out_when_pods_are_lost() -> None:
    new = replica_set("web-1", 3, 1)
    before = {
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "conditions": [progressing("NewReplicaSetAvailable", updated=10_000)],
    }
    made = deployment(status=before)
    status = statuses.rollout_status(made, [new], new, NOW)
    assert conditions(status)["Progressing"][1] == "NewReplicaSetAvailable"


def test_no_deadline_no_condition() -> None:
    new = replica_set("a", 3, 0)
    made = deployment(progressDeadlineSeconds=None, status={"conditions": [progressing("ReplicaSetUpdated")]})
    assert "Progressing" not in conditions(statuses.rollout_status(made, [new], new, NOW))


def test_a_pause_and_its_end_are_noted_once() -> None:
    paused = deployment(paused=True, status={"conditions": [progressing("ReplicaSetUpdated")]})
    noted = statuses.paused_status(paused, NOW)
    assert noted is not None
    assert conditions(noted)["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")
    assert statuses.paused_status(deployment(paused=True, status=noted), NOW) is None
    resumed = statuses.paused_status(deployment(status=noted), NOW + timedelta(hours=2))
    assert resumed is not None
    assert conditions(resumed)["Progressing"] == ("Unknown", "DeploymentResumed", "Deployment is resumed")


def test_a_timed_out_rollout_is_not_overwritten_by_a_pause() -> None:
    made = deployment(paused=True, status={"conditions": [progressing("ProgressDeadlineExceeded", "False")]})
    assert statuses.paused_status(made, NOW) is None


def test_failures_of_sets_show_and_go() -> None:
    failing = replica_set("web-1", 3, 0)
    failing["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    ]
    status = statuses.rollout_status(deployment(), [failing], failing, NOW)
    assert conditions(status)["ReplicaFailure"] == ("True", "FailedCreate", "quota")
    well = replica_set("web-1", 3, 0)
    after = statuses.rollout_status(deployment(status=status), [well], well, NOW)
    assert "ReplicaFailure" not in conditions(after)
