"""Jobs and cron jobs: defaults, the selector that the server makes, refusals, what may change, cells."""

from datetime import timedelta
from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.selectors.labels import SelectorError
from tests.support.api_samples import NOW, completed, container, create_errors, update_errors

JOBS = registry.lookup("jobs")
CRON_JOBS = registry.lookup("cronjobs")
STARTED = "2026-01-01T00:00:00Z"
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container()], "restartPolicy": "Never"}}
GENERATED = {
    "controller-uid": "u-1",
    "batch.kubernetes.io/controller-uid": "u-1",
    "job-name": "j",
    "batch.kubernetes.io/job-name": "j",
}


def job(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "j"}, "spec": {"template": copy(TEMPLATE), **spec}}


def cron_job(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"template": copy(TEMPLATE)}}
    return {"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "jobTemplate": template, **spec}}


def test_a_job_without_a_name_is_refused_for_that() -> None:
    nameless = {**job(), "metadata": {}}
    assert "metadata.name: Required value: name or generateName is required" in create_errors("jobs", nameless)


def indexed(**spec: Any) -> dict[str, Any]:
    return job(**{"completionMode": "Indexed", "completions": 3, **spec})


def failure_rule(**rule: Any) -> dict[str, Any]:
    return job(podFailurePolicy={"rules": [rule]})


def test_defaults_of_a_job() -> None:
    made = completed("jobs", job())
    spec = made["spec"]
    template = spec.pop("template")
    assert spec == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
    }
    assert template["metadata"]["labels"] == {"app": "a", **GENERATED}
    assert made["metadata"]["labels"] == template["metadata"]["labels"]
    assert made["metadata"]["generation"] == 1
    assert made["status"] == {}


def test_defaults_that_depend_on_others() -> None:
    per_index = completed("jobs", indexed(backoffLimitPerIndex=1, parallelism=2))["spec"]
    assert (per_index["backoffLimit"], per_index["parallelism"]) == (2147483647, 2)
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    with_policy = completed("jobs", failure_rule(**rule))["spec"]
    assert with_policy["podReplacementPolicy"] == "Failed"
    assert with_policy["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"] == "True"
    assert "completions" not in completed("jobs", job(parallelism=2))["spec"]


def test_fields_of_gates_that_are_off_are_dropped() -> None:
    assert "scheduling" not in completed("jobs", job(scheduling={}))["spec"]
    template = {"spec": {"template": copy(TEMPLATE), "scheduling": {}}}
    assert "scheduling" not in completed("cronjobs", cron_job(jobTemplate=template))["spec"]["jobTemplate"]["spec"]


def test_a_selector_of_the_clients_own() -> None:
    mine = {"matchLabels": {"app": "a"}}
    made = completed("jobs", job(manualSelector=True, selector=mine))
    assert made["spec"]["selector"] == mine
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "a"}
    assert create_errors("jobs", job(manualSelector=True, selector=mine)) == []
    assert create_errors("jobs", job(manualSelector=True)) == [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ]
    clash = job()
    clash["spec"]["template"]["metadata"]["labels"]["job-name"] = "x"
    shown = (
        '{"app":"a","batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"j",'
        '"controller-uid":"u-1","job-name":"x"}'
    )
    assert create_errors("jobs", clash) == [
        f"spec.template.metadata.labels[job-name]: Invalid value: {shown}: must be 'j'"
    ]
    assert create_errors("jobs", job(selector={"matchLabels": {"x": "y"}}))[0] == (
        'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1","x":"y"}}: '
        "`selector` not auto-generated"
    )


NEEDS_INDEXED = "requires indexed completion mode"


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (job(), []),
        (indexed(backoffLimitPerIndex=1, maxFailedIndexes=2), []),
        (job(parallelism=-1), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
        (
            job(backoffLimitPerIndex=1),
            [f"spec.backoffLimitPerIndex: Invalid value: 1: {NEEDS_INDEXED}"],
        ),
        (
            job(maxFailedIndexes=1),
            [
                "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
                f"spec.maxFailedIndexes: Invalid value: 1: {NEEDS_INDEXED}",
            ],
        ),
        (
            job(completionMode="Indexed", parallelism=100_001),
            [
                "spec.completions: Required value: when completion mode is Indexed",
                "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is "
                "Indexed",
            ],
        ),
        (
            indexed(maxFailedIndexes=4, backoffLimitPerIndex=0),
            ["spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"],
        ),
        (
            indexed(completions=100_001, parallelism=10_001, backoffLimitPerIndex=0),
            [
                "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
                "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are "
                "above 100000 and used with backoff limit per index",
            ],
        ),
        (
            job(managedBy="x"),
            ['spec.managedBy: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
        ),
        (job(managedBy="example.com/" + "a" * 60), ["spec.managedBy: Too long: may not be more than 63 bytes"]),
        (
            job(completionMode="X"),
            ['spec.completionMode: Unsupported value: "X": supported values: "NonIndexed", "Indexed"'],
        ),
        (
            job(podReplacementPolicy="X"),
            ['spec.podReplacementPolicy: Unsupported value: "X": supported values: "Failed", "TerminatingOrFailed"'],
        ),
        (
            failure_rule(action="X"),
            [
                'spec.podFailurePolicy.rules[0].action: Unsupported value: "X": '
                'supported values: "Count", "FailIndex", "FailJob", "Ignore"',
                "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is "
                "required",
            ],
        ),
        (
            failure_rule(
                action="FailJob", onExitCodes={"operator": "In", "values": [0, 2, 1, 2], "containerName": "z"}
            ),
            [
                'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "z": '
                "must be one of the container or initContainer names in the pod template",
                "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: "
                "must not be 0 for the In operator",
                "spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Duplicate value: 2",
                "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,2,1,2]: must be ordered",
            ],
        ),
        (
            failure_rule(action="", onExitCodes={"operator": "", "values": [1]}),
            [
                'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" '
                '"Ignore"]',
                'spec.podFailurePolicy.rules[0].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]',
            ],
        ),
        (
            failure_rule(action="Ignore", onPodConditions=[{"type": "a b", "status": "X"}]),
            [
                'spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "a b": name part must consist '
                "of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                'spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "X": '
                'supported values: "False", "True", "Unknown"',
            ],
        ),
        (
            job(successPolicy={"rules": [{"succeededCount": 1}]}),
            [
                'spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: '
                f"{NEEDS_INDEXED}"
            ],
        ),
        (
            indexed(successPolicy={"rules": [{}, {"succeededIndexes": "0,2", "succeededCount": 3}]}),
            [
                "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must "
                "be specified",
                "spec.successPolicy.rules[1].succeededCount: Invalid value: 3: must be less than or equal to 2 (the "
                "number of indexes in the specified succeededIndexes field)",
            ],
        ),
        (
            indexed(successPolicy={"rules": [{"succeededIndexes": "5-9"}]}),
            [
                'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "5-9": error parsing succeededIndexes: '
                'too large index: "5"'
            ],
        ),
    ],
)
def test_refused_jobs(obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("jobs", obj) == errors


def test_restart_policies_of_jobs() -> None:
    def with_policy(policy: str, **spec: Any) -> list[str]:
        obj = job(**spec)
        obj["spec"]["template"]["spec"]["restartPolicy"] = policy
        return create_errors("jobs", obj)

    path = "spec.template.spec.restartPolicy"
    assert with_policy("") == [f'{path}: Required value: valid values: "OnFailure", "Never"']
    assert with_policy("Always") == with_policy("")
    assert with_policy("X")[-1] == f'{path}: Unsupported value: "X": supported values: "OnFailure", "Never"'
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}
    assert with_policy("OnFailure", podFailurePolicy={"rules": [rule]}) == [
        f'{path}: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified'
    ]


def test_names_of_an_indexed_jobs_pods() -> None:
    obj = indexed(completions=101)
    obj["metadata"]["name"] = "a" * 60
    assert create_errors("jobs", obj) == [
        f'metadata.name: Invalid value: "{"a" * 60}": '
        f"will not able to create pod with invalid DNS label: {'a' * 60}-100"
    ]


def test_what_is_frozen_in_a_job() -> None:
    old = completed("jobs", job())
    free = copy(old)
    free["spec"] |= {"parallelism": 3, "suspend": True, "activeDeadlineSeconds": 3}
    assert update_errors("jobs", old, free) == []
    frozen = copy(old)
    frozen["spec"] |= {"completions": 2, "managedBy": "example.com/x"}
    assert update_errors("jobs", old, frozen) == [
        "spec.completions: Invalid value: 2: field is immutable",
        'spec.managedBy: Invalid value: "example.com/x": field is immutable',
    ]
    scaled = completed("jobs", indexed())
    wanted = copy(scaled)
    wanted["spec"]["completions"] = 5
    assert update_errors("jobs", scaled, wanted) == [
        "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"
    ]
    wanted["spec"]["parallelism"] = 5
    assert update_errors("jobs", scaled, wanted) == []


def test_a_suspended_jobs_pods_may_be_placed_otherwise() -> None:
    def change(old: dict[str, Any]) -> list[str]:
        new = copy(old)
        pod = new["spec"]["template"]["spec"]
        pod["nodeSelector"] = {"a": "b"}
        pod["affinity"] = {"nodeAffinity": {}}
        pod["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
        new["spec"]["template"]["metadata"]["annotations"] = {"x": "y"}
        return [e.partition(":")[0] for e in update_errors("jobs", old, new)]

    suspended = completed("jobs", job(suspend=True))
    assert change(suspended) == []
    assert change(completed("jobs", job())) == ["spec.template"]
    suspended["status"]["startTime"] = STARTED
    assert change(suspended) == ["spec.template"]
    suspended["status"]["conditions"] = [{"type": "Suspended", "status": "True"}]
    assert change(suspended) == []
    suspended["status"]["active"] = 1
    assert change(suspended) == ["spec.template"]
    other = copy(completed("jobs", job(suspend=True)))
    old = copy(other)
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/c:2"
    assert [e.partition(":")[0] for e in update_errors("jobs", old, other)] == ["spec.template"]


def condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status}


DONE = [condition("SuccessCriteriaMet"), condition("Complete")]


@pytest.mark.parametrize(
    ("before", "after", "errors"),
    [
        ({}, {"active": 1, "ready": 1, "startTime": STARTED}, []),
        ({}, {"startTime": STARTED, "completionTime": STARTED, "conditions": DONE, "succeeded": 1}, []),
        ({}, {"active": -1}, ["status.active: Invalid value: -1: must be greater than or equal to 0"]),
        ({"failed": 2}, {"failed": 1}, ["status.failed: Invalid value: 1: cannot decrease the failed counter"]),
        (
            {},
            {"ready": 2, "active": 1},
            ["status.ready: Invalid value: 2: cannot set more ready pods than active"],
        ),
        (
            {},
            {"completionTime": STARTED},
            [
                f'status.completionTime: Invalid value: "{STARTED}": '
                "cannot set completionTime when there is no Complete=True condition"
            ],
        ),
        (
            {},
            {"conditions": [condition("Complete")], "active": 1},
            [
                "status.completionTime: Required value: completionTime is required for Complete jobs",
                "status.conditions: Invalid value: cannot set Complete=True condition without the "
                "SuccessCriteriaMet=true condition",
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
                "status.startTime: Required value: startTime is required for finished job",
            ],
        ),
        (
            {},
            {"conditions": [condition("Failed")], "startTime": STARTED},
            [
                "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true "
                "condition"
            ],
        ),
        (
            {"conditions": [condition("FailureTarget")]},
            {},
            ["status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"],
        ),
        (
            {"startTime": STARTED},
            {},
            ["status.startTime: Required value: startTime cannot be removed for unsuspended job"],
        ),
        (
            {},
            {"completedIndexes": "0"},
            [
                'status.completedIndexes: Invalid value: "0": '
                "cannot set non-empty completedIndexes when non-indexed completion mode"
            ],
        ),
        (
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
            [
                'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
                'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
            ],
        ),
    ],
)
def test_what_a_controller_may_say_of_a_job(before: dict[str, Any], after: dict[str, Any], errors: list[str]) -> None:
    old = completed("jobs", job())
    old["status"] = before
    assert update_errors("jobs", old, {**old, "status": after}, "status") == errors


def test_indexes_in_a_jobs_status() -> None:
    old = completed("jobs", indexed(backoffLimitPerIndex=1))
    new = copy(old)
    new["status"] = {"completedIndexes": "0-2", "failedIndexes": "1,7"}
    assert update_errors("jobs", old, new, "status") == [
        'status.failedIndexes: Invalid value: "1,7": error parsing failedIndexes: too large index: "7"',
        'status.failedIndexes: Invalid value: "1,7": failedIndexes and completedIndexes overlap at index: 1',
    ]


def test_jobs_are_selected_by_their_successes() -> None:
    made = completed("jobs", job())
    assert JOBS.selectable_fields(made)["status.successful"] == "0"
    made["status"]["succeeded"] = 3
    assert JOBS.selectable_fields(made)["status.successful"] == "3"
    with pytest.raises(SelectorError, match=r'field label "spec.x" not supported for Job'):
        JOBS.convert_field("spec.x", "")


def test_warnings_of_jobs() -> None:
    obj = indexed(completions=100_001, parallelism=10_001)
    obj["metadata"]["name"] = "a.b"
    assert JOBS.strategy.warnings_on_create(completed("jobs", obj)) == [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label "
        "is recommended: [must not contain dots]",
        "spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
        "Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
    ]


def test_cells_of_a_job() -> None:
    now = NOW + timedelta(minutes=5)
    made = completed("jobs", job())
    assert table.cells(JOBS, made, now)[:5] == ["j", "Running", "0/1", "", "5m"]
    made["status"] = {
        "startTime": STARTED,
        "completionTime": "2026-01-01T00:00:42Z",
        "succeeded": 1,
        "conditions": DONE,
    }
    assert table.cells(JOBS, made, now)[1:4] == ["Complete", "1/1", "42s"]
    made["status"] = {"conditions": [condition("Suspended")]}
    assert table.cells(JOBS, made, now)[1] == "Suspended"
    queue = completed("jobs", job(parallelism=3))
    queue["metadata"]["deletionTimestamp"] = STARTED
    assert table.cells(JOBS, queue, now)[1:3] == ["Terminating", "0/1 of 3"]


def test_defaults_of_a_cron_job() -> None:
    made = completed("cronjobs", cron_job())
    spec = made["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Allow", False)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)
    assert "parallelism" not in spec["jobTemplate"]["spec"]
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert (made["metadata"]["generation"], made["status"]) == (1, {})


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (cron_job(), []),
        (cron_job(timeZone="Europe/Berlin", schedule="@daily"), []),
        (cron_job(schedule=""), ["spec.schedule: Required value"]),
        (
            cron_job(schedule="61 * * * *"),
            ['spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61'],
        ),
        (
            cron_job(schedule="TZ=UTC * * * * *"),
            [
                'spec.schedule: Invalid value: "TZ=UTC * * * * *": '
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            ],
        ),
        (
            cron_job(timeZone="Nowhere/Land"),
            ['spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land'],
        ),
        (
            cron_job(timeZone="../../etc/passwd"),
            ['spec.timeZone: Invalid value: "../../etc/passwd": unknown time zone ../../etc/passwd'],
        ),
        (
            cron_job(timeZone="Local"),
            [
                'spec.timeZone: Invalid value: "Local": '
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
            ],
        ),
        (
            cron_job(concurrencyPolicy="X", startingDeadlineSeconds=-1, failedJobsHistoryLimit=-1),
            [
                "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
                'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"',
                "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        (
            cron_job(jobTemplate={"spec": {"template": TEMPLATE, "manualSelector": True, "selector": {}}}),
            [
                "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated",
                'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
            ],
        ),
    ],
)
def test_refused_cron_jobs(obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("cronjobs", obj) == errors


def test_a_cron_jobs_name_leaves_room_for_its_jobs() -> None:
    obj = cron_job()
    obj["metadata"]["name"] = "x" * 53
    assert create_errors("cronjobs", obj) == [
        f'metadata.name: Invalid value: "{"x" * 53}": must be no more than 52 characters'
    ]


def test_cells_of_a_cron_job() -> None:
    now = NOW + timedelta(minutes=5)
    made = completed("cronjobs", cron_job())
    assert table.cells(CRON_JOBS, made, now) == [
        "c", "* * * * *", "<none>", "False", 0, "<none>", "5m", "c", "registry.example/c:1", "<none>"
    ]  # fmt: skip
    made["spec"] |= {"timeZone": "Etc/UTC", "suspend": True}
    made["status"] = {"active": [{}], "lastScheduleTime": STARTED}
    assert table.cells(CRON_JOBS, made, now)[2:6] == ["Etc/UTC", "True", 1, "5m"]
